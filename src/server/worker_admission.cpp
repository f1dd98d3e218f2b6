// The part of Worker that gives newcomers their places: the last ones are kept for operators, everyone else waits meanwhile.
#include <algorithm>
#include <cstdarg>

#include "http/listener.hpp"
#include "http/reason.hpp"
#include "route/client.hpp"
#include "server/worker.hpp"

namespace fcgate::server {

// Places that are never given to the world. Each worker has its part, and one place at least is the world's.
size_t Worker::reserved() const {
    const ServerSettings& server = configuration_->settings->server;
    const size_t part = (size_t{server.reserved_connections} + server.threads - 1) / server.threads;
    return std::min(part, engine_.capacity() - 1);
}

// Everyone but an operator has to wait.
bool Worker::is_full_for_most() const {
    return engine_.is_full() || engine_.live() - engine_.operators() + reserved() >= engine_.capacity();
}

// Connections fall to workers as they happen to wake up: one that is full leaves newcomers to the others.
bool Worker::is_everyone_full() const {
    const ServerSettings& server = configuration_->settings->server;
    const size_t kept = engine_.is_full() ? 0 : reserved() * server.threads;
    return server.threads == 1 || common_->connections.load() + kept >= server.max_connections;
}

// The listeners are worth being watched: whoever comes finds a place, an answer, or somebody who makes room.
bool Worker::is_open() const {
    return !is_full_for_most() || (is_everyone_full() && (!engine_.is_full() || engine_.may_evict()));
}

// Who gets a reserved place: this machine, and the networks listed. Behind a proxy is the world, wherever it runs.
bool Worker::is_operator(const Endpoint& client) const {
    const auto& networks = configuration_->settings->server.reserved_for;
    return client.is_loopback() ||
           std::ranges::any_of(networks, [&client](const Network& network) { return network.contains(client); });
}

void Worker::admit(Newcomer& newcomer) {
    const Endpoint& client = newcomer.client;
    // Who comes from this machine may be a proxy with many clients of its own; a trusted one is.
    const bool is_proxy = route::is_trusted_proxy(*configuration_->settings, client);
    const uint32_t cap = configuration_->settings->server.max_connections_per_client;
    const bool is_capped = client.is_ip() && !client.is_loopback() && !is_proxy;
    if (is_capped && !common_->clients.enter(client.client_key(), cap)) {
        turn_away<"it has % connections already (see `max_connections_per_client`)">(
            newcomer, http::reason_code("client-full"), cap);
        return;
    }
    newcomer.is_counted = is_capped;
    newcomer.is_operator = !is_proxy && is_operator(client);
    const bool is_free = common_->waiting.empty() && !is_full_for_most();
    if (is_free || (newcomer.is_operator && !engine_.is_full())) {
        engine_.add(newcomer);
    } else {
        wait_for_place(newcomer);
    }
}

void Worker::wait_for_place(Newcomer& newcomer) {
    // As long as a slow client may keep a place without a request.
    newcomer.since = newcomer.due;
    newcomer.due += configuration_->settings->server.header_timeout_ms;
    if (!common_->waiting.push(newcomer)) {
        turn_away<"all places are taken, and so are those of who waits (see `max_connections`)">(
            newcomer, http::reason_code("connections-full"));
        return;
    }
    if (waiting_timer_.due == never) {
        timers_.set(waiting_timer_, newcomer.due);
    }
    seat_waiting();
    if (!common_->waiting.empty()) {
        tell_others();
    }
}

// Of who waits, at the listeners or for a place.
void Worker::tell_others() {
    for (Worker& other : common_->workers) {
        if (&other != this) {
            other.mailbox_.post_news(Mailbox::newcomers);
        }
    }
}

// Whoever has waited longest comes first.
void Worker::seat_waiting() {
    while (!common_->waiting.empty()) {
        if (!is_full_for_most()) {
            if (Newcomer newcomer; common_->waiting.pop(newcomer)) {
                engine_.add(newcomer);
            }
        } else if (!engine_.may_evict() || !is_everyone_full() || !engine_.make_room(!engine_.is_full())) {
            return;
        }
    }
    // Those whom this worker has let wait have their places.
    Timers::cancel(waiting_timer_);
}

void Worker::turn_away_packed(const Newcomer& newcomer, Packed code, Packed pattern, ...) {
    va_list values;
    va_start(values, pattern);
    LogLine line(common_->log, LogLevel::info);
    newcomer.client.print_address(line.text());
    line.add(": refused: "_p).add_list(pattern, values);
    va_end(values);
    line.add_reason(code).send();
    if (newcomer.is_counted) {
        common_->clients.leave(newcomer.client.client_key());
    }
    engine_.turn_away(newcomer, code);
}

void Worker::on_waiting_timer(int64_t now) {
    // A place may have become free with a deadline just before this one.
    engine_.run(false);
    seat_waiting();
    Newcomer newcomer;
    while (common_->waiting.pop(newcomer, now)) {
        turn_away<"no place became free in time (see `max_connections`)">(newcomer,
                                                                          http::reason_code("connections-full"));
    }
    if (const int64_t due = common_->waiting.due(); due != never) {
        timers_.set(waiting_timer_, due);
    }
}

void Worker::clear_waiting() {
    Newcomer newcomer;
    while (common_->waiting.pop(newcomer)) {
        turn_away<"the server stops">(newcomer, http::reason_code("stopping"));
    }
}

}  // namespace fcgate::server
