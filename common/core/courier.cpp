#include "common/core/courier.h"

#include <algorithm>

#include <sodium.h>

#include "common/base/check.h"
#include "common/core/describe.h"
#include "common/wire/convert.h"
#include "common/wire/envelope.h"

namespace p2pbank {
namespace {

constexpr Duration kPartPause = milliseconds(30);

uint64_t message_id(std::string_view bytes) {
    static constexpr unsigned char kKey[crypto_shorthash_KEYBYTES] = {'p', '2', 'p', 'b',
                                                                      'a', 'n', 'k'};
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), kKey);
    uint64_t value = 0;
    for (const unsigned char byte : out) value = value << 8 | byte;
    return value;
}

}  // namespace

// The sessions of one socket, and what they need from the courier while it handles an event.
class Courier::Door final : public secure::Sessions::Owner {
  public:
    Door(Courier& courier, Socket socket, const KeyBytes& seed)
        : courier_(courier), socket_(socket), sessions_(*courier.identity_, seed, *this) {}

    secure::Sessions& sessions() { return sessions_; }
    const secure::Sessions& sessions() const { return sessions_; }

    void send_packet(Address to, std::string_view packet) override {
        courier_.effects_->send(socket_, to, packet);
    }
    bool accepts(const KeyBytes& channel_key) override {
        return !courier_.accepts_ || courier_.accepts_(socket_, channel_key);
    }
    void log_key(uint32_t index, const KeyBytes& key) override {
        courier_.effects_->log_key(index, key);
    }

  private:
    Courier& courier_;
    Socket socket_;
    secure::Sessions sessions_;
};

Courier::Courier(uint64_t seed) : introductions_(std::make_unique<Introductions>(seed)) {}

Courier::Courier(uint64_t seed, const secure::Identity* identity, const KeyBytes& secret_seed)
    : identity_(identity) {
    if (identity_ == nullptr) {
        introductions_ = std::make_unique<Introductions>(seed);
        return;
    }
    KeyedRandom random(secret_seed);
    for (size_t i = 0; i < doors_.size(); ++i) {
        doors_[i] = std::make_unique<Door>(*this, static_cast<Socket>(i), random.key());
    }
}

Courier::~Courier() = default;

void Courier::identify(std::string sender, uint64_t instance) {
    sender_ = std::move(sender);
    instance_ = instance;
    number_ = 0;
}

void Courier::accept_only(Accepts accepts) {
    accepts_ = std::move(accepts);
}

void Courier::forget_refused() {
    if (!is_sealed()) return;
    for (auto& door : doors_) door->sessions().forget_refused();
}

bool Courier::is_introduced(TimePoint now, Socket at, Address address, const KeyBytes& key) const {
    if (!is_sealed()) return introductions_->is_proven(address);
    return door(at).sessions().has_session(now, address, key);
}

void Courier::trust(Address address) {
    if (!is_sealed()) introductions_->trust(address);
}

void Courier::ask_keys(Socket from, Address to, uint64_t nonce, Effects& effects) {
    P2PBANK_CHECK(is_sealed());
    effects.send(from, to, secure::key_request(nonce));
}

// --- sending

// False if there is no session, which can only be so when sealed.
bool Courier::emit(TimePoint now, Socket from, Address to, const KeyBytes& key,
                   wire::Datagram& datagram, Effects& effects) {
    datagram.set_sender(sender_);
    datagram.set_instance(instance_);
    datagram.set_number(number_ + 1);
    if (is_sealed()) {
        const size_t size = datagram.ByteSizeLong();
        plain_.resize(size);
        datagram.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(plain_.data()));
        effects_ = &effects;
        const bool done = door(from).sessions().seal(now, to, key, plain_, packet_);
        effects_ = nullptr;
        if (datagram.has_ask()) sodium_memzero(plain_.data(), plain_.size());  // perhaps a password
        if (!done) return false;
    } else {
        seal(datagram, packet_);
    }
    ++number_;
    P2PBANK_CHECK(packet_.size() <= limits::kMaxDatagramBytes);
    if (effects.tracing()) trace("sent", to, datagram, effects);
    effects.send(from, to, packet_);
    return true;
}

void Courier::trace(std::string_view kind, Address other, const wire::Datagram& datagram,
                    Effects& effects) {
    effects.trace({kind,
                   {{"id", datagram.sender() + "/" + std::to_string(datagram.instance()) + "/" +
                               std::to_string(datagram.number())},
                    {kind == "sent" ? "to" : "from", to_string(other)},
                    {"what", describe(datagram)}}});
}

// Without the sender's name: all Hellos have the same size, up to the padding's own length.
void Courier::send_hello(Socket from, Address to, const wire::Hello& hello, Effects& effects) {
    wire::Datagram datagram;
    *datagram.mutable_hello() = hello;
    datagram.set_instance(instance_);
    datagram.set_number(++number_);
    Introductions::pad(*datagram.mutable_hello(), kEnvelopeBytes + datagram.ByteSizeLong());
    seal(datagram, packet_);
    P2PBANK_CHECK(packet_.size() == Introductions::kHelloBytes);
    if (effects.tracing()) trace("sent", to, datagram, effects);
    effects.send(from, to, packet_);
}

