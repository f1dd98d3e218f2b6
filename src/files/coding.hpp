// Owns: which content coding a client takes (RFC 9110 section 12.5.3), and what is worth coding.
// Must not touch: files. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.hpp"

namespace fcgate::files {

struct Coding {
    std::string_view name;    // "br"
    std::string_view suffix;  // of the file beside: ".br"
};
inline constexpr Coding codings[] = {{"br", ".br"}, {"gzip", ".gz"}};

// In thousandths: how much the client wants it; 0 is not at all. What it does not speak of it does not take.
[[nodiscard]] unsigned quality_of(const RequestHead& head, std::string_view coding);
// The same for the file as it is, which is taken unless refused, but last.
[[nodiscard]] unsigned quality_of_identity(const RequestHead& head);

// Whether files of this media type become smaller.
[[nodiscard]] bool is_compressible(std::string_view type);

}  // namespace fcgate::files
