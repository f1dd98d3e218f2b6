// Owns: address ranges as values: parsing, and whether an address lies in one.
// Must not touch: sockets, interfaces.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/endpoint.hpp"
#include "base/status.hpp"

namespace fcgate {

class Network {
  public:
    Network() = default;  // holds nobody

    // "10.0.0.0/8", "2001:db8::/32", one address alone; "private" for RFC 1918, unique-local, link-local and loopback addresses; "unix" for
    // clients of unix sockets; "all". Bits behind the prefix are ignored. malformed for anything else, host names and scopes too.
    [[nodiscard]] static Result<Network> parse(std::string_view text);

    [[nodiscard]] bool contains(const Endpoint& address) const;
    [[nodiscard]] std::string_view text() const { return text_; }  // as it was parsed

  private:
    enum class Kind : uint8_t { none, ipv4, ipv6, not_public, local, all };

    Kind kind_ = Kind::none;
    uint8_t prefix_ = 0;  // bits
    std::array<uint8_t, 16> address_{};
    std::string_view text_;
};

}  // namespace fcgate
