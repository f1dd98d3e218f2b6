// Owns: what php-fpm's configuration says of the pool at an address. Masters that run are found in /proc: they show the name of their file.
// Must not touch: php-fpm.
#pragma once

#include "base/limits.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"

namespace fcgate::doctor {

struct Pool {
    bool is_found = false;
    uint32_t children = 0;  // pm.max_children
    Text<limits::path> file;
    Text<256> chroot;
    // Where some other pool listens, none that an fcgate has started; whether this one was found or not.
    Text<256> another;
};

void find_pool(const BackendAddress& backend, Pool& out);

}  // namespace fcgate::doctor
