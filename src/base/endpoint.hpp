// Owns: socket addresses as values: parsing, printing, and what identifies a client.
// Must not touch: sockets; host names are never resolved here.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate {

// One end of a TCP or unix-domain connection.
class Endpoint {
  public:
    enum class Kind : uint8_t { none, ipv4, ipv6, local };

    Endpoint() = default;
    // IPv4-mapped IPv6 addresses (dual-stack listeners) become IPv4: logs, rules and REMOTE_ADDR then agree.
    explicit Endpoint(const sockaddr_storage& address, socklen_t length);

    // "192.168.1.1", "2001:db8::1", "fe80::1%eth0" (scope by name or number); no brackets, no port. not_found: no such
    // interface.
    [[nodiscard]] static Result<Endpoint> parse_ip(std::string_view text, uint16_t port);

    // For bind() and connect(); returns the length, 0 for a unix socket or none.
    [[nodiscard]] socklen_t to_sockaddr(sockaddr_storage& out) const;

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool is_ip() const { return kind_ == Kind::ipv4 || kind_ == Kind::ipv6; }
    [[nodiscard]] uint16_t port() const { return port_; }
    [[nodiscard]] uint32_t scope() const { return scope_; }
    // Four bytes for IPv4, sixteen for IPv6, in network order; none for unix sockets.
    [[nodiscard]] std::span<const uint8_t> bytes() const;
    // False for unix sockets: behind one may be a proxy that speaks for the world.
    [[nodiscard]] bool is_loopback() const;

    // The address alone, as REMOTE_ADDR shows it, so without a scope; "unix" for a unix socket.
    void print_address(TextBuffer& out) const;
    // "192.168.1.1:80", "[2001:db8::1]:80", "[fe80::1%2]:80", "unix".
    void print(TextBuffer& out) const;

    // What one client is for fair shares: an IPv4 address; an IPv6 /64, since one host can have all of it; a link-local
    // or unique-local IPv6 address whole, since there a /64 is the LAN. Unix peers are one client.
    [[nodiscard]] uint64_t client_key() const;

  private:
    // Takes the sixteen bytes in address_ as an IPv6 address, a mapped one as IPv4.
    void set_ipv6(uint32_t scope);

    std::array<uint8_t, 16> address_{};
    uint32_t scope_ = 0;
    uint16_t port_ = 0;
    Kind kind_ = Kind::none;
};

}  // namespace fcgate
