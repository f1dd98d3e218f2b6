// Whether the names that sites answer to lead to this machine. Browsers ask the network's DNS server, so that is asked here too: not
// the C library, which may wait for minutes, and whose resolver is as large as all of this folder where it is linked statically.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "doctor/examination.hpp"
#include "doctor/lines.hpp"
#include "doctor/resolve.hpp"

namespace fcgate::doctor {

namespace {

constexpr int64_t resolve_ms = 3000;  // of all names together

// Only an address of this machine can be bound.
[[nodiscard]] bool is_own(const Endpoint& address) {
    sockaddr_storage storage{};
    const socklen_t length = address.to_sockaddr(storage);
    const Descriptor fd(socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return fd.valid() && bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0;
}

[[nodiscard]] bool find_in_hosts(std::string_view host, Endpoint& out) {
    Lines lines("/etc/hosts");
    std::string_view line;
    while (lines.next(line)) {
        line = slice(line, 0, line.find('#'));
        const Result<Endpoint> address = Endpoint::parse_ip(next_word(line), 0);
        for (std::string_view name = next_word(line); address.ok() && !name.empty(); name = next_word(line)) {
            if (equals_ignore_case(name, host)) {
                out = address.value();
                return true;
            }
        }
    }
    return false;
}

[[nodiscard]] bool find_in_dns(std::string_view host, bool is_multicast, int64_t deadline, Endpoint& out) {
    if (is_multicast) {
        const Result<Endpoint> group = Endpoint::parse_ip("224.0.0.251", 5353);
        return resolve(host, group.value(), deadline, out) == Status::ok;
    }
    Lines lines("/etc/resolv.conf");
    std::string_view line;
    while (lines.next(line)) {
        if (next_word(line) != "nameserver") {
            continue;
        }
        constexpr uint16_t dns_port = 53;
        const Result<Endpoint> server = Endpoint::parse_ip(next_word(line), dns_port);
        const Status status = server.ok() ? resolve(host, server.value(), deadline, out) : Status::malformed;
        if (status == Status::ok || status == Status::not_found) {
            return status == Status::ok;
        }
    }
    return false;
}

void examine_name(Examination& examination, std::string_view host, int64_t deadline) {
    const bool is_multicast = ends_with_ignore_case(host, ".local");
    Endpoint address;
    if (!find_in_hosts(host, address) && !find_in_dns(host, is_multicast, deadline, address)) {
        examination.report.add(is_multicast ? Found::host_multicast : Found::host_unknown, host, {host});
        return;
    }
    Text<64> shown;
    address.print_address(shown);
    examination.report.add(is_own(address) ? Found::host_good : Found::host_elsewhere, host, {shown.view()});
}

}  // namespace

void examine_names(Examination& examination) {
    const int64_t deadline = std::min(monotonic_ms() + resolve_ms, examination.deadline);
    for (const SiteSettings& site : examination.settings.sites) {
        for (const std::string_view host : site.hosts) {
            const bool is_name = host.find('*') == std::string_view::npos && host.find('[') == std::string_view::npos &&
                                 !Endpoint::parse_ip(host, 0).ok();
            if (is_name) {
                examine_name(examination, host, deadline);
            }
        }
    }
}

}  // namespace fcgate::doctor
