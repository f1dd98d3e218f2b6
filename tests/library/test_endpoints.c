/* Endpoints of the host's own: what a handler is told, what it may reply, and what it gets wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scene.h"

/* Says everything it is told. */
static void echo(void* context, fcgate_request* request) {
    const char* const query = fcgate_request_query(request);
    const char* const header = fcgate_request_header(request, "x-WORD");
    const char* const none = fcgate_request_header(request, "X-None");
    char text[12000];
    const int length =
        snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%s|%s", (const char*)context, fcgate_request_method(request),
                 fcgate_request_path(request), query != NULL ? query : "(none)", header != NULL ? header : "(none)",
                 none != NULL ? none : "(none)", fcgate_request_client(request));
    (void)fcgate_reply(request, 200, "text/plain", text, (size_t)length);
}

static char echo_name[] = "echo";

static void a_handler_is_told_what_the_header_promises(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/api/", echo, echo_name);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    expect_reply(scene.port, "GET", "/api/", 200, "echo|GET|/api/|(none)|(none)|(none)|127.0.0.1");
    expect_reply(scene.port, "GET", "/api/a?", 200, "echo|GET|/api/a||(none)|(none)|127.0.0.1");
    expect_reply(scene.port, "GET", "/api/a?x=%20y&z?", 200, "echo|GET|/api/a|x=%20y&z?|(none)|(none)|127.0.0.1");
    expect_reply(scene.port, "GET", "/x/..//%61pi/./b%20c/../d%C3%A9", 200,
                 "echo|GET|/api/d\xC3\xA9|(none)|(none)|(none)|127.0.0.1");
    expect_reply(scene.port, "GET", "http://localhost/api/whole?u", 200,
                 "echo|GET|/api/whole|u|(none)|(none)|127.0.0.1");
    const char* const methods[] = {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; ++i) {
        char body[64];
        (void)snprintf(body, sizeof body, "echo|%s|/api/m|(none)|(none)|(none)|127.0.0.1", methods[i]);
        expect_reply(scene.port, methods[i], "/api/m", 200, body);
    }
    struct reply reply = ask(scene.port,
                             "GET /api/h HTTP/1.1\r\nHost: localhost\r\nX-Word: one two \r\nX-Word: second\r\n"
                             "Connection: close\r\n\r\n");
    assert_string_equal(reply.body, "echo|GET|/api/h|(none)|one two|(none)|127.0.0.1");
    assert_true(has_field(&reply, "Content-Type: text/plain"));
    assert_true(has_field(&reply, "Content-Length: 47"));
    forget(&reply);
    reply = ask(scene.port, "GET /api/e HTTP/1.1\r\nHost: localhost\r\nX-Word:\r\nConnection: close\r\n\r\n");
    assert_string_equal(reply.body, "echo|GET|/api/e|(none)||(none)|127.0.0.1");
    forget(&reply);
    close_scene(&scene);
}

static void a_long_target_arrives_whole(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/", echo, echo_name);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    char target[8001];
    char body[8200];
    memset(target, 'q', sizeof target);
    memcpy(target, "/long?", 6);
    target[8000] = '\0';
    (void)snprintf(body, sizeof body, "echo|GET|/long|%s|(none)|(none)|127.0.0.1", target + 6);
    expect_reply(scene.port, "GET", target, 200, body);
    memset(target, 'p', sizeof target);
    target[0] = '/';
    target[3000] = '\0';
    (void)snprintf(body, sizeof body, "echo|GET|%s|(none)|(none)|(none)|127.0.0.1", target);
    expect_reply(scene.port, "GET", target, 200, body);
    close_scene(&scene);
}

