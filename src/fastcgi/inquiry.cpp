#include "fastcgi/inquiry.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/clock.hpp"
#include "fastcgi/link.hpp"
#include "fastcgi/record.hpp"

namespace fcgate::fastcgi {

namespace {

[[nodiscard]] Status wait_for(int fd, short events, int64_t deadline) {
    pollfd watched{fd, events, 0};
    int count = 0;
    do {
        const int64_t left = deadline - monotonic_ms();
        // Whoever never stops has always something to be read.
        count = left < 0 ? 0 : poll(&watched, 1, static_cast<int>(left));
    } while (count < 0 && errno == EINTR);
    return count > 0 ? Status::ok : Status::timed_out;
}

}  // namespace

Status wait_for_input(int fd, int64_t deadline) {
    return wait_for(fd, POLLIN, deadline);
}

Status connect_by(const BackendAddress& backend, std::string_view path, int64_t deadline, Descriptor& fd) {
    Link link{};
    Status status = open_link(backend, path, link);
    if (status == Status::ok || status == Status::again) {
        fd.reset(link.fd);
    }
    if (status == Status::again) {
        if (wait_for(link.fd, POLLOUT, deadline) == Status::ok) {
            return finish_open(link);
        }
        errno = ETIMEDOUT;
        status = Status::io;
    }
    return status;
}

Status ask_values(const BackendAddress& backend, std::string_view path, int64_t deadline) {
    Descriptor fd;
    const Status connected = connect_by(backend, path, deadline, fd);
    if (connected != Status::ok) {
        return connected;
    }
    constexpr std::array question = get_values();
    uint8_t answer[header_size];
    if (send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(question.size())) {
        return Status::gone;
    }
    const Status waited = wait_for_input(fd.get(), deadline);
    if (waited != Status::ok) {
        return waited;
    }
    const ssize_t count = recv(fd.get(), answer, sizeof answer, 0);
    if (count <= 0) {
        return Status::gone;
    }
    const bool is_answer =
        count >= 2 && answer[0] == version_1 && answer[1] == static_cast<uint8_t>(RecordType::get_values_result);
    return is_answer ? Status::ok : Status::malformed;
}

}  // namespace fcgate::fastcgi
