// Owns: what the daemon itself tells its user: on stderr, and in the server's log while one runs.
#pragma once

#include "fcgate/fcgate.h"
#include "words.hpp"

namespace fcgate::daemon {

// From now on lines go to this server's log; nullptr: to stderr again.
void report_to(fcgate_server* server);

// One line: say<"%s cannot be read">(name). See compose().
void say_packed(Packed pattern, ...);
template <packing::Literal Pattern, typename... Arguments>
void say(Arguments... arguments) {
    static_assert(takes<Pattern, Arguments...>(), "the arguments are not those of the pattern");
    say_packed(Packed(packing::Stored<Pattern>::kept.bytes), arguments...);
}

// Says what the library found wrong; returns what to exit with.
[[nodiscard]] int complain(int result, const fcgate_error& error);

// Room for one thing that the daemon prints as a whole: of all of them only one is ever asked for.
constexpr size_t printed_max = FCGATE_PRINTED_MAX;
static_assert(printed_max >= FCGATE_DOCTOR_MAX && printed_max >= FCGATE_BUDGET_MAX);
[[nodiscard]] char* room_to_print();

}  // namespace fcgate::daemon
