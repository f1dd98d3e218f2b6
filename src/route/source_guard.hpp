// Owns: which names are scripts, and which would show a script's source if they were served as files.
// Borrows: the site's settings.
// Must not touch: files. Pure.
#pragma once

#include <string_view>

#include "config/settings.hpp"

namespace fcgate::route {

// Byte-exact: ends in script_suffix, or is the front controller.
[[nodiscard]] bool is_script(const SiteSettings& site, std::string_view path);

// True for the name of a script in another case, with trailing garbage, or of a copy of it. Not asked for scripts
// themselves.
[[nodiscard]] bool shows_source(const SiteSettings& site, std::string_view path);

}  // namespace fcgate::route
