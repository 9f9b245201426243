#include "customer/session.h"

#include <algorithm>
#include <array>

#include <sodium.h>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/core/answer_wire.h"
#include "common/core/authority.h"
#include "common/core/seal.h"

namespace p2pbank::customer {
namespace {

struct Form {
    std::string_view verb;
    std::string_view usage;
    size_t words;
    bool has_secrets;
    bool needs_session;
};

constexpr std::array<Form, 5> kForms = {{
    {"register", "register <email>", 2, true, false},
    {"verify", "verify <code>", 2, false, false},
    {"sign-in", "sign-in <email>", 2, true, false},
    {"sign-out", "sign-out", 1, false, true},
    {"passwd", "passwd", 1, true, true},
}};

const Form* find_form(std::string_view verb) {
    const auto* found = std::find_if(kForms.begin(), kForms.end(),
                                     [&](const Form& form) { return form.verb == verb; });
    return found == kForms.end() ? nullptr : found;
}

const Form& form_of(std::string_view verb) {
    const Form* form = find_form(verb);
    P2PBANK_CHECK(form != nullptr);
    return *form;
}

std::vector<Question> questions_of(std::string_view verb) {
    if (verb == "register") {
        return {{"Name: ", false}, {"Password: ", true}, {"Password again: ", true}};
    }
    if (verb == "sign-in") return {{"Password: ", true}};
    if (verb == "passwd") {
        return {{"Old password: ", true}, {"New password: ", true}, {"New password again: ", true}};
    }
    return {};
}

// The bank checks more; this spares a person the way there.
Result<void> check_new_password(const Secret& password, const Secret& again) {
    const size_t size = password.view().size();
    if (size < limits::kMinPasswordBytes || size > limits::kMaxPasswordBytes) {
        return Error{"bad-password", "a password has " + std::to_string(limits::kMinPasswordBytes) +
                                         " to " + std::to_string(limits::kMaxPasswordBytes) +
                                         " bytes"};
    }
    if (password.view() != again.view()) {
        return Error{"passwords-differ", "the two passwords differ; nothing was sent"};
    }
    return {};
}

Error not_signed_in() {
    return {"not-signed-in", "sign in first: `sign-in <email>`"};
}

// Overwrites the secrets at the end of a block.
struct Wiped {
    wire::Secrets& secrets;
    ~Wiped() { wipe(secrets); }
};

}  // namespace

Session::Begun::~Begun() {
    sodium_memzero(key.data(), key.size());
}

Session::Session(Context& context, NextJob next_job)
    : context_(context),
      random_(context.settings.secret_seed),
      next_job_(std::move(next_job)),
      bank_key_(context.settings.bank_key) {}

Session::~Session() {
    end_session();
}

bool Session::handles(std::string_view verb) {
    return find_form(verb) != nullptr;
}

// --- commands

Result<std::vector<Question>> Session::begin(CommandId id, const std::vector<std::string>& words) {
    P2PBANK_CHECK(!words.empty() && !is_under_way(id));
    const Form& form = form_of(words[0]);
    if (words.size() != form.words) return Error{"usage", "write: " + std::string(form.usage)};
    if (form.words == 2 && form.has_secrets && words[1].find('@') == std::string::npos) {
        return Error{"bad-email", quote(words[1]) + " is no e-mail address"};
    }
    if (form.needs_session && !session_) return not_signed_in();
    if (form.has_secrets) {
        // A key that is not known yet will be when the bank has answered.
        if (const auto why = why_no_secret(); why && bank_key_) return *why;
    }
    begun_[id].words = words;
    return questions_of(words[0]);
}

Result<void> Session::typed(CommandId id, Result<std::vector<Secret>> texts) {
    const auto found = begun_.find(id);
    P2PBANK_CHECK(found != begun_.end());
    Begun& begun = found->second;
    const std::string& verb = begun.words[0];
    const auto over = [&](Error error) {
        begun_.erase(found);
        return Result<void>(std::move(error));
    };
    if (!texts) return over(texts.error());
    std::vector<Secret>& answers = texts.value();
    P2PBANK_CHECK(answers.size() == questions_of(verb).size());
    if (verb == "sign-in") {
        begun.password = std::move(answers[0]);
        return {};
    }
    Secret& password = answers[1];
    const auto good = check_new_password(password, answers[2]);
    if (verb == "register") {
        const size_t size = answers[0].view().size();
        if (size == 0 || size > limits::kMaxPersonNameBytes) {
            return over({"bad-text", "a name has 1 to " +
                                         std::to_string(limits::kMaxPersonNameBytes) + " bytes"});
        }
        begun.name = std::move(answers[0]);
        begun.password = std::move(password);
    } else {
        begun.password = std::move(answers[0]);
        begun.new_password = std::move(password);
    }
    return good ? Result<void>() : over(good.error());
}

Result<wire::Ask> Session::request(CommandId id) {
    const auto found = begun_.find(id);
    P2PBANK_CHECK(found != begun_.end());
    Begun& begun = found->second;
    const Form& form = form_of(begun.words[0]);
    const auto over = [&](Error error) {
        begun_.erase(found);
        return Result<wire::Ask>(std::move(error));
    };
    if (form.needs_session && !session_) return over(not_signed_in());
    wire::Ask ask;
    ask.set_nonce(context_.random.next());
    for (const std::string& word : begun.words) ask.add_words(word);
    if (!form.has_secrets) {
        sign(&ask);
        return ask;
    }
    if (const auto why = why_no_secret()) return over(*why);
    auto sealed = seal_secrets_of(begun, ask.nonce());
    if (!sealed) return over(sealed.error());
    ask.set_sealed(std::move(sealed).value());
    if (form.needs_session) {
        sign(&ask);
    } else {
        // The key inside ties what is sealed to these words.
        const Courier& courier = context_.courier;
        p2pbank::sign(0, 0, begun.key, signed_text(courier.sender(), courier.instance(), ask),
                      ask.mutable_authority());
    }
    return ask;
}

Result<std::string> Session::seal_secrets_of(Begun& begun, uint64_t nonce) {
    wire::Secrets secrets;
    const Wiped wiped{secrets};
    secrets.set_nonce(nonce);
    secrets.set_name(std::string(begun.name.view()));
    secrets.set_password(std::string(begun.password.view()));
    secrets.set_new_password(std::string(begun.new_password.view()));
    begun.key = random_.key();
    secrets.set_session_key(begun.key.data(), begun.key.size());
    begun.name = Secret();
    begun.password = Secret();
    begun.new_password = Secret();
    return seal_secrets(secrets, *bank_key_, random_);
}

Answer Session::told(CommandId id, const wire::Told& told) {
    const auto found = begun_.find(id);
    P2PBANK_CHECK(found != begun_.end());
    const Begun& begun = found->second;
    Answer answer = from_wire(told.answer());
    const bool done = answer.outcome == Outcome::success;
    if (done && begun.words[0] == "sign-in" && told.session() != 0) {
        end_session();
        session_.emplace();
        session_->id = told.session();
        session_->key = begun.key;
        // As the bank writes it, if it says so.
        session_->email = begun.words[1];
        for (const Answer::Fact& fact : answer.facts) {
            if (fact.name == "email") session_->email = fact.value;
        }
    }
    if (done && begun.words[0] == "sign-out") end_session();
    if (answer.outcome == Outcome::failure) refused(answer.code);
    begun_.erase(found);
    return answer;
}

void Session::gave_up(CommandId id) {
    begun_.erase(id);
}

// --- the session

void Session::sign(std::string_view text, wire::Authority* authority) {
    p2pbank::sign(session_->id, ++session_->counter, session_->key, text, authority);
}

void Session::sign(wire::Ask* ask) {
    const Courier& courier = context_.courier;
    if (!session_) return;
    sign(signed_text(courier.sender(), courier.instance(), *ask), ask->mutable_authority());
}

void Session::sign(wire::Deal* deal) {
    const Courier& courier = context_.courier;
    if (!session_) return;
    sign(signed_text(courier.sender(), courier.instance(), context_.state.epoch.value(), *deal),
         deal->mutable_authority());
}

void Session::sign(wire::Open* open) {
    const Courier& courier = context_.courier;
    if (!session_) return;
    sign(signed_text(courier.sender(), courier.instance(), *open), open->mutable_authority());
}

void Session::refused(std::string_view code) {
    if (code == "not-signed-in") end_session();
}

void Session::end_session() {
    if (session_) sodium_memzero(session_->key.data(), session_->key.size());
    session_.reset();
}

// --- the bank's key

std::string Session::key_file() const {
    const Address& bank = context_.settings.bank;
    return ip_to_string(bank.ip) + "_" + std::to_string(bank.port) + ".key";
}

std::optional<Error> Session::why_no_secret() const {
    if (!bank_key_) {
        return Error{"bank-unreachable", "the bank at " + to_string(context_.settings.bank) +
                                             " has not shown its key yet; nothing was sent"};
    }
    if (!foreign_key_) return std::nullopt;
    return Error{"bank-key-changed",
                 "the bank shows another key than before (" + fingerprint(*foreign_key_) +
                     " instead of " + fingerprint(*bank_key_) +
                     "); nothing was sent. If the bank's operator confirms the new one, remove " +
                     context_.settings.key_folder + "/" + key_file() + " and start again"};
}

void Session::on_bank_key(std::string_view shown) {
    const auto key = key_from_bytes(shown);
    if (!key) return;
    if (!bank_key_) {
        remember_key(*key);
    } else if (*key == *bank_key_) {
        foreign_key_.reset();
    } else if (foreign_key_ != key) {
        foreign_key_ = key;
        context_.notice(Severity::error, why_no_secret()->message);
    }
}

void Session::remember_key(const KeyBytes& key) {
    bank_key_ = key;
    context_.notice(Severity::info, "remembered the key of the bank at " +
                                        to_string(context_.settings.bank) + ": " +
                                        fingerprint(key) + "; its operator sees the same");
    // Nowhere to keep it: it is remembered for this run.
    if (context_.settings.key_folder.empty()) return;
    writing_ = next_job_();
    WriteFiles work;
    work.folder = context_.settings.key_folder;
    work.files.emplace_back(key_file(), key_to_hex(key) + "\n");
    context_.effects->start_job(*writing_, std::move(work));
}

bool Session::on_job(JobId job, const JobResult& result) {
    if (writing_ != job) return false;
    writing_.reset();
    if (!result.outcome) {
        context_.notice(Severity::warning, "the bank's key could not be written down: " +
                                               result.outcome.error().message);
    }
    return true;
}

}  // namespace p2pbank::customer
