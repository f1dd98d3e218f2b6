/* The examples do what they say: test_library_examples FOLDER-OF-THE-PROGRAMS */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

static const char* programs;

struct running {
    pid_t process;
    unsigned port;
    int input;  /* of the program */
    int errors; /* its standard error */
};

/* Runs an example for the folder of a scene, on a socket that it inherits. */
static struct running run(const char* name, const struct scene* scene) {
    struct running running = {-1, 0, -1, -1};
    int input[2];
    int errors[2];
    char path[512];
    char listen[32];
    (void)snprintf(path, sizeof path, "%s/%s", programs, name);
    const int fd = listen_on_loopback(&running.port);
    assert_true(fd >= 0);
    (void)snprintf(listen, sizeof listen, "fd:%d", fd);
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
    running.process = fork();
    assert_true(running.process >= 0);
    if (running.process == 0) {
        /* A test that fails leaves nothing behind. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)fcntl(fd, F_SETFD, 0);
        (void)dup2(input[0], STDIN_FILENO);
        (void)dup2(errors[1], STDERR_FILENO);
        (void)execl(path, name, scene->root, listen, (char*)NULL);
        _exit(127);
    }
    close(fd);
    close(input[0]);
    close(errors[1]);
    running.input = input[1];
    running.errors = errors[0];
    return running;
}

static int end_of(struct running* running) {
    int status = -1;
    if (running->input >= 0) {
        close(running->input);
    }
    assert_int_equal(waitpid(running->process, &status, 0), running->process);
    close(running->errors);
    return status;
}

static void expect_body(unsigned port, const char* path, const char* body) {
    struct reply reply = get(port, path);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, body);
    forget(&reply);
}

static void own_loop_serves_what_is_typed_until_the_input_ends(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    struct running running = run("example_own_loop", &scene);
    expect_body(running.port, "/file.txt", "a file\n");
    expect_body(running.port, "/line", "");
    assert_int_equal(write(running.input, "typed\n", 6), 6);
    const int64_t deadline = now_ms() + 10000;
    struct reply reply = get(running.port, "/line");
    while (reply.body_size == 0 && now_ms() < deadline) {
        forget(&reply);
        reply = get(running.port, "/line");
    }
    assert_string_equal(reply.body, "typed\n");
    assert_true(has_field(&reply, "Cache-Control: no-store"));
    forget(&reply);
    assert_int_equal(end_of(&running), 0);
    close_scene(&scene);
}

static void own_loop_says_what_is_wrong(void** state) {
    (void)state;
    struct scene scene;
    struct scene nowhere;
    char words[1024];
    open_scene(&scene);
    nowhere = scene;
    (void)snprintf(nowhere.root, sizeof nowhere.root, "/nowhere");
    struct running running = run("example_own_loop", &nowhere);
    const ssize_t count = read(running.errors, words, sizeof words - 1);
    assert_true(count > 0);
    words[count] = '\0';
    assert_non_null(strstr(words, "own_loop: root: /nowhere"));
    assert_int_equal(end_of(&running), 1 << 8);
    close_scene(&scene);
}

static void minimal_serves_files_php_and_hello(void** state) {
    (void)state;
    struct scene scene;
    char words[1024];
    open_scene(&scene);
    put_file(&scene, "sum.php", "<?php echo 19 + 23;");
    struct running running = run("example_minimal", &scene);
    /* The log begins when it listens; without PHP it ends. */
    const ssize_t count = read(running.errors, words, sizeof words - 1);
    assert_true(count > 0);
    words[count] = '\0';
    if (strstr(words, "was found") != NULL) {
        print_message("without PHP it cannot run: %s", words);
        assert_int_equal(end_of(&running), 1 << 8);
        close_scene(&scene);
        skip();
    }
    expect_body(running.port, "/hello", "hello\n");
    expect_body(running.port, "/file.txt", "a file\n");
    expect_body(running.port, "/sum.php", "42");
    assert_int_equal(kill(running.process, SIGTERM), 0);
    assert_int_equal(end_of(&running), SIGTERM);
    close_scene(&scene);
}

int main(int argc, char** argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_loop_serves_what_is_typed_until_the_input_ends),
        cmocka_unit_test(own_loop_says_what_is_wrong),
        cmocka_unit_test(minimal_serves_files_php_and_hello),
    };
    if (argc != 2) {
        return 2;
    }
    programs = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
