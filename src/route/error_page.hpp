// Owns: which page of its own a site has for an error (`error_page`).
// Must not touch: files. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "config/settings.hpp"

namespace fcgate::route {

// Its path below the root; empty when there is none. The first line that names the status counts.
[[nodiscard]] std::string_view find_error_page(const SiteSettings& site, uint16_t status);

}  // namespace fcgate::route
