#include "common/core/courier.h"

#include <algorithm>

#include <sodium.h>

#include "common/base/check.h"
#include "common/core/describe.h"
#include "common/wire/convert.h"
#include "common/wire/envelope.h"

namespace p2pbank {
namespace {

constexpr size_t kHelloBytes = 64;
constexpr Duration kFirstHelloPause = milliseconds(50);
constexpr Duration kLastHelloPause = seconds(5);
constexpr Duration kPartPause = milliseconds(30);
constexpr unsigned char kPublicKey[crypto_shorthash_KEYBYTES] = {'p', '2', 'p', 'b', 'a', 'n', 'k'};

}  // namespace

Courier::Courier(uint64_t seed) {
    Random random(seed);
    for (unsigned char& byte : secret_) byte = static_cast<unsigned char>(random.below(256));
}

void Courier::identify(std::string sender, uint64_t instance) {
    sender_ = std::move(sender);
    instance_ = instance;
    number_ = 0;
}

uint64_t Courier::hash(std::string_view bytes, const unsigned char* key) const {
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), key);
    uint64_t value = 0;
    for (const unsigned char byte : out) value = value << 8 | byte;
    return value;
}

uint64_t Courier::cookie_for(Address address) const {
    char bytes[6];
    for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(address.ip >> (8 * i) & 255);
    bytes[4] = static_cast<char>(address.port & 255);
    bytes[5] = static_cast<char>(address.port >> 8);
    const uint64_t cookie = hash(std::string_view(bytes, 6), secret_);
    return cookie == 0 ? 1 : cookie;  // 0 in a Hello means: none
}

Courier::Acquaintance& Courier::acquaintance(Address address) {
    const auto found = acquaintances_.find(address);
    if (found != acquaintances_.end()) return found->second;
    if (acquaintances_.size() >= limits::kMaxAddressesKnown) {
        // Whoever is forgotten introduces itself again.
        if (unproven_.empty()) {
            acquaintances_.erase(acquaintances_.begin());
        } else {
            acquaintances_.erase(unproven_.front());
            unproven_.pop_front();
        }
    }
    Acquaintance& fresh = acquaintances_[address];
    fresh.hello_pause = kFirstHelloPause;
    fresh.age = unproven_.insert(unproven_.end(), address);
    return fresh;
}

// Against as many bytes as came from there. A Hello that the node sends of its own accord, to an
// address that its user or the bank gave it, is no answer and does not count.
bool Courier::may_answer(Acquaintance& known) {
    if (known.proven) return true;
    if (known.answered_bytes + kHelloBytes > known.bytes_in) return false;
    known.answered_bytes += kHelloBytes;
    return true;
}

bool Courier::is_proven(Address address) const {
    const auto found = acquaintances_.find(address);
    return found != acquaintances_.end() && found->second.proven;
}

void Courier::trust(Address address) {
    Acquaintance& known = acquaintance(address);
    if (known.proven) return;
    known.proven = true;
    unproven_.erase(known.age);
}

void Courier::emit(Socket from, Address to, wire::Datagram& datagram, Effects& effects) {
    datagram.set_sender(sender_);
    datagram.set_instance(instance_);
    datagram.set_number(++number_);
    seal(datagram, sealed_);
    P2PBANK_CHECK(sealed_.size() <= limits::kMaxDatagramBytes);
    if (effects.tracing()) trace("sent", to, datagram, effects);
    effects.send(from, to, sealed_);
}

void Courier::trace(std::string_view kind, Address other, const wire::Datagram& datagram,
                    Effects& effects) {
    effects.trace({kind,
                   {{"id", datagram.sender() + "/" + std::to_string(datagram.instance()) + "/" +
                               std::to_string(datagram.number())},
                    {kind == "sent" ? "to" : "from", to_string(other)},
                    {"what", describe(datagram)}}});
}

void Courier::send_hello(Socket from, Address to, uint64_t echo, bool need_echo, Effects& effects) {
    wire::Datagram datagram;
    wire::Hello* hello = datagram.mutable_hello();
    hello->set_cookie(cookie_for(to));
    hello->set_echo(echo);
    hello->set_need_echo(need_echo);
    datagram.set_instance(instance_);
    datagram.set_number(++number_);
    // Without the sender's name: all Hellos have the same size, up to the padding's own length.
    const size_t bare = kEnvelopeBytes + datagram.ByteSizeLong() + 2;  // the padding's tag, length
    hello->set_padding(std::string(kHelloBytes - bare, '\0'));
    seal(datagram, sealed_);
    P2PBANK_CHECK(sealed_.size() == kHelloBytes);
    if (effects.tracing()) trace("sent", to, datagram, effects);
    effects.send(from, to, sealed_);
}

bool Courier::send(TimePoint now, Socket from, Address to, wire::Datagram& message,
                   Effects& effects) {
    Acquaintance& known = acquaintance(to);
    if (!known.proven) {
        if (now >= known.next_hello) {
            known.next_hello = now + known.hello_pause;
            known.hello_pause = std::min(kLastHelloPause, known.hello_pause * 2);
            send_hello(from, to, 0, true, effects);
        }
        return false;
    }
    message.set_sender(sender_);
    message.set_instance(instance_);
    message.set_number(number_ + 1);
    if (kEnvelopeBytes + message.ByteSizeLong() <= limits::kMaxDatagramBytes) {
        emit(from, to, message, effects);
        return true;
    }
    message.set_number(0);  // the same message has the same bytes, and so the same id
    std::string bytes = message.SerializeAsString();
    if (bytes.size() > limits::kMaxMessageBytes) {
        effects.notice(Severity::error, "a message is too large to be sent: " + describe(message));
        return false;
    }
    const uint64_t id = hash(bytes, kPublicKey);
    const MessageKey key{to, id};
    auto found = outgoing_.find(key);
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
            outgoing_.emplace(key, Outgoing{std::vector<bool>(count), now, std::move(bytes), from})
                .first;
        outgoing_order_.push_back(key);
    }
    send_parts(now, to, id, found->second, true, effects);
    return true;
}

