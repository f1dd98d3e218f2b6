#include "spawn/program.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"
#include "base/fixed_list.hpp"
#include "base/text.hpp"
#include "base/text_table.hpp"

namespace fcgate::spawn {

namespace {

constexpr int socket_backlog = 128;

void print_path(const Launch& request, std::string_view name, TextBuffer& out) {
    out.append(request.plan.runtime_dir.view()).append(name);
}

// A folder that belongs to PHP alone: sessions and uploads are nobody else's business.
[[nodiscard]] bool make_folder(const Launch& request, std::string_view name) {
    Text<limits::path> path;
    print_path(request, name, path);
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return false;
    }
    return !request.plan.changes_user || chown(path.c_str(), request.plan.php_user, request.plan.php_group) == 0;
}

void print_configuration_path(const Launch& request, TextBuffer& out) {
    out.append<"%/php-%-%.conf">(request.plan.runtime_dir.view(), request.plan.owner_pid, request.backend);
}

// The listening socket is made here and handed over, so that it belongs to whoever connects and PHP needs no right to make it.
[[nodiscard]] int open_socket(const Launch& request) {
    Text<limits::path> path;
    print_socket_path(request.plan, request.backend, request.run, path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path.c_str(), path.size());
    (void)unlink(path.c_str());
    Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const bool good =
        fd.valid() && bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        chmod(path.c_str(), 0600) == 0 &&
        (!request.plan.changes_user || chown(path.c_str(), request.plan.server_user, request.plan.server_group) == 0) &&
        listen(fd.get(), socket_backlog) == 0;
    return good ? fd.release() : -1;
}

// All workers at once: with `pm = ondemand` php-fpm starts one for two connections that come together, and the second waits until the first,
// which is kept, is given up. A device that nobody looks at has no PHP at all in memory; idle_stop sees to that.
[[nodiscard]] bool write_configuration(const Launch& request) {
    Text<limits::path> path;
    print_configuration_path(request, path);
    Text<1024> text(
        "[global]\ndaemonize = no\nerror_log = /proc/self/fd/2\nlog_level = notice\nprocess_control_timeout = "
        "2s\n[fcgate]\nlisten = ");
    print_socket_path(request.plan, request.backend, request.run, text);
    text.append("\npm = static\npm.max_requests = 500\npm.max_children = "_p);
    text.append_number(request.settings.workers);
    text.append("\nclear_env = no\n"_p);
    const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    return text.ok() && file.valid() &&
           write(file.get(), text.c_str(), text.size()) == static_cast<ssize_t>(text.size());
}

// Settings of PHP's own go on the command line: they hold for the master process, where the opcode cache is sized.
void add_ini(Vector& arguments, std::string_view first, std::string_view second) {
    arguments.add("-d");
    arguments.add(first, second);
}

// The first is for sessions, the others for what is temporary.
constexpr std::string_view in_folder_rows[] = {
    "session.save_path=", "upload_tmp_dir=", "sys_temp_dir=", "opcache.lockfile_path="};
constexpr auto in_folder = pack_texts<in_folder_rows>();
constexpr std::string_view fixed_rows[] = {"session.gc_probability=1", "opcache.memory_consumption=16",
                                           "opcache.interned_strings_buffer=2", "opcache.max_accelerated_files=1000"};
constexpr auto fixed = pack_texts<fixed_rows>();

void add_settings(const Launch& request, Vector& arguments) {
    Text<24> body;
    body.append_number(request.php.largest_body);
    for (size_t i = 0; i < std::size(in_folder); ++i) {
        Text<limits::path> path;
        print_path(request, i == 0 ? "/sessions" : "/tmp", path);
        add_ini(arguments, in_folder[i], path.view());
    }
    add_ini(arguments, "post_max_size=", body.view());
    add_ini(arguments, "upload_max_filesize=", body.view());
    for (size_t i = 0; i < std::size(fixed); ++i) {
        add_ini(arguments, fixed[i], {});
    }
    for (const Pair& pair : request.settings.php) {
        Text<limits::path> name(pair.name);
        add_ini(arguments, name.append('=').view(), pair.value);
    }
}

[[nodiscard]] bool build_arguments(const Launch& request) {
    const PhpPlan& php = request.php;
    Vector& arguments = request.scratch.arguments;
    arguments.clear();
    arguments.add(php.program.view());
    if (php.is_fpm) {
        Text<limits::path> configuration;
        print_configuration_path(request, configuration);
        arguments.add("--nodaemonize");
        arguments.add("--force-stderr");
        arguments.add("--fpm-config");
        arguments.add(configuration.view());
        if (geteuid() == 0 && !request.plan.changes_user) {
            arguments.add("--allow-to-run-as-root");
        }
    }
    std::string_view command = request.settings.command;
    (void)next_word(command);
    for (std::string_view word = next_word(command); !word.empty(); word = next_word(command)) {
        arguments.add(word);
    }
    add_settings(request, arguments);
    return arguments.ok();
}

// What a supervisor has told fcgate about itself is not PHP's.
constexpr std::string_view our_rows[] = {
    "NOTIFY_SOCKET=", "LISTEN_FDS=",  "LISTEN_PID=",        "LISTEN_FDNAMES=",       "WATCHDOG_USEC=",
    "WATCHDOG_PID=",  "FPM_SOCKETS=", "PHP_FCGI_CHILDREN=", "PHP_FCGI_MAX_REQUESTS="};
constexpr auto ours = pack_texts<our_rows>();

[[nodiscard]] bool is_ours_alone(std::string_view entry) {
    for (size_t i = 0; i < std::size(ours); ++i) {
        if (starts_with(entry, ours[i])) {
            return true;
        }
    }
    return false;
}

[[nodiscard]] bool build_environment(const Launch& request, int listening) {
    Vector& environment = request.scratch.environment;
    environment.clear();
    if (request.php.is_fpm) {
        Text<limits::path + 32> sockets("FPM_SOCKETS=");
        print_socket_path(request.plan, request.backend, request.run, sockets);
        sockets.append('=').append_number(static_cast<uint64_t>(listening));
        environment.add(sockets.view());
    } else {
        environment.add_number("PHP_FCGI_CHILDREN=", request.settings.workers);
        environment.add("PHP_FCGI_MAX_REQUESTS=500");
    }
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (!is_ours_alone(*entry)) {
            // Beyond the vector's room it is not worth a failure.
            (void)environment.add_foreign(*entry);
        }
    }
    return environment.ok();
}