static void a_client_at_a_socket_file_is_called_unix(void** state) {
    (void)state;
    struct scene scene;
    char listen[128];
    open_scene(&scene);
    (void)snprintf(listen, sizeof listen, "unix:%s/socket", scene.root);
    set(&scene, "server.listen", listen);
    create(&scene);
    handle(&scene, "/who", echo, echo_name);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = dial_path(listen + strlen("unix:"));
    assert_true(send_text(fd, "GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    struct reply reply = receive_last(fd);
    assert_string_equal(reply.body, "echo|GET|/who|(none)|(none)|(none)|unix");
    forget(&reply);
    close_scene(&scene);
}

static int calls;

static void count_calls(void* context, fcgate_request* request) {
    (void)context;
    char text[32];
    const int length = snprintf(text, sizeof text, "call %d", __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST));
    (void)fcgate_reply(request, 200, NULL, text, (size_t)length);
}

static void a_body_is_read_and_thrown_away(void** state) {
    (void)state;
    enum { body_size = 300000 };
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    calls = 0;
    handle(&scene, "/count", count_calls, NULL);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    char* const body = malloc(body_size + 1);
    assert_non_null(body);
    memset(body, 'b', body_size);
    body[body_size] = '\0';
    /* The connection goes on behind the body: it has been read to its end. */
    int fd = dial(scene.port);
    assert_true(send_text(fd, "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n"));
    assert_true(send_text(fd, body));
    assert_true(send_text(fd, "GET /count HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    struct reply reply = receive_last(fd);
    assert_int_equal(reply.status, 200);
    assert_int_equal(strncmp(reply.body, "call 1HTTP/1.1 200", 18), 0);
    assert_string_equal(reply.body + reply.body_size - 6, "call 2");
    forget(&reply);
    reply = ask(scene.port,
                "POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                "5\r\nhello\r\n0\r\n\r\n");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "call 3");
    forget(&reply);
    /* It is asked before the body is there, and answers behind it. */
    fd = dial(scene.port);
    assert_true(send_text(fd,
                          "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
                          "Connection: close\r\n\r\nhello"));
    const int64_t deadline = now_ms() + 10000;
    while (__atomic_load_n(&calls, __ATOMIC_SEQ_CST) < 4 && now_ms() < deadline) {
        assert_int_equal(status_of(scene.port, "/file.txt"), 200);
    }
    reply = get(scene.port, "/count");
    assert_string_equal(reply.body, "call 5");
    forget(&reply);
    assert_true(send_text(fd, "world"));
    reply = receive_last(fd);
    assert_string_equal(reply.body, "call 4");
    forget(&reply);
    /* What is larger than max_body is refused without asking the handler. */
    reply = ask(scene.port,
                "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n");
    assert_int_equal(reply.status, 413);
    assert_int_equal(calls, 5);
    forget(&reply);
    free(body);
    close_scene(&scene);
}

static void the_request_is_whole_after_a_slow_body(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/api/", echo, echo_name);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = dial(scene.port);
    assert_true(send_text(fd,
                          "PUT /api/%73low?q=1 HTTP/1.1\r\nHost: localhost\r\nX-Word: kept\r\nContent-Length: 10\r\n"
                          "Connection: close\r\n\r\nhello"));
    expect_reply(scene.port, "GET", "/api/other?r", 200, "echo|GET|/api/other|r|(none)|(none)|127.0.0.1");
    expect_reply(scene.port, "GET", "/file.txt", 200, "a file\n");
    assert_true(send_text(fd, "world"));
    struct reply reply = receive_last(fd);
    assert_string_equal(reply.body, "echo|PUT|/api/slow|q=1|kept|(none)|127.0.0.1");
    forget(&reply);
    close_scene(&scene);
}

static void head_gets_what_get_would_without_the_body(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/api/", echo, echo_name);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    struct reply reply = request(scene.port, "HEAD", "/api/x");
    assert_int_equal(reply.status, 200);
    assert_true(has_field(&reply, "Content-Length: 47"));
    assert_true(has_field(&reply, "Content-Type: text/plain"));
    assert_int_equal(reply.body_size, 0);
    forget(&reply);
    close_scene(&scene);
}

/* What the handlers below saw; read by the test once the reply is there. */
static int results[16];

static void reply_with_fields(void* context, fcgate_request* request) {
    (void)context;
    char value[] = "changed afterwards";
    memset(results, 1, sizeof results);
    results[0] = fcgate_reply_header(request, "X-One", value);
    value[0] = 'X';
    results[1] = fcgate_reply_header(request, "Set-Cookie", "a=1");
    results[2] = fcgate_reply_header(request, "Set-Cookie", "b=2; Path=/");
    results[3] = fcgate_reply_header(request, "Content-Type", "text/css");
    results[4] = fcgate_reply_header(request, "content-length", "3");
    results[5] = fcgate_reply_header(request, "Connection", "keep-alive");
    results[6] = fcgate_reply_header(request, "Transfer-Encoding", "chunked");
    results[7] = fcgate_reply_header(request, "X Space", "v");
    results[8] = fcgate_reply_header(request, "", "v");
    results[9] = fcgate_reply_header(request, "X-Break", "a\r\nX-Evil: 1");
    results[10] = fcgate_reply_header(request, "X-Empty", "");
    results[11] = fcgate_reply_header(request, NULL, "v");
    results[12] = fcgate_reply_header(request, "X-Null", NULL);
    results[13] = fcgate_reply_header(request, "X:", "v");
    results[14] = fcgate_reply(request, 201, "application/json", "{}", 2);
    results[15] = fcgate_reply_header(request, "X-Late", "v");
}

static void reply_fields_are_sent_and_wrong_ones_refused(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    set(&scene, "site.header", "X-Site always");
    set(&scene, "site.header", "X-One never");
    create(&scene);
    handle(&scene, "/fields", reply_with_fields, NULL);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    struct reply reply = get(scene.port, "/fields");
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply.body, "{}");
    assert_true(has_field(&reply, "X-One: changed afterwards"));
    assert_true(has_field(&reply, "Set-Cookie: a=1"));
    assert_true(has_field(&reply, "Set-Cookie: b=2; Path=/"));
    assert_true(has_field(&reply, "Content-Type: application/json"));
    assert_true(has_field(&reply, "Content-Length: 2"));
    assert_true(has_field(&reply, "X-Site: always"));
    assert_false(has_field(&reply, "X-One: never"));
    assert_null(strstr(reply.head, "X-Late"));
    assert_null(strstr(reply.head, "X-Evil"));
    const int expected[16] = {FCGATE_OK,      FCGATE_OK,      FCGATE_OK,      FCGATE_INVALID,
                              FCGATE_INVALID, FCGATE_INVALID, FCGATE_INVALID, FCGATE_INVALID,
                              FCGATE_INVALID, FCGATE_INVALID, FCGATE_INVALID, FCGATE_INVALID,
                              FCGATE_INVALID, FCGATE_INVALID, FCGATE_OK,      FCGATE_GONE};
    for (size_t i = 0; i < 16; ++i) {
        assert_int_equal(results[i], expected[i]);
    }
    forget(&reply);
    close_scene(&scene);
}

static void reply_with_odd_values(void* context, fcgate_request* request) {
    (void)context;
    results[0] = fcgate_reply_header(request, "X-Blank", " ");
    results[1] = fcgate_reply_header(request, "X-Tab", "a\tb");
    results[2] = fcgate_reply_header(request, "X-Padded", " padded ");
    results[3] = fcgate_reply(request, 200, " ", "odd", 3);
    results[4] = results[3] == FCGATE_OK ? FCGATE_OK : fcgate_reply(request, 200, NULL, "odd", 3);
}

static void whatever_value_is_taken_can_be_sent(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/odd", reply_with_odd_values, NULL);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    struct reply reply = get(scene.port, "/odd");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "odd");
    assert_int_equal(results[0], FCGATE_INVALID);
    assert_int_equal(results[3], FCGATE_INVALID);
    if (results[1] == FCGATE_OK) {
        assert_true(has_field(&reply, "X-Tab: a\tb"));
    }
    assert_int_equal(results[2], FCGATE_OK);
    assert_true(has_field(&reply, "X-Padded: padded"));
    forget(&reply);
    close_scene(&scene);
}

static void reply_with_many_fields(void* context, fcgate_request* request) {
    const char* const content_type = context;
    char name[32];
    int added = 0;
    results[0] = FCGATE_OK;
    while (results[0] == FCGATE_OK && added < 1000) {
        (void)snprintf(name, sizeof name, "X-Field-%d", added);
        results[0] = fcgate_reply_header(request, name, "value");
        added += results[0] == FCGATE_OK;
    }
    results[1] = added;
    results[2] = fcgate_reply(request, 200, content_type, "many", 4);
    results[3] = results[2] == FCGATE_OK ? FCGATE_GONE : fcgate_reply(request, 200, NULL, "fewer", 5);
}

static void reply_with_a_huge_field(void* context, fcgate_request* request) {
    (void)context;
    static char huge[100000];
    memset(huge, 'h', sizeof huge - 1);
    results[0] = fcgate_reply_header(request, "X-Huge", huge);
    results[1] = fcgate_reply(request, 200, huge, "huge", 4);
    results[2] = fcgate_reply_header(request, "X-Small", "small");
    results[3] = fcgate_reply(request, 200, "text/plain", "small", 5);
}

static void what_was_too_large_has_changed_nothing(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/huge", reply_with_a_huge_field, NULL);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    struct reply reply = get(scene.port, "/huge");
    assert_int_equal(results[0], FCGATE_TOO_LARGE);
    assert_int_equal(results[1], FCGATE_TOO_LARGE);
    assert_int_equal(results[2], FCGATE_OK);
    assert_int_equal(results[3], FCGATE_OK);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "small");
    assert_true(has_field(&reply, "X-Small: small"));
    assert_true(has_field(&reply, "Content-Type: text/plain"));
    assert_null(strstr(reply.head, "X-Huge"));
    forget(&reply);
    close_scene(&scene);
}

static void fields_without_end_are_too_large(void** state) {
    (void)state;
    static char type[] = "text/plain";
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/many", reply_with_many_fields, NULL);
    handle(&scene, "/typed", reply_with_many_fields, type);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    struct reply reply = get(scene.port, "/many");
    assert_int_equal(results[0], FCGATE_TOO_LARGE);
    assert_true(results[1] >= 16);
    assert_int_equal(results[2], FCGATE_OK);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "many");
    forget(&reply);
    /* After a failure another reply can be given. */
    reply = get(scene.port, "/typed");
    assert_int_equal(reply.status, 200);
    if (results[2] == FCGATE_OK) {
        assert_true(has_field(&reply, "Content-Type: text/plain"));
        assert_string_equal(reply.body, "many");
    } else {
        assert_int_equal(results[3], FCGATE_OK);
        assert_string_equal(reply.body, "fewer");
    }
    forget(&reply);
    close_scene(&scene);
}

static void reply_wrongly(void* context, fcgate_request* request) {
    (void)context;
    memset(results, 1, sizeof results);
    results[0] = fcgate_reply(request, 199, NULL, "x", 1);
    results[1] = fcgate_reply(request, 600, NULL, "x", 1);
    results[2] = fcgate_reply(request, 0, NULL, "x", 1);
    results[3] = fcgate_reply(request, 65536 + 200, NULL, "x", 1);
    results[4] = fcgate_reply(request, 200, NULL, NULL, 1);
    results[5] = fcgate_reply(request, 200, "text/html\r\nX-Evil: 1", "x", 1);
    results[6] = fcgate_reply(request, 200, "", "x", 1);
    results[7] = fcgate_reply(request, 599, NULL, "first", 5);
    results[8] = fcgate_reply(request, 200, NULL, "second", 6);
}

static void reply_never(void* context, fcgate_request* request) {
    (void)context;
    (void)fcgate_reply_header(request, "X-Sent", "nothing");
}

static void wrong_replies_are_refused_and_the_first_right_one_counts(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/wrong", reply_wrongly, NULL);
    handle(&scene, "/never", reply_never, NULL);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    expect_reply(scene.port, "GET", "/wrong", 599, "first");
    for (size_t i = 0; i < 7; ++i) {
        assert_int_equal(results[i], FCGATE_INVALID);
    }
    assert_int_equal(results[7], FCGATE_OK);
    assert_int_equal(results[8], FCGATE_GONE);
    assert_int_equal(status_of(scene.port, "/never"), 500);
    assert_int_equal(status_of(scene.port, "/file.txt"), 200);
    close_scene(&scene);
}

static void reply_with_status(void* context, fcgate_request* request) {
    (void)context;
    const unsigned status = (unsigned)strtoul(fcgate_request_query(request), NULL, 10);
    (void)fcgate_reply(request, status, NULL, status == 200 ? NULL : "body", status == 200 ? 0 : 4);
}

static void statuses_without_a_body_have_none(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/status", reply_with_status, NULL);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    expect_reply(scene.port, "GET", "/status?204", 204, "");
    expect_reply(scene.port, "GET", "/status?304", 304, "");
    expect_reply(scene.port, "GET", "/status?200", 200, "");
    expect_reply(scene.port, "GET", "/status?404", 404, "body");
    expect_reply(scene.port, "GET", "/status?503", 503, "body");
    close_scene(&scene);
}

enum { large_size = 1024 * 1024 };

static void reply_large(void* context, fcgate_request* request) {
    (void)context;
    char* const body = malloc(large_size);
    if (body == NULL) {
        return;
    }
    for (size_t i = 0; i < large_size; ++i) {
        body[i] = (char)('a' + i % 23);
    }
    (void)fcgate_reply(request, 200, "application/octet-stream", body, large_size);
    memset(body, '!', large_size);
    free(body);
}

static void a_megabyte_is_copied_and_arrives_whole(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/large", reply_large, NULL);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    struct reply reply = get(scene.port, "/large");
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_size, large_size);
    for (size_t i = 0; i < large_size; ++i) {
        if (reply.body[i] != (char)('a' + i % 23)) {
            assert_int_equal(i, large_size);
        }
    }
    forget(&reply);
    /* A client that leaves in the middle harms nobody. */
    const int fd = dial(scene.port);
    assert_true(send_text(fd, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    close(fd);
    assert_int_equal(status_of(scene.port, "/large"), 200);
    close_scene(&scene);
}

static void reply_name(void* context, fcgate_request* request) {
    (void)fcgate_reply(request, 200, NULL, context, strlen(context));
}

static void the_longest_prefix_wins(void** state) {
    (void)state;
    static char api[] = "/api/", users[] = "/api/users/", exact[] = "/api/users", no_slash[] = "/api", root[] = "/";
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, api, reply_name, api);
    handle(&scene, users, reply_name, users);
    handle(&scene, exact, reply_name, exact);
    handle(&scene, no_slash, reply_name, no_slash);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    expect_reply(scene.port, "GET", "/api/", 200, api);
    expect_reply(scene.port, "GET", "/api/user", 200, api);
    expect_reply(scene.port, "GET", "/api/usersx", 200, api);
    expect_reply(scene.port, "GET", "/api/users", 200, exact);
    expect_reply(scene.port, "GET", "/api/users/", 200, users);
    expect_reply(scene.port, "GET", "/api/users/7/x", 200, users);
    expect_reply(scene.port, "GET", "/api", 200, no_slash);
    expect_reply(scene.port, "GET", "/file.txt", 200, "a file\n");
    assert_int_equal(status_of(scene.port, "/apis"), 404);
    assert_int_equal(status_of(scene.port, "/API/"), 404);
    close_scene(&scene);
    open_scene(&scene);
    create(&scene);
    handle(&scene, root, reply_name, root);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    expect_reply(scene.port, "GET", "/", 200, root);
    expect_reply(scene.port, "GET", "/file.txt", 200, root);
    assert_int_equal(status_of(scene.port, "/%00"), 400);
    close_scene(&scene);
}

static void prefixes_have_rules(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    assert_int_equal(fcgate_handle(scene.server, "", reply_name, echo_name), FCGATE_INVALID);
    assert_int_equal(fcgate_handle(scene.server, "api/", reply_name, echo_name), FCGATE_INVALID);
    /* No path is like these. */
    static const char* const unmet[] = {"//",      "/a//",    "/a//b", "/./", "/.",       "/a/..",
                                        "/../api", "/a/./b/", "/a\\b", "/\n", "/a\x7f/b/"};
    for (size_t i = 0; i < sizeof unmet / sizeof *unmet; ++i) {
        assert_int_equal(fcgate_handle(scene.server, unmet[i], reply_name, echo_name), FCGATE_INVALID);
    }
    assert_int_equal(fcgate_handle(scene.server, NULL, reply_name, echo_name), FCGATE_INVALID);
    assert_int_equal(fcgate_handle(scene.server, "/api/", NULL, echo_name), FCGATE_INVALID);
    char prefix[32];
    for (int i = 0; i < 16; ++i) {
        (void)snprintf(prefix, sizeof prefix, "/api%d/", i);
        handle(&scene, prefix, reply_name, echo_name);
        assert_int_equal(fcgate_handle(scene.server, "/api0/", reply_name, echo_name), FCGATE_INVALID);
    }
    /* It was copied. */
    memset(prefix, 'x', sizeof prefix);
    assert_int_equal(fcgate_handle(scene.server, "/more/", reply_name, echo_name), FCGATE_TOO_LARGE);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    assert_int_equal(fcgate_handle(scene.server, "/late/", reply_name, echo_name), FCGATE_INVALID);
    expect_reply(scene.port, "GET", "/api15/", 200, echo_name);
    assert_int_equal(status_of(scene.port, "/more/"), 404);
    fcgate_stop(scene.server, 0);
    assert_ok(&scene, fcgate_wait(scene.server, 10000, &scene.error));
    assert_int_equal(fcgate_handle(scene.server, "/late/", reply_name, echo_name), FCGATE_INVALID);
    close_scene(&scene);
    open_scene(&scene);
    create(&scene);
    assert_true(fcgate_fd(scene.server, NULL) >= 0);
    assert_int_equal(fcgate_handle(scene.server, "/late/", reply_name, echo_name), FCGATE_INVALID);
    close_scene(&scene);
}

static void an_endpoint_is_found_on_every_site_and_before_files(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    set(&scene, "site.host", "one.test");
    set(&scene, "site:two.root", scene.root);
    set(&scene, "site:two.host", "two.test");
    create(&scene);
    handle(&scene, "/file.txt", reply_name, echo_name);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const char* const hosts[] = {"one.test", "two.test", "127.0.0.1"};
    for (size_t i = 0; i < 3; ++i) {
        char text[128];
        (void)snprintf(text, sizeof text, "GET /file.txt HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", hosts[i]);
        struct reply reply = ask(scene.port, text);
        assert_string_equal(reply.body, echo_name);
        forget(&reply);
    }
    struct reply reply = ask(scene.port, "GET /file.txt HTTP/1.1\r\nHost: three.test\r\nConnection: close\r\n\r\n");
    assert_int_equal(reply.status, 421);
    forget(&reply);
    close_scene(&scene);
}

struct gate {
    bool entered;
    bool released;
};

static bool wait_for(const bool* flag) {
    const struct timespec moment = {0, 1000000};
    const int64_t deadline = now_ms() + 10000;
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE) && now_ms() < deadline) {
        (void)nanosleep(&moment, NULL);
    }
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void reply_when_released(void* context, fcgate_request* request) {
    struct gate* const gate = context;
    __atomic_store_n(&gate->entered, true, __ATOMIC_RELEASE);
    const bool released = wait_for(&gate->released);
    (void)fcgate_reply(request, released ? 200 : 504, NULL, NULL, 0);
}

