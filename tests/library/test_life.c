/* The life of a server through the public header: three ways to run, every way to end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

static void threads_of_its_own_serve_until_stopped(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    set(&scene, "server.threads", "2");
    start(&scene);
    assert_int_equal(status_of(scene.port, "/file.txt"), 200);
    assert_result(&scene, fcgate_wait(scene.server, 0, &scene.error), FCGATE_AGAIN);
    assert_int_equal(scene.error.code, FCGATE_AGAIN);
    struct pollfd ended = {fcgate_ended_fd(scene.server), POLLIN, 0};
    assert_true(ended.fd >= 0);
    assert_int_equal(poll(&ended, 1, 0), 0);
    fcgate_stop(scene.server, 0);
    assert_int_equal(poll(&ended, 1, 10000), 1);
    assert_ok(&scene, fcgate_wait(scene.server, 10000, &scene.error));
    assert_ok(&scene, fcgate_wait(scene.server, -1, &scene.error));
    assert_int_equal(poll(&ended, 1, 0), 1);
    assert_int_equal(dial(scene.port), -1);
    close_scene(&scene);
}

/* Other settings for the same scene: its root, its port. */
static fcgate_settings* settings_beside(const struct scene* scene, const char* listen) {
    fcgate_settings* const settings = fcgate_settings_create();
    assert_non_null(settings);
    assert_int_equal(fcgate_set(settings, "site.root", scene->root, NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "server.listen", listen, NULL), FCGATE_OK);
    return settings;
}

static void* run_server(void* argument) {
    struct scene* const scene = argument;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    return (void*)(intptr_t)fcgate_run(scene->server, &scene->error);
}

static void a_lent_thread_serves_until_stopped(void** state) {
    (void)state;
    for (int threads = 1; threads <= 2; ++threads) {
        struct scene scene;
        pthread_t runner;
        void* result = NULL;
        open_scene(&scene);
        set(&scene, "server.threads", threads == 1 ? "1" : "2");
        create(&scene);
        assert_int_equal(pthread_create(&runner, NULL, run_server, &scene), 0);
        assert_int_equal(status_of(scene.port, "/"), 200);
        assert_int_equal(status_of(scene.port, "/file.txt"), 200);
        assert_int_equal(fcgate_wait(scene.server, 0, NULL), FCGATE_INVALID);
        assert_int_equal(fcgate_ended_fd(scene.server), FCGATE_INVALID);
        fcgate_stop(scene.server, 1000);
        assert_int_equal(pthread_join(runner, &result), 0);
        assert_ok(&scene, (int)(intptr_t)result);
        close_scene(&scene);
    }
}

/* Whoever reloads is not told when the thread that runs has begun. */
static void a_reload_may_come_while_a_lent_thread_begins(void** state) {
    (void)state;
    for (int i = 0; i < 20; ++i) {
        struct scene scene;
        pthread_t runner;
        char listen[64];
        fcgate_error error;
        void* ran = NULL;
        int result = FCGATE_INVALID;
        open_scene(&scene);
        assert_int_equal(fcgate_get(scene.settings, "server.listen", listen, sizeof listen), FCGATE_OK);
        fcgate_settings* const other = settings_beside(&scene, listen);
        create(&scene);
        assert_int_equal(pthread_create(&runner, NULL, run_server, &scene), 0);
        for (int64_t until = now_ms() + 10000; result == FCGATE_INVALID && now_ms() < until;) {
            result = fcgate_reload(scene.server, other, &error);
        }
        assert_int_equal(result, FCGATE_OK);
        assert_int_equal(status_of(scene.port, "/file.txt"), 200);
        fcgate_stop(scene.server, 1000);
        assert_int_equal(pthread_join(runner, &ran), 0);
        assert_ok(&scene, (int)(intptr_t)ran);
        close_scene(&scene);
    }
}

struct visitor {
    unsigned port;
    int statuses[20];
    bool done;
};