void Courier::send_parts(TimePoint now, Address to, uint64_t id, Outgoing& outgoing,
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
        fragment->set_id(id);
        fragment->set_index(static_cast<uint32_t>(i));
        fragment->set_count(static_cast<uint32_t>(count));
        fragment->set_bytes(
            outgoing.bytes.substr(i * limits::kMaxFragmentBytes, limits::kMaxFragmentBytes));
        emit(outgoing.socket, to, part_, effects);
    }
}

Courier::Arrival Courier::receive(TimePoint now, Socket at, Address from, std::string_view bytes,
                                  Effects& effects) {
    if (bytes.size() > limits::kMaxDatagramBytes || !unseal(bytes, incoming_)) {
        return Arrival::nothing;
    }
    if (effects.tracing()) trace("received", from, incoming_, effects);
    if (incoming_.has_hello()) {
        Acquaintance& known = acquaintance(from);
        if (!known.proven) known.bytes_in += bytes.size();
        return on_hello(at, from, effects);
    }
    const auto found = acquaintances_.find(from);
    if (found == acquaintances_.end() || !found->second.proven) {
        Acquaintance& known = acquaintance(from);
        known.bytes_in += bytes.size();
        // It knows us and we do not know it: one of us was started again. Ask for our cookie.
        if (may_answer(known)) send_hello(at, from, 0, true, effects);
        return Arrival::nothing;
    }
    if (incoming_.has_fragment()) return on_fragment(at, from);
    if (incoming_.has_fragment_ack()) {
        on_fragment_ack(now, from, effects);
        return Arrival::nothing;
    }
    return Arrival::message;
}

Courier::Arrival Courier::on_hello(Socket at, Address from, Effects& effects) {
    const wire::Hello hello = incoming_.hello();
    Acquaintance& known = acquaintance(from);
    Arrival arrival = Arrival::nothing;
    if (!known.proven && hello.echo() != 0 && hello.echo() == cookie_for(from)) {
        known.proven = true;
        unproven_.erase(known.age);
        arrival = Arrival::introduced;
    }
    if (hello.need_echo() && may_answer(known)) {
        send_hello(at, from, hello.cookie(), !known.proven, effects);
    }
    return arrival;
}

Courier::Arrival Courier::on_fragment(Socket at, Address from) {
    const wire::Fragment fragment = incoming_.fragment();
    if (fragment.count() == 0 || fragment.count() > limits::kMaxFragments ||
        fragment.index() >= fragment.count() ||
        fragment.bytes().size() > limits::kMaxFragmentBytes || fragment.bytes().empty()) {
        return Arrival::nothing;
    }
    const MessageKey key{from, fragment.id()};
    auto found = incoming_parts_.find(key);
    if (found == incoming_parts_.end()) {
        while (incoming_parts_.size() >= limits::kMaxReassembliesInProgress ||
               (incoming_bytes_ > limits::kMaxReassemblyBytes && !incoming_order_.empty())) {
            forget_oldest_reassembly();
        }
        found = incoming_parts_.emplace(key, Incoming{}).first;
        found->second.parts.resize(fragment.count());
        found->second.age = incoming_order_.insert(incoming_order_.end(), key);
    }
    Incoming& incoming = found->second;
    if (incoming.parts.size() != fragment.count()) return Arrival::nothing;
    const bool is_new = incoming.received.add(Label(fragment.index() + 1));
    if (is_new) {
        incoming.bytes += fragment.bytes().size();
        incoming_bytes_ += fragment.bytes().size();
        incoming.parts[fragment.index()] = fragment.bytes();
    }
    acks_due_[key] = at;
    // Complete: delivered with the part that makes it so, and again whenever its last part comes.
    if (incoming.received.count() < incoming.parts.size() ||
        (!is_new && fragment.index() + 1 != fragment.count())) {
        return Arrival::nothing;
    }
    std::string whole;
    whole.reserve(incoming.bytes);
    for (const std::string& part : incoming.parts) whole += part;
    incoming_.Clear();
    if (hash(whole, kPublicKey) != fragment.id() || !incoming_.ParseFromString(whole) ||
        incoming_.has_fragment() || incoming_.has_hello()) {
        incoming_bytes_ -= incoming.bytes;
        incoming_order_.erase(incoming.age);
        incoming_parts_.erase(found);
        acks_due_.erase(key);
        return Arrival::nothing;
    }
    return Arrival::message;
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
    const auto found = outgoing_.find(MessageKey{from, ack.id()});
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
        send_parts(now, from, ack.id(), outgoing, false, effects);
    }
}

void Courier::end_of_turn(Effects& effects) {
    if (acks_due_.empty()) return;
    for (const auto& [key, socket] : acks_due_) {
        const auto found = incoming_parts_.find(key);
        if (found == incoming_parts_.end()) continue;
        part_.Clear();
        part_.mutable_fragment_ack()->set_id(key.second);
        to_wire(found->second.received, 0, 256, part_.mutable_fragment_ack()->mutable_received());
        emit(socket, key.first, part_, effects);
    }
    acks_due_.clear();
}

}  // namespace p2pbank
