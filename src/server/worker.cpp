#include "server/worker.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "http/listener.hpp"
#include "route/client.hpp"

namespace fcgate::server {

namespace {

constexpr int max_events = 64;
constexpr int accepts_per_turn = 16;
constexpr int worklist_rounds = 4;
constexpr int64_t accept_pause_ms = 200;

}  // namespace

Status Worker::init(const Setup& setup, const Pools& pools, Arena& arena) {
    setup_ = setup;
    configuration_ = setup.common->configuration.load();
    accept_timer_.kind = static_cast<uint8_t>(TimerKind::accept);
    stop_timer_.kind = static_cast<uint8_t>(TimerKind::stop);
    waiting_timer_.kind = static_cast<uint8_t>(TimerKind::waiting);
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_.valid()) {
        return Status::exhausted;
    }
    const Status carved = carve(pools, arena);
    if (carved != Status::ok) {
        return carved;
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = EventTag{EventKind::mailbox, {0, 0}}.pack();
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, mailbox_.fd(), &event) != 0) {
        return Status::exhausted;
    }
    event.data.u64 = EventTag{EventKind::http, {0, 0}}.pack();
    if (engine_.epoll_fd() >= 0 && epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, engine_.epoll_fd(), &event) != 0) {
        return Status::exhausted;
    }
    if (engine_.tls_epoll_fd() >= 0 && epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, engine_.tls_epoll_fd(), &event) != 0) {
        return Status::exhausted;
    }
    if (runs_supervisor()) {
        event.data.u64 = EventTag{EventKind::spawner, {0, 0}}.pack();
        if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, setup_.supervisor->fd(), &event) != 0) {
            return Status::exhausted;
        }
    }
    arm_listeners(true);
    // The order to stop may have come before there was a mailbox to announce it.
    mailbox_.ring();
    return Status::ok;
}

