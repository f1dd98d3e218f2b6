// Owns: one request to PHP, asked and waited for.
// Borrows: the backend's settings, during the call.
// Must not touch: what the answer means.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"

namespace fcgate::doctor {

struct Question {
    const BackendSettings& backend;
    std::string_view socket;   // of a unix-domain backend
    std::string_view file;     // SCRIPT_FILENAME
    std::string_view subject;  // FCGATE_DOCTOR: what the probe is to look at
    int64_t deadline;
};

struct Answer {
    uint16_t status = 0;
    Text<1024> body;    // its beginning
    Text<1024> errors;  // what PHP wrote to its standard error
};

// ok: PHP has answered. Otherwise as fastcgi::connect_by(); gone, malformed.
[[nodiscard]] Status ask(const Question& question, Answer& answer);

}  // namespace fcgate::doctor
