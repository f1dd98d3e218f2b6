#include "spawn/spawner.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>

#include "base/clock.hpp"
#include "base/descriptor.hpp"
#include "base/text.hpp"
#include "fastcgi/record.hpp"
#include "spawn/program.hpp"

namespace fcgate::spawn {

namespace {

// How long PHP may take to end once it was asked to.
constexpr int64_t stop_ms = 2000;
// The lowest descriptor of ours that is none of the three PHP gets; low, for the limit may be low.
constexpr int first_kept = 10;
constexpr std::string_view ready_words = "ready to handle connections";

struct Php {
    pid_t pid = -1;
    int errors = -1;
    int probe = -1;  // a connection on which the first answer is awaited
    uint32_t run = 0;
    bool ready = false;
    int64_t kill_at = never;  // when it has been asked to end
    Text<Report::text_size> line;
};

// The kernel had no memory, or somebody has interrupted: the same may go well in a moment.
[[nodiscard]] bool is_passing(int number) {
    return number == EAGAIN || number == EINTR || number == ENOMEM || number == ENOBUFS;
}

void rest() {
    constexpr int moment_ms = 5;
    (void)poll(nullptr, 0, moment_ms);
}

class Spawner {
  public:
    Spawner(const Plan& plan, const Settings& settings, int server, int children)
        : plan_(plan), settings_(settings), server_(server), children_(children) {}

    [[noreturn]] void run();

  private:
    [[nodiscard]] Launch launch_of(size_t backend) { return {scratch_, plan_, settings_, backend, php_[backend].run}; }
    [[nodiscard]] bool take_orders();
    void start(size_t backend);
    void stop(size_t backend, bool at_once);
    void probe(size_t backend);
    void read_probe(size_t backend);
    void ready(size_t backend);
    void read_errors(size_t backend);
    void end_line(size_t backend);
    void collect_children();
    void ended(size_t backend, int status);
    void report(Report::Kind kind, size_t backend, int value, std::string_view text);
    [[nodiscard]] int next_timeout() const;
    void kill_overdue();
    [[noreturn]] void leave();