static void* visit(void* argument) {
    struct visitor* const visitor = argument;
    for (size_t i = 0; i < sizeof visitor->statuses / sizeof *visitor->statuses; ++i) {
        visitor->statuses[i] = status_of(visitor->port, i % 2 == 0 ? "/file.txt" : "/none");
    }
    __atomic_store_n(&visitor->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void expect_served(const struct visitor* visitor) {
    for (size_t i = 0; i < sizeof visitor->statuses / sizeof *visitor->statuses; ++i) {
        assert_int_equal(visitor->statuses[i], i % 2 == 0 ? 200 : 404);
    }
}

static void ignore_broken_pipes(void) {
    (void)signal(SIGPIPE, SIG_IGN);
}

static void a_loop_of_the_host_serves_until_stopped(void** state) {
    (void)state;
    struct scene scene;
    ignore_broken_pipes();
    open_scene(&scene);
    create(&scene);
    assert_int_equal(fcgate_timeout_ms(scene.server), -1);
    assert_int_equal(fcgate_dispatch(scene.server, NULL), FCGATE_INVALID);
    const int fd = fcgate_fd(scene.server, &scene.error);
    assert_true(fd >= 0);
    assert_int_equal(fcgate_fd(scene.server, NULL), fd);
    assert_int_equal(fcgate_wait(scene.server, 0, NULL), FCGATE_INVALID);
    struct visitor visitor = {scene.port, {0}, false};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, visit, &visitor), 0);
    assert_ok(&scene, serve_until(scene.server, &visitor.done));
    pthread_join(thread, NULL);
    expect_served(&visitor);
    fcgate_stop(scene.server, 0);
    const bool never = false;
    assert_result(&scene, serve_until(scene.server, &never), FCGATE_GONE);
    assert_int_equal(fcgate_dispatch(scene.server, &scene.error), FCGATE_GONE);
    assert_int_equal(scene.error.code, FCGATE_GONE);
    close_scene(&scene);
}

static void an_idle_loop_needs_no_turns(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    struct pollfd watched = {fcgate_fd(scene.server, NULL), POLLIN, 0};
    int turns = 0;
    const int64_t end = now_ms() + 300;
    for (int64_t now = now_ms(); now < end; now = now_ms()) {
        const int timeout = fcgate_timeout_ms(scene.server);
        (void)poll(&watched, 1, timeout < 0 || timeout > end - now ? (int)(end - now) : timeout);
        assert_ok(&scene, fcgate_dispatch(scene.server, &scene.error));
        ++turns;
    }
    assert_true(turns < 10);
    close_scene(&scene);
}

static void refuse(void* context, fcgate_request* request) {
    (void)context;
    (void)fcgate_reply(request, 403, "text/plain", "no\n", 3);
}

/* How often a loop turns for a client whose body was refused, and who leaves then. It serves for at least `least_ms`. */
static int turn_for_refused(struct scene* scene, int client, int64_t least_ms) {
    struct pollfd watched = {fcgate_fd(scene->server, NULL), POLLIN, 0};
    int turns = 0;
    const int64_t end = now_ms() + least_ms;
    for (int64_t now = now_ms(); now < end; now = now_ms()) {
        const int timeout = fcgate_timeout_ms(scene->server);
        (void)poll(&watched, 1, timeout < 0 || timeout > end - now ? (int)(end - now) : timeout);
        assert_ok(scene, fcgate_dispatch(scene->server, &scene->error));
        ++turns;
        char byte = 0;
        if (client >= 0 && recv(client, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1) {
            return turns;
        }
    }
    return turns;
}

/* What a child has a copy of is not closed for as long as it lives, and may be watched still. */
static void a_child_of_the_host_keeps_no_loop_busy(void** state) {
    (void)state;
    struct scene scene;
    ignore_broken_pipes();
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/no", refuse, NULL);
    assert_true(fcgate_fd(scene.server, NULL) >= 0);
    const int client = dial(scene.port);
    assert_true(client >= 0);
    assert_true(send_text(client, "POST /no HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\nbegin"));
    (void)turn_for_refused(&scene, client, 10000);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(client);
        (void)alarm(30);
        (void)pause();
        _exit(0);
    }
    close(client);
    const int turns = turn_for_refused(&scene, -1, 300);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(turns < 20);
    close_scene(&scene);
}

static void several_servers_share_one_loop(void** state) {
    (void)state;
    enum { servers = 3 };
    struct scene scenes[servers];
    struct visitor visitors[servers];
    pthread_t threads[servers];
    ignore_broken_pipes();
    for (int i = 0; i < servers; ++i) {
        open_scene(&scenes[i]);
        create(&scenes[i]);
        assert_true(fcgate_fd(scenes[i].server, NULL) >= 0);
        visitors[i] = (struct visitor){scenes[i].port, {0}, false};
        assert_int_equal(pthread_create(&threads[i], NULL, visit, &visitors[i]), 0);
    }
    for (int done = 0; done < servers;) {
        struct pollfd watched[servers];
        int wait = 50;
        for (int i = 0; i < servers; ++i) {
            const int timeout = fcgate_timeout_ms(scenes[i].server);
            wait = timeout >= 0 && timeout < wait ? timeout : wait;
            watched[i] = (struct pollfd){fcgate_fd(scenes[i].server, NULL), POLLIN, 0};
        }
        (void)poll(watched, servers, wait);
        done = 0;
        for (int i = 0; i < servers; ++i) {
            assert_ok(&scenes[i], fcgate_dispatch(scenes[i].server, &scenes[i].error));
            done += __atomic_load_n(&visitors[i].done, __ATOMIC_ACQUIRE);
        }
    }
    for (int i = 0; i < servers; ++i) {
        pthread_join(threads[i], NULL);
        expect_served(&visitors[i]);
        close_scene(&scenes[i]);
    }
}

