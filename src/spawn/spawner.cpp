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
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/clock.hpp"
#include "base/descriptor.hpp"
#include "base/text.hpp"
#include "fastcgi/link.hpp"
#include "fastcgi/record.hpp"
#include "spawn/program.hpp"

namespace fcgate::spawn {

namespace {

// How long PHP may take to end once it was asked to.
constexpr int64_t stop_ms = 2000;
// How often the last words of one that has ended are read: as much as a pipe holds.
constexpr int last_reads = 128;
// The lowest descriptor of ours that is none of the three PHP gets; low, for the limit may be low.
constexpr int first_kept = 10;
constexpr std::string_view ready_words = "ready to handle connections";

struct Php : Launch {
    Descriptor errors;
    Descriptor probe;  // a connection on which the first answer is awaited
    pid_t pid = 0;     // 0: it does not run
    bool ready = false;
    int64_t kill_at = 0;  // when it has been asked to end; else 0
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
        : server_(server), children_(children), plan_(plan) {
        for (uint32_t i = 0; i < php_.size(); ++i) {
            static_cast<Launch&>(php_[i]) = {&scratch_, &plan, &plan.php[i], &settings.backends[i], i, 0, 0};
        }
    }

    [[noreturn]] void run();

  private:
    void take_orders();
    void leave();
    void start(Php& php);
    void stop(Php& php, bool at_once);
    void probe(Php& php);
    void read_probe(Php& php);
    void ready(Php& php);
    void read_errors(Php& php);
    void end_line(Php& php);
    void collect_children();
    void ended(Php& php, int status);
    void report(Report::Kind kind, const Php& php, int value, std::string_view text);
    [[nodiscard]] int kill_overdue();
    [[nodiscard]] bool is_needed() const;

