// Owns: how the process ends, as scripts and supervisors see it.
#pragma once

namespace fcgate::daemon {

enum ExitCode : int {
    exit_ok = 0,
    exit_failure = 1,  // while running
    exit_usage = 2,    // wrong arguments
    exit_warned = 3,   // fcgate doctor has warnings, but no fault
    exit_permission = 4,
    exit_configuration = 6,
};

}  // namespace fcgate::daemon