static void a_stop_before_the_start_keeps_it_from_running(void** state) {
    (void)state;
    struct scene scene;
    const char* const threads[] = {"1", "3"};
    for (size_t i = 0; i < 2; ++i) {
        open_scene(&scene);
        set(&scene, "server.threads", threads[i]);
        create(&scene);
        fcgate_stop(scene.server, 0);
        assert_ok(&scene, fcgate_start(scene.server, &scene.error));
        assert_ok(&scene, fcgate_wait(scene.server, 10000, &scene.error));
        close_scene(&scene);
        open_scene(&scene);
        set(&scene, "server.threads", threads[i]);
        create(&scene);
        fcgate_stop(scene.server, 0);
        assert_ok(&scene, fcgate_run(scene.server, &scene.error));
        close_scene(&scene);
    }
    const bool never = false;
    open_scene(&scene);
    create(&scene);
    fcgate_stop(scene.server, 0);
    assert_true(fcgate_fd(scene.server, NULL) >= 0);
    assert_result(&scene, serve_until(scene.server, &never), FCGATE_GONE);
    close_scene(&scene);
}

/* A request that is being sent: nothing but the deadline ends it. */
static int begin_request(unsigned port) {
    const int fd = dial(port);
    assert_true(fd >= 0);
    assert_true(send_text(fd, "GET /file.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"));
    return fd;
}

static void a_further_stop_brings_the_deadline_forward_never_back(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    start(&scene);
    /* A whole reply says that the server has accepted what came before it. */
    const int fd = begin_request(scene.port);
    assert_int_equal(status_of(scene.port, "/"), 200);
    fcgate_stop(scene.server, 60000);
    fcgate_stop(scene.server, 90000);
    assert_result(&scene, fcgate_wait(scene.server, 50, &scene.error), FCGATE_AGAIN);
    const int64_t begun = now_ms();
    fcgate_stop(scene.server, 0);
    fcgate_stop(scene.server, 60000);
    fcgate_stop(scene.server, -1);
    assert_ok(&scene, fcgate_wait(scene.server, 10000, &scene.error));
    assert_true(now_ms() - begun < 5000);
    fcgate_stop(scene.server, 0);
    close(fd);
    close_scene(&scene);
}

static void a_begun_request_finishes_before_the_deadline(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    start(&scene);
    const int fd = begin_request(scene.port);
    assert_int_equal(status_of(scene.port, "/"), 200);
    fcgate_stop(scene.server, 20000);
    assert_true(send_text(fd, "\r\n"));
    struct reply reply = receive_last(fd);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "a file\n");
    forget(&reply);
    assert_ok(&scene, fcgate_wait(scene.server, 10000, &scene.error));
    close_scene(&scene);
}

static void a_running_server_can_be_destroyed(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    set(&scene, "server.threads", "2");
    start(&scene);
    const int fd = begin_request(scene.port);
    assert_int_equal(status_of(scene.port, "/"), 200);
    const int64_t begun = now_ms();
    close_scene(&scene);
    assert_true(now_ms() - begun < 2000);
    close(fd);
    open_scene(&scene);
    create(&scene);
    assert_true(fcgate_fd(scene.server, NULL) >= 0);
    assert_ok(&scene, fcgate_dispatch(scene.server, &scene.error));
    close_scene(&scene);
    open_scene(&scene);
    create(&scene);
    close_scene(&scene);
}

static void a_server_runs_once_and_in_one_way(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    start(&scene);
    assert_result(&scene, fcgate_start(scene.server, &scene.error), FCGATE_INVALID);
    assert_result(&scene, fcgate_run(scene.server, &scene.error), FCGATE_INVALID);
    assert_result(&scene, fcgate_fd(scene.server, &scene.error), FCGATE_INVALID);
    assert_result(&scene, fcgate_dispatch(scene.server, &scene.error), FCGATE_INVALID);
    assert_int_equal(status_of(scene.port, "/"), 200);
    fcgate_stop(scene.server, 0);
    assert_ok(&scene, fcgate_wait(scene.server, 10000, &scene.error));
    assert_result(&scene, fcgate_start(scene.server, &scene.error), FCGATE_INVALID);
    close_scene(&scene);
    open_scene(&scene);
    create(&scene);
    assert_true(fcgate_fd(scene.server, NULL) >= 0);
    assert_result(&scene, fcgate_start(scene.server, NULL), FCGATE_INVALID);
    assert_result(&scene, fcgate_run(scene.server, NULL), FCGATE_INVALID);
    close_scene(&scene);
}