[[nodiscard]] bool become_php_user(const Plan& plan) {
    return !plan.changes_user ||
           (setgroups(1, &plan.php_group) == 0 && setgid(plan.php_group) == 0 && setuid(plan.php_user) == 0);
}

// In the child. What fails here is heard through `failures`.
[[noreturn]] void execute(const Launch& request, int listening, int errors, int failures, pid_t parent) {
    // Its own session: a signal of the terminal is for fcgate, and all its processes can be ended as one group.
    (void)setsid();
    const bool is_fpm = request.php.is_fpm;
    const int listen_at = is_fpm ? 3 : STDIN_FILENO;  // php-cgi takes its socket as standard input
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const bool placed = dup2(errors, STDERR_FILENO) >= 0 && dup2(errors, STDOUT_FILENO) >= 0 &&
                        (!is_fpm || dup2(null, STDIN_FILENO) >= 0) && dup2(listening, listen_at) >= 0;
    if (listening == listen_at) {
        (void)fcntl(listening, F_SETFD, 0);
    }
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; ++number) {
        (void)signal(number, SIG_DFL);
    }
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
    if (placed && become_php_user(request.plan)) {
        // After the change of user, which would clear it. Should the spawner be killed, PHP goes as well.
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() == parent) {
            (void)execve(request.php.program.c_str(), request.scratch.arguments.finish(),
                         request.scratch.environment.finish());
        }
    }
    const int number = errno;
    (void)!write(failures, &number, sizeof number);
    _exit(127);
}

struct Pipe {
    Descriptor reader;
    Descriptor writer;