Status Worker::carve(const Pools& pools, Arena& arena) {
    const auto number = [&pools](PoolKind kind) { return pools[kind].count; };
    const auto bytes = [&](PoolKind kind) { return arena.take_text(pools[kind].bytes(), pools[kind].alignment); };
    const std::span<Timer*> timers = arena.take_array<Timer*>(number(PoolKind::timers));
    const std::span<fastcgi::Grant> grants = arena.take_array<fastcgi::Grant>(number(PoolKind::grants));
    const std::span<fastcgi::Exchange*> worklist = arena.take_array<fastcgi::Exchange*>(number(PoolKind::worklist));
    const std::span<Field> fields = arena.take_array<Field>(number(PoolKind::fields));
    const std::span<fastcgi::Link> links = arena.take_array<fastcgi::Link>(number(PoolKind::links));
    const std::span<fastcgi::Exchange> exchanges = arena.take_array<fastcgi::Exchange>(number(PoolKind::exchanges));
    const std::span<http::Connection> connections = arena.take_array<http::Connection>(number(PoolKind::connections));
    const std::span<fastcgi::Delivery> deliveries = arena.take_array<fastcgi::Delivery>(number(PoolKind::deliveries));
    const std::span<SpooledBody> bodies = arena.take_array<SpooledBody>(number(PoolKind::bodies));
    const std::span<KeptRequest> kept = arena.take_array<KeptRequest>(number(PoolKind::kept));
    const std::span<char> kept_buffers = bytes(PoolKind::kept_buffers);
    const std::span<char> params = bytes(PoolKind::params);
    const std::span<char> path_scratch = bytes(PoolKind::path);
    const std::span<char> text_scratch = bytes(PoolKind::text);
    const std::span<char> scratch = bytes(PoolKind::scratch);
    const http::Targets::Setup targets{.places = arena.take_array<uint32_t>(number(PoolKind::target_places)),
                                       .short_texts = bytes(PoolKind::targets),
                                       .short_size = pools[PoolKind::targets].size,
                                       .long_texts = bytes(PoolKind::long_targets),
                                       .long_size = pools[PoolKind::long_targets].size};
    const std::span<fastcgi::BackendCounts> counts =
        arena.take_array<fastcgi::BackendCounts>(number(PoolKind::backend_counts));
    history_.init(arena.take_array<History::Slot>(number(PoolKind::history)));
    const std::span<char> heads = bytes(PoolKind::heads);
    const std::span<char> listing_page = bytes(PoolKind::listing_page);
    const std::span<char> listing_memory = bytes(PoolKind::listing_memory);
    const std::span<char> pages = bytes(PoolKind::pages);
    const std::span<files::FileCache::Entry> cached_files =
        arena.take_array<files::FileCache::Entry>(number(PoolKind::cached_files));
    files_.init(cached_files, bytes(PoolKind::file_cache));
    if (pages.empty()) {
        return Status::exhausted;
    }
    timers_.init(timers);
    clock_.begin_turn();
    pages_.init({reinterpret_cast<Page*>(pages.data()), number(PoolKind::pages)}, exchanges.size());
    const Status mailbox = mailbox_.init(grants.subspan(pools.places()), pools.places());
    if (mailbox != Status::ok) {
        return mailbox;
    }
    if constexpr (has_spool) {
        spool_.init(bodies, setup_.common->spooled_kib, configuration_->settings->server.spool_total);
    }
    kept_.init(kept, kept_buffers, pools[PoolKind::kept_buffers].size, mailbox_, setup_.number);
    const Dispatcher::Setup dispatcher{.configurations = setup_.configurations,
                                       .log = setup_.log,
                                       .clock = &clock_,
                                       .engine = &engine_,
                                       .upstream = &upstream_,
                                       .mime = setup_.mime,
                                       .endpoints = setup_.endpoints,
                                       .status = setup_.status,
                                       .clients = setup_.clients,
                                       .spool = &spool_,
                                       .files = &files_,
                                       .kept = &kept_,
                                       .params = params,
                                       .params_size = pools[PoolKind::params].size,
                                       .machine_name = setup_.machine_name,
                                       .path_scratch = path_scratch,
                                       .text_scratch = text_scratch,
                                       .status_page = scratch,
                                       .listing_memory = listing_memory,
                                       .listing_page = listing_page};
    dispatcher_.init(dispatcher);
    const fastcgi::Upstream::Setup upstream{
        .backends = setup_.backends,
        .log = setup_.log,
        .counts = counts,
        .timers = &timers_,
        .clock = &clock_,
        .pages = &pages_,
        .gates = setup_.gates,
        .response_buffer = static_cast<size_t>(configuration_->settings->server.response_buffer),
        .worker = setup_.number,
        .epoll_fd = epoll_.get(),
        .exchanges = exchanges,
        .deliveries = deliveries,
        .links = links,
        .grants = grants.first(pools.places()),
        .worklist = worklist,
        .head_storage = heads,
        .head_size = pools[PoolKind::heads].size,
        .read_scratch = scratch.first(read_chunk_of(*configuration_->settings)),
        .params_scratch = {reinterpret_cast<uint8_t*>(scratch.data()), scratch.size()},
        .post = setup_.post,
        .starter = starter()};
    upstream_.init(upstream);
    const http::ConnectionWatcher watcher{.context = setup_.clients,
                                          .closed = [](void* context, const http::Connection& connection) {
                                              static_cast<ClientCounts*>(context)->leave(connection.client_key);
                                          }};
    return engine_.init({.settings = configuration_->settings,
                         .log = setup_.log,
                         .timers = &timers_,
                         .clock = &clock_,
                         .epoll_fd = epoll_.get(),
                         .handler = dispatcher_.handler(),
                         .watcher = watcher,
                         .finished = setup_.finished,
                         .counts = &counts_,
                         .connections = connections,
                         .ready_replies = cached_files.size(),
                         .targets = targets,
                         .fields = fields,
                         .field_scratch = scratch,
                         .certificate = configuration_->presented()});
}

fastcgi::Starter Worker::starter() {
    fastcgi::Starter starter;
    if constexpr (!features::spawn) {
        return starter;
    }
    starter.context = setup_.supervisor;
    starter.want = [](void* context, uint32_t backend, TextBuffer& path) {
        return static_cast<spawn::Supervisor*>(context)->want(backend, path);
    };
    starter.lost = [](void* context, uint32_t backend) { static_cast<spawn::Supervisor*>(context)->lost(backend); };
    starter.silent = [](void* context, uint32_t backend) { static_cast<spawn::Supervisor*>(context)->silent(backend); };
    starter.answered = [](void* context, uint32_t backend) {
        static_cast<spawn::Supervisor*>(context)->answered(backend);
    };
    return starter;
}