static void a_loop_of_the_host_takes_one_thread_only(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    set(&scene, "server.threads", "2");
    create(&scene);
    assert_result(&scene, fcgate_fd(scene.server, &scene.error), FCGATE_INVALID);
    assert_non_null(strstr(scene.error.text, "threads"));
    /* What failed has changed nothing. */
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    assert_int_equal(status_of(scene.port, "/"), 200);
    close_scene(&scene);
}

static void a_missing_root_is_found_at_the_start(void** state) {
    (void)state;
    const char* const roots[] = {"/nowhere/at/all", "/etc/passwd"};
    for (size_t i = 0; i < 2; ++i) {
        struct scene scene;
        open_scene(&scene);
        set(&scene, "site.root", roots[i]);
        create(&scene);
        assert_result(&scene, fcgate_start(scene.server, &scene.error), FCGATE_INVALID);
        assert_non_null(strstr(scene.error.text, roots[i]));
        assert_result(&scene, fcgate_start(scene.server, &scene.error), FCGATE_INVALID);
        assert_result(&scene, fcgate_run(scene.server, &scene.error), FCGATE_INVALID);
        assert_result(&scene, fcgate_fd(scene.server, &scene.error), FCGATE_INVALID);
        assert_int_equal(fcgate_wait(scene.server, 0, NULL), FCGATE_INVALID);
        assert_int_equal(fcgate_timeout_ms(scene.server), -1);
        fcgate_stop(scene.server, -1);
        fcgate_reopen_logs(scene.server);
        close_scene(&scene);
    }
}

/* Nothing is wrong with the settings then. */
static void a_folder_that_finds_no_descriptor_is_there_all_the_same(void** state) {
    (void)state;
    struct scene scene;
    struct rlimit before;
    open_scene(&scene);
    create(&scene);
    const int next = dup(STDIN_FILENO);
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int result = fcgate_start(scene.server, &scene.error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result, FCGATE_ERROR);
    assert_non_null(strstr(scene.error.text, "root: "));
    close_scene(&scene);
}

static void settings_survive_a_failed_create(void** state) {
    (void)state;
    struct scene scene;
    struct scene other;
    char taken[64];
    open_scene(&scene);
    start(&scene);
    open_scene(&other);
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", scene.port);
    set(&other, "server.listen", taken);
    const size_t open_before = count_entries("/proc/self/fd");
    for (int i = 0; i < 3; ++i) {
        assert_null(fcgate_create(other.settings, &other.error));
        assert_int_equal(other.error.code, FCGATE_ERROR);
        assert_non_null(strstr(other.error.text, taken));
        assert_null(fcgate_create(other.settings, NULL));
    }
    /* The descriptor of the first listener went with the first try. */
    assert_true(count_entries("/proc/self/fd") <= open_before);
    const int fd = listen_on_loopback(&other.port);
    assert_true(fd >= 0);
    (void)snprintf(taken, sizeof taken, "fd:%d", fd);
    set(&other, "server.listen", NULL);
    set(&other, "server.listen", taken);
    start(&other);
    assert_int_equal(status_of(other.port, "/"), 200);
    close_scene(&other);
    close_scene(&scene);
}

static void a_port_that_needs_root_is_denied(void** state) {
    (void)state;
    int first = 1024;
    FILE* const limit = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    if (limit != NULL) {
        if (fscanf(limit, "%d", &first) != 1) {
            first = 1024;
        }
        fclose(limit);
    }
    if (first <= 1) {
        print_message("here every port may be bound by everyone\n");
        skip();
    }
    struct scene scene;
    open_scene(&scene);
    set(&scene, "server.listen", NULL);
    set(&scene, "server.listen", "127.0.0.1:1");
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
            _exit(2);
        }
        _exit(fcgate_create(scene.settings, &scene.error) == NULL && scene.error.code == FCGATE_DENIED ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close_scene(&scene);
}

static void a_socket_file_appears_and_goes(void** state) {
    (void)state;
    struct scene scene;
    char listen[128];
    struct stat status;
    open_scene(&scene);
    (void)snprintf(listen, sizeof listen, "unix:%s/socket", scene.root);
    set(&scene, "server.listen", listen);
    start(&scene);
    const int fd = dial_path(listen + strlen("unix:"));
    assert_true(fd >= 0);
    assert_true(send_text(fd, "GET /file.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    struct reply reply = receive_last(fd);
    assert_int_equal(reply.status, 200);
    forget(&reply);
    fcgate_destroy(scene.server);
    scene.server = NULL;
    assert_int_equal(stat(listen + strlen("unix:"), &status), -1);
    close_scene(&scene);
}

static void fifty_lives_leave_nothing_behind(void** state) {
    (void)state;
    size_t descriptors = 0;
    ignore_broken_pipes();
    const size_t threads = count_entries("/proc/self/task");
    for (int life = 0; life < 50; ++life) {
        struct scene scene;
        open_scene(&scene);
        set(&scene, "server.threads", life % 3 == 0 ? "3" : "1");
        create(&scene);
        if (life % 3 == 2) {
            struct visitor visitor = {scene.port, {0}, false};
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, visit, &visitor), 0);
            assert_ok(&scene, serve_until(scene.server, &visitor.done));
            pthread_join(thread, NULL);
        } else {
            assert_ok(&scene, fcgate_start(scene.server, &scene.error));
            assert_int_equal(status_of(scene.port, "/"), 200);
        }
        if (life % 2 == 0) {
            fcgate_stop(scene.server, 1000);
        }
        close_scene(&scene);
        if (life == 4) {
            descriptors = count_entries("/proc/self/fd");
        }
    }
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_int_equal(settled_threads(threads), threads);
}

