// Owns: under which names a device is asked that makes its own certificate.
// Borrows: the settings, during the call.
// Must not touch: certificates.
#pragma once

#include <string_view>

#include "config/settings.hpp"
#include "tls/names.hpp"

namespace fcgate::server {

void collect_names(const Settings& settings, std::string_view machine_name, tls::Names& out);

}  // namespace fcgate::server
