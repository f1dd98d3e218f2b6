// Owns: text looked at a machine word at a time: 4 or 8 characters for the price of one or two.
// Borrows: the text, for a call. Nothing here depends on the order of a word's bytes.
// Must not touch: what the characters mean.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fcgate::words {

using Word = uintptr_t;

inline constexpr Word ones = UINTPTR_MAX / 0xff;
inline constexpr Word tops = ones * 0x80;

[[nodiscard]] inline Word load(const char* from) {
    Word word = 0;
    memcpy(&word, from, sizeof word);
    return word;
}

[[nodiscard]] constexpr bool is_ascii(Word word) {
    return (word & tops) == 0;
}

// The top bit of each byte that is from `first` to `last`. Of an ASCII word alone: no byte carries into its neighbour then.
[[nodiscard]] constexpr Word in_range(Word word, unsigned char first, unsigned char last) {
    return (word + ones * (0x80U - first)) & ~(word + ones * (0x7fU - last)) & tops;
}

// True when each byte is a letter, a digit or '-', of which nearly every field name is made.
[[nodiscard]] inline bool is_plain(Word word) {
    const Word plain = in_range(word | ones * 0x20, 'a', 'z') | in_range(word, '0', '9') | in_range(word, '-', '-');
    return is_ascii(word) && plain == tops;
}

// Calls `take` with each word of the text while it says true. The last word overlaps the one before, and of a text shorter than a word
// there is none. Returns the first character that was in no word `take` agreed to.
template <typename Take>
[[nodiscard]] const char* for_each(std::string_view text, Take take) {
    const char* from = text.data();
    if (text.size() < sizeof(Word)) {
        return from;
    }
    const char* const end = from + text.size();
    const char* const last = end - sizeof(Word);
    while (take(load(from))) {
        if (from == last) {
            return end;
        }
        from = std::min(from + sizeof(Word), last);
    }
    return from;
}

}  // namespace fcgate::words
