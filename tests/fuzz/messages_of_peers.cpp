#include "tests/fuzz/messages.h"

namespace p2pbank::fuzz {

wire::Datagram from_peer(Input& in, const Heard& heard) {
    wire::Datagram message;
    switch (in.below(11)) {
        case 0: {
            wire::Transfers* transfers = message.mutable_transfers();
            transfers->set_first_label(in.number());
            for (size_t count = in.below(6); count > 0; --count) {
                transfers->add_amounts(in.number());
                if (in.below(8) == 0) transfers->add_gaps(in.number());
            }
            break;
        }
        case 1:
            labels_from(in, message.mutable_ack()->mutable_received());
            labels_from(in, message.mutable_ack()->mutable_covered());
            break;
        case 2:
            labels_from(in, message.mutable_epoch_notice()->mutable_received());
            break;
        case 3:
            message.mutable_epoch_confirm()->set_epoch(in.number());
            message.mutable_epoch_confirm()->set_last_label(in.number());
            break;
        case 4: {
            wire::CheckpointRequest* request = message.mutable_checkpoint_request();
            operation_from(in, heard, request->mutable_operation());
            request->set_label(in.number());
            request->set_deadline_ms(deadline_from(in));
            break;
        }
        case 5: {
            wire::RollbackRequest* request = message.mutable_rollback_request();
            operation_from(in, heard, request->mutable_operation());
            request->set_label(in.number());
            request->set_next_epoch(in.number());
            request->set_deadline_ms(deadline_from(in));
            break;
        }
        case 6: {
            wire::Vote* vote = message.mutable_vote();
            operation_from(in, heard, vote->mutable_operation());
            vote->set_yes(in.below(4) != 0);
            vote->set_code("busy");
            vote->set_who(name_from(in));
            for (size_t count = in.below(4); count > 0; --count) {
                wire::Participant* participant = vote->add_participants();
                participant->set_name(name_from(in));
                participant->set_holder(in.coin());
                participant->set_next_epoch(in.number());
                wire::Reason* reason = participant->add_reasons();
                reason->set_peer(name_from(in));
                reason->set_transfers(in.number());
            }
            break;
        }
        case 7:
            operation_from(in, heard, message.mutable_outcome()->mutable_operation());
            message.mutable_outcome()->set_commit(in.coin());
            message.mutable_outcome()->set_kind(kind_from(in));
            break;
        case 8:
            for (size_t count = in.below(4); count > 0; --count) {
                message.mutable_signed_()->add_digests(std::string(in.piece()));
            }
            message.mutable_signed_()->set_signature(std::string(in.piece()));
            break;
        case 9:
            labels_from(in, message.mutable_sign_request()->mutable_labels());
            break;
        default:
            operation_from(in, heard, message.mutable_outcome_ack()->mutable_operation());
    }
    return message;
}

}  // namespace p2pbank::fuzz