void Worker::finish() {
    clear_waiting();
    engine_.finish();
    upstream_.finish();
    mailbox_.finish();
    kept_.finish();
    epoll_.reset();
}

int Worker::timeout_ms() const {
    if (upstream_.has_work()) {
        return 0;
    }
    int http = engine_.timeout_ms();
    if (has_lines()) {
        const int patience = setup_.access_log->wait_ms();
        http = http < 0 ? patience : std::min(http, patience);
    }
    const int64_t due = timers_.next();
    if (http == 0 || due == never) {
        return http;
    }
    const int64_t left = std::clamp<int64_t>(due - monotonic_ms(), 0, INT32_MAX);
    return http < 0 ? static_cast<int>(left) : std::min(http, static_cast<int>(left));
}

Status Worker::turn(int wait_ms) {
    const int due_ms = timeout_ms();
    const int timeout = wait_ms < 0 ? due_ms : (due_ms < 0 ? wait_ms : std::min(wait_ms, due_ms));
    epoll_event events[max_events];
    const int count = epoll_wait(epoll_.get(), events, max_events, timeout);
    clock_.begin_turn();
    if (count < 0 && errno != EINTR) {
        LogLine(*setup_.log, LogLevel::error).add("epoll_wait"_p).add_error(errno).send();
        return Status::io;
    }
    // A wait that ended without an event may have been for libmicrohttpd.
    mhd_ready_ = count == 0;
    for (int i = 0; i < count; ++i) {
        handle(events[i].data.u64, events[i].events);
    }
    if (timers_.next() != never) {
        handle_timers(clock_.now());
    }
    engine_.run(mhd_ready_);
    // What PHP is given room for, or what a freed place lets go on, is done before the next wait; not for ever, for a script and a client
    // that keep up with each other must not keep the loop from the others.
    for (int round = 0; round < worklist_rounds && upstream_.run_worklist(); ++round) {
        engine_.run(false);
    }
    if constexpr (features::access_log) {
        if (has_lines()) {
            // A wait that was to be none says nothing.
            setup_.access_log->look(count == 0 && due_ms != 0);
        }
    }
    count_connections();
    let_go();
    seat_waiting();
    note_history(clock_.now());
    if (!listening_ && !stopping_ && !accepting_paused_ && is_open()) {
        arm_listeners(true);
    }
    if (is_draining_ && !engine_.is_full()) {
        leave_listeners();
    }
    if (!stopping_ || is_draining_ || engine_.live() > 0 || !waiting_.empty()) {
        return Status::ok;
    }
    mailbox_.close();
    handle_mailbox();
    upstream_.retire();
    return Status::gone;
}

void Worker::handle(uint64_t packed, uint32_t events) {
    const EventTag tag = EventTag::unpack(packed);
    switch (tag.kind) {
        case EventKind::mailbox:
            handle_mailbox();
            break;
        case EventKind::http:
            mhd_ready_ = true;
            break;
        case EventKind::listener:
            // It may have been closed by an event before this one.
            if (listening_ && tag.handle.slot < configuration_->listeners.count) {
                accept_from(tag.handle.slot);
            }
            break;
        case EventKind::client:
            engine_.on_client_event(tag.handle, events);
            break;
        case EventKind::link:
            upstream_.on_link(tag.handle, events);
            break;
        case EventKind::linger:
            engine_.on_linger_event(tag.handle);
            break;
        case EventKind::spawner:
            if constexpr (features::spawn) {
                setup_.supervisor->on_reports(timers_);
            }
            break;
    }
}

