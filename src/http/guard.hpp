// Owns: the strictness that does not depend on the version of libmicrohttpd: what a request head must be before anyone looks at it.
// Must not touch: microhttpd.h, sockets. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "http/message.hpp"

namespace fcgate::http {

struct Refusal {
    uint16_t status = 0;  // 0: the head is good
    Packed reason;
};

// RFC 9112 as strict as it allows: token names, no control bytes, exactly one Host for HTTP/1.1, no Content-Length beside
// Transfer-Encoding, one plain Content-Length, chunked as the only coding and not with HTTP/1.0, no expectation but
// 100-continue, versions 1.0 and 1.1. Fills in the head's framing. Any doubt: 400, and the connection ends.
[[nodiscard]] Refusal check_head(RequestHead& head, std::string_view version);

}  // namespace fcgate::http
