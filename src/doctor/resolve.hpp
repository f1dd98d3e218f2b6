// Owns: one question to a DNS server (RFC 1035), or to the machines of the LAN (RFC 6762), and its answer.
// Must not touch: files.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/endpoint.hpp"
#include "base/status.hpp"

namespace fcgate::doctor {

// Asks `server` for an address of `host`, IPv4 first. ok: `out` has it. not_found: there is none. timed_out: no answer by `deadline`, or for a
// second. malformed: no name of a host; io.
[[nodiscard]] Status resolve(std::string_view host, const Endpoint& server, int64_t deadline, Endpoint& out);

// Writes a question of `type` (1: IPv4, 28: IPv6) under `id`; returns its size, 0 if the name does not fit or has an empty label.
[[nodiscard]] size_t write_question(std::string_view host, uint16_t id, uint8_t type, std::span<uint8_t> out);

// The first address of `type` in an answer to `id`. not_found: it has none. malformed: it is no such answer.
[[nodiscard]] Status read_answer(std::span<const uint8_t> answer, uint16_t id, uint8_t type, Endpoint& out);

}  // namespace fcgate::doctor
