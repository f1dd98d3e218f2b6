/* Handlers that do more than reply: the hook before all, passing on, refusing a body, taking one, files and constants. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"

/* What the handlers below saw; read by the test once the reply is there. */
static int results[16];

static void begin(struct scene* scene) {
    assert_ok(scene, fcgate_start(scene->server, &scene->error));
}

/* Lets in who says so, everywhere. */
static void guard(void* context, fcgate_request* request) {
    const char* const word = fcgate_request_header(request, "Authorization");
    atomic_int* const seen = context;
    ++*seen;
    if (word == NULL || strcmp(word, "Basic right") != 0) {
        (void)fcgate_reply_header(request, "WWW-Authenticate", "Basic realm=\"device\"");
        (void)fcgate_reply(request, 401, "text/plain", "who?\n", 5);
        return;
    }
    results[0] = fcgate_request_param(request, "REMOTE_USER", "admin");
    results[1] = fcgate_request_param(request, "AUTH_TYPE", "Basic");
    results[2] = fcgate_request_param(request, "HTTP_X_ROLE", "root");
    results[3] = fcgate_request_param(request, "CONTENT_LENGTH", "1");
    results[4] = fcgate_request_param(request, "A-B", "1");
    results[5] = fcgate_request_param(request, "", "1");
    results[6] = fcgate_request_param(request, "EMPTY", "");
}

static void say_ok(void* context, fcgate_request* request) {
    (void)context;
    (void)fcgate_reply(request, 200, "text/plain", "ok\n", 3);
}

#define ENDED " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
#define LET_IN "Authorization: Basic right\r\n"

static void expect_status(unsigned port, const char* text, int status) {
    struct reply reply = ask(port, text);
    assert_int_equal(reply.status, status);
    forget(&reply);
}

static void the_hook_sees_every_request_first(void** state) {
    (void)state;
    struct scene scene;
    atomic_int seen = 0;
    open_scene(&scene);
    set(&scene, "site.host", "router.lan");
    create(&scene);
    handle(&scene, "/api/", say_ok, NULL);
    assert_int_equal(fcgate_on_request(scene.server, guard, &seen), FCGATE_OK);
    assert_int_equal(fcgate_on_request(scene.server, guard, &seen), FCGATE_INVALID);
    begin(&scene);
    assert_int_equal(fcgate_on_request(scene.server, guard, &seen), FCGATE_INVALID);
    struct reply reply = get(scene.port, "/file.txt");
    assert_int_equal(reply.status, 401);
    assert_true(has_field(&reply, "WWW-Authenticate: Basic realm=\"device\""));
    assert_string_equal(reply.body, "who?\n");
    forget(&reply);
    expect_status(scene.port, "GET /api/" ENDED "\r\n", 401);
    expect_status(scene.port, "GET /none" ENDED "\r\n", 401);
    /* The body is not waited for. */
    expect_status(scene.port, "POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc", 401);
    expect_status(scene.port, "PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc", 401);
    assert_int_equal(seen, 5);
    expect_status(scene.port, "GET /file.txt" ENDED LET_IN "\r\n", 200);
    expect_status(scene.port, "GET /api/" ENDED LET_IN "\r\n", 200);
    expect_status(scene.port, "GET /none" ENDED LET_IN "\r\n", 404);
    /* Without room there are no variables. */
    assert_int_equal(results[0], FCGATE_TOO_LARGE);
    /* Whom the site does not let in is not shown. */
    expect_status(scene.port, "GET /x HTTP/1.1\r\nHost: foreign.test\r\nConnection: close\r\n\r\n", 421);
    assert_int_equal(seen, 8);
    close_scene(&scene);
}

static void variables_of_the_hook_reach_php(void** state) {
    (void)state;
    if (strstr(fcgate_features(), "spawn") == NULL) {
        skip();
    }
    struct scene scene;
    atomic_int seen = 0;
    char folder[128];
    open_scene(&scene);
    put_file(&scene, "who.php",
             "<?php foreach (['REMOTE_USER', 'AUTH_TYPE', 'HTTP_X_ROLE', 'EMPTY', 'KEPT', 'CONTENT_LENGTH'] as $name)"
             " echo isset($_SERVER[$name]) ? $_SERVER[$name] : '(none)', '|';"
             " echo file_get_contents('php://input');");
    set(&scene, "backend.address", "spawn");
    set(&scene, "site.param", "REMOTE_USER nobody");
    set(&scene, "site.param", "KEPT yes");
    (void)snprintf(folder, sizeof folder, "%s/run", scene.root);
    set(&scene, "server.runtime_dir", folder);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 0, 0, 256), FCGATE_OK);
    scene.server = fcgate_create(scene.settings, &scene.error);
    if (scene.server == NULL) {
        print_message("without PHP nothing can be started: %s\n", scene.error.text);
        assert_non_null(strstr(scene.error.text, "was found"));
        close_scene(&scene);
        skip();
    }
    scene.settings = NULL;
    assert_int_equal(fcgate_on_request(scene.server, guard, &seen), FCGATE_OK);
    begin(&scene);
    struct reply reply = ask(
        scene.port, "POST /who.php" ENDED LET_IN "X-Role: guest\r\nRemote-User: me\r\nContent-Length: 4\r\n\r\nbody");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "admin|Basic|root||yes|4|body");
    const int expected[7] = {FCGATE_OK,      FCGATE_OK,      FCGATE_OK, FCGATE_INVALID,
                             FCGATE_INVALID, FCGATE_INVALID, FCGATE_OK};
    for (size_t i = 0; i < 7; ++i) {
        assert_int_equal(results[i], expected[i]);
    }
    forget(&reply);
    expect_status(scene.port, "GET /who.php" ENDED "\r\n", 401);
    close_scene(&scene);
}