static void while_one_handler_runs_other_threads_serve(void** state) {
    (void)state;
    struct scene scene;
    struct gate gate = {false, false};
    open_scene(&scene);
    set(&scene, "server.threads", "3");
    create(&scene);
    handle(&scene, "/slow", reply_when_released, &gate);
    handle(&scene, "/quick", reply_name, echo_name);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = dial(scene.port);
    assert_true(send_text(fd, "GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    assert_true(wait_for(&gate.entered));
    for (int i = 0; i < 5; ++i) {
        expect_reply(scene.port, "GET", "/quick", 200, echo_name);
        expect_reply(scene.port, "GET", "/file.txt", 200, "a file\n");
    }
    __atomic_store_n(&gate.released, true, __ATOMIC_RELEASE);
    struct reply reply = receive_last(fd);
    assert_int_equal(reply.status, 200);
    forget(&reply);
    close_scene(&scene);
}

struct crowd {
    unsigned port;
    int number;
    int right;
};

static void* visit_often(void* argument) {
    struct crowd* const crowd = argument;
    for (int i = 0; i < 50; ++i) {
        char target[64];
        char body[128];
        (void)snprintf(target, sizeof target, "/api/c%d?i=%d", crowd->number, i);
        (void)snprintf(body, sizeof body, "echo|GET|/api/c%d|i=%d|(none)|(none)|127.0.0.1", crowd->number, i);
        struct reply reply = get(crowd->port, i % 5 == 4 ? "/file.txt" : target);
        crowd->right += reply.status == 200 && strcmp(reply.body, i % 5 == 4 ? "a file\n" : body) == 0;
        forget(&reply);
    }
    return NULL;
}

static void three_threads_answer_a_crowd(void** state) {
    (void)state;
    enum { visitors = 6 };
    struct scene scene;
    struct crowd crowds[visitors];
    pthread_t threads[visitors];
    open_scene(&scene);
    set(&scene, "server.threads", "3");
    create(&scene);
    handle(&scene, "/api/", echo, echo_name);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    for (int i = 0; i < visitors; ++i) {
        crowds[i] = (struct crowd){scene.port, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, visit_often, &crowds[i]), 0);
    }
    for (int i = 0; i < visitors; ++i) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].right, 50);
    }
    close_scene(&scene);
}

