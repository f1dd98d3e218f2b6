#include "spawn/program.hpp"

#include <fcntl.h>
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
#include "base/text.hpp"
#include "base/text_table.hpp"

namespace fcgate::spawn {

namespace {

constexpr int socket_backlog = 128;

// A path in `scratch`, until the next.
[[nodiscard]] TextBuffer& new_path(const Launch& request) {
    request.scratch->path.clear();
    return request.scratch->path;
}

// A folder that belongs to PHP alone: sessions and uploads are nobody else's business. It has its user's number in its name, for others may have
// theirs in the same runtime folder; and it stays, for sessions outlive us.
[[nodiscard]] bool make_folder(const Launch& request, const char* name) {
    const Plan& plan = *request.plan;
    const char* const path = new_path(request).append<"%/%-%">(plan.runtime_dir.c_str(), name, plan.php_user).c_str();
    return (mkdir(path, 0700) == 0 || errno == EEXIST) &&
           (!plan.changes_user || chown(path, plan.php_user, plan.php_group) == 0);
}

[[nodiscard]] const char* configuration_path(const Launch& request) {
    const Plan& plan = *request.plan;
    return new_path(request)
        .append<"%/php-%-%-%.conf">(plan.runtime_dir.c_str(), plan.owner_pid, plan.server_number, request.backend)
        .c_str();
}

// The listening socket is made here and handed over, so that it belongs to whoever connects and PHP needs no right to make it.
[[nodiscard]] int open_socket(const Launch& request) {
    const Plan& plan = *request.plan;
    const char* const path = request.socket_path();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const size_t size = request.scratch->path.size();
    if (size >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, size);
    (void)unlink(path);
    Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const bool good = fd.valid() && bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                      chmod(path, 0600) == 0 &&
                      (!plan.changes_user || chown(path, plan.server_user, plan.php_group) == 0) &&
                      listen(fd.get(), socket_backlog) == 0;
    return good ? fd.release() : -1;
}

// All workers at once: with `pm = ondemand` php-fpm starts one for two connections that come together, and the second waits until the first,
// which is kept, is given up. A device that nobody looks at has no PHP at all in memory; idle_stop sees to that.
[[nodiscard]] bool write_configuration(const Launch& request) {
    Text<1024> text;
    text.append<
        "[global]\ndaemonize = no\nerror_log = /proc/self/fd/2\nlog_level = notice\nprocess_control_timeout = 2s\n"
        "[%]\nlisten = %\npm = static\npm.max_requests = 500\npm.max_children = %\nclear_env = no\n">(
        pool_name, request.socket_path(), request.settings->workers);
    // What a script is, fcgate decides.
    text.append(request.php->runs_any_name ? "security.limit_extensions = \"\"\n"_p : ""_p);
    const Descriptor file(open(configuration_path(request), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    // PHP's user reads it, whatever the umask.
    return text.ok() && file.valid() && fchmod(file.get(), 0644) == 0 &&
           write(file.get(), text.c_str(), text.size()) == static_cast<ssize_t>(text.size());
}

// No setting has a line end in it. Settings of PHP's own go on the command line: they hold for the master process, where the opcode cache is sized.
[[nodiscard]] bool build_arguments(const Launch& request) {
    const PhpPlan& php = *request.php;
    TextBuffer& lines = request.scratch->arguments.lines();
    lines.clear();
    lines.append<"%\n">(php.program.c_str());
    if (php.is_fpm) {
        lines.append<"--nodaemonize\n--force-stderr\n--fpm-config\n%\n">(configuration_path(request));
        if (geteuid() == 0 && !request.plan->changes_user) {
            lines.append("--allow-to-run-as-root\n"_p);
        }
    }
    std::string_view command = request.settings->command;
    (void)next_word(command);
    for (std::string_view word = next_word(command); !word.empty(); word = next_word(command)) {
        lines.append<"%\n">(word);
    }
    // Sessions have a folder of their own, what is temporary has the other one.
    const char* const folder = request.plan->runtime_dir.c_str();
    const uid_t user = request.plan->php_user;
    lines.append<
        "-d\nsession.save_path=%/sessions-%\n-d\nupload_tmp_dir=%/tmp-%\n-d\nsys_temp_dir=%/tmp-%\n"
        "-d\nopcache.lockfile_path=%/tmp-%\n-d\npost_max_size=%\n-d\nupload_max_filesize=%\n"
        "-d\nsession.gc_probability=1\n-d\nopcache.memory_consumption=16\n"
        "-d\nopcache.interned_strings_buffer=2\n-d\nopcache.max_accelerated_files=1000\n">(
        folder, user, folder, user, folder, user, folder, user, request.largest_body, request.largest_body);
    for (const Pair& pair : request.settings->php) {
        lines.append<"-d\n%=%\n">(pair.name, pair.value);
    }
    return request.scratch->arguments.split();
}

// What a supervisor has told fcgate about itself is not PHP's.
constexpr std::string_view our_rows[] = {"NOTIFY_SOCKET=", "LISTEN_FD",    "LISTEN_PID",
                                         "WATCHDOG_",      "FPM_SOCKETS=", "PHP_FCGI_"};
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
    Vector& environment = request.scratch->environment;
    environment.lines().clear();
    if (request.php->is_fpm) {
        environment.lines().append<"FPM_SOCKETS=%=%\n">(request.socket_path(), listening);
    } else {
        environment.lines().append<"PHP_FCGI_CHILDREN=%\nPHP_FCGI_MAX_REQUESTS=500\n">(request.settings->workers);
    }
    const bool is_good = environment.split();
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (!is_ours_alone(*entry)) {
            // Beyond the vector's room it is not worth a failure.
            (void)environment.add(*entry);
        }
    }
    return is_good;
}

// The kernel's own calls: those of the C library run what the host has registered for fork(), and wait for locks and threads of the host as they
// were when the spawner was made. A thread that was in malloc() then has left its lock taken here for ever.
#if defined(SYS_setuid32)
constexpr long set_groups = SYS_setgroups32;
constexpr long set_group = SYS_setgid32;
constexpr long set_user = SYS_setuid32;
#else
constexpr long set_groups = SYS_setgroups;
constexpr long set_group = SYS_setgid;
constexpr long set_user = SYS_setuid;
#endif

[[nodiscard]] pid_t fork_plainly() {
#if defined(SYS_fork)
    return static_cast<pid_t>(syscall(SYS_fork));
#else
    return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0UL, 0UL, 0UL, 0UL));
#endif
}