static void add_many(void* context, fcgate_request* request) {
    (void)context;
    int count = 0;
    while (fcgate_request_param(request, "NAME", "value") == FCGATE_OK && count < 1000) {
        ++count;
    }
    results[0] = count;
    results[1] = fcgate_request_param(request, "N", "");
    results[2] = fcgate_pass(request);
    results[3] = fcgate_pass(request);
    results[4] = fcgate_request_param(request, "N", "");
    results[5] = fcgate_reply(request, 200, NULL, NULL, 0);
    results[6] = fcgate_keep(request, NULL, NULL, NULL);
}

static void variables_have_bounds(void** state) {
    (void)state;
    const struct {
        size_t bytes;
        int count;
        int one_more; /* short */
    } cases[] = {{0, 0, FCGATE_TOO_LARGE},  {2, 0, FCGATE_TOO_LARGE}, {24, 2, FCGATE_TOO_LARGE},
                 {23, 2, FCGATE_TOO_LARGE}, {26, 2, FCGATE_OK},       {8192, 16, FCGATE_TOO_LARGE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct scene scene;
        open_scene(&scene);
        assert_int_equal(fcgate_settings_set_room(scene.settings, 0, 0, cases[i].bytes), FCGATE_OK);
        create(&scene);
        handle(&scene, "/file.txt", add_many, NULL);
        begin(&scene);
        expect_reply(scene.port, "GET", "/file.txt", 200, "a file\n");
        assert_int_equal(results[0], cases[i].count);
        assert_int_equal(results[1], cases[i].one_more);
        assert_int_equal(results[2], FCGATE_OK);
        for (size_t late = 3; late <= 6; ++late) {
            assert_int_equal(results[late], FCGATE_GONE);
        }
        close_scene(&scene);
    }
}

static void room_has_bounds(void** state) {
    (void)state;
    struct scene scene;
    char before[FCGATE_BUDGET_MAX];
    char after[FCGATE_BUDGET_MAX];
    open_scene(&scene);
    assert_int_equal(fcgate_settings_set_room(NULL, 1, 4096, 0), FCGATE_INVALID);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 4097, 4096, 0), FCGATE_INVALID);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 1, 511, 0), FCGATE_INVALID);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 1, 1048577, 0), FCGATE_INVALID);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 1, 4096, 8193), FCGATE_INVALID);
    assert_int_equal(fcgate_budget(scene.settings, FCGATE_BUDGET_TABLE, before, sizeof before), FCGATE_OK);
    assert_null(strstr(before, "kept by the host"));
    assert_int_equal(fcgate_settings_set_room(scene.settings, 3, 4096, 128), FCGATE_OK);
    assert_int_equal(fcgate_budget(scene.settings, FCGATE_BUDGET_TABLE, after, sizeof after), FCGATE_OK);
    assert_non_null(strstr(after, "requests kept by the host"));
    assert_non_null(strstr(after, "buffers of kept requests            4096       3       12288"));
    assert_non_null(strstr(after, "variables by the host                128      64        8192"));
    close_scene(&scene);
}

static void pass_unless_asked(void* context, fcgate_request* request) {
    (void)context;
    if (fcgate_request_query(request) != NULL) {
        (void)fcgate_reply(request, 200, NULL, "mine", 4);
    } else {
        (void)fcgate_reply_header(request, "X-Dropped", "yes");
        results[0] = fcgate_pass(request);
        results[1] = fcgate_reply(request, 200, NULL, "late", 4);
    }
}