static void two_servers_keep_their_logs_apart(void** state) {
    (void)state;
    struct scene first;
    struct scene second;
    open_scene(&first);
    open_scene(&second);
    set(&second, "server.log_level", "debug");
    start(&first);
    start(&second);
    assert_int_equal(status_of(first.port, "/first-only"), 404);
    assert_int_equal(status_of(second.port, "/second-only"), 404);
    assert_int_equal(status_of(first.port, "/%00"), 400);
    fcgate_stop(first.server, 0);
    fcgate_stop(second.server, 0);
    assert_ok(&first, fcgate_wait(first.server, 10000, &first.error));
    assert_ok(&second, fcgate_wait(second.server, 10000, &second.error));
    assert_true(has_logged(&first.log, first.root));
    assert_false(has_logged(&first.log, second.root));
    assert_true(has_logged(&second.log, second.root));
    assert_false(has_logged(&second.log, first.root));
    assert_false(has_logged(&first.log, "first-only")); /* 404 is for debugging */
    assert_true(has_logged(&second.log, "second-only"));
    assert_true(has_logged(&first.log, "2 127.0.0.1: GET /%00: 400"));
    assert_false(has_logged(&second.log, "%00"));
    close_scene(&first);
    close_scene(&second);
}

static void other_settings_come_into_force(void** state) {
    (void)state;
    struct scene scene;
    char listen[64];
    open_scene(&scene);
    fcgate_settings* other = settings_beside(&scene, "127.0.0.1:1");
    create(&scene);
    assert_result(&scene, fcgate_reload(scene.server, other, &scene.error), FCGATE_INVALID); /* not yet */
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    assert_int_equal(status_of(scene.port, "/file.txt"), 200);
    assert_int_equal(fcgate_get(other, "server.listen", listen, sizeof listen), FCGATE_OK);
    fcgate_settings_destroy(other);

    const int fd = listen_on_loopback(&scene.port);
    assert_true(fd >= 0);
    (void)snprintf(listen, sizeof listen, "fd:%d", fd);
    other = settings_beside(&scene, listen);
    assert_int_equal(fcgate_set(other, "site.root", "/nowhere", NULL), FCGATE_OK);
    assert_result(&scene, fcgate_reload(scene.server, other, &scene.error), FCGATE_INVALID);
    assert_non_null(strstr(scene.error.text, "/nowhere"));
    /* Still mine, and the socket as well. */
    assert_int_equal(fcgate_set(other, "site.root", scene.root, NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(other, "site.header", "X-Edition second", NULL), FCGATE_OK);
    assert_ok(&scene, fcgate_reload(scene.server, other, &scene.error));
    assert_int_equal(status_of(scene.port, "/file.txt"), 200);

    /* The first settings are given back once the last request under them is done: in a while the places are free again. */
    for (int i = 0; i < 20; ++i) {
        int result = FCGATE_AGAIN;
        other = settings_beside(&scene, listen);
        for (int64_t until = now_ms() + 10000; result == FCGATE_AGAIN && now_ms() < until;) {
            result = fcgate_reload(scene.server, other, &scene.error);
        }
        assert_ok(&scene, result);
        assert_int_equal(status_of(scene.port, "/file.txt"), 200);
    }
    other = settings_beside(&scene, listen);
    fcgate_stop(scene.server, 1000);
    assert_result(&scene, fcgate_reload(scene.server, other, &scene.error), FCGATE_GONE);
    fcgate_settings_destroy(other);
    assert_ok(&scene, fcgate_wait(scene.server, 5000, &scene.error));
    close_scene(&scene);
}

static void expect_unchanged(const fcgate_settings* settings, const char* before) {
    static char after[FCGATE_PRINTED_MAX];
    assert_int_equal(fcgate_print(settings, after, sizeof after), FCGATE_OK);
    assert_string_equal(after, before);
}

static void settings_that_were_not_taken_are_as_they_were(void** state) {
    (void)state;
    static char before[FCGATE_PRINTED_MAX];
    struct scene scene;
    char taken[64];
    open_scene(&scene);
    start(&scene);
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", scene.port);
    fcgate_settings* const other = settings_beside(&scene, taken);
    assert_int_equal(fcgate_set(other, "server.max_connections", "200", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(other, "server.error_log", "/nowhere/log", NULL), FCGATE_OK);
    if (strstr(fcgate_features(), "access_log") != NULL) {
        assert_int_equal(fcgate_set(other, "server.access_log_format", "json", NULL), FCGATE_OK);
    }
    assert_int_equal(fcgate_set(other, "site.root", "/nowhere", NULL), FCGATE_OK);
    if (strstr(fcgate_features(), "spawn") != NULL) {
        assert_int_equal(fcgate_set(other, "backend.address", "auto", NULL), FCGATE_OK);
    }
    assert_int_equal(fcgate_print(other, before, sizeof before), FCGATE_OK);
    assert_null(fcgate_create(other, &scene.error));
    expect_unchanged(other, before);
    assert_result(&scene, fcgate_reload(scene.server, other, &scene.error), FCGATE_INVALID);
    expect_unchanged(other, before);
    fcgate_settings_destroy(other);
    close_scene(&scene);
}

/* What its status says that it can take at most; 0: it says nothing. */
static long long most_memory(fcgate_server* server) {
    static char text[FCGATE_STATUS_MAX];
    static const char key[] = "\"memory_most_bytes\":";
    if (fcgate_status(server, FCGATE_STATUS_JSON, text, sizeof text) != FCGATE_OK) {
        return 0; /* built without it */
    }
    const char* const found = strstr(text, key);
    assert_non_null(found);
    return strtoll(found + strlen(key), NULL, 10);
}

static void the_room_for_the_host_is_that_of_the_start(void** state) {
    (void)state;
    static char before[FCGATE_BUDGET_MAX];
    static char after[FCGATE_BUDGET_MAX];
    struct scene scene;
    open_scene(&scene);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 4, 1024, 64), FCGATE_OK);
    start(&scene);
    const long long most = most_memory(scene.server);
    /* Far beyond the ceiling; but it is not asked for. */
    char listen[128];
    (void)snprintf(listen, sizeof listen, "unix:%s/socket", scene.root);
    fcgate_settings* const other = settings_beside(&scene, listen);
    assert_int_equal(fcgate_settings_set_room(other, 4096, 1 << 20, 0), FCGATE_OK);
    assert_int_equal(fcgate_set(other, "server.memory_ceiling", "16m", NULL), FCGATE_OK);
    assert_int_equal(fcgate_budget(other, (enum fcgate_budget_form)2, before, sizeof before), FCGATE_INVALID);
    assert_string_equal(before, "");
    assert_int_equal(fcgate_budget(other, FCGATE_BUDGET_TABLE, before, sizeof before), FCGATE_OK);
    /* What was not taken is as it was. */
    assert_int_equal(fcgate_set(other, "site.root", "/nowhere", NULL), FCGATE_OK);
    assert_result(&scene, fcgate_reload(scene.server, other, &scene.error), FCGATE_INVALID);
    assert_int_equal(fcgate_budget(other, FCGATE_BUDGET_TABLE, after, sizeof after), FCGATE_OK);
    assert_string_equal(after, before);
    assert_int_equal(fcgate_set(other, "site.root", scene.root, NULL), FCGATE_OK);
    assert_ok(&scene, fcgate_reload(scene.server, other, &scene.error));
    assert_int_equal(most_memory(scene.server), most);
    close_scene(&scene);
}

