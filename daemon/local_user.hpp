// Owns: whom root becomes, as /etc/passwd and /etc/group alone say it.
// Must not touch: the system's other sources of users (LDAP, systemd), for which the C library loads libraries.
#pragma once

#include "privileges.hpp"

namespace fcgate::daemon {

// The users of whom root becomes the first that exists.
inline constexpr const char* default_users[] = {"fcgate", "www-data", "nobody"};

// Fills the identity with the user of that name, its group and the groups it is in; "" is for the first of default_users. Returns false when the
// system has to be asked, and the identity is of no use: it has other sources too, the files do not say it whole (they cannot be read, a line is too
// long, there is no such user, it is in more groups than an identity has room for), or the user is root.
[[nodiscard]] bool find_local_user(const char* name, Identity& identity);

}  // namespace fcgate::daemon
