// The part of Dispatcher that keeps a chunked body until its length is known: php-fpm ignores one without CONTENT_LENGTH.
#include <algorithm>
#include <cerrno>

#include "http/reason.hpp"
#include "http/status_page.hpp"
#include "server/dispatcher.hpp"

namespace fcgate::server {

http::Outcome Dispatcher::begin_spooling(http::Connection& connection, Reply& reply) {
    const Result<Handle> body = setup_.spool->open(site_settings().spool);
    if (!body.ok()) {
        http::reply_with_status(reply, log_spooling(connection, route_.site, body.status()));
        return http::Outcome::reply;
    }
    connection.spooled = body.value();
    setup_.spool->find(body.value())->site = static_cast<uint32_t>(route_.site);
    return http::Outcome::wait;
}

// The client is still sending: an answer now is the last thing on its connection.
void Dispatcher::spool(http::Connection& connection, SpooledBody& body, std::span<const char> bytes) {
    const uint64_t most = settings_of(connection, body.site).max_body;
    if (bytes.size() > most - std::min(most, body.size)) {
        log_refusal(connection, LogLevel::info, 413, "the body is larger than `max_body`"_p, http::code_of(413));
        setup_.engine->refuse_rest(connection, 413);
        return;
    }
    const Status status = setup_.spool->append(body, bytes);
    if (status != Status::ok) {
        setup_.engine->refuse_rest(connection, log_spooling(connection, body.site, status));
    }
}

// Returns what the client is to hear. errno tells the rest.
uint16_t Dispatcher::log_spooling(http::Connection& connection, size_t site, Status status) {
    const int error_number = errno;
    const uint16_t answer = status == Status::exhausted ? 507 : 500;
    connection.trace.cause = http::code_of(answer);
    LogLine line(setup_.common->log, LogLevel::error);
    describe(connection, line.text());
    line.add<": %: its body cannot be kept in % (see `spool` and `spool_total`): %">(
        answer, settings_of(connection, site).spool, SystemError{error_number});
    line.add_reason(connection.trace.cause).send();
    return answer;
}

// The body is whole: now it is a request like others.
http::Outcome Dispatcher::begin_spooled(http::Connection& connection, const SpooledBody& body, Reply& reply) {
    RequestHead& head = setup_.engine->head(connection);
    if (routed_for_ != &connection) {
        if (!find_site(connection, head, reply)) {
            return http::Outcome::reply;
        }
        decide(connection, head);
    }
    if (route_.decision.kind != route::Decision::Kind::script) {
        refuse(connection, reply, 404, "the script is gone since the request came"_p);
        return http::Outcome::reply;
    }
    return may_run(connection, reply) ? open_exchange(connection, head, body.size, memo_of_route(), reply)
                                      : http::Outcome::reply;
}

// Hands on what PHP has room for; a wake comes when there is more. False when the rest must come first.
bool Dispatcher::feed_spooled(SpooledBody& body, fastcgi::Exchange& exchange) {
    while (body.sent < body.size) {
        const Result<size_t> count = Spool::read(body, setup_.text_scratch);
        if (!count.ok()) {
            setup_.upstream->lose_body(exchange);
            return true;
        }
        const size_t taken = setup_.upstream->feed(exchange, setup_.text_scratch.first(count.value()));
        body.sent += taken;
        if (taken < count.value()) {
            return false;
        }
    }
    return true;
}

}  // namespace fcgate::server
