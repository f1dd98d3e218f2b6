#include "report.hpp"

#include <cstdarg>
#include <cstdio>

#include "exit_code.hpp"

namespace fcgate::daemon {

namespace {

fcgate_server* log_of = nullptr;

}  // namespace

char* room_to_print() {
    static char printed[printed_max];
    return printed;
}

void report_to(fcgate_server* server) {
    log_of = server;
}

void say(const char* format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);  // NOLINT(clang-analyzer-valist.Uninitialized): begun above
    va_end(arguments);
    if (log_of != nullptr) {
        fcgate_log(log_of, FCGATE_LOG_ERROR, line);
    } else {
        fprintf(stderr, "fcgate: %s\n", line);
    }
}

int complain(int result, const fcgate_error& error) {
    say("%s", error.text);
    switch (result) {
        case FCGATE_INVALID:
        case FCGATE_TOO_LARGE:
            return exit_configuration;
        case FCGATE_DENIED:
            return exit_permission;
        default:
            return exit_failure;
    }
}

}  // namespace fcgate::daemon
