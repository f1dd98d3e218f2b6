// Owns: patterns: packed texts with places, each a '%', for values; which value goes into which place is checked by the compiler.
//     out.append<"more than % values">(capacity);   line.add<"cannot open %: %">(path, SystemError{errno});
// A '%' of the text itself is a value too. One call with a pattern takes a third of the room of a call for each of its pieces.
// Must not touch: anything; base/text.cpp fills patterns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/packed.hpp"

namespace fcgate {

// What somebody else has written: bytes that are no printable ASCII as \xNN, at most `limit` bytes of input, then "...".
struct Escaped {
    std::string_view text;
    size_t limit = 256;
};

// The system's words for an error number.
struct SystemError {
    int number;
};

namespace pattern {

// What stands behind a '%' in a pattern that has been made, and with that how the value is passed.
enum Letter : char {
    as_c_string = 's',
    as_text = 't',
    as_packed = 'p',
    as_escaped = 'e',
    as_character = 'c',
    as_number = 'u',
    as_long_number = 'l',
    as_error = 'm',
};

template <typename Value>
[[nodiscard]] consteval Letter letter_of() {
    if constexpr (std::is_convertible_v<Value, const char*>) {
        return as_c_string;
    } else if constexpr (std::is_convertible_v<Value, std::string_view>) {
        return as_text;
    } else if constexpr (std::is_same_v<Value, Packed>) {
        return as_packed;
    } else if constexpr (std::is_same_v<Value, Escaped>) {
        return as_escaped;
    } else if constexpr (std::is_same_v<Value, SystemError>) {
        return as_error;
    } else if constexpr (std::is_same_v<Value, char>) {
        return as_character;
    } else {
        static_assert(std::is_integral_v<Value>, "no pattern has a place for that");
        return sizeof(Value) <= sizeof(unsigned) ? as_number : as_long_number;
    }
}

// Through `...` go simple types only.
struct PassedText {
    const char* data;
    size_t size;
};

struct PassedEscaped {
    PassedText text;
    size_t limit;
};

[[nodiscard]] constexpr PassedText pass_text(std::string_view text) {
    return {text.data(), text.size()};
}

template <typename Value>
[[nodiscard]] constexpr auto passed(Value value) {
    constexpr Letter letter = letter_of<Value>();
    if constexpr (letter == as_c_string) {
        return static_cast<const char*>(value);
    } else if constexpr (letter == as_text) {
        return pass_text(value);
    } else if constexpr (letter == as_packed) {
        return value.bytes();
    } else if constexpr (letter == as_escaped) {
        return PassedEscaped{pass_text(value.text), value.limit};
    } else if constexpr (letter == as_number) {
        return static_cast<unsigned>(value);
    } else if constexpr (letter == as_long_number) {
        return static_cast<uint64_t>(value);
    } else {
        return value;
    }
}

// Not for the compiler: there are more or fewer places than values, and here it says so.
inline void these_values_are_not_those_of_the_pattern() {}

// The pattern with the letter of each value behind its '%'.
template <packing::Literal Text, typename... Values>
[[nodiscard]] consteval auto with_letters() {
    constexpr Letter letters[] = {letter_of<Values>()..., as_text};
    char made[sizeof Text.text + sizeof...(Values)]{};
    size_t size = 0;
    size_t taken = 0;
    for (size_t at = 0; Text.text[at] != '\0'; ++at) {
        made[size++] = Text.text[at];
        if (Text.text[at] != '%') {
            continue;
        }
        if (taken < sizeof...(Values)) {
            made[size++] = letters[taken++];
        } else {
            these_values_are_not_those_of_the_pattern();
        }
    }
    if (taken != sizeof...(Values)) {
        these_values_are_not_those_of_the_pattern();
    }
    return packing::Literal<sizeof made>(made);
}

template <packing::Literal Text, typename... Values>
[[nodiscard]] constexpr Packed packed() {
    return Packed(packing::Stored<with_letters<Text, Values...>()>::kept.bytes);
}

}  // namespace pattern

}  // namespace fcgate
