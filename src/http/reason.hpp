// Owns: the codes by which the log names what fcgate refuses on the client's side; docs/errors.md explains each, a test compares the two.
// Those of PHP's side are in fastcgi/fault.hpp.
// Must not touch: anything; it is a table.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/packed_table.hpp"

namespace fcgate::http {

struct Reason {
    std::string_view code;  // stable: scripts that read the log may rely on them
    uint16_t status;        // that has this code when nothing more exact is said; 0: none
};

inline constexpr Reason reasons[] = {
    {"bad-request", 400},
    {"unauthorized", 401},
    {"forbidden", 403},
    {"not-found", 404},
    {"method-not-allowed", 405},
    {"request-timeout", 408},
    {"length-required", 411},
    {"precondition-failed", 412},
    {"body-too-large", 413},
    {"target-too-long", 414},
    {"range-not-satisfiable", 416},
    {"expectation-failed", 417},
    {"unknown-host", 421},
    {"fields-too-large", 431},
    {"internal-error", 500},
    {"not-implemented", 501},
    {"reply-too-large", 502},
    {"busy", 503},
    {"version-not-supported", 505},
    {"no-room", 507},
    {"refused", 0},
    {"auth-busy", 0},
    {"auth-file", 0},
    {"client-full", 0},
    {"client-left", 0},
    {"error-page", 0},
    {"connections-full", 0},
    {"file-changed", 0},
    {"file-not-sent", 0},
    {"no-backend", 0},
    {"no-memory", 0},
    {"parser-refused", 0},
    {"slow-reader", 0},
    {"stopping", 0},
};

inline constexpr auto codes = pack_tightly<reasons, &Reason::code>();

[[nodiscard]] Packed code_of(uint16_t status);

Packed no_such_code();  // is not there: to call it is an error

// A code of the table; a word that is none does not compile.
consteval Packed reason_code(std::string_view code) {
    for (size_t i = 0; i < std::size(reasons); ++i) {
        if (reasons[i].code == code) {
            return codes[i];
        }
    }
    return no_such_code();
}

}  // namespace fcgate::http
