// What all fuzz targets share: the entry that libFuzzer (or replay.cpp) calls, and the way a target says that a promise is broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace fcgate::test {

// A broken promise ends the process, so that libFuzzer keeps the input.
inline void promise(bool kept, const char* what, int line = __builtin_LINE()) {
    if (!kept) {
        (void)fprintf(stderr, "line %d: not kept: %s\n", line, what);
        abort();
    }
}

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
