// The part of Dispatcher that asks for a user and a password: `auth`, by the Basic scheme (RFC 7617).
#include "auth/verifier.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"
#include "server/dispatcher.hpp"

namespace fcgate::server {

namespace {

static_assert(limits::password_questions <= http::Connection::no_question);

// The value of Authorization. Nothing where there are several, which is no list (RFC 9110 section 5.3): one would be checked, and a script that finds them
// all in HTTP_AUTHORIZATION might go by another.
std::string_view authorization_of(const RequestHead& head) {
    std::string_view value;
    size_t count = 0;
    for (const Field& field : head.fields) {
        if (equals_ignore_case(field.name, "Authorization")) {
            ++count;
            value = field.value;
        }
    }
    return count == 1 ? value : std::string_view();
}

}  // namespace

// Passwords that were right a while ago are known at once; others are checked by a thread, and nothing of the request is decided before.
http::Outcome Dispatcher::begin_with_password(http::Connection& connection, RequestHead& head, Reply& reply) {
    auth::Verifier& verifier = *setup_.common->verifier;
    const std::string_view file = site_settings().auth;
    const int64_t now = setup_.clock->now();
    auth::Credentials credentials;
    if (credentials.parse(authorization_of(head)) != Status::ok) {
        challenge(reply);
        // That is how every visit begins.
        log_refusal(connection, LogLevel::debug, 401, "no user and password (see `auth`)"_p, http::code_of(401));
        return http::Outcome::reply;
    }
    if (verifier.knows(file, credentials, now)) {
        connection.has_user = true;
        return begin_let_in(connection, head, reply);
    }
    const Result<uint8_t> question = verifier.ask({.file = file,
                                                   .credentials = credentials,
                                                   .client_key = head.client.client_key(),
                                                   .worker = setup_.number,
                                                   .owner = &connection},
                                                  now);
    if (!question.ok()) {
        refuse(connection, reply, 503, "too many passwords wait to be checked"_p, http::reason_code("auth-busy"));
        return http::Outcome::reply;
    }
    connection.question = question.value();
    return http::Outcome::undecided;
}

http::Outcome Dispatcher::poll_password(http::Connection& connection, Reply& reply) {
    const auth::Answer answer = setup_.common->verifier->look(connection.question);
    if (answer.verdict == auth::Verdict::pending) {
        return http::Outcome::undecided;
    }
    give_back_question(connection);
    RequestHead& head = setup_.engine->head(connection);
    if (answer.verdict == auth::Verdict::granted) {
        connection.has_user = true;
        // It was found when the head came: other requests have been routed since.
        return find_site(connection, head, reply) ? begin_let_in(connection, head, reply) : http::Outcome::reply;
    }
    if (answer.verdict == auth::Verdict::late) {
        refuse(connection, reply, 503, "its password has waited too long to be checked"_p,
               http::reason_code("auth-busy"));
        return http::Outcome::reply;
    }
    const bool is_unreadable = answer.verdict == auth::Verdict::unreadable;
    if (is_unreadable) {
        http::reply_with_status(reply, 500);
    } else {
        challenge(reply);
    }
    log_password(connection, head, answer);
    return http::Outcome::reply;
}

void Dispatcher::log_password(http::Connection& connection, const RequestHead& head, const auth::Answer& answer) {
    const bool is_denied = answer.verdict == auth::Verdict::denied;
    connection.trace.cause = is_denied ? http::code_of(401) : http::reason_code("auth-file");
    LogLine line(setup_.common->log, is_denied ? LogLevel::warning : LogLevel::error);
    connection.asker.print_address(line.text());
    line.add(": "_p);
    describe(connection, line.text());
    Text<limits::user + 1> user;
    name_user(head, user);
    const std::string_view file = settings_of(connection, connection.site).auth;
    if (is_denied) {
        line.add<": 401: wrong user or password, for %">(Escaped{user.view(), limits::user});
    } else if (answer.verdict == auth::Verdict::unreadable) {
        line.add<": 500: % cannot be read (see `auth`): %">(file, SystemError{answer.error_number});
    } else {
        line.add<": 401: the hash of % in % is not taken: make it with `openssl passwd -6` (see `auth`)">(
            Escaped{user.view(), limits::user}, file);
    }
    line.add_reason(connection.trace.cause).send();
}

void Dispatcher::give_back_question(http::Connection& connection) {
    if (connection.question != http::Connection::no_question) {
        setup_.common->verifier->give_back(connection.question);
        connection.question = http::Connection::no_question;
    }
}

// RFC 9110 section 11.6.1
void Dispatcher::challenge(Reply& reply) {
    http::reply_with_status(reply, 401);
    // The fourth field: there is room.
    (void)reply.add_field("WWW-Authenticate", "Basic realm=\"fcgate\", charset=\"UTF-8\"");
}

void Dispatcher::wake_answered(uint32_t worker) {
    auth::Verifier& verifier = *setup_.common->verifier;
    for (void* owner = verifier.next_answered(worker); owner != nullptr; owner = verifier.next_answered(worker)) {
        setup_.engine->wake(*static_cast<http::Connection*>(owner));
    }
}

// Of a request that names one.
void Dispatcher::name_user(const RequestHead& head, TextBuffer& out) {
    auth::Credentials credentials;
    (void)credentials.parse(authorization_of(head));
    out.append(credentials.user());
}

}  // namespace fcgate::server
