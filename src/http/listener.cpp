#include "http/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
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
            return "; another program listens there, or another `listen` of this configuration: fcgate doctor says which"_p;
        case EADDRNOTAVAIL:
            return "; no interface has this address; :PORT alone takes all there are"_p;
        case ENOENT:
            return "; make its folder"_p;
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
    return status_of_error(error_number);
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

// A socket, and what to bind it to.
struct Opened {
    Descriptor fd;
    sockaddr_storage address{};
    socklen_t length = 0;
};

[[nodiscard]] const char* local_path(const Opened& opened) {
    return reinterpret_cast<const sockaddr_un&>(opened.address).sun_path;
}

// These return what has failed, and leave errno to tell why; empty: nothing has.
[[nodiscard]] Packed open_tcp(const ListenSettings& listen, Opened& out) {
    const bool any = listen.kind == ListenSettings::Kind::any;
    int family = !any && listen.endpoint.kind() == Endpoint::Kind::ipv4 ? AF_INET : AF_INET6;
    constexpr int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    out.fd.reset(socket(family, type, 0));
    if (!out.fd.valid() && any && errno == EAFNOSUPPORT) {
        family = AF_INET;  // a kernel without IPv6: `:PORT` still means everywhere
        out.fd.reset(socket(family, type, 0));
    }
    if (!out.fd.valid()) {
        return "socket"_p;
    }
    const int on = 1;
    const int is_alone = any ? 0 : 1;
    (void)setsockopt(out.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6) {
        (void)setsockopt(out.fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &is_alone, sizeof is_alone);
    }
    if (any) {
        // The port of an IPv4 address stands in the same place.
        static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
        auto& address = reinterpret_cast<sockaddr_in6&>(out.address);
        address.sin6_family = static_cast<sa_family_t>(family);
        address.sin6_port = htons(listen.endpoint.port());
        out.length = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    } else {
        out.length = listen.endpoint.to_sockaddr(out.address);
    }
    return {};
}

[[nodiscard]] Packed open_local(const ListenSettings& listen, Opened& out) {
    auto& address = reinterpret_cast<sockaddr_un&>(out.address);
    if (listen.path.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return "the path is too long"_p;
    }
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, listen.path.data(), listen.path.size());
    out.length = sizeof address;
    out.fd.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!out.fd.valid()) {
        return "socket"_p;
    }
    if (is_leftover(address)) {
        (void)unlink(address.sun_path);
    }
    return {};
}

[[nodiscard]] Packed check_inherited(int fd) {
    if (fd < 0) {
        errno = EBADF;
        return "no socket of this name was inherited"_p;
    }
    int listening = 0;
    socklen_t length = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0) {
        return "no such socket was inherited"_p;
    }
    if (listening == 0) {
        errno = EINVAL;
        return "the inherited socket does not listen"_p;
    }
    const int flags = fcntl(fd, F_GETFL);
    const bool is_set =
        flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
    return is_set ? Packed() : "fcntl"_p;
}

}  // namespace

Result<int> open_listener(const ListenSettings& listen, TextBuffer& why) {
    Opened opened;
    Packed failed;
    if (listen.kind == ListenSettings::Kind::descriptor) {
        failed = check_inherited(listen.descriptor);
    } else {
        failed = listen.kind == ListenSettings::Kind::local ? open_local(listen, opened) : open_tcp(listen, opened);
        const auto* const address = reinterpret_cast<const sockaddr*>(&opened.address);
        if (failed.empty() && bind(opened.fd.get(), address, opened.length) != 0) {
            failed = "bind"_p;
        }
        // Before anybody can connect.
        if (failed.empty() && listen.mode != 0 && chmod(local_path(opened), listen.mode) != 0) {
            failed = "chmod"_p;
        }
        if (failed.empty() && ::listen(opened.fd.get(), backlog) != 0) {
            failed = "listen"_p;
        }
    }
    if (!failed.empty()) {
        return fail(listen, why, failed, errno);
    }
    return opened.fd.valid() ? opened.fd.release() : listen.descriptor;
}

void remove_socket_path(const ListenSettings& listen) {
    if (listen.kind == ListenSettings::Kind::local) {
        Text<limits::path> path(listen.path);
        (void)unlink(path.c_str());
    }
}

Endpoint address_of(int socket) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const bool known = getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    return known ? Endpoint(address, length) : Endpoint();
}

bool has_waiting_client(int listener) {
    pollfd waiting{listener, POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
}

Status accept_client(int listener, Newcomer& out) {
    for (int tries = 0; tries < accept_tries; ++tries) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            out.fd = fd;
            out.client = Endpoint(address, length);
            out.local = address_of(fd);
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