void Worker::handle_timers(int64_t now) {
    for (Timer* timer = timers_.pop(now); timer != nullptr; timer = timers_.pop(now)) {
        switch (static_cast<TimerKind>(timer->kind)) {
            case TimerKind::connection:
                engine_.on_connection_timer(timer->owner);
                break;
            case TimerKind::exchange:
                upstream_.on_exchange_timer(timer->owner, now);
                break;
            case TimerKind::link:
                upstream_.on_link_timer(timer->owner);
                break;
            case TimerKind::linger:
                engine_.on_linger_timer(timer->owner);
                break;
            case TimerKind::pace:
                engine_.on_pace_timer(now);
                break;
            case TimerKind::accept:
                accepting_paused_ = false;
                break;
            case TimerKind::waiting:
                on_waiting_timer(now);
                break;
            case TimerKind::php:
                if constexpr (features::spawn) {
                    setup_.supervisor->on_timer(timers_, now);
                }
                break;
            case TimerKind::stop:
                LogLine(*setup_.log, LogLevel::warning)
                    .add("stop_timeout is over: cutting off "_p)
                    .add_number(engine_.live())
                    .add(" connections"_p)
                    .send();
                abort();
                break;
        }
    }
}

void Worker::handle_mailbox() {
    mailbox_.acknowledge();
    fastcgi::Grant grant;
    while (mailbox_.take(grant)) {
        upstream_.on_grant(grant);
    }
    for (uint32_t backend = 0; backend < setup_.gates.size(); ++backend) {
        for (uint32_t yields = mailbox_.take_yields(backend); yields > 0; --yields) {
            upstream_.on_yield(backend);
        }
        if (mailbox_.take_php_news(backend)) {
            upstream_.on_php_news(backend);
        }
    }
    if (mailbox_.take_newcomers() && listening_) {
        (void)accept_from_all();
    }
    if (runs_supervisor()) {
        setup_.supervisor->on_wanted(timers_);
    }
    if (const HostOps* const host = setup_.endpoints->ops(); host != nullptr && kept_.take_news()) {
        host->on_news(dispatcher_);
    }
    change_over();
    follow_orders(clock_.now());
}

// A configuration has come into force: what begins from now on is answered under it.
void Worker::change_over() {
    Configuration* const next = setup_.common->configuration.load();
    if (next == configuration_ || stopping_) {
        return;
    }
    before_ = configuration_;
    change_listeners(*next);
    dispatcher_.use(*next);
    engine_.use(*next->settings, next->presented());
    upstream_.keep_backends(next->gate_mask());
    upstream_.forget_counts(next->gate_mask() & ~before_->gate_mask());
    for (size_t i = 0; setup_.number == 0 && i < next->settings->backends.size(); ++i) {
        const BackendSettings& backend = next->settings->backends[i];
        setup_.gates[next->gates[i]].resize(backend.workers, backend.queue);
        upstream_.grant_free(next->gates[i]);
    }
    let_go();
}

// Whoever waits at a listener that goes away is still taken in.
void Worker::change_listeners(Configuration& next) {
    const bool was_listening = listening_;
    arm_listeners(false);
    (void)accept_from_all();
    configuration_ = &next;
    if (next.newcomers.fetch_sub(1) == 1) {
        before_->listeners.close_own();
    }
    if (was_listening) {
        arm_listeners(true);
    }
}

// Of the configuration before, once its last request is done.
void Worker::let_go() {
    if (before_ != nullptr && dispatcher_.users_of(*before_) == 0 && !upstream_.has_ending()) {
        Configuration& unused = *before_;
        before_ = nullptr;
        if (unused.holders.fetch_sub(1) == 1) {
            setup_.release(setup_.post.context, unused);
        }
    }
}

void Worker::follow_orders(int64_t now) {
    if (setup_.number == 0 && setup_.common->reopen_logs.exchange(false)) {
        reopen_logs();
    }
    const int64_t deadline = setup_.common->deadline.get();
    if (deadline == never || deadline >= stop_deadline_) {
        return;
    }
    stop_deadline_ = deadline;
    if (!stopping_) {
        stopping_ = true;
        is_draining_ = true;
        leave_listeners();
        upstream_.end_streams();
        if (const HostOps* const host = setup_.endpoints->ops(); host != nullptr) {
            host->on_stop(dispatcher_);
        }
        engine_.begin_stop(now);
    }
    if (deadline <= now) {
        abort();
    } else {
        timers_.set(stop_timer_, deadline);
    }
}

