// Owns: how the compiler makes packed texts: the dictionary's codes, and the shortest row of them for a text.
// Must not touch: anything; nothing of it but the pairs and the packed bytes is in the program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "base/fragments.hpp"

namespace fcgate::packing {

// A code is any byte that our texts do not have: 0x80 to 0xff, then 0x01 to 0x1f without the newline. Turned around by 0x80 codes are one range,
// in which two stand for nothing: that of the final NUL, and the newline's.
constexpr unsigned turn = 0x80;
constexpr unsigned code_end = 0x80 + ' ';
constexpr size_t most_fragments = code_end - 2;
static_assert(std::size(fragments) <= most_fragments);

[[nodiscard]] constexpr unsigned turned(unsigned char byte) {
    return (byte + turn) & 0xffU;
}

[[nodiscard]] constexpr bool is_code(unsigned char byte) {
    return byte != '\n' && turned(byte) < code_end;
}

[[nodiscard]] constexpr unsigned char code_of(size_t fragment) {
    const size_t place = fragment + (fragment >= turn ? 1 : 0);
    return static_cast<unsigned char>(place - turn + (place >= turn + '\n' ? 1 : 0));
}

constexpr size_t longest_fragment = [] {
    size_t longest = 0;
    for (const std::string_view fragment : fragments) {
        longest = fragment.size() > longest ? fragment.size() : longest;
    }
    return longest;
}();

using Pair = std::array<unsigned char, 2>;

// Not for the compiler: a fragment is two characters, or one of them or both are fragments that stand before it.
inline void this_is_not_made_of_those_before() {}

// By code, turned: the two bytes that it stands for, each a code again or a character.
consteval std::array<Pair, code_end> make_pairs() {
    const auto code = [](std::string_view part, size_t before) -> unsigned char {
        for (size_t i = 0; part.size() > 1 && i < before; ++i) {
            if (fragments[i] == part) {
                return code_of(i);
            }
        }
        return static_cast<unsigned char>(part.size() == 1 ? part[0] : '\0');
    };
    std::array<Pair, code_end> pairs{};
    for (size_t i = 0; i < std::size(fragments); ++i) {
        Pair& pair = pairs[turned(code_of(i))];
        for (size_t at = 1; at < fragments[i].size() && (pair[0] == 0 || pair[1] == 0); ++at) {
            const std::string_view first(fragments[i].data(), at);
            const std::string_view second(fragments[i].data() + at, fragments[i].size() - at);
            pair = {code(first, i), code(second, i)};
        }
        if (pair[0] == 0 || pair[1] == 0) {
            this_is_not_made_of_those_before();
        }
    }
    return pairs;
}

// Of each character the fragments that begin with it.
struct Index {
    static constexpr uint8_t none = 0xff;
    uint8_t first[0x80];
    uint8_t next[std::size(fragments)];
};

constexpr Index index = [] {
    Index made{};
    for (uint8_t& first : made.first) {
        first = Index::none;
    }
    for (size_t i = 0; i < std::size(fragments); ++i) {
        uint8_t& first = made.first[static_cast<unsigned char>(fragments[i][0])];
        made.next[i] = first;
        first = static_cast<uint8_t>(i);
    }
    return made;
}();

[[nodiscard]] constexpr bool begins_with(const char* text, size_t size, std::string_view fragment) {
    size_t same = 1;
    while (same < fragment.size() && same < size && text[same] == fragment[same]) {
        ++same;
    }
    return same == fragment.size();
}

// One byte more than there is in a text of `Most` bytes: a final NUL.
template <size_t Most>
struct Bytes {
    unsigned char bytes[Most + 1];
    size_t size;
};

// Not for the compiler: a text with a byte that is a code cannot be packed, and here it says so.
inline void this_byte_cannot_be_packed() {}

// From its end on: for each place the least number of bytes, and the step that leads to it.
template <size_t Most>
constexpr Bytes<Most> pack(const char* text, size_t size) {
    size_t least[Most + 1]{};
    uint8_t step[Most + 1]{};
    for (size_t at = size; at-- > 0;) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if (is_code(byte)) {
            this_byte_cannot_be_packed();
        }
        least[at] = least[at + 1] + 1;
        step[at] = Index::none;
        for (uint8_t i = index.first[byte]; i != Index::none; i = index.next[i]) {
            const size_t length = fragments[i].size();
            if (begins_with(text + at, size - at, fragments[i]) && least[at + length] + 1 < least[at]) {
                least[at] = least[at + length] + 1;
                step[at] = i;
            }
        }
    }
    Bytes<Most> out{};
    for (size_t at = 0; at < size;) {
        const uint8_t i = step[at];
        out.bytes[out.size++] = i == Index::none ? static_cast<unsigned char>(text[at]) : code_of(i);
        at += i == Index::none ? 1 : fragments[i].size();
    }
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
    Kept<Packed.size + 1> kept{};
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
