/* PHP that the library starts, in a host with children of its own. Needs php-fpm or php-cgi; without, all is skipped. */
#include <errno.h>
#include <fcgate/call.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

/* A scene with a script, and PHP on demand in a folder of its own. */
static void open_php_scene(struct scene* scene) {
    open_scene(scene);
    put_file(scene, "hello.php", "<?php echo 'hello ' . getmypid() . \"\\n\";");
    set(scene, "backend.address", "spawn");
    set(scene, "backend.workers", "2");
    char folder[128];
    (void)snprintf(folder, sizeof folder, "%s/run", scene->root);
    set(scene, "server.runtime_dir", folder);
}

static bool has_php;

static int look_for_php(void** state) {
    (void)state;
    struct scene scene;
    open_php_scene(&scene);
    scene.server = fcgate_create(scene.settings, &scene.error);
    if (scene.server != NULL) {
        scene.settings = NULL;
    }
    has_php = scene.server != NULL;
    const bool is_missing = !has_php && strstr(scene.error.text, "was found") != NULL;
    if (!has_php) {
        print_message("without PHP nothing can be started: %s\n", scene.error.text);
    }
    close_scene(&scene);
    return has_php || is_missing ? 0 : -1;
}

static void need_php(void) {
    if (!has_php) {
        skip();
    }
}

static void expect_hello(unsigned port) {
    struct reply reply = get(port, "/hello.php");
    assert_int_equal(reply.status, 200);
    assert_int_equal(strncmp(reply.body, "hello ", 6), 0);
    forget(&reply);
}

enum { most_ended = 16 };
static volatile pid_t ended[most_ended];
static volatile sig_atomic_t ended_count;

static void collect_children(int number) {
    (void)number;
    const int before = errno;
    pid_t child = 0;
    while ((child = waitpid(-1, NULL, WNOHANG)) > 0 && ended_count < most_ended) {
        ended[ended_count] = child;
        ++ended_count;
    }
    errno = before;
}

static pid_t start_child(void) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(7);
    }
    return child;
}

static void wait_for_ended(int count) {
    const int64_t deadline = now_ms() + 10000;
    while (ended_count < count && now_ms() < deadline) {
        (void)poll(NULL, 0, 5);
    }
    assert_int_equal(ended_count, count);
}

static bool wait_for_line(struct scene* scene, const char* words) {
    const int64_t deadline = now_ms() + 20000;
    while (!has_logged(&scene->log, words) && now_ms() < deadline) {
        (void)poll(NULL, 0, 5);
    }
    return has_logged(&scene->log, words);
}

static void the_host_sees_the_end_of_its_own_children_alone(void** state) {
    (void)state;
    need_php();
    struct scene scene;
    struct sigaction before;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = collect_children;
    action.sa_flags = SA_RESTART;
    ended_count = 0;
    assert_int_equal(sigaction(SIGCHLD, &action, &before), 0);
    open_php_scene(&scene);
    set(&scene, "backend.idle_stop", "300ms");
    start(&scene);
    expect_hello(scene.port);
    const pid_t first = start_child();
    wait_for_ended(1);
    assert_int_equal(ended[0], first);
    /* PHP ends when it has nothing to do, and is started again. */
    const int64_t deadline = now_ms() + 20000;
    char once[64];
    char again[64];
    struct reply reply = get(scene.port, "/hello.php");
    (void)snprintf(once, sizeof once, "%s", reply.body);
    forget(&reply);
    do {
        (void)poll(NULL, 0, 1000);
        reply = get(scene.port, "/hello.php");
        assert_int_equal(reply.status, 200);
        (void)snprintf(again, sizeof again, "%s", reply.body);
        forget(&reply);
    } while (strcmp(once, again) == 0 && now_ms() < deadline);
    assert_string_not_equal(once, again);
    const pid_t second = start_child();
    wait_for_ended(2);
    assert_int_equal(ended[1], second);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    struct sigaction now;
    assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
    assert_true(now.sa_handler == collect_children);
    close_scene(&scene);
    assert_int_equal(ended_count, 2);
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
}

static void a_host_that_ignores_its_children_is_served_as_well(void** state) {
    (void)state;
    need_php();
    struct scene scene;
    void (*const before)(int) = signal(SIGCHLD, SIG_IGN);
    open_php_scene(&scene);
    start(&scene);
    expect_hello(scene.port);
    const int64_t begun = now_ms();
    close_scene(&scene);
    assert_true(now_ms() - begun < 10000);
    (void)signal(SIGCHLD, before);
}

