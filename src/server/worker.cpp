#include "server/worker.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

namespace fcgate::server {

namespace {

constexpr int max_events = 64;
constexpr int worklist_rounds = 4;

}  // namespace

[[gnu::noinline]] Status Worker::init(Common& common, uint32_t number, Pools& pools, Arena& arena) {
    common_ = &common;
    number_ = number;
    configuration_ = common.configuration.load();
    accept_timer_.kind = static_cast<uint8_t>(TimerKind::accept);
    stop_timer_.kind = static_cast<uint8_t>(TimerKind::stop);
    waiting_timer_.kind = static_cast<uint8_t>(TimerKind::waiting);
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_.valid() || pools.carve(arena, PoolKind::timers, PoolKind::count) != Status::ok) {
        return Status::exhausted;
    }
    const Status made = make_parts(pools);
    if (made != Status::ok) {
        return made;
    }
    if (!watch(mailbox_.fd(), {EventKind::mailbox, {0, 0}}) || !watch(engine_.epoll_fd(), {EventKind::http, {0, 0}}) ||
        !watch(engine_.tls_epoll_fd(), {EventKind::http, {0, 0}}) ||
        (runs_supervisor() && !watch(common.supervisor.fd(), {EventKind::spawner, {0, 0}}))) {
        return Status::exhausted;
    }
    arm_listeners(true);
    // The order to stop may have come before there was a mailbox to announce it.
    mailbox_.ring();
    return Status::ok;
}

