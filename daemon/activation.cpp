#include "activation.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "exit_code.hpp"
#include "report.hpp"
#include "words.hpp"

namespace fcgate::daemon {

namespace {

// 16 of the longest addresses fit.
constexpr size_t list_size = 4096;

int read_variables(PassedSockets& sockets) {
    const char* const pid = getenv("LISTEN_PID");
    const char* const number = getenv("LISTEN_FDS");
    const char* const names = getenv("LISTEN_FDNAMES");
    unsigned process = 0;
    if (pid == nullptr || number == nullptr || !parse_number(pid, process) ||
        process != static_cast<unsigned>(getpid())) {
        return exit_ok;
    }
    unsigned count = 0;
    if (!parse_number(number, count) || count > PassedSockets::most) {
        say<"LISTEN_FDS: % is no number of sockets from 0 to %">(number, PassedSockets::most);
        return exit_failure;
    }
    if (names != nullptr && !sockets.names.append(std::string_view(names)).ok()) {
        say<"LISTEN_FDNAMES: at most % characters">(PassedSockets::most_names);
        return exit_failure;
    }
    for (int fd = PassedSockets::first; fd < PassedSockets::first + static_cast<int>(count); ++fd) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
            say<"LISTEN_FDS: descriptor %: %">(fd, SystemError{errno});
            return exit_failure;
        }
    }
    sockets.count = count;
    return exit_ok;
}

int listen_at(fcgate_settings* settings, const char* value) {
    fcgate_error error{};
    const int result = fcgate_set(settings, "server.listen", value, &error);
    return result == FCGATE_OK ? exit_ok : complain(result, error);
}

int add(fcgate_settings* settings, size_t number, const char* more) {
    Text<32> value;
    value.append<"fd:%%">(PassedSockets::first + number, more);
    return listen_at(settings, value.c_str());
}

bool is_passed(const char* value) {
    return value[0] == 'f' && value[1] == 'd' && value[2] == ':';
}

bool is_numbered(const char* value) {
    return value[3] >= '0' && value[3] <= '9';
}

// Adds every socket that has the name in "fd:NAME" or "fd:NAME tls". With none the value stays, for the library to
// refuse.
int add_named(const PassedSockets& sockets, fcgate_settings* settings, const char* value) {
    const std::string_view text = value + strlen("fd:");
    const std::string_view wanted = fcgate::slice(text, 0, text.find_first_of(" \t"));
    std::string_view names = sockets.names.view();
    size_t found = 0;
    for (size_t i = 0; i < sockets.count; ++i) {
        if (fcgate::split_first(names, ':', names) == wanted) {
            const int code = add(settings, i, text.data() + wanted.size());
            if (code != exit_ok) {
                return code;
            }
            ++found;
        }
    }
    return found > 0 ? exit_ok : listen_at(settings, value);
}

int add_configured(const PassedSockets& sockets, fcgate_settings* settings, const char* value) {
    return is_passed(value) && !is_numbered(value) ? add_named(sockets, settings, value) : listen_at(settings, value);
}

int add_all(const PassedSockets& sockets, fcgate_settings* settings) {
    int code = exit_ok;
    for (size_t i = 0; code == exit_ok && i < sockets.count; ++i) {
        code = add(settings, i, "");
    }
    return code;
}

}  // namespace

int take_passed_sockets(PassedSockets& sockets) {
    const int code = read_variables(sockets);
    constexpr const char* variables[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
    for (const char* const variable : variables) {
        unsetenv(variable);
    }
    return code;
}

int use_passed_sockets(const PassedSockets& sockets, fcgate_settings* settings) {
    if (sockets.count == 0) {
        return exit_ok;
    }
    char list[list_size];
    if (fcgate_get(settings, "server.listen", list, sizeof list) != FCGATE_OK ||
        fcgate_set(settings, "server.listen", nullptr, nullptr) != FCGATE_OK) {
        say<"server.listen cannot be read">();
        return exit_failure;
    }
    // A text a line.
    const char* const end = list + strlen(list);
    bool names_them = false;
    for (char* line = list; line < end; line += strlen(line) + 1) {
        *strchrnul(line, '\n') = '\0';
        names_them = names_them || is_passed(line);
    }
    if (!names_them) {
        return add_all(sockets, settings);
    }
    int code = exit_ok;
    for (const char* line = list; code == exit_ok && line < end; line += strlen(line) + 1) {
        code = add_configured(sockets, settings, line);
    }
    return code;
}

}  // namespace fcgate::daemon