static void a_handler_may_leave_a_request_to_files(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/", pass_unless_asked, NULL);
    begin(&scene);
    expect_reply(scene.port, "GET", "/file.txt?", 200, "mine");
    struct reply reply = get(scene.port, "/file.txt");
    assert_string_equal(reply.body, "a file\n");
    assert_null(strstr(reply.head, "X-Dropped"));
    forget(&reply);
    assert_int_equal(results[0], FCGATE_OK);
    assert_int_equal(results[1], FCGATE_GONE);
    expect_reply(scene.port, "GET", "/", 200, "front\n");
    assert_int_equal(status_of(scene.port, "/none"), 404);
    assert_int_equal(status_of(scene.port, "/none?"), 200);
    close_scene(&scene);
}

static void refuse(void* context, fcgate_request* request) {
    (void)context;
    results[0] = (int)fcgate_request_length(request);
    (void)fcgate_reply(request, 409, NULL, "not now", 7);
}

static void a_body_is_refused_before_it_is_sent(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/upload", refuse, NULL);
    begin(&scene);
    struct reply reply =
        ask(scene.port,
            "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(reply.status, 409);
    assert_string_equal(reply.body, "not now");
    assert_true(has_field(&reply, "Connection: close"));
    forget(&reply);
    assert_int_equal(results[0], 1000000);
    expect_status(scene.port, "POST /upload" ENDED "Transfer-Encoding: chunked\r\n\r\n", 409);
    assert_int_equal(results[0], (int)FCGATE_UNKNOWN);
    expect_status(scene.port, "GET /upload" ENDED "\r\n", 409);
    assert_int_equal(results[0], 0);
    close_scene(&scene);
}

static const char constant[] = "body {}\n";

static void reply_with_constant(void* context, fcgate_request* request) {
    (void)context;
    results[0] = fcgate_reply_static(request, 200, "text/css", NULL, 5);
    results[1] = fcgate_reply_static(request, 200, "text/css", constant, sizeof constant - 1);
    results[2] = fcgate_reply_static(request, 200, "text/css", constant, sizeof constant - 1);
}

static void a_constant_is_sent_as_it_is(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/panel.css", reply_with_constant, NULL);
    begin(&scene);
    struct reply reply = get(scene.port, "/panel.css");
    assert_string_equal(reply.body, constant);
    assert_true(has_field(&reply, "Content-Type: text/css"));
    assert_true(has_field(&reply, "Content-Length: 8"));
    forget(&reply);
    assert_int_equal(results[0], FCGATE_INVALID);
    assert_int_equal(results[1], FCGATE_OK);
    assert_int_equal(results[2], FCGATE_GONE);
    reply = request(scene.port, "HEAD", "/panel.css");
    assert_true(has_field(&reply, "Content-Length: 8"));
    assert_int_equal(reply.body_size, 0);
    forget(&reply);
    close_scene(&scene);
}

static void reply_with_file(void* context, fcgate_request* request) {
    const int fd = open(context, O_RDONLY | O_CLOEXEC);
    results[0] = fcgate_reply_file(request, 200, NULL, -1, 0, 1);
    results[1] = fcgate_reply_file(request, 200, NULL, fd, -1, 1);
    results[2] = fcgate_reply_file(request, 100, NULL, fd, 0, 1);
    results[3] = fcgate_reply_file(request, 200, NULL, fd, 2, LLONG_MAX - 1);
    results[4] = fcgate_reply_file(request, 200, "text/x-part", fd, 2, 4);
    results[5] = fcgate_reply_file(request, 200, NULL, fd, 0, 1);
}

static void reply_with_no_file(void* context, fcgate_request* request) {
    const char* const folder = context;
    char path[128];
    int pipe_ends[2];
    (void)snprintf(path, sizeof path, "%s/file.txt", folder);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const int opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(write(pipe_ends[1], "piped", 5), 5);
    results[0] = fcgate_reply_file(request, 200, NULL, opened, 0, 1);
    results[1] = fcgate_reply_file(request, 200, NULL, pipe_ends[0], 0, 5);
    close(pipe_ends[0]);
    results[2] = fcgate_reply_file(request, 200, NULL, pipe_ends[0], 0, 5);
    results[3] = fcgate_reply_file(request, 200, NULL, file, 0, 8);
    results[4] = fcgate_reply_file(request, 200, NULL, file, 8, 0);
    /* What failed has left everything to the handler. */
    results[5] = fcgate_reply_file(request, 200, NULL, file, 7, 0);
    close(pipe_ends[1]);
    close(opened);
}

static void what_a_file_does_not_have_is_not_promised(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/part", reply_with_no_file, scene.root);
    begin(&scene);
    struct reply reply = get(scene.port, "/part");
    assert_int_equal(reply.status, 200);
    assert_true(has_field(&reply, "Content-Length: 0"));
    forget(&reply);
    for (size_t i = 0; i < 5; ++i) {
        assert_int_equal(results[i], FCGATE_INVALID);
    }
    assert_int_equal(results[5], FCGATE_OK);
    close_scene(&scene);
}

static void a_part_of_a_file_is_sent_and_its_descriptor_closed(void** state) {
    (void)state;
    struct scene scene;
    char path[128];
    open_scene(&scene);
    (void)snprintf(path, sizeof path, "%s/file.txt", scene.root);
    create(&scene);
    handle(&scene, "/part", reply_with_file, path);
    begin(&scene);
    const size_t descriptors = count_entries("/proc/self/fd");
    struct reply reply = get(scene.port, "/part");
    assert_string_equal(reply.body, "file");
    assert_true(has_field(&reply, "Content-Type: text/x-part"));
    forget(&reply);
    const int expected[6] = {FCGATE_INVALID, FCGATE_INVALID, FCGATE_INVALID, FCGATE_INVALID, FCGATE_OK, FCGATE_GONE};
    for (size_t i = 0; i < 6; ++i) {
        assert_int_equal(results[i], expected[i]);
    }
    reply = request(scene.port, "HEAD", "/part");
    assert_true(has_field(&reply, "Content-Length: 4"));
    forget(&reply);
    /* Behind a body that is thrown away. */
    reply = ask(scene.port, "POST /part" ENDED "Content-Length: 3\r\n\r\nabc");
    assert_string_equal(reply.body, "file");
    forget(&reply);
    /* A client that leaves in the middle of that. */
    const int fd = dial(scene.port);
    assert_true(send_text(fd, "POST /part HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na"));
    close(fd);
    /* Once one behind it has been answered it has been accepted, and there are only less descriptors from then on. */
    reply = get(scene.port, "/part");
    assert_string_equal(reply.body, "file");
    forget(&reply);
    const int64_t deadline = now_ms() + 10000;
    while (count_entries("/proc/self/fd") != descriptors && now_ms() < deadline) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    close_scene(&scene);
}

static void reply_with_path(void* context, fcgate_request* request) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", (const char*)context, fcgate_request_query(request));
    (void)fcgate_reply_header(request, "X-Mine", "yes");
    results[0] = fcgate_reply_path(request, path);
    if (results[0] != FCGATE_OK) {
        (void)fcgate_reply(request, 400, NULL, "bad", 3);
    }
}

