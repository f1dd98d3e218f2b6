// Owns: how the configuration is read again while the server runs.
// Borrows: the command line and the sockets passed at the start, which stay what they were.
// Must not touch: privileges; the file is read, and folders and ports are opened, by the user that serves.
#pragma once

#include "activation.hpp"
#include "fcgate/fcgate.h"
#include "options.hpp"

namespace fcgate::daemon {

struct Reload {
    enum class Result { done, refused, later };

    // How long to wait after `later`.
    static constexpr int retry_ms = 100;

    const Options& options;
    const PassedSockets& sockets;
    const char* configured_user;  // as server.user stood at the start
    const char* chosen_user;      // who serves; may have been chosen because none was configured

    // done: the new configuration is in force. refused: it is wrong, or needs a restart; the log says why and the old one stays. later: requests
    // still run under the configuration before the present one.
    [[nodiscard]] Result attempt(fcgate_server* server) const;

  private:
    [[nodiscard]] bool read(fcgate_settings* settings) const;
};

}  // namespace fcgate::daemon
