// Owns: the media types of file names.
// Must not touch: files. A table read from `mime_types` over the built-in one would be held here.
#pragma once

#include <string_view>

namespace fcgate::files {

class MimeTable {
  public:
    // By what follows the last dot of the last segment, without case. Static text: valid for ever. Text types carry
    // charset=utf-8. What is not known is application/octet-stream, which no browser renders.
    [[nodiscard]] std::string_view lookup(std::string_view path) const;
};

}  // namespace fcgate::files
