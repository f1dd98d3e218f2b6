#include "http/progress.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>  // for tcpi_bytes_acked, which the C libraries' own headers lack
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

#include "base/socket_query.hpp"

namespace fcgate::http {

namespace {

[[nodiscard]] int unsent(int fd) {
    int queued = 0;
    return query_socket(fd, SIOCOUTQ, queued) ? queued : 0;
}

}  // namespace

SendProgress send_progress(int fd) {
    tcp_info info{};
    socklen_t length = sizeof info;
    // The field came with Linux 4.1; older kernels fill in less.
    const bool is_tcp = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0;
    if (is_tcp && length >= offsetof(tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked) {
        return {info.tcpi_bytes_acked, true};
    }
    return {static_cast<uint64_t>(unsent(fd)), false};
}

bool has_unsent(int fd) {
    return unsent(fd) > 0;
}

bool has_unread(int fd) {
    int unread = 0;
    return query_socket(fd, FIONREAD, unread) && unread > 0;
}

}  // namespace fcgate::http