/* A thread of the host's that stops a server while another one reloads it. */
struct stopper {
    fcgate_server* server;
    int ended; /* readable when it has ended */
    pthread_t thread;
    bool begun;
};

static void* stop_and_see(void* argument) {
    const struct stopper* const stopper = argument;
    struct pollfd ended = {stopper->ended, POLLIN, 0};
    fcgate_stop(stopper->server, 0);
    (void)poll(&ended, 1, 20000);
    return NULL;
}

/* It is told so behind all that can fail. */
static void stop_at_the_last_moment(void* context, enum fcgate_log_level level, const char* message) {
    struct stopper* const stopper = context;
    (void)level;
    if (strstr(message, "these change with a restart only") != NULL) {
        stopper->begun = pthread_create(&stopper->thread, NULL, stop_and_see, stopper) == 0;
        pthread_join(stopper->thread, NULL);
    }
}

static void a_stop_amid_a_reload_closes_each_socket_once(void** state) {
    (void)state;
    struct scene scene;
    struct stopper stopper = {NULL, -1, 0, false};
    int mine[8];
    char listen[32];
    open_scene(&scene);
    fcgate_settings_set_log(scene.settings, stop_at_the_last_moment, &stopper);
    set(&scene, "server.threads", "2");
    assert_int_equal(fcgate_get(scene.settings, "server.listen", listen, sizeof listen), FCGATE_OK);
    fcgate_settings* const other = settings_beside(&scene, listen);
    assert_int_equal(fcgate_set(other, "server.threads", "1", NULL), FCGATE_OK);
    start(&scene);
    stopper.server = scene.server;
    stopper.ended = fcgate_ended_fd(scene.server);
    assert_ok(&scene, fcgate_reload(scene.server, other, &scene.error));
    assert_true(stopper.begun);
    assert_ok(&scene, fcgate_wait(scene.server, 0, &scene.error));
    assert_true(dial(scene.port) < 0);
    /* They take the numbers that have become free. */
    for (size_t i = 0; i < sizeof mine / sizeof *mine; ++i) {
        mine[i] = dup(STDIN_FILENO);
        assert_true(mine[i] >= 0);
    }
    close_scene(&scene);
    for (size_t i = 0; i < sizeof mine / sizeof *mine; ++i) {
        assert_int_equal(close(mine[i]), 0);
    }
}

