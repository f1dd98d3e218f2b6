// The fcgate daemon: arguments, privileges and signals around the library's public interface. It stays in the
// foreground.
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "activation.hpp"
#include "doctor.hpp"
#include "exit_code.hpp"
#include "limits.hpp"
#include "options.hpp"
#include "pid_file.hpp"
#include "privileges.hpp"
#include "reload.hpp"
#include "report.hpp"
#include "supervisor.hpp"

namespace fcgate::daemon {

namespace {

// Of a user or the pid file.
constexpr size_t name_size = 256;

constexpr int handled_signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1};

// Started with stdin, stdout or stderr closed, a socket would take its number, and the log would go to a client.
bool have_standard_descriptors() {
    for (int fd = 0; fd <= 2; ++fd) {
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}

// Our signals arrive through a descriptor. Threads inherit the mask, so it is set before there are any.
int open_signals() {
    sigset_t mask;
    sigemptyset(&mask);
    for (const int number : handled_signals) {
        sigaddset(&mask, number);
    }
    // A log that has reached RLIMIT_FSIZE takes no more lines, as one on a full disk; that is no reason to end.
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
        sigprocmask(SIG_BLOCK, &mask, nullptr) != 0) {
        return -1;
    }
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Settings are read with some 40 KiB of stack, then this thread only sleeps: what lies below is given back to the kernel.
[[gnu::noinline]] void give_stack_back() {
    constexpr size_t most = size_t{128} * 1024;
    constexpr size_t kept = 4096;  // for the ABI's red zone, and for what is called from here on
    auto* const here = static_cast<char*>(__builtin_frame_address(0));
    char* const end = here - kept - reinterpret_cast<uintptr_t>(here) % static_cast<uintptr_t>(getpagesize());
    // Below the mapped part of the stack there is nothing: ENOMEM, once all that is there was given back.
    (void)madvise(end - most, most, MADV_DONTNEED);
}

// What a server that runs needs from the daemon around it.
struct Running {
    int signals;
    const Supervisor& supervisor;
    const Reload& reload;
    fcgate_server* server;
    bool is_stopping = false;
    bool wants_reload = false;
};

void stop(Running& running) {
    running.supervisor.stopping("finishing what has begun");
    fcgate_stop(running.server, running.is_stopping ? 0 : -1);
    running.is_stopping = true;
    running.wants_reload = false;
}

// A service manager that has asked for it waits until it hears that it is over.
void reload(Running& running) {
    const bool has_waited = running.wants_reload;
    if (!has_waited) {
        running.supervisor.reloading();
    }
    const Reload::Result result = running.reload.attempt(running.server);
    running.wants_reload = result == Reload::Result::later;
    if (running.wants_reload && !has_waited) {
        const Text<128> line(
            "reload: the new configuration waits until requests under the one before the last have ended"_p);
        fcgate_log(running.server, FCGATE_LOG_INFO, line.c_str());
    }
    if (!running.wants_reload) {
        running.supervisor.ready(
            result == Reload::Result::done ? "serving" : "serving; the new configuration was refused, see the log");
    }
}

void take_signals(Running& running) {
    signalfd_siginfo info{};
    while (read(running.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        switch (info.ssi_signo) {
            case SIGHUP:
                // Who has heard of the stop is not told that it serves again.
                if (!running.is_stopping) {
                    reload(running);
                }
                break;
            case SIGUSR1:
                fcgate_reopen_logs(running.server);
                break;
            default:
                stop(running);
                break;
        }
    }
}

// Sleeps until a signal comes or the server has ended; returns the exit code.
int wait_for_end(Running& running) {
    pollfd watched[] = {
        {.fd = running.signals, .events = POLLIN, .revents = 0},
        {.fd = fcgate_ended_fd(running.server), .events = POLLIN, .revents = 0},
    };
    if (watched[1].fd < 0) {
        say<"the server cannot be watched">();
        return exit_failure;
    }
    while (watched[1].revents == 0) {
        if (poll(watched, 2, running.wants_reload ? Reload::retry_ms : -1) < 0 && errno != EINTR) {
            say<"poll: %">(SystemError{errno});
            return exit_failure;
        }
        if (running.wants_reload) {
            reload(running);
            give_stack_back();
        }
        take_signals(running);
    }
    fcgate_error error{};
    const int result = fcgate_wait(running.server, -1, &error);
    return result == FCGATE_OK ? exit_ok : complain(result, error);
}

int start_and_serve(Running& running, const Identity& identity, const char* pid_path, rlim_t descriptors) {
    PidFile pid_file;
    int code = pid_file.write(pid_path);
    if (code == exit_ok) {
        code = become(identity);
    }
    if (code != exit_ok) {
        return code;
    }
    limit_resources(descriptors);
    fcgate_error error{};
    const int result = fcgate_start(running.server, &error);
    if (result != FCGATE_OK) {
        return complain(result, error);
    }
    running.supervisor.ready("serving");
    report_to(running.server);
    give_stack_back();
    code = wait_for_end(running);
    report_to(nullptr);
    return code;
}

// Takes `settings` over.
int serve(const Options& options, const PassedSockets& sockets, const Supervisor& supervisor,
          fcgate_settings*& settings) {
    char pid_path[name_size];
    char user[name_size];
    Identity identity;
    if (fcgate_get(settings, "server.user", user, sizeof user) != FCGATE_OK ||
        fcgate_get(settings, "server.pid_file", pid_path, sizeof pid_path) != FCGATE_OK) {
        say<"server.user and server.pid_file: at most % characters">(name_size - 1);
        return exit_configuration;
    }
    int code = identify(settings, identity);
    if (code != exit_ok) {
        return code;
    }
    const int signals = open_signals();
    if (signals < 0) {
        say<"cannot receive signals: %">(SystemError{errno});
        return exit_failure;
    }
    keep_capabilities_from_children();
    const rlim_t descriptors = descriptors_for(settings);
    fcgate_error error{};
    fcgate_server* server = fcgate_create(settings, &error);
    if (server == nullptr) {
        code = complain(error.code, error);
    } else {
        settings = nullptr;
        const Reload reload{options, sockets, user, identity.name};
        Running running{.signals = signals, .supervisor = supervisor, .reload = reload, .server = server};
        code = start_and_serve(running, identity, pid_path, descriptors);
        fcgate_destroy(server);
    }
    close(signals);
    return code;
}

int print_settings(const fcgate_settings* settings) {
    char* const printed = room_to_print();
    if (fcgate_print(settings, printed, printed_max) != FCGATE_OK) {
        say<"the configuration could not be printed">();
        return exit_failure;
    }
    return print_all({printed});
}

int print_budget(fcgate_settings* settings, fcgate_budget_form form, int fd) {
    char* const printed = room_to_print();
    if (fcgate_budget(settings, form, printed, printed_max) != FCGATE_OK) {
        say<"the budget could not be printed">();
        return exit_failure;
    }
    return print_all({printed}, fd);
}

// Says what is wrong with the settings; returns the exit code.
int check(const Options& options, fcgate_settings* settings) {
    fcgate_error error{};
    const int result = fcgate_check(settings, &error);
    const bool wants_budget = options.action == Options::Action::budget;
    int code = exit_ok;
    if (wants_budget && (result == FCGATE_OK || result == FCGATE_TOO_LARGE)) {
        code = print_budget(settings, options.budget_form, STDOUT_FILENO);
    } else if (result == FCGATE_TOO_LARGE) {
        code = print_budget(settings, FCGATE_BUDGET_TABLE, STDERR_FILENO);
    }
    return result == FCGATE_OK || code != exit_ok ? code : complain(result, error);
}

int run(const Options& options, fcgate_settings*& settings) {
    PassedSockets sockets;
    Supervisor supervisor;
    supervisor.open();
    int code = take_passed_sockets(sockets);
    if (code == exit_ok) {
        code = apply_options(options, settings);
    }
    if (code == exit_ok) {
        code = use_passed_sockets(sockets, settings);
    }
    if (code != exit_ok) {
        return code;
    }
    if (options.action == Options::Action::doctor) {
        return examine(options, settings);
    }
    code = check(options, settings);
    if (code != exit_ok || options.action == Options::Action::budget) {
        return code;
    }
    if (options.action == Options::Action::print) {
        return print_settings(settings);
    }
    if (options.action == Options::Action::test) {
        return print_all({"fcgate: configuration ", options.config == nullptr ? "" : options.config,
                          options.config == nullptr ? "" : " ", "is good\n"});
    }
    return serve(options, sockets, supervisor, settings);
}

// What libmicrohttpd allocates on our threads comes from one heap, which gives back what it does not need. By default the GNU C library
// gives a thread a heap of its own and keeps 128 KiB at the end of each; per connection the difference could not be measured.
void keep_heap_small() {
#ifdef M_ARENA_MAX
    constexpr int kept = 16 * 1024;
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TOP_PAD, kept);
    (void)mallopt(M_TRIM_THRESHOLD, kept);
#endif
}

int run_with_arguments(int argc, char** argv) {
    keep_heap_small();
    if (!have_standard_descriptors()) {
        say<"/dev/null: %">(SystemError{errno});
        return exit_failure;
    }
    Options options;
    int code = parse_options(argc, argv, options);
    if (code != exit_ok) {
        return code;
    }
    if (options.action == Options::Action::help) {
        return print_help();
    }
    if (options.action == Options::Action::version) {
        return print_version();
    }
    fcgate_settings* settings = fcgate_settings_create();
    if (settings == nullptr) {
        say<"out of memory">();
        return exit_failure;
    }
    code = run(options, settings);
    fcgate_settings_destroy(settings);
    return code;
}

}  // namespace

}  // namespace fcgate::daemon

int main(int argc, char** argv) {
    return fcgate::daemon::run_with_arguments(argc, argv);
}
