#include "config/profile.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace fcgate::config {

namespace {

// ServerSettings has a base class, which both compilers place in front; their offsetof() works without a virtual one.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

// What profiles preset. Sizes are written in KiB.
struct Preset {
    bool is_size;
    uint16_t place;  // in ServerSettings
};
constexpr Preset presets[] = {
    {false, offsetof(ServerSettings, max_connections)}, {false, offsetof(ServerSettings, max_connections_per_client)},
    {false, offsetof(ServerSettings, exchanges)},       {true, offsetof(ServerSettings, connection_memory)},
    {true, offsetof(ServerSettings, response_buffer)},  {true, offsetof(ServerSettings, file_cache)},
    {true, offsetof(ServerSettings, memory_ceiling)},   {true, offsetof(ServerSettings, response_memory)},
};

constexpr uint32_t response_memory_bit = 1U << (std::size(presets) - 1);

struct Profile {
    std::string_view name;
    uint16_t values[std::size(presets)];  // a response_memory of 0: by the number of exchanges
};

// The first is what holds without a profile: the values of `small`, but whoever raises one of them is not bound to its ceiling.
constexpr Profile profiles[] = {
    {"", {64, 16, 32, 20, 64, 96, 0, 0}},
    {"tiny", {16, 6, 6, 8, 16, 0, 1024, 64}},
    {"small", {64, 16, 32, 20, 64, 96, 4096, 0}},
    {"full", {256, 32, 128, 32, 256, 1024, 32768, 8192}},
};

const Profile* find_profile(std::string_view name) {
    return std::ranges::find(profiles, name, &Profile::name);
}

template <typename Value>
Value& value_at(ServerSettings& server, size_t place) {
    return *static_cast<Value*>(static_cast<void*>(reinterpret_cast<char*>(&server) + place));
}

}  // namespace

bool is_profile_name(std::string_view name) {
    return find_profile(name) != std::end(profiles);
}

uint32_t preset_bit(size_t place) {
    const auto* const found = std::ranges::find(presets, place, &Preset::place);
    return found == std::end(presets) ? 0 : 1U << static_cast<unsigned>(found - std::begin(presets));
}

void apply_profile(ServerSettings& server, uint32_t chosen) {
    const Profile* const profile = find_profile(server.profile);
    for (size_t i = 0; i < std::size(presets); ++i) {
        const Preset& preset = presets[i];
        const uint32_t value = profile->values[i];
        if ((chosen & (1U << i)) != 0) {
            continue;
        }
        if (preset.is_size) {
            value_at<uint64_t>(server, preset.place) = uint64_t{value} * 1024;
        } else {
            value_at<uint32_t>(server, preset.place) = value;
        }
    }
    if ((chosen & response_memory_bit) == 0) {
        if (server.response_memory == 0) {
            server.response_memory = ServerSettings::response_memory_of_exchange * server.exchanges;
        }
        server.response_memory = std::max(server.response_memory, server.response_buffer);
    }
}

}  // namespace fcgate::config
