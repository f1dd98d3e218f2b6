#include "http/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"
#include "base/log.hpp"

namespace fcgate::http {

namespace {

constexpr int backlog = 512;

// A refusal inside the loop of accept() may be a passing fault of one client: the next is tried, but not for ever.
constexpr int accept_tries = 16;

[[nodiscard]] Packed remedy_of(int error_number, ListenSettings::Kind kind) {
    const bool is_local = kind == ListenSettings::Kind::local;
    switch (error_number) {
        case EADDRINUSE:
            return "; another program listens there: end it (fcgate doctor says which it is), or listen elsewhere"_p;
        case EADDRNOTAVAIL:
            return "; no interface has this address; :PORT alone takes all there are"_p;
        case EACCES:
        case EPERM:
            return is_local ? "; may the folder be written to?"_p
                            : "; ports below 1024 need root or CAP_NET_BIND_SERVICE, those from 1024 on do not"_p;
        default:
            return {};
    }
}

// Leaves errno to tell.
[[nodiscard]] Result<int> fail(const ListenSettings& listen, TextBuffer& why, Packed what, int error_number) {
    char words[96] = "";
    why.append("listen "_p).append(listen.text).append(": "_p).append(what);
    why.append(": "_p).append(describe_error(error_number, words)).append(remedy_of(error_number, listen.kind));
    errno = error_number;
    return error_number == EACCES || error_number == EPERM ? Status::denied : Status::io;
}

[[nodiscard]] bool bind_any(int fd, uint16_t port, bool ipv6) {
    if (ipv6) {
        const int off = 0;
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        return bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    return bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

[[nodiscard]] Result<int> open_tcp(const ListenSettings& listen, TextBuffer& why) {
    const bool any = listen.kind == ListenSettings::Kind::any;
    int family = listen.endpoint.kind() == Endpoint::Kind::ipv4 ? AF_INET : AF_INET6;
    if (any) {
        family = AF_INET6;
    }
    constexpr int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    Descriptor fd(socket(family, type, 0));
    if (!fd.valid() && any && errno == EAFNOSUPPORT) {
        family = AF_INET;  // a kernel without IPv6: `:PORT` still means everywhere
        fd.reset(socket(family, type, 0));
    }
    if (!fd.valid()) {
        return fail(listen, why, "socket"_p, errno);
    }
    const int on = 1;
    (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool bound = false;
    if (any) {
        bound = bind_any(fd.get(), listen.endpoint.port(), family == AF_INET6);
    } else {
        if (family == AF_INET6) {
            (void)setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        }
        sockaddr_storage address{};
        const socklen_t length = listen.endpoint.to_sockaddr(address);
        bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
    }
    if (!bound) {
        return fail(listen, why, "bind"_p, errno);
    }
    if (::listen(fd.get(), backlog) != 0) {
        return fail(listen, why, "listen"_p, errno);
    }
    return fd.release();
}

// A socket file that nobody listens on any more is a leftover of a crash and may be replaced.
[[nodiscard]] bool is_leftover(const sockaddr_un& address) {
    struct stat status {};
    if (lstat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
           errno == ECONNREFUSED;
}

[[nodiscard]] Result<int> open_local(const ListenSettings& listen, TextBuffer& why) {
    sockaddr_un address{};
    if (listen.path.size() >= sizeof address.sun_path) {
        return fail(listen, why, "the path is too long"_p, ENAMETOOLONG);
    }
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, listen.path.data(), listen.path.size());
    Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.valid()) {
        return fail(listen, why, "socket"_p, errno);
    }
    if (is_leftover(address)) {
        (void)unlink(address.sun_path);
    }
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail(listen, why, "bind"_p, errno);
    }
    if (::listen(fd.get(), backlog) != 0) {
        return fail(listen, why, "listen"_p, errno);
    }
    return fd.release();
}

[[nodiscard]] Result<int> take_descriptor(const ListenSettings& listen, TextBuffer& why) {
    if (listen.descriptor < 0) {
        return fail(listen, why, "no socket of this name was inherited"_p, EBADF);
    }
    int listening = 0;
    socklen_t length = sizeof listening;
    if (getsockopt(listen.descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0) {
        return fail(listen, why, "no such socket was inherited"_p, errno);
    }
    if (listening == 0) {
        return fail(listen, why, "the inherited socket does not listen"_p, EINVAL);
    }
    const int flags = fcntl(listen.descriptor, F_GETFL);
    if (flags < 0 || fcntl(listen.descriptor, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(listen.descriptor, F_SETFD, FD_CLOEXEC) != 0) {
        return fail(listen, why, "fcntl"_p, errno);
    }
    return listen.descriptor;
}

}  // namespace

Result<int> open_listener(const ListenSettings& listen, TextBuffer& why) {
    switch (listen.kind) {
        case ListenSettings::Kind::tcp:
        case ListenSettings::Kind::any:
            return open_tcp(listen, why);
        case ListenSettings::Kind::local:
            return open_local(listen, why);
        case ListenSettings::Kind::descriptor:
            return take_descriptor(listen, why);
    }
    return Status::io;
}

void remove_socket_path(const ListenSettings& listen) {
    if (listen.kind == ListenSettings::Kind::local) {
        Text<limits::path> path(listen.path);
        (void)unlink(path.c_str());
    }
}

bool has_waiting_client(int listener) {
    pollfd waiting{listener, POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
}

Status accept_client(int listener, Accepted& out) {
    for (int tries = 0; tries < accept_tries; ++tries) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            out.fd = fd;
            out.client = Endpoint(address, length);
            length = sizeof address;
            const bool known = getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
            out.local = known ? Endpoint(address, length) : Endpoint();
            return Status::ok;
        }
        switch (errno) {
            case EAGAIN:
                return Status::again;
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM:
                return Status::exhausted;
            default:
                break;
        }
    }
    return Status::again;
}

}  // namespace fcgate::http
