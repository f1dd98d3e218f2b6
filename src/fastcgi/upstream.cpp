#include "fastcgi/upstream.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace fcgate::fastcgi {

// Not inlined: the setup is copied as a whole there, not member by member.
[[gnu::noinline]] void Upstream::init(const Setup& setup) {
    setup_ = setup;
    exchanges_.init(setup.exchanges);
    links_.init(setup.links);
}

// These are asked for everywhere.

[[gnu::noinline]] const BackendSettings& Upstream::backend_of(const Exchange& exchange) const {
    return setup_.backends->of(exchange.start.backend);
}

[[gnu::noinline]] const BackendAddress& Upstream::server_of(const Exchange& exchange) const {
    return backend_of(exchange).server(exchange.server);
}

[[gnu::noinline]] const BackendAddress& Upstream::address_of(const Link& link) const {
    return setup_.backends->of(link.backend).server(link.server);
}

[[gnu::noinline]] void Upstream::wake(const Exchange& exchange) {
    if (!exchange.is_orphan) {
        exchange.start.owner.calls->wake(exchange.start.owner.context);
    }
}

[[gnu::noinline]] Exchange* Upstream::open(const ExchangeStart& start) {
    const bool is_all_here = start.body_length == 0 || start.body_is_here;
    const bool fits = is_all_here || has_room_for_body();
    Exchange* exchange = fits ? exchanges_.take() : nullptr;
    if (exchange == nullptr) {
        exchange = make_room(start.client_key, !fits);
    }
    if (exchange == nullptr) {
        return nullptr;
    }
    static_cast<Progress&>(*exchange) = {};
    exchange->is_stream = start.wants_stream;
    exchange->is_upload = !is_all_here;
    uploads_ += is_all_here ? 0U : 1U;
    exchange->link = nullptr;
    exchange->upstream = this;
    exchange->start = start;
    exchange->timer.owner = exchange->slot;
    exchange->timer.kind = static_cast<uint8_t>(TimerKind::exchange);
    exchange->request.init(*setup_.pages, start.body_length);
    exchange->response.init(*setup_.pages, setup_.response_buffer,
                            setup_.head_storage.subspan(exchange->slot * setup_.head_size).first(setup_.head_size),
                            start.is_head);
    exchange->error_second = 0;
    exchange->number = ++exchanges_opened_;
    return exchange;
}

void Upstream::wait(Exchange& exchange, int32_t for_ms) {
    setup_.timers->set(exchange.timer, now() + for_ms);
}

void Upstream::begin(Exchange& exchange) {
    if (exchange.request.has_whole_body()) {
        ask_for_place(exchange);
    }
}

size_t Upstream::feed(Exchange& exchange, std::span<const char> bytes) {
    if (exchange.is_over() || exchange.body_refused) {
        // The answer stands. The rest of the body is taken and dropped, for MHD queues a reply only behind it.
        return bytes.size();
    }
    if (exchange.phase == Exchange::Phase::active) {
        return send(exchange, bytes);
    }
    const size_t taken = exchange.request.put_by(bytes);
    // A slow uploader holds no PHP worker for nothing: it is asked for when there is work for it.
    if (exchange.phase == Exchange::Phase::collecting &&
        (exchange.request.has_whole_body() || exchange.request.is_full())) {
        ask_for_place(exchange);
    }
    return taken;
}

void Upstream::put_on_worklist(Exchange& exchange) {
    if (!exchange.in_worklist) {
        exchange.in_worklist = true;
        setup_.worklist[work_count_++] = &exchange;
    }
}

bool Upstream::run_worklist() {
    if (grant_count_ == 0 && work_count_ == 0) {
        return false;
    }
    // Who was served first comes first. Each is off the list before it is used: its place may pass on to yet another at once.
    for (size_t left = grant_count_; left > 0; --left) {
        const Grant grant = setup_.grants[0];
        std::copy_n(setup_.grants.begin() + 1, --grant_count_, setup_.grants.begin());
        on_grant(grant);
    }
    // What is put on the list meanwhile is for the next time.
    for (size_t left = work_count_; left > 0 && work_count_ > 0; --left) {
        Exchange& exchange = *setup_.worklist[0];
        remove_work(0);
        if (exchange.phase == Exchange::Phase::active && !exchange.is_abandoned) {
            receive(exchange);
        } else if (exchange.phase == Exchange::Phase::retrying) {
            use_place(exchange, nullptr);
        }
    }
    return true;
}

