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

/* Runs an example for a folder, on a socket that it inherits. `folder` and `more` may be NULL: then there is no such argument. */
static struct running run(const char* name, const char* folder, const char* more) {
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
        const char* arguments[5] = {name};
        size_t count = 1;
        arguments[count] = folder;
        count += folder != NULL;
        arguments[count++] = listen;
        arguments[count] = more;
        (void)execv(path, (char**)(uintptr_t)arguments);
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
    struct running running = run("example_own_loop", scene.root, NULL);
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

/* All that it says until it ends, in however many pieces. */
static void expect_words(const struct running* running, const char* wanted) {
    char words[4096];
    size_t size = 0;
    ssize_t count = 1;
    while (count > 0 && size < sizeof words - 1) {
        count = read(running->errors, words + size, sizeof words - 1 - size);
        size += count > 0 ? (size_t)count : 0;
    }
    words[size] = '\0';
    if (strstr(words, wanted) == NULL) {
        print_error("it should have said %s, and said: %s\n", wanted, words);
        fail();
    }
}

/* It cannot serve a folder that is not there, and says so before it ends. */
static void expect_complaint(const char* name, const char* more, const char* wanted) {
    struct running running = run(name, "/nowhere", more);
    expect_words(&running, wanted);
    assert_int_equal(end_of(&running), 1 << 8);
}

static void who_cannot_serve_says_why(void** state) {
    (void)state;
    struct scene scene;
    char second[128];
    open_scene(&scene);
    (void)snprintf(second, sizeof second, "unix:%s/own", scene.root);
    expect_complaint("example_own_loop", NULL, "own_loop: root: /nowhere");
    expect_complaint("example_several", second, "several: public: root: /nowhere");
    close_scene(&scene);
}

/* The log begins when it listens; without PHP the program ends. False, and all is over, when there is none. */
static bool starts(struct running* running, struct scene* scene) {
    char words[1024];
    const ssize_t count = read(running->errors, words, sizeof words - 1);
    assert_true(count > 0);
    words[count] = '\0';
    if (strstr(words, "was found") == NULL && strstr(words, "-Dspawn=disabled") == NULL) {
        return true;
    }
    print_message("without PHP it cannot run: %s", words);
    assert_int_equal(end_of(running), 1 << 8);
    close_scene(scene);
    return false;
}

static void minimal_serves_files_and_php(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    put_file(&scene, "sum.php", "<?php echo 19 + 23;");
    struct running running = run("example_minimal", scene.root, NULL);
    if (!starts(&running, &scene)) {
        skip();
    }
    expect_body(running.port, "/file.txt", "a file\n");
    expect_body(running.port, "/sum.php", "42");
    assert_int_equal(kill(running.process, SIGTERM), 0);
    assert_int_equal(end_of(&running), SIGTERM);
    close_scene(&scene);
}

#define ENDED " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
#define LET_IN "Authorization: Basic YWRtaW46c2VjcmV0\r\n"

static void expect_answer(unsigned port, const char* text, int status, const char* body) {
    struct reply reply = ask(port, text);
    assert_int_equal(reply.status, status);
    if (body != NULL) {
        assert_string_equal(reply.body, body);
    }
    forget(&reply);
}

static void firmware_has_its_own_pages_beside_the_panel(void** state) {
    (void)state;
    struct scene scene;
    char image[128];
    open_scene(&scene);
    put_file(&scene, "who.php", "<?php echo $_SERVER['REMOTE_USER'], ' by ', $_SERVER['AUTH_TYPE'];");
    (void)snprintf(image, sizeof image, "%s/image", scene.root);
    struct running running = run("example_firmware", scene.root, image);
    if (!starts(&running, &scene)) {
        skip();
    }
    const unsigned port = running.port;
    expect_body(port, "/device/status", "{\"requests\":1}\n");
    expect_answer(port, "GET /file.txt" ENDED "\r\n", 401, "Please log in.\n");
    expect_answer(port, "POST /device/restart" ENDED "\r\n", 401, NULL);
    expect_answer(port, "GET /who.php" ENDED LET_IN "\r\n", 200, "admin by Basic");
    expect_answer(port, "GET /device/scan" ENDED LET_IN "\r\n", 200, "[{\"ssid\":\"office\",\"signal\":-61}]\n");
    expect_answer(port, "PUT /device/image" ENDED LET_IN "Content-Length: 99999999\r\n\r\n", 413, NULL);
    expect_answer(port, "PUT /device/image" ENDED LET_IN "Content-Length: 40000000\r\n\r\n", 413, NULL);
    expect_answer(port, "PUT /device/image" ENDED LET_IN "\r\n", 411, NULL);
    expect_answer(port, "PUT /device/image" ENDED LET_IN "Content-Length: 5\r\n\r\nimage", 200, "{\"size\":5}\n");
    /* Half of an image is none. */
    const int fd = dial(port);
    assert_true(
        send_text(fd, "PUT /device/image HTTP/1.1\r\nHost: localhost\r\n" LET_IN "Content-Length: 9\r\n\r\nhalf"));
    close(fd);
    const int64_t deadline = now_ms() + 10000;
    while (access(image, F_OK) == 0 && now_ms() < deadline) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_not_equal(access(image, F_OK), 0);
    expect_answer(port, "GET /device/restart" ENDED LET_IN "\r\n", 405, NULL);
    expect_answer(port, "POST /device/restart" ENDED LET_IN "\r\n", 202, "The device restarts.\n");
    assert_int_equal(end_of(&running), 0);
    close_scene(&scene);
}

static void several_serves_two_sockets(void** state) {
    (void)state;
    struct scene scene;
    char second[128];
    open_scene(&scene);
    (void)snprintf(second, sizeof second, "unix:%s/own", scene.root);
    struct running running = run("example_several", scene.root, second);
    expect_body(running.port, "/file.txt", "a file\n");
    const int fd = dial_path(second + strlen("unix:"));
    assert_true(send_text(fd, "GET /file.txt" ENDED "\r\n"));
    struct reply reply = receive_last(fd);
    assert_string_equal(reply.body, "two servers\n");
    forget(&reply);
    close(running.input);
    running.input = -1;
    assert_int_equal(end_of(&running), 0);
    close_scene(&scene);
}

static void libevent_drives_it_until_the_input_ends(void** state) {
    (void)state;
    struct scene scene;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/example_libevent_loop", programs);
    if (access(path, X_OK) != 0) {
        print_message("it is not built without libevent\n");
        skip();
    }
    open_scene(&scene);
    struct running running = run("example_libevent_loop", scene.root, NULL);
    expect_body(running.port, "/file.txt", "a file\n");
    expect_body(running.port, "/", "front\n");
    assert_int_equal(end_of(&running), 0);
    close_scene(&scene);
}

static void embedded_serves_what_is_compiled_in(void** state) {
    (void)state;
    struct running running = run("example_embedded", NULL, NULL);
    struct reply reply = get(running.port, "/");
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body, "<p>This page is part of the program.</p>"));
    assert_true(has_field(&reply, "Content-Type: text/html; charset=utf-8"));
    forget(&reply);
    reply = get(running.port, "/panel.css");
    assert_true(has_field(&reply, "Content-Type: text/css"));
    const char* const tag = strstr(reply.head, "ETag: ");
    assert_non_null(tag);
    char text[256];
    (void)snprintf(text, sizeof text, "GET /panel.css" ENDED "If-None-Match: %.*s\r\n\r\n", (int)strcspn(tag + 6, "\r"),
                   tag + 6);
    forget(&reply);
    expect_answer(running.port, text, 304, "");
    expect_answer(running.port, "GET /etc/passwd" ENDED "\r\n", 404, "Not found.\n");
    expect_answer(running.port, "DELETE /" ENDED "\r\n", 405, NULL);
    assert_int_equal(kill(running.process, SIGTERM), 0);
    assert_int_equal(end_of(&running), SIGTERM);
}