    int server_;    // -1: it has gone
    int children_;  // signalfd of SIGCHLD
    const Plan& plan_;
    std::array<Php, limits::backends> php_;
    LaunchScratch scratch_;
};

void Spawner::run() {
    while (is_needed()) {
        const int timeout = kill_overdue();
        // No more than are open: poll() takes no more than RLIMIT_NOFILE. A negative number is passed over.
        pollfd watched[2 + 2 * limits::backends] = {{server_, POLLIN, 0}, {children_, POLLIN, 0}};
        nfds_t count = 2;
        for (const Php& php : php_) {
            for (const int fd : {php.errors.get(), php.probe.get()}) {
                if (fd >= 0) {
                    watched[count++] = {fd, POLLIN, 0};
                }
            }
        }
        if (poll(watched, count, timeout) < 0) {
            rest();
        }
        const pollfd* next = &watched[2];
        for (Php& php : php_) {
            const bool has_errors = php.errors.valid() && next++->revents != 0;
            const bool has_answer = php.probe.valid() && next++->revents != 0;
            if (has_errors) {
                read_errors(php);
            }
            if (has_answer) {
                read_probe(php);
            }
        }
        if (watched[1].revents != 0) {
            collect_children();
        }
        if (watched[0].revents != 0) {
            take_orders();
        }
    }
    if (plan_.is_private_dir) {
        constexpr int levels = 2;
        remove_folder(plan_.runtime_dir.c_str(), levels);
    }
    _exit(0);
}

bool Spawner::is_needed() const {
    return server_ >= 0 || std::ranges::any_of(php_, [](const Php& php) { return php.pid != 0; });
}

void Spawner::take_orders() {
    Order order{};
    const ssize_t count = recv(server_, &order, sizeof order, MSG_DONTWAIT);
    if (count < 0 && is_passing(errno)) {
        return;
    }
    if (count != static_cast<ssize_t>(sizeof order) || order.backend >= php_.size()) {
        leave();
        return;
    }
    Php& php = php_[order.backend];
    if (order.kind == Order::Kind::start) {
        php.largest_body = order.largest_body;
        start(php);
    } else {
        stop(php, order.kind == Order::Kind::stop);
    }
}

// The server has gone, or is going: no PHP is left behind.
void Spawner::leave() {
    close(server_);
    server_ = -1;
    for (Php& php : php_) {
        php.kill_at = 0;
        stop(php, true);
    }
}

void Spawner::start(Php& php) {
    if (php.pid != 0) {
        return;
    }
    ++php.run;
    php.ready = false;
    php.kill_at = 0;
    php.line.clear();
    Launched launched;
    if (launch(php, launched) != Status::ok) {
        const int number = errno;
        if (launched.pid > 0) {
            (void)waitpid(launched.pid, nullptr, 0);
        }
        clean_up(php);
        report(Report::Kind::failed, php, number, launched.what.view());
        return;
    }
    php.pid = launched.pid;
    php.errors.reset(launched.errors);
    if (!php.php->is_fpm) {
        probe(php);
    }
}

// php-cgi does not say when it is ready, and its socket takes connections before it does: one that ends at once would reset them.
void Spawner::probe(Php& php) {
    fastcgi::Link link{};
    constexpr std::array question = fastcgi::get_values();
    if (fastcgi::open_link(*php.settings, php.socket_path(), link) == Status::ok) {
        php.probe.reset(link.fd);
        if (send(link.fd, question.data(), question.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(question.size())) {
            return;
        }
    }
    const int number = errno;
    php.probe.reset();
    if (number != ECONNREFUSED && number != ECONNRESET && number != EPIPE) {
        ready(php);  // not to be found out; the others mean that it has died, and its end will be told
    }
}

void Spawner::read_probe(Php& php) {
    char bytes[fastcgi::header_size];
    const ssize_t count = recv(php.probe.get(), bytes, sizeof bytes, 0);
    if (count < 0 && is_passing(errno)) {
        return;
    }
    php.probe.reset();
    // Reset: it has died.
    if (count >= 0) {
        ready(php);
    }
}

void Spawner::ready(Php& php) {
    php.ready = true;
    report(Report::Kind::ready, php, 0, {});
}

void Spawner::stop(Php& php, bool at_once) {
    if (php.pid != 0 && php.kill_at == 0) {
        (void)kill(php.pid, at_once || !php.php->is_fpm ? SIGTERM : SIGQUIT);
        php.kill_at = monotonic_ms() + stop_ms;
    }
}

// How long poll() may take then.
int Spawner::kill_overdue() {
    const int64_t now = monotonic_ms();
    int timeout = -1;
    for (Php& php : php_) {
        if (php.kill_at == 0) {
            continue;
        }
        const auto left = static_cast<int>(php.kill_at - now);
        if (left > 0) {
            timeout = timeout < 0 ? left : std::min(timeout, left);
            continue;
        }
        (void)kill(-php.pid, SIGKILL);
        php.kill_at = 0;
        if (server_ < 0) {
            ended(php, 0);  // whether or not it does
        }
    }
    return timeout;
}

void Spawner::read_errors(Php& php) {
    char bytes[512];
    const ssize_t count = read(php.errors.get(), bytes, sizeof bytes);
    if (count < 0 && is_passing(errno)) {
        return;
    }
    if (count <= 0) {
        php.errors.reset();
        // It can no longer say so: a command may have turned its words elsewhere.
        if (!php.ready && !php.probe.valid()) {
            probe(php);
        }
        return;
    }
    for (const char c : std::string_view(bytes, static_cast<size_t>(count))) {
        if (c == '\n' || php.line.room() < 2) {
            end_line(php);
        }
        if (c != '\n') {
            php.line.append(c);
        }
    }
}

void Spawner::end_line(Php& php) {
    if (php.line.size() == 0) {
        return;
    }
    report(Report::Kind::line, php, 0, php.line.view());
    if (!php.ready && php.line.view().find(ready_words) != std::string_view::npos) {
        ready(php);
    }
    php.line.clear();
}

void Spawner::collect_children() {
    char told[sizeof(signalfd_siginfo)];
    while (read(children_, told, sizeof told) > 0) {}
    for (Php& php : php_) {
        int status = 0;
        if (php.pid != 0 && waitpid(php.pid, &status, WNOHANG) == php.pid) {
            ended(php, status);
        }
    }
}

void Spawner::ended(Php& php, int status) {
    // A master that was killed leaves its workers behind; they are its group. Who has left that may go on to write for ever, until nobody reads.
    // A php-fpm that ends well has none left: who is there was started by a script to go on, an update perhaps.
    if (status != 0 || !php.php->is_fpm) {
        (void)kill(-php.pid, SIGKILL);
    }
    for (int left = last_reads; left > 0 && php.errors.valid(); --left) {
        pollfd more{php.errors.get(), POLLIN, 0};
        if (poll(&more, 1, 0) != 1) {
            break;
        }
        read_errors(php);
    }
    end_line(php);
    php.errors.reset();
    php.probe.reset();
    clean_up(php);
    php.pid = 0;
    php.kill_at = 0;
    report(Report::Kind::exited, php, status, {});
}

void Spawner::report(Report::Kind kind, const Php& php, int value, std::string_view text) {
    Report out{};
    out.kind = kind;
    out.backend = static_cast<uint8_t>(php.backend);
    out.run = php.run;
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
