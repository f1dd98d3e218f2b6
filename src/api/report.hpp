// Owns: how the functions of the C ABI tell what went wrong.
// Must not touch: what they do.
#pragma once

#include <string_view>

#include "base/packed.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"
#include "fcgate/fcgate.h"
#include "server/server.hpp"

namespace fcgate::api {

[[nodiscard]] int result_of(Status status);

// Each fills `error`, which may be NULL, and returns its code.
int report(fcgate_error* error, int code, unsigned line, std::string_view text);
int report(fcgate_error* error, int code, Packed text);
int report(fcgate_error* error, Status status, const ConfigError& why);
int report(fcgate_error* error, Status status, const server::ServerError& why);
int misuse(fcgate_error* error, Packed text);

// `result`, of what was written into `buffer`; what does not fit is not there: FCGATE_TOO_LARGE.
[[nodiscard]] int finish(const TextBuffer& out, char* buffer, int result = FCGATE_OK);

}  // namespace fcgate::api