[[nodiscard]] bool become_php_user(const Plan& plan) {
    return !plan.changes_user || (syscall(set_groups, plan.php_group_count, plan.php_groups.data()) == 0 &&
                                  syscall(set_group, plan.php_group) == 0 && syscall(set_user, plan.php_user) == 0);
}

// In the child. What fails here is heard through `failures`.
[[noreturn]] void execute(const Launch& request, int null, int listening, int errors, int failures, pid_t parent) {
    // Its own session: a signal of the terminal is for fcgate, and all its processes can be ended as one group.
    (void)setsid();
    const bool is_fpm = request.php->is_fpm;
    const int listen_at = is_fpm ? 3 : STDIN_FILENO;  // php-cgi takes its socket as standard input
    sigset_t none;
    sigemptyset(&none);
    // Some cannot be set: first, so that errno is that of what follows.
    for (int number = 1; number < NSIG; ++number) {
        (void)signal(number, SIG_DFL);
    }
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
    const bool placed = dup2(errors, STDERR_FILENO) >= 0 && dup2(errors, STDOUT_FILENO) >= 0 &&
                        (!is_fpm || dup2(null, STDIN_FILENO) >= 0) && dup2(listening, listen_at) >= 0;
    if (listening == listen_at) {
        (void)fcntl(listening, F_SETFD, 0);
    }
    if (placed && become_php_user(*request.plan)) {
        // After the change of user, which would clear it. Should the spawner be killed, PHP goes as well.
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() == parent) {
            (void)execve(request.php->program.c_str(), request.scratch->arguments.finish(),
                         request.scratch->environment.finish());
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

[[gnu::noinline]] bool Vector::split() {
    items_.clear();
    bool fits = lines_.ok();
    char* item = text_;
    for (char& c : std::span(text_, lines_.size())) {
        if (c == '\n') {
            c = '\0';
            fits = add(item) && fits;
            item = &c + 1;
        }
    }
    return fits;
}

char** Vector::finish() {
    // One place is always left for it.
    (void)!items_.push_back(nullptr);
    return items_.begin();
}

const char* Launch::socket_path() const {
    TextBuffer& path = new_path(*this);
    print_socket_path(*plan, backend, run, path);
    return path.c_str();
}

Status launch(const Launch& request, Launched& out) {
    Descriptor listening;
    Pipe errors;
    Pipe failures;
    if (!make_runtime_dir(*request.plan)) {
        return fail(out, "cannot make runtime_dir, or it is not ours alone"_p);
    }
    if (!make_folder(request, "sessions") || !make_folder(request, "tmp")) {
        return fail(out, "cannot make PHP's folders in runtime_dir"_p);
    }
    if (request.php->is_fpm && !write_configuration(request)) {
        return fail(out, "cannot write php-fpm's configuration to runtime_dir"_p);
    }
    listening.reset(open_socket(request));
    if (!listening.valid()) {
        return fail(out, "cannot make PHP's socket in runtime_dir"_p);
    }
    if (!errors.open() || !failures.open()) {
        return fail(out, "pipe"_p);
    }
    const Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (request.php->is_fpm && !null.valid()) {
        return fail(out, "/dev/null"_p);
    }
    // php-fpm opens its error log by name, /proc/self/fd/2, as its own user.
    if (request.plan->changes_user &&
        fchown(errors.writer.get(), request.plan->php_user, request.plan->php_group) != 0) {
        return fail(out, "fchown"_p);
    }
    if (!build_arguments(request) || !build_environment(request, 3)) {
        errno = E2BIG;
        return fail(out, "too many arguments for PHP"_p);
    }
    const pid_t parent = getpid();
    const pid_t pid = fork_plainly();
    if (pid < 0) {
        return fail(out, "fork"_p);
    }
    if (pid == 0) {
        execute(request, null.get(), listening.get(), errors.writer.get(), failures.writer.get(), parent);
    }
    failures.writer.reset();
    int number = 0;
    // It ends with execve(): an empty read is the good news.
    if (read(failures.reader.get(), &number, sizeof number) == static_cast<ssize_t>(sizeof number)) {
        errno = number;
        out.pid = pid;  // to be waited for
        out.what.append(request.php->program.view());
        return Status::io;
    }
    out.pid = pid;
    out.errors = errors.reader.release();
    (void)fcntl(out.errors, F_SETFL, O_NONBLOCK);
    return Status::ok;
}

void clean_up(const Launch& request) {
    (void)unlink(request.socket_path());
    (void)unlink(configuration_path(request));
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
