// Owns: the names under which a worker's event loop and timers know their sources.
#pragma once

#include <cstdint>

#include "base/slots.hpp"

namespace fcgate {

enum class EventKind : uint8_t { mailbox, http, listener, client, link, linger, spawner };

enum class TimerKind : uint8_t { connection, exchange, link, linger, pace, accept, waiting, stop, php };

// What epoll gives back. File descriptor numbers recur, so events carry slot and generation: one for a former owner is
// recognised as stale.
struct EventTag {
    EventKind kind;
    Handle handle;

    [[nodiscard]] constexpr uint64_t pack() const {
        return (uint64_t{handle.generation} << 32U) | (uint64_t{handle.slot & 0xffffffU} << 8U) |
               static_cast<uint64_t>(kind);
    }
    [[nodiscard]] static constexpr EventTag unpack(uint64_t packed) {
        return {static_cast<EventKind>(packed & 0xffU),
                {static_cast<uint32_t>(packed >> 8U) & 0xffffffU, static_cast<uint32_t>(packed >> 32U)}};
    }
};

}  // namespace fcgate
