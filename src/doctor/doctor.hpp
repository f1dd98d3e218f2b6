// Owns: the order of an examination.
// Borrows: settings and buffer, during the call.
// Must not touch: a server; there is none yet.
#pragma once

#include <cstdint>

#include "base/text.hpp"
#include "config/settings.hpp"

namespace fcgate::doctor {

// How somebody becomes whoever serves; false: that failed.
struct Change {
    int (*call)(void* context) = nullptr;
    void* context = nullptr;
};

enum class Verdict : uint8_t { healthy, warned, faulty };

// Finds out whether the settings can be served on this machine. It takes most_ms at the longest, and three seconds to end PHP.
[[nodiscard]] Verdict examine(Settings& settings, bool is_json, const Change& change, TextBuffer& out);

}  // namespace fcgate::doctor
