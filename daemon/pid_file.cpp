#include "pid_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "exit_code.hpp"
#include "report.hpp"
#include "words.hpp"

namespace fcgate::daemon {

namespace {

int fail(const char* path) {
    const int number = errno;
    say<"server.pid_file: %: cannot be written: %">(path, SystemError{number});
    const Status status = status_of_error(number);
    return status == Status::denied ? exit_permission : status == Status::not_found ? exit_configuration : exit_failure;
}

}  // namespace

PidFile::~PidFile() {
    if (fd_ < 0) {
        return;
    }
    if (is_ours() && unlink(path_.c_str()) != 0 && ftruncate(fd_, 0) != 0) {
        say<"warning: server.pid_file: % stays behind: %">(path_.c_str(), SystemError{errno});
    }
    close(fd_);
}

// The next fcgate may have been started while this one finished what had begun: it writes into the same file, or into a new one of that name.
bool PidFile::is_ours() const {
    struct stat opened {};
    struct stat named {};
    char found[line_size];
    const ssize_t count = pread(fd_, found, sizeof found, 0);
    return count == static_cast<ssize_t>(line_.size()) && memcmp(found, line_.c_str(), line_.size()) == 0 &&
           fstat(fd_, &opened) == 0 && lstat(path_.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
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
    fd_ = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, readable_by_all);
    if (fd_ < 0) {
        return fail(path);
    }
    line_.append<"%\n">(getpid());
    if (!print(fd_, line_.c_str())) {
        const int code = fail(path);
        (void)unlink(path);
        return code;
    }
    return exit_ok;
}

}  // namespace fcgate::daemon
