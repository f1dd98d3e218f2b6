// Owns: the few things that the daemon does with text: what printf() and strtoul() would bring along is larger than all the rest of it.
// Must not touch: stdio, which keeps what is written; here it is written at once.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "base/packed.hpp"

namespace fcgate::daemon {

// As vsnprintf(), of which there are %s, %u and %llu. False when not all of it fits: then its end is missing.
bool compose_list(char* out, size_t size, Packed pattern, va_list arguments);
bool compose_packed(char* out, size_t size, Packed pattern, ...);

template <typename Argument>
[[nodiscard]] consteval std::string_view letters_of() {
    return std::is_convertible_v<Argument, const char*>   ? "s"
           : std::is_same_v<Argument, unsigned>           ? "u"
           : std::is_same_v<Argument, unsigned long long> ? "llu"
                                                          : "";
}

// Whether the pattern takes arguments of these types.
template <packing::Literal Pattern, typename... Arguments>
[[nodiscard]] consteval bool takes() {
    constexpr std::string_view letters[] = {letters_of<Arguments>()..., ""};
    size_t taken = 0;
    // By number: with UBSan GCC 12 does not take what find() does with a template's text for a constant.
    for (size_t at = 0; Pattern.text[at] != '\0'; ++at) {
        if (Pattern.text[at] != '%') {
            continue;
        }
        const std::string_view wanted = letters[taken < sizeof...(Arguments) ? taken : sizeof...(Arguments)];
        for (size_t i = 0; i < wanted.size(); ++i) {
            if (Pattern.text[at + 1 + i] != wanted[i]) {
                return false;
            }
        }
        if (wanted.empty()) {
            return false;
        }
        ++taken;
    }
    return taken == sizeof...(Arguments);
}

// compose<"%u of %s">(out, size, number, text)
template <packing::Literal Pattern, typename... Arguments>
bool compose(char* out, size_t size, Arguments... arguments) {
    static_assert(takes<Pattern, Arguments...>(), "the arguments are not those of the pattern");
    return compose_packed(out, size, Packed(packing::Stored<Pattern>::kept.bytes), arguments...);
}

// Writes all of it; false when that fails.
[[nodiscard]] bool print(int fd, const char* text);

// A whole number of digits alone. False for anything else, and for 2^32 - 1 and more.
[[nodiscard]] bool parse_number(const char* text, unsigned& number);

}  // namespace fcgate::daemon
