// How a server lives: the three ways to run it, several of them in one process, what it says when it cannot, and how quiet it is.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/features.hpp"
#include "scene.hpp"
#include "two_threads.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_static = "GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

// ---- a thread of the host's -----------------------------------------------------------------------------------------

struct HostThread {
    fcgate_server* server = nullptr;
    int result = 1;
    std::atomic<size_t> turns{0};  // of the loop
    pthread_t thread{};

    void start(void* (*main)(void*)) { assert_int_equal(pthread_create(&thread, nullptr, main, this), 0); }
    void join() { assert_int_equal(pthread_join(thread, nullptr), 0); }
};

void ignore_sigpipe() {
    sigset_t pipes;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, nullptr);
}

void* run_server(void* argument) {
    auto& host = *static_cast<HostThread*>(argument);
    ignore_sigpipe();
    fcgate_error error{};
    host.result = fcgate_run(host.server, &error);
    return nullptr;
}

// The loop of a program that has a descriptor to watch, and nothing else.
void* poll_server(void* argument) {
    auto& host = *static_cast<HostThread*>(argument);
    ignore_sigpipe();
    fcgate_error error{};
    const int fd = fcgate_fd(host.server, &error);
    host.result = fd >= 0 ? FCGATE_OK : fd;
    while (host.result == FCGATE_OK) {
        pollfd watched{fd, POLLIN, 0};
        (void)poll(&watched, 1, fcgate_timeout_ms(host.server));
        ++host.turns;
        host.result = fcgate_dispatch(host.server, &error);
    }
    return nullptr;
}

void expect_error(const fcgate_error& error, int code, std::string_view words) {
    if (std::string_view(error.text).find(words) == std::string_view::npos) {
        check_text(error.text, words);
    }
    assert_int_equal(error.code, code);
}

void expect_work_on(Scene& scene, void* (*main)(void*), int result) {
    scene.make();
    HostThread host;
    host.server = scene.server;
    host.start(main);
    Client& client = scene.client_with(get_script);
    assert_true(scene.take().answer(hello));
    expect_reply(client, 200, "hello");
    Client& upload = scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n");
    assert_true(upload.send("hello"));
    PhpConnection& php = scene.take();
    check_text(php.body(), "hello");
    assert_true(php.answer(hello));
    expect_reply(upload, 200, "hello");
    scene.settle();
    fcgate_stop(scene.server, 2000);
    host.join();
    assert_int_equal(host.result, result);
    assert_true(client.is_closed());
}

void it_runs_on_the_hosts_thread(Scene& scene) {
    expect_work_on(scene, &run_server, FCGATE_OK);
    fcgate_error error{};
    assert_int_equal(fcgate_run(scene.server, &error), FCGATE_INVALID);
    expect_error(error, FCGATE_INVALID, "this server has been started already");
}

void two_threads_run_one_of_them_the_hosts(Scene& scene) {
    scene.set("server.threads", "2");
    expect_work_on(scene, &run_server, FCGATE_OK);
}

