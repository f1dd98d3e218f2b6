// What PHP is started with: its folders, its socket, its configuration, its arguments and its environment.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

#include "base/descriptor.hpp"
#include "config/settings.hpp"
#include "spawn/program.hpp"
#include "temp_tree.hpp"

namespace fcgate::spawn {
namespace {

struct Php {
    explicit Php(std::string_view name = "php-fpm", std::string_view folder = {}) {
        ConfigError error;
        assert_int_equal(settings.set("backend.address", "spawn", error), Status::ok);
        assert_int_equal(settings.set("backend.workers", "3", error), Status::ok);
        assert_int_equal(settings.set("backend.php", "memory_limit 32M", error), Status::ok);
        // Says what it was given.
        tree.file("php-fpm",
                  "#!/bin/sh\nfor word in \"$@\"; do echo \"argument $word\"; done\nenv\nls -l /proc/self/fd\n", 0755);
        tree.file("php-cgi", "#!/bin/sh\necho \"children $PHP_FCGI_CHILDREN\"\n", 0755);
        tree.file("no-program", "nothing\n", 0755);
        plan.php[0].used = true;
        plan.php[0].is_fpm = name != "php-cgi";
        plan.php[0].program.append(tree.path()).append('/').append(name);
        plan.runtime_dir.append(tree.path()).append(folder);
        plan.owner_pid = 77;
        plan.server_number = 5;
        plan.php_user = 88;  // it is not changed to
    }
    ~Php() {
        if (launched.errors >= 0) {
            close(launched.errors);
        }
    }
    Php(const Php&) = delete;
    Php& operator=(const Php&) = delete;

    [[nodiscard]] Launch request() { return {&scratch, &plan, &plan.php[0], &settings.backends[0], 0, 1, 12345678}; }
    void refuses(std::string_view words) {
        test::check_status(launch(request(), launched), Status::io);
        test::check_text(launched.what.view(), words);
        assert_int_equal(launched.pid, -1);
    }
    // All that it says, when it has ended.
    [[nodiscard]] std::string_view output() {
        test::check_status(launch(request(), launched), Status::ok);
        int status = 0;
        assert_int_equal(waitpid(launched.pid, &status, 0), launched.pid);
        size_t size = 0;
        for (ssize_t count = 1; count > 0 && size < sizeof said; size += static_cast<size_t>(count > 0 ? count : 0)) {
            count = read(launched.errors, said + size, sizeof said - size);
        }
        return {said, size};
    }
    [[nodiscard]] bool has(const char* name) const { return faccessat(tree.fd(), name, F_OK, 0) == 0; }

