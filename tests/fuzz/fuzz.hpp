// What all fuzz targets share: the entry that libFuzzer (or replay.cpp) calls, and by support/world.hpp the way a target says that a
// promise is broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "support/world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace fcgate::test {

inline std::string_view as_text(const uint8_t* data, size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Cuts the text into lines at LF.
inline bool next_line(std::string_view& rest, std::string_view& line) {
    if (rest.empty()) {
        return false;
    }
    line = split_first(rest, '\n', rest);
    return true;
}

}  // namespace fcgate::test
