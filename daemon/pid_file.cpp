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
    say<"server.pid_file: %s: %s: %s">(path, what, strerror(number));
    return number == EACCES || number == EPERM || number == EROFS ? exit_permission : exit_failure;
}

}  // namespace

PidFile::~PidFile() {
    if (fd_ < 0) {
        return;
    }
    if (unlink(path_) != 0 && ftruncate(fd_, 0) != 0) {
        say<"warning: server.pid_file: %s stays behind: %s">(path_, strerror(errno));
    }
    close(fd_);
}

int PidFile::write(const char* path) {
    if (*path == '\0') {
        return exit_ok;
    }
    if (!compose<"%s">(path_, sizeof path_, path)) {
        say<"server.pid_file: at most %u characters">(static_cast<unsigned>(sizeof path_ - 1));
        return exit_configuration;
    }
    constexpr mode_t readable_by_all = 0644;
    // A link is not followed: root would overwrite what somebody else has made it point to.
    fd_ = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, readable_by_all);
    if (fd_ < 0) {
        return fail(path, "cannot be written");
    }
    char line[16];
    (void)compose<"%u\n">(line, sizeof line, static_cast<unsigned>(getpid()));
    if (!print(fd_, line)) {
        return fail(path, "cannot be written");
    }
    return exit_ok;
}

}  // namespace fcgate::daemon
