#include "report.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <string_view>

#include "base/text.hpp"
#include "exit_code.hpp"
#include "words.hpp"

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

void say_packed(Packed pattern, ...) {
    static constexpr std::string_view name = "fcgate: ";
    Text<1024> line(name);
    va_list values;
    va_start(values, pattern);
    line.append_list(pattern, values, 1);
    va_end(values);
    if (log_of != nullptr) {
        fcgate_log(log_of, FCGATE_LOG_ERROR, line.c_str() + name.size());
    } else {
        line.append('\n');
        (void)print(STDERR_FILENO, line.c_str());
    }
}

int print_all(std::initializer_list<const char*> pieces, int fd) {
    for (const char* const piece : pieces) {
        if (!print(fd, piece)) {
            say<"cannot print: %">(SystemError{errno});
            return exit_failure;
        }
    }
    return exit_ok;
}

int complain(int result, const fcgate_error& error) {
    say<"%">(error.text);
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
