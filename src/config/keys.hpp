// Owns: the tables of all keys: names, ranges, what is right, what is not built yet.
// Borrows: the values given to it; sections keep views of them, so they must live as long as the settings.
// Must not touch: how a section is found or made; files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate::config {

enum class SectionKind : uint8_t { server, backend, site };

[[nodiscard]] std::string_view kind_name(SectionKind kind);

// The two values of a flag.
struct Choice {
    std::string_view off = "no";
    std::string_view on = "yes";
};

struct Key {
    // How a value is written, and with that the C++ type behind `at`.
    enum class Type : uint8_t {
        number,
        size,
        time,
        flag,
        log_level,
        text,
        address,
        listen,
        words,
        index,
        pairs,
        networks,
        access,  // allow and deny: one list
        unbuilt
    };

    std::string_view name;
    Type type = Type::unbuilt;
    bool allows = false;    // access
    bool at_start = false;  // a reload does not change it: memory is carved by it, or privileges are needed
    // Where the value stands in ServerSettings, BackendSettings or SiteSettings.
    void* (*at)(void* section) = nullptr;
    uint64_t least = 0;  // number, size (bytes), time (ms)
    uint64_t most = 0;
    bool (*accepts_value)(std::string_view text) = nullptr;  // of a pair
    bool (*accepts)(std::string_view text) = nullptr;        // text; each word of words and index; the name of a pair
    const char* hint = "";                                   // completes "..., write "
    const Choice* choice = nullptr;                          // flag: what it is called, where not no and yes
    // Not supported yet: any value but `only`, when that is given; every value with the word `not_yet`, which may be that of an `option`.
    const char* only = nullptr;
    const char* not_yet = nullptr;
    const char* option = nullptr;  // of Meson, by which this build is without it
};

// In the order in which print() shows them.
[[nodiscard]] std::span<const Key> keys_of(SectionKind kind);
[[nodiscard]] const Key* find_key(SectionKind kind, std::string_view name);

// Says on `message` which key or section could have been meant, if one is near.
void suggest_key(SectionKind kind, std::string_view name, TextBuffer& message);
void suggest_kind(std::string_view name, TextBuffer& message);

// True for what a key adds to instead of replacing; an empty value takes all values away.
[[nodiscard]] bool is_repeatable(const Key& key);
// True when the section keeps views of the value.
[[nodiscard]] bool keeps_text(const Key& key);

// Sets one value; `section` is the settings object of the key's kind. On failure the section has not changed and
// `message` says what is wrong and what would be right: malformed, too_large (no room in a list), refused (not
// supported yet).
[[nodiscard]] Status set_value(const Key& key, void* section, std::string_view value, TextBuffer& message);
void clear_values(const Key& key, void* section);

// What is set: one value, of repeatable keys any number.
[[nodiscard]] size_t count_values(const Key& key, const void* section);
void print_value(const Key& key, const void* section, size_t number, TextBuffer& out);

}  // namespace fcgate::config
