// Owns: what the daemon itself tells its user: on stderr, and in the server's log while one runs.
#pragma once

#include "fcgate/fcgate.h"

namespace fcgate::daemon {

// From now on lines go to this server's log; nullptr: to stderr again.
void report_to(fcgate_server* server);

// One line, as printf().
[[gnu::format(printf, 1, 2)]] void say(const char* format, ...);

// Says what the library found wrong; returns what to exit with.
[[nodiscard]] int complain(int result, const fcgate_error& error);

}  // namespace fcgate::daemon
