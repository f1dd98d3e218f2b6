// Owns: conditional and range requests (RFC 9110 sections 13 and 14) for a representation whose bytes are all there.
// Borrows: the request's head and the validators, during the call.
// Must not touch: files, clocks. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text.hpp"
#include "http/message.hpp"

namespace fcgate::files {

// What names one state of a representation.
struct Validators {
    std::string_view etag;  // strong, with its quotes
    int64_t modified = 0;
    std::string_view last_modified;  // as it is told: not later than now; may be empty
};

struct Selection {
    enum class Kind : uint8_t {
        whole,          // 200
        part,           // 206: `length` bytes from `offset`
        not_modified,   // 304
        failed,         // 412
        unsatisfiable,  // 416
    };

    Kind kind = Kind::whole;
    uint64_t offset = 0;
    uint64_t length = 0;  // of whole and part
};

// What the conditions and the range of the request leave, in the order of RFC 9110 section 13.2.2.
[[nodiscard]] Selection select(const RequestHead& head, const Validators& validators, uint64_t size, int64_t now);

// The Range field alone: part, unsatisfiable, or whole for anything this server need not understand: other units,
// several ranges,
// malformed ones. (Several ranges would multiply one request's work.)
[[nodiscard]] Selection select_range(std::string_view value, uint64_t size);

// Whether an If-Match or If-None-Match value names `etag`; "*" names any. Elements that are no entity tags name
// nothing.
[[nodiscard]] bool matches_strong(std::string_view list, std::string_view etag);
[[nodiscard]] bool matches_weak(std::string_view list, std::string_view etag);

// A strong entity tag of a file's size and time of change. `release`, if there is one, tells images of the firmware
// apart whose files all carry the same time: letters, digits and "-._" alone.
void append_etag(TextBuffer& out, uint64_t size, int64_t seconds, uint32_t nanoseconds, std::string_view release = {});

}  // namespace fcgate::files
