// Owns: what the process may use of the system while it serves.
// Must not touch: the process that starts PHP, which has been forked before, and so PHP.
#pragma once

#include <sys/resource.h>

#include "fcgate/fcgate.h"

namespace fcgate::daemon {

// As many descriptors as the configured capacities can ever use, with room to spare.
[[nodiscard]] rlim_t descriptors_for(const fcgate_settings* settings);

// No core files, and no more descriptors than that. A lower limit that stands already is said, for good if it is too low.
void limit_resources(rlim_t descriptors);

}  // namespace fcgate::daemon
