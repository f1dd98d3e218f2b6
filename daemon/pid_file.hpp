// Owns: the file with the daemon's process number (server.pid_file), for init scripts that want one.
#pragma once

#include "base/text.hpp"
#include "fcgate/fcgate.h"

namespace fcgate::daemon {

class PidFile {
  public:
    PidFile() = default;
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;
    // The file goes with the daemon, unless another process has written it since. Where it can no longer be removed, because root has been
    // given up, it is emptied.
    ~PidFile();

    // To be called while the process may still write where the file is to be. "" writes none. Returns exit_ok, or what
    // to exit with; then it has been said why.
    [[nodiscard]] int write(const char* path);

  private:
    [[nodiscard]] bool is_ours() const;

    int fd_ = -1;
    static constexpr size_t line_size = 16;
    Text<line_size> line_;
    static constexpr size_t most_path = 255;
    Text<most_path + 1> path_;
};

}  // namespace fcgate::daemon
