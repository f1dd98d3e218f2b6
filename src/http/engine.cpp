#include "http/engine.hpp"

#include <microhttpd.h>
#ifdef FCGATE_MHD_TAKES_EVENTS
#include <mhd_polling.h>
#endif
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <new>

#include "base/features.hpp"
#include "http/callbacks.hpp"
#include "http/footprint.hpp"
#include "http/progress.hpp"
#include "http/status_page.hpp"

namespace fcgate::http {

ConnectionState::ConnectionState() = default;

namespace {

// Rounds of libmicrohttpd before the loop looks at other events again.
constexpr int run_rounds = 8;
// How long a connection that has not asked anything yet may take to do so while the server stops.
constexpr int64_t stop_grace_ms = 500;
// When connections without a request are read, if nothing else has led to it.
constexpr int idle_read_ms = 10;

#ifdef FCGATE_MHD_TAKES_EVENTS
constexpr auto suspend_connection = &mhd_polling_suspend;
constexpr auto resume_connection = &mhd_polling_resume;
#else
constexpr auto suspend_connection = &MHD_suspend_connection;
constexpr auto resume_connection = &MHD_resume_connection;
#endif

// While one of these lives, libmicrohttpd learns of `events`, once, and leaves the watching to us.
class Giving {
  public:
#ifdef FCGATE_MHD_TAKES_EVENTS
    explicit Giving(std::span<const epoll_event> events) {
        mhd_polling_give(events.data(), static_cast<int>(events.size()), has_more);
    }
    ~Giving() {
        mhd_polling_give(nullptr, 0, nullptr);
    }
#else
    explicit Giving(std::span<const epoll_event> /*events*/) {}
    ~Giving() {}
#endif
    Giving(const Giving&) = delete;
    Giving& operator=(const Giving&) = delete;

