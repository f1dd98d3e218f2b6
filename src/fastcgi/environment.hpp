// Owns: the CGI/1.1 environment of a request (RFC 3875 section 4.1), as php-fpm wants it.
// Borrows: the request and the texts, for the call.
// Must not touch: sockets, MHD, the event loop, the file system.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "config/settings.hpp"
#include "fastcgi/params.hpp"
#include "http/message.hpp"

namespace fcgate::fastcgi {

// What the values of variables are made of.
namespace cgi {
enum Text : uint8_t {
    nothing,
    // Given
    document_root,    // absolute, without a trailing slash
    script_name,      // "/index.php"
    path_info,        // decoded; "/a/b", or empty
    query,            // still encoded, without '?'
    host_name,        // without port; empty: the local address stands in
    host_port,        // counts behind a trusted proxy alone
    server_software,  // "fcgate/1.0"
    redirect_status,  // of the error that a script makes the page for; empty: 200
    remote_user,      // whose password was right; empty: none was asked for
    auth_type,        // ... and how
    // Worked out
    method,
    uri_slash,
    uri_rest,
    root_or_slash,
    interface,
    protocol,
    local,
    server_port,
    remote,
    remote_port,
    scheme,
    https,
    opening,
    server_name,
    closing,
    content_type,
    text_count,
};
}  // namespace cgi

struct CgiRequest {
    const RequestHead& head;
    std::array<std::string_view, cgi::text_count> texts = {};
    std::span<const Pair> params = {};  // of the site; the last of one name holds
    uint64_t body_length = 0;           // so much STDIN follows
    bool drops_forwarded = false;       // what only a trusted proxy may say has been said by somebody else
};

// Adds each variable once. A configured param replaces what the request would give, but for CONTENT_LENGTH: that one
// frames STDIN.
//
// Header fields become HTTP_ variables, except
// - names with anything but letters, digits and '-': PHP makes one variable of "X_Real_IP", "X.Real.IP" and "X-Real-IP", and the
//   first two would slip past a proxy that guards the third;
// - Proxy (httpoxy: HTTP_PROXY steers the HTTP clients of scripts) and Redirect-Status (CVE-2024-8927: php-cgi's guard);
// - Content-Type and Content-Length, which have variables of their own;
// - X-Forwarded-*, Forwarded and X-Real-IP of a client that is no trusted proxy, where there is one: scripts believe them;
// - hop-by-hop fields. What Connection lists besides them stays: the message ends here and goes to no further hop, so
//   nothing can go wrong with such a field kept, but a client could make one vanish that a proxy before us has set
//   (X-Real-IP) or that a script's check needs (Origin, Cookie, Authorization).
// A repeated field is joined at its first place with ", ", Cookie with "; " (RFC 3875 section 4.1.18, RFC 6265 section 5.4).
void write_environment(CgiRequest& request, ParamsWriter& writer);

}  // namespace fcgate::fastcgi
