// Owns: the page that shows what is in a folder.
// Borrows: the site, and the memory for names and page, during the call.
// Must not touch: HTTP, sockets.
#pragma once

#include <span>
#include <string_view>

#include "base/limits.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "route/router.hpp"

namespace fcgate::files {

// Room for names and what is known of each.
inline constexpr size_t listing_memory = limits::listing_entries * 96;
inline constexpr size_t listing_page = limits::listing_page;

// Writes the page for the folder `path` (normalised, with its slash) below the site's root: folders first, then files, each by name, with size
// and time of change. Left out is what a request would be refused: hidden names, copies of scripts, links that lead out of the root, internal
// folders, what is neither file nor folder. Of more entries than there is room for, the page says that there are more.
// not_found, denied, exhausted, io: the folder cannot be read.
[[nodiscard]] Status list_folder(const route::SiteRoot& site, std::string_view path, std::span<char> memory,
                                 TextBuffer& page);

}  // namespace fcgate::files
