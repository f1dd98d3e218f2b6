#include "base/syslog.hpp"

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "base/machine.hpp"
#include "base/wall_time.hpp"

namespace fcgate {

namespace {

constexpr unsigned facility = 3;  // daemon
// "Jan  2 03:04:05", in the zone of the machine
void append_local(TextBuffer& out, const timespec& now) {
    tm parts{};
    localtime_r(&now.tv_sec, &parts);
    out.append(month_name(parts)).append(parts.tm_mday < 10 ? "  " : " ");
    out.append_number(static_cast<uint64_t>(parts.tm_mday)).append(' ');
    append_clock(out, parts);
}

}  // namespace

Status Syslog::open(std::string_view path, SyslogForm form) {
    form_ = form;
    path_.append(path);
    Text<128> name;
    append_machine_name(name);
    for (const char c : name.view()) {
        host_.append(c > ' ' && c < 0x7f ? c : '-');
    }
    if (host_.size() == 0) {
        host_.append('-');
    }
    socket_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_.valid()) {
        return Status::exhausted;
    }
    return path_.ok() ? Status::ok : Status::too_large;
}

void Syslog::append_head(TextBuffer& out, const SyslogLine& line, const timespec& now) const {
    out.append('<').append_number(facility * 8 + static_cast<unsigned>(line.severity)).append('>');
    if (form_ == SyslogForm::local) {
        append_local(out, now);
        out.append(" fcgate[").append_number(static_cast<uint64_t>(getpid())).append("]: ");
        return;
    }
    out.append("1 ");
    append_utc(out, now);
    out.append(' ').append(host_.view()).append(" fcgate ").append_number(static_cast<uint64_t>(getpid()));
    out.append(' ').append(line.kind).append(" - ");
}

Status Syslog::send(const SyslogLine& line) const {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    Text<192> head;
    append_head(head, line, now);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path_.c_str(), path_.size());
    iovec parts[] = {{const_cast<char*>(head.c_str()), head.size()},
                     {const_cast<char*>(line.text.data()), line.text.size()}};
    msghdr message{};
    message.msg_name = &address;
    message.msg_namelen = sizeof address;
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    if (sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        return Status::ok;
    }
    return errno == EMSGSIZE ? Status::too_large : Status::again;
}

}  // namespace fcgate
