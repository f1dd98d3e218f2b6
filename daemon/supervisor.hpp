// Owns: what the daemon tells the service manager that started it (the protocol of sd_notify(3), without libsystemd).
// Without one it does nothing.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string_view>

namespace fcgate::daemon {

class Supervisor {
  public:
    Supervisor() = default;
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;
    ~Supervisor();

    // Takes NOTIFY_SOCKET out of the environment: PHP, or whoever else is started, must not speak for the daemon.
    void open();

    // `status` is one line for people: `systemctl status` shows it.
    void ready(const char* status) const;
    void reloading() const;
    void stopping(const char* status) const;

  private:
    void send(std::string_view state) const;

    int socket_ = -1;
    socklen_t length_ = 0;
    sockaddr_un address_{};
};

}  // namespace fcgate::daemon
