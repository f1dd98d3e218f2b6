/* What a library may not do to the process it lives in: signals, masks, children, standard output. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

/* Serves in all three ways, with requests of all kinds. */
static void live(void) {
    struct scene scene;
    for (int threads = 1; threads <= 3; threads += 2) {
        open_scene(&scene);
        set(&scene, "server.threads", threads == 1 ? "1" : "3");
        start(&scene);
        assert_int_equal(status_of(scene.port, "/"), 200);
        assert_int_equal(status_of(scene.port, "/%00"), 400);
        assert_int_equal(status_of(scene.port, "/none"), 404);
        fcgate_stop(scene.server, 0);
        assert_ok(&scene, fcgate_wait(scene.server, 10000, &scene.error));
        close_scene(&scene);
    }
    open_scene(&scene);
    create(&scene);
    fcgate_stop(scene.server, 0);
    assert_ok(&scene, fcgate_run(scene.server, &scene.error));
    close_scene(&scene);
    open_scene(&scene);
    create(&scene);
    assert_true(fcgate_fd(scene.server, NULL) >= 0);
    for (int i = 0; i < 5; ++i) {
        assert_ok(&scene, fcgate_dispatch(scene.server, &scene.error));
    }
    close_scene(&scene);
}

struct signals {
    struct sigaction actions[65];
    bool known[65];
    sigset_t mask;
};

static void look_at_signals(struct signals* signals) {
    memset(signals, 0, sizeof *signals);
    for (int number = 1; number <= 64; ++number) {
        signals->known[number] = sigaction(number, NULL, &signals->actions[number]) == 0;
    }
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &signals->mask), 0);
}

static void expect_same_signals(const struct signals* before) {
    struct signals now;
    look_at_signals(&now);
    for (int number = 1; number <= 64; ++number) {
        assert_int_equal(now.known[number], before->known[number]);
        assert_true(now.actions[number].sa_handler == before->actions[number].sa_handler);
        assert_int_equal(now.actions[number].sa_flags, before->actions[number].sa_flags);
        assert_int_equal(sigismember(&now.mask, number), sigismember(&before->mask, number));
    }
}

static void handlers_and_masks_stay_as_they_were(void** state) {
    (void)state;
    struct signals before;
    struct scene scene;
    look_at_signals(&before);
    open_scene(&scene);
    create(&scene);
    expect_same_signals(&before);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    assert_int_equal(status_of(scene.port, "/"), 200);
    expect_same_signals(&before);
    close_scene(&scene);
    live();
    expect_same_signals(&before);
}

static void a_mask_of_the_host_is_kept(void** state) {
    (void)state;
    sigset_t blocked;
    sigset_t before;
    struct signals now;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGHUP);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &blocked, &before), 0);
    live();
    look_at_signals(&now);
    for (int number = 1; number <= 64; ++number) {
        const bool is_blocked = number == SIGUSR1 || number == SIGHUP;
        assert_int_equal(sigismember(&now.mask, number) == 1, is_blocked);
    }
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

static void its_threads_block_all_signals(void** state) {
    (void)state;
    struct scene scene;
    struct dirent* thread = NULL;
    int seen = 0;
    /* Before the server's there may be threads of a sanitizer's. */
    char others[512] = " ";
    size_t size = 1;
    DIR* tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while ((thread = readdir(tasks)) != NULL) {
        size += (size_t)snprintf(others + size, sizeof others - size, "%.20s ", thread->d_name);
        assert_true(size < sizeof others);
    }
    closedir(tasks);
    open_scene(&scene);
    set(&scene, "server.threads", "3");
    start(&scene);
    tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while ((thread = readdir(tasks)) != NULL) {
        char path[320];
        char line[256];
        char name[32];
        unsigned long long mask = 0;
        (void)snprintf(name, sizeof name, " %.20s ", thread->d_name);
        if (strstr(others, name) != NULL) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/status", thread->d_name);
        FILE* const status = fopen(path, "re");
        assert_non_null(status);
        while (fgets(line, sizeof line, status) != NULL) {
            if (sscanf(line, "SigBlk: %llx", &mask) == 1) {
                break;
            }
        }
        fclose(status);
        /* All but KILL, STOP, and the two that the C library keeps for itself. */
        const unsigned long long needed = ~((1ULL << (SIGKILL - 1)) | (1ULL << (SIGSTOP - 1)) | (3ULL << 31));
        if ((mask & needed) != needed) {
            print_error("thread %s blocks %llx\n", thread->d_name, mask);
            assert_true(false);
        }
        ++seen;
    }
    closedir(tasks);
    assert_int_equal(seen, 3);
    close_scene(&scene);
}

static void nothing_is_written_to_standard_output(void** state) {
    (void)state;
    char path[] = "/tmp/fcgate-library-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    fflush(stdout);
    const int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_true(kept >= 0);
    assert_int_equal(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
    live();
    fflush(stdout);
    const off_t size = lseek(file, 0, SEEK_END);
    assert_int_equal(dup2(kept, STDOUT_FILENO), STDOUT_FILENO);
    close(kept);
    close(file);
    unlink(path);
    assert_int_equal(size, 0);
}

static void a_server_without_php_has_no_children(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    start(&scene);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    close_scene(&scene);
}

static fcgate_server* stopped_by_signal;

static void stop_from_a_signal(int number) {
    (void)number;
    fcgate_reopen_logs(stopped_by_signal);
    fcgate_stop(stopped_by_signal, 1000);
}

static void a_signal_handler_may_stop_a_server(void** state) {
    (void)state;
    struct scene scene;
    struct sigaction before;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop_from_a_signal;
    open_scene(&scene);
    start(&scene);
    stopped_by_signal = scene.server;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_ok(&scene, fcgate_wait(scene.server, 10000, &scene.error));
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    close_scene(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handlers_and_masks_stay_as_they_were), cmocka_unit_test(a_mask_of_the_host_is_kept),
        cmocka_unit_test(its_threads_block_all_signals),        cmocka_unit_test(nothing_is_written_to_standard_output),
        cmocka_unit_test(a_server_without_php_has_no_children), cmocka_unit_test(a_signal_handler_may_stop_a_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