void Courier::introduce(TimePoint now, Socket from, Address to, const KeyBytes& key,
                        Effects& effects) {
    if (is_sealed()) {
        effects_ = &effects;
        door(from).sessions().introduce(now, to, key);
        effects_ = nullptr;
    } else if (const auto hello = introductions_->introduce(now, to)) {
        send_hello(from, to, *hello, effects);
    }
}

bool Courier::send(TimePoint now, Socket from, Address to, const KeyBytes& key,
                   wire::Datagram& message, Effects& effects) {
    if (!is_introduced(now, from, to, key)) {
        introduce(now, from, to, key, effects);
        return false;
    }
    message.set_sender(sender_);
    message.set_instance(instance_);
    message.set_number(number_ + 1);
    if (limits::kMaxOverheadBytes + message.ByteSizeLong() <= limits::kMaxDatagramBytes) {
        return emit(now, from, to, key, message, effects);
    }
    message.set_number(0);  // the same message has the same bytes, and so the same id
    std::string bytes = message.SerializeAsString();
    if (bytes.size() > limits::kMaxMessageBytes) {
        effects.notice(Severity::error, "a message is too large to be sent: " + describe(message));
        return false;
    }
    const MessageKey id{to, key, message_id(bytes)};
    auto found = outgoing_.find(id);
    if (found == outgoing_.end()) {
        while (!outgoing_.empty() && (outgoing_.size() >= limits::kMaxOutgoingMessages ||
                                      outgoing_bytes_ > limits::kMaxReassemblyBytes)) {
            const auto oldest = outgoing_.find(outgoing_order_.front());
            outgoing_bytes_ -= oldest->second.bytes.size();
            outgoing_.erase(oldest);
            outgoing_order_.pop_front();
        }
        outgoing_bytes_ += bytes.size();
        const size_t count =
            (bytes.size() + limits::kMaxFragmentBytes - 1) / limits::kMaxFragmentBytes;
        found =
            outgoing_.emplace(id, Outgoing{std::vector<bool>(count), now, std::move(bytes), from})
                .first;
        outgoing_order_.push_back(id);
    }
    send_parts(now, id, found->second, true, effects);
    return true;
}

void Courier::send_parts(TimePoint now, const MessageKey& key, Outgoing& outgoing,
                         bool at_least_one, Effects& effects) {
    outgoing.sent = now;
    const size_t count = outgoing.acked.size();
    bool any = false;
    for (size_t i = 0; i < count; ++i) {
        const bool last_resort = at_least_one && !any && i + 1 == count;
        if (outgoing.acked[i] && !last_resort) continue;
        any = true;
        part_.Clear();
        wire::Fragment* fragment = part_.mutable_fragment();
        fragment->set_id(key.id);
        fragment->set_index(static_cast<uint32_t>(i));
        fragment->set_count(static_cast<uint32_t>(count));
        fragment->set_bytes(
            outgoing.bytes.substr(i * limits::kMaxFragmentBytes, limits::kMaxFragmentBytes));
        emit(now, outgoing.socket, key.address, key.key, part_, effects);
    }
}

// --- receiving

Courier::Arrival Courier::receive(TimePoint now, Socket at, Address from, std::string_view bytes,
                                  Effects& effects) {
    Arrival arrival;
    if (bytes.size() > limits::kMaxDatagramBytes) return arrival;
    if (is_sealed()) {
        open_sealed(now, at, from, bytes, arrival, effects);
    } else {
        open_clear(at, from, bytes, arrival, effects);
    }
    if (!arrival.message) return arrival;
    if (incoming_.has_fragment()) {
        arrival.message = on_fragment(at, from);
    } else if (incoming_.has_fragment_ack()) {
        arrival.message = false;
        on_fragment_ack(now, from, effects);
    } else if (incoming_.has_hello()) {
        arrival.message = false;
    }
    return arrival;
}

void Courier::open_sealed(TimePoint now, Socket at, Address from, std::string_view bytes,
                          Arrival& arrival, Effects& effects) {
    if (answers_key_requests_) {
        const std::string answer = secure::key_answer(bytes, *identity_);
        P2PBANK_CHECK(answer.size() <= bytes.size());
        if (!answer.empty()) {
            effects.send(at, from, answer);
            return;
        }
    }
    arrival.keys = secure::read_key_answer(bytes);
    if (arrival.keys) return;
    effects_ = &effects;
    const secure::Sessions::Opened opened = door(at).sessions().open(now, from, bytes);
    effects_ = nullptr;
    arrival.introduced = opened.introduced;
    arrival.other_mode = opened.other_mode;
    incoming_key_ = opened.who;
    if (!opened.message) return;
    const std::string_view plain = door(at).sessions().plain();
    if (!incoming_.ParseFromArray(plain.data(), static_cast<int>(plain.size()))) return;
    if (incoming_.has_ask()) door(at).sessions().wipe_plain();
    if (effects.tracing()) trace("received", from, incoming_, effects);
    arrival.message = true;
}

