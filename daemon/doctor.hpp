// Owns: `fcgate doctor`: the library's examination, printed, with the rights with which fcgate would do what is examined.
// Must not touch: a server.
#pragma once

#include "fcgate/fcgate.h"
#include "options.hpp"

namespace fcgate::daemon {

// Returns what to exit with: exit_ok, exit_warned, exit_configuration for a fault, or what kept it from examining.
[[nodiscard]] int examine(const Options& options, fcgate_settings* settings);

}  // namespace fcgate::daemon
