// Owns: the presets of `profile`: capacities that go together, for the keys that are not set.
// Borrows: nothing.
// Must not touch: keys that are set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/settings.hpp"

namespace fcgate::config {

[[nodiscard]] bool is_profile_name(std::string_view name);

// The bit of a key of [server] that profiles preset, by the place of its value there; or 0.
[[nodiscard]] uint32_t preset_bit(size_t place);

// Gives every preset key of which the bit is not in `chosen` the value of the profile that is set, or its default.
void apply_profile(ServerSettings& server, uint32_t chosen);

}  // namespace fcgate::config
