#include "customer/session.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/text.h"
#include "common/core/answer_wire.h"

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
    const std::string rule = " (" + std::to_string(limits::kMinPasswordBytes) + " to " +
                             std::to_string(limits::kMaxPasswordBytes) + " bytes): ";
    if (verb == "register") {
        return {{"Name: ", false}, {"Password" + rule, true}, {"Password again: ", true}};
    }
    if (verb == "sign-in") return {{"Password: ", true}};
    if (verb == "passwd") {
        return {{"Old password: ", true},
                {"New password" + rule, true},
                {"New password again: ", true}};
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

// All Secrets have the same size, so that the length of a password does not show.
void pad(wire::Secrets& secrets) {
    const size_t bare = secrets.ByteSizeLong();
    const size_t head = 3;  // the padding's tag, and its length in two bytes
    P2PBANK_CHECK(bare + head + 128 <= limits::kSecretsBytes);
    secrets.set_padding(std::string(limits::kSecretsBytes - bare - head, '\0'));
    P2PBANK_CHECK(secrets.ByteSizeLong() == limits::kSecretsBytes);
}

void put(const Secret& secret, std::string* out) {
    out->assign(secret.view());
}

}  // namespace

void wipe(wire::Secrets& secrets) {
    Secret::wipe(*secrets.mutable_name());
    Secret::wipe(*secrets.mutable_password());
    Secret::wipe(*secrets.mutable_new_password());
}

Session::Session(Context& context, const BankKey& bank_key)
    : context_(context), bank_key_(bank_key) {}

bool Session::handles(std::string_view verb) {
    return find_form(verb) != nullptr;
}

// --- commands

Result<std::vector<Question>> Session::begin(CommandId id, const std::vector<std::string>& words) {
    P2PBANK_CHECK(!words.empty() && !is_under_way(id));
    const Form& form = form_of(words[0]);
    if (words.size() != form.words) return Error{"usage", "write: " + std::string(form.usage)};
    if (form.words == 2 && form.has_secrets &&
        (words[1].find('@') == std::string::npos || words[1].size() > limits::kMaxEmailBytes)) {
        return Error{"bad-email", quote(words[1]) + " is no e-mail address"};
    }
    if (form.needs_session && !session_) return not_signed_in();
    if (form.has_secrets) {
        if (const auto why = bank_key_.trouble()) return *why;
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
    if (verb == "sign-in" || verb == "passwd") {
        // The bank knows none that is longer, and it would not fit.
        if (answers[0].view().size() > limits::kMaxPasswordBytes) {
            return over({"bad-password", "no password has more than " +
                                             std::to_string(limits::kMaxPasswordBytes) + " bytes"});
        }
    }
    if (verb == "sign-in") {
        begun.password = std::move(answers[0]);
        return {};
    }
    Secret& password = answers[1];
    const auto good = check_new_password(password, answers[2]);
    if (verb == "register") {
        const size_t size = answers[0].view().size();
        if (size == 0 || size > limits::kMaxPersonNameBytes || !valid_utf8(answers[0].view())) {
            return over({"bad-text", "a name has 1 to " +
                                         std::to_string(limits::kMaxPersonNameBytes) +
                                         " bytes of UTF-8"});
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
    if (form.needs_session || !form.has_secrets) authorize(&ask);
    if (!form.has_secrets) return ask;
    wire::Secrets* secrets = ask.mutable_secrets();
    put(begun.name, secrets->mutable_name());
    put(begun.password, secrets->mutable_password());
    put(begun.new_password, secrets->mutable_new_password());
    pad(*secrets);
    begun.name = Secret();
    begun.password = Secret();
    begun.new_password = Secret();
    return Result<wire::Ask>(std::move(ask));  // moved: no copy of the secrets stays behind
}

Answer Session::told(CommandId id, const wire::Told& told) {
    const auto found = begun_.find(id);
    P2PBANK_CHECK(found != begun_.end());
    const Begun& begun = found->second;
    Answer answer = from_wire(told.answer());
    const bool done = answer.outcome == Outcome::success;
    if (done && begun.words[0] == "sign-in" && told.session() != 0) {
        session_.emplace();
        session_->id = told.session();
        // As the bank writes it, if it says so.
        session_->email = begun.words[1];
        for (const Answer::Fact& fact : answer.facts) {
            if (fact.name == "email") session_->email = fact.value;
        }
    }
    if (done && begun.words[0] == "sign-out") session_.reset();
    if (answer.outcome == Outcome::failure) refused(answer.code);
    begun_.erase(found);
    return answer;
}

void Session::gave_up(CommandId id) {
    begun_.erase(id);
}

void Session::refused(std::string_view code) {
    if (code == "not-signed-in") session_.reset();
}

}  // namespace p2pbank::customer
