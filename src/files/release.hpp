// Owns: the name of the firmware that runs, as /etc/os-release tells it.
// Must not touch: HTTP.
#pragma once

#include <string_view>

#include "base/text.hpp"

namespace fcgate::files {

// Appends BUILD_ID or IMAGE_VERSION of this file, without what an entity tag cannot hold; nothing when it has neither.
void append_build_id(TextBuffer& out, const char* path = "/etc/os-release");

}  // namespace fcgate::files