static void a_path_is_answered_as_a_static_file(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/path", reply_with_path, scene.root);
    begin(&scene);
    struct reply reply = ask(scene.port, "GET /path?file.txt" ENDED "Range: bytes=2-5\r\n\r\n");
    assert_int_equal(reply.status, 206);
    assert_string_equal(reply.body, "file");
    assert_true(has_field(&reply, "Content-Range: bytes 2-5/7"));
    assert_true(has_field(&reply, "X-Mine: yes"));
    assert_non_null(strstr(reply.head, "Content-Type: text/plain"));
    forget(&reply);
    expect_status(scene.port, "GET /path?file.txt" ENDED "If-None-Match: *\r\n\r\n", 304);
    expect_status(scene.port, "GET /path?none" ENDED "\r\n", 404);
    expect_status(scene.port, "GET /path?none/none" ENDED "\r\n", 404);
    expect_status(scene.port, "GET /path?" ENDED "\r\n", 400);
    assert_int_equal(results[0], FCGATE_INVALID);
    close_scene(&scene);
}

/* Leaves too little room for what a file's reply says, but enough for another. */
static void leave_little_room(void* context, fcgate_request* request) {
    enum { fields = 62, filling = 512 - 60 - (int)sizeof "X-Filling" - 1 };
    char path[256];
    char text[filling + 1];
    if (fcgate_request_query(request) != NULL) {
        assert_int_equal(fcgate_keep(request, NULL, NULL, NULL), FCGATE_OK);
        memset(text, 'f', filling);
        text[filling] = '\0';
        assert_int_equal(fcgate_reply_header(request, "X-Filling", text), FCGATE_OK);
    } else {
        for (int i = 0; i < fields; ++i) {
            (void)snprintf(text, sizeof text, "X-%d", i);
            assert_int_equal(fcgate_reply_header(request, text, "v"), FCGATE_OK);
        }
    }
    (void)snprintf(path, sizeof path, "%s/file.txt", (const char*)context);
    results[0] = fcgate_reply_path(request, path);
    results[1] = fcgate_reply(request, 507, "text/html", "full", 4);
}

static void a_path_whose_fields_do_not_fit_leaves_nothing_behind(void** state) {
    (void)state;
    static const char* const targets[] = {"/full", "/full?kept"};
    struct scene scene;
    open_scene(&scene);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 1, 512, 0), FCGATE_OK);
    create(&scene);
    handle(&scene, "/full", leave_little_room, scene.root);
    begin(&scene);
    for (size_t i = 0; i < 2; ++i) {
        struct reply reply = get(scene.port, targets[i]);
        assert_int_equal(results[0], FCGATE_TOO_LARGE);
        assert_int_equal(results[1], FCGATE_OK);
        assert_int_equal(reply.status, 507);
        assert_string_equal(reply.body, "full");
        assert_true(has_field(&reply, "Content-Type: text/html"));
        assert_null(strstr(reply.head, "text/plain"));
        forget(&reply);
    }
    close_scene(&scene);
}

