#include "http/engine.hpp"

#include <microhttpd.h>
#ifdef FCGATE_MHD_TAKES_EVENTS
#include <mhd_polling.h>
#endif
#include <netinet/in.h>
#include <netinet/tcp.h>
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

namespace fcgate::http {

ConnectionState::ConnectionState() = default;

namespace {

// Rounds of libmicrohttpd before the loop looks at other events again.
constexpr int run_rounds = 8;
// When connections without a request are read, if nothing else has led to it.
constexpr int idle_read_ms = 10;

#ifdef FCGATE_MHD_TAKES_EVENTS
constexpr auto suspend_connection = &mhd_polling_suspend;
constexpr auto resume_connection = &mhd_polling_resume;
#else
constexpr auto suspend_connection = &MHD_suspend_connection;
constexpr auto resume_connection = &MHD_resume_connection;
#endif

}  // namespace

Status Engine::init(const Setup& setup) {
    setup_ = setup;
    connections_.init(setup.connections);
    targets_.init(setup.targets);
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
    if constexpr (features::tls) {
        if (newcomer.is_tls) {
            // GnuTLS writes its part of a handshake in pieces, and Nagle would hold back all but the first for a round trip. libmicrohttpd turns
            // it off with the first reply only.
            const int on = 1;
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
    }
    adding_ = connection;
    bool added = false;
    {
        const Drive& drive = drive_of(newcomer.is_tls);
        const Callbacks::Giving giving({drive.given.data(), 0}, setup_.clock->now());
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

// Libmicrohttpd shall look at the connection.
void Engine::show(Connection& connection, uint32_t events) {
    if (connection.suspended) {
        wake(connection);
    } else {
        give(connection, events);
    }
    run_needed_ = true;
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
        const Callbacks::Giving giving({drive.given.data(), drive.given_count}, setup_.clock->now());
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

}  // namespace fcgate::http
