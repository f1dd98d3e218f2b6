// Owns: the numbers by which the host names what a worker keeps for it: worker, kind, slot and generation.
// Must not touch: the slots.
#pragma once

#include <cstdint>

#include "base/slots.hpp"

namespace fcgate::server {

using Ticket = unsigned long long;  // never 0

enum class TicketKind : uint8_t { request, call };

[[nodiscard]] constexpr Ticket make_ticket(uint32_t worker, TicketKind kind, Handle handle) {
    return (Ticket{worker + 1} << 56U) | (static_cast<Ticket>(kind) << 55U) | (Ticket{handle.slot} << 32U) |
           handle.generation;
}

[[nodiscard]] constexpr uint32_t worker_of(Ticket ticket) {
    return static_cast<uint32_t>(ticket >> 56U) - 1;
}

// Of no slot when it is of another kind.
[[nodiscard]] constexpr Handle handle_of(Ticket ticket, TicketKind kind) {
    const auto slot = static_cast<uint32_t>(ticket >> 32U) & 0x7fffffU;
    const bool is_right = (ticket >> 55U & 1U) == static_cast<uint32_t>(kind);
    return is_right ? Handle{slot, static_cast<uint32_t>(ticket)} : Handle();
}

}  // namespace fcgate::server
