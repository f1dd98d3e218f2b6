#include "server/certificate_names.hpp"

namespace fcgate::server {

void collect_names(const Settings& settings, std::string_view machine_name, tls::Names& out) {
    out.add_machine(machine_name);
    for (const SiteSettings& site : settings.sites) {
        for (const std::string_view host : site.hosts) {
            out.add_host(host);
        }
    }
    out.add_interfaces();
}

}  // namespace fcgate::server
