// Owns: the tables of all keys: names, ranges, what is right, what is not built yet.
// Borrows: the values given to it; sections keep views of them, so they must live as long as the settings.
// Must not touch: how a section is found or made; files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate::config {

enum class SectionKind : uint8_t { server, backend, site };

[[nodiscard]] std::string_view kind_name(SectionKind kind);
void print_heading(SectionKind kind, std::string_view name, TextBuffer& out);  // "[site NAME]"

struct Key {
    // How a value is written, and with that the C++ type of the member.
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

    // What a text must be, by its number in a list.
    struct Check {
        uint8_t number = 0;  // anything is right
        bool operator()(std::string_view text) const;
        bool operator==(const Check&) const = default;
    };
    struct Range {
        uint64_t least = 0;
        uint64_t most = 0;
        bool operator==(const Range&) const = default;
    };

    std::string_view name;
    Packed hint;  // completes "..., write "; of a flag its two values: "yes or no"
    // Of Meson, by which this build is without the key, or, when it has a type, without this word among its values.
    std::string_view option;
    Range range;  // number, size (bytes), time (ms)
    Type type = Type::unbuilt;
    bool allows = false;    // access
    bool at_start = false;  // a reload does not change it: memory is carved by it, or privileges are needed
    uint16_t place = 0;     // of the value in ServerSettings, BackendSettings or SiteSettings, in bytes
    Check accepts;          // text; each word of words and index; the name of a pair
    Check accepts_value;    // of a pair
};

// Keys have numbers, in the order in which print() shows them.
struct KeyNumbers {
    size_t first;
    size_t end;
};
[[nodiscard]] KeyNumbers keys_of(SectionKind kind);
[[nodiscard]] Key key_at(size_t number);
// False when there is none.
[[nodiscard]] bool find_key(SectionKind kind, std::string_view name, Key& key);

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

// Room for whatever configuration there can be, as print() shows it.
inline constexpr size_t printed_most = size_t{96} * 1024;

// What is set: one value, of repeatable keys any number.
[[nodiscard]] size_t count_values(const Key& key, const void* section);
void print_value(const Key& key, const void* section, size_t number, TextBuffer& out);

}  // namespace fcgate::config