/* A child that does not execute another program has a copy of all that is open here. */
static void a_child_of_the_host_keeps_nobody_from_ending(void** state) {
    (void)state;
    need_php();
    struct scene scene;
    open_php_scene(&scene);
    start(&scene);
    expect_hello(scene.port);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(30);
        (void)pause();
        _exit(0);
    }
    const int64_t begun = now_ms();
    fcgate_destroy(scene.server);
    scene.server = NULL;
    const int64_t took = now_ms() - begun;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(took < 10000);
    assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    close_scene(&scene);
}

/* As malloc() has them, and programs of their own: a lock that is held while a process is forked. */
static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER;

static void take_fork_lock(void) {
    (void)pthread_mutex_lock(&fork_lock);
}

static void release_fork_lock(void) {
    (void)pthread_mutex_unlock(&fork_lock);
}

struct holder {
    bool holds;
    bool is_done;
};

static void* hold_fork_lock(void* argument) {
    struct holder* const holder = argument;
    /* Where the server's own process is made by fork() that one waits for the lock. */
    const int64_t deadline = now_ms() + 3000;
    take_fork_lock();
    __atomic_store_n(&holder->holds, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&holder->is_done, __ATOMIC_ACQUIRE) && now_ms() < deadline) {
        (void)poll(NULL, 0, 5);
    }
    release_fork_lock();
    return NULL;
}

static void a_lock_of_another_thread_keeps_php_from_nothing(void** state) {
    (void)state;
    need_php();
    struct scene scene;
    struct holder holder = {false, false};
    pthread_t thread;
    open_php_scene(&scene);
    assert_int_equal(pthread_atfork(take_fork_lock, release_fork_lock, release_fork_lock), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_fork_lock, &holder), 0);
    while (!__atomic_load_n(&holder.holds, __ATOMIC_ACQUIRE)) {
        (void)poll(NULL, 0, 1);
    }
    create(&scene);
    __atomic_store_n(&holder.is_done, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    expect_hello(scene.port);
    close_scene(&scene);
}

/* In a process of its own; the number says where it went wrong. */
static int serve_with_few_descriptors(struct scene* scene) {
    const struct rlimit few = {17, 17};
    if (setrlimit(RLIMIT_NOFILE, &few) != 0) {
        return 1;
    }
    scene->server = fcgate_create(scene->settings, &scene->error);
    if (scene->server == NULL || fcgate_start(scene->server, &scene->error) != FCGATE_OK) {
        return 2;
    }
    struct reply reply = get(scene->port, "/hello.php");
    const int status = reply.status;
    forget(&reply);
    const int64_t begun = now_ms();
    fcgate_destroy(scene->server);
    if (status != 200) {
        return 3;
    }
    return now_ms() - begun < 2900 ? 0 : 4; /* it gives up after 3000 */
}

static void a_few_descriptors_are_enough_for_php(void** state) {
    (void)state;
    need_php();
    struct scene scene;
    open_php_scene(&scene);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(60);
        _exit(serve_with_few_descriptors(&scene));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close_scene(&scene);
}

static void no_process_is_left_behind(void** state) {
    (void)state;
    need_php();
    struct scene scene;
    open_php_scene(&scene);
    start(&scene);
    struct reply reply = get(scene.port, "/hello.php");
    assert_int_equal(reply.status, 200);
    const pid_t php = (pid_t)strtol(reply.body + strlen("hello "), NULL, 10);
    forget(&reply);
    assert_true(php > 1);
    assert_int_equal(kill(php, 0), 0);
    close_scene(&scene);
    assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    /* Whoever has inherited it may take a moment to bury it. */
    const int64_t deadline = now_ms() + 10000;
    while (kill(php, 0) == 0 && now_ms() < deadline) {
        (void)poll(NULL, 0, 5);
    }
    assert_int_equal(kill(php, 0), -1);
}

static void reply_host(void* context, fcgate_request* request) {
    (void)fcgate_reply(request, 200, "text/plain", context, strlen(context));
}

static char host_text[] = "host\n";

static void expect_body(unsigned port, const char* path, const char* body) {
    struct reply reply = get(port, path);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, body);
    forget(&reply);
}