    const Plan& plan_;
    const Settings& settings_;
    int server_;
    int children_;  // signalfd of SIGCHLD
    std::array<Php, limits::backends> php_;
    LaunchScratch scratch_;
};

void Spawner::run() {
    for (;;) {
        // A negative number is passed over.
        std::array<pollfd, 2 + 2 * limits::backends> watched{};
        const std::span<pollfd> errors = std::span(watched).subspan(2, php_.size());
        const std::span<pollfd> probes = std::span(watched).subspan(2 + php_.size());
        watched[0] = {server_, POLLIN, 0};
        watched[1] = {children_, POLLIN, 0};
        for (size_t i = 0; i < php_.size(); ++i) {
            errors[i] = {php_[i].errors, POLLIN, 0};
            probes[i] = {php_[i].probe, POLLIN, 0};
        }
        if (poll(watched.data(), watched.size(), next_timeout()) < 0) {
            rest();
        }
        for (size_t i = 0; i < php_.size(); ++i) {
            if (errors[i].revents != 0) {
                read_errors(i);
            }
            if (probes[i].revents != 0) {
                read_probe(i);
            }
        }
        if (watched[1].revents != 0) {
            collect_children();
        }
        kill_overdue();
        if (watched[0].revents != 0 && !take_orders()) {
            leave();
        }
    }
}

int Spawner::next_timeout() const {
    int64_t due = never;
    for (const Php& php : php_) {
        due = php.kill_at < due ? php.kill_at : due;
    }
    const int64_t left = due == never ? -1 : due - monotonic_ms();
    return due == never ? -1 : static_cast<int>(left > 0 ? left : 0);
}

// False when the server has ended, in whatever way.
bool Spawner::take_orders() {
    Order order{};
    const ssize_t count = recv(server_, &order, sizeof order, MSG_DONTWAIT);
    if (count < 0 && is_passing(errno)) {
        return true;
    }
    if (count != static_cast<ssize_t>(sizeof order) || order.backend >= php_.size()) {
        return false;
    }
    if (order.kind == Order::Kind::start) {
        start(order.backend);
    } else {
        stop(order.backend, order.kind == Order::Kind::stop);
    }
    return true;
}

void Spawner::start(size_t backend) {
    Php& php = php_[backend];
    if (php.pid > 0) {
        return;
    }
    ++php.run;
    php.ready = false;
    php.kill_at = never;
    php.line.clear();
    Launched launched;
    if (launch(launch_of(backend), launched) != Status::ok) {
        const int number = errno;
        if (launched.pid > 0) {
            (void)waitpid(launched.pid, nullptr, 0);
        }
        clean_up(launch_of(backend));
        report(Report::Kind::failed, backend, number, launched.what);
        return;
    }
    php.pid = launched.pid;
    php.errors = launched.errors;
    if (!plan_.php[backend].is_fpm) {
        probe(backend);
    }
}

// php-cgi does not say when it is ready, and its socket takes connections before it does: one that ends at once would reset them.
void Spawner::probe(size_t backend) {
    Text<limits::path> path;
    print_socket_path(plan_, backend, php_[backend].run, path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
    Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    constexpr std::array question = fastcgi::get_values();
    if (fd.valid() && connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(question.size())) {
        php_[backend].probe = fd.release();
    } else if (errno != ECONNREFUSED && errno != ECONNRESET && errno != EPIPE) {
        ready(backend);  // not to be found out; the others mean that it has died, and its end will be told
    }
}

void Spawner::read_probe(size_t backend) {
    Php& php = php_[backend];
    char bytes[fastcgi::header_size];
    const ssize_t count = recv(php.probe, bytes, sizeof bytes, 0);
    if (count < 0 && is_passing(errno)) {
        return;
    }
    close(php.probe);
    php.probe = -1;
    // Reset: it has died.
    if (count >= 0) {
        ready(backend);
    }
}

void Spawner::ready(size_t backend) {
    php_[backend].ready = true;
    report(Report::Kind::ready, backend, 0, {});
}

void Spawner::stop(size_t backend, bool at_once) {
    Php& php = php_[backend];
    if (php.pid > 0 && php.kill_at == never) {
        (void)kill(php.pid, at_once || !plan_.php[backend].is_fpm ? SIGTERM : SIGQUIT);
        php.kill_at = monotonic_ms() + stop_ms;
    }
}

void Spawner::kill_overdue() {
    const int64_t now = monotonic_ms();
    for (Php& php : php_) {
        if (php.kill_at <= now) {
            (void)kill(-php.pid, SIGKILL);
            php.kill_at = never;
        }
    }
}

void Spawner::read_errors(size_t backend) {
    Php& php = php_[backend];
    char bytes[512];
    const ssize_t count = read(php.errors, bytes, sizeof bytes);
    if (count < 0 && is_passing(errno)) {
        return;
    }
    if (count <= 0) {
        close(php.errors);
        php.errors = -1;
        // It can no longer say so: a command may have turned its words elsewhere.
        if (!php.ready && php.probe < 0) {
            probe(backend);
        }
        return;
    }
    for (ssize_t i = 0; i < count; ++i) {
        if (bytes[i] == '\n' || php.line.room() < 2) {
            end_line(backend);
        }
        if (bytes[i] != '\n') {
            php.line.append(bytes[i]);
        }
    }
}

void Spawner::end_line(size_t backend) {
    Php& php = php_[backend];
    if (php.line.size() == 0) {
        return;
    }
    report(Report::Kind::line, backend, 0, php.line.view());
    if (!php.ready && php.line.view().find(ready_words) != std::string_view::npos) {
        ready(backend);
    }
    php.line.clear();
}

void Spawner::collect_children() {
    signalfd_siginfo info{};
    while (read(children_, &info, sizeof info) > 0) {}
    for (size_t i = 0; i < php_.size(); ++i) {
        int status = 0;
        if (php_[i].pid > 0 && waitpid(php_[i].pid, &status, WNOHANG) == php_[i].pid) {
            ended(i, status);
        }
    }
}

void Spawner::ended(size_t backend, int status) {
    Php& php = php_[backend];
    while (php.errors >= 0 && php.line.ok()) {
        const int before = php.errors;
        pollfd more{php.errors, POLLIN, 0};
        if (poll(&more, 1, 0) != 1) {
            break;
        }
        read_errors(backend);
        if (php.errors != before) {
            break;
        }
    }
    end_line(backend);
    // A master that was killed leaves its workers behind; they are its group.
    (void)kill(-php.pid, SIGKILL);
    if (php.errors >= 0) {
        close(php.errors);
    }
    if (php.probe >= 0) {
        close(php.probe);
    }
    clean_up(launch_of(backend));
    php.pid = -1;
    php.errors = -1;
    php.probe = -1;
    php.kill_at = never;
    report(Report::Kind::exited, backend, status, {});
}

void Spawner::report(Report::Kind kind, size_t backend, int value, std::string_view text) {
    Report out{};
    out.kind = kind;
    out.backend = static_cast<uint8_t>(backend);
    out.run = php_[backend].run;
    out.value = value;
    text = slice(text, 0, sizeof out.text - 1);
    if (!text.empty()) {
        memcpy(out.text, text.data(), text.size());
    }
    // What PHP says may get lost when the server is slow; how PHP is may not.
    const int flags = MSG_NOSIGNAL | (kind == Report::Kind::line ? MSG_DONTWAIT : 0);
    while (send(server_, &out, sizeof out, flags) < 0 && kind != Report::Kind::line && is_passing(errno)) {
        rest();
    }
}

// The server has gone, or is going: no PHP is left behind.
void Spawner::leave() {
    const int64_t deadline = monotonic_ms() + stop_ms;
    for (Php& php : php_) {
        if (php.pid > 0) {
            (void)kill(php.pid, SIGTERM);
        }
    }
    for (size_t i = 0; i < php_.size(); ++i) {
        Php& php = php_[i];
        while (php.pid > 0 && waitpid(php.pid, nullptr, WNOHANG) == 0 && monotonic_ms() < deadline) {
            pollfd child{children_, POLLIN, 0};
            (void)poll(&child, 1, 50);
            signalfd_siginfo info{};
            (void)!read(children_, &info, sizeof info);
        }
        if (php.pid > 0) {
            (void)kill(-php.pid, SIGKILL);
            (void)waitpid(php.pid, nullptr, WNOHANG);
            clean_up(launch_of(i));
        }
    }
    if (plan_.is_private_dir) {
        constexpr int levels = 2;
        remove_folder(plan_.runtime_dir.c_str(), levels);
    }
    _exit(0);
}

void close_others(int keep) {
#if defined(SYS_close_range)
    const auto kept = static_cast<unsigned>(keep);
    if (syscall(SYS_close_range, 3U, kept - 1, 0) == 0 && syscall(SYS_close_range, kept + 1, ~0U, 0) == 0) {
        return;
    }
#endif
    constexpr int most = 65536;
    rlimit limit{};
    const bool is_limited = getrlimit(RLIMIT_NOFILE, &limit) == 0;
    for (int fd = 3; fd < most && (!is_limited || static_cast<rlim_t>(fd) < limit.rlim_cur); ++fd) {
        if (fd != keep) {
            close(fd);
        }
    }
}

}  // namespace

void spawner_main(const Plan& plan, const Settings& settings, int server) {
    (void)prctl(PR_SET_NAME, "fcgate-spawner");
    // The terminal's signals are for fcgate; its end is heard through the socket.
    (void)setsid();
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, nullptr);
    (void)signal(SIGCHLD, SIG_DFL);
    (void)chdir("/");
    const int kept = fcntl(server, F_DUPFD_CLOEXEC, first_kept);
    if (kept < 0) {
        _exit(1);
    }
    close_others(kept);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const int children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (children < 0) {
        _exit(1);
    }
    // The stack is a copy of the host thread's, of unknown size.
    void* const memory = mmap(nullptr, sizeof(Spawner), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        _exit(1);
    }
    (new (memory) Spawner(plan, settings, kept, children))->run();
}

}  // namespace fcgate::spawn
