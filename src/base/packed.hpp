// Owns: texts that are read seldom, at about half their size: "cannot open "_p is packed by the compiler, one byte for each frequent fragment
// (base/fragments.hpp), and unpacked character by character, without a buffer, where it is appended.
// Must not touch: what is needed as a C string, compared, or written for each request: such texts stay plain. So do those with other bytes than ASCII.
#pragma once

#include "base/packing.hpp"

namespace fcgate {

class Packed {
  public:
    constexpr Packed() = default;  // ""
    constexpr explicit Packed(const unsigned char* bytes) : bytes_(bytes) {}

    [[nodiscard]] constexpr bool empty() const { return *bytes_ == '\0'; }
    [[nodiscard]] constexpr const unsigned char* bytes() const { return bytes_; }

  private:
    static constexpr unsigned char nothing[1] = {};
    const unsigned char* bytes_ = nothing;
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
    const unsigned char* text_;
    unsigned depth_ = 0;
    unsigned char waiting_[packing::longest_fragment];  // second halves of the codes that are open
};

}  // namespace fcgate
