#include "base/output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/features.hpp"

namespace fcgate {

namespace {

// What a pipe takes whole when it is said to take something.
constexpr size_t pipe_page = 4096;

}  // namespace

Status Output::open(std::string_view target, SyslogForm form) {
    if (target == "stderr" || target.empty()) {
        return Status::ok;
    }
    if constexpr (features::syslog) {
        if (starts_with(target, "syslog")) {
            const std::string_view path = slice(target, sizeof "syslog:" - 1);
            return syslog_.open(path.empty() ? syslog_path : path, form);
        }
    }
    path_.clear();
    path_.append(target);
    return path_.ok() ? reopen() : Status::too_large;
}

Status Output::reopen() {
    if (path_.size() == 0) {
        return Status::ok;
    }
    Descriptor fresh(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640));
    if (!fresh.valid()) {
        return status_of_error(errno);
    }
    if (!file_.valid()) {
        file_ = static_cast<Descriptor&&>(fresh);
    } else if (dup3(fresh.get(), file_.get(), O_CLOEXEC) < 0) {
        // The number stays, so that no thread ever writes to one that is closed.
        return Status::io;
    }
    look();
    return Status::ok;
}

int Output::fd() const {
    return file_.valid() ? file_.get() : STDERR_FILENO;
}

void Output::look() {
    struct stat found {};
    const bool is_known = fstat(fd(), &found) == 0;
    kind_.store(is_known && S_ISREG(found.st_mode)    ? Kind::file
                : is_known && S_ISSOCK(found.st_mode) ? Kind::socket
                                                      : Kind::other,
                std::memory_order_relaxed);
}

size_t Output::write(std::string_view lines) const {
    const Kind kind = kind_.load(std::memory_order_relaxed);
    size_t done = 0;
    while (done < lines.size()) {
        std::string_view piece = slice(lines, done);
        ssize_t count = 0;
        if (kind == Kind::socket) {
            count = ::send(fd(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        } else {
            if (kind == Kind::other) {
                // Standard error is not ours alone, so it cannot be made not to block.
                pollfd ready{fd(), POLLOUT, 0};
                if (poll(&ready, 1, 0) <= 0) {
                    break;
                }
                piece = slice(piece, 0, pipe_page);
                // Whole lines, as far as there are any: others may write there too.
                const size_t end = piece.rfind('\n');
                piece = slice(piece, 0, end != std::string_view::npos ? end + 1 : piece.size());
            }
            count = ::write(fd(), piece.data(), piece.size());
        }
        if (count <= 0) {
            break;
        }
        done += static_cast<size_t>(count);
    }
    return done;
}

}  // namespace fcgate