static void two_servers_side_by_side_one_with_php(void** state) {
    (void)state;
    need_php();
    struct scene with;
    struct scene without;
    open_php_scene(&with);
    open_scene(&without);
    put_file(&without, "hello.php", "<?php echo 'never shown';");
    set(&with, "server.threads", "3");
    create(&with);
    create(&without);
    assert_int_equal(fcgate_handle(with.server, "/api/", reply_host, host_text), FCGATE_OK);
    assert_ok(&with, fcgate_start(with.server, &with.error));
    assert_ok(&without, fcgate_start(without.server, &without.error));
    for (int i = 0; i < 10; ++i) {
        expect_hello(with.port);
        expect_body(with.port, "/api/x.php", host_text);
        expect_body(with.port, "/file.txt", "a file\n");
        expect_body(without.port, "/file.txt", "a file\n");
        assert_int_equal(status_of(without.port, "/hello.php"), 503);
        assert_int_equal(status_of(without.port, "/api/x"), 404);
    }
    fcgate_destroy(without.server);
    without.server = NULL;
    expect_hello(with.port);
    assert_true(wait_for_line(&with, "PHP"));
    assert_false(has_logged(&without.log, "PHP by"));
    close_scene(&with);
    close_scene(&without);
}

/* Each is asked on a new connection, so that it looks for its PHP's socket anew. */
static void open_limited_scene(struct scene* scene, const char* setting) {
    open_php_scene(scene);
    put_file(scene, "limit.php", "<?php echo ini_get('memory_limit');");
    set(scene, "backend.php", setting);
    set(scene, "backend.keep_alive", "no");
}

static void two_servers_in_one_folder_have_a_php_each(void** state) {
    (void)state;
    need_php();
    struct scene first;
    struct scene second;
    char folder[128];
    open_limited_scene(&first, "memory_limit 31M");
    open_limited_scene(&second, "memory_limit 62M");
    (void)snprintf(folder, sizeof folder, "%s/run", first.root);
    set(&second, "server.runtime_dir", folder);
    start(&first);
    start(&second);
    for (int i = 0; i < 3; ++i) {
        expect_body(first.port, "/limit.php", "31M");
        expect_body(second.port, "/limit.php", "62M");
    }
    fcgate_destroy(second.server);
    second.server = NULL;
    expect_body(first.port, "/limit.php", "31M");
    assert_false(has_logged(&first.log, "nobody answers"));
    close_scene(&second);
    close_scene(&first);
}

struct visitor {
    unsigned port;
    int right;
    bool done;
};

static void* visit(void* argument) {
    struct visitor* const visitor = argument;
    for (int i = 0; i < 10; ++i) {
        visitor->right += status_of(visitor->port, "/hello.php") == 200;
        visitor->right += status_of(visitor->port, "/api/") == 200;
        visitor->right += status_of(visitor->port, "/index.html") == 200;
    }
    __atomic_store_n(&visitor->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void php_is_served_in_a_loop_of_the_host(void** state) {
    (void)state;
    need_php();
    struct scene scene;
    pthread_t thread;
    (void)signal(SIGPIPE, SIG_IGN);
    open_php_scene(&scene);
    create(&scene);
    assert_int_equal(fcgate_handle(scene.server, "/api/", reply_host, host_text), FCGATE_OK);
    assert_true(fcgate_fd(scene.server, NULL) >= 0);
    struct visitor visitor = {scene.port, 0, false};
    assert_int_equal(pthread_create(&thread, NULL, visit, &visitor), 0);
    assert_ok(&scene, serve_until(scene.server, &visitor.done));
    pthread_join(thread, NULL);
    assert_int_equal(visitor.right, 30);
    close_scene(&scene);
}

struct answer {
    char text[128];
    size_t size;
    unsigned status;
    int result;
    bool done;
};

static void take_head(void* context, const fcgate_answer* head) {
    struct answer* const answer = context;
    const char* const value = fcgate_answer_header(head, "x-script");
    answer->size = (size_t)snprintf(answer->text, sizeof answer->text, "%s|", value != NULL ? value : "none");
}

static ptrdiff_t take_output(void* context, const void* bytes, size_t length) {
    struct answer* const answer = context;
    const size_t room = sizeof answer->text - 1 - answer->size;
    const size_t taken = length < room ? length : room;
    memcpy(answer->text + answer->size, bytes, taken);
    answer->size += taken;
    return (ptrdiff_t)length;
}

static void take_end(void* context, int result, unsigned status) {
    struct answer* const answer = context;
    answer->text[answer->size] = '\0';
    answer->result = result;
    answer->status = status;
    __atomic_store_n(&answer->done, true, __ATOMIC_RELEASE);
}

/* By a server with no listener and no site. */
static void a_script_is_called_without_http(void** state) {
    (void)state;
    need_php();
    struct scene scene;
    static const fcgate_caller caller = {take_head, take_output, take_end};
    static const char* const variables[] = {"REMOTE_USER", "host", NULL};
    open_php_scene(&scene);
    put_file(&scene, "called.php",
             "<?php header('X-Script: ' . $_SERVER['SCRIPT_NAME']); http_response_code(201);"
             "echo $_SERVER['REMOTE_USER'], ' ', $_GET['a'], ' ', $_POST['b'] ?? '', strlen($_POST['c'] ?? '');");
    fcgate_settings_destroy(scene.settings);
    scene.settings = fcgate_settings_create();
    fcgate_settings_set_log(scene.settings, take_line, &scene.log);
    char text[128];
    (void)snprintf(text, sizeof text, "%s/run", scene.root);
    set(&scene, "server.runtime_dir", text);
    set(&scene, "backend.address", "spawn");
    assert_int_equal(fcgate_settings_set_calls(scene.settings, 2, 1024), FCGATE_OK);
    create(&scene);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));

    static char body[100004] = "b=2&c=";
    memset(body + 6, 'c', sizeof body - 7);
    (void)snprintf(text, sizeof text, "%s/called.php", scene.root);
    fcgate_script script = {0};
    script.file = text;
    script.query = "a=1";
    script.variables = variables;
    script.content_type = "application/x-www-form-urlencoded";
    for (int i = 0; i < 4; ++i) {
        struct answer answer = {{0}, 0, 0, 1, false};
        const bool has_body = i % 2 == 1;
        script.body = has_body ? body : NULL;
        script.length = has_body ? sizeof body - 1 : 0;
        assert_int_equal(fcgate_call(scene.server, &script, &caller, &answer, NULL), FCGATE_OK);
        while (!__atomic_load_n(&answer.done, __ATOMIC_ACQUIRE)) {
            (void)poll(NULL, 0, 1);
        }
        assert_int_equal(answer.result, FCGATE_OK);
        assert_int_equal(answer.status, 201);
        assert_string_equal(answer.text, has_body ? "/called.php|host 1 299997" : "/called.php|host 1 0");
    }
    close_scene(&scene);
}