void Courier::open_clear(Socket at, Address from, std::string_view bytes, Arrival& arrival,
                         Effects& effects) {
    incoming_key_ = KeyBytes{};
    const unsigned char sealed_type = secure::type_of(bytes);
    if (sealed_type != 0) {
        const bool hint = sealed_type == static_cast<unsigned char>(secure::PacketType::other_mode);
        // Not to a packet that is shorter than the answer, and never to a hint.
        if (!hint && bytes.size() >= Introductions::kHelloBytes) {
            effects.send(at, from, secure::other_mode());
        }
        arrival.other_mode = true;
        return;
    }
    if (!unseal(bytes, incoming_)) return;
    if (effects.tracing()) trace("received", from, incoming_, effects);
    if (incoming_.has_hello()) {
        const auto greeted = introductions_->greeted(from, incoming_.hello(), bytes.size());
        arrival.introduced = greeted.introduced;
        if (greeted.answer) send_hello(at, from, *greeted.answer, effects);
        return;
    }
    if (!introductions_->is_proven(from)) {
        // It knows us and we do not know it: one of us was started again. Ask for our cookie.
        const auto hello = introductions_->heard(from, bytes.size());
        if (hello) send_hello(at, from, *hello, effects);
        return;
    }
    arrival.message = true;
}

bool Courier::on_fragment(Socket at, Address from) {
    const wire::Fragment fragment = incoming_.fragment();
    if (fragment.count() == 0 || fragment.count() > limits::kMaxFragments ||
        fragment.index() >= fragment.count() ||
        fragment.bytes().size() > limits::kMaxFragmentBytes || fragment.bytes().empty()) {
        return false;
    }
    const MessageKey key{from, incoming_key_, fragment.id()};
    auto found = incoming_parts_.find(key);
    if (found == incoming_parts_.end()) {
        while (incoming_parts_.size() >= limits::kMaxReassembliesInProgress) {
            forget_oldest_reassembly();
        }
        found = incoming_parts_.emplace(key, Incoming{}).first;
        found->second.parts.resize(fragment.count());
        found->second.age = incoming_order_.insert(incoming_order_.end(), key);
    }
    Incoming& incoming = found->second;
    if (incoming.parts.size() != fragment.count()) return false;
    const bool is_new = incoming.received.add(Label(fragment.index() + 1));
    if (is_new) {
        incoming.bytes += fragment.bytes().size();
        incoming_bytes_ += fragment.bytes().size();
        incoming.parts[fragment.index()] = fragment.bytes();
        // Messages that were begun earlier grow as well.
        while (incoming_bytes_ > limits::kMaxReassemblyBytes) {
            const bool is_this = incoming_order_.front() == key;
            forget_oldest_reassembly();
            if (is_this) return false;
        }
    }
    acks_due_[key] = at;
    // Complete: delivered with the part that makes it so, and again whenever its last part comes.
    if (incoming.received.count() < incoming.parts.size() ||
        (!is_new && fragment.index() + 1 != fragment.count())) {
        return false;
    }
    std::string whole;
    whole.reserve(incoming.bytes);
    for (const std::string& part : incoming.parts) whole += part;
    incoming_.Clear();
    if (message_id(whole) != fragment.id() || !incoming_.ParseFromString(whole) ||
        incoming_.has_fragment() || incoming_.has_hello()) {
        incoming_bytes_ -= incoming.bytes;
        incoming_order_.erase(incoming.age);
        incoming_parts_.erase(found);
        acks_due_.erase(key);
        return false;
    }
    return true;
}

void Courier::forget_oldest_reassembly() {
    const MessageKey key = incoming_order_.front();
    incoming_order_.pop_front();
    const auto found = incoming_parts_.find(key);
    incoming_bytes_ -= found->second.bytes;
    incoming_parts_.erase(found);
    acks_due_.erase(key);
}

void Courier::on_fragment_ack(TimePoint now, Address from, Effects& effects) {
    const wire::FragmentAck ack = incoming_.fragment_ack();
    const auto found = outgoing_.find(MessageKey{from, incoming_key_, ack.id()});
    const auto received = from_wire(ack.received());
    if (found == outgoing_.end() || !received) return;
    Outgoing& outgoing = found->second;
    // Not joined with what was known: a receiver that was started again has forgotten its parts.
    bool missing = false;
    for (size_t i = 0; i < outgoing.acked.size(); ++i) {
        outgoing.acked[i] = received->contains(Label(i + 1));
        missing = missing || !outgoing.acked[i];
    }
    if (missing && now - outgoing.sent >= kPartPause) {
        send_parts(now, found->first, outgoing, false, effects);
    }
}

void Courier::end_of_turn(TimePoint now, Effects& effects) {
    if (acks_due_.empty()) return;
    for (const auto& [key, socket] : acks_due_) {
        const auto found = incoming_parts_.find(key);
        if (found == incoming_parts_.end()) continue;
        part_.Clear();
        part_.mutable_fragment_ack()->set_id(key.id);
        to_wire(found->second.received, 0, 256, part_.mutable_fragment_ack()->mutable_received());
        emit(now, socket, key.address, key.key, part_, effects);
    }
    acks_due_.clear();
}

}  // namespace p2pbank
