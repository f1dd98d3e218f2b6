#include "base/network.hpp"

#include <cstring>
#include <span>

#include "base/text.hpp"

namespace fcgate {

namespace {

struct Range {
    uint8_t first;
    uint8_t second;
    uint8_t prefix;
};

// RFC 1918, loopback (RFC 1122), link-local (RFC 3927).
constexpr Range private_ipv4[] = {{10, 0, 8}, {172, 16, 12}, {192, 168, 16}, {127, 0, 8}, {169, 254, 16}};
// Unique-local (RFC 4193), link-local (RFC 4291). Loopback is asked for by itself.
constexpr Range private_ipv6[] = {{0xfc, 0, 7}, {0xfe, 0x80, 10}};

bool shares_prefix(std::span<const uint8_t> a, std::span<const uint8_t> b, unsigned bits) {
    const size_t bytes = bits / 8;
    if (memcmp(a.data(), b.data(), bytes) != 0) {
        return false;
    }
    const unsigned left = bits % 8;
    return left == 0 || ((a[bytes] ^ b[bytes]) >> (8U - left)) == 0;
}

bool is_in_any(std::span<const uint8_t> address, std::span<const Range> ranges) {
    for (const Range& range : ranges) {
        const uint8_t network[] = {range.first, range.second};
        if (shares_prefix(address, network, range.prefix)) {
            return true;
        }
    }
    return false;
}

bool is_private(const Endpoint& address) {
    if (address.kind() == Endpoint::Kind::ipv4) {
        return is_in_any(address.bytes(), private_ipv4);
    }
    return address.is_loopback() || (address.is_ip() && is_in_any(address.bytes(), private_ipv6));
}

}  // namespace

Result<Network> Network::parse(std::string_view text) {
    Network network;
    network.text_ = text;
    if (text == "all" || text == "private" || text == "unix") {
        network.kind_ = text == "all" ? Kind::all : (text == "unix" ? Kind::local : Kind::not_public);
        return network;
    }
    const size_t slash = text.find('/');
    const Result<Endpoint> address = Endpoint::parse_ip(slice(text, 0, slash), 0);
    if (!address.ok() || address.value().scope() != 0) {
        return Status::malformed;
    }
    const std::span<const uint8_t> bytes = address.value().bytes();
    const uint64_t most = bytes.size() * 8;
    uint64_t prefix = most;
    if (slash != std::string_view::npos) {
        const Result<uint64_t> number = parse_decimal(slice(text, slash + 1));
        if (!number.ok()) {
            return Status::malformed;
        }
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
        const bool is_mapped = most == 32 && text.find(':') != std::string_view::npos;
        prefix = is_mapped ? number.value() - 96 : number.value();
    }
    if (prefix > most) {
        return Status::malformed;
    }
    network.kind_ = most == 32 ? Kind::ipv4 : Kind::ipv6;
    network.prefix_ = static_cast<uint8_t>(prefix);
    memcpy(network.address_.data(), bytes.data(), bytes.size());
    return network;
}

bool Network::contains(const Endpoint& address) const {
    switch (kind_) {
        case Kind::none:
            return false;
        case Kind::all:
            return true;
        case Kind::local:
            return address.kind() == Endpoint::Kind::local;
        case Kind::not_public:
            return is_private(address);
        case Kind::ipv4:
            return address.kind() == Endpoint::Kind::ipv4 && shares_prefix(address.bytes(), address_, prefix_);
        case Kind::ipv6:
            return address.kind() == Endpoint::Kind::ipv6 && shares_prefix(address.bytes(), address_, prefix_);
    }
    return false;
}

}  // namespace fcgate
