// Every system call of the process that starts and ends PHP, and of those it forks, fails once with every error that it may have: who
// asks meanwhile gets an answer, the log says why it is none of PHP's, the next one is served by PHP, and nothing is left over: no process, no file,
// no descriptor, no busy loop.
#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <span>

#include "fake_php.hpp"
#include "fcgate/fcgate.h"
#include "http_client.hpp"
#include "inject.hpp"
#include "scene.hpp"
#include "support/world.hpp"
#include "unit/temp_tree.hpp"

namespace {

using fcgate::monotonic_ms;
using fcgate::Text;
using fcgate::TextBuffer;
using fcgate::test::Client;
using fcgate::test::LogLines;
using fcgate::test::open_descriptors;
using fcgate::test::promise;
using fcgate::test::soon;
using fcgate::test::TempTree;
using fcgate::test::inject::Fault;
namespace inject = fcgate::test::inject;

constexpr Fault faults[] = {
    {"mkdir", ENOSPC},       {"chown", EPERM},        {"open64", EMFILE},  {"open64", EROFS},   {"write", ENOSPC},
    {"socket", EMFILE},      {"bind", ENOSPC},        {"chmod", EROFS},    {"listen", ENOMEM},  {"pipe2", EMFILE},
    {"fchown", EPERM},       {"fork", EAGAIN},        {"dup2", EBUSY},     {"setgid", EPERM},   {"setgroups", ENOMEM},
    {"setuid", EAGAIN},      {"execve", ENOENT},      {"execve", ENOMEM},  {"read", EINTR},     {"read", EAGAIN},
    {"read", EIO},           {"poll", EINTR},         {"poll", ENOMEM},    {"recv", EINTR},     {"recv", ENOMEM},
    {"recv packet", EINTR},  {"recv packet", ENOMEM}, {"send", ENOBUFS},   {"send", EINTR},     {"send packet", EINTR},
    {"send packet", ENOMEM}, {"connect", EAGAIN},     {"connect", ENOENT}, {"fcntl64", EMFILE}, {"signalfd", EMFILE},
    {"mmap64", ENOMEM},      {"syscall", ENOSYS},
};

// The server's side of it.
constexpr Fault faults_of_server[] = {
    {"send packet", EINTR}, {"send packet", EAGAIN}, {"send packet", ENOMEM}, {"send packet", ENOBUFS},
    {"recv packet", EINTR}, {"recv packet", EAGAIN}, {"recv packet", ENOMEM},
};

// Without these there is no spawner, and it is said.
constexpr std::string_view needed_to_begin[] = {"fcntl64", "signalfd", "mmap64"};

// What the tests are at: told when a promise is broken.
Text<128> about;

void keep(bool kept, const char* what, LogLines* log = nullptr, int line = __builtin_LINE()) {
    if (!kept) {
        print_error("%s\n", about.c_str());
        if (log != nullptr) {
            log->print();
        }
    }
    promise(kept, what, line);
}

[[nodiscard]] size_t entries_of(const char* path) {
    DIR* const folder = opendir(path);
    size_t count = 0;
    while (folder != nullptr && readdir(folder) != nullptr) {
        ++count;
    }
    if (folder != nullptr) {
        closedir(folder);
    }
    return count;
}

// The program of this test under the name of a PHP, where PHP's user can execute it.
void copy_program(const TempTree& tree, const char* name) {
    char bytes[size_t{64} * 1024];
    const int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const int to = openat(tree.fd(), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    ssize_t count = 0;
    while ((count = read(from, bytes, sizeof bytes)) > 0) {
        promise(write(to, bytes, static_cast<size_t>(count)) == count, "the program is copied");
    }
    promise(count == 0 && to >= 0 && fchmod(to, 0755) == 0, "the program is copied");
    close(from);
    close(to);
}

// Files and settings of one server after the other.
class Place {
  public:
    explicit Place(bool is_fpm) {
        tree_.file("t.php");
        tree_.folder("run");
        copy_program(tree_, "fake-php-fpm");
        copy_program(tree_, "fake-php-cgi");
        command_.append(tree_.path()).append(is_fpm ? "/fake-php-fpm" : "/fake-php-cgi");
        run_.append(tree_.path()).append("/run");
        front_.append(tree_.path()).append("/front.sock");
    }

    [[nodiscard]] fcgate_settings* settings(LogLines& log) const {
        fcgate_settings* const made = fcgate_settings_create();
        promise(made != nullptr, "there are settings");
        Text<80> listen("unix:");
        listen.append(front_.view());
        const struct {
            const char* name;
            const char* value;
        } keys[] = {
            {"server.listen", listen.c_str()}, {"server.runtime_dir", run_.c_str()},
            {"backend.address", "spawn"},      {"backend.command", command_.c_str()},
            {"backend.workers", "1"},          {"backend.keep_alive", "no"},
            {"backend.idle_stop", "20ms"},     {"site.root", tree_.path()},
            {"server.log_level", "debug"},
        };
        for (const auto& key : keys) {
            fcgate_error error{};
            promise(fcgate_set(made, key.name, key.value, &error) == FCGATE_OK, error.text);
        }
        fcgate_settings_set_log(made, &LogLines::callback, &log);
        return made;
    }
    [[nodiscard]] unsigned ask() const {
        Client client;
        promise(client.connect(fcgate::test::local_address(front_.view())), "somebody listens");
        promise(client.send("GET /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"), "the request is taken");
        return client.read() ? client.reply().status : 0;
    }
    // The folders of sessions and uploads stay, and nothing else.
    [[nodiscard]] size_t files() const { return entries_of(run_.c_str()); }

  private:
    TempTree tree_;
    Text<64> command_;
    Text<64> run_;
    Text<64> front_;
};

constexpr size_t files_at_rest = 4;  // ".", "..", sessions and tmp

[[nodiscard]] size_t descriptors_of(int pid) {
    Text<64> path("/proc/");
    path.append_number(static_cast<uint64_t>(pid)).append("/fd");
    return entries_of(path.c_str());
}

// Nothing that was started runs any more. This process inherits what has lost its parent.
void expect_no_process(LogLines& log) {
    pid_t found = 0;
    for (const int64_t deadline = soon(); found >= 0 && monotonic_ms() < deadline;) {
        found = waitpid(-1, nullptr, WNOHANG | __WALL);
        (void)usleep(found == 0 ? 500 : 0);
    }
    keep(found < 0 && errno == ECHILD, "no process is left over", &log);
}

template <typename Condition>
[[nodiscard]] bool comes_true(Condition is_true) {
    for (const int64_t deadline = soon(); !is_true();) {
        if (monotonic_ms() >= deadline) {
            return false;
        }
        (void)usleep(500);
    }
    return true;
}

class Life {
  public:
    explicit Life(const Place& place) : place_(place) {
        inject::forget_child();
        fcgate_error error{};
        server_ = fcgate_create(place.settings(log_), &error);
        keep(server_ != nullptr && fcgate_start(server_, &error) == FCGATE_OK, error.text);
    }

    // PHP comes, goes, and comes once more; whatever goes wrong, who asks is told.
    void pass() {
        for (int visit = 0; visit < 2; ++visit) {
            const unsigned status = place_.ask();
            keep(status == 200 || status == 502, "an answer, or none of PHP's", &log_);
            keep(status == 200 || log_.has("PHP "), "the log says why", &log_);
            if (status == 200) {
                keep(log_.has("PHP has been stopped") || log_.has("PHP was killed"), "PHP is stopped", &log_);
            }
        }
    }
    // Whatever was: PHP serves again, as soon as it may be started again.
    [[nodiscard]] bool recovers() {
        return comes_true([this] { return place_.ask() == 200 || is_given_up(); }) && !is_given_up();
    }
    [[nodiscard]] bool is_given_up() { return log_.count("the spawner has ended") > 0; }

    // At rest the spawner has so many descriptors.
    size_t rest() {
        keep(comes_true([this] { return place_.files() == files_at_rest; }), "no file is left over", &log_);
        const int spawner = inject::child();
        size_t count = 0;
        for (int same = 0; same < 3; ++same) {
            const size_t before = count;
            count = descriptors_of(spawner);
            same = count == before ? same : 0;
        }
        return count;
    }
    void end() {
        const size_t waits = inject::child_waits();
        fcgate_destroy(server_);
        expect_no_process(log_);
        keep(place_.files() <= files_at_rest, "no file is left over", &log_);
        keep(waits < 2000, "the spawner does not spin", &log_);
    }
    LogLines& log() { return log_; }

  private:
    const Place& place_;
    LogLines log_;
    fcgate_server* server_ = nullptr;
};

[[nodiscard]] bool may_end_spawner(const Fault& fault) {
    for (const std::string_view call : needed_to_begin) {
        if (call == fault.call) {
            return true;
        }
    }
    return false;
}

// How often a call is made in a life in which nothing fails, and what the spawner has open at rest.
struct Usual {
    size_t calls = 0;
    size_t descriptors = 0;
};
Usual usual[std::size(faults)];
Usual usual_of_server[std::size(faults_of_server)];

void count_calls(const Place& place, std::span<const Fault> all, std::span<Usual> counts) {
    for (size_t i = 0; i < all.size(); ++i) {
        if (i > 0 && all[i - 1].call == std::string_view(all[i].call)) {
            counts[i] = counts[i - 1];
            continue;
        }
        inject::arm(all[i], 0);
        Life life(place);
        life.pass();
        counts[i].descriptors = life.rest();
        counts[i].calls = inject::calls();
        life.end();
    }
}

void prepare(bool is_fpm) {
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    inject::watch_children();
    const Place place(is_fpm);
    count_calls(place, faults, usual);
    inject::watch_parent(true);
    count_calls(place, faults_of_server, usual_of_server);
    inject::arm({"", 0}, 0);
}

// True when the fault has come true.
bool suffer(const Place& place, const Fault& fault, size_t n, size_t descriptors) {
    about.clear();
    about.append("call ").append_number(n).append(" of ").append(fault.call).append(" fails: ");
    about.append(strerror(fault.error));
    const size_t before = open_descriptors();
    inject::arm(fault, n);
    Life life(place);
    life.pass();
    const bool has_failed = inject::has_failed();
    inject::arm(fault, 0);
    const bool recovers = life.recovers();
    keep(recovers || (life.is_given_up() && may_end_spawner(fault)), "the next request is served", &life.log());
    if (recovers) {
        keep(comes_true([&] { return life.rest() == descriptors; }), "the spawner has no more descriptors than before",
             &life.log());
    }
    life.end();
    keep(open_descriptors() == before, "no descriptor is left over");
    return has_failed;
}

constexpr size_t shares = 8;

// A share of all faults, in a process of its own: most of the time is pauses before PHP is tried again.
[[nodiscard]] size_t suffer_share(bool is_fpm, size_t share) {
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    inject::watch_children();
    const Place place(is_fpm);
    size_t turn = 0;
    size_t injected = 0;
    const auto suffer_all = [&](std::span<const Fault> all, std::span<const Usual> counts) {
        for (size_t i = 0; i < all.size(); ++i) {
            for (size_t n = 1; n <= counts[i].calls; ++n) {
                if (turn++ % shares == share) {
                    injected += suffer(place, all[i], n, counts[i].descriptors) ? 1U : 0U;
                }
            }
        }
    };
    suffer_all(faults, usual);
    inject::watch_parent(true);
    suffer_all(faults_of_server, usual_of_server);
    return injected;
}

void every_call_may_fail(bool is_fpm) {
    prepare(is_fpm);
    size_t injected = 0;
    pid_t children[shares];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (size_t share = 0; share < shares; ++share) {
        children[share] = fork();
        if (children[share] == 0) {
            const size_t count = suffer_share(is_fpm, share);
            _exit(write(ends[1], &count, sizeof count) == static_cast<ssize_t>(sizeof count) ? 0 : 1);
        }
    }
    close(ends[1]);
    bool good = true;
    for (const pid_t child : children) {
        int status = 0;
        size_t count = 0;
        good = child > 0 && waitpid(child, &status, 0) == child && status == 0 && good;
        injected += read(ends[0], &count, sizeof count) == static_cast<ssize_t>(sizeof count) ? count : 0;
    }
    close(ends[0]);
    assert_true(good);
    print_message("%zu faults\n", injected);
    assert_true(injected > 100);
}

void every_call_may_fail_of_a_spawner_with_php_fpm(void** /*state*/) {
    every_call_may_fail(true);
}
void every_call_may_fail_of_a_spawner_with_php_cgi(void** /*state*/) {
    every_call_may_fail(false);
}

}  // namespace

int main(int /*count*/, char** arguments) {
    const std::string_view name = arguments[0];
    if (fcgate::ends_with(name, "/fake-php-fpm") || fcgate::ends_with(name, "/fake-php-cgi")) {
        fcgate::test::be_php(fcgate::ends_with(name, "fpm"));
    }
    const CMUnitTest tests[] = {
        cmocka_unit_test(every_call_may_fail_of_a_spawner_with_php_fpm),
        cmocka_unit_test(every_call_may_fail_of_a_spawner_with_php_cgi),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
