// PHP that fcgate starts, and that dies, hangs, loses its socket or does not start: who asks is told or served, the log says what it was,
// and PHP is started again.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "fake_php.hpp"
#include "fcgate/fcgate.h"
#include "http_client.hpp"
#include "scene.hpp"
#include "support/world.hpp"
#include "two_threads.hpp"

namespace {

using namespace fcgate::test;
using fcgate::monotonic_ms;
using fcgate::Text;

// The program of this test under the name of a PHP.
void copy_program(const TempTree& tree, const char* name) {
    char bytes[size_t{64} * 1024];
    const int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const int to = openat(tree.fd(), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    ssize_t count = 0;
    while ((count = read(from, bytes, sizeof bytes)) > 0) {
        assert_int_equal(write(to, bytes, static_cast<size_t>(count)), count);
    }
    assert_true(count == 0 && to >= 0 && fchmod(to, 0755) == 0);
    close(from);
    close(to);
}

void set_path(Scene& scene, const char* name, const char* path) {
    Text<96> value(scene.tree.path());
    value.append(path);
    scene.set(name, value.c_str());
}

// One worker.
void prepare(Scene& scene, const char* program) {
    copy_program(scene.tree, "fake-php-fpm");
    scene.tree.file("no-php-fpm", "#!/bin/sh\necho it is not to be >&2\nexit 3\n", 0755);
    scene.tree.file("late-php-fpm",
                    "#!/bin/sh\ncd \"${0%/*}\"\n[ ! -e may-start ] && exec sleep 1000\nexec \"$PWD/fake-php-fpm\"\n",
                    0755);
    scene.tree.file(
        "told-php-fpm",
        "#!/bin/sh\ncd \"${0%/*}\"\necho it is asked for >&2\nwhile [ ! -e may-start ]; do sleep 0.05; done\n"
        "exec \"$PWD/fake-php-fpm\"\n",
        0755);
    scene.listen_php();
    scene.set("backend.address", nullptr);
    scene.set("backend.address", "spawn");
    scene.set("backend.workers", "1");
    scene.set("backend.keep_alive", "no");
    scene.set("backend.idle_stop", "10m");
    set_path(scene, "backend.command", program);
    set_path(scene, "server.runtime_dir", "/run");
}

// The server runs.
void start(Scene& scene, const char* program = "/fake-php-fpm") {
    prepare(scene, program);
    scene.start();
}

[[nodiscard]] unsigned ask(Scene& scene) {
    Client& client = scene.client();
    return client.send(get_script) && client.read() ? client.reply().status : 0;
}

// PHP may need a moment to be there again.
void expect_served_soon(Scene& scene) {
    const int64_t deadline = soon();
    unsigned status = ask(scene);
    for (int tries = 0; status != 200 && monotonic_ms() < deadline && tries < 200; ++tries) {
        (void)usleep(20'000);
        status = ask(scene);
    }
    assert_int_equal(status, 200);
}

// Sends a signal to each process that runs this scene's PHP, or to the one alone that has started the others; how many there were.
size_t signal_php(const Scene& scene, int number, bool only_first = false) {
    Text<96> wanted(scene.tree.path());
    wanted.append("/fake-php-fpm");
    DIR* const processes = opendir("/proc");
    size_t count = 0;
    for (const dirent* entry = readdir(processes); entry != nullptr; entry = readdir(processes)) {
        Text<300> path("/proc/");
        path.append(entry->d_name).append("/cmdline");
        char line[96] = "";
        const int pid = atoi(entry->d_name);
        const int fd = pid > 0 ? open(path.c_str(), O_RDONLY | O_CLOEXEC) : -1;
        const ssize_t size = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
        if (fd >= 0) {
            close(fd);
        }
        if (size > 0 && wanted.view() == line && (!only_first || getsid(pid) == pid)) {
            count += kill(pid, number) == 0 ? 1U : 0U;
        }
    }
    closedir(processes);
    return count;
}

void php_that_was_killed_is_started_again(Scene& scene) {
    start(scene);
    assert_int_equal(ask(scene), 200);
    assert_int_equal(signal_php(scene, SIGKILL, true), 1);
    assert_true(scene.log.has("error: PHP was killed by signal 9 (out of memory?)\n"));
    expect_served_soon(scene);
    assert_int_equal(signal_php(scene, SIGABRT, true), 1);
    assert_true(scene.log.has("error: PHP was killed by signal 6\n"));
    expect_served_soon(scene);
}

void php_whose_socket_is_gone_is_started_again(Scene& scene) {
    start(scene);
    assert_int_equal(ask(scene), 200);
    Text<96> path(scene.tree.path());
    path.append("/run");
    DIR* const folder = opendir(path.c_str());
    size_t removed = 0;
    for (const dirent* entry = readdir(folder); entry != nullptr; entry = readdir(folder)) {
        if (std::string_view(entry->d_name).ends_with(".sock")) {
            removed += unlinkat(dirfd(folder), entry->d_name, 0) == 0 ? 1U : 0U;
        }
    }
    closedir(folder);
    assert_int_equal(removed, 1);
    expect_served_soon(scene);
    assert_true(scene.log.has("warning: nobody answers at PHP's socket: PHP is started again"));
}

// One request more in a row than there are workers has had no answer.
void php_that_hangs_is_started_again(Scene& scene) {
    scene.set("backend.response_timeout", "100ms");
    start(scene);
    expect_served_soon(scene);
    assert_true(signal_php(scene, SIGSTOP) >= 1);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(ask(scene), 504);
    }
    assert_true(scene.log.has("warning: all PHP workers hang: PHP is started again (see `response_timeout`)"));
    expect_served_soon(scene);
}

void php_that_does_not_start_says_why(Scene& scene) {
    start(scene, "/no-php-fpm");
    assert_int_equal(ask(scene), 502);
    assert_true(scene.log.has("warning: php: it is not to be"));
    assert_true(scene.log.has("error: PHP did not start: it ended with exit code 3"));
    // Not tried again for everyone who asks.
    scene.log.clear();
    (void)ask(scene);
    assert_int_equal(ask(scene), 502);
    assert_true(scene.log.count("PHP did not start") <= 1);
}

// Whatever it waits for, it does not notice by itself that it is there now.
void php_that_hangs_while_it_starts_is_started_again(Scene& scene) {
    scene.set("backend.response_timeout", "300ms");
    start(scene, "/late-php-fpm");
    assert_int_equal(ask(scene), 503);
    scene.tree.file("may-start");
    assert_true(scene.log.has("warning: PHP hangs while it starts: it is ended", monotonic_ms() + 40'000));
    expect_served_soon(scene);
}

// The first thread starts PHP, and has nothing else to do any more.
void php_that_starts_during_a_stop_serves_who_waits(Scene& scene) {
    TwoThreads::set(scene);
    prepare(scene, "/told-php-fpm");
    scene.make();
    TwoThreads threads(scene);
    Client& client = threads.of_second();
    assert_true(client.send(get_script));
    assert_true(scene.log.has("php: it is asked for"));
    threads.stop(5000);
    assert_true(threads.of_first().is_closed());
    (void)usleep(100'000);
    scene.tree.file("may-start");
    expect_reply(client, 200, "hello world");
    threads.join();
}

// The pauses between the tries are longer than `connect_timeout`.
void a_script_that_ends_php_again_and_again_is_told(Scene& scene) {
    scene.set("backend.connect_timeout", "50ms");
    scene.tree.file("dies.php");
    start(scene);
    expect_served_soon(scene);
    Client& client = scene.client_with("GET /dies.php HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(client.read());
    assert_int_equal(client.reply().status, 502);
    assert_true(scene.log.has("[backend-closed]"));
}

void the_status_tells_of_it(Scene& scene) {
    static char text[FCGATE_STATUS_MAX];
    start(scene);
    if (fcgate_status(scene.server, FCGATE_STATUS_JSON, text, sizeof text) != FCGATE_OK) {
        return;  // built without it
    }
    assert_non_null(strstr(text, "\"stopped\""));
    assert_int_equal(ask(scene), 200);
    assert_int_equal(fcgate_status(scene.server, FCGATE_STATUS_JSON, text, sizeof text), FCGATE_OK);
    assert_non_null(strstr(text, "\"running\""));
}

// What the spawner was told when it was forked cannot be told anew.
void a_reload_leaves_it_as_it_is(Scene& scene) {
    start(scene);
    const auto reload = [&scene](const char* name, const char* value, fcgate_error& error) {
        fcgate_settings* const changed = fcgate_settings_create();
        Text<16> listen("fd:");
        listen.append_number(static_cast<unsigned>(scene.listener()));
        Text<96> command(scene.tree.path());
        command.append("/fake-php-fpm");
        Text<96> run(scene.tree.path());
        run.append("/run");
        const struct {
            const char* name;
            const char* value;
        } keys[] = {
            {"server.listen", listen.c_str()},
            {"site.root", scene.tree.path()},
            {"server.runtime_dir", run.c_str()},
            {"backend.address", "spawn"},
            {"backend.workers", "1"},
            {"backend.keep_alive", "no"},
            {"backend.command", command.c_str()},
            {name, value},
        };
        for (const auto& key : keys) {
            assert_int_equal(fcgate_set(changed, key.name, key.value, &error), FCGATE_OK);
        }
        return scene.reload(changed, error);
    };
    fcgate_error error{};
    constexpr const char* told =
        "warning: `command`, `php` and `workers` of PHP that fcgate starts change with a restart";
    assert_int_equal(ask(scene), 200);
    assert_int_equal(reload("site.header", "X-Site yes", error), FCGATE_OK);
    assert_int_equal(scene.log.count(told), 0);
    assert_int_equal(reload("backend.php", "memory_limit 1M", error), FCGATE_OK);
    assert_int_equal(scene.log.count(told), 1);
    assert_int_equal(ask(scene), 200);
    assert_true(reload("backend:other.address", "spawn", error) != FCGATE_OK);
    check_text(error.text, "address = spawn where it was not: that needs a restart");
    assert_int_equal(ask(scene), 200);
}

// Whatever `idle_stop` said: nobody else would end it.
void php_that_a_reload_leaves_out_is_stopped(Scene& scene) {
    prepare(scene, "/fake-php-fpm");
    scene.set("backend.idle_stop", "0");
    scene.start();
    assert_int_equal(ask(scene), 200);
    fcgate_error error{};
    fcgate_settings* const changed = fcgate_settings_create();
    Text<16> listen("fd:");
    listen.append_number(static_cast<unsigned>(scene.listener()));
    assert_int_equal(fcgate_set(changed, "server.listen", listen.c_str(), &error), FCGATE_OK);
    assert_int_equal(fcgate_set(changed, "site.root", scene.tree.path(), &error), FCGATE_OK);
    assert_int_equal(fcgate_set(changed, "backend.address", scene.php_address.c_str(), &error), FCGATE_OK);
    assert_int_equal(scene.reload(changed, error), FCGATE_OK);
    assert_true(scene.log.has("info: PHP has been stopped"));
}

}  // namespace

int main(int /*count*/, char** arguments) {
    if (fcgate::ends_with(arguments[0], "/fake-php-fpm")) {
        be_php(true);
    }
    static constexpr Case cases[] = {
        FCGATE_CASE(php_that_was_killed_is_started_again),
        FCGATE_CASE(php_whose_socket_is_gone_is_started_again),
        FCGATE_CASE(php_that_hangs_is_started_again),
        FCGATE_CASE(php_that_does_not_start_says_why),
        FCGATE_CASE(php_that_hangs_while_it_starts_is_started_again),
        FCGATE_CASE(php_that_starts_during_a_stop_serves_who_waits),
        FCGATE_CASE(a_script_that_ends_php_again_and_again_is_told),
        FCGATE_CASE(the_status_tells_of_it),
        FCGATE_CASE(a_reload_leaves_it_as_it_is),
        FCGATE_CASE(php_that_a_reload_leaves_out_is_stopped),
    };
    static constexpr Variant variants[] = {{.name = "one thread"}};
    return play("supervising", cases, variants);
}
