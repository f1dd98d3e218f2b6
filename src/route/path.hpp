// Owns: the rules of request targets and paths: split, decode once, normalise, refuse.
// Borrows: the target; results point into it or into the caller's buffer.
// Must not touch: files, sockets, the configuration. Pure.
#pragma once

#include <span>
#include <string_view>

#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate::route {

// The parts of a request target (RFC 9112 section 3.2), all still encoded.
struct Target {
    std::string_view authority;  // of the absolute form, without userinfo; else empty
    std::string_view path;       // starts with '/'; "*" for the asterisk form
    std::string_view query;      // behind the first '?', without it
    bool has_query = false;
    bool is_asterisk = false;  // OPTIONS *
};

// Takes origin form, absolute form (http and https) and asterisk form apart. malformed for anything else: no leading
// '/', an authority with userinfo, a fragment, a byte below 0x21 or above 0x7e.
[[nodiscard]] Status split_target(std::string_view target, Target& out);

// Decodes percent-encoding once and removes dot segments and doubled slashes. The result starts with '/' and has no
// empty, "." or ".." segment; a trailing slash stays.
// malformed: a bad or truncated escape, an encoded NUL or control byte (also 0x7f), a literal or encoded backslash.
// refused: ".." that would leave the root, an encoded slash (it would make two readings of one path).
// too_large: `out` is too small (the decoded path is never longer than the encoded one).
[[nodiscard]] Result<std::string_view> normalise_path(std::string_view encoded, std::span<char> out);

// True when normalise_path() makes such a path of nothing: a file of that name cannot be asked for.
[[nodiscard]] bool has_refused_byte(std::string_view path);

// True when a segment starts with a dot, but for the first segment ".well-known" (RFC 8615), or is a short name, "CONFIG~1.BAK", by which VFAT
// finds a file of any other name.
[[nodiscard]] bool has_hidden_segment(std::string_view path);

// True when the path is one of these folders or below one. Compared as VFAT does, without case and without dots and spaces at the end of names.
[[nodiscard]] bool is_below(std::string_view path, std::span<const std::string_view> folders);

// The way back: appends a decoded path percent-encoded, for a Location. A normalised path starts with one slash only,
// so the result can never be read as "//host".
void append_encoded_path(TextBuffer& out, std::string_view path);

}  // namespace fcgate::route
