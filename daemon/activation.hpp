// Owns: the listening sockets that whoever started the daemon has opened for it (systemd's LISTEN_FDS, as in
// sd_listen_fds(3)), and the variables that tell of them.
// Must not touch: how a socket is used; the library takes it as `listen = fd:N`.
#pragma once

#include <cstddef>

#include "base/text.hpp"
#include "fcgate/fcgate.h"

namespace fcgate::daemon {

struct PassedSockets {
    static constexpr int first = 3;
    static constexpr size_t most_names = 1023;  // bytes of all
    static constexpr size_t most = 16;          // as many as there can be listeners

    size_t count = 0;
    Text<most_names + 1> names;  // LISTEN_FDNAMES: one name a socket, parted by ':'
};

// Takes the variables out of the environment, so that nobody who is started later believes them, and keeps the sockets
// from being inherited. Without LISTEN_FDS, or when it is meant for another process, there are none. Returns exit_ok, or
// what to exit with; then it has been said why.
[[nodiscard]] int take_passed_sockets(PassedSockets& sockets);

// Puts the sockets into server.listen. Where the configuration names none, they take the place of all it lists: whoever
// opened them has decided where to listen. Where it does (`fd:3`, `fd:NAME`), it decides, and a name stands for every
// socket of that name. Returns as take_passed_sockets().
[[nodiscard]] int use_passed_sockets(const PassedSockets& sockets, fcgate_settings* settings);

}  // namespace fcgate::daemon