void the_hosts_thread_waits_for_who_is_served_by_another(Scene& scene) {
    TwoThreads::set(scene);
    scene.make();
    TwoThreads threads(scene);
    assert_true(threads.of_second().send(get_script));
    PhpConnection& php = scene.take();
    threads.stop(5000);
    assert_true(threads.of_first().is_closed());
    (void)usleep(100'000);
    assert_true(php.answer(hello));
    expect_reply(threads.of_second(), 200, "hello");
    threads.join();
}

void it_runs_in_the_hosts_loop(Scene& scene) {
    expect_work_on(scene, &poll_server, FCGATE_GONE);
}

void the_hosts_loop_does_not_turn_for_nothing(Scene& scene) {
    scene.make();
    HostThread host;
    host.server = scene.server;
    host.start(&poll_server);
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    scene.settle();
    const size_t before = host.turns;
    // With a request under way and nothing to do for it.
    assert_true(client.next(fcgate::monotonic_ms() + 500) == Receipt::late);
    assert_true(host.turns - before <= 3);
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    fcgate_stop(scene.server, 0);
    host.join();
    assert_int_equal(host.result, FCGATE_GONE);
}

// ---- several --------------------------------------------------------------------------------------------------------

void servers_come_and_go(Scene& /*scene*/) {
    static constexpr Variant variants[] = {{.threads = "1"}, {.threads = "3", .php_over_tcp = true}};
    for (int i = 0; i < 10; ++i) {
        Scene* const other = create<Scene>(&variants[i % 2]);
        other->start();
        other->expect_served();
        destroy(other);
    }
}

void servers_side_by_side_know_nothing_of_each_other(Scene& scene) {
    static constexpr Variant variant{.threads = "2"};
    Scene* const other = create<Scene>(&variant);
    scene.start();
    other->start();
    Client& here = scene.client_with("GET /t.php?here HTTP/1.1\r\nHost: localhost\r\n\r\n");
    Client& there = other->client_with("GET /t.php?there HTTP/1.1\r\nHost: localhost\r\n\r\n");
    PhpConnection& php_here = scene.take();
    PhpConnection& php_there = other->take();
    check_text(php_here.param("QUERY_STRING"), "here");
    check_text(php_there.param("QUERY_STRING"), "there");
    destroy(other);
    assert_true(php_here.answer(hello));
    expect_reply(here, 200, "hello");
    scene.expect_served();
    (void)there;
}

// ---- what it says when it cannot ------------------------------------------------------------------------------------

void a_port_in_use_is_told(Scene& scene) {
    fcgate::Text<64> listen;
    listen.append("127.0.0.1:").append_number(scene.front.port());
    scene.set("server.listen", listen.c_str());
    scene.listen_php();
    fcgate_error error{};
    assert_null(fcgate_create(scene.settings, &error));
    expect_error(error, FCGATE_ERROR, strerror(EADDRINUSE));  // each libc has words of its own
    expect_error(error, FCGATE_ERROR, "; another program listens there");
    expect_error(error, FCGATE_ERROR, listen.view());
    // The settings are still the caller's, to change and try again.
    scene.listen_nowhere();
    Buffer path;
    path.append("unix:").append(scene.tree.path()).append("/other.sock");
    scene.set("server.listen", path.c_str());
    scene.front = local_address(fcgate::slice(path.view(), 5));
    scene.start();
    scene.expect_served();
}

void a_unix_socket_in_use_is_told_and_a_leftover_replaced(Scene& scene) {
    Buffer path;
    path.append(scene.tree.path()).append("/taken.sock");
    Buffer listen;
    listen.append("unix:").append(path.view());
    const int taken = listen_on(local_address(path.view()), 1);
    assert_true(taken >= 0);
    scene.listen_php();
    fcgate_error error{};
    assert_int_equal(fcgate_set(scene.settings, "server.listen", listen.c_str(), &error), FCGATE_OK);
    assert_null(fcgate_create(scene.settings, &error));
    expect_error(error, FCGATE_ERROR, strerror(EADDRINUSE));
    close(taken);
    scene.front = local_address(path.view());
    scene.listen_nowhere();
    scene.set("server.listen", listen.c_str());
    scene.start();
    scene.expect_served();
    scene.end();
    assert_int_equal(access(path.c_str(), F_OK), -1);
}

void a_missing_root_is_told(Scene& scene) {
    scene.set("site.root", "/nonexistent/www");
    scene.make();
    fcgate_error error{};
    assert_int_equal(fcgate_start(scene.server, &error), FCGATE_INVALID);
    expect_error(error, FCGATE_INVALID, "/nonexistent/www: No such file or directory");
}

void a_wrong_key_is_told(Scene& scene) {
    fcgate_error error{};
    assert_int_equal(fcgate_set(scene.settings, "server.lisen", "127.0.0.1:80", &error), FCGATE_INVALID);
    expect_error(error, FCGATE_INVALID, "did you mean \"listen\"?");
    assert_int_equal(fcgate_set(scene.settings, "server.threads", "many", &error), FCGATE_INVALID);
    expect_error(error, FCGATE_INVALID, "threads");
    // What was wrong has changed nothing.
    scene.start();
    scene.expect_served();
    fcgate_settings* const empty = fcgate_settings_create();
    assert_null(fcgate_create(empty, &error));
    expect_error(error, FCGATE_INVALID, "listen: not set");
    fcgate_settings_destroy(empty);
}

void a_wrong_order_is_told(Scene& scene) {
    scene.set("server.threads", "2");
    scene.make();
    fcgate_error error{};
    assert_int_equal(fcgate_dispatch(scene.server, &error), FCGATE_INVALID);
    assert_int_equal(fcgate_wait(scene.server, 0, &error), FCGATE_INVALID);
    assert_int_equal(fcgate_ended_fd(scene.server), FCGATE_INVALID);
    assert_int_equal(fcgate_fd(scene.server, &error), FCGATE_INVALID);
    expect_error(error, FCGATE_INVALID, "server.threads must be 1 in an event loop of the host's");
    assert_int_equal(fcgate_start(scene.server, &error), FCGATE_OK);
    assert_int_equal(fcgate_start(scene.server, &error), FCGATE_INVALID);
    expect_error(error, FCGATE_INVALID, "this server has been started already");
    scene.expect_served();
}

// ---- quiet ----------------------------------------------------------------------------------------------------------

// How often all threads but this one have waited for something.
long waits_of_the_others() {
    long sum = 0;
    DIR* const tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while (const dirent* task = readdir(tasks)) {
        if (task->d_name[0] == '.' || atoi(task->d_name) == gettid()) {
            continue;
        }
        Buffer path;
        path.append("/proc/self/task/").append(task->d_name).append("/status");
        FILE* const status = fopen(path.c_str(), "re");
        char line[128];
        while (status != nullptr && fgets(line, sizeof line, status) != nullptr) {
            long count = 0;
            sum += sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1 ? count : 0;
        }
        if (status != nullptr) {
            (void)fclose(status);
        }
    }
    closedir(tasks);
    return sum;
}

void nothing_to_do_is_nothing_done(Scene& scene) {
    scene.set("server.threads", "2");
    scene.start();
    Client& idle = scene.client_with(get_static);
    expect_reply(idle, 200, "static");
    Client& waiting = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    scene.settle();
    // They may still be on their way to their first wait; and on a busy machine what came before may still be under way at first.
    long before = 0;
    for (const int64_t deadline = soon(); before == 0 && fcgate::monotonic_ms() < deadline;) {
        before = waits_of_the_others();
    }
    assert_true(before > 0);
#ifdef __SANITIZE_THREAD__
    constexpr long most = 30;  // ThreadSanitizer's own thread looks around ten times a second
#else
    constexpr long most = 3;
#endif
    long waits = most + 1;
    for (int i = 0; i < 3 && waits > most; ++i) {
        before = waits_of_the_others();
        assert_true(waiting.next(fcgate::monotonic_ms() + 2000) == Receipt::late);
        waits = waits_of_the_others() - before;
    }
    assert_in_range(waits, 0, most);
    assert_true(php.answer(hello));
    expect_reply(waiting, 200, "hello");
    assert_true(waits_of_the_others() > before);
}

void logs_are_opened_again_by_name(Scene& scene) {
    Buffer path;
    path.append(scene.tree.path()).append("/server.log");
    Buffer old;
    old.append(path.view()).append(".1");
    fcgate_settings_set_log(scene.settings, nullptr, nullptr);
    scene.set("server.error_log", path.c_str());
    scene.start();
    assert_int_equal(rename(path.c_str(), old.c_str()), 0);
    fcgate_reopen_logs(scene.server);
    const int64_t deadline = soon();
    while (access(path.c_str(), F_OK) != 0) {
        assert_true(fcgate::monotonic_ms() < deadline);
    }
    scene.expect_served();
}

// Where there is no place for a new one the old one is written on.
void a_log_that_cannot_be_opened_again_goes_on(Scene& scene) {
    Buffer path;
    path.append(scene.tree.path()).append("/logs/server.log");
    Buffer access_path;
    access_path.append(scene.tree.path()).append("/logs/access.log");
    scene.tree.folder("logs");
    fcgate_settings_set_log(scene.settings, nullptr, nullptr);
    scene.set("server.error_log", path.c_str());
    if constexpr (fcgate::features::access_log) {
        scene.set("server.access_log", access_path.c_str());
    }
    scene.start();
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && unlink(path.c_str()) == 0);
    if constexpr (fcgate::features::access_log) {
        assert_int_equal(unlink(access_path.c_str()), 0);
    }
    assert_int_equal(unlinkat(scene.tree.fd(), "logs", AT_REMOVEDIR), 0);
    fcgate_reopen_logs(scene.server);
    Buffer words;
    words.append("error_log: cannot open ").append(path.view()).append(": No such file or directory\n");
    Buffer access_words;
    access_words.append("access_log: cannot open ").append(access_path.view()).append(": No such file or directory\n");
    static char text[4096];
    const int64_t deadline = soon();
    ssize_t size = 0;
    const auto has = [&size](const Buffer& line) {
        return std::string_view(text, static_cast<size_t>(size)).find(line.view()) != std::string_view::npos;
    };
    while (!has(words) || (fcgate::features::access_log && !has(access_words))) {
        assert_true(fcgate::monotonic_ms() < deadline);
        size = pread(fd, text, sizeof text, 0);
        assert_true(size >= 0);
    }
    close(fd);
    scene.expect_served();
}