static ptrdiff_t receive_nothing(void* context, const void* bytes, size_t length) {
    (void)context;
    (void)bytes;
    return (ptrdiff_t)length;
}

/* What a handler may get wrong, before its reply and after it. */
static void get_everything_wrong(void* context, fcgate_request* request) {
    static char large[200000];
    const char* name = NULL;
    const char* value = NULL;
    memset(large, 'x', sizeof large - 1);
    const int before[] = {
        fcgate_request_param(request, NULL, "x"),
        fcgate_request_param(request, "A", NULL),
        fcgate_reply(request, 200, NULL, NULL, 1),
        fcgate_reply(request, 99, NULL, "x", 1),
        fcgate_reply_static(request, 200, NULL, NULL, 1),
        fcgate_reply_static(request, 600, NULL, "x", 1),
        fcgate_reply_path(request, NULL),
        fcgate_reply_path(request, "no-folder"),
        fcgate_reply_path(request, "/tmp/"),
        fcgate_reply_file(request, 200, NULL, 0, 0, -1),
        fcgate_reply_file(request, 200, NULL, 0, -1, 0),
        fcgate_reply_pull(request, 200, NULL, 1, NULL),
        fcgate_receive(request, receive_nothing, get_everything_wrong),
        fcgate_reply_header(request, "X-A", "a\nb"),
    };
    int* const wrong = context;
    for (size_t i = 0; i < sizeof before / sizeof *before; ++i) {
        *wrong += before[i] != FCGATE_INVALID ? 1 << i : 0;
    }
    *wrong += fcgate_request_field(request, 1000, &name, &value) != FCGATE_GONE ? 1 << 14 : 0;
    *wrong += fcgate_reply_header(request, "X-Large", large) != FCGATE_TOO_LARGE ? 1 << 15 : 0;
    *wrong += fcgate_reply_header(request, "X-Right", "yes") != FCGATE_OK ? 1 << 16 : 0;
    *wrong += fcgate_reply(request, 200, NULL, NULL, 0) != FCGATE_OK ? 1 << 17 : 0;
    const int after[] = {
        fcgate_request_param(request, "A", "b"),
        fcgate_reply(request, 200, NULL, "x", 1),
        fcgate_reply_static(request, 200, NULL, "x", 1),
        fcgate_reply_path(request, "/etc/hostname"),
        fcgate_reply_pull(request, 200, NULL, 1, NULL),
        /* Whatever else is wrong: no other reply can be given. */
        fcgate_reply_static(request, 99, NULL, "x", 1),
        fcgate_reply_file(request, 200, NULL, -1, 0, 1),
        fcgate_reply_path(request, NULL),
        fcgate_reply_header(request, "X-Late", "yes"),
        fcgate_reply_header(request, "Content-Length", "1"),
        fcgate_receive(request, receive_nothing, get_everything_wrong),
        fcgate_keep(request, NULL, NULL, NULL),
        fcgate_pass(request),
    };
    for (size_t i = 0; i < sizeof after / sizeof *after; ++i) {
        *wrong += after[i] != FCGATE_GONE ? 1 << (18 + i) : 0;
    }
}

static void wrong_calls_are_told_and_do_no_harm(void** state) {
    (void)state;
    struct scene scene;
    int wrong = 0;
    open_scene(&scene);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 2, 4096, 1024), FCGATE_OK);
    create(&scene);
    handle(&scene, "/wrong", get_everything_wrong, &wrong);
    begin(&scene);
    struct reply reply = get(scene.port, "/wrong");
    assert_int_equal(reply.status, 200);
    assert_true(has_field(&reply, "X-Right: yes"));
    assert_false(has_field(&reply, "X-Late: yes"));
    assert_string_equal(reply.body, "");
    forget(&reply);
    /* A bit for each call that said something else. */
    assert_int_equal(wrong, 0);
    expect_reply(scene.port, "GET", "/file.txt", 200, "a file\n");
    close_scene(&scene);
}

static void tell_fields(void* context, fcgate_request* request) {
    (void)context;
    char text[1024] = "";
    const char* name = NULL;
    const char* value = NULL;
    for (size_t i = 0; fcgate_request_field(request, i, &name, &value) == FCGATE_OK; ++i) {
        const size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s=%s;", name, value);
    }
    (void)fcgate_reply(request, 200, NULL, text, strlen(text));
}

