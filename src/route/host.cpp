#include "route/host.hpp"

#include <cstdint>

#include "base/endpoint.hpp"
#include "base/text.hpp"

namespace fcgate::route {

namespace {

constexpr size_t longest_name = 255;  // RFC 1035 section 2.3.4
constexpr uint64_t last_port = 65535;

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > longest_name || text.front() == '.') {
        return false;
    }
    char previous = '\0';
    for (const char c : text) {
        const bool alphanumeric = is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
        if (!alphanumeric && c != '-' && c != '_' && (c != '.' || previous == '.')) {
            return false;
        }
        previous = c;
    }
    return true;
}

bool is_port(std::string_view text) {
    if (text.empty()) {
        return true;  // RFC 3986 section 3.2.3: "host:" is "host"
    }
    const Result<uint64_t> port = parse_decimal(text);
    return text.size() <= 5 && port.ok() && port.value() <= last_port;
}

// Takes "[2001:db8::1]" off the front of `rest`.
Status take_ipv6(std::string_view& rest, HostPort& out) {
    const size_t end = rest.find(']');
    if (end == std::string_view::npos) {
        return Status::malformed;
    }
    out.name = slice(rest, 1, end - 1);
    rest = slice(rest, end + 1);
    // A zone names an interface of the client's; RFC 6874 section 3 keeps it out of the Host field.
    const bool is_address = out.name.find(':') != std::string_view::npos &&
                            out.name.find('%') == std::string_view::npos && Endpoint::parse_ip(out.name, 0).ok();
    out.is_ip = true;
    return is_address ? Status::ok : Status::malformed;
}

Status take_name(std::string_view& rest, HostPort& out) {
    const size_t colon = rest.find(':');
    out.name = slice(rest, 0, colon);
    rest = slice(rest, colon);
    if (!is_name(out.name)) {
        return Status::malformed;
    }
    if (out.name.ends_with('.')) {
        out.name.remove_suffix(1);
    }
    out.is_ip = Endpoint::parse_ip(out.name, 0).ok();
    return Status::ok;
}

// How well a `host` entry fits: 0 not at all, 1 for "*", more for a longer suffix, most for the name itself.
size_t match(std::string_view entry, const HostPort& host) {
    constexpr size_t exact = SIZE_MAX;
    if (entry == "*") {
        return 1;
    }
    if (starts_with(entry, "*.")) {
        const std::string_view suffix = slice(entry, 1);
        return !host.is_ip && ends_with_ignore_case(host.name, suffix) ? entry.size() : 0;
    }
    return equals_ignore_case(entry, host.name) ? exact : 0;
}

bool is_bare_or_local(std::string_view name, std::string_view bare) {
    if (bare.empty() || !starts_with_ignore_case(name, bare)) {
        return false;
    }
    const std::string_view rest = slice(name, bare.size());
    return rest.empty() || equals_ignore_case(rest, ".local") || equals_ignore_case(rest, ".lan");
}

// Names that no stranger's DNS can point at this machine.
bool is_own_name(const HostPort& host, std::string_view machine_name) {
    if (host.name.empty()) {
        return false;
    }
    return host.is_ip || equals_ignore_case(host.name, "localhost") || equals_ignore_case(host.name, machine_name) ||
           is_bare_or_local(host.name, slice(machine_name, 0, machine_name.find('.')));
}

}  // namespace

Status parse_host(std::string_view value, HostPort& out) {
    out = HostPort();
    std::string_view rest = value;
    const Status status = value.starts_with('[') ? take_ipv6(rest, out) : take_name(rest, out);
    if (status != Status::ok) {
        return status;
    }
    if (!rest.empty() && rest.front() != ':') {
        return Status::malformed;
    }
    out.port = slice(rest, 1);
    return is_port(out.port) ? Status::ok : Status::malformed;
}

Result<size_t> find_site(const Settings& settings, const HostPort& host, std::string_view machine_name) {
    size_t best = 0;
    size_t best_match = 0;
    for (size_t i = 0; i < settings.sites.size(); ++i) {
        for (const std::string_view entry : settings.sites[i].hosts) {
            const size_t fit = match(entry, host);
            if (fit > best_match) {  // of equals the first wins
                best_match = fit;
                best = i;
            }
        }
    }
    if (best_match > 0) {
        return best;
    }
    if (settings.sites.empty()) {
        return Status::not_found;
    }
    const bool takes_any = settings.sites.size() == 1 && settings.sites[0].hosts.empty();
    return takes_any || is_own_name(host, machine_name) ? Result<size_t>(size_t{0}) : Status::not_found;
}

}  // namespace fcgate::route
