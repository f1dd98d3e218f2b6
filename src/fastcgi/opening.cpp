// The part of Upstream that opens connections: to which server, and what comes next when that cannot be reached.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "fastcgi/upstream.hpp"

namespace fcgate::fastcgi {

namespace {

// Between two tries to get into a full backlog: as long as it has been waited for, within these.
constexpr int32_t shortest_retry_ms = 2;
constexpr int32_t longest_retry_ms = 10;

}  // namespace

// False when there is nothing to connect to yet, or at all.
bool Upstream::find_socket(Exchange& exchange, TextBuffer& path) {
    const BackendSettings& backend = backend_of(exchange);
    if (backend.kind != BackendSettings::Kind::spawn) {
        path.append(server_of(exchange).path);
        return true;
    }
    const Starter& starter = setup_.starter;
    switch (starter.want(starter.context, exchange.start.backend, path)) {
        case Readiness::ready:
            return true;
        case Readiness::starting:
            wait_for_php(exchange);
            return false;
        case Readiness::broken:
            break;
    }
    exchange.phase = Exchange::Phase::starting;
    fail(exchange, Fault::php_broken);
    return false;
}

// However long PHP takes to start, the request waits for it as it would wait for PHP's answer.
void Upstream::wait_for_php(Exchange& exchange) {
    if (exchange.starting_deadline == 0) {
        exchange.starting_deadline = now() + backend_of(exchange).response_timeout_ms;
    }
    exchange.phase = Exchange::Phase::starting;
    setup_.timers->set(exchange.timer, exchange.starting_deadline);
}

// How long this try may take: with others left to try, not all of what there is, and less where nobody answered the last time.
int32_t Upstream::choose_server(Exchange& exchange) {
    constexpr int32_t probe_ms = 250;
    const size_t count = backend_of(exchange).server_count();
    const int32_t left_ms = std::max(-since(exchange.opening_deadline), 0);
    if (count == 1) {
        return left_ms;
    }
    const Servers::Choice choice =
        servers_of(exchange.start.backend).choose(static_cast<uint32_t>(count), exchange.tried, now());
    exchange.server = static_cast<uint8_t>(choice.number);
    int32_t left = 0;
    for (size_t i = 0; i < count; ++i) {
        left += (exchange.tried >> i & 1) == 0 ? 1 : 0;
    }
    const int32_t share = left_ms / left;
    return choice.is_probe && left > 1 ? std::min(share, probe_ms) : share;
}

void Upstream::open_connection(Exchange& exchange) {
    while (try_to_open(exchange)) {}
}

// True when it is to be tried at the next server.
bool Upstream::try_to_open(Exchange& exchange) {
    const int32_t for_ms = choose_server(exchange);
    Text<limits::path> path;
    if (!find_socket(exchange, path)) {
        return false;
    }
    Link* const link = take_link();
    if (link == nullptr) {
        fail(exchange, Fault::connect_shortage);  // cannot be: there are more links than exchanges
        return false;
    }
    const Status status = open_link(server_of(exchange), path.view(), *link);
    if (status != Status::ok && status != Status::again) {
        const int error_number = errno;
        links_.give_back(*link);
        return cannot_open(exchange, status, error_number);
    }
    counts_of(exchange).fresh.add();
    link->backend = exchange.start.backend;
    link->server = exchange.server;
    link->exchange = &exchange;
    servers_of(link->backend).opened(link->server);
    exchange.link = link;
    exchange.phase = Exchange::Phase::opening;
    link->watches_room = status == Status::again;
    const Status watched = watch(*link, true);
    if (watched != Status::ok) {
        return fail_opening(exchange, watched, errno);
    }
    if (status == Status::ok) {
        connected(exchange, *link);
    } else {
        wait(exchange, for_ms);
    }
    return false;
}

bool Upstream::cannot_open(Exchange& exchange, Status status, int error_number) {
    exchange.phase = Exchange::Phase::opening;
    if (status == Status::exhausted) {
        exchange.met_full_backlog = true;
        return fail_over(exchange, Fault::backlog_full);
    }
    const bool is_gone = status == Status::not_found || status == Status::refused;
    if (is_gone && backend_of(exchange).kind == BackendSettings::Kind::spawn) {
        setup_.starter.lost(setup_.starter.context, exchange.start.backend);
        wait_for_php(exchange);
        return false;
    }
    return fail_opening(exchange, status, error_number);
}

// True when the next server is to be tried. Else the exchange has failed; or all are tried once more after a while, when a backlog was full.
bool Upstream::fail_over(Exchange& exchange, Fault fault, const char* detail) {
    if (fault == Fault::connect_shortage) {
        fail(exchange, fault, detail);
        return false;
    }
    if (exchange.link != nullptr) {
        drop_link(*std::exchange(exchange.link, nullptr));
    }
    const size_t count = backend_of(exchange).server_count();
    if (count > 1 && fault != Fault::backlog_full &&
        servers_of(exchange.start.backend).failed(exchange.server, now())) {
        LogLine line(*setup_.log, LogLevel::error);
        explain(exchange, fault, detail, " is down"_p, line);
    }
    exchange.tried = static_cast<uint8_t>(exchange.tried | 1U << exchange.server);
    if (exchange.tried != (1U << count) - 1) {
        return true;
    }
    if (!exchange.met_full_backlog) {
        fail(exchange, fault, detail);
        return false;
    }
    exchange.phase = Exchange::Phase::retrying;
    const int32_t left = -since(exchange.opening_deadline);
    const int32_t waited = static_cast<int32_t>(backend_of(exchange).connect_timeout_ms) - left;
    wait(exchange, std::min(std::clamp(waited, shortest_retry_ms, longest_retry_ms), std::max(left, 0)));
    return false;
}

}  // namespace fcgate::fastcgi