void Worker::reopen_logs() {
    Status status = setup_.log->reopen();
    if constexpr (features::access_log) {
        if (setup_.access_log != nullptr && status == Status::ok) {
            status = setup_.access_log->reopen();
        }
    }
    if (status != Status::ok) {
        LogLine(*setup_.log, LogLevel::error).add("a log cannot be opened again; it goes on in the old file"_p).send();
    }
}

void Worker::abort() {
    clear_waiting();
    if (is_draining_) {
        is_draining_ = false;
        arm_listeners(false);
        if (setup_.common->accepting.fetch_sub(1) == 1) {
            configuration_->listeners.close_own();
        }
    }
    engine_.abort_all();
}

void Worker::count_connections() {
    const auto live = static_cast<uint32_t>(engine_.live());
    if (live != counted_) {
        setup_.common->connections.fetch_add(live - counted_);
        counted_ = live;
    }
}

// Whatever has happened in this turn, with the time at which it began.
void Worker::note_history(int64_t now) {
    if constexpr (features::status) {
        newcomers_.set(static_cast<uint32_t>(waiting_.size()));
        const size_t most = upstream_.take_most_places();
        history_.note(now, counts_.requests.get(), most, upstream_.places());
    }
}

// Whoever is in the backlog has been accepted as far as he can tell: the listeners are left when it has been empty once.
void Worker::leave_listeners() {
    if (!accept_from_all()) {
        return;
    }
    is_draining_ = false;
    arm_listeners(false);
    if (setup_.common->accepting.fetch_sub(1) == 1) {
        (void)accept_from_all();
        configuration_->listeners.close_own();
    }
}

// True when nobody waits any more.
bool Worker::accept_from_all() {
    bool is_empty = true;
    for (size_t i = 0; i < configuration_->listeners.count; ++i) {
        accept_from(i);
        is_empty = is_empty && !http::has_waiting_client(configuration_->listeners.fds[i]);
    }
    return is_empty;
}

void Worker::accept_from(size_t listener_number) {
    const int listener = configuration_->listeners.fds[listener_number];
    const bool is_tls = (*configuration_->listeners.settings)[listener_number].tls;
    const int rounds = stopping_ ? INT32_MAX : accepts_per_turn;
    for (int round = 0; round < rounds; ++round) {
        if (stopping_ && (engine_.is_full() || waiting_.is_full())) {
            return;
        }
        if (is_full_for_most()) {
            // Nobody loses a connection for a newcomer who is not there.
            if (!http::has_waiting_client(listener)) {
                return;
            }
            if (!is_everyone_full() || (engine_.is_full() && !engine_.make_room(false))) {
                // Who comes now is another worker's, or waits in the backlog until there is a place. With EPOLLEXCLUSIVE the others
                // have not heard of him.
                arm_listeners(false);
                if (!is_everyone_full()) {
                    setup_.offer_newcomers(setup_.post.context, setup_.number);
                }
                return;
            }
        }
        http::Accepted accepted;
        const Status status = http::accept_client(listener, accepted);
        if (status == Status::ok) {
            admit(accepted.fd, accepted.client, accepted.local, is_tls);
            continue;
        }
        if (status == Status::exhausted && !stopping_) {
            LogLine(*setup_.log, LogLevel::error).add("no connection can be accepted"_p).add_error(errno).send();
            arm_listeners(false);
            accepting_paused_ = true;
            timers_.set(accept_timer_, clock_.now() + accept_pause_ms);
        }
        return;
    }
}

void Worker::arm_listeners(bool armed) {
    if (armed == listening_) {
        return;
    }
    listening_ = armed;
    for (uint32_t i = 0; i < configuration_->listeners.count; ++i) {
        epoll_event event{};
        event.events = EPOLLIN | (setup_.count > 1 ? uint32_t{EPOLLEXCLUSIVE} : 0U);
        event.data.u64 = EventTag{EventKind::listener, {i, 0}}.pack();
        const int operation = armed ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
        if (epoll_ctl(epoll_.get(), operation, configuration_->listeners.fds[i], &event) != 0 && armed) {
            LogLine(*setup_.log, LogLevel::error).add("a listener cannot be watched"_p).add_error(errno).send();
        }
    }
}

}  // namespace fcgate::server
