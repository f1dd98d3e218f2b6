#include "tls/names.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cstring>

namespace fcgate::tls {

void Names::add_name(std::string_view name, std::string_view suffix) {
    constexpr size_t longest = 250;  // RFC 1035 section 2.3.4, with room to spare
    if (name.empty() || name.size() + suffix.size() > longest || count_ == limits::certificate_names) {
        return;
    }
    Text<256>& slot = names_[count_];
    slot.clear();
    slot.append(name).append(suffix);
    for (size_t i = 0; i < count_; ++i) {
        if (equals_ignore_case(names_[i].view(), slot.view())) {
            return;
        }
    }
    ++count_;
}

void Names::add_machine(std::string_view machine) {
    add_name(machine, {});
    if (machine.find('.') == std::string_view::npos) {
        add_name(machine, ".local");
        add_name(machine, ".lan");
    }
    add_name("localhost", {});
}

void Names::add_host(std::string_view pattern) {
    if (pattern != "*") {
        add_name(pattern, {});
    }
}

void Names::add_address(const void* bytes, size_t size) {
    for (const Address& known : addresses_) {
        if (known.size == size && memcmp(known.bytes, bytes, size) == 0) {
            return;
        }
    }
    Address address{};
    memcpy(address.bytes, bytes, size);
    address.size = static_cast<uint8_t>(size);
    (void)addresses_.push_back(address);
}

void Names::add_interfaces() {
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) {
        return;
    }
    for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0) {
            continue;
        }
        if (one->ifa_addr->sa_family == AF_INET) {
            sockaddr_in address;
            memcpy(&address, one->ifa_addr, sizeof address);
            add_address(&address.sin_addr, sizeof address.sin_addr);
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 address;
            memcpy(&address, one->ifa_addr, sizeof address);
            add_address(&address.sin6_addr, sizeof address.sin6_addr);
        }
    }
    freeifaddrs(all);
}

}  // namespace fcgate::tls
