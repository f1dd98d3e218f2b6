// Owns: which site answers to a Host, and which Hosts are known at all.
// Must not touch: files, sockets; the machine's name is given to it.
#pragma once

#include <string_view>

#include "base/status.hpp"
#include "config/settings.hpp"

namespace fcgate::route {

struct HostPort {
    std::string_view name;  // without brackets for an IPv6 literal; a trailing dot is cut
    std::string_view port;  // digits, or empty
    bool is_ip = false;
};

// Splits and checks a Host field value (RFC 9110 section 7.2): reg-name of letters, digits, '-', '_', '.', an IPv4
// address or a bracketed IPv6 literal, an optional port of 0 to 65535. malformed for anything else.
[[nodiscard]] Status parse_host(std::string_view value, HostPort& out);

// Finds the site for a Host. An exact name beats the longest matching `*.suffix`, which beats `*`. Else the first
// (default) site, if the rebinding rule lets it: the configuration has a single site without `host`, or the name is an
// IP literal, localhost, or the machine's name (bare, .local, .lan). not_found: the name is unknown, to be answered
// 421. A request without a Host (HTTP/1.0) has a default HostPort: only `*` and the single site without `host` take it.
[[nodiscard]] Result<size_t> find_site(const Settings& settings, const HostPort& host, std::string_view machine_name);

}  // namespace fcgate::route
