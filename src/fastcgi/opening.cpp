// The part of Upstream that opens connections: to which server, and what comes next when that cannot be reached.
#include <algorithm>
#include <cerrno>

#include "fastcgi/upstream.hpp"

namespace fcgate::fastcgi {

namespace {

// Between two tries to get into a full backlog: as long as it has been waited for, within these.
constexpr int64_t shortest_retry_ms = 2;
constexpr int64_t longest_retry_ms = 10;

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

// Until when this try may take: with others left to try, not all of what there is, and less where nobody answered the last time.
int64_t Upstream::choose_server(Exchange& exchange) {
    constexpr int64_t probe_ms = 250;
    const size_t count = backend_of(exchange).server_count();
    if (count == 1) {
        return exchange.opening_deadline;
    }
    const int64_t now = setup_.clock->now();
    const Servers::Choice choice =
        servers_of(exchange.start.backend).choose(static_cast<uint32_t>(count), exchange.tried, now);
    exchange.server = static_cast<uint8_t>(choice.number);
    const uint32_t tried = exchange.tried;
    int64_t left = 0;
    for (size_t i = 0; i < count; ++i) {
        left += (tried >> i & 1U) == 0 ? 1 : 0;
    }
    const int64_t share = std::max<int64_t>(exchange.opening_deadline - now, 0) / left;
    return now + (choice.is_probe && left > 1 ? std::min(share, probe_ms) : share);
}

void Upstream::open_connection(Exchange& exchange) {
    while (try_to_open(exchange)) {}
}

// True when it is to be tried at the next server.
bool Upstream::try_to_open(Exchange& exchange) {
    const int64_t until = choose_server(exchange);
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
    link->exchange = exchange.slot;
    link->next_parked = no_slot;
    servers_of(link->backend).opened(link->server);
    exchange.link = link->slot;
    exchange.phase = Exchange::Phase::opening;
    link->watches_room = status == Status::again;
    const Status watched = watch(*link, true);
    if (watched != Status::ok) {
        return fail_opening(exchange, watched, errno);
    }
    if (status == Status::ok) {
        connected(exchange, *link);
    } else {
        setup_.timers->set(exchange.timer, until);
    }
    return false;
}

bool Upstream::cannot_open(Exchange& exchange, Status status, int error_number) {
    exchange.phase = Exchange::Phase::opening;
    if (status == Status::exhausted) {
        exchange.met_full_backlog = true;
        return fail_over(exchange, {Fault::backlog_full});
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
bool Upstream::fail_over(Exchange& exchange, const Failure& failure) {
    if (failure.fault == Fault::connect_shortage) {
        fail(exchange, failure);
        return false;
    }
    if (exchange.link != no_slot) {
        Link& link = links_.all()[exchange.link];
        exchange.link = no_slot;
        drop_link(link);
    }
    const size_t count = backend_of(exchange).server_count();
    if (count > 1 && failure.fault != Fault::backlog_full &&
        servers_of(exchange.start.backend).failed(exchange.server, now())) {
        LogLine line(*setup_.log, LogLevel::error);
        explain(exchange, failure, " is down"_p, line);
    }
    exchange.tried = static_cast<uint8_t>(exchange.tried | 1U << exchange.server);
    if (exchange.tried != (1U << count) - 1) {
        return true;
    }
    if (!exchange.met_full_backlog) {
        fail(exchange, failure);
        return false;
    }
    exchange.phase = Exchange::Phase::retrying;
    const int64_t now = setup_.clock->now();
    const int64_t waited = now - exchange.opening_deadline + backend_of(exchange).connect_timeout_ms;
    const int64_t pause = std::clamp(waited, shortest_retry_ms, longest_retry_ms);
    setup_.timers->set(exchange.timer, std::min(now + pause, std::max(exchange.opening_deadline, now)));
    return false;
}

}  // namespace fcgate::fastcgi
