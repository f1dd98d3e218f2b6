// Owns: the severities of the error log.
#pragma once

#include <cstdint>

namespace fcgate {

enum class LogLevel : uint8_t { error, warning, info, debug };

}  // namespace fcgate
