#include "pid_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "exit_code.hpp"
#include "report.hpp"
#include "words.hpp"

namespace fcgate::daemon {

namespace {

int fail(const char* path, const char* what) {
    const int number = errno;
    say<"server.pid_file: %: %: %">(path, what, SystemError{number});
    const Status status = status_of_error(number);
    return status == Status::denied ? exit_permission : status == Status::not_found ? exit_configuration : exit_failure;
}

}  // namespace

PidFile::~PidFile() {
    if (fd_ < 0) {
        return;
    }
    if (unlink(path_.c_str()) != 0 && ftruncate(fd_, 0) != 0) {
        say<"warning: server.pid_file: % stays behind: %">(path_.c_str(), SystemError{errno});
    }
    close(fd_);
}

int PidFile::write(const char* path) {
    if (*path == '\0') {
        return exit_ok;
    }
    if (!path_.append(std::string_view(path)).ok()) {
        say<"server.pid_file: at most % characters">(most_path);
        return exit_configuration;
    }
    constexpr mode_t readable_by_all = 0644;
    // A link is not followed: root would overwrite what somebody else has made it point to.
    fd_ = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, readable_by_all);
    if (fd_ < 0) {
        return fail(path, "cannot be written");
    }
    Text<16> line;
    line.append<"%\n">(getpid());
    if (!print(fd_, line.c_str())) {
        return fail(path, "cannot be written");
    }
    return exit_ok;
}

}  // namespace fcgate::daemon
