// Owns: how the compiler makes packed texts: the symbols' codes, and the shortest row of them for a text.
// Must not touch: anything; nothing of it but the table of symbols and the packed bytes is in the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "base/fragments.hpp"

namespace fcgate::packing {

// A symbol's number is its place among all of them, and so in the order of their codes (canonical Huffman codes: those of one length are
// numbers that follow each other, the shorter ones before the longer). A code's first bit is the highest of its byte that is not taken.
constexpr size_t most_symbols = 512;
constexpr size_t symbol_count = std::size(symbols);
constexpr unsigned number_bits = 9;
static_assert(symbol_count <= most_symbols && most_symbols == 1U << number_bits);

constexpr size_t longest_fragment = [] {
    size_t longest = 0;
    for (const std::string_view symbol : symbols) {
        longest = symbol.size() > longest ? symbol.size() : longest;
    }
    return longest;
}();

struct Code {
    uint16_t bits;
    uint8_t length;
};

// What is asked of the symbols for each text, by symbol and by a text's next character.
struct Index {
    static constexpr uint16_t none = 0xffff;
    uint16_t end;          // the symbol that ends a text
    uint16_t first[0x80];  // of those that begin with the character
    uint16_t next[symbol_count];
    Code codes[symbol_count];
};

constexpr Index index = [] {
    Index made{};
    for (uint16_t& first : made.first) {
        first = Index::none;
    }
    size_t number = 0;
    unsigned code = 0;
    uint8_t length = 0;
    for (const size_t count : code_counts) {
        ++length;
        code *= 2;
        for (size_t i = 0; i < count; ++i, ++code, ++number) {
            made.codes[number] = {static_cast<uint16_t>(code), length};
            const std::string_view symbol = symbols[number];
            uint16_t& place = symbol.empty() ? made.end : made.first[static_cast<unsigned char>(symbol[0])];
            made.next[number] = place;
            place = static_cast<uint16_t>(number);
        }
    }
    return made;
}();

[[nodiscard]] constexpr uint16_t number_of(std::string_view symbol) {
    uint16_t number = index.first[static_cast<unsigned char>(symbol[0])];
    while (number != Index::none && symbols[number] != symbol) {
        number = index.next[number];
    }
    return number;
}

// Not for the compiler: a fragment is two symbols.
inline void this_is_not_made_of_two_symbols() {}

// By symbol the two that it stands for, `number_bits` for each, the first in the low ones. Beside a character's byte stands the end, which is no part of
// a fragment; and beside that of no character, which is the end itself.
struct Pairs {
    static constexpr unsigned bits = 2 * number_bits;
    unsigned char bytes[(symbol_count * bits + 7) / 8 + 3];  // the last one can be read as four bytes too
};

consteval Pairs make_pairs() {
    Pairs pairs{};
    for (size_t number = 0; number < symbol_count; ++number) {
        const std::string_view symbol = symbols[number];
        size_t first = symbol.empty() ? 0 : static_cast<unsigned char>(symbol[0]);
        size_t second = index.end;
        for (size_t at = 1; at < symbol.size() && second == index.end; ++at) {
            first = number_of({symbol.data(), at});
            const uint16_t rest = number_of({symbol.data() + at, symbol.size() - at});
            second = first == Index::none || rest == Index::none ? second : rest;
        }
        if (symbol.size() > 1 && second == index.end) {
            this_is_not_made_of_two_symbols();
        }
        const size_t pair = first | second << number_bits;
        for (size_t bit = 0; bit < Pairs::bits; ++bit) {
            const size_t place = number * Pairs::bits + bit;
            pairs.bytes[place / 8] =
                static_cast<unsigned char>(pairs.bytes[place / 8] | (pair >> bit & 1) << place % 8);
        }
    }
    return pairs;
}

[[nodiscard]] constexpr bool begins_with(const char* text, size_t size, std::string_view fragment) {
    size_t same = 1;
    while (same < fragment.size() && same < size && text[same] == fragment[same]) {
        ++same;
    }
    return same == fragment.size();
}

// No symbol's code takes more than two bytes, that of the end neither.
template <size_t Most>
struct Bytes {
    unsigned char bytes[2 * Most + 2];
    size_t size;
};

// Not for the compiler: a text with a character that is no symbol cannot be packed, and here it says so.
inline void this_byte_cannot_be_packed() {}

// From its end on: for each place the least number of bits, and the symbol that leads to it.
template <size_t Most>
constexpr Bytes<Most> pack(const char* text, size_t size) {
    static_assert(std::size(code_counts) <= 16);
    size_t least[Most + 1]{};
    uint16_t step[Most + 1]{};
    step[size] = index.end;
    for (size_t at = size; at-- > 0;) {
        step[at] = Index::none;
        for (uint16_t i = index.first[static_cast<unsigned char>(text[at])]; i != Index::none; i = index.next[i]) {
            const size_t length = symbols[i].size();
            if (begins_with(text + at, size - at, symbols[i])) {
                const size_t bits = least[at + length] + index.codes[i].length;
                if (step[at] == Index::none || bits < least[at]) {
                    least[at] = bits;
                    step[at] = i;
                }
            }
        }
        if (step[at] == Index::none) {
            this_byte_cannot_be_packed();
        }
    }
    Bytes<Most> out{};
    size_t bits = 0;
    for (size_t at = 0; at <= size; at += at < size ? symbols[step[at]].size() : 1) {
        const Code code = index.codes[step[at]];
        for (unsigned bit = code.length; bit-- > 0; ++bits) {
            out.bytes[bits / 8] =
                static_cast<unsigned char>(out.bytes[bits / 8] | (code.bits >> bit & 1U) << (7 - bits % 8));
        }
    }
    out.size = (bits + 7) / 8;
    return out;
}

// A text of the source, as a constant.
template <size_t Size>
struct Literal {
    char text[Size];

    consteval Literal(const char (&literal)[Size]) {  // NOLINT(google-explicit-constructor): that is its use
        for (size_t i = 0; i < Size; ++i) {
            text[i] = literal[i];
        }
    }
};

template <size_t Size>
struct Kept {
    unsigned char bytes[Size];
};

template <const auto& Packed>
consteval auto keep() {
    Kept<Packed.size> kept{};
    for (size_t i = 0; i < Packed.size; ++i) {
        kept.bytes[i] = Packed.bytes[i];
    }
    return kept;
}

// NOLINTBEGIN(bugprone-dynamic-static-initializers): clang-tidy 14 does not see that what depends on Text is constant.
template <Literal Text>
struct Stored {
    static constexpr auto packed = pack<sizeof Text.text - 1>(Text.text, sizeof Text.text - 1);
    static constexpr auto kept = keep<packed>();
};
// NOLINTEND(bugprone-dynamic-static-initializers)

}  // namespace fcgate::packing