    test::TempTree tree;
    Settings settings;
    Plan plan;
    LaunchScratch scratch;
    Launched launched;
    char said[65536];
};

void expect_line(std::string_view text, std::string_view line, bool expected = true) {
    Text<256> whole("\n");
    whole.append(line).append('\n');
    const bool found = text.find(whole.view()) != std::string_view::npos || starts_with(text, slice(whole.view(), 1));
    if (found != expected) {
        print_error("%.*s\n%s: %.*s\n", static_cast<int>(text.size()), text.data(), expected ? "missing" : "there",
                    static_cast<int>(line.size()), line.data());
        _fail(__FILE__, __LINE__);
    }
}

void php_fpm_is_told_everything_on_its_command_line(void**) {
    Php php;
    ConfigError error;
    Text<128> command(php.plan.php[0].program.view());
    command.append(" -c /etc/php.ini");
    test::check_status(php.settings.set("backend.command", command.view(), error), Status::ok);
    assert_int_equal(setenv("NOTIFY_SOCKET", "/run/notify", 1), 0);
    assert_int_equal(setenv("FCGATE_TEST_MARK", "kept", 1), 0);
    const std::string_view said = php.output();
    for (const std::string_view line :
         {"argument --nodaemonize", "argument -c", "argument /etc/php.ini", "argument memory_limit=32M",
          "argument post_max_size=12345678", "argument upload_max_filesize=12345678", "FCGATE_TEST_MARK=kept"}) {
        expect_line(said, line);
    }
    // What fcgate's own supervisor has said to it is not PHP's.
    expect_line(said, "NOTIFY_SOCKET=/run/notify", false);
    Text<128> sockets("FPM_SOCKETS=");
    sockets.append(php.tree.path()).append("/php-77-5-0-1.sock=3");
    expect_line(said, sockets.view());
    assert_true(php.has("php-77-5-0.conf") && php.has("php-77-5-0-1.sock"));
    // The name by which `fcgate doctor` knows it.
    char configuration[1024] = "";
    const Descriptor file(openat(php.tree.fd(), "php-77-5-0.conf", O_RDONLY | O_CLOEXEC));
    assert_true(read(file.get(), configuration, sizeof configuration - 1) > 0);
    assert_non_null(strstr(configuration, "\n[spawned-by-fcgate]\n"));
    // Others may have theirs in the same folder.
    assert_true(php.has("sessions-88") && php.has("tmp-88"));
    for (const std::string_view line : {"session.save_path=%/sessions-88", "sys_temp_dir=%/tmp-88"}) {
        std::string_view rest;
        Text<128> argument("argument ");
        argument.append(split_first(line, '%', rest)).append(php.tree.path()).append(rest);
        expect_line(said, argument.view());
    }
    clean_up(php.request());
    assert_false(php.has("php-77-5-0.conf") || php.has("php-77-5-0-1.sock"));
    (void)unsetenv("NOTIFY_SOCKET");
}

// ... but what PHP cannot do without finds its place in any case.
void a_host_with_many_variables_has_its_php(void**) {
    Php php;
    constexpr unsigned most = 1500;
    Text<32> name;
    for (unsigned i = 0; i < most; ++i) {
        name.clear();
        name.append("FCGATE_TEST_").append_number(i);
        assert_int_equal(setenv(name.c_str(), "x", 1), 0);
    }
    const std::string_view said = php.output();
    assert_true(said.find("FPM_SOCKETS=") != std::string_view::npos);
    for (unsigned i = 0; i < most; ++i) {
        name.clear();
        name.append("FCGATE_TEST_").append_number(i);
        (void)unsetenv(name.c_str());
    }
}

void what_php_has_is_nobody_elses(void**) {
    Php php;
    const mode_t before = umask(0);
    (void)php.output();
    (void)umask(before);
    static constexpr struct {
        const char* name;
        mode_t mode;
    } all[] = {{"php-77-5-0-1.sock", 0600}, {"sessions-88", 0700}, {"tmp-88", 0700}, {"php-77-5-0.conf", 0644}};
    for (const auto& [name, mode] : all) {
        struct stat status {};
        assert_int_equal(fstatat(php.tree.fd(), name, &status, 0), 0);
        assert_int_equal(status.st_mode & 07777, mode);
    }
}

// This program as PHP. A shell would not do: it unblocks signals before it looks.
int say_how_it_was_started() {
    sigset_t blocked;
    sigemptyset(&blocked);
    int blocks = sigprocmask(SIG_BLOCK, nullptr, &blocked);
    int ignores = 0;
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction action {};
        blocks += sigismember(&blocked, number) == 1 ? 1 : 0;
        ignores += sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN ? 1 : 0;
    }
    printf("blocks %d, ignores %d, %s\n", blocks, ignores, getsid(0) == getpid() ? "alone" : "in a session of others");
    return 0;
}

// Whatever the host has done with its signals; and it can be ended with all that it has started.
void php_begins_with_signals_and_a_session_of_its_own(void**) {
    if (getenv("MESON_EXE_WRAPPER") != nullptr) {
        _skip(__FILE__, __LINE__);  // the kernel knows the emulator as this program
    }
    Php php("php-itself");
    php.tree.link("/proc/self/exe", "php-itself");
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
    const auto handler = signal(SIGUSR1, SIG_IGN);
    expect_line(php.output(), "blocks 0, ignores 0, alone");
    (void)signal(SIGUSR1, handler);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, nullptr), 0);
}

void php_cgi_is_told_of_its_workers(void**) {
    Php php("php-cgi");
    expect_line(php.output(), "children 3");
    assert_false(php.has("php-77-5-0.conf"));
}

void what_cannot_be_executed_is_told(void**) {
    Php php("no-program");
    test::check_status(launch(php.request(), php.launched), Status::io);
    assert_int_equal(errno, ENOEXEC);
    test::check_text(php.launched.what.view(), php.plan.php[0].program.view());
    int status = 0;
    assert_int_equal(waitpid(php.launched.pid, &status, 0), php.launched.pid);
    assert_int_equal(WEXITSTATUS(status), 127);
}

void without_a_place_nothing_is_started(void**) {
    Php nowhere("php-fpm", "/none/run");
    nowhere.refuses("cannot make runtime_dir, or it is not ours alone");
    assert_int_equal(errno, ENOENT);
    Php odd;
    odd.tree.folder("php-77-5-0.conf");
    odd.refuses("cannot write php-fpm's configuration to runtime_dir");
    Php taken;
    taken.tree.folder("php-77-5-0-1.sock");
    taken.refuses("cannot make PHP's socket in runtime_dir");
    // Longer than the address of a socket may be.
    constexpr std::string_view long_name =
        "/a-name-that-is-longer-than-the-address-of-a-socket-may-be-with-all-that-is-behind";
    Php deep("php-fpm", long_name);
    deep.tree.folder(long_name.data() + 1);
    deep.refuses("cannot make PHP's socket in runtime_dir");
    assert_int_equal(errno, ENAMETOOLONG);
}

