// The part of Upstream that uses connections, hands them on, parks and closes them.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "fastcgi/upstream.hpp"

namespace fcgate::fastcgi {

namespace {

// A connection parked for longer is looked at before it is used.
constexpr int peek_after_ms = 10;
// By then PHP has begun to read a request, unless its script works on behind the reply before (fastcgi_finish_request()).
constexpr int doubt_ms = 100;
// Once that was seen, connections are kept only if PHP is seen to have come back, for so long.
constexpr int64_t doubted_ms = 60'000;

}  // namespace

// Registered once for its whole life, edge-triggered: a request on a kept connection costs no epoll_ctl. Room to write is asked for only
// while it is missing, or every request that PHP reads would be an event.
Status Upstream::watch(Link& link, bool is_new) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (link.watches_room ? uint32_t{EPOLLOUT} : 0U);
    event.data.u64 = EventTag{EventKind::link, SlotPool<Link>::handle(link)}.pack();
    const int operation = is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    return epoll_ctl(setup_.epoll_fd, operation, link.fd, &event) == 0 ? Status::ok : Status::exhausted;
}

void Upstream::watch_room(Link& link, bool watches) {
    if (link.watches_room != watches) {
        link.watches_room = watches;
        // It can only fail for want of kernel memory; then response_timeout ends the wait.
        (void)watch(link, false);
    }
}

void Upstream::tell_starter(const Exchange& exchange, void (*Starter::*what)(void* context, uint32_t backend)) const {
    if (backend_of(exchange).kind == BackendSettings::Kind::spawn) {
        (setup_.starter.*what)(setup_.starter.context, exchange.start.backend);
    }
}

void Upstream::connected(Exchange& exchange, Link& link) {
    link.opening = false;
    watch_room(link, false);
    if (!link.reused && servers_of(link.backend).answered(link.server)) {
        setup_.log->write<"backend % is up again">(LogLevel::info, server_of(exchange).address);
    }
    exchange.phase = Exchange::Phase::active;
    exchange.write_blocked = false;
    exchange.read_blocked = false;
    (void)send(exchange, {});
    if (exchange.phase == Exchange::Phase::active && exchange.request.is_starved()) {
        wake(exchange);
    }
    if (link.reused && carries(link, SlotPool<Link>::handle(link), exchange)) {
        doubt(exchange, link);
    }
}

// PHP reads the record that ends a request only when it is ready for the next one, and on a unix socket we see whether it has: before
// another request is sent, nothing is unread; and afterwards, no more than that one.
bool Upstream::is_back(const Link& link) const {
    return address_of(link).kind == BackendSettings::Kind::tcp || is_taken(link);
}

// Of a parked one. One parked just now has not been closed yet, and whoever may go on a kept connection goes once more if it has.
bool Upstream::is_usable(const Link& link) const {
    const bool is_fresh = since(link.parked_at) < peek_after_ms;
    return !link.hung_up && (is_fresh || (is_alive(link) && is_back(link)));
}

bool Upstream::is_busy_behind(const Link& link) const {
    return doubted_until_[link.backend] > now() && !is_back(link);
}

void Upstream::doubt(Exchange& exchange, const Link& link) {
    const BackendSettings& backend = setup_.backends->of(link.backend);
    if (address_of(link).kind != BackendSettings::Kind::tcp && exchange.request.is_finished() &&
        exchange.request.sent() <= setup_.params_scratch.size() && exchange.response.nothing_received() &&
        backend.response_timeout_ms > doubt_ms) {
        exchange.is_doubted = true;
        wait(exchange, doubt_ms);
    }
}

void Upstream::settle_doubt(Exchange& exchange) {
    const Link& link = *exchange.link;
    exchange.is_doubted = false;
    if (exchange.response.nothing_received() &&
        has_more_unread(link, setup_.params_scratch.first(static_cast<size_t>(exchange.request.sent())))) {
        doubted_until_[link.backend] = now() + doubted_ms;
        if (try_again(exchange)) {
            return;
        }
    }
    wait(exchange, static_cast<int32_t>(backend_of(exchange).response_timeout_ms) - doubt_ms);
}

