#include "fake_php.hpp"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "support/world.hpp"

namespace fcgate::test {

namespace {

constexpr uint8_t end_of_stdin = 5;
constexpr uint8_t get_values = 9;

[[nodiscard]] bool read_all(int fd, uint8_t* bytes, size_t size) {
    for (ssize_t count = 1; size > 0 && count > 0;) {
        count = read(fd, bytes, size);
        bytes += count;
        size -= static_cast<size_t>(count > 0 ? count : 0);
    }
    return size == 0;
}

void serve(int fd) {
    uint8_t header[8];
    static uint8_t content[size_t{64} * 1024 + 256];
    while (read_all(fd, header, sizeof header)) {
        const size_t size = size_t{header[4]} << 8 | header[5];
        if (!read_all(fd, content, size + header[6])) {
            return;
        }
        if (std::string_view(reinterpret_cast<const char*>(content), size).find("/dies.php") !=
            std::string_view::npos) {
            return;  // as if the worker were killed
        }
        if (header[1] == get_values) {
            constexpr uint8_t none[8] = {1, 10};
            (void)!write(fd, none, sizeof none);
        } else if (header[1] == end_of_stdin && size == 0) {
            (void)!write(fd, World::hello.data(), World::hello.size());
            return;
        }
    }
}

[[nodiscard]] int listening_socket(bool is_fpm) {
    const char* const sockets = getenv("FPM_SOCKETS");
    const char* const number = sockets != nullptr ? strrchr(sockets, '=') : nullptr;
    return is_fpm && number != nullptr ? atoi(number + 1) : STDIN_FILENO;
}

}  // namespace

void be_php(bool is_fpm) {
    constexpr std::string_view ready = "[1-Jan-2026 00:00:00] NOTICE: ready to handle connections\n";
    const int listener = listening_socket(is_fpm);
    const pid_t worker = fork();
    if (worker != 0) {
        if (is_fpm && worker > 0) {
            (void)!write(STDERR_FILENO, ready.data(), ready.size());
        }
        (void)waitpid(worker, nullptr, 0);
        _exit(1);
    }
    for (int fd = 0; fd >= 0;) {
        fd = accept(listener, nullptr, nullptr);
        if (fd >= 0) {
            serve(fd);
            close(fd);
        }
    }
    _exit(2);
}

}  // namespace fcgate::test