// Those who clean up temporary folders take it away while no PHP runs. Somebody else may have been quicker then.
void a_runtime_folder_that_has_gone_is_made_again(void**) {
    Php php("php-fpm", "/run");
    (void)php.output();
    assert_true(php.has("run/php-77-5-0-1.sock"));
    struct stat status {};
    assert_int_equal(fstatat(php.tree.fd(), "run", &status, 0), 0);
    assert_int_equal(status.st_mode & 022, 0);
    Php open("php-fpm", "/run");
    open.tree.folder("run", 0777);
    open.refuses("cannot make runtime_dir, or it is not ours alone");
    assert_int_equal(errno, EEXIST);
    Php linked("php-fpm", "/run");
    linked.tree.folder("other");
    linked.tree.link("other", "run");
    linked.refuses("cannot make runtime_dir, or it is not ours alone");
    assert_false(linked.has("other/php-77-5-0-1.sock"));
}

// What -t calls good can be started.
void all_that_the_settings_may_hold_finds_its_place(void**) {
    Php php("php-count");
    php.tree.file("php-count", "#!/bin/sh\necho \"$# arguments\"\n", 0755);
    Text<limits::config_value> command(php.plan.php[0].program.view());
    size_t words = 0;
    for (; command.room() >= 2; ++words) {
        command.append(" x");
    }
    ConfigError error;
    test::check_status(php.settings.set("backend.command", command.view(), error), Status::ok);
    Text<2400> value("auto_prepend_file /");
    while (value.room() > 0) {
        value.append('x');
    }
    size_t values = 1;
    while (php.settings.set("backend.php", value.view(), error) == Status::ok) {
        ++values;
    }
    assert_true(values > 10);
    const std::string_view said = php.output();
    Text<32> line;
    const size_t of_fcgate = 4 + 2 * 10 + (geteuid() == 0 ? 1U : 0U);
    line.append_number(of_fcgate + words + 2 * values).append(" arguments");
    expect_line(said, line.view());
}

void a_folder_is_removed_with_what_php_may_have_left(void**) {
    test::TempTree tree;
    for (const char* const folder : {"run", "run/sessions", "run/sessions/deep", "run/sessions/deep/deeper"}) {
        tree.folder(folder);
    }
    tree.file("run/php.conf");
    tree.file("run/sessions/sess_1");
    tree.file("outside");
    tree.link("../../outside", "run/sessions/link");
    Text<64> path(tree.path());
    path.append("/run");
    // No deeper than it was said: what lies there is not ours.
    remove_folder(path.c_str(), 1);
    assert_int_equal(faccessat(tree.fd(), "run/sessions/deep/deeper", F_OK, 0), 0);
    assert_int_equal(faccessat(tree.fd(), "run/sessions/sess_1", F_OK, 0), -1);
    remove_folder(path.c_str(), 3);
    assert_int_equal(faccessat(tree.fd(), "run", F_OK, 0), -1);
    assert_int_equal(faccessat(tree.fd(), "outside", F_OK, 0), 0);
    remove_folder(path.c_str(), 3);
}

}  // namespace
}  // namespace fcgate::spawn

int main(int /*count*/, char** arguments) {
    using namespace fcgate::spawn;
    if (fcgate::ends_with(arguments[0], "/php-itself")) {
        return say_how_it_was_started();
    }
    const CMUnitTest tests[] = {
        cmocka_unit_test(php_fpm_is_told_everything_on_its_command_line),
        cmocka_unit_test(a_host_with_many_variables_has_its_php),
        cmocka_unit_test(what_php_has_is_nobody_elses),
        cmocka_unit_test(php_begins_with_signals_and_a_session_of_its_own),
        cmocka_unit_test(php_cgi_is_told_of_its_workers),
        cmocka_unit_test(what_cannot_be_executed_is_told),
        cmocka_unit_test(without_a_place_nothing_is_started),
        cmocka_unit_test(a_runtime_folder_that_has_gone_is_made_again),
        cmocka_unit_test(all_that_the_settings_may_hold_finds_its_place),
        cmocka_unit_test(a_folder_is_removed_with_what_php_may_have_left),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