void logs_without_a_folder_are_no_start(Scene& scene) {
    scene.listen_php();
    fcgate_settings_set_log(scene.settings, nullptr, nullptr);
    scene.set("server.error_log", "/nonexistent/error.log");
    fcgate_error error{};
    assert_null(fcgate_create(scene.settings, &error));
    expect_error(error, FCGATE_INVALID, "error_log: cannot open /nonexistent/error.log: No such file or directory");
    if constexpr (fcgate::features::access_log) {
        scene.set("server.error_log", "stderr");
        scene.set("server.access_log", "/nonexistent/access.log");
        assert_null(fcgate_create(scene.settings, &error));
        expect_error(error, FCGATE_INVALID,
                     "access_log: cannot open /nonexistent/access.log: No such file or directory");
    }
    scene.listen_nowhere();
}

void types_of_a_file_are_read_at_the_start(Scene& scene) {
    scene.tree.file("types", "application/x-firmware img\nno type\n");
    Buffer path;
    path.append(scene.tree.path()).append("/types");
    scene.set("server.mime_types", path.c_str());
    scene.make();
    fcgate_error error{};
    assert_int_equal(fcgate_start(scene.server, &error), FCGATE_INVALID);
    expect_error(error, FCGATE_INVALID, "/types:2: not a media type");
}