void Upstream::remove_work(size_t at) {
    setup_.worklist[at]->in_worklist = false;
    std::copy(setup_.worklist.begin() + static_cast<ptrdiff_t>(at) + 1,
              setup_.worklist.begin() + static_cast<ptrdiff_t>(work_count_),
              setup_.worklist.begin() + static_cast<ptrdiff_t>(at));
    --work_count_;
}

void Upstream::end_trace(const Exchange& exchange) const {
    if (exchange.is_timed()) {
        exchange.start.trace->end(now());
    }
}

// Leaves gate, connection and clock, wherever the exchange stands.
void Upstream::detach(Exchange& exchange, bool keep_link) {
    finish_error_output(exchange);
    Timers::cancel(exchange.timer);
    end_trace(exchange);
    if (exchange.phase == Exchange::Phase::queued) {
        // When cancel() comes too late the grant finds the exchange gone from the queue and passes it on.
        (void)setup_.gates[exchange.start.backend].cancel(exchange.ticket);
    } else if (exchange.holds_place()) {
        give_up_place(exchange, keep_link);
    }
    exchange.is_stream = false;
    end_upload(exchange);
}

void Upstream::end(Exchange& exchange) {
    const bool keep_link = backend_of(exchange).keep_alive && exchange.response.is_clean() &&
                           exchange.request.is_finished() && exchange.link != nullptr && !exchange.link->hung_up &&
                           (!exchange.link->was_filled || is_alive(*exchange.link)) && !is_busy_behind(*exchange.link);
    conclude(exchange, Exchange::Phase::ended, keep_link);
}

void Upstream::conclude(Exchange& exchange, Exchange::Phase phase, bool keep_link) {
    detach(exchange, keep_link);
    exchange.phase = phase;
    if (exchange.is_orphan) {
        release(exchange);
        return;
    }
    wake(exchange);
    hand_over(exchange);
}

// Nobody hears of it.
void Upstream::drop(Exchange& exchange) {
    detach(exchange, false);
    release(exchange);
}

void Upstream::close(Exchange& exchange) {
    end_trace(exchange);
    exchange.start.trace = nullptr;
    const bool is_active = exchange.phase == Exchange::Phase::active && !stopping_;
    // A HEAD has all it is due when the head of a stream is there, and the stream would go on for nobody.
    const bool is_endless = exchange.is_stream && exchange.start.is_head;
    const bool is_served = exchange.request.is_finished() && exchange.response.is_all_there() && !is_endless;
    if (is_active && (is_served || may_finish(exchange))) {
        // Nobody waits for the rest, but PHP has not said that it is done: until then its worker is busy and its place is taken.
        exchange.is_orphan = true;
        exchange.response.drop_rest();
        put_on_worklist(exchange);
        return;
    }
    if (is_active && exchange.request.is_finished() && abandon(exchange)) {
        return;
    }
    drop(exchange);
}

// A script that has its request, or will have it without its client. An event stream without one would never end.
bool Upstream::may_finish(const Exchange& exchange) const {
    return backend_of(exchange).finish_on_abort && exchange.request.head_sent() && exchange.request.has_whole_body() &&
           !exchange.is_stream;
}

bool Upstream::goes_on(Handle handle, bool body_is_here) {
    const Exchange* const exchange = exchanges_.find(handle);
    if (exchange == nullptr) {
        // What is left of its reply needs nobody else.
        return handle.slot != no_slot;
    }
    return backend_of(*exchange).finish_on_abort && (body_is_here || exchange->has_whole_body()) &&
           !exchange->is_stream;
}

bool Upstream::keeps_others_waiting(Handle handle) {
    const Exchange* const exchange = exchanges_.find(handle);
    if (exchange == nullptr) {
        return false;
    }
    if (exchange->phase == Exchange::Phase::collecting) {
        return !has_room_for_body();
    }
    return exchange->phase == Exchange::Phase::active && (exchange->read_blocked || exchange->request.is_starved()) &&
           setup_.gates[exchange->start.backend].is_wanted(exchange->use());
}

// PHP hears of a client that has left only when it writes: until then its worker is busy, whatever we do, and its place is taken. On a unix
// socket its next write fails once we read no more. That it has ended shows when it takes the record we send now: php-fpm reads behind a request only
// what is left there before it closes.
bool Upstream::abandon(Exchange& exchange) {
    Link& link = *exchange.link;
    std::array<uint8_t, header_size> abort{};
    encode_header(abort.data(), RecordType::abort_request, 0);
    if (address_of(link).kind == BackendSettings::Kind::tcp || shutdown(link.fd, SHUT_RD) != 0 ||
        ::send(link.fd, abort.data(), abort.size(), MSG_NOSIGNAL | MSG_DONTWAIT) !=
            static_cast<ssize_t>(abort.size())) {
        return false;
    }
    watch_room(link, true);
    exchange.is_orphan = true;
    exchange.is_abandoned = true;
    exchange.is_doubted = false;
    exchange.response.drop_rest();
    wait(exchange, static_cast<int32_t>(backend_of(exchange).response_timeout_ms));
    return true;
}

