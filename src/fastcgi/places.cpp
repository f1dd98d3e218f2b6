// The part of Upstream that gets places at the gate and passes them on, and makes room for who comes when all slots are taken.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "fastcgi/upstream.hpp"

namespace fcgate::fastcgi {

void Upstream::ask_for_place(Exchange& exchange) {
    const uint32_t number = exchange.start.backend;
    if (exchange.is_stream && stopping_) {
        fail(exchange, Fault::stopping);
        return;
    }
    if (exchange.request.has_whole_body()) {
        end_upload(exchange);
    }
    const Waiter waiter{SlotPool<Exchange>::handle(exchange), setup_.worker, exchange.use()};
    const Gate::Answer answer = setup_.gates[number].enter(waiter, exchange.start.client_key);
    if (answer.evicted.exchange.slot != no_slot) {
        evict(answer.evicted);
    }
    switch (answer.entry) {
        case Gate::Entry::granted:
            take_place(exchange, nullptr);
            return;
        case Gate::Entry::granted_parked:
            take_place(exchange, take_parked(number));
            return;
        case Gate::Entry::queued:
            exchange.phase = Exchange::Phase::queued;
            exchange.ticket = answer.ticket;
            exchange.queued_at = now();
            if (exchange.is_timed()) {
                exchange.start.trace->queue(exchange.queued_at);
            }
            wait(exchange, queue_patience(exchange));
            if (answer.yield_worker != no_slot) {
                setup_.post.yield(setup_.post.context, answer.yield_worker, number);
            }
            return;
        case Gate::Entry::full:
            fail(exchange, Fault::queue_full);
            return;
        case Gate::Entry::no_stream:
            fail(exchange, Fault::streams_full);
            return;
    }
}

void Upstream::evict(const Waiter& waiter) {
    Grant notice;
    notice.waiter = waiter;
    notice.backend = no_slot;
    // When its worker has ended, so has the waiter.
    (void)setup_.post.grant(setup_.post.context, notice);
}

// An upload may have to wait for others of its kind, and loses more than a page when it is refused.
int32_t Upstream::queue_patience(const Exchange& exchange) const {
    const BackendSettings& backend = backend_of(exchange);
    const int64_t most = std::max(backend.queue_timeout_ms, backend.response_timeout_ms);
    return static_cast<int32_t>(exchange.is_upload ? most : backend.queue_timeout_ms);
}

// The gate has let it in.
void Upstream::take_place(Exchange& exchange, Link* link) {
    places_.add();
    most_places_ = std::max(most_places_, places());
    counts_of(exchange).note_wait(exchange.queued_at == 0 ? 0 : static_cast<uint32_t>(since(exchange.queued_at)));
    if (exchange.is_upload && exchange.request.has_whole_body()) {
        finish_upload(exchange);
    }
    use_place(exchange, link);
}

void Upstream::use_place(Exchange& exchange, Link* link) {
    if (exchange.is_timed()) {
        exchange.start.trace->place(now());
    }
    const BackendSettings& backend = backend_of(exchange);
    const auto probes = [&] { return backend.server_count() > 1 && servers_of(exchange.start.backend).has_due(now()); };
    const bool may_be_lost = exchange.start.is_safe && exchange.start.body_length == 0;
    if (link != nullptr && (!may_be_lost || probes())) {
        // PHP may be about to close it (pm.max_requests), and what is lost then cannot be sent again: a request that must not run twice, or
        // whose body is gone by then, goes on a fresh connection. So does one that is to look whether a server is up again.
        drop_link(*link);
        link = nullptr;
    }
    if (link == nullptr) {
        exchange.opening_deadline = now() + backend.connect_timeout_ms;
        open_connection(exchange);
        return;
    }
    counts_of(exchange).kept.add();
    link->exchange = &exchange;
    reuse_link(*link, address_of(*link).kind);
    exchange.server = link->server;
    exchange.link = link;
    connected(exchange, *link);
}

void Upstream::on_grant(const Grant& grant) {
    Exchange* const exchange = exchanges_.find(grant.waiter.exchange);
    if (grant.is_notice()) {
        if (exchange != nullptr && exchange->phase == Exchange::Phase::queued) {
            fail(*exchange, Fault::queue_evicted);
        }
        return;
    }
    Link* const link = grant.fd >= 0 ? adopt(grant) : grant.link;
    if (exchange != nullptr && exchange->phase == Exchange::Phase::queued) {
        take_place(*exchange, link);
        return;
    }
    // Whoever it was meant for has gone: the place goes on to the next.
    pass_on(setup_.gates[grant.backend].leave(setup_.worker, grant.waiter.use, may_park(link)), grant.backend, link);
}

// A link that is parked must leave enough slots for every exchange to have one.
bool Upstream::may_park(const Link* link) const {
    return link != nullptr && parked_ < links_.capacity() - exchanges_.capacity() &&
           (kept_backends_ >> link->backend & 1U) != 0 && setup_.backends->of(link->backend).park_timeout_ms > 0;
}

void Upstream::pass_on(const Gate::Released& released, uint32_t backend, Link* link) {
    if (!released.passed_on) {
        if (link != nullptr && released.parked) {
            park(*link);
        } else if (link != nullptr) {
            drop_link(*link);
        }
        return;
    }
    Grant grant{released.next, backend};
    if (released.next.worker == setup_.worker) {
        grant.link = link;
        setup_.grants[grant_count_++] = grant;
        return;
    }
    if (link != nullptr) {
        forget(*link);
        if (empty_link(*link, setup_.read_scratch)) {
            grant.fd = link->fd;
            grant.server = link->server;
            links_.give_back(*link);
        } else {
            drop_link(*link);
        }
    }
    while (!setup_.post.grant(setup_.post.context, grant)) {
        // That worker has ended: the place goes to whoever is next.
        const Gate::Released next = setup_.gates[backend].leave(setup_.worker, grant.waiter.use, false);
        if (!next.passed_on) {
            if (grant.fd >= 0) {
                ::close(grant.fd);
                servers_of(backend).closed(grant.server);
            }
            return;
        }
        grant.waiter = next.next;
    }
}

// Its body is there: PHP does not wait for its client any more.
void Upstream::finish_upload(Exchange& exchange) {
    if (exchange.use() == Use::upload) {
        pass_on(setup_.gates[exchange.start.backend].finish_upload(setup_.worker), exchange.start.backend, nullptr);
    }
    end_upload(exchange);
}

void Upstream::end_upload(Exchange& exchange) {
    uploads_ -= exchange.is_upload ? 1U : 0U;
    exchange.is_upload = false;
}

void Upstream::give_up_place(Exchange& exchange, bool keep_link) {
    Gate& gate = setup_.gates[exchange.start.backend];
    places_.subtract();
    Link* link = std::exchange(exchange.link, nullptr);
    if (link != nullptr) {
        link->exchange = nullptr;
        if (!keep_link) {
            drop_link(*link, !exchange.response.ended());
            link = nullptr;
        }
    }
    pass_on(gate.leave(setup_.worker, exchange.use(), may_park(link)), exchange.start.backend, link);
}

void Upstream::forget_counts(uint32_t mask) {
    for (size_t gate = 0; gate < setup_.counts.size(); ++gate) {
        if ((mask >> gate & 1U) != 0) {
            setup_.counts[gate].clear();
        }
    }
}

size_t Upstream::take_most_places() {
    const size_t most = most_places_;
    most_places_ = places();
    return most;
}

size_t Upstream::held_by(uint64_t client_key) const {
    size_t count = 0;
    for (const Exchange& exchange : exchanges_.all()) {
        count += exchange.live && exchange.start.client_key == client_key ? 1U : 0U;
    }
    return count;
}

// Takes the exchange of the last waiter of the client that holds most of them, if it holds more than the newcomer's client would with the
// newcomer. Who only waits loses nothing but time; nobody is cut off whose script has begun. Where uploads are too many it is one of theirs.
Exchange* Upstream::make_room(uint64_t client_key, bool of_uploads) {
    Exchange* found = nullptr;
    size_t most = held_by(client_key) + 1;
    for (Exchange& exchange : exchanges_.all()) {
        const bool waits = exchange.phase == Exchange::Phase::queued || exchange.phase == Exchange::Phase::collecting;
        if (!exchange.live || !waits || (of_uploads && !exchange.is_upload)) {
            continue;
        }
        const size_t held = held_by(exchange.start.client_key);
        const bool is_later =
            found != nullptr && held == most && static_cast<int32_t>(exchange.number - found->number) > 0;
        if (held > most || is_later) {
            most = held;
            found = &exchange;
        }
    }
    if (found == nullptr) {
        return nullptr;
    }
    log_fault(*found, Fault::exchange_evicted);
    detach(*found, false);
    wake(*found);
    release(*found);
    return exchanges_.take();
}

}  // namespace fcgate::fastcgi
