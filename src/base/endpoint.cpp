#include "base/endpoint.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <limits>

#include "base/bytes.hpp"
#include "base/descriptor.hpp"
#include "base/socket_query.hpp"

namespace fcgate {

namespace {

constexpr std::array<uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Client keys that are no /64: the first byte of no global unicast address.
constexpr uint64_t key_class_lan = uint64_t{0xfe} << 56U;
constexpr uint64_t key_of_unix_peers = std::numeric_limits<uint64_t>::max();

bool is_mapped(const std::array<uint8_t, 16>& address) {
    return memcmp(address.data(), mapped_prefix.data(), mapped_prefix.size()) == 0;
}

uint64_t load_be64(const uint8_t* bytes) {
    return (uint64_t{load_be32(bytes)} << 32U) | load_be32(bytes + 4);
}

// Spreads every input bit over the whole word (multiply and fold).
uint64_t spread(uint64_t value) {
    value ^= value >> 32U;
    value *= 0x9e3779b97f4a7c15U;
    value ^= value >> 29U;
    value *= 0xd6e8feb86659fd93U;
    return value ^ (value >> 32U);
}

Result<uint32_t> parse_scope(std::string_view text) {
    if (const Result<uint64_t> number = parse_decimal(text); number.ok()) {
        if (number.value() == 0 || number.value() > std::numeric_limits<uint32_t>::max()) {
            return Status::malformed;
        }
        return static_cast<uint32_t>(number.value());
    }
    if (text.empty() || text.size() >= IF_NAMESIZE || has_control(text)) {
        return Status::malformed;
    }
    // As if_nametoindex() does it.
    const Descriptor any(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq interface {};
    memcpy(interface.ifr_name, text.data(), text.size());
    if (!any.valid() || !query_socket(any.get(), SIOCGIFINDEX, interface) || interface.ifr_ifindex <= 0) {
        return Status::not_found;
    }
    return static_cast<uint32_t>(interface.ifr_ifindex);
}

// As RFC 5952 wants it. inet_ntop() would bring printf() with it.
void print_ipv6(const uint8_t* bytes, TextBuffer& out) {
    constexpr size_t groups = 8;
    const auto group = [bytes](size_t number) { return unsigned{bytes[2 * number]} << 8U | bytes[2 * number + 1]; };
    // The first of the longest runs of at least two zeros is left out.
    size_t gap = groups;
    size_t gap_length = 1;
    for (size_t i = 0; i < groups; ++i) {
        size_t length = 0;
        while (i + length < groups && group(i + length) == 0) {
            ++length;
        }
        if (length > gap_length) {
            gap = i;
            gap_length = length;
        }
        i += length;
    }
    for (size_t i = 0; i < groups; ++i) {
        if (i == gap) {
            out.append("::");
            i += gap_length - 1;
            continue;
        }
        if (i > 0 && i != gap + gap_length) {
            out.append(':');
        }
        out.append_hex(group(i));
    }
}

}  // namespace

Endpoint::Endpoint(const sockaddr_storage& address, socklen_t length) {
    if (address.ss_family == AF_UNIX) {
        kind_ = Kind::local;
    } else if (address.ss_family == AF_INET && length >= sizeof(sockaddr_in)) {
        sockaddr_in ipv4{};
        memcpy(&ipv4, &address, sizeof ipv4);
        memcpy(address_.data(), &ipv4.sin_addr, sizeof ipv4.sin_addr);
        port_ = ntohs(ipv4.sin_port);
        kind_ = Kind::ipv4;
    } else if (address.ss_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
        sockaddr_in6 ipv6{};
        memcpy(&ipv6, &address, sizeof ipv6);
        memcpy(address_.data(), &ipv6.sin6_addr, sizeof ipv6.sin6_addr);
        port_ = ntohs(ipv6.sin6_port);
        set_ipv6(ipv6.sin6_scope_id);
    }
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage& out) const {
    out = sockaddr_storage{};
    if (kind_ == Kind::ipv4) {
        sockaddr_in ipv4{};
        ipv4.sin_family = AF_INET;
        ipv4.sin_port = htons(port_);
        memcpy(&ipv4.sin_addr, address_.data(), sizeof ipv4.sin_addr);
        memcpy(&out, &ipv4, sizeof ipv4);
        return sizeof ipv4;
    }
    if (kind_ == Kind::ipv6) {
        sockaddr_in6 ipv6{};
        ipv6.sin6_family = AF_INET6;
        ipv6.sin6_port = htons(port_);
        ipv6.sin6_scope_id = scope_;
        memcpy(&ipv6.sin6_addr, address_.data(), sizeof ipv6.sin6_addr);
        memcpy(&out, &ipv6, sizeof ipv6);
        return sizeof ipv6;
    }
    return 0;
}

void Endpoint::set_ipv6(uint32_t scope) {
    if (!is_mapped(address_)) {
        kind_ = Kind::ipv6;
        scope_ = scope;
        return;
    }
    memcpy(address_.data(), address_.data() + mapped_prefix.size(), 4);
    memset(address_.data() + 4, 0, address_.size() - 4);
    kind_ = Kind::ipv4;
}

Result<Endpoint> Endpoint::parse_ip(std::string_view text, uint16_t port) {
    const size_t percent = text.find('%');
    const Text<INET6_ADDRSTRLEN> address(slice(text, 0, percent));
    if (!address.ok() || text.find('\0') != std::string_view::npos) {
        return Status::malformed;
    }
    Endpoint result;
    result.port_ = port;
    if (percent == std::string_view::npos && inet_pton(AF_INET, address.c_str(), result.address_.data()) == 1) {
        result.kind_ = Kind::ipv4;
        return result;
    }
    if (inet_pton(AF_INET6, address.c_str(), result.address_.data()) != 1) {
        return Status::malformed;
    }
    uint32_t scope = 0;
    if (percent != std::string_view::npos) {
        const Result<uint32_t> parsed = parse_scope(slice(text, percent + 1));
        if (!parsed.ok()) {
            return parsed.status();
        }
        if (is_mapped(result.address_)) {
            return Status::malformed;
        }
        scope = parsed.value();
    }
    result.set_ipv6(scope);
    return result;
}

std::span<const uint8_t> Endpoint::bytes() const {
    switch (kind_) {
        case Kind::ipv4:
            return {address_.data(), 4};
        case Kind::ipv6:
            return {address_.data(), 16};
        case Kind::none:
        case Kind::local:
            break;
    }
    return {};
}

bool Endpoint::is_loopback() const {
    if (kind_ == Kind::ipv4) {
        return address_[0] == 127;
    }
    return kind_ == Kind::ipv6 && load_be64(address_.data()) == 0 && load_be64(address_.data() + 8) == 1;
}

void Endpoint::print_address(TextBuffer& out) const {
    switch (kind_) {
        case Kind::ipv4:
            // Of every request to PHP: inet_ntop is ten times as long about it.
            for (size_t i = 0; i < 4; ++i) {
                out.append(i > 0 ? "." : "").append_number(address_[i]);
            }
            return;
        case Kind::ipv6:
            print_ipv6(address_.data(), out);
            return;
        case Kind::local:
            out.append("unix");
            return;
        case Kind::none:
            return;
    }
}

void Endpoint::print(TextBuffer& out) const {
    if (kind_ == Kind::ipv6) {
        out.append('[');
    }
    print_address(out);
    if (kind_ == Kind::ipv6) {
        if (scope_ != 0) {
            out.append('%').append_number(scope_);
        }
        out.append(']');
    }
    if (is_ip()) {
        out.append(':').append_number(port_);
    }
}

uint64_t Endpoint::client_key() const {
    switch (kind_) {
        case Kind::ipv4:
            return load_be32(address_.data());
        case Kind::ipv6: {
            const uint64_t network = load_be64(address_.data());
            const bool is_link_local = (network >> 54U) == (0xfe80U >> 6U);    // fe80::/10
            const bool is_unique_local = (network >> 57U) == (0xfc00U >> 9U);  // fc00::/7
            if (!is_link_local && !is_unique_local) {
                return network;
            }
            const uint64_t host = load_be64(address_.data() + 8);
            return (spread(host ^ spread(network ^ scope_)) >> 8U) | key_class_lan;
        }
        case Kind::local:
            return key_of_unix_peers;
        case Kind::none:
            break;
    }
    return 0;
}

}  // namespace fcgate