static void a_log_file_is_opened_again_by_name(void** state) {
    (void)state;
    struct scene scene;
    char path[128];
    char moved[160];
    open_scene(&scene);
    (void)snprintf(path, sizeof path, "%s/log", scene.root);
    (void)snprintf(moved, sizeof moved, "%s.1", path);
    set(&scene, "server.error_log", path);
    fcgate_settings_set_log(scene.settings, NULL, NULL);
    start(&scene);
    assert_int_equal(rename(path, moved), 0);
    fcgate_reopen_logs(scene.server);
    struct stat status;
    const int64_t deadline = now_ms() + 10000;
    while (stat(path, &status) != 0 && now_ms() < deadline) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status_of(scene.port, "/%00"), 400);
    fcgate_destroy(scene.server);
    scene.server = NULL;
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size > 0);
    assert_int_equal(scene.log.count, 0);
    close_scene(&scene);
}

static volatile sig_atomic_t ticks;

/* Not for ever, should the wait begin anew with each. */
static void tick(int number) {
    (void)number;
    if (++ticks == 200) {
        const struct itimerval off = {{0, 0}, {0, 0}};
        (void)setitimer(ITIMER_REAL, &off, NULL);
    }
}

static void a_wait_ends_in_time_whatever_signals_come(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    start(&scene);
    const struct sigaction action = {.sa_handler = tick};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    const struct itimerval often = {{0, 20000}, {0, 20000}};
    const struct itimerval off = {{0, 0}, {0, 0}};
    const int64_t begun = now_ms();
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    const int result = fcgate_wait(scene.server, 200, NULL);
    const int64_t took = now_ms() - begun;
    /* The handler stays: one more signal may be on its way. */
    assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
    assert_int_equal(result, FCGATE_AGAIN);
    assert_in_range(took, 200, 2000);
    close_scene(&scene);
}

/* As some do that give up rights: poll() then takes none at all. */
static void a_host_without_descriptors_is_not_told_of_an_end(void** state) {
    (void)state;
    struct scene scene;
    struct rlimit before;
    open_scene(&scene);
    start(&scene);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int result = fcgate_wait(scene.server, 10, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result, FCGATE_AGAIN);
    fcgate_stop(scene.server, 0);
    assert_ok(&scene, fcgate_wait(scene.server, 20000, &scene.error));
    close_scene(&scene);
}

/* In a process of its own: as a user who may have so many processes and no more. */
static int start_without_threads(struct scene* scene) {
    const struct rlimit few = {2, 2};
    const size_t threads = count_entries("/proc/self/task");
    if (setrlimit(RLIMIT_NPROC, &few) != 0 || setresuid(65534, 65534, 65534) != 0) {
        return 2;
    }
    scene->server = fcgate_create(scene->settings, &scene->error);
    if (fcgate_start(scene->server, &scene->error) != FCGATE_NO_MEMORY || scene->error.text[0] == '\0') {
        return 3;
    }
    if (settled_threads(threads) != threads) {
        return 4;
    }
    if (fcgate_start(scene->server, &scene->error) != FCGATE_INVALID || fcgate_wait(scene->server, 0, NULL) == 0) {
        return 5;
    }
    fcgate_destroy(scene->server);
    return 0;
}

/* The port that is behind an address of 127.0.0.1; 0: it is none. */
static unsigned port_of(const char* address) {
    unsigned port = 0;
    return sscanf(address, "127.0.0.1:%u", &port) == 1 ? port : 0;
}