void Upstream::on_link(Handle handle, uint32_t events) {
    Link* const link = links_.find(handle);
    if (link == nullptr) {
        return;
    }
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        link->hung_up = true;
    }
    if (link->exchange == nullptr) {
        // A parked connection: its only news can be that PHP has closed it.
        if (link->hung_up || (events & EPOLLIN) != 0) {
            unpark(*link, false);
        }
        return;
    }
    Exchange& exchange = *link->exchange;
    if (exchange.is_abandoned) {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0 || is_taken(*link)) {
            tell_starter(exchange, &Starter::answered);
            drop(exchange);
        }
        return;
    }
    if (link->opening) {
        if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) == 0) {
            return;
        }
        const Status status = finish_open(*link);
        if (status != Status::ok) {
            if (fail_opening(exchange, status, errno)) {
                open_connection(exchange);
            }
            return;
        }
        connected(exchange, *link);
    }
    // What PHP says comes first: it may have answered without wanting the rest of the request.
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 && carries(*link, handle, exchange)) {
        receive(exchange);
    }
    if ((events & EPOLLOUT) != 0 && carries(*link, handle, exchange) && exchange.write_blocked) {
        exchange.write_blocked = false;
        (void)send(exchange, {});
        if (carries(*link, handle, exchange) && !exchange.write_blocked) {
            watch_room(*link, false);
        }
        if (exchange.phase == Exchange::Phase::active && exchange.request.is_starved()) {
            wake(exchange);
        }
    }
}

// Still, after what the event has led to so far.
bool Upstream::carries(const Link& link, Handle handle, const Exchange& exchange) {
    return link.live && link.generation == handle.generation && link.exchange == &exchange && exchange.live &&
           exchange.phase == Exchange::Phase::active && exchange.link == &link;
}

Link* Upstream::take_parked(uint32_t backend) {
    Link* const link = first_parked_[backend];
    if (link == nullptr) {
        return nullptr;
    }
    first_parked_[backend] = link->next_parked;
    --parked_;
    Timers::cancel(link->timer);
    if (!is_usable(*link)) {
        drop_link(*link);
        return nullptr;
    }
    return link;
}

void Upstream::park(Link& link) {
    link.exchange = nullptr;
    link.next_parked = first_parked_[link.backend];
    first_parked_[link.backend] = &link;
    ++parked_;
    link.parked_at = now();
    setup_.timers->set(link.timer, link.parked_at + setup_.backends->of(link.backend).park_timeout_ms);
}

void Upstream::unpark(Link& link, bool asked) {
    Link** at = &first_parked_[link.backend];
    while (*at != nullptr && *at != &link) {
        at = &(*at)->next_parked;
    }
    if (*at == nullptr) {
        return;
    }
    *at = link.next_parked;
    --parked_;
    Timers::cancel(link.timer);
    const uint32_t backend = link.backend;
    // Whoever waits for its place can have the connection as well.
    const bool may_go_on = asked && is_usable(link);
    if (!may_go_on) {
        drop_link(link);
    }
    pass_on(setup_.gates[backend].unpark(setup_.worker, asked), backend, may_go_on ? &link : nullptr);
}

void Upstream::on_link_timer(uint32_t slot) {
    Link& link = links_.all()[slot];
    if (link.live && link.exchange == nullptr) {
        unpark(link, false);
    }
}

void Upstream::on_yield(uint32_t backend) {
    if (first_parked_[backend] != nullptr) {
        unpark(*first_parked_[backend], true);
    } else {
        setup_.gates[backend].nothing_to_yield(setup_.worker);
    }
}

Link* Upstream::adopt(const Grant& grant) {
    Link* const link = take_link();
    if (link == nullptr) {
        ::close(grant.fd);
        servers_of(grant.backend).closed(grant.server);
        return nullptr;
    }
    link->backend = grant.backend;
    link->server = grant.server;
    link->exchange = nullptr;
    adopt_link(*link, grant.fd);
    if (watch(*link, true) != Status::ok) {
        drop_link(*link);
        return nullptr;
    }
    return link;
}

[[gnu::noinline]] Link* Upstream::take_link() {
    Link* const link = links_.take();
    if (link != nullptr) {
        link->timer.owner = link->slot;
        link->timer.kind = static_cast<uint8_t>(TimerKind::link);
    }
    return link;
}

[[gnu::noinline]] void Upstream::drop_link(Link& link, bool at_once) {
    (at_once ? reset_link : close_link)(link);
    servers_of(link.backend).closed(link.server);
    links_.give_back(link);
}

void Upstream::forget(const Link& link) {
    (void)epoll_ctl(setup_.epoll_fd, EPOLL_CTL_DEL, link.fd, nullptr);
}

}  // namespace fcgate::fastcgi
