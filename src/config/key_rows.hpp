// Owns: the words in which the table of keys is written: a row for each type of value, and what may be said of a row besides.
// Must not touch: the table itself. keys.cpp alone includes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/features.hpp"
#include "config/keys.hpp"
#include "config/settings.hpp"

namespace fcgate::config::written {

using Type = Key::Type;
using Pairs = FixedList<Pair, limits::pairs_per_site>;

inline constexpr uint64_t hour_ms = uint64_t{60} * 60 * 1000;

inline constexpr std::string_view network_hint =
    "networks, for example 192.168.1.0/24 2001:db8::/32, or private, unix, all";

// A key as it is written here; its texts are packed.
struct Row {
    std::string_view name;
    std::string_view hint;
    std::string_view option;
    Key::Range range;
    Type type = Type::unbuilt;
    bool allows = false;
    bool at_start = false;
    uint16_t place = 0;
    Key::Check accepts;
    Key::Check accepts_value;
};

// Where a value stands, and what it is: a row of another type does not compile.
template <typename Value>
struct Place {
    size_t offset;
};
#define FCGATE_AT(Section, member) (Place<decltype(Section::member)>{offsetof(Section, member)})
static_assert(std::max({sizeof(ServerSettings), sizeof(BackendSettings), sizeof(SiteSettings)}) <= UINT16_MAX);
// Sections have base classes, which both compilers place in front; their offsetof() works without virtual ones.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

template <typename Value>
constexpr Row row(Type type, Place<Value> place, std::string_view name, std::string_view hint = {},
                  Key::Check accepts = {}) {
    return {.name = name, .hint = hint, .type = type, .place = static_cast<uint16_t>(place.offset), .accepts = accepts};
}

constexpr Row within(Row key, uint64_t least, uint64_t most) {
    key.range = {least, most};
    return key;
}

constexpr Row number(Place<uint32_t> place, std::string_view name, uint64_t least, uint64_t most) {
    return within(row(Type::number, place, name), least, most);
}

constexpr Row size(Place<uint64_t> place, std::string_view name, uint64_t least, uint64_t most) {
    return within(row(Type::size, place, name), least, most);
}

constexpr Row time(Place<int64_t> place, std::string_view name, uint64_t least = 1, uint64_t most = hour_ms) {
    return within(row(Type::time, place, name), least, most);
}

constexpr Row flag(Place<bool> place, std::string_view name, std::string_view hint = "yes or no") {
    return row(Type::flag, place, name, hint);
}

constexpr Row text(Place<std::string_view> place, std::string_view name, Key::Check accepts, std::string_view hint) {
    return row(Type::text, place, name, hint, accepts);
}

constexpr Row pairs(Place<Pairs> place, std::string_view name, Key::Check accepts, std::string_view hint) {
    return row(Type::pairs, place, name, hint, accepts);
}

constexpr Row with_values(Row key, Key::Check accepts_value) {
    key.accepts_value = accepts_value;
    return key;
}

constexpr Row words(Place<FixedList<std::string_view, limits::words_per_key>> place, std::string_view name,
                    Key::Check accepts, std::string_view hint) {
    return row(Type::words, place, name, hint, accepts);
}

constexpr Row networks(Place<FixedList<Network, limits::networks>> place, std::string_view name) {
    return row(Type::networks, place, name, network_hint);
}

constexpr Row access(std::string_view name, bool allows) {
    constexpr Place<FixedList<AccessRule, limits::networks>> place = FCGATE_AT(SiteSettings, access);
    Row key = row(Type::access, place, name, network_hint);
    key.allows = allows;
    return key;
}

consteval Row at_start(Row key) {
    if (key.place >= sizeof(StartSettings)) {
        abort();  // Settings::put_back() would not know it
    }
    key.at_start = true;
    return key;
}

// The row of a key that belongs to a feature: a build without it knows the key, and refuses it.
constexpr Row part_of(bool feature, std::string_view option, Row key) {
    if (!feature) {
        return {.name = key.name, .option = option};
    }
    return key;
}

constexpr Row of_spawn(Row key) {
    return part_of(features::spawn, "spawn", key);
}

constexpr Row of_auth(Row key) {
    return part_of(features::auth, "auth", key);
}

constexpr Row of_tls(Row key) {
    return part_of(features::tls, "tls", key);
}

// Without the feature its word among the values is refused.
constexpr Row with_word_of(bool feature, std::string_view option, Row key) {
    key.option = feature ? std::string_view() : option;
    return key;
}

constexpr Row of_syslog(Row key) {
    return with_word_of(features::syslog, "syslog", key);
}

}  // namespace fcgate::config::written