void Upstream::release(Exchange& exchange) {
    exchange.request.finish();
    exchange.response.finish();
    for (size_t i = 0; exchange.in_worklist; ++i) {
        if (setup_.worklist[i] == &exchange) {
            remove_work(i);
        }
    }
    exchanges_.give_back(exchange);
}

void Upstream::on_php_news(uint32_t backend) {
    for (Exchange& exchange : exchanges_.all()) {
        if (exchange.live && exchange.phase == Exchange::Phase::starting && exchange.start.backend == backend) {
            use_place(exchange, nullptr);
        }
    }
}

void Upstream::end_streams() {
    stopping_ = true;
    for (Exchange& exchange : exchanges_.all()) {
        if (!exchange.live || !exchange.is_stream || exchange.is_over()) {
            continue;
        }
        if (!exchange.reply_begun) {
            fail(exchange, Fault::stopping);
        } else {
            // The end of a stream that was under way is nothing to log.
            conclude(exchange, Exchange::Phase::failed, false);
        }
    }
}

void Upstream::retire() {
    // What is still there are scripts that run on behind their replies: nobody waits for them.
    for (Exchange& exchange : exchanges_.all()) {
        if (exchange.live) {
            drop(exchange);
        }
    }
    keep_backends(0);
    while (run_worklist()) {}
}

void Upstream::keep_backends(uint32_t mask) {
    kept_backends_ = mask;
    for (uint32_t backend = 0; backend < setup_.gates.size(); ++backend) {
        while ((mask >> backend & 1U) == 0 && first_parked_[backend] != nullptr) {
            unpark(*first_parked_[backend], false);
        }
    }
}

bool Upstream::has_ending() const {
    for (const Exchange& exchange : exchanges_.all()) {
        if (exchange.live && (kept_backends_ >> exchange.start.backend & 1U) == 0) {
            return true;
        }
    }
    return false;
}

void Upstream::grant_free(uint32_t backend) {
    for (Gate::Released released = setup_.gates[backend].grant_free(); released.passed_on;
         released = setup_.gates[backend].grant_free()) {
        pass_on(released, backend, nullptr);
    }
}

void Upstream::finish() {
    for (Link& link : links_.all()) {
        if (link.live) {
            drop_link(link);
        }
    }
}

void Upstream::on_exchange_timer(uint32_t slot, int64_t now) {
    Exchange& exchange = exchanges_.all()[slot];
    if (!exchange.live) {
        return;
    }
    switch (exchange.phase) {
        case Exchange::Phase::queued:
            fail(exchange, Fault::queue_timeout);
            break;
        case Exchange::Phase::starting:
            fail(exchange, Fault::php_start_timeout);
            break;
        case Exchange::Phase::retrying:
            if (!exchange.met_full_backlog) {
                use_place(exchange, nullptr);  // the pause before another try is no part of `connect_timeout`
            } else if (now >= exchange.opening_deadline) {
                fail(exchange, Fault::backlog_full);
            } else {
                exchange.tried = 0;
                exchange.met_full_backlog = false;
                open_connection(exchange);
            }
            break;
        case Exchange::Phase::opening:
            if (fail_over(exchange, Fault::connect_timeout)) {
                open_connection(exchange);
            }
            break;
        case Exchange::Phase::active:
            if (exchange.is_doubted) {
                settle_doubt(exchange);
                break;
            }
            // With `on_abort = finish` scripts are meant to run for however long they take, and nobody can tell a long one from one that hangs.
            // Nor is it known of one whose request we have given up.
            if (!backend_of(exchange).finish_on_abort && !exchange.body_refused) {
                tell_starter(exchange, &Starter::silent);
            }
            if (exchange.is_abandoned) {
                drop(exchange);
                break;
            }
            fail(exchange, Fault::backend_silent,
                 exchange.body_refused ? "; it may wait for the rest of its request, which was given up when its "
                                         "answer filled `response_buffer`"
                                       : "");
            break;
        case Exchange::Phase::collecting:
        case Exchange::Phase::ended:
        case Exchange::Phase::failed:
            break;
    }
}

}  // namespace fcgate::fastcgi
