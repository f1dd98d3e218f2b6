// Owns: which content coding a client takes (RFC 9110 section 12.5.3), and what is worth coding.
// Must not touch: files. Pure.
#pragma once

#include <array>
#include <iterator>
#include <string_view>

#include "http/message.hpp"

namespace fcgate::files {

struct Coding {
    std::string_view name;    // "br"
    std::string_view suffix;  // of the file beside: ".br"
};
inline constexpr Coding codings[] = {{"br", ".br"}, {"gzip", ".gz"}};

// In thousandths, how much the client wants each of `codings`, and behind them the file as it is; 0 is not at all. Of codings it does not take what it
// does not speak of; the file as it is is taken unless refused, but last.
using Wishes = std::array<unsigned, std::size(codings) + 1>;
[[nodiscard]] Wishes wishes_of(const RequestHead& head);

// Whether files of this media type become smaller.
[[nodiscard]] bool is_compressible(std::string_view type);

}  // namespace fcgate::files
