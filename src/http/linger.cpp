#include "http/linger.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/event.hpp"
#include "http/progress.hpp"

namespace fcgate::http {

namespace {

// Of TCP the kernel throws bytes away unseen (tcp(7), MSG_TRUNC), which is as fast as the client can be.
constexpr size_t dropped_at_once = size_t{256} * 1024;

[[nodiscard]] bool is_tcp(int fd) {
    int domain = AF_UNIX;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain != AF_UNIX;
}

}  // namespace

void Lingering::init(int epoll_fd, Timers& timers) {
    epoll_fd_ = epoll_fd;
    timers_ = &timers;
    pool_.init(entries_);
}

void Lingering::finish() {
    for (Entry& entry : pool_.all()) {
        if (entry.live) {
            drop(entry);
        }
    }
}

void Lingering::take(int fd) {
    if (pool_.full()) {
        drop_oldest();
    }
    Entry* const entry = pool_.take();
    entry->timer.owner = entry->slot;
    entry->timer.kind = static_cast<uint8_t>(TimerKind::linger);
    entry->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (entry->fd < 0) {
        pool_.give_back(*entry);
        return;
    }
    (void)shutdown(entry->fd, SHUT_WR);
    entry->drained = 0;
    entry->is_tcp = is_tcp(fd);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.u64 = EventTag{EventKind::linger, SlotPool<Entry>::handle(*entry)}.pack();
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, entry->fd, &event) != 0) {
        drop(*entry);
        return;
    }
    const int64_t now = monotonic_ms();
    entry->deadline = now + limits::linger_most_ms;
    timers_->set(entry->timer, now + limits::linger_ms);
}

void Lingering::drop_oldest() {
    Entry* oldest = &entries_.front();
    for (Entry& entry : entries_) {
        oldest = entry.deadline < oldest->deadline ? &entry : oldest;
    }
    drop(*oldest);
}

ssize_t Lingering::drop_some(const Entry& entry) {
    if (entry.is_tcp) {
        return recv(entry.fd, nullptr, dropped_at_once, MSG_DONTWAIT | MSG_TRUNC);
    }
    char scratch[4096];
    return recv(entry.fd, scratch, sizeof scratch, MSG_DONTWAIT);
}

void Lingering::on_event(Handle handle) {
    Entry* const entry = pool_.find(handle);
    if (entry == nullptr) {
        return;
    }
    // Level-triggered and bounded: one client must not keep the loop from the others.
    for (int round = 0; round < 16; ++round) {
        const ssize_t count = drop_some(*entry);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (count <= 0) {
            drop(*entry);
            return;
        }
        entry->drained += static_cast<size_t>(count);
        if (entry->drained > limits::linger_bytes) {
            drop(*entry);
            return;
        }
    }
    timers_->set(entry->timer, std::min(monotonic_ms() + limits::linger_ms, entry->deadline));
}

void Lingering::on_timer(uint32_t slot) {
    Entry& entry = entries_[slot];
    if (!entry.live) {
        return;
    }
    const int64_t now = monotonic_ms();
    // On a bad link the answer may have been lost, and be sent anew: it would be taken back with the next byte that comes for a closed socket.
    if (now < entry.deadline && has_unsent(entry.fd)) {
        timers_->set(entry.timer, std::min(now + limits::linger_ms, entry.deadline));
    } else {
        drop(entry);
    }
}

void Lingering::drop(Entry& entry) {
    Timers::cancel(entry.timer);
    // A child that the host has forked keeps the socket alive, and with it the registration: its end would be an event for ever.
    (void)epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, entry.fd, nullptr);
    close(entry.fd);
    pool_.give_back(entry);
}

}  // namespace fcgate::http
