#include "fastcgi/link.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/socket_query.hpp"

namespace fcgate::fastcgi {

namespace {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

[[nodiscard]] SocketAddress address_of(const BackendAddress& backend, std::string_view path) {
    SocketAddress out;
    if (backend.kind == BackendSettings::Kind::tcp) {
        out.length = backend.endpoint.to_sockaddr(out.storage);
        return out;
    }
    auto& local = reinterpret_cast<sockaddr_un&>(out.storage);
    if (path.size() >= sizeof local.sun_path) {
        return out;
    }
    local.sun_family = AF_UNIX;
    memcpy(local.sun_path, path.data(), path.size());
    out.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return out;
}

// So much may be left in a socket before the next answer, in pieces that take several times as much of the room which PHP has to write.
constexpr size_t most_seen = 2048;
constexpr int least_room = 64 * 1024;

void start_link(Link& link, int fd) {
    link.fd = fd;
    link.hung_up = false;
    link.watches_room = false;
    link.looking = Link::Looking::unknown;
    link.seen = 0;
}

[[nodiscard]] Status status_of(int error_number) {
    switch (error_number) {
        case 0:
            return Status::ok;
        case EINPROGRESS:
            return Status::again;
        case EAGAIN:
            return Status::exhausted;
        case EACCES:
        case EPERM:
            return Status::denied;
        case ENOENT:
            return Status::not_found;
        case ECONNREFUSED:
            return Status::refused;
        default:
            return Status::io;
    }
}

}  // namespace

Status open_link(const BackendAddress& backend, std::string_view path, Link& link) {
    const SocketAddress address = address_of(backend, path);
    if (address.length == 0) {
        errno = ENAMETOOLONG;
        return Status::io;
    }
    const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return Status::io;
    }
    if (backend.kind == BackendSettings::Kind::tcp) {
        const int on = 1;
        // A request goes out in one piece; Nagle would only hold its tail back.
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    int result = 0;
    do {
        result = connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length);
    } while (result < 0 && errno == EINTR);
    const Status status = status_of(result == 0 ? 0 : errno);
    if (status != Status::ok && status != Status::again) {
        const int error_number = errno;
        close(fd);
        errno = error_number;
        return status;
    }
    start_link(link, fd);
    link.opening = status == Status::again;
    link.reused = false;
    return status;
}

void adopt_link(Link& link, int fd) {
    start_link(link, fd);
    link.opening = false;
    link.reused = true;
}

Status finish_open(Link& link) {
    int error_number = 0;
    socklen_t length = sizeof error_number;
    if (getsockopt(link.fd, SOL_SOCKET, SO_ERROR, &error_number, &length) < 0) {
        return Status::io;
    }
    errno = error_number;
    if (error_number == 0) {
        link.opening = false;
    }
    return status_of(error_number);
}

bool is_alive(const Link& link) {
    char byte = 0;
    return recv(link.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

bool is_taken(const Link& link) {
    int queued = 0;
    return !query_socket(link.fd, SIOCOUTQ, queued) || queued == 0;
}

// The kernel counts what it has allocated, which another socket tells for the same bytes.
bool has_more_unread(const Link& link, std::span<const uint8_t> last) {
    int unread = 0;
    int once = INT_MAX;
    int pair[2];
    if (!query_socket(link.fd, SIOCOUTQ, unread) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    if (send(pair[0], last.data(), last.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(last.size()) ||
        !query_socket(pair[0], SIOCOUTQ, once)) {
        once = INT_MAX;
    }
    close(pair[0]);
    close(pair[1]);
    return unread > once;
}

// Reading frees room, which the kernel tells whoever sleeps on the other end of a unix socket: PHP's worker would wake from its wait for the next
// request, find none, and sleep again. So short answers are looked at only, and taken out behind a request, when that worker is awake anyway.
void reuse_link(Link& link, BackendSettings::Kind kind) {
    link.reused = true;
    if (link.looking != Link::Looking::unknown) {
        return;
    }
    const int from = 0;
    int room = 0;  // PHP's side was given the same
    socklen_t length = sizeof room;
    const bool can = kind != BackendSettings::Kind::tcp &&
                     getsockopt(link.fd, SOL_SOCKET, SO_SNDBUF, &room, &length) == 0 && room >= least_room &&
                     setsockopt(link.fd, SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from) == 0;
    link.looking = can ? Link::Looking::yes : Link::Looking::impossible;
}

ReadResult read_link(Link& link, std::span<char> room) {
    const bool looks = link.looking == Link::Looking::yes && link.seen < most_seen;
    if (looks) {
        room = room.first(std::min(room.size(), most_seen));
    } else if (!empty_link(link, room)) {
        return {-1, false};
    }
    ssize_t count = 0;
    do {
        count = recv(link.fd, room.data(), room.size(), looks ? MSG_PEEK : 0);
    } while (count < 0 && errno == EINTR);
    if (looks && count > 0) {
        link.seen += static_cast<uint32_t>(count);
    }
    link.was_filled = count == static_cast<ssize_t>(room.size());
    return {count, !link.was_filled};
}

void note_answer(Link& link, uint64_t size) {
    if (link.looking == Link::Looking::yes || link.looking == Link::Looking::no) {
        link.looking = size < most_seen ? Link::Looking::yes : Link::Looking::no;
    }
}

void tidy_link(Link& link, std::span<char> scratch) {
    if (link.seen >= most_seen) {
        (void)empty_link(link, scratch);
    }
}

bool empty_link(Link& link, std::span<char> scratch) {
    while (link.seen > 0) {
        const ssize_t count = recv(link.fd, scratch.data(), std::min<size_t>(scratch.size(), link.seen), 0);
        if (count > 0) {
            link.seen -= static_cast<uint32_t>(count);
        } else if (count == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

void close_link(Link& link) {
    // Children that the host has forked have copies of it: closed by us alone it would keep its PHP worker as long as one of them lives.
    if (!link.hung_up) {
        (void)shutdown(link.fd, SHUT_RDWR);
    }
    close(link.fd);
    link.fd = -1;
}

void reset_link(Link& link) {
    // Of TCP: an address of no family dissolves the connection, whoever else has a copy of it. Its end by shutdown() would be no reset.
    constexpr sockaddr nobody{AF_UNSPEC, {}};
    (void)connect(link.fd, &nobody, sizeof nobody);
    close_link(link);
}

}  // namespace fcgate::fastcgi