static void reply_and_stop(void* context, fcgate_request* request) {
    fcgate_server* const* const server = context;
    (void)fcgate_reply(request, 200, NULL, "bye", 3);
    fcgate_stop(*server, 5000);
}

static void a_handler_may_stop_the_server(void** state) {
    (void)state;
    struct scene scene;
    open_scene(&scene);
    create(&scene);
    handle(&scene, "/stop", reply_and_stop, &scene.server);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    expect_reply(scene.port, "GET", "/stop", 200, "bye");
    assert_ok(&scene, fcgate_wait(scene.server, 10000, &scene.error));
    close_scene(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_is_told_what_the_header_promises),
        cmocka_unit_test(a_long_target_arrives_whole),
        cmocka_unit_test(a_client_at_a_socket_file_is_called_unix),
        cmocka_unit_test(a_body_is_read_and_thrown_away),
        cmocka_unit_test(the_request_is_whole_after_a_slow_body),
        cmocka_unit_test(head_gets_what_get_would_without_the_body),
        cmocka_unit_test(reply_fields_are_sent_and_wrong_ones_refused),
        cmocka_unit_test(whatever_value_is_taken_can_be_sent),
        cmocka_unit_test(what_was_too_large_has_changed_nothing),
        cmocka_unit_test(fields_without_end_are_too_large),
        cmocka_unit_test(wrong_replies_are_refused_and_the_first_right_one_counts),
        cmocka_unit_test(statuses_without_a_body_have_none),
        cmocka_unit_test(a_megabyte_is_copied_and_arrives_whole),
        cmocka_unit_test(the_longest_prefix_wins),
        cmocka_unit_test(prefixes_have_rules),
        cmocka_unit_test(an_endpoint_is_found_on_every_site_and_before_files),
        cmocka_unit_test(while_one_handler_runs_other_threads_serve),
        cmocka_unit_test(three_threads_answer_a_crowd),
        cmocka_unit_test(a_handler_may_stop_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