static void a_server_tells_where_it_listens(void** state) {
    (void)state;
    struct scene scene;
    char address[128];
    char local[96];
    char wanted[96];
    open_scene(&scene);
    set(&scene, "server.listen", "127.0.0.1:0");
    (void)snprintf(local, sizeof local, "unix:%s/socket 0666", scene.root);
    set(&scene, "server.listen", local);
    create(&scene);
    assert_int_equal(fcgate_listener(NULL, 0, address, sizeof address), FCGATE_INVALID);
    assert_int_equal(fcgate_listener(scene.server, 0, NULL, sizeof address), FCGATE_INVALID);
    assert_int_equal(fcgate_listener(scene.server, 0, address, 0), FCGATE_INVALID);
    /* The scene's own, which it has inherited. */
    assert_int_equal(fcgate_listener(scene.server, 0, address, sizeof address), FCGATE_OK);
    assert_int_equal(port_of(address), scene.port);
    assert_int_equal(fcgate_listener(scene.server, 0, address, strlen(address)), FCGATE_TOO_LARGE);
    assert_string_equal(address, "");
    assert_int_equal(fcgate_listener(scene.server, 1, address, sizeof address), FCGATE_OK);
    const unsigned port = port_of(address);
    assert_true(port != 0 && port != scene.port);
    assert_int_equal(fcgate_listener(scene.server, 2, address, sizeof address), FCGATE_OK);
    (void)snprintf(wanted, sizeof wanted, "unix:%s/socket", scene.root);
    assert_string_equal(address, wanted);
    assert_int_equal(fcgate_listener(scene.server, 3, address, sizeof address), FCGATE_GONE);
    assert_string_equal(address, "");
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    expect_reply(port, "GET", "/file.txt", 200, "a file\n");
    /* Whoever reads the log can go there as well. */
    (void)snprintf(wanted, sizeof wanted, "listening on 127.0.0.1:0: http://127.0.0.1:%u/\n", port);
    assert_true(has_logged(&scene.log, wanted));
    /* Under settings that have it still the socket is the same, and where it stands has changed. */
    fcgate_settings* const other = settings_beside(&scene, "127.0.0.1:0");
    assert_ok(&scene, fcgate_reload(scene.server, other, &scene.error));
    assert_int_equal(fcgate_listener(scene.server, 0, address, sizeof address), FCGATE_OK);
    assert_int_equal(port_of(address), port);
    assert_int_equal(fcgate_listener(scene.server, 1, address, sizeof address), FCGATE_GONE);
    close_scene(&scene);
}

static void a_start_without_enough_threads_has_begun_nothing(void** state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can become a user without processes\n");
        skip();
    }
    struct scene scene;
    open_scene(&scene);
    set(&scene, "server.threads", "4");
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(start_without_threads(&scene));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close_scene(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_of_its_own_serve_until_stopped),
        cmocka_unit_test(a_lent_thread_serves_until_stopped),
        cmocka_unit_test(a_reload_may_come_while_a_lent_thread_begins),
        cmocka_unit_test(a_loop_of_the_host_serves_until_stopped),
        cmocka_unit_test(an_idle_loop_needs_no_turns),
        cmocka_unit_test(a_child_of_the_host_keeps_no_loop_busy),
        cmocka_unit_test(several_servers_share_one_loop),
        cmocka_unit_test(a_stop_before_the_start_keeps_it_from_running),
        cmocka_unit_test(a_further_stop_brings_the_deadline_forward_never_back),
        cmocka_unit_test(a_begun_request_finishes_before_the_deadline),
        cmocka_unit_test(a_running_server_can_be_destroyed),
        cmocka_unit_test(a_server_runs_once_and_in_one_way),
        cmocka_unit_test(a_loop_of_the_host_takes_one_thread_only),
        cmocka_unit_test(a_missing_root_is_found_at_the_start),
        cmocka_unit_test(a_folder_that_finds_no_descriptor_is_there_all_the_same),
        cmocka_unit_test(settings_survive_a_failed_create),
        cmocka_unit_test(a_port_that_needs_root_is_denied),
        cmocka_unit_test(a_socket_file_appears_and_goes),
        cmocka_unit_test(fifty_lives_leave_nothing_behind),
        cmocka_unit_test(two_servers_keep_their_logs_apart),
        cmocka_unit_test(other_settings_come_into_force),
        cmocka_unit_test(settings_that_were_not_taken_are_as_they_were),
        cmocka_unit_test(the_room_for_the_host_is_that_of_the_start),
        cmocka_unit_test(a_stop_amid_a_reload_closes_each_socket_once),
        cmocka_unit_test(a_log_file_is_opened_again_by_name),
        cmocka_unit_test(a_wait_ends_in_time_whatever_signals_come),
        cmocka_unit_test(a_host_without_descriptors_is_not_told_of_an_end),
        cmocka_unit_test(a_server_tells_where_it_listens),
        cmocka_unit_test(a_start_without_enough_threads_has_begun_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
