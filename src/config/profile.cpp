#include "config/profile.hpp"

#include <algorithm>
#include <iterator>

namespace fcgate::config {

namespace {

constexpr uint64_t kib = 1024;

struct Profile {
    std::string_view name;
    uint32_t max_connections;
    uint32_t max_connections_per_client;
    uint64_t connection_memory;
    uint32_t exchanges;
    uint64_t response_memory;  // 0: by the number of exchanges
    uint64_t response_buffer;
    uint64_t file_cache;
    uint64_t memory_ceiling;  // 0: none
};

// The first is what holds without a profile: the values of `small`, but whoever raises one of them is not bound to its ceiling.
constexpr Profile profiles[] = {
    {"", 64, 16, 20 * kib, 32, 0, 64 * kib, 128 * kib, 0},
    {"tiny", 16, 6, 8 * kib, 6, 64 * kib, 16 * kib, 0, 1024 * kib},
    {"small", 64, 16, 20 * kib, 32, 0, 64 * kib, 128 * kib, 4096 * kib},
    {"full", 256, 32, 32 * kib, 128, 8192 * kib, 256 * kib, 1024 * kib, 32768 * kib},
};

constexpr std::string_view preset_keys[] = {"max_connections",   "max_connections_per_client",
                                            "connection_memory", "exchanges",
                                            "response_buffer",   "memory_ceiling",
                                            "response_memory",   "file_cache"};

}  // namespace

bool is_profile_name(std::string_view name) {
    return std::ranges::any_of(profiles, [name](const Profile& profile) { return profile.name == name; });
}

uint32_t preset_bit(std::string_view key) {
    const auto* const found = std::ranges::find(preset_keys, key);
    return found == std::end(preset_keys) ? 0 : 1U << static_cast<unsigned>(found - std::begin(preset_keys));
}

void apply_profile(ServerSettings& server, uint32_t chosen) {
    const auto* const profile =
        std::ranges::find_if(profiles, [&server](const Profile& one) { return one.name == server.profile; });
    const auto preset = [chosen](std::string_view key, auto& member, auto value) {
        if ((chosen & preset_bit(key)) == 0) {
            member = value;
        }
    };
    preset("max_connections", server.max_connections, profile->max_connections);
    preset("max_connections_per_client", server.max_connections_per_client, profile->max_connections_per_client);
    preset("connection_memory", server.connection_memory, profile->connection_memory);
    preset("exchanges", server.exchanges, profile->exchanges);
    preset("response_buffer", server.response_buffer, profile->response_buffer);
    preset("file_cache", server.file_cache, profile->file_cache);
    preset("memory_ceiling", server.memory_ceiling, profile->memory_ceiling);
    const uint64_t pages = profile->response_memory != 0
                               ? profile->response_memory
                               : ServerSettings::response_memory_of_exchange * server.exchanges;
    preset("response_memory", server.response_memory, std::max(pages, server.response_buffer));
}

}  // namespace fcgate::config