static void read_file(const char* path, char* text, size_t size) {
    FILE* const file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    (void)fclose(file);
}

static void call_runs_a_script_without_http(void** state) {
    (void)state;
    struct scene scene;
    char command[1024];
    char path[256];
    char output[256] = "";
    char errors[4096] = "";
    open_scene(&scene);
    put_file(&scene, "called.php",
             "<?php header('X-A: b'); http_response_code(202); echo $_GET['q'], $_POST['b'], \"\\n\";");
    (void)snprintf(command, sizeof command,
                   "printf b=2 | '%s/example_call' '%s/called.php' q=1 >'%s/output' 2>'%s/errors'", programs,
                   scene.root, scene.root, scene.root);
    const int status = system(command);
    (void)snprintf(path, sizeof path, "%s/errors", scene.root);
    read_file(path, errors, sizeof errors);
    (void)snprintf(path, sizeof path, "%s/output", scene.root);
    read_file(path, output, sizeof output);
    close_scene(&scene);
    if (strstr(errors, "was found") != NULL || strstr(errors, "-Dspawn=disabled") != NULL) {
        print_message("without PHP it cannot run: %s", errors);
        skip();
    }
    if (status != 0) {
        print_error("it ended with %d and these words:\n%s\n", status, errors);
    }
    assert_int_equal(status, 0);
    assert_string_equal(output, "12\n");
    assert_non_null(strstr(errors, "status 202\n"));
    assert_non_null(strstr(errors, "X-A: b\n"));
}

int main(int argc, char** argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_loop_serves_what_is_typed_until_the_input_ends),
        cmocka_unit_test(who_cannot_serve_says_why),
        cmocka_unit_test(minimal_serves_files_and_php),
        cmocka_unit_test(firmware_has_its_own_pages_beside_the_panel),
        cmocka_unit_test(several_serves_two_sockets),
        cmocka_unit_test(libevent_drives_it_until_the_input_ends),
        cmocka_unit_test(embedded_serves_what_is_compiled_in),
        cmocka_unit_test(call_runs_a_script_without_http),
    };
    if (argc != 2) {
        return 2;
    }
    programs = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
