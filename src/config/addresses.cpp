#include <sys/un.h>

#include "config/values.hpp"

namespace fcgate::config {

namespace {

constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-";

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct HostPort {
    std::string_view host;  // without brackets
    uint16_t port = 0;
};

// "HOST:PORT" or "[HOST]:PORT"; the host may be empty.
Status split_host_port(std::string_view text, HostPort& out) {
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return Status::malformed;
    }
    const Result<uint64_t> port = parse_decimal(slice(text, colon + 1));
    if (!port.ok()) {
        return Status::malformed;
    }
    if (port.value() > UINT16_MAX) {
        return Status::refused;
    }
    std::string_view host = slice(text, 0, colon);
    if (host.starts_with('[')) {
        if (!host.ends_with(']') || host.size() == 2) {
            return Status::malformed;
        }
        host = slice(host, 1, host.size() - 2);
        if (host.find(':') == std::string_view::npos) {
            return Status::malformed;  // brackets are for IPv6
        }
    } else if (host.find(':') != std::string_view::npos) {
        return Status::malformed;  // ::1:80 has two readings
    }
    out.host = host;
    out.port = static_cast<uint16_t>(port.value());
    return Status::ok;
}

Result<Endpoint> parse_endpoint(const HostPort& from) {
    // The one name whose address needs no resolver.
    return Endpoint::parse_ip(from.host == "localhost" ? "127.0.0.1" : from.host, from.port);
}

Status parse_socket_path(std::string_view text, std::string_view& path) {
    text.remove_prefix(std::string_view("unix:").size());
    if (!text.starts_with('/') || text.ends_with('/')) {
        return Status::malformed;
    }
    if (text.size() >= sizeof(sockaddr_un::sun_path)) {
        return Status::too_large;
    }
    path = text;
    return Status::ok;
}

Status parse_listen_ip(std::string_view word, ListenSettings& out) {
    HostPort parts;
    const Status status = split_host_port(word, parts);
    if (status != Status::ok) {
        return status;
    }
    const bool any = parts.host.empty();
    if (any) {
        parts.host = "::";
    }
    const Result<Endpoint> endpoint = parse_endpoint(parts);
    if (!endpoint.ok()) {
        return endpoint.status();
    }
    out.kind = any ? ListenSettings::Kind::any : ListenSettings::Kind::tcp;
    out.endpoint = endpoint.value();
    return Status::ok;
}

// Three or four octal digits, as chmod(1) takes them, of a file that somebody may use; else 0.
uint16_t parse_mode(std::string_view text) {
    constexpr unsigned all = 0777;
    unsigned mode = 0;
    for (const char c : text) {
        mode = c >= '0' && c <= '7' ? mode * 8 + static_cast<unsigned>(c - '0') : all + 1;
    }
    return text.size() >= 3 && text.size() <= 4 && mode <= all ? static_cast<uint16_t>(mode) : 0;
}

// The number of a descriptor, or the name under which whoever starts the program has one for it. A name is for that program
// to replace; where it does not, no such socket is there when the listeners are opened.
Status parse_inherited(std::string_view text, ListenSettings& out) {
    constexpr size_t longest_name = 64;
    const Result<uint64_t> number = parse_decimal(text);
    const bool is_name = is_letter(text.empty() ? '0' : text.front()) && text.size() <= longest_name &&
                         text.find_first_not_of(name_characters) == std::string_view::npos;
    if (!is_name && (!number.ok() || number.value() > UINT16_MAX)) {
        return Status::malformed;
    }
    out.kind = ListenSettings::Kind::descriptor;
    out.descriptor = is_name ? -1 : static_cast<int>(number.value());
    return Status::ok;
}

}  // namespace

Status parse_listen(std::string_view text, ListenSettings& out) {
    ListenSettings result;
    result.text = trim(text);
    std::string_view rest = text;
    const std::string_view word = next_word(rest);
    std::string_view next = next_word(rest);
    Status status = Status::ok;
    if (starts_with(word, "unix:")) {
        result.kind = ListenSettings::Kind::local;
        status = parse_socket_path(word, result.path);
        result.mode = parse_mode(next);
        next = result.mode != 0 ? next_word(rest) : next;
    } else if (starts_with(word, "fd:")) {
        status = parse_inherited(slice(word, 3), result);
    } else {
        status = parse_listen_ip(word, result);
    }
    result.tls = next == "tls";
    if ((!next.empty() && !result.tls) || !next_word(rest).empty()) {
        return Status::malformed;
    }
    if (status == Status::ok) {
        out = result;
    }
    return status;
}

Status parse_backend_address(std::string_view text, BackendAddress& out) {
    BackendSettings::Kind kind = BackendSettings::Kind::unset;
    std::string_view path;
    Endpoint endpoint;
    if (text == "spawn") {
        kind = BackendSettings::Kind::spawn;
    } else if (text == "auto") {
        kind = BackendSettings::Kind::automatic;
    } else if (starts_with(text, "unix:")) {
        kind = BackendSettings::Kind::local;
        const Status status = parse_socket_path(text, path);
        if (status != Status::ok) {
            return status;
        }
    } else {
        HostPort parts;
        const Status status = split_host_port(text, parts);
        if (status != Status::ok) {
            return status;
        }
        if (parts.host.empty() || parts.port == 0) {
            return Status::malformed;  // nothing can be reached there
        }
        const Result<Endpoint> parsed = parse_endpoint(parts);
        if (!parsed.ok()) {
            return parsed.status();
        }
        kind = BackendSettings::Kind::tcp;
        endpoint = parsed.value();
    }
    out.kind = kind;
    out.address = text;
    out.path = path;
    out.endpoint = endpoint;
    return Status::ok;
}

}  // namespace fcgate::config
