// Owns: every way in which a backend can fail a request: the code by which the log names it, the status for the client, the words.
// docs/errors.md explains each code; a test compares the two.
// Must not touch: exchanges, the log; it is a table.
#pragma once

#include <cstdint>

#include "base/packed.hpp"

namespace fcgate::fastcgi {

enum class Fault : uint8_t {
    // No connection
    backend_absent,
    backend_denied,
    backend_refused,
    backend_unreachable,
    backlog_full,
    connect_timeout,
    connect_shortage,
    // No place
    queue_timeout,
    queue_full,
    queue_evicted,
    exchanges_full,
    exchange_evicted,
    streams_full,
    stopping,
    // PHP that fcgate starts itself
    php_broken,
    php_start_timeout,
    // What the request asks for
    params_too_large,
    script_changed,
    body_lost,
    // PHP's answer, or none
    backend_closed,
    backend_io,
    backend_silent,
    backend_overloaded,
    backend_rejected,
    records_malformed,
    chatter,
    head_malformed,
    head_too_large,
    head_missing,
    body_short,
    // The answer stands; the log says what is behind it
    app_status,
    script_unknown,
    script_unreadable,
    script_refused,
};
inline constexpr size_t fault_count = static_cast<size_t>(Fault::script_refused) + 1;

// Only the log tells of it: what PHP has answered goes to the client as it is.
[[nodiscard]] constexpr bool leaves_answer(Fault fault) {
    return fault >= Fault::app_status || fault == Fault::body_short;
}

struct FaultText {
    Packed code;      // stable: scripts that read the log may rely on it
    uint16_t status;  // for the client, as long as nothing of a reply has gone to it
    Packed words;
};

[[nodiscard]] FaultText text_of(Fault fault);

}  // namespace fcgate::fastcgi
