#include "fastcgi/servers.hpp"

#include <algorithm>

namespace fcgate::fastcgi {

namespace {

constexpr uint32_t first_pause_ms = 500;
constexpr uint32_t longest_pause_ms = 8000;
constexpr auto relaxed = std::memory_order_relaxed;

// Never 0.
[[nodiscard]] uint32_t low_bits(int64_t time_ms) {
    return static_cast<uint32_t>(time_ms) | 1U;
}

}  // namespace

bool Servers::answered(uint32_t number) {
    if (is_up(number) || servers_[number].down_until.exchange(0, relaxed) == 0) {
        return false;
    }
    down_.fetch_sub(1, relaxed);
    return true;
}

void Servers::clear() {
    down_.store(0, relaxed);
    for (Server& server : servers_) {
        server.connections.store(0, relaxed);
        server.down_until.store(0, relaxed);
        server.pause.store(0, relaxed);
    }
}

// No pause is longer than the longest, so one that seems to be was over long ago: nobody has asked since.
bool Servers::is_due(uint32_t down_until, int64_t now) {
    return down_until != 0 && down_until - low_bits(now) - 1 >= longest_pause_ms;
}

bool Servers::has_due(int64_t now) const {
    if (down_.load(relaxed) == 0) {
        return false;
    }
    return std::ranges::any_of(servers_,
                               [now](const Server& server) { return is_due(server.down_until.load(relaxed), now); });
}

Servers::Choice Servers::choose(uint32_t count, uint32_t tried, int64_t now) {
    const uint32_t turn = turn_.fetch_add(1, relaxed);
    constexpr uint32_t is_down = uint32_t{1} << 31U;  // behind all that are up, however many connections those have
    uint32_t best = 0;
    uint32_t best_rank = UINT32_MAX;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t number = (turn + i) % count;
        if ((tried >> number & 1U) != 0) {
            continue;
        }
        Server& server = servers_[number];
        uint32_t until = server.down_until.load(relaxed);
        // Whoever comes next leaves it alone.
        const uint32_t pause = std::min(2 * server.pause.load(relaxed), longest_pause_ms);
        if (is_due(until, now) &&
            server.down_until.compare_exchange_strong(until, low_bits(now + pause), relaxed, relaxed)) {
            server.pause.store(pause, relaxed);
            return {number, true};
        }
        const uint32_t rank = server.connections.load(relaxed) | (until != 0 ? is_down : 0);
        if (rank < best_rank) {
            best = number;
            best_rank = rank;
        }
    }
    return {best, (best_rank & is_down) != 0};
}

bool Servers::failed(uint32_t number, int64_t now) {
    Server& server = servers_[number];
    uint32_t up = 0;
    if (!server.down_until.compare_exchange_strong(up, low_bits(now + first_pause_ms), relaxed, relaxed)) {
        return false;  // whoever was to try it has seen to the pause
    }
    server.pause.store(first_pause_ms, relaxed);
    down_.fetch_add(1, relaxed);
    return true;
}

}  // namespace fcgate::fastcgi