  private:
    static int has_more(void* context) {
        const BodyReader& reader = static_cast<Connection*>(context)->reader;
        return reader.has_more != nullptr && reader.has_more(reader.context) ? 1 : 0;
    }
};

}  // namespace

Status Engine::init(const Setup& setup) {
    setup_ = setup;
    connections_.init(setup.connections);
    targets_.init(setup.targets);
    ready_.init(setup.ready_replies);
    guaranteed_fields_ = guaranteed_fields(*setup.settings);
    shared_left_ = shared_fields(*setup.settings) + shared_lists(*setup.settings);
    pace_timer_.kind = static_cast<uint8_t>(TimerKind::pace);
    lingering_.init(setup.epoll_fd, *setup.timers);
    Drive& plain = drives_.front();
    plain.mhd = Callbacks::start_daemon(*this);
    Status status = look_at(plain);
    if constexpr (features::tls) {
        if (status == Status::ok && setup.certificate != nullptr) {
            drives_.back().mhd = Callbacks::start_tls_daemon(*this);
            status = look_at(drives_.back());
        }
    }
    return status;
}

Status Engine::look_at(Drive& drive) {
    if (drive.mhd == nullptr) {
        return Status::exhausted;
    }
    const MHD_DaemonInfo* const info = MHD_get_daemon_info(drive.mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == nullptr || info->listen_fd < 0) {
        return Status::io;
    }
    drive.epoll_fd = info->listen_fd;
    return Status::ok;
}

void Engine::finish() {
    if (drives_.front().mhd == nullptr) {
        return;
    }
    abort_all();
    // libmicrohttpd aborts the process when it is stopped with a suspended connection.
    while (connections_.live() > 0) {
        for (const Connection& connection : connections_.all()) {
            if (connection.live) {
                give(connection, EPOLLHUP);
            }
        }
        run_once();
    }
    ready_.clear();
    for (Drive& drive : drives_) {
        if (drive.mhd != nullptr) {
            MHD_stop_daemon(drive.mhd);
            drive.mhd = nullptr;
        }
    }
    if (copied_ != nullptr) {
        MHD_destroy_response(copied_);  // of a reply that was never given
    }
    lingering_.finish();
}

void Engine::give_back(Connection& connection) {
    forget(connection.mhd);
    Timers::cancel(connection.timer);
    set_active(connection, false);
    operators_ -= connection.is_operator ? 1U : 0U;
    setup_.counts->connections[static_cast<size_t>(connection.stage)].subtract();
    targets_.drop(connection.kept_target);
    give_back_fields(connection);
    if (connection.is_counted) {
        setup_.watcher.closed(setup_.watcher.context, connection);
    }
    connections_.give_back(connection);
}

void Engine::add(const Newcomer& newcomer) {
    const int fd = newcomer.fd;
    Connection* const connection = connections_.take();
    if (connection == nullptr) {
        close(fd);
        return;
    }
    const Handle handle = SlotPool<Connection>::handle(*connection);
    new (static_cast<ConnectionState*>(connection)) ConnectionState;
    connection->engine = this;
    connection->timer.owner = connection->slot;
    connection->timer.kind = static_cast<uint8_t>(TimerKind::connection);
    // What is there already raises no event of ours before libmicrohttpd has read it by its own.
    connection->stage = !takes_events && has_unread(fd) ? Connection::Stage::head : Connection::Stage::idle;
    setup_.counts->connections[static_cast<size_t>(connection->stage)].add();
    setup_.counts->accepted.add();
    set_active(*connection, true);
    connection->fd = fd;
    connection->client = connection->asker = newcomer.client;
    connection->local = newcomer.local;
    connection->client_key = newcomer.client.client_key();
    connection->is_counted = newcomer.is_counted;
    connection->is_operator = newcomer.is_operator;
    connection->is_tls = newcomer.is_tls;
    operators_ += newcomer.is_operator ? 1U : 0U;
    const int64_t now = setup_.clock->now();
    connection->idle_since = connection->trace.since = now;
    adding_ = connection;
    bool added = false;
    {
        const Drive& drive = drive_of(newcomer.is_tls);
        const Giving giving({drive.given.data(), 0});
        added = MHD_add_connection(drive.mhd, fd, nullptr, 0) == MHD_YES;
    }
    adding_ = nullptr;
    if (!added) {
        // The descriptor is libmicrohttpd's even when it refuses it. If it got as far as the notification, the slot is free.
        if (connections_.find(handle) != nullptr) {
            give_back(*connection);
        }
        setup_.log->write<"libmicrohttpd refused a connection: %">(LogLevel::warning, SystemError{errno});
        return;
    }
    run_needed_ = run_needed_ || !takes_events;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (takes_events ? uint32_t{EPOLLOUT | EPOLLPRI} : 0U);
    event.data.u64 = EventTag{EventKind::client, handle}.pack();
    if (epoll_ctl(setup_.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        setup_.log->write<"a connection cannot be watched: %">(LogLevel::warning, SystemError{errno});
        kill(*connection);
        return;
    }
    arm(*connection, now + setup_.settings->server.header_timeout_ms);
}

void Engine::turn_away(const Newcomer& newcomer, Packed code) {
    static constexpr std::string_view answer =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    constexpr uint16_t status = 503;
    if (!newcomer.is_tls) {
        (void)::send(newcomer.fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    lingering_.take(newcomer.fd);
    close(newcomer.fd);
    if (is_listened_to()) {
        Finished finished{.client = newcomer.client, .asker = newcomer.client};
        finished.status = status;
        finished.now = setup_.clock->now();
        finished.request_ms = newcomer.since != 0 ? finished.now - newcomer.since : 0;
        finished.cause = code;
        setup_.finished->tell(finished);
    }
    setup_.counts->turned_away.add();
}

void Engine::wake(Connection& connection) {
    connection.woken = true;
    if (connection.suspended) {
        connection.suspended = false;
        set_active(connection, true);
        resume_connection(connection.mhd);
        run_needed_ = true;
    }
}

void Engine::set_active(Connection& connection, bool active) {
    if (connection.active != active) {
        connection.active = active;
        active_ += active ? 1U : static_cast<size_t>(-1);
    }
}

void Engine::enter(Connection& connection, Connection::Stage stage) {
    setup_.counts->connections[static_cast<size_t>(connection.stage)].subtract();
    setup_.counts->connections[static_cast<size_t>(stage)].add();
    connection.stage = stage;
}

void Engine::begin_head(Connection& connection) {
    enter(connection, Connection::Stage::head);
    connection.trace.since = setup_.clock->now();
    arm(connection, connection.trace.since + setup_.settings->server.header_timeout_ms);
}

void Engine::suspend(Connection& connection) {
    set_active(connection, false);
    connection.suspended = true;
    suspend_connection(connection.mhd);
}

// Works on idle, slow and suspended connections alike; closing the descriptor is libmicrohttpd's business.
void Engine::kill(Connection& connection) {
    connection.hung_up = connection.gone = true;
    (void)shutdown(connection.fd, SHUT_RDWR);
    // The event will come as well, but not before the loop waits again.
    show(connection, EPOLLHUP);
}

// Libmicrohttpd shall look at the connection.
void Engine::show(Connection& connection, uint32_t events) {
    if (connection.suspended) {
        wake(connection);
    } else {
        give(connection, events);
    }
    run_needed_ = true;
}

// A client that has shut its side may still read, but that is rare, and leaving looks the same: it counts as gone unless the handler wants its
// request to go on.
bool Engine::is_left(const Connection& connection) const {
    return connection.hung_up &&
           (connection.gone || !connection.begun || !setup_.handler.goes_on(setup_.handler.context, connection));
}

void Engine::on_client_event(Handle handle, uint32_t events) {
    if (drives_.front().given_count == most_given || drives_.back().given_count == most_given) {
        run_once();
    }
    Connection* const connection = connections_.find(handle);
    if (connection == nullptr) {
        return;
    }
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        connection->hung_up = true;
        connection->gone = connection->gone || (events & (EPOLLHUP | EPOLLERR)) != 0;
        departures_ = true;
        if (connection->suspended) {
            wake(*connection);
        }
    }
    if constexpr (takes_events) {
        give(*connection, events);
    }
    if ((events & EPOLLIN) == 0) {
        return;
    }
    // Its own epoll set does not watch a connection that it has not found empty since it was resumed.
    run_needed_ = true;
    set_active(*connection, !connection->suspended);
    connection->more_came = connection->stage != Connection::Stage::idle;
    if (connection->stage == Connection::Stage::idle) {
        begin_head(*connection);
    }
}

// An answer for when libmicrohttpd cannot give one: in the middle of a body, or before the head is whole.
void Engine::send_at_once(Connection& connection, uint16_t status) {
    Reply page;
    reply_with_status(page, status);
    Text<2048> text;
    text.append<"HTTP/1.1 % %">(status, reason_phrase(status));
    for (const Field& field : page.fields()) {
        text.append("\r\n").append<"%: %">(field.name, field.value);
    }
    text.append("\r\n").append<"Content-Length: %">(page.length).append("\r\nConnection: close\r\n\r\n");
    for (const std::string_view piece : status_page(status)) {
        text.append(piece);
    }
    // Nothing of a reply has been sent on this connection, so the socket's buffer takes it whole. A secure one only libmicrohttpd could answer: it
    // just ends.
    if (!connection.is_tls) {
        (void)::send(connection.fd, text.c_str(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    note_answer(connection, status, true);
    connection.refused = true;
    connection.hung_up = connection.gone = true;
    connection.trace.status = status;
    connection.trace.sent = connection.is_head || connection.is_tls ? 0 : page.length;
}

// libmicrohttpd closes when it is told that the body is not wanted; what the client still sends is drained.
void Engine::refuse_rest(Connection& connection, uint16_t status) {
    send_at_once(connection, status);
}

// The write side stays open for the client to read the answer; libmicrohttpd sees the end of the read side, closes, and the connection lingers.
void Engine::end_with(Connection& connection, uint16_t status) {
    send_at_once(connection, status);
    (void)shutdown(connection.fd, SHUT_RD);
    show(connection, EPOLLIN);
}

void Engine::on_connection_timer(uint32_t slot) {
    Connection& connection = connections_.all()[slot];
    if (!connection.live) {
        return;
    }
    switch (connection.stage) {
        case Connection::Stage::idle:
            kill(connection);
            break;
        case Connection::Stage::head:
            log_refusal(connection, 408, "its head did not come in time (see `header_timeout`)"_p);
            end_with(connection, 408);
            break;
        case Connection::Stage::body:
        case Connection::Stage::waiting:
        case Connection::Stage::replying:
            break;
    }
}

// A connection that is suspended is taken as ready when it is resumed.
void Engine::give(const Connection& connection, uint32_t events) {
    constexpr uint32_t wanted = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLERR | EPOLLHUP;
    Drive& drive = drive_of(connection.is_tls);
    if (!takes_events || connection.suspended || drive.given_count == most_given) {
        return;
    }
    epoll_event& event = drive.given[drive.given_count++];
    event.events = events & wanted;
    event.data.ptr = connection.mhd;
    run_needed_ = true;
}

// libmicrohttpd passes over an event of nobody.
void Engine::forget(const MHD_Connection* mhd) {
    for (Drive& drive : drives_) {
        for (size_t i = 0; i < drive.given_count; ++i) {
            if (drive.given[i].data.ptr == mhd) {
                drive.given[i].data.ptr = nullptr;
            }
        }
    }
}

void Engine::run_once() {
    run_needed_ = false;
    for (Drive& drive : drives_) {
        if (drive.mhd == nullptr) {
            continue;
        }
        if constexpr (features::tls) {
            Callbacks::present(setup_.certificate);
        }
        const Giving giving({drive.given.data(), drive.given_count});
        drive.given_count = 0;
        MHD_run(drive.mhd);
    }
}

void Engine::run(bool ready) {
    for (int round = 0; round < run_rounds && (ready || run_needed_ || timeout_ms() == 0); ++round) {
        ready = false;
        run_once();
    }
    if (departures_) {
        end_departed();
    }
}

// When the last bytes and the end of a connection come in one event, libmicrohttpd (edge-triggered, one read) sees the bytes and
// never the end. What it has not made a request of by now will never be one.
void Engine::end_departed() {
    departures_ = false;
    for (Connection& connection : connections_.all()) {
        const bool is_incomplete =
            connection.stage != Connection::Stage::waiting && connection.stage != Connection::Stage::replying;
        if (!connection.live || !connection.hung_up || connection.suspended || !is_incomplete) {
            continue;
        }
        if (has_unread(connection.fd)) {
            departures_ = true;
        } else {
            kill(connection);
        }
    }
}

int Engine::timeout_ms() const {
    if (run_needed_) {
        return 0;
    }
    unsigned timeout = UINT_MAX;  // none
    for (const Drive& drive : drives_) {
        MHD_UNSIGNED_LONG_LONG own = 0;
        if (drive.mhd != nullptr && MHD_get_timeout(drive.mhd, &own) == MHD_YES) {
            timeout = std::min(timeout, own < INT_MAX ? static_cast<unsigned>(own) : INT_MAX);
        }
    }
    // A connection that was resumed and has its reply out stays on libmicrohttpd's list until a read has found it empty. Our own watch tells when
    // something comes, so that is not worth a turn of its own; but more than libmicrohttpd reads at once may have come with the last event, so it
    // is not put off for ever.
    if (timeout == 0 && active_ == 0) {
        return idle_read_ms;
    }
    return static_cast<int>(timeout);
}

void Engine::begin_stop(int64_t now) {
    stopping_ = true;
    for (Connection& connection : connections_.all()) {
        if (connection.live && connection.stage == Connection::Stage::idle) {
            shut_idle(connection, now);
        }
    }
}

// A request that is on its way is still served: one whose bytes are here already, or the first of a connection just accepted.
void Engine::shut_idle(Connection& connection, int64_t now) {
    if (has_unread(connection.fd)) {
        return;
    }
    if (connection.served) {
        kill(connection);
    } else {
        arm(connection, now + stop_grace_ms);
    }
}

void Engine::abort_all() {
    stopping_ = aborting_ = true;
    for (Connection& connection : connections_.all()) {
        if (connection.live) {
            kill(connection);
        }
    }
}

}  // namespace fcgate::http
