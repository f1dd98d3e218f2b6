// Owns: where lines of a log go: standard error, a file, or the machine's syslog.
// Must not touch: the heap. It waits for nobody: what a full pipe, or a syslog that is stuck or not there, does not take stays with the caller.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/limits.hpp"
#include "base/status.hpp"
#include "base/syslog.hpp"
#include "base/text.hpp"

namespace fcgate {

class Output {
  public:
    static constexpr std::string_view syslog_path = "/dev/log";

    Output() { look(); }
    // `target`: stderr, syslog, syslog:PATH, or the path of a file, which is opened for appending.
    [[nodiscard]] Status open(std::string_view target, SyslogForm form);
    // A file is opened again by name, after rotation. Threads that write meanwhile hit the old or the new one.
    [[nodiscard]] Status reopen();
    [[nodiscard]] bool is_syslog() const { return syslog_.is_open(); }
    // Not to syslog: whole lines with their ends. Returns how many bytes are done with.
    [[nodiscard]] size_t write(std::string_view lines) const;
    // To syslog: a line without its end.
    [[nodiscard]] Status send(const SyslogLine& line) const { return syslog_.send(line); }

  private:
    void look();
    [[nodiscard]] int fd() const;

    enum class Kind : uint8_t { file, socket, other };

    std::atomic<Kind> kind_ = Kind::other;  // the file's that was opened last
    Descriptor file_;
    Syslog syslog_;
    Text<limits::path> path_;
};

}  // namespace fcgate
