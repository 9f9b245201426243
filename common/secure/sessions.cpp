#include "common/secure/sessions.h"

#include <algorithm>
#include <utility>

#include <sodium.h>

#include "common/base/check.h"
#include "common/base/secret.h"
#include "common/secure/bytes.h"
#include "common/secure/cookies.h"
#include "common/secure/sealing.h"
#include "common/secure/session_table.h"

namespace p2pbank::secure {
namespace {

// A session seals no more so long before its end: what it sealed is still to arrive.
constexpr Duration kSealAfter = kRejectAfter - kRekeyGrace;
static_assert(kRekeyAfter + kRekeyGrace < kSealAfter, "both sides get to make a new one before");
// Of one party, without a cookie: somebody may be repeating what it once sent.
constexpr size_t kUnconfirmedWithoutCookie = 2;
constexpr size_t kHintedBytes = 64;  // a packet in clear is at least so long to be answered
constexpr unsigned char kClearVersion = 1;

constexpr size_t kIndexAt = kHeaderBytes;
constexpr size_t kSecondIndexAt = kIndexAt + sizeof(uint32_t);
constexpr size_t kCounterAt = kIndexAt + sizeof(uint32_t);
constexpr size_t kInitiationNoiseAt = kIndexAt + sizeof(uint32_t);
constexpr size_t kResponseNoiseAt = kSecondIndexAt + sizeof(uint32_t);
static_assert(kInitiationNoiseAt + NoiseIk::kMessage1Bytes + kMacsBytes == kInitiationBytes);
static_assert(kResponseNoiseAt + NoiseIk::kMessage2Bytes + kMacsBytes == kResponseBytes);

std::string header(PacketType type) {
    return {'P', 'B', static_cast<char>(kVersion), static_cast<char>(type)};
}

template <class Number>
void append(std::string& packet, Number value) {
    char bytes[sizeof value];
    store(bytes, value);
    packet.append(bytes, sizeof bytes);
}

}  // namespace

struct Sessions::Impl {
    Impl(const Identity& identity, const KeyBytes& random_seed, Owner& to_owner,
         const Limits& to_limits)
        : owner(to_owner),
          limits(to_limits),
          random(random_seed),
          own(identity.channel_secret()),
          gate(own.public_key(), random, limits.handshakes_per_second),
          table(random, limits) {}

    bool can_seal(TimePoint now, const Session& session) const {
        return now - session.made < kSealAfter && session.sent < limits.reject_after_packets;
    }
    bool wants_successor(TimePoint now, const Session& session) const {
        const Duration after = session.began_here ? kRekeyAfter : kRekeyAfter + kRekeyGrace;
        return session.lost || now - session.made >= after ||
               session.sent >= limits.rekey_after_packets;
    }
    void log_keys(const Session& session) {
        owner.log_key(session.index, session.keys.receive);
        owner.log_key(session.remote_index, session.keys.send);
    }

    void begin(TimePoint now, Party& party);
    void answer(Address to, std::string_view packet);
    void on_initiation(TimePoint now, Address from, std::string_view packet);
    void on_response(TimePoint now, Address from, std::string_view packet, Opened& opened);
    void on_cookie(TimePoint now, Address from, std::string_view packet);
    void on_sealed(TimePoint now, Address from, std::string_view packet, std::string& plain,
                   Opened& opened);
    void on_no_session(TimePoint now, Address from, std::string_view packet);
    void confirm(TimePoint now, Session& session, Opened& opened);

