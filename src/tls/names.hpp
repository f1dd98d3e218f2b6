// Owns: under which names and addresses this device may be asked: what stands in a certificate that it makes for itself.
// Must not touch: certificates. Nothing is resolved.
#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/fixed_list.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

namespace fcgate::tls {

struct Address {
    uint8_t bytes[sizeof(in6_addr)];
    uint8_t size;  // 4 or 16
};

// What does not fit any more is left out: a browser warns about a certificate of this kind in any case.
class Names {
  public:
    // `machine`: this machine's name; it comes bare, with .local and with .lan.
    void add_machine(std::string_view machine);
    // As in `host`: a name, or *.suffix; "*" says nothing.
    void add_host(std::string_view pattern);
    // Those of all interfaces that are up now, and the loopback's.
    void add_interfaces();
    void add_address(const void* bytes, size_t size);

    [[nodiscard]] size_t name_count() const { return count_; }
    [[nodiscard]] std::string_view name(size_t i) const { return names_[i].view(); }
    [[nodiscard]] const FixedList<Address, limits::certificate_addresses>& addresses() const { return addresses_; }

  private:
    void add_name(std::string_view name, std::string_view suffix);

    Text<256> names_[limits::certificate_names];
    size_t count_ = 0;
    FixedList<Address, limits::certificate_addresses> addresses_;
};

}  // namespace fcgate::tls