// True also where there is none to be watched.
bool Worker::watch(int fd, EventTag tag, uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag.pack();
    return fd < 0 || epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

[[gnu::noinline]] Status Worker::make_parts(const Pools& pools) {
    const Settings& settings = *configuration_->settings;
    const std::span<fastcgi::Grant> grants = pools.items<fastcgi::Grant>(PoolKind::grants);
    const std::span<char> scratch = pools.bytes(PoolKind::scratch);
    const Status mailbox = mailbox_.init(grants.subspan(pools.places()), pools.places());
    if (mailbox != Status::ok) {
        return mailbox;
    }
    clock_.begin_turn();
    timers_.init(pools.items<Timer*>(PoolKind::timers));
    history_.init(pools.items<History::Slot>(PoolKind::history));
    files_.init(pools.items<files::FileCache::Entry>(PoolKind::cached_files), pools.bytes(PoolKind::file_cache));
    pages_.init(pools.items<Page>(PoolKind::pages), pools[PoolKind::exchanges].count);
    if constexpr (has_spool) {
        spool_.init(pools.items<SpooledBody>(PoolKind::bodies), common_->spooled_kib, settings.server.spool_total);
    }
    call_ops_ = settings.server.host_calls.ops;
    if (call_ops_ != nullptr) {
        call_ops_->init(*this, pools);
    }
    kept_.init(pools.items<KeptRequest>(PoolKind::kept), pools.bytes(PoolKind::kept_buffers),
               pools[PoolKind::kept_buffers].size, mailbox_, number_);
    dispatcher_.init({.common = common_,
                      .clock = &clock_,
                      .engine = &engine_,
                      .upstream = &upstream_,
                      .spool = &spool_,
                      .files = &files_,
                      .kept = &kept_,
                      .number = number_,
                      .params = pools.bytes(PoolKind::params),
                      .params_size = pools[PoolKind::params].size,
                      .path_scratch = pools.bytes(PoolKind::path),
                      .text_scratch = pools.bytes(PoolKind::text),
                      .status_page = scratch,
                      .listing_memory = pools.bytes(PoolKind::listing_memory),
                      .listing_page = pools.bytes(PoolKind::listing_page)});
    upstream_.init({.backends = &common_->backends,
                    .gates = common_->gates_in_use(),
                    .timers = &timers_,
                    .clock = &clock_,
                    .log = &common_->log,
                    .counts = pools.items<fastcgi::BackendCounts>(PoolKind::backend_counts),
                    .worker = number_,
                    .epoll_fd = epoll_.get(),
                    .deliveries = pools.items<fastcgi::Delivery>(PoolKind::deliveries),
                    .grants = grants.first(pools.places()),
                    .worklist = pools.items<fastcgi::Exchange*>(PoolKind::worklist),
                    .read_scratch = scratch.first(read_chunk_of(settings)),
                    .params_scratch = {reinterpret_cast<uint8_t*>(scratch.data()), scratch.size()},
                    .pages = &pages_,
                    .response_buffer = static_cast<size_t>(settings.server.response_buffer),
                    .exchanges = pools.items<fastcgi::Exchange>(PoolKind::exchanges),
                    .links = pools.items<fastcgi::Link>(PoolKind::links),
                    .head_storage = pools.bytes(PoolKind::heads),
                    .head_size = pools[PoolKind::heads].size,
                    .post = post(),
                    .starter = starter()});
    return engine_.init({.settings = &settings,
                         .log = &common_->log,
                         .timers = &timers_,
                         .clock = &clock_,
                         .epoll_fd = epoll_.get(),
                         .handler = dispatcher_.handler(),
                         .watcher = {.context = common_,
                                     .closed =
                                         [](void* common, const http::Connection& connection) {
                                             static_cast<Common*>(common)->clients.leave(connection.client_key);
                                         }},
                         .finished = &common_->finished,
                         .counts = &counts_,
                         .connections = pools.items<http::Connection>(PoolKind::connections),
                         .targets = {.places = pools.items<uint32_t>(PoolKind::target_places),
                                     .short_texts = pools.bytes(PoolKind::targets),
                                     .short_size = pools[PoolKind::targets].size,
                                     .long_texts = pools.bytes(PoolKind::long_targets),
                                     .long_size = pools[PoolKind::long_targets].size},
                         .fields = pools.items<Field>(PoolKind::fields),
                         .field_scratch = scratch,
                         .certificate = configuration_->presented()});
}

fastcgi::Post Worker::post() {
    return {
        .context = common_,
        .grant =
            [](void* common, const fastcgi::Grant& grant) {
                return static_cast<Common*>(common)->workers[grant.waiter.worker].mailbox().post(grant);
            },
        .yield = [](void* common, uint32_t worker,
                    uint32_t backend) { static_cast<Common*>(common)->workers[worker].mailbox().post_yield(backend); }};
}

fastcgi::Starter Worker::starter() {
    fastcgi::Starter starter;
    if constexpr (!features::spawn) {
        return starter;
    }
    starter.context = &common_->supervisor;
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
    // Behind the last words on requests that are kept, in which the host may still name its calls.
    if (call_ops_ != nullptr) {
        call_ops_->finish(calls_);
    }
    upstream_.finish();
    mailbox_.finish();
    kept_.finish();
    epoll_.reset();
}

int Worker::timeout_ms() const {
    if (upstream_.has_work() || calls_.has_work()) {
        return 0;
    }
    int http = engine_.timeout_ms();
    if (has_lines()) {
        const int patience = common_->access_log.wait_ms();
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
        common_->log.write<"epoll_wait: %">(LogLevel::error, SystemError{errno});
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
    run_parts();
    // What PHP is given room for, or what a freed place lets go on, is done before the next wait; not for ever, for a script and a client
    // that keep up with each other must not keep the loop from the others.
    for (int round = 0; round < worklist_rounds && upstream_.run_worklist(); ++round) {
        mhd_ready_ = false;
        run_parts();
    }
    if constexpr (features::access_log) {
        if (has_lines()) {
            // A wait that was to be none says nothing.
            common_->access_log.look(count == 0 && due_ms != 0);
        }
    }
    count_connections();
    let_go();
    seat_waiting();
    note_history(clock_.now());
    if (!listening_ && !stopping_ && !accepting_paused_ && is_open()) {
        arm_listeners(true);
    }
    if (is_draining_ && !accepting_paused_ && !engine_.is_full()) {
        leave_listeners();
    }
    if (!stopping_ || is_draining_ || engine_.live() + calls_.live() > 0 || !common_->waiting.empty() ||
        starts_php_for_others()) {
        return Status::ok;
    }
    mailbox_.close();
    handle_mailbox();
    upstream_.retire();
    // They may have been there for who waited alone.
    tell_others();
    return Status::gone;
}

// Who has been woken in this turn goes on.
void Worker::run_parts() {
    engine_.run(mhd_ready_);
    if (calls_.has_work()) {
        call_ops_->run(calls_);
    }
}

// During a stop. The last turn of the others wakes this one.
bool Worker::starts_php_for_others() const {
    return runs_supervisor() && clock_.now() < stop_deadline_ &&
           (common_->accepting.load() + common_->connections.load() > 0 ||
            (call_ops_ != nullptr && call_ops_->are_under_way(*common_)));
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
                common_->supervisor.on_reports(timers_);
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
                    common_->supervisor.on_timer(timers_, now);
                }
                break;
            case TimerKind::stop:
                common_->log.write<"stop_timeout is over, connections cut off: %">(LogLevel::warning,
                                                                                   engine_.live() + calls_.live());
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
    const uint32_t news = mailbox_.take_news();
    for (uint32_t backend = 0; backend < common_->gate_count; ++backend) {
        for (uint32_t yields = mailbox_.take_yields(backend); yields > 0; --yields) {
            upstream_.on_yield(backend);
        }
        if ((news & Mailbox::php_news(backend)) != 0) {
            upstream_.on_php_news(backend);
        }
    }
    if ((news & Mailbox::newcomers) != 0 && listening_) {
        (void)accept_from_all();
    }
    if constexpr (features::auth) {
        if ((news & Mailbox::verdicts) != 0) {
            dispatcher_.wake_answered(number_);
        }
    }
    if (runs_supervisor()) {
        common_->supervisor.on_wanted(timers_);
    }
    if (const HostOps* const host = common_->endpoints.ops(); host != nullptr && kept_.take_news()) {
        host->on_news(dispatcher_);
    }
    if (call_ops_ != nullptr) {
        call_ops_->look(calls_);
    }
    change_over();
    follow_orders(clock_.now());
}

void Worker::count_connections() {
    const auto live = static_cast<uint32_t>(engine_.live());
    if (live != counted_) {
        common_->connections.fetch_add(live - counted_);
        counted_ = live;
    }
}

// Whatever has happened in this turn, with the time at which it began.
void Worker::note_history(int64_t now) {
    if constexpr (features::status) {
        const size_t most = upstream_.take_most_places();
        history_.note(now, counts_.requests.get(), most, upstream_.places());
    }
}

}  // namespace fcgate::server
