// Owns: the search for a file with a version in its name, as distributions name PHP's programs and sockets.
// Must not touch: the files, nor what decides which of them will do.
#pragma once

#include <string_view>

#include "base/text.hpp"

namespace fcgate::spawn {

// `patterns` are parted by spaces; in a file's name the version stands for a '*': "/usr/bin/php*-fpm". `path` becomes the first that `will_do`: of
// each pattern the name without a version, which somebody chose, then those with one (83, 8.2, -8.2), from the newest on. A glob() would need
// twenty kilobytes of musl.
[[nodiscard]] bool find_newest(std::string_view patterns, bool (*will_do)(const char* path), TextBuffer& path);

}  // namespace fcgate::spawn
