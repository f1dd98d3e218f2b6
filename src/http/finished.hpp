// Owns: what is told of a request when it is over, and to whom: access logs, hooks of the host.
// Borrows: text of the connection, during the call.
// Must not touch: the connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/endpoint.hpp"

namespace fcgate::http {

// A request that has had an answer, whole or not.
struct Finished {
    const Endpoint& client;   // who asked, as a trusted proxy tells
    std::string_view method;  // empty: its head was never whole. Both with a NUL behind them
    std::string_view target;  // raw
    uint16_t status = 0;      // of the answer
    uint64_t bytes = 0;       // of its body; when it is not whole, at most
    int64_t duration_ms = 0;  // from the head to the end of the answer
    bool is_whole = false;    // all of the answer has been sent
};

struct FinishedSink {
    void (*call)(void* context, const Finished& finished) = nullptr;
    void* context = nullptr;
};

inline constexpr size_t finished_sinks = 2;

}  // namespace fcgate::http
