// Owns: the way of one line to the machine's syslog: a datagram to a unix socket, by RFC 5424 or as the C library's syslog() writes it.
// Must not touch: the heap; it never waits. There is no connection, so a syslogd that is started again, or later, needs no care.
#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate {

enum class SyslogForm : uint8_t {
    rfc5424,
    local,  // what every syslogd takes at /dev/log: "<30>Jan  2 03:04:05 fcgate[123]: text"
};

struct SyslogLine {
    int severity = 6;
    std::string_view kind;  // MSGID of RFC 5424
    std::string_view text;
};

class Syslog {
  public:
    // exhausted: no descriptor; too_large: the path.
    [[nodiscard]] Status open(std::string_view path, SyslogForm form);
    [[nodiscard]] bool is_open() const { return socket_.valid(); }
    // again: nobody takes it now; too_large: nobody ever will. Any thread.
    [[nodiscard]] Status send(const SyslogLine& line) const;
    // What stands in front of the text.
    void append_head(TextBuffer& out, const SyslogLine& line, const timespec& now) const;

  private:
    Descriptor socket_;
    Text<108> path_;  // as long as sockaddr_un has room for
    Text<65> host_;
    SyslogForm form_ = SyslogForm::rfc5424;
};

}  // namespace fcgate
