#include "report.hpp"

#include <cstdarg>
#include <cstdio>

#include "exit_code.hpp"

namespace fcgate::daemon {

void say(const char* format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);  // NOLINT(clang-analyzer-valist.Uninitialized): begun above
    va_end(arguments);
    fprintf(stderr, "fcgate: %s\n", line);
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