    Owner& owner;
    const Limits limits;
    KeyedRandom random;
    StaticKey own;
    Gatekeeper gate;
    SessionTable table;
    TimePoint last{};         // of the last call
    size_t to_be_answered{};  // bytes: of the packet that is being opened
    std::string packet;       // that confirms a session
};

Sessions::Sessions(const Identity& identity, const KeyBytes& random_seed, Owner& owner,
                   const Limits& limits)
    : impl_(std::make_unique<Impl>(identity, random_seed, owner, limits)) {}

Sessions::~Sessions() {
    Secret::wipe(plain_);
}

// --- sending

bool Sessions::seal(TimePoint now, Address to, const KeyBytes& who, std::string_view plain,
                    std::string& packet) {
    impl_->last = now;
    impl_->table.expire(now);
    Party* party = impl_->table.find(to, who);
    if (party == nullptr || party->confirmed.empty()) return false;
    Session& session = *party->confirmed.back();
    if (!impl_->can_seal(now, session)) return false;
    seal_packet(session.keys.send, session.remote_index, session.sent++, plain, packet);
    if (impl_->wants_successor(now, session)) impl_->begin(now, *party);
    return true;
}

void Sessions::introduce(TimePoint now, Address to, const KeyBytes& who) {
    impl_->last = now;
    impl_->table.expire(now);
    if (who == impl_->own.public_key() || !impl_->owner.accepts(who)) return;
    impl_->begin(now, impl_->table.party(to, who));
}

// Sends an initiation, if one is due. The party may be gone afterwards.
void Sessions::Impl::begin(TimePoint now, Party& party) {
    if (now < party.next_initiation) return;
    party.next_initiation = now + party.pause;
    party.pause = std::min(2 * party.pause, kLastInitiationPause);
    if (party.cookie && now - party.cookie->came >= kCookieLife) party.cookie.reset();

    Pending& pending = table.add_pending(now, party);
    pending.noise = NoiseIk::initiator(own, party.who, kPrologue);
    KeyBytes ephemeral = random.key();
    const auto message = pending.noise->write(ephemeral, {});
    wipe(ephemeral);
    if (!message) {  // a key of low order: nobody has its secret
        table.remove(pending);
        return;
    }
    std::string initiation = header(PacketType::initiation);
    append(initiation, pending.index);
    initiation += *message;
    add_macs(initiation, party.who,
             party.cookie ? std::optional(party.cookie->bytes) : std::nullopt);
    pending.mac1 = mac1_of(initiation);
    P2PBANK_CHECK(initiation.size() == kInitiationBytes);
    owner.send_packet(party.address, initiation);
}

// The one way on which a packet is answered, with no more bytes than came.
void Sessions::Impl::answer(Address to, std::string_view bytes) {
    P2PBANK_CHECK(bytes.size() <= to_be_answered);
    to_be_answered -= bytes.size();
    owner.send_packet(to, bytes);
}

// --- receiving

Sessions::Opened Sessions::open(TimePoint now, Address from, std::string_view packet) {
    Opened opened;
    impl_->last = now;
    impl_->table.expire(now);
    impl_->to_be_answered = packet.size();
    if (packet.size() > 2 && packet[0] == 'P' && packet[1] == 'B' && packet[2] == kClearVersion) {
        opened.other_mode = true;
        if (packet.size() >= kHintedBytes) impl_->answer(from, secure::other_mode());
        return opened;
    }
    switch (static_cast<PacketType>(type_of(packet))) {
        case PacketType::initiation:
            impl_->on_initiation(now, from, packet);
            break;
        case PacketType::response:
            impl_->on_response(now, from, packet, opened);
            break;
        case PacketType::cookie:
            impl_->on_cookie(now, from, packet);
            break;
        case PacketType::sealed:
            impl_->on_sealed(now, from, packet, plain_, opened);
            break;
        case PacketType::other_mode:
            opened.other_mode = packet.size() == kOtherModeBytes;
            break;
        case PacketType::no_session:
            impl_->on_no_session(now, from, packet);
            break;
        default:  // not for here, or of no type that there is
            break;
    }
    return opened;
}

void Sessions::Impl::on_initiation(TimePoint now, Address from, std::string_view bytes) {
    if (bytes.size() != kInitiationBytes || !gate.has_mac1(bytes)) return;
    const uint32_t remote_index = load<uint32_t>(bytes, kIndexAt);
    const Gatekeeper::Verdict verdict = gate.judge(now, from, bytes);
    if (verdict == Gatekeeper::Verdict::no) return;
    if (verdict == Gatekeeper::Verdict::show_cookie) {
        answer(from, gate.cookie_for(now, from, remote_index, bytes));
        return;
    }

    NoiseIk noise = NoiseIk::responder(own, kPrologue);
    if (!noise.read(bytes.substr(kInitiationNoiseAt, NoiseIk::kMessage1Bytes))) return;
    const KeyBytes& who = noise.remote_public();
    if (who == own.public_key() || !owner.accepts(who)) return;
    if (const Party* known = table.find(from, who)) {
        for (const auto* sessions : {&known->confirmed, &known->unconfirmed}) {
            for (const Session* session : *sessions) {
                // Answered already. Whoever lost the answer asks with a new key.
                if (session->remote_ephemeral == noise.remote_ephemeral()) return;
            }
        }
        if (known->unconfirmed.size() >= kUnconfirmedWithoutCookie &&
            verdict != Gatekeeper::Verdict::yes_with_cookie) {
            answer(from, gate.cookie_for(now, from, remote_index, bytes));
            return;
        }
    }
    KeyBytes ephemeral = random.key();
    const auto message = noise.write(ephemeral, {});
    wipe(ephemeral);
    if (!message) return;

    Session& session = table.add_session(now, table.party(from, who));
    session.remote_index = remote_index;
    session.remote_ephemeral = noise.remote_ephemeral();
    session.keys = noise.split();
    log_keys(session);
    std::string response = header(PacketType::response);
    append(response, session.index);
    append(response, remote_index);
    response += *message;
    add_macs(response, who, std::nullopt);
    P2PBANK_CHECK(response.size() == kResponseBytes);
    answer(from, response);
}

void Sessions::Impl::on_response(TimePoint now, Address from, std::string_view bytes,
                                 Opened& opened) {
    if (bytes.size() != kResponseBytes) return;
    Pending* pending = table.find_pending(load<uint32_t>(bytes, kSecondIndexAt));
    if (pending == nullptr || pending->party->address != from) return;
    // Nobody asks for cookies here: only who saw the initiation knows its index.
    if (!gate.has_mac1(bytes) || !has_no_mac2(bytes)) return;
    NoiseIk& noise = *pending->noise;
    if (!noise.read(bytes.substr(kResponseNoiseAt, NoiseIk::kMessage2Bytes))) return;
    if (!owner.accepts(pending->party->who)) {
        table.remove(*pending);
        return;
    }
    const NoiseKeys keys = noise.split();
    Session& session = table.replace_pending(now, *pending);
    session.began_here = true;
    session.remote_index = load<uint32_t>(bytes, kIndexAt);
    session.keys = keys;
    log_keys(session);
    confirm(now, session, opened);
    seal_packet(session.keys.send, session.remote_index, session.sent++, {}, packet);
    answer(from, packet);
}

void Sessions::Impl::confirm(TimePoint now, Session& session, Opened& opened) {
    Party& party = *session.party;
    table.confirm(session);
    party.pause = kFirstInitiationPause;
    party.next_initiation = now + party.pause;
    opened.introduced = true;
    opened.who = party.who;
}

void Sessions::Impl::on_cookie(TimePoint now, Address from, std::string_view bytes) {
    if (bytes.size() != kCookieBytes) return;
    Pending* pending = table.find_pending(load<uint32_t>(bytes, kIndexAt));
    if (pending == nullptr || pending->got_cookie || pending->party->address != from) return;
    Party& party = *pending->party;
    const auto cookie = open_cookie(bytes, party.who, pending->mac1);
    if (!cookie) return;
    pending->got_cookie = true;
    party.cookie = {*cookie, now};
    party.next_initiation = now;  // not at once: it is longer than what came
}

void Sessions::Impl::on_sealed(TimePoint now, Address from, std::string_view bytes,
                               std::string& plain, Opened& opened) {
    if (bytes.size() < kSealedOverhead) return;
    Session* session = table.find_session(load<uint32_t>(bytes, kIndexAt));
    if (session == nullptr || session->party->address != from ||
        now - session->made >= kRejectAfter) {
        std::string hint = header(PacketType::no_session);
        hint += bytes.substr(kIndexAt, sizeof(uint32_t));
        answer(from, hint);
        return;
    }
    const auto counter = load<uint64_t>(bytes, kCounterAt);
    if (counter >= limits.reject_after_packets || !session->received.is_new(counter)) return;
    if (!open_packet(session->keys.receive, bytes, plain)) return;
    session->received.accept(counter);
    if (session->confirmed) {
        table.heard(*session);
    } else {
        confirm(now, *session, opened);
    }
    opened.who = session->party->who;
    opened.message = !plain.empty();
}

void Sessions::Impl::on_no_session(TimePoint now, Address from, std::string_view bytes) {
    if (bytes.size() != kNoSessionBytes) return;
    Session* session = table.find_remote(from, load<uint32_t>(bytes, kIndexAt));
    if (session == nullptr) return;
    // Anybody could say so: the session stays until there is another.
    session->lost = true;
    begin(now, *session->party);
}

// --- what stands

bool Sessions::has_session(TimePoint now, Address with, const KeyBytes& who) const {
    const Party* party = std::as_const(impl_->table).find(with, who);
    return party != nullptr && !party->confirmed.empty() &&
           impl_->can_seal(now, *party->confirmed.back());
}

void Sessions::forget_refused() {
    impl_->table.keep_only([&](const KeyBytes& who) { return impl_->owner.accepts(who); });
}

size_t Sessions::confirmed() const {
    return impl_->table.confirmed();
}

size_t Sessions::unconfirmed() const {
    return impl_->table.unconfirmed();
}

bool Sessions::under_load() const {
    return impl_->gate.is_under_load(impl_->last);
}

// --- hints and keys

std::string other_mode() {
    return header(PacketType::other_mode);
}

void Sessions::wipe_plain() {
    sodium_memzero(plain_.data(), plain_.size());
}

std::string key_request(uint64_t nonce) {
    std::string packet = header(PacketType::key_request);
    append(packet, nonce);
    packet.resize(kKeyRequestBytes);
    return packet;
}

std::string key_answer(std::string_view packet, const Identity& identity) {
    if (type_of(packet) != static_cast<unsigned char>(PacketType::key_request) ||
        packet.size() != kKeyRequestBytes) {
        return {};
    }
    std::string reply = header(PacketType::key_answer);
    reply += packet.substr(kHeaderBytes, sizeof(uint64_t));
    reply += to_bytes(identity.keys());
    reply += identity.word();
    return reply;
}

std::optional<KeyAnswer> read_key_answer(std::string_view packet) {
    if (type_of(packet) != static_cast<unsigned char>(PacketType::key_answer) ||
        packet.size() != kKeyAnswerBytes) {
        return std::nullopt;
    }
    const std::string_view both =
        packet.substr(kHeaderBytes + sizeof(uint64_t), sizeof(PublicKeys));
    const auto keys = keys_from_bytes(both);
    const std::string_view word = packet.substr(packet.size() - Identity::kSignatureBytes);
    if (!keys || !is_signed(kKeysLabel, both, word, keys->signing)) return std::nullopt;
    return KeyAnswer{load<uint64_t>(packet, kHeaderBytes), *keys};
}

}  // namespace p2pbank::secure
