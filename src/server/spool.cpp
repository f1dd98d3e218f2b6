#include "server/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace fcgate::server {

namespace {

constexpr uint64_t kib = 1024;

[[nodiscard]] uint32_t in_kib(uint64_t size) {
    return static_cast<uint32_t>(std::min<uint64_t>((size + kib - 1) / kib, UINT32_MAX));
}

[[nodiscard]] Status status_of_errno() {
    return errno == ENOSPC || errno == EDQUOT ? Status::exhausted : Status::io;
}

}  // namespace

// Some file systems (jffs2, overlayfs before 6.1, FAT) know no file without a name.
int open_and_unlink(std::string_view folder) {
    Text<limits::path> name(folder);
    name.append("/fcgate-XXXXXX"_p);
    if (!name.ok()) {
        errno = ENAMETOOLONG;
        return -1;
    }
    char* const path = const_cast<char*>(name.c_str());
    const int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        (void)unlink(path);
    }
    return fd;
}

void Spool::init(std::span<SpooledBody> bodies, std::atomic<uint32_t>& total_kib, uint64_t most) {
    bodies_.init(bodies);
    total_kib_ = &total_kib;
    most_kib_ = in_kib(most);
}

Result<Handle> Spool::open(std::string_view folder) {
    const Text<limits::path> path(folder);
    int fd = ::open(path.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        fd = open_and_unlink(folder);
    }
    if (fd < 0) {
        return status_of_errno();
    }
    SpooledBody* const body = bodies_.take();
    if (body == nullptr) {
        ::close(fd);
        errno = ENOBUFS;
        return Status::io;
    }
    body->fd = fd;
    body->size = body->sent = 0;
    body->reserved_kib = 0;
    return SlotPool<SpooledBody>::handle(*body);
}

bool Spool::reserve(SpooledBody& body, uint64_t size) {
    const uint32_t needed = in_kib(size) - body.reserved_kib;
    uint32_t total = total_kib_->load();
    do {
        if (needed > most_kib_ - std::min(most_kib_, total)) {
            errno = ENOSPC;
            return false;
        }
    } while (!total_kib_->compare_exchange_weak(total, total + needed));
    body.reserved_kib += needed;
    return true;
}

Status Spool::append(SpooledBody& body, std::span<const char> bytes) {
    if (!reserve(body, body.size + bytes.size())) {
        return Status::exhausted;
    }
    while (!bytes.empty()) {
        const ssize_t count = pwrite(body.fd, bytes.data(), bytes.size(), static_cast<off_t>(body.size));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return status_of_errno();
        }
        body.size += static_cast<uint64_t>(count);
        bytes = bytes.subspan(static_cast<size_t>(count));
    }
    return Status::ok;
}

Result<size_t> Spool::read(const SpooledBody& body, std::span<char> room) {
    ssize_t count = 0;
    do {
        count = pread(body.fd, room.data(), room.size(), static_cast<off_t>(body.sent));
    } while (count < 0 && errno == EINTR);
    const bool is_short = count == 0 && body.sent < body.size;
    return count < 0 || is_short ? Result<size_t>(Status::io) : Result<size_t>(static_cast<size_t>(count));
}

void Spool::close(SpooledBody& body) {
    ::close(body.fd);
    total_kib_->fetch_sub(body.reserved_kib);
    bodies_.give_back(body);
}

}  // namespace fcgate::server
