// Owns: what the daemon itself tells its user on stderr.
#pragma once

#include "fcgate/fcgate.h"

namespace fcgate::daemon {

// One line, as printf().
[[gnu::format(printf, 1, 2)]] void say(const char* format, ...);

// Says what the library found wrong; returns what to exit with.
[[nodiscard]] int complain(int result, const fcgate_error& error);

}  // namespace fcgate::daemon
