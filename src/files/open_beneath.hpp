// Owns: opening a file for reading without leaving a folder, and without ever waiting for a FIFO or waking a device.
// Borrows: the folder's descriptor.
// Must not touch: HTTP.
#pragma once

#include <span>
#include <string_view>

#include "base/status.hpp"

namespace fcgate::files {

using Folders = std::span<const std::string_view>;

// Opens `path` (starts with '/', no ".." segments) below `root` and returns a descriptor of the caller's, of whatever
// kind of file it is: fstat() it before it is read. Symbolic links are followed as long as they end below `root`, or below
// one of the folders `beyond`, which are named without links on their way.
// not_found; denied: no permission, or outside, or a socket; too_large: the name; exhausted: no descriptor left; io
// otherwise.
[[nodiscard]] Result<int> open_beneath(int root, std::string_view path, Folders beyond = {});

// The same without opening it: a mere reference (O_PATH), also to what may not be read.
[[nodiscard]] Result<int> refer_beneath(int root, std::string_view path, Folders beyond = {});

// open_beneath() without openat2(), for kernels before 5.6.
[[nodiscard]] Result<int> open_beneath_by_name(int root, std::string_view path, Folders beyond = {});

}  // namespace fcgate::files
