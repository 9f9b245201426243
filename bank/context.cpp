#include "bank/context.h"

#include "common/base/check.h"

namespace p2pbank::bank {

void Context::commit(State::Record& record) {
    record.set_at_ms(static_cast<uint64_t>(wall_us() / 1'000));
    const auto applied = state.apply(record);
    P2PBANK_CHECK(applied.ok());
    effects->persist(record.SerializeAsString());
}

void Context::send(const Origin& to, wire::Datagram message) {
    message.set_receiver(to.name);
    message.set_receiver_instance(to.instance);
    outbox_.push_back({to.address, std::move(message), CommandId(), {}});
}

void Context::send(const Account& account, wire::Datagram message) {
    // The address proved itself when the account was opened or its process attached.
    if (account.proven) courier.trust(account.bank_side());
    send(Origin{account.bank_side(), account.name, account.boots}, std::move(message));
}

void Context::answer(CommandId command, Answer answer) {
    if (effects->tracing()) {
        const char* word = answer.outcome == Outcome::success ? "SUCCESS " : "FAILURE ";
        effects->trace({"answer", {{"text", word + answer.text}}});
    }
    outbox_.push_back({{}, {}, command, std::move(answer)});
}

void Context::release_outbox() {
    for (Leaving& leaving : outbox_) {
        if (leaving.command.value() != 0) {
            effects->answer(leaving.command, std::move(leaving.answer));
        } else {
            courier.send(now, Socket::bank, leaving.to, leaving.message, *effects);
        }
    }
    outbox_.clear();
}

}  // namespace p2pbank::bank
