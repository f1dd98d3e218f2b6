#include "http/linger.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/event.hpp"

namespace fcgate::http {

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
    Entry* const entry = pool_.take();
    if (entry == nullptr) {
        return;
    }
    entry->timer.owner = entry->slot;
    entry->timer.kind = static_cast<uint8_t>(TimerKind::linger);
    entry->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (entry->fd < 0) {
        pool_.give_back(*entry);
        return;
    }
    (void)shutdown(entry->fd, SHUT_WR);
    entry->drained = 0;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.u64 = EventTag{EventKind::linger, SlotPool<Entry>::handle(*entry)}.pack();
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, entry->fd, &event) != 0) {
        drop(*entry);
        return;
    }
    timers_->set(entry->timer, monotonic_ms() + limits::linger_ms);
}

void Lingering::on_event(Handle handle) {
    Entry* const entry = pool_.find(handle);
    if (entry == nullptr) {
        return;
    }
    char scratch[4096];
    // Level-triggered and bounded: one client must not keep the loop from the others.
    for (int round = 0; round < 16; ++round) {
        const ssize_t count = recv(entry->fd, scratch, sizeof scratch, MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
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
}

void Lingering::on_timer(uint32_t slot) {
    Entry& entry = entries_[slot];
    if (entry.live) {
        drop(entry);
    }
}

void Lingering::drop(Entry& entry) {
    Timers::cancel(entry.timer);
    close(entry.fd);
    pool_.give_back(entry);
}

}  // namespace fcgate::http