/* PHP is started by one thread, which is there until nobody waits for it. */
static void a_stop_waits_for_a_call_that_waits_for_php(void** state) {
    (void)state;
    need_php();
    struct scene scene;
    static const fcgate_caller caller = {NULL, take_output, take_end};
    open_php_scene(&scene);
    set(&scene, "server.threads", "2");
    assert_int_equal(fcgate_settings_set_calls(scene.settings, 2, 1024), FCGATE_OK);
    start(&scene);
    char text[128];
    (void)snprintf(text, sizeof text, "%s/hello.php", scene.root);
    fcgate_script script = {0};
    script.file = text;
    script.backend = "none";
    struct answer answers[2] = {{{0}, 0, 0, 1, false}, {{0}, 0, 0, 1, false}};
    for (int i = 0; i < 2; ++i) { /* each by another thread */
        assert_int_equal(fcgate_call(scene.server, &script, &caller, &answers[i], NULL), FCGATE_OK);
        script.backend = NULL;
    }
    fcgate_stop(scene.server, 60000);
    assert_ok(&scene, fcgate_wait(scene.server, 30000, &scene.error));
    assert_int_equal(answers[0].result, FCGATE_INVALID);
    assert_int_equal(answers[1].result, FCGATE_OK);
    assert_int_equal(strncmp(answers[1].text, "hello ", 6), 0);
    close_scene(&scene);
}

static void ten_lives_with_php_leave_nothing_behind(void** state) {
    (void)state;
    need_php();
    size_t descriptors = 0;
    const size_t threads = count_entries("/proc/self/task");
    for (int life = 0; life < 10; ++life) {
        struct scene scene;
        open_php_scene(&scene);
        start(&scene);
        if (life % 3 == 0) {
            expect_hello(scene.port);
        }
        close_scene(&scene);
        if (life == 0) {
            descriptors = count_entries("/proc/self/fd");
        }
    }
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_int_equal(settled_threads(threads), threads);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_sees_the_end_of_its_own_children_alone),
        cmocka_unit_test(a_host_that_ignores_its_children_is_served_as_well),
        cmocka_unit_test(a_child_of_the_host_keeps_nobody_from_ending),
        cmocka_unit_test(a_lock_of_another_thread_keeps_php_from_nothing),
        cmocka_unit_test(a_few_descriptors_are_enough_for_php),
        cmocka_unit_test(no_process_is_left_behind),
        cmocka_unit_test(two_servers_side_by_side_one_with_php),
        cmocka_unit_test(two_servers_in_one_folder_have_a_php_each),
        cmocka_unit_test(php_is_served_in_a_loop_of_the_host),
        cmocka_unit_test(a_script_is_called_without_http),
        cmocka_unit_test(a_stop_waits_for_a_call_that_waits_for_php),
        cmocka_unit_test(ten_lives_with_php_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, look_for_php, NULL);
}
