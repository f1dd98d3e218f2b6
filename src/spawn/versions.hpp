// Owns: the search for a file with a version in its name, as distributions name PHP's programs and sockets.
// Must not touch: the files, nor what decides which of them will do.
#pragma once

#include <string_view>

#include "base/text.hpp"

namespace fcgate::spawn {

struct VersionedName {
    std::string_view folder;  // with the slash at its end
    std::string_view prefix;
    std::string_view suffix;
};

// `path` becomes the first that `will_do`: the name without a version, which somebody chose, then those with one (83, 8.2, -8.2), from the
// newest on. A glob() would need twenty kilobytes of musl.
[[nodiscard]] bool find_newest(const VersionedName& name, bool (*will_do)(const char* path), TextBuffer& path);

}  // namespace fcgate::spawn