static void all_fields_can_be_seen(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/fields", tell_fields, NULL);
    begin(&scene);
    struct reply reply = ask(scene.port, "GET /fields" ENDED "X-A: 1\r\nX-A:  2 \r\nX-Empty:\r\n\r\n");
    assert_string_equal(reply.body, "Host=localhost;Connection=close;X-A=1;X-A=2;X-Empty=;");
    forget(&reply);
    close_scene(&scene);
}

/* ---- bodies ---- */

struct upload {
    fcgate_server* server;
    fcgate_ticket ticket;
    size_t received;
    atomic_size_t pieces;
    unsigned sum;
    size_t stop_at; /* takes nothing from here on, once */
    atomic_bool waits;
    ptrdiff_t refusal; /* at stop_at */
    atomic_int sent;
    atomic_int lost;
};

static void take_news(void* context, fcgate_ticket ticket, int news) {
    struct upload* const upload = context;
    assert_true(ticket == upload->ticket);
    ++*(news == FCGATE_SENT ? &upload->sent : &upload->lost);
}

static ptrdiff_t take_piece(void* context, const void* bytes, size_t length) {
    struct upload* const upload = context;
    ++upload->pieces;
    if (upload->stop_at != 0 && upload->received >= upload->stop_at) {
        if (upload->refusal != 0) {
            return upload->refusal;
        }
        upload->waits = true;
        upload->stop_at = 0;
        return 0;
    }
    /* Not all at once: what is left is offered again. */
    const size_t taken = length > 1000 ? 1000 : length;
    for (size_t i = 0; i < taken; ++i) {
        upload->sum = upload->sum * 31 + ((const unsigned char*)bytes)[i];
    }
    upload->received += taken;
    if (taken < length) {
        assert_int_equal(fcgate_wake(upload->server, upload->ticket), FCGATE_OK);
    }
    return (ptrdiff_t)taken;
}

static void tell_sum(void* context, fcgate_request* request) {
    const struct upload* const upload = context;
    char text[128];
    results[8] = fcgate_pass(request);
    const int length = snprintf(text, sizeof text, "%s %s %zu %u", fcgate_request_method(request),
                                fcgate_request_path(request), upload->received, upload->sum);
    (void)fcgate_reply(request, 200, "text/plain", text, (size_t)length);
}

static void take_upload(void* context, fcgate_request* request) {
    struct upload* const upload = context;
    results[0] = fcgate_receive(request, take_piece, tell_sum);
    results[1] = fcgate_keep(request, take_news, upload, &upload->ticket);
    results[2] = fcgate_keep(request, take_news, upload, NULL);
    results[3] = fcgate_receive(request, take_piece, tell_sum);
    results[4] = fcgate_receive(request, take_piece, tell_sum);
}

static void open_upload(struct scene* scene, struct upload* upload) {
    memset(upload, 0, sizeof *upload);
    open_scene(scene);
    assert_int_equal(fcgate_settings_set_room(scene->settings, 1, 512, 0), FCGATE_OK);
    create(scene);
    upload->server = scene->server;
    handle(scene, "/upload/", take_upload, upload);
    begin(scene);
}

static void wait_for(const atomic_int* count, int value) {
    const int64_t deadline = now_ms() + 20000;
    while (*count != value && now_ms() < deadline) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(*count, value);
}

static void a_body_is_handed_on_piece_by_piece(void** state) {
    (void)state;
    enum { size = 100000 };
    struct scene scene;
    struct upload upload;
    char expected[128];
    unsigned sum = 0;
    open_upload(&scene, &upload);
    char* const text = malloc(size + 200);
    assert_non_null(text);
    const int head = snprintf(text, 200, "POST /upload/%%66irmware" ENDED "Content-Length: %d\r\n\r\n", (int)size);
    for (int i = 0; i < size; ++i) {
        text[head + i] = (char)('a' + i % 23);
        sum = sum * 31 + (unsigned char)text[head + i];
    }
    text[head + size] = '\0';
    struct reply reply = ask(scene.port, text);
    (void)snprintf(expected, sizeof expected, "POST /upload/firmware %d %u", (int)size, sum);
    assert_string_equal(reply.body, expected);
    assert_true(upload.pieces >= 100);
    forget(&reply);
    const int wanted[5] = {FCGATE_INVALID, FCGATE_OK, FCGATE_INVALID, FCGATE_OK, FCGATE_INVALID};
    for (size_t i = 0; i < 5; ++i) {
        assert_int_equal(results[i], wanted[i]);
    }
    assert_int_equal(results[8], FCGATE_GONE);
    wait_for(&upload.sent, 1);
    /* Its place is free again; a chunked body, and none at all. */
    upload.received = upload.sum = 0;
    reply = ask(scene.port, "PUT /upload/" ENDED "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n");
    assert_int_equal(strncmp(reply.body, "PUT /upload/ 3 ", 15), 0);
    forget(&reply);
    wait_for(&upload.sent, 2);
    upload.received = upload.sum = 0;
    expect_reply(scene.port, "GET", "/upload/x", 200, "GET /upload/x 0 0");
    wait_for(&upload.sent, 3);
    assert_int_equal(upload.lost, 0);
    free(text);
    close_scene(&scene);
}

