// Owns: of one backend: how many connections each of its servers has, and which of them are down; who is asked next.
// Must not touch: sockets; servers are named by number, in the order of the configuration. All workers share it, without a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/limits.hpp"

namespace fcgate::fastcgi {

// A server that cannot be connected to is down: for a while it is asked only if all others are down too. Then one request tries it, and when that fails
// the while is twice as long.
class Servers {
  public:
    // Times in milliseconds. Nobody may use it.
    void clear();

    struct Choice {
        uint32_t number;
        bool is_probe;  // it was down
    };
    // Of `count` servers, without those whose bit is set in `tried`, the one with the fewest connections, in turns among equals; but one that
    // is down and due comes first. All but one of `count` may have been tried.
    [[nodiscard]] Choice choose(uint32_t count, uint32_t tried, int64_t now);

    void opened(uint32_t number) { servers_[number].connections.fetch_add(1, std::memory_order_relaxed); }
    void closed(uint32_t number) { servers_[number].connections.fetch_sub(1, std::memory_order_relaxed); }

    // Both return true when that is news.
    bool failed(uint32_t number, int64_t now);
    bool answered(uint32_t number);

    [[nodiscard]] bool is_up(uint32_t number) const {
        return servers_[number].down_until.load(std::memory_order_relaxed) == 0;
    }
    // One that is down is to be tried.
    [[nodiscard]] bool has_due(int64_t now) const;
    [[nodiscard]] uint32_t connections(uint32_t number) const {
        return servers_[number].connections.load(std::memory_order_relaxed);
    }

  private:
    struct Server {
        std::atomic<uint32_t> connections{0};
        std::atomic<uint32_t> down_until{0};  // of the clock's low bits; 0: it is up
        std::atomic<uint32_t> pause{0};       // the last one
    };

    [[nodiscard]] static bool is_due(uint32_t down_until, int64_t now);

    std::array<Server, limits::servers> servers_;
    std::atomic<uint32_t> down_{0};  // how many are
    std::atomic<uint32_t> turn_{0};
};

}  // namespace fcgate::fastcgi
