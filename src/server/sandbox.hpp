// Owns: what the kernel is told about the files that the server will ever open (Landlock, Linux 5.13 and later). It holds for the calling thread and
// for all threads and processes that it makes from then on, for ever.
// Borrows: the settings of the start, during the call.
// Must not touch: descriptors that are open already, sockets: neither is restricted.
#pragma once

#include <cstdint>

#include "base/log.hpp"
#include "base/status.hpp"
#include "config/settings.hpp"
#include "server/configuration.hpp"

namespace fcgate::server {

// Says in the log whether it is on, partly on or unsupported; `is_on` for the first two. io: there is Landlock, and it did not work.
[[nodiscard]] Status enter_sandbox(const Settings& settings, const Log& log, bool& is_on, ServerError& error);

// A number for the folders that are served from and spooled to: another one cannot be reached without a restart.
[[nodiscard]] uint32_t sandboxed_folders(const Settings& settings);

}  // namespace fcgate::server