static void a_receiver_holds_its_client_back(void** state) {
    (void)state;
    struct scene scene;
    struct upload upload;
    open_upload(&scene, &upload);
    upload.stop_at = 1;
    const int fd = dial(scene.port);
    assert_true(send_text(fd, "POST /upload/" ENDED "Content-Length: 6\r\n\r\nabc"));
    /* The second piece is not taken, and nobody spins over it. */
    while (!upload.waits) {
        assert_int_equal(status_of(scene.port, "/file.txt"), 200);
        (void)send_text(fd, "def");
    }
    const size_t pieces = upload.pieces;
    assert_int_equal(status_of(scene.port, "/file.txt"), 200);
    assert_int_equal(upload.pieces, pieces);
    assert_int_equal(fcgate_wake(scene.server, upload.ticket), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_int_equal(strncmp(reply.body, "POST /upload/ 6 ", 16), 0);
    forget(&reply);
    close_scene(&scene);
}

static void a_receiver_may_give_up_in_the_middle(void** state) {
    (void)state;
    struct scene scene;
    struct upload upload;
    open_upload(&scene, &upload);
    upload.stop_at = 1;
    upload.refusal = -507;
    int fd = dial(scene.port);
    assert_true(send_text(fd, "POST /upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc"));
    for (int i = 0; i < 30 && upload.lost == 0; ++i) {
        (void)send_text(fd, "more of it");
        (void)poll(NULL, 0, 10);
    }
    struct reply reply = receive_last(fd);
    assert_int_equal(reply.status, 507);
    forget(&reply);
    wait_for(&upload.lost, 1);
    assert_int_equal(fcgate_wake(scene.server, upload.ticket), FCGATE_GONE);
    /* A client that leaves does the same. */
    upload.refusal = 0;
    upload.stop_at = 0;
    upload.received = 0;
    fd = dial(scene.port);
    assert_true(send_text(fd, "POST /upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc"));
    close(fd);
    wait_for(&upload.lost, 2);
    assert_int_equal(upload.sent, 0);
    close_scene(&scene);
}

static void a_received_body_is_bounded(void** state) {
    (void)state;
    struct scene scene;
    struct upload upload;
    memset(&upload, 0, sizeof upload);
    open_scene(&scene);
    set(&scene, "site.max_body", "4");
    assert_int_equal(fcgate_settings_set_room(scene.settings, 1, 512, 0), FCGATE_OK);
    create(&scene);
    upload.server = scene.server;
    handle(&scene, "/upload/", take_upload, &upload);
    begin(&scene);
    expect_status(scene.port, "PUT /upload/" ENDED "Content-Length: 5\r\n\r\nabcde", 413);
    assert_int_equal(upload.ticket, 0);
    expect_status(scene.port, "PUT /upload/" ENDED "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", 413);
    wait_for(&upload.lost, 1);
    expect_status(scene.port, "PUT /upload/" ENDED "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                  413);
    wait_for(&upload.lost, 2);
    expect_status(scene.port, "PUT /upload/" ENDED "Content-Length: 4\r\n\r\nabcd", 200);
    close_scene(&scene);
}

/* ---- the hook behind all ---- */

struct seen {
    pthread_mutex_t lock;
    atomic_int count;
    char text[4096]; /* "METHOD TARGET STATUS WHOLE BYTES CLIENT;" each */
};

static void note(void* context, const fcgate_finished* finished) {
    struct seen* const seen = context;
    pthread_mutex_lock(&seen->lock);
    const size_t used = strlen(seen->text);
    (void)snprintf(seen->text + used, sizeof seen->text - used, "%s %s %u %d %llu %s;", finished->method,
                   finished->target, finished->status, finished->is_whole, finished->bytes, finished->client);
    seen->count += finished->duration_ms >= 0 && finished->duration_ms < 60000;
    pthread_mutex_unlock(&seen->lock);
}

/* What was told of the next request, and no more. */
static void expect_seen(struct seen* seen, const char* text) {
    const int64_t deadline = now_ms() + 20000;
    pthread_mutex_lock(&seen->lock);
    while (seen->count == 0 && now_ms() < deadline) {
        pthread_mutex_unlock(&seen->lock);
        (void)poll(NULL, 0, 1);
        pthread_mutex_lock(&seen->lock);
    }
    assert_string_equal(seen->text, text);
    seen->text[0] = '\0';
    seen->count = 0;
    pthread_mutex_unlock(&seen->lock);
}

static void reply_without_content(void* context, fcgate_request* request) {
    (void)context;
    (void)fcgate_reply(request, 204, "text/plain", "not sent", 8);
}

static void the_hook_behind_all_hears_of_each_once(void** state) {
    (void)state;
    struct scene scene;
    static struct seen seen = {PTHREAD_MUTEX_INITIALIZER, 0, ""};
    open_scene(&scene);
    create(&scene);
    assert_int_equal(fcgate_on_finished(scene.server, NULL, &seen), FCGATE_INVALID);
    assert_int_equal(fcgate_on_finished(NULL, note, &seen), FCGATE_INVALID);
    assert_int_equal(fcgate_on_finished(scene.server, note, &seen), FCGATE_OK);
    assert_int_equal(fcgate_on_finished(scene.server, note, &seen), FCGATE_INVALID);
    handle(&scene, "/api", say_ok, NULL);
    handle(&scene, "/no", refuse, NULL);
    handle(&scene, "/empty", reply_without_content, NULL);
    begin(&scene);
    const struct {
        const char* request;
        const char* told;
    } cases[] = {
        {"GET /file.txt?q=%20" ENDED "\r\n", "GET /file.txt?q=%20 200 1 7 127.0.0.1;"},
        {"HEAD /file.txt" ENDED "\r\n", "HEAD /file.txt 200 1 0 127.0.0.1;"},
        {"GET /file.txt" ENDED "Range: bytes=1-2\r\n\r\n", "GET /file.txt 206 1 2 127.0.0.1;"},
        {"GET /file.txt" ENDED "If-None-Match: *\r\n\r\n", "GET /file.txt 304 1 0 127.0.0.1;"},
        {"GET /api" ENDED "\r\n", "GET /api 200 1 3 127.0.0.1;"},
        {"GET /empty" ENDED "\r\n", "GET /empty 204 1 0 127.0.0.1;"},
        {"POST /api" ENDED "Content-Length: 4\r\n\r\nbody", "POST /api 200 1 3 127.0.0.1;"},
        {"POST /no HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n", "POST /no 409 1 7 127.0.0.1;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct reply reply = ask(scene.port, cases[i].request);
        forget(&reply);
        expect_seen(&seen, cases[i].told);
    }
    /* Refused by the HTTP side, before anybody else sees it. */
    struct reply reply = ask(scene.port, "GET / HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\n\r\n");
    assert_int_equal(reply.status, 417);
    char told[128];
    (void)snprintf(told, sizeof told, "GET / 417 1 %zu 127.0.0.1;", reply.body_size);
    forget(&reply);
    expect_seen(&seen, told);
    /* Two on one connection. */
    reply = ask(scene.port, "GET /api HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api" ENDED "\r\n");
    forget(&reply);
    const int64_t deadline = now_ms() + 20000;
    while (seen.count < 2 && now_ms() < deadline) {
        (void)poll(NULL, 0, 1);
    }
    expect_seen(&seen, "GET /api 200 1 3 127.0.0.1;GET /api 200 1 3 127.0.0.1;");
    /* A client that leaves before it has an answer has none. */
    const int fd = dial(scene.port);
    assert_true(send_text(fd, "POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nb"));
    close(fd);
    reply = get(scene.port, "/api?last");
    forget(&reply);
    expect_seen(&seen, "GET /api?last 200 1 3 127.0.0.1;");
    close_scene(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hook_sees_every_request_first),
        cmocka_unit_test(variables_of_the_hook_reach_php),
        cmocka_unit_test(variables_have_bounds),
        cmocka_unit_test(room_has_bounds),
        cmocka_unit_test(a_handler_may_leave_a_request_to_files),
        cmocka_unit_test(a_body_is_refused_before_it_is_sent),
        cmocka_unit_test(a_constant_is_sent_as_it_is),
        cmocka_unit_test(a_part_of_a_file_is_sent_and_its_descriptor_closed),
        cmocka_unit_test(what_a_file_does_not_have_is_not_promised),
        cmocka_unit_test(a_path_is_answered_as_a_static_file),
        cmocka_unit_test(a_path_whose_fields_do_not_fit_leaves_nothing_behind),
        cmocka_unit_test(wrong_calls_are_told_and_do_no_harm),
        cmocka_unit_test(all_fields_can_be_seen),
        cmocka_unit_test(a_body_is_handed_on_piece_by_piece),
        cmocka_unit_test(a_receiver_holds_its_client_back),
        cmocka_unit_test(a_receiver_may_give_up_in_the_middle),
        cmocka_unit_test(a_received_body_is_bounded),
        cmocka_unit_test(the_hook_behind_all_hears_of_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
