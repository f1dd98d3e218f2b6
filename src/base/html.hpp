// Owns: what all pages of fcgate's own have in common.
// Must not touch: anything.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text.hpp"

namespace fcgate {

// Up to where the title stands.
inline constexpr std::string_view html_start =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">"
    "<link rel=\"icon\" href=\"data:,\"><title>";

// Control characters become '?', also those that turn the direction of writing.
void append_html(TextBuffer& out, std::string_view text);

// In three digits, "999", "1.4", "38.2"; returns the power of 1024 that belongs to it.
unsigned append_scaled(TextBuffer& out, uint64_t value);
inline constexpr unsigned most_scaled = 4;

}  // namespace fcgate
