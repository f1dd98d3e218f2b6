// Owns: connections that are closed for us while the client may still be sending.
// Must not touch: libmicrohttpd's descriptors; it works on duplicates.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>

#include "base/limits.hpp"
#include "base/slots.hpp"
#include "base/timers.hpp"

namespace fcgate::http {

// Closing a socket with unread bytes makes the kernel reset it, and the client may lose the answer it has not read yet.
// So what the client still sends is read and dropped, for a bounded time and amount. When the table is full, the one that has lingered for
// longest makes room.
class Lingering {
  public:
    void init(int epoll_fd, Timers& timers);
    void finish();

    // Keeps the connection behind `fd` open through a duplicate, its write side shut down.
    void take(int fd);
    void on_event(Handle handle);
    void on_timer(uint32_t slot);

    [[nodiscard]] static constexpr size_t timer_count() { return limits::lingering_connections; }
    [[nodiscard]] size_t live() const { return pool_.live(); }

  private:
    struct Entry {
        uint32_t slot;
        uint32_t generation;
        uint32_t next_free;
        bool live;
        bool is_tcp;
        int fd;
        size_t drained;
        int64_t deadline;
        Timer timer;
    };

    [[nodiscard]] static ssize_t drop_some(const Entry& entry);
    void drop(Entry& entry);
    void drop_oldest();

    int epoll_fd_ = -1;
    Timers* timers_ = nullptr;
    std::array<Entry, limits::lingering_connections> entries_{};
    SlotPool<Entry> pool_;
};

}  // namespace fcgate::http
