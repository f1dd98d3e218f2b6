#include "limits.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "report.hpp"
#include "words.hpp"

namespace fcgate::daemon {

namespace {

// The client's socket, a file, PHP's socket, a body that waits in a file.
constexpr rlim_t for_each_connection = 4;
// Newcomers, connections that linger, parked connections, files kept open, epoll sets.
constexpr rlim_t for_each_thread = 160;
constexpr rlim_t others = 256;

[[nodiscard]] rlim_t number(const fcgate_settings* settings, const char* name) {
    char text[24];
    unsigned value = 0;
    return fcgate_get(settings, name, text, sizeof text) == FCGATE_OK && parse_number(text, value) ? value : 0;
}

void told(int result, const char* name) {
    if (result != 0) {
        say<"warning: % cannot be set: %">(name, SystemError{errno});
    }
}

}  // namespace

rlim_t descriptors_for(const fcgate_settings* settings) {
    return number(settings, "server.max_connections") * for_each_connection +
           number(settings, "server.threads") * for_each_thread + others;
}

void limit_resources(rlim_t descriptors) {
    // A core file fills the flash, and holds what users have typed.
    const rlimit none{0, 0};
    told(setrlimit(RLIMIT_CORE, &none), "RLIMIT_CORE");
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return;
    }
    if (files.rlim_max < descriptors) {
        say<"warning: only % descriptors may be open (RLIMIT_NOFILE); server.max_connections may need %">(
            files.rlim_max, descriptors);
    }
    const rlim_t most = std::min(files.rlim_max, descriptors);
    files = {most, most};
    told(setrlimit(RLIMIT_NOFILE, &files), "RLIMIT_NOFILE");
}

}  // namespace fcgate::daemon
