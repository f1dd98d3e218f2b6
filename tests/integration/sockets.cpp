#include "sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"

namespace fcgate::test {

bool wait_for(int fd, short events, int64_t deadline) {
    for (;;) {
        pollfd waiting{fd, events, 0};
        const int64_t left = std::clamp<int64_t>(deadline - monotonic_ms(), 0, INT32_MAX);
        const int count = poll(&waiting, 1, static_cast<int>(left));
        if (count != 0 && !(count < 0 && errno == EINTR)) {
            return count > 0;
        }
        if (count == 0 && left == 0) {
            return false;
        }
    }
}

bool is_readable(int fd) {
    return wait_for(fd, POLLIN, 0);
}

Receipt receive(int fd, Buffer& into, int64_t deadline) {
    constexpr size_t block = size_t{64} * 1024;
    const std::span<char> room = into.room(block);
    for (;;) {
        const ssize_t count = recv(fd, room.data(), room.size(), MSG_DONTWAIT);
        if (count > 0) {
            into.commit(static_cast<size_t>(count));
            return Receipt::bytes;
        }
        if (count == 0) {
            return Receipt::end;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return Receipt::reset;
        }
        if (!wait_for(fd, POLLIN, deadline)) {
            return Receipt::late;
        }
    }
}

size_t send_bytes(int fd, std::string_view bytes, int64_t deadline) {
    size_t sent = 0;
    while (sent < bytes.size()) {
        const ssize_t count = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            sent += static_cast<size_t>(count);
        } else if (errno != EAGAIN && errno != EINTR) {
            break;
        } else if (!wait_for(fd, POLLOUT, deadline)) {
            break;
        }
    }
    return sent;
}

void reset_connection(int fd) {
    const linger at_once{1, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

unsigned Address::port() const {
    return storage.ss_family == AF_INET ? ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port) : 0;
}

Address local_address(std::string_view path) {
    Address out;
    auto& address = reinterpret_cast<sockaddr_un&>(out.storage);
    address.sun_family = AF_UNIX;
    TextBuffer text(address.sun_path);
    text.append(path);
    out.length = sizeof address;
    return out;
}

Address tcp_address(std::string_view ip, unsigned port) {
    Address out;
    auto& address = reinterpret_cast<sockaddr_in&>(out.storage);
    const Text<64> text(ip);
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    (void)inet_pton(AF_INET, text.c_str(), &address.sin_addr);
    out.length = sizeof address;
    return out;
}

int listen_on(const Address& address, int backlog) {
    const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd >= 0 && (bind(fd, address.get(), address.length) != 0 || listen(fd, backlog) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

Address bound_address(int fd) {
    Address out;
    out.length = sizeof out.storage;
    (void)getsockname(fd, reinterpret_cast<sockaddr*>(&out.storage), &out.length);
    return out;
}

}  // namespace fcgate::test