void types_of_a_file_are_told(Scene& scene) {
    scene.tree.file("types", "application/x-firmware img\n");
    scene.tree.file("new.img");
    Buffer path;
    path.append(scene.tree.path()).append("/types");
    scene.set("server.mime_types", path.c_str());
    scene.start();
    Client& client = scene.client_with("GET /new.img HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_status(client, 200);
    check_text(client.reply().field("Content-Type"), "application/x-firmware");
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(it_runs_on_the_hosts_thread),
        FCGATE_CASE(two_threads_run_one_of_them_the_hosts),
        FCGATE_CASE(the_hosts_thread_waits_for_who_is_served_by_another),
        FCGATE_CASE(it_runs_in_the_hosts_loop),
        FCGATE_CASE(the_hosts_loop_does_not_turn_for_nothing),
        FCGATE_CASE(servers_come_and_go),
        FCGATE_CASE(servers_side_by_side_know_nothing_of_each_other),
        FCGATE_CASE(a_port_in_use_is_told),
        FCGATE_CASE(a_unix_socket_in_use_is_told_and_a_leftover_replaced),
        FCGATE_CASE(a_missing_root_is_told),
        FCGATE_CASE(a_wrong_key_is_told),
        FCGATE_CASE(a_wrong_order_is_told),
        FCGATE_CASE(nothing_to_do_is_nothing_done),
        FCGATE_CASE(logs_are_opened_again_by_name),
        FCGATE_CASE(a_log_that_cannot_be_opened_again_goes_on),
        FCGATE_CASE(logs_without_a_folder_are_no_start),
        FCGATE_CASE(types_of_a_file_are_read_at_the_start),
        FCGATE_CASE(types_of_a_file_are_told),
    };
    static constexpr Variant variants[] = {{.name = ""}};
    return play("lifecycle", cases, variants);
}
