// Owns: the answer to a request for a file: opening below the root, conditions, ranges, MIME type.
// Borrows: the root's descriptor, the MIME table, the text storage given for field values until the reply is queued.
// Must not touch: sockets, MHD, FastCGI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/http_date.hpp"
#include "base/text.hpp"
#include "files/conditions.hpp"
#include "files/file_cache.hpp"
#include "files/mime.hpp"
#include "http/message.hpp"
#include "route/router.hpp"

namespace fcgate::files {

// The value of Allow for what is only read.
inline constexpr std::string_view allowed_methods = "GET, HEAD, OPTIONS";

// Room in `text` for the fields of one file.
inline constexpr size_t field_text = 320;

// Fills `reply` for the file `path` (normalised, starts with '/') below `site`.
// 200 or 206 with the file open in reply.fd; 304, 412, 416 without; HEAD as GET, but the file is closed again and body
// is none. 405 with Allow for methods but GET, HEAD (OPTIONS: 204 with Allow, whatever the path). 403 when it may not
// be read or is no regular file, 404 when it is gone, 503 when descriptors have run out. Symbolic links that lead out
// of the root are 403: openat2(RESOLVE_BENEATH) where the kernel has it; what that refuses (it also refuses absolute
// links that lead back in) and older kernels are decided by /proc/self/fd. `text` holds the values of the fields: it
// has to live as long as `reply`. With a cache a small file is kept there under its key, and sent from it: reply.memory instead of reply.fd; the
// entry is returned. What is said of a large one is kept, and its whole reply has a ready_name. `now` is for Last-Modified and comparisons of dates.
const FileCache::Entry* serve(const route::SiteRoot& site, std::string_view path, const RequestHead& head,
                              const MimeTable& mime, TextBuffer& text, Reply& reply, int64_t now = wall_clock(),
                              FileCache* cache = nullptr, const CacheKey& key = {});
// The same for a file that the cache has given. `reply` comes with a ready_name when it is the same whenever the entry gives it.
void serve_cached(const route::SiteRoot& site, const FileCache::Entry& entry, const RequestHead& head,
                  const Selection& selection, const MimeTable& mime, TextBuffer& text, Reply& reply);
// What a request's conditions and range leave of it.
[[nodiscard]] Selection select_cached(const FileCache::Entry& entry, const RequestHead& head,
                                      int64_t now = wall_clock());
// What such a reply is called; 0: it is one of a kind.
[[nodiscard]] uint64_t name_of(const FileCache::Entry& entry, const RequestHead& head, const Selection& selection);

}  // namespace fcgate::files
