// A temporary folder to serve from, removed with all that is in it, and a child process without root's rights.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "test_support.hpp"

namespace fcgate::test {

// Paths are relative to the tree; a failed call ends the test.
class TempTree {
  public:
    TempTree() {
        check(mkdtemp(path_) != nullptr);
        check(chmod(path_, 0755) == 0);  // also for the child without rights
        fd_ = open(path_, O_PATH | O_DIRECTORY | O_CLOEXEC);
        check(fd_ >= 0);
    }
    ~TempTree() {
        remove_below(AT_FDCWD, path_);
        close(fd_);
    }
    TempTree(const TempTree&) = delete;
    TempTree& operator=(const TempTree&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] const char* path() const { return path_; }

    void folder(const char* name, mode_t mode = 0755) {
        check(mkdirat(fd_, name, 0755) == 0);
        check(fchmodat(fd_, name, mode, 0) == 0);
    }
    void file(const char* name, std::string_view content = "x", mode_t mode = 0644) {
        const int fd = openat(fd_, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        check(fd >= 0);
        check(write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
        check(fchmod(fd, mode) == 0);
        close(fd);
    }
    void modified(const char* name, int64_t seconds, long nanoseconds = 0) {
        const timespec times[2] = {{static_cast<time_t>(seconds), nanoseconds},
                                   {static_cast<time_t>(seconds), nanoseconds}};
        check(utimensat(fd_, name, times, 0) == 0);
    }
    void link(const char* target, const char* name) { check(symlinkat(target, fd_, name) == 0); }
    void fifo(const char* name) { check(mkfifoat(fd_, name, 0644) == 0); }
    void socket(const char* name) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        TextBuffer text(address.sun_path);
        text.append(path_).append('/').append(name);
        check(text.ok());
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check(fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        close(fd);
    }

  private:
    static void check(bool ok, int line = __builtin_LINE()) {
        if (!ok) {
            print_error("the temporary tree: %s\n", strerror(errno));
            _fail(__FILE__, line);
        }
    }
    static void remove_below(int at, const char* name) {
        if (unlinkat(at, name, 0) == 0 || (errno != EISDIR && errno != EPERM)) {
            return;
        }
        const int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR* const folder = fd < 0 ? nullptr : fdopendir(fd);
        if (folder == nullptr) {
            return;
        }
        while (const dirent* entry = readdir(folder)) {
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
                remove_below(fd, entry->d_name);
            }
        }
        closedir(folder);
        unlinkat(at, name, AT_REMOVEDIR);
    }

    char path_[32] = "/tmp/fcgate-test-XXXXXX";
    int fd_ = -1;
};

// Runs `run` in a child that has given up root's rights (or is as it is, if there are none) and returns what it
// returns, 0 to 255. Inside, cmocka's checks would end the child only: return instead.
template <typename Run>
int without_rights(Run run) {
    constexpr unsigned nobody = 65534;
    const pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && (setgroups(0, nullptr) != 0 || setresgid(nobody, nobody, nobody) != 0 ||
                              setresuid(nobody, nobody, nobody) != 0)) {
            _exit(255);
        }
        _exit(run());
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        _fail(__FILE__, __LINE__);
    }
    return WEXITSTATUS(status);
}

}  // namespace fcgate::test
