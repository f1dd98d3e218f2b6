// Owns: as whom the process serves.
// Must not touch: threads; all of it happens before the server starts them.
#pragma once

#include <sys/types.h>

#include "fcgate/fcgate.h"

namespace fcgate::daemon {

struct Identity {
    static constexpr int most_groups = 64;

    bool changes = false;  // false: stay who we are
    uid_t uid = 0;
    gid_t gid = 0;
    char name[64] = "";  // of the user; empty: a number no user has
    gid_t groups[most_groups] = {};
    int group_count = 0;

    void set_name(const char* text);
};

// Decides from server.user and server.group ("" for the default): as root another user, by default the first of fcgate,
// www-data and nobody that exists; without root nobody else. Returns exit_ok, or what to exit with; then it has been
// said why.
[[nodiscard]] int choose_identity(const char* user, const char* group, Identity& identity);

// The same from the settings, which are told who it is: whoever fcgate becomes connects to the sockets of the PHP it starts.
[[nodiscard]] int identify(fcgate_settings* settings, Identity& identity);

// What the process was started with to bind its ports (CAP_NET_BIND_SERVICE from systemd or procd, say) stays its own:
// programs that it starts, PHP for one, do not inherit it.
void keep_capabilities_from_children();

// Becomes the identity for good, and gives up all ways to gain privileges. Returns as choose_identity().
[[nodiscard]] int become(const Identity& identity);

}  // namespace fcgate::daemon
