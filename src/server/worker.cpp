#include "server/worker.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "files/listing.hpp"
#include "http/listener.hpp"
#include "route/client.hpp"

namespace fcgate::server {

namespace {

constexpr int max_events = 64;
constexpr int accepts_per_turn = 16;
constexpr int worklist_rounds = 4;
constexpr int64_t accept_pause_ms = 200;
// Parked connections beyond one for each exchange.
constexpr size_t spare_links = 16;

[[nodiscard]] size_t share(uint64_t total, size_t threads) {
    return static_cast<size_t>((total + threads - 1) / threads);
}

}  // namespace

Worker::Shares Worker::shares_of(const Settings& settings) {
    const ServerSettings& server = settings.server;
    Shares shares{};
    shares.connections = share(server.max_connections, server.threads);
    // Connections fall to threads as they happen to wake up: divided as well, exchanges would run out in one thread while
    // others have some left.
    shares.exchanges = std::min<size_t>(server.exchanges, shares.connections);
    shares.links = shares.exchanges + spare_links;
    // Every grant under way holds a place, whoever it is for.
    for (const BackendSettings& backend : settings.backends) {
        shares.places += backend.workers;
    }
    shares.pages = std::max(share(server.response_memory / sizeof(Page), server.threads), shares.exchanges + 1);
    const auto connection_memory = static_cast<size_t>(server.connection_memory);
    shares.head_size = connection_memory / 2;
    shares.field_size = connection_memory;
    // Every field grows by a few bytes on its way into a variable, and the target appears in up to five of them.
    shares.params_size = 2 * connection_memory + 5 * limits::request_target + 2 * limits::path;
    shares.timers = shares.connections + shares.exchanges + shares.links + http::Lingering::timer_count() + 6;
    for (const SiteSettings& site : settings.sites) {
        shares.listing_memory = site.listing ? files::listing_memory : shares.listing_memory;
        shares.listing_page = site.listing ? files::listing_page : shares.listing_page;
    }
    return shares;
}

size_t Worker::arena_size(const Settings& settings) {
    const Shares shares = shares_of(settings);
    constexpr size_t alignment_slack = 4096;
    return shares.connections * (sizeof(http::Connection) + http::Engine::target_size) +
           shares.exchanges * (sizeof(fastcgi::Exchange) + sizeof(fastcgi::Grant) + sizeof(void*) + shares.head_size) +
           2 * shares.places * sizeof(fastcgi::Grant) + shares.links * sizeof(fastcgi::Link) +
           shares.pages * sizeof(Page) + shares.timers * sizeof(void*) + limits::request_fields * sizeof(Field) +
           shares.field_size + shares.params_size + limits::read_chunk + Dispatcher::path_scratch_size +
           Dispatcher::text_scratch_size + shares.listing_memory + shares.listing_page + alignment_slack;
}

void Listeners::close_all() {
    for (size_t i = 0; i < count; ++i) {
        // The path goes first: once the socket is closed a new server may have made it anew.
        http::remove_socket_path((*settings)[i]);
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    count = 0;
}

Status Worker::init(const Setup& setup, Arena& arena) {
    setup_ = setup;
    shares_ = shares_of(*setup.settings);
    accept_timer_.kind = static_cast<uint8_t>(TimerKind::accept);
    stop_timer_.kind = static_cast<uint8_t>(TimerKind::stop);
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_.valid()) {
        return Status::exhausted;
    }
    const Status carved = carve(arena);
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
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, engine_.epoll_fd(), &event) != 0) {
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

Status Worker::carve(Arena& arena) {
    const std::span<Timer*> timers = arena.take_array<Timer*>(shares_.timers);
    const std::span<http::Connection> connections = arena.take_unmade<http::Connection>(shares_.connections);
    const std::span<fastcgi::Exchange> exchanges = arena.take_unmade<fastcgi::Exchange>(shares_.exchanges);
    const std::span<fastcgi::Link> links = arena.take_unmade<fastcgi::Link>(shares_.links);
    const std::span<fastcgi::Grant> grants = arena.take_array<fastcgi::Grant>(2 * shares_.places + shares_.exchanges);
    const std::span<fastcgi::Exchange*> worklist = arena.take_array<fastcgi::Exchange*>(shares_.exchanges);
    const std::span<Field> fields = arena.take_array<Field>(limits::request_fields);
    const std::span<uint8_t> params = arena.take(shares_.params_size, 16);
    // Whole pages of the machine, so that a buffer page in use does not touch its neighbour.
    const std::span<uint8_t> pages = arena.take(shares_.pages * sizeof(Page), alignof(Page));
    const std::span<char> targets = arena.take_text(shares_.connections * http::Engine::target_size);
    const std::span<char> heads = arena.take_text(shares_.exchanges * shares_.head_size);
    const std::span<char> read_scratch = arena.take_text(limits::read_chunk);
    const std::span<char> field_scratch = arena.take_text(shares_.field_size);
    const std::span<char> path_scratch = arena.take_text(Dispatcher::path_scratch_size);
    const std::span<char> text_scratch = arena.take_text(Dispatcher::text_scratch_size);
    const std::span<char> listing_page = arena.take_text(shares_.listing_page);
    const std::span<uint8_t> listing_memory = arena.take(shares_.listing_memory, alignof(uint64_t));
    if (text_scratch.empty() || listing_memory.size() != shares_.listing_memory) {
        return Status::exhausted;
    }
    timers_.init(timers);
    pages_.init({reinterpret_cast<Page*>(pages.data()), shares_.pages}, shares_.exchanges);
    const Status mailbox = mailbox_.init(grants.subspan(shares_.places), shares_.places);
    if (mailbox != Status::ok) {
        return mailbox;
    }
    const Dispatcher::Setup dispatcher{
        .settings = setup_.settings,
        .log = setup_.log,
        .engine = &engine_,
        .upstream = &upstream_,
        .mime = setup_.mime,
        .endpoints = setup_.endpoints,
        .sites = setup_.sites,
        .machine_name = setup_.machine_name,
        .path_scratch = path_scratch,
        .text_scratch = text_scratch,
        .listing_memory = {reinterpret_cast<char*>(listing_memory.data()), listing_memory.size()},
        .listing_page = listing_page};
    dispatcher_.init(dispatcher);
    const fastcgi::Upstream::Setup upstream{.settings = setup_.settings,
                                            .log = setup_.log,
                                            .timers = &timers_,
                                            .pages = &pages_,
                                            .gates = setup_.gates,
                                            .worker = setup_.number,
                                            .epoll_fd = epoll_.get(),
                                            .exchanges = exchanges,
                                            .links = links,
                                            .grants = grants.first(shares_.places),
                                            .worklist = worklist,
                                            .head_storage = heads,
                                            .head_size = shares_.head_size,
                                            .read_scratch = read_scratch,
                                            .params_scratch = params,
                                            .post = setup_.post,
                                            .starter = starter()};
    upstream_.init(upstream);
    const http::ConnectionWatcher watcher{.context = setup_.clients,
                                          .closed = [](void* context, const http::Connection& connection) {
                                              static_cast<ClientCounts*>(context)->leave(connection.client_key);
                                          }};
    return engine_.init({.settings = setup_.settings,
                         .log = setup_.log,
                         .timers = &timers_,
                         .epoll_fd = epoll_.get(),
                         .handler = dispatcher_.handler(),
                         .watcher = watcher,
                         .connections = connections,
                         .targets = targets,
                         .fields = fields,
                         .field_scratch = field_scratch});
}

fastcgi::Starter Worker::starter() {
    fastcgi::Starter starter;
    starter.context = setup_.supervisor;
    starter.want = [](void* context, uint32_t backend, TextBuffer& path) {
        return static_cast<spawn::Supervisor*>(context)->want(backend, path);
    };
    starter.lost = [](void* context, uint32_t backend) { static_cast<spawn::Supervisor*>(context)->lost(backend); };
    return starter;
}

void Worker::finish() {
    engine_.finish();
    upstream_.finish();
    mailbox_.finish();
    epoll_.reset();
}

int Worker::timeout_ms() const {
    if (upstream_.has_work()) {
        return 0;
    }
    const int http = engine_.timeout_ms();
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
    if (count < 0 && errno != EINTR) {
        LogLine(*setup_.log, LogLevel::error).add("epoll_wait").add_error(errno).send();
        return Status::io;
    }
    // A wait that ended without an event may have been for libmicrohttpd.
    mhd_ready_ = count == 0;
    for (int i = 0; i < count; ++i) {
        handle(events[i].data.u64, events[i].events);
    }
    if (timers_.next() != never) {
        handle_timers(monotonic_ms());
    }
    engine_.run(mhd_ready_);
    // What PHP is given room for, or what a freed place lets go on, is done before the next wait; not for ever, for a script and a client
    // that keep up with each other must not keep the loop from the others.
    for (int round = 0; round < worklist_rounds && upstream_.run_worklist(); ++round) {
        engine_.run(false);
    }
    count_connections();
    if (!listening_ && !stopping_ && !accepting_paused_ &&
        (!engine_.is_full() || (engine_.may_evict() && is_everyone_full()))) {
        arm_listeners(true);
    }
    if (is_draining_ && !engine_.is_full()) {
        leave_listeners();
    }
    if (!stopping_ || is_draining_ || engine_.live() > 0) {
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
            if (listening_) {
                accept_from(setup_.listeners->fds[tag.handle.slot]);
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
            setup_.supervisor->on_reports(timers_);
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
            case TimerKind::php:
                setup_.supervisor->on_timer(timers_, now);
                break;
            case TimerKind::stop:
                LogLine(*setup_.log, LogLevel::warning)
                    .add("stop_timeout is over: cutting off ")
                    .add_number(engine_.live())
                    .add(" connections")
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
    for (uint32_t backend = 0; backend < setup_.settings->backends.size(); ++backend) {
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
    follow_orders(monotonic_ms());
}

void Worker::follow_orders(int64_t now) {
    if (setup_.number == 0 && setup_.common->reopen_logs.exchange(false)) {
        if (setup_.log->reopen() != Status::ok) {
            LogLine(*setup_.log, LogLevel::error)
                .add("the log cannot be opened again; it goes on in the old file")
                .send();
        }
    }
    const int64_t deadline = setup_.common->deadline.load();
    if (deadline == never || deadline >= stop_deadline_) {
        return;
    }
    stop_deadline_ = deadline;
    if (!stopping_) {
        stopping_ = true;
        is_draining_ = true;
        leave_listeners();
        upstream_.end_streams();
        engine_.begin_stop(now);
    }
    if (deadline <= now) {
        abort();
    } else {
        timers_.set(stop_timer_, deadline);
    }
}

void Worker::abort() {
    if (is_draining_) {
        is_draining_ = false;
        arm_listeners(false);
        if (setup_.common->accepting.fetch_sub(1) == 1) {
            setup_.listeners->close_all();
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

// Connections fall to workers as they happen to wake up: one that is full leaves newcomers to the others.
bool Worker::is_everyone_full() const {
    return setup_.count == 1 || setup_.common->connections.load() >= setup_.settings->server.max_connections;
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
        setup_.listeners->close_all();
    }
}

// True when nobody waits any more.
bool Worker::accept_from_all() {
    bool is_empty = true;
    for (size_t i = 0; i < setup_.listeners->count; ++i) {
        accept_from(setup_.listeners->fds[i]);
        is_empty = is_empty && !http::has_waiting_client(setup_.listeners->fds[i]);
    }
    return is_empty;
}

void Worker::accept_from(int listener) {
    const int rounds = stopping_ ? INT32_MAX : accepts_per_turn;
    for (int round = 0; round < rounds; ++round) {
        if (stopping_ && engine_.is_full()) {
            return;
        }
        if (engine_.is_full()) {
            // Nobody loses a connection for a newcomer who is not there.
            if (!http::has_waiting_client(listener)) {
                return;
            }
            if (!is_everyone_full() || !engine_.make_room()) {
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
            admit(accepted.fd, accepted.client, accepted.local);
            continue;
        }
        if (status == Status::exhausted && !stopping_) {
            LogLine(*setup_.log, LogLevel::error).add("no connection can be accepted").add_error(errno).send();
            arm_listeners(false);
            accepting_paused_ = true;
            timers_.set(accept_timer_, monotonic_ms() + accept_pause_ms);
        }
        return;
    }
}

void Worker::admit(int fd, const Endpoint& client, const Endpoint& local) {
    // Who comes from this machine may be a proxy with many clients of its own; a trusted one is.
    const bool is_counted =
        client.is_ip() && !client.is_loopback() && !route::is_trusted_proxy(*setup_.settings, client);
    const uint32_t cap = setup_.settings->server.max_connections_per_client;
    if (is_counted && !setup_.clients->enter(client.client_key(), cap)) {
        LogLine line(*setup_.log, LogLevel::info);
        client.print_address(line.text());
        line.add(": refused: it has ")
            .add_number(cap)
            .add(" connections already (see `max_connections_per_client`)")
            .send();
        http::Engine::turn_away(fd);
        return;
    }
    engine_.add(fd, client, local, is_counted);
}

void Worker::arm_listeners(bool armed) {
    if (armed == listening_) {
        return;
    }
    listening_ = armed;
    for (uint32_t i = 0; i < setup_.listeners->count; ++i) {
        epoll_event event{};
        event.events = EPOLLIN | (setup_.count > 1 ? uint32_t{EPOLLEXCLUSIVE} : 0U);
        event.data.u64 = EventTag{EventKind::listener, {i, 0}}.pack();
        const int operation = armed ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
        if (epoll_ctl(epoll_.get(), operation, setup_.listeners->fds[i], &event) != 0 && armed) {
            LogLine(*setup_.log, LogLevel::error).add("a listener cannot be watched").add_error(errno).send();
        }
    }
}

}  // namespace fcgate::server
