#include "spawn/messages.hpp"

#include <sys/wait.h>

#include <csignal>

namespace fcgate::spawn {

void Report::print_end(TextBuffer& out) const {
    if (WIFSIGNALED(value)) {
        out.append<"was killed by signal %%">(WTERMSIG(value),
                                              WTERMSIG(value) == SIGKILL ? " (out of memory?)"_p : Packed());
    } else {
        out.append<"ended with exit code %">(WEXITSTATUS(value));
    }
}

}  // namespace fcgate::spawn
