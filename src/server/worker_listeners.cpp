// The part of Worker that watches the listeners and takes in who comes; worker_admission.cpp gives them their places.
#include <sys/epoll.h>

#include <cerrno>

#include "http/listener.hpp"
#include "server/worker.hpp"

namespace fcgate::server {

namespace {

constexpr int accepts_per_turn = 16;
constexpr int64_t accept_pause_ms = 200;

}  // namespace

void Worker::arm_listeners(bool armed) {
    if (armed == listening_) {
        return;
    }
    listening_ = armed;
    for (uint32_t i = 0; i < configuration_->listeners.count; ++i) {
        const uint32_t events =
            EPOLLIN | (configuration_->settings->server.threads > 1 ? uint32_t{EPOLLEXCLUSIVE} : 0U);
        const int operation = armed ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
        if (!watch(configuration_->listeners.fds[i], {EventKind::listener, {i, 0}}, events, operation) && armed) {
            common_->log.write<"a listener cannot be watched: %">(LogLevel::error, SystemError{errno});
        }
    }
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
        if (stopping_ && (engine_.is_full() || common_->waiting.is_full())) {
            // turn() comes back to them, without being woken for them all the time.
            arm_listeners(false);
            return;
        }
        if (is_full_for_most()) {
            // Those who are told below judge by it too.
            count_connections();
            // Nobody loses a connection for a newcomer who is not there.
            if (!http::has_waiting_client(listener)) {
                return;
            }
            if (!is_everyone_full() || (engine_.is_full() && !engine_.make_room(false))) {
                // Who comes now is another worker's, who may have a place or somebody to make room, or waits in the backlog until there is
                // one. With EPOLLEXCLUSIVE the others have not heard of him.
                arm_listeners(false);
                tell_others();
                return;
            }
        }
        Newcomer newcomer{.is_tls = is_tls, .due = clock_.now()};
        const Status status = http::accept_client(listener, newcomer);
        if (status == Status::ok) {
            cannot_accept_ = false;
            admit(newcomer);
            continue;
        }
        if (status == Status::exhausted) {
            // Once, however long it lasts: each try would be a line.
            if (!cannot_accept_) {
                common_->log.write<"no connection can be accepted: %">(LogLevel::error, SystemError{errno});
            }
            cannot_accept_ = true;
            arm_listeners(false);
            accepting_paused_ = true;
            timers_.set(accept_timer_, clock_.now() + accept_pause_ms);
        }
        return;
    }
}

// Whoever is in the backlog has been accepted as far as he can tell: the listeners are left when it has been empty once.
void Worker::leave_listeners() {
    if (!accept_from_all()) {
        return;
    }
    end_draining();
}

void Worker::end_draining() {
    is_draining_ = false;
    arm_listeners(false);
    common_->leave_listeners();
}

}  // namespace fcgate::server
