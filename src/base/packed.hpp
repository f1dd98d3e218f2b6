// Owns: texts that are read seldom, at less than half their size: "cannot open "_p is packed by the compiler, a few bits for each frequent fragment
// (base/fragments.hpp), and unpacked character by character, without a buffer, where it is appended.
// Must not touch: what is needed as a C string, compared, or written for each request: such texts stay plain. So do those with other bytes than ASCII.
#pragma once

#include "base/packing.hpp"

namespace fcgate {

class Packed {
  public:
    constexpr Packed() = default;  // ""
    constexpr explicit Packed(const unsigned char* bytes) : bytes_(bytes) {}

    [[nodiscard]] constexpr bool empty() const {
        constexpr packing::Code end = packing::index.codes[packing::index.end];
        static_assert(end.length <= 8);
        return *bytes_ >> (8 - end.length) == end.bits;
    }
    [[nodiscard]] constexpr const unsigned char* bytes() const { return bytes_; }

  private:
    static constexpr auto nothing = packing::pack<0>("", 0);
    const unsigned char* bytes_ = nothing.bytes;
};

// Not consteval: Clang 14 calls such a function from `a ? "b"_p : "c"_p`, and it is nowhere. What it returns is a constant in any case.
template <packing::Literal Text>
constexpr Packed operator""_p() {
    return Packed(packing::Stored<Text>::kept.bytes);
}

// A text on its way out: `Unpacking rest(text); while (const char c = rest.next()) ...`
class Unpacking {
  public:
    explicit Unpacking(Packed text) : text_(text.bytes()) {}

    [[nodiscard]] char next();  // '\0' at the end

  private:
    [[nodiscard]] unsigned next_symbol();

    const unsigned char* text_;
    unsigned bits_ = 0;  // taken
    unsigned depth_ = 0;
    uint16_t waiting_[packing::longest_fragment];  // second halves of the fragments that are open
};

}  // namespace fcgate
