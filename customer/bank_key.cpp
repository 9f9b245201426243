#include "customer/bank_key.h"

#include <algorithm>

#include "customer/timing.h"

namespace p2pbank::customer {
namespace {

std::string to_hex(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += kDigits[byte >> 4U];
        text += kDigits[byte & 0xFU];
    }
    return text;
}

}  // namespace

BankKey::BankKey(Context& context, NextJob next_job, Known known)
    : context_(context),
      next_job_(std::move(next_job)),
      known_(std::move(known)),
      pause_(timing::kKeyRequestFirst, timing::kKeyRequestMost) {}

void BankKey::start() {
    again_at_ = context_.now;
    if (!context_.sealed() || !context_.settings.bank_keys || context_.bank_keys) return;
    context_.notice(Severity::warning,
                    "the remembered key of the bank at " + to_string(context_.settings.bank) +
                        " is " + secure::fingerprint(*context_.settings.bank_keys) + ", and " +
                        expected() + " was asked for: only the latter counts");
}

// --- asking

// Without keys at once; with keys when the bank has been silent for a while.
std::optional<TimePoint> BankKey::ask_at() const {
    if (!context_.sealed()) return std::nullopt;
    if (!context_.bank_keys) return again_at_;
    if (!context_.bank_silent_since) return std::nullopt;
    return std::max(again_at_, *context_.bank_silent_since + timing::kBankSilent);
}

void BankKey::on_timer() {
    const auto at = ask_at();
    if (at && context_.now >= *at) ask();
}

void BankKey::ask() {
    again_at_ = context_.now + pause_.next(context_.random);
    if (!nonce_) nonce_ = context_.secrets.next64();
    context_.courier.ask_keys(Socket::bank, context_.settings.bank, *nonce_, *context_.effects);
}

std::optional<TimePoint> BankKey::next_wake() const {
    return ask_at();
}

void BankKey::on_keys(Address from, const secure::KeyAnswer& answer) {
    if (from != context_.settings.bank || nonce_ != answer.nonce || answer.keys.empty()) return;
    const auto& pinned = context_.settings.bank_fingerprint;
    if (context_.bank_keys && answer.keys == *context_.bank_keys) {
        was_heard_ = true;
        nonce_.reset();
        shown_.reset();
        foreign_.reset();
        context_.bank_silent_since.reset();  // it is there: what is sent next shows what it does
        return;
    }
    const bool is_pinned = pinned && secure::fingerprint(answer.keys) == *pinned;
    if (!is_pinned && shown_ != answer.keys) {
        const bool first = !shown_;
        shown_ = answer.keys;
        nonce_.reset();
        if (first) ask();  // otherwise in its time: who knows who answers
    } else if (context_.bank_keys || (pinned && !is_pinned)) {
        refuse(answer.keys);
    } else {
        take(answer.keys);
    }
}

void BankKey::take(const secure::PublicKeys& keys) {
    was_heard_ = true;
    nonce_.reset();
    shown_.reset();
    foreign_.reset();
    foreign_told_ = false;
    pause_.reset();
    context_.bank_keys = keys;
    remember(keys);
    known_();
}

// The right answer may still come: it is asked on.
void BankKey::refuse(const secure::PublicKeys& keys) {
    foreign_ = keys;
    if (foreign_told_) return;
    foreign_told_ = true;
    context_.notice(Severity::error, trouble()->message);
}

void BankKey::on_other_mode() {
    if (!context_.bank_silent_since) return;  // nothing was asked of it
    other_mode_ = true;
    if (other_mode_told_) return;
    other_mode_told_ = true;
    context_.notice(Severity::error, trouble()->message);
}

void BankKey::heard() {
    was_heard_ = true;
    context_.bank_silent_since.reset();
    nonce_.reset();
    shown_.reset();
    pause_.reset();
    again_at_ = context_.now;
    foreign_.reset();
    other_mode_ = foreign_told_ = other_mode_told_ = false;
}

// --- what people are told

std::string BankKey::key_file() const {
    const Address& bank = context_.settings.bank;
    return ip_to_string(bank.ip) + "_" + std::to_string(bank.port) + ".key";
}

std::string BankKey::expected() const {
    return context_.bank_keys ? secure::fingerprint(*context_.bank_keys)
                              : context_.settings.bank_fingerprint.value_or("");
}

std::optional<Error> BankKey::trouble() const {
    const std::string bank = "the bank at " + to_string(context_.settings.bank);
    if (other_mode_) {
        return Error{"other-mode", context_.sealed()
                                       ? bank +
                                             " runs with --insecure: start it without, or this "
                                             "program with --insecure too, each with folders of "
                                             "their own"
                                       : bank +
                                             " runs without --insecure: start it with "
                                             "--insecure too, or this program without"};
    }
    if (!foreign_) return std::nullopt;
    std::string message = bank + " shows another key: " + secure::fingerprint(*foreign_) +
                          " instead of " + expected() +
                          ". Nothing is sent to it: it may be somebody else. ";
    if (context_.settings.bank_fingerprint) {
        message +=
            "Look whether --bank-key is typed as the bank's operator sees it; if the operator "
            "confirms the other one, start again with that";
    } else {
        message += "If the bank's operator confirms the new one, remove " +
                   context_.settings.key_folder + "/" + key_file() + " and start again";
    }
    return Error{"bank-key-changed", std::move(message)};
}

Error BankKey::unreachable(const std::string& silence) const {
    auto why = trouble();
    return why ? std::move(*why) : Error{"bank-unreachable", silence};
}

// --- remembering

void BankKey::remember(const secure::PublicKeys& keys) {
    const bool pinned = context_.settings.bank_fingerprint.has_value();
    context_.notice(Severity::info,
                    "remembered the key of the bank at " + to_string(context_.settings.bank) +
                        ": " + secure::fingerprint(keys) +
                        (pinned ? "" : "; compare it with what the bank's operator sees"));
    // Nowhere to keep it: it is remembered for this run.
    if (context_.settings.key_folder.empty()) return;
    writing_ = next_job_();
    WriteFiles work;
    work.folder = context_.settings.key_folder;
    work.files.emplace_back(key_file(), to_hex(secure::to_bytes(keys)) + "\n");
    context_.effects->start_job(*writing_, std::move(work));
}

bool BankKey::on_job(JobId job, const JobResult& result) {
    if (writing_ != job) return false;
    writing_.reset();
    if (!result.outcome) {
        context_.notice(Severity::warning, "the bank's key could not be written down: " +
                                               result.outcome.error().message);
    }
    return true;
}

}  // namespace p2pbank::customer