    [[nodiscard]] bool open() {
        int ends[2] = {-1, -1};
        const bool good = pipe2(ends, O_CLOEXEC) == 0;
        reader.reset(ends[0]);
        writer.reset(ends[1]);
        return good;
    }
};

[[nodiscard]] Status fail(Launched& out, Packed what) {
    out.what.append(what);
    return Status::io;
}

}  // namespace

void Vector::add(std::string_view first, std::string_view second) {
    TextBuffer text(std::span<char>(text_).subspan(used_));
    text.append(first).append(second);
    ok_ = ok_ && text.ok() && add_foreign(text_.data() + used_);
    used_ += ok_ ? text.size() + 1 : 0;
}

void Vector::add_number(std::string_view first, uint64_t value) {
    Text<24> number;
    number.append_number(value);
    add(first, number.view());
}

char** Vector::finish() {
    // One place is always left for it.
    (void)!items_.push_back(nullptr);
    return items_.begin();
}

Status launch(const Launch& request, Launched& out) {
    Descriptor listening;
    Pipe errors;
    Pipe failures;
    if (!make_folder(request, "/sessions") || !make_folder(request, "/tmp")) {
        return fail(out, "cannot make PHP's folders in runtime_dir"_p);
    }
    if (request.php.is_fpm && !write_configuration(request)) {
        return fail(out, "cannot write php-fpm's configuration to runtime_dir"_p);
    }
    listening.reset(open_socket(request));
    if (!listening.valid()) {
        return fail(out, "cannot make PHP's socket in runtime_dir"_p);
    }
    if (!errors.open() || !failures.open()) {
        return fail(out, "pipe"_p);
    }
    // php-fpm opens its error log by name, /proc/self/fd/2, as its own user.
    if (request.plan.changes_user && fchown(errors.writer.get(), request.plan.php_user, request.plan.php_group) != 0) {
        return fail(out, "fchown"_p);
    }
    if (!build_arguments(request) || !build_environment(request, 3)) {
        errno = E2BIG;
        return fail(out, "too many arguments for PHP"_p);
    }
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) {
        return fail(out, "fork"_p);
    }
    if (pid == 0) {
        execute(request, listening.get(), errors.writer.get(), failures.writer.get(), parent);
    }
    failures.writer.reset();
    int number = 0;
    // It ends with execve(): an empty read is the good news.
    if (read(failures.reader.get(), &number, sizeof number) == static_cast<ssize_t>(sizeof number)) {
        errno = number;
        out.pid = pid;  // to be waited for
        out.what.append(request.php.program.view());
        return Status::io;
    }
    out.pid = pid;
    out.errors = errors.reader.release();
    (void)fcntl(out.errors, F_SETFL, O_NONBLOCK);
    return Status::ok;
}

void clean_up(const Launch& request) {
    Text<limits::path> path;
    print_socket_path(request.plan, request.backend, request.run, path);
    (void)unlink(path.c_str());
    path.clear();
    print_configuration_path(request, path);
    (void)unlink(path.c_str());
}

// NOLINTNEXTLINE(misc-no-recursion): `levels` bounds it
void remove_folder(const char* path, int levels) {
    // struct linux_dirent64, which no header declares: inode and offset, eight bytes each, the entry's length, its type, its name.
    constexpr size_t length_at = 16;
    constexpr size_t name_at = 19;
    // opendir() would allocate.
    const Descriptor folder(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    char buffer[2048];
    for (long count = 0;
         folder.valid() && (count = syscall(SYS_getdents64, folder.get(), buffer, sizeof buffer)) > 0;) {
        uint16_t length = 0;
        for (const char* entry = buffer; entry < buffer + count; entry += length) {
            memcpy(&length, entry + length_at, sizeof length);
            const std::string_view name(entry + name_at);
            if (name == "." || name == "..") {
                continue;
            }
            if (unlinkat(folder.get(), entry + name_at, 0) != 0 && errno == EISDIR && levels > 0) {
                Text<limits::path> below(path);
                below.append('/').append(name);
                remove_folder(below.c_str(), levels - 1);
            }
        }
    }
    (void)rmdir(path);
}

}  // namespace fcgate::spawn
