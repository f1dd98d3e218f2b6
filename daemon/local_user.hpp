// Owns: whom root becomes when nobody is named, as /etc/passwd and /etc/group alone say it.
// Must not touch: the system's other sources of users (systemd, LDAP), for which the C library loads libraries.
#pragma once

#include "privileges.hpp"

namespace fcgate::daemon {

// The users of whom root becomes the first that exists.
inline constexpr const char* default_users[] = {"fcgate", "www-data", "nobody"};

// Fills the identity with the first of them, its group and the groups it is in. Returns false when the files do not say it whole:
// they cannot be read, a line is too long, there is no such user, it is root, or it is in more groups than an identity has room for.
[[nodiscard]] bool find_local_user(Identity& identity);

}  // namespace fcgate::daemon
