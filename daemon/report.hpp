// Owns: what the daemon itself tells its user: on stderr, and in the server's log while one runs.
#pragma once

#include <unistd.h>

#include <initializer_list>

#include "base/pattern.hpp"
#include "fcgate/fcgate.h"

namespace fcgate::daemon {

// From now on lines go to this server's log; nullptr: to stderr again.
void report_to(fcgate_server* server);

// One line: say<"% cannot be read">(name). See base/pattern.hpp.
void say_packed(Packed pattern, ...);
template <packing::Literal Pattern, typename... Values>
void say(Values... values) {
    say_packed(pattern::packed<Pattern, Values...>(), pattern::passed(values)...);
}

// Says what the library found wrong; returns what to exit with.
[[nodiscard]] int complain(int result, const fcgate_error& error);

// To standard output, or to another descriptor; returns what to exit with, and has said why if that fails.
[[nodiscard]] int print_all(std::initializer_list<const char*> pieces, int fd = STDOUT_FILENO);

// Room for one thing that the daemon prints as a whole: of all of them only one is ever asked for.
constexpr size_t printed_max = FCGATE_PRINTED_MAX;
static_assert(printed_max >= FCGATE_DOCTOR_MAX && printed_max >= FCGATE_BUDGET_MAX);
[[nodiscard]] char* room_to_print();

}  // namespace fcgate::daemon
