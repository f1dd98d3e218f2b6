#include "report.hpp"

#include <unistd.h>

#include <cstdarg>
#include <cstring>

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
    static constexpr char name[] = "fcgate: ";
    char line[1024];
    char* const words = line + strlen(name);
    memcpy(line, name, sizeof name);
    va_list arguments;
    va_start(arguments, pattern);
    compose_list(words, sizeof line - sizeof name, pattern, arguments);
    va_end(arguments);
    if (log_of != nullptr) {
        fcgate_log(log_of, FCGATE_LOG_ERROR, words);
    } else {
        memcpy(words + strlen(words), "\n", 2);
        (void)print(STDERR_FILENO, line);
    }
}

int complain(int result, const fcgate_error& error) {
    say<"%s">(error.text);
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
