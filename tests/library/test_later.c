/* Requests that are kept beyond their handler and answered later, by any thread. */
#include <fcgate/call.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"

/* A kept request as the host knows it. One for each scene. */
struct kept {
    fcgate_server* server;
    fcgate_ticket ticket; /* of the last one; below the others, for threads that wait for it */
    atomic_int kept;
    atomic_int sent;
    atomic_int lost;
    atomic_int room;
    atomic_int stopping;
    atomic_int failed;
};

static void take_news(void* context, fcgate_ticket ticket, int news) {
    struct kept* const kept = context;
    atomic_int* const counts[] = {&kept->sent, &kept->lost, &kept->room, &kept->stopping};
    (void)ticket;
    ++*counts[news];
    if (news == FCGATE_SENT || news == FCGATE_LOST) {
        /* Its ticket is gone by now. */
        const int late = fcgate_wake(kept->server, ticket);
        kept->failed += late != FCGATE_GONE;
    }
}

static void keep(void* context, fcgate_request* request) {
    struct kept* const kept = context;
    fcgate_ticket ticket = 0;
    (void)fcgate_reply_header(request, "X-Before", "yes");
    if (fcgate_keep(request, take_news, kept, &ticket) == FCGATE_OK) {
        (void)fcgate_reply_header(request, "X-Behind", "too");
        kept->ticket = ticket;
        ++kept->kept;
    }
}

static void wait_for(const atomic_int* count, int value) {
    const int64_t deadline = now_ms() + 20000;
    while (*count != value && now_ms() < deadline) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(*count, value);
}

static void open_kept(struct scene* scene, struct kept* kept, unsigned requests) {
    memset(kept, 0, sizeof *kept);
    open_scene(scene);
    assert_int_equal(fcgate_settings_set_room(scene->settings, requests, 512, 0), FCGATE_OK);
    set(scene, "site.header", "X-Site always");
    create(scene);
    kept->server = scene->server;
    handle(scene, "/later", keep, kept);
}

static void close_kept(struct scene* scene, const struct kept* kept) {
    close_scene(scene);
    /* Each has had its last word, once. */
    assert_int_equal(kept->sent + kept->lost, kept->kept);
    assert_int_equal(kept->failed, 0);
}

/* Begins a request that will be kept, and waits until it is. */
static int begin_request(const struct scene* scene, const struct kept* kept, const char* method) {
    char text[128];
    const int before = kept->kept;
    const int fd = dial(scene->port);
    (void)snprintf(text, sizeof text, "%s /later HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method);
    assert_true(send_text(fd, text));
    wait_for(&kept->kept, before + 1);
    return fd;
}

static void a_reply_comes_later_from_another_thread(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 1);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = begin_request(&scene, &kept, "GET");
    /* Meanwhile others are served. */
    assert_int_equal(status_of(scene.port, "/file.txt"), 200);
    assert_int_equal(fcgate_later_header(scene.server, kept.ticket, "X-Later", " 1 "), FCGATE_OK);
    assert_int_equal(fcgate_later_header(scene.server, kept.ticket, "Content-Length", "1"), FCGATE_INVALID);
    assert_int_equal(fcgate_later_header(scene.server, kept.ticket, "X-Break", "a\r\nb"), FCGATE_INVALID);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 99, NULL, "x", 1), FCGATE_INVALID);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 65736, NULL, "x", 1), FCGATE_INVALID);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, "a\nb", "x", 1), FCGATE_INVALID);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, NULL, 1), FCGATE_INVALID);
    assert_int_equal(fcgate_later_write(scene.server, kept.ticket, "x", 1), FCGATE_INVALID);
    assert_int_equal(fcgate_later_end(scene.server, kept.ticket), FCGATE_INVALID);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 201, "text/plain", "later", 5), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply.body, "later");
    assert_true(has_field(&reply, "X-Before: yes"));
    assert_true(has_field(&reply, "X-Behind: too"));
    assert_true(has_field(&reply, "X-Later: 1"));
    assert_true(has_field(&reply, "X-Site: always"));
    assert_true(has_field(&reply, "Content-Type: text/plain"));
    assert_true(has_field(&reply, "Content-Length: 5"));
    forget(&reply);
    wait_for(&kept.sent, 1);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "again", 5), FCGATE_GONE);
    assert_int_equal(fcgate_later_header(scene.server, kept.ticket, "X-A", "b"), FCGATE_GONE);
    assert_int_equal(fcgate_later_write(scene.server, kept.ticket, "x", 1), FCGATE_GONE);
    assert_int_equal(fcgate_later_end(scene.server, kept.ticket), FCGATE_GONE);
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, 1), FCGATE_GONE);
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fcgate_later_file(scene.server, kept.ticket, 200, NULL, file, 0, 1), FCGATE_GONE);
    close(file);
    assert_int_equal(fcgate_wake(scene.server, kept.ticket), FCGATE_GONE);
    assert_int_equal(fcgate_wake(scene.server, 0), FCGATE_GONE);
    assert_int_equal(fcgate_wake(scene.server, ~0ULL), FCGATE_GONE);
    assert_int_equal(fcgate_wake(NULL, kept.ticket), FCGATE_GONE);
    close_kept(&scene, &kept);
}

static void keep_and_reply(void* context, fcgate_request* request) {
    struct kept* const kept = context;
    const char* const query = fcgate_request_query(request);
    assert_int_equal(fcgate_keep(request, take_news, kept, &kept->ticket), FCGATE_OK);
    ++kept->kept;
    if (query != NULL) {
        assert_int_equal(fcgate_reply(request, 200, NULL, "at once", 7), FCGATE_OK);
        assert_int_equal(fcgate_later_reply(kept->server, kept->ticket, 200, NULL, "x", 1), FCGATE_INVALID);
    } else {
        assert_int_equal(fcgate_later_reply(kept->server, kept->ticket, 200, NULL, "by ticket", 9), FCGATE_OK);
        assert_int_equal(fcgate_reply(request, 200, NULL, "x", 1), FCGATE_GONE);
        assert_int_equal(fcgate_reply_path(request, "/etc/hostname"), FCGATE_GONE);
    }
}

static void a_reply_may_come_before_the_handler_is_back(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 1);
    handle(&scene, "/now", keep_and_reply, &kept);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    expect_reply(scene.port, "GET", "/now", 200, "by ticket");
    wait_for(&kept.sent, 1);
    expect_reply(scene.port, "GET", "/now?x", 200, "at once");
    wait_for(&kept.sent, 2);
    close_kept(&scene, &kept);
}

static void who_leaves_is_told_of_once(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 1);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    close(begin_request(&scene, &kept, "GET"));
    wait_for(&kept.lost, 1);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "late", 4), FCGATE_GONE);
    /* In the middle of a reply. */
    int fd = begin_request(&scene, &kept, "GET");
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, FCGATE_UNKNOWN), FCGATE_OK);
    assert_int_equal(fcgate_later_write(scene.server, kept.ticket, "some", 4), 4);
    char head[16];
    assert_true(read(fd, head, sizeof head) > 0);
    close(fd);
    wait_for(&kept.lost, 2);
    assert_int_equal(kept.sent, 0);
    close_kept(&scene, &kept);
}

static void no_more_are_kept_than_there_is_room_for(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    static char large[513];
    memset(large, 'l', sizeof large - 1);
    open_kept(&scene, &kept, 2);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int first = begin_request(&scene, &kept, "GET");
    const fcgate_ticket ticket = kept.ticket;
    const int second = begin_request(&scene, &kept, "GET");
    assert_true(ticket != kept.ticket);
    struct reply reply = get(scene.port, "/later");
    assert_int_equal(reply.status, 503);
    assert_true(has_field(&reply, "Retry-After: 2"));
    forget(&reply);
    /* What does not fit has changed nothing. */
    assert_int_equal(fcgate_later_header(scene.server, ticket, "X-Large", large), FCGATE_TOO_LARGE);
    assert_int_equal(fcgate_later_reply(scene.server, ticket, 200, "text/x-large", large, 480), FCGATE_TOO_LARGE);
    assert_int_equal(fcgate_later_reply(scene.server, ticket, 200, NULL, large, 480), FCGATE_OK);
    reply = receive_last(first);
    assert_int_equal(reply.body_size, 480);
    assert_null(strstr(reply.head, "Content-Type"));
    forget(&reply);
    wait_for(&kept.sent, 1);
    const int third = begin_request(&scene, &kept, "GET");
    close(second);
    close(third);
    wait_for(&kept.lost, 2);
    close_kept(&scene, &kept);
}

/* Writes `size` bytes to a kept request whose reply has begun. */
static void push(struct kept* kept, size_t size) {
    char piece[300];
    size_t done = 0;
    while (done < size) {
        const size_t most = size - done < sizeof piece ? size - done : sizeof piece;
        for (size_t i = 0; i < most; ++i) {
            piece[i] = (char)('a' + (done + i) % 23);
        }
        const int room = kept->room;
        const ptrdiff_t count = fcgate_later_write(kept->server, kept->ticket, piece, most);
        assert_true(count > 0 || count == FCGATE_AGAIN);
        done += count > 0 ? (size_t)count : 0;
        if (count != (ptrdiff_t)most) {
            wait_for(&kept->room, room + 1);
        }
    }
}

static void expect_letters(const char* body, size_t size) {
    for (size_t i = 0; i < size; ++i) {
        assert_int_equal(body[i], 'a' + i % 23);
    }
}

/* Fills the buffer with fields but for `left` bytes. */
static void fill_buffer(struct kept* kept, size_t left) {
    static const char fields[] = "X-Before\0yes\0X-Behind\0too\0X-Full";
    char value[512];
    const size_t size = sizeof value - sizeof fields - 1 - left;
    memset(value, 'v', size);
    value[size] = '\0';
    assert_int_equal(fcgate_later_header(kept->server, kept->ticket, "X-Full", value), FCGATE_OK);
}

static void a_reply_is_begun_with_room_for_a_byte_or_not_at_all(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 1);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    int fd = begin_request(&scene, &kept, "GET");
    fill_buffer(&kept, 0);
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, 5), FCGATE_TOO_LARGE);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 507, NULL, NULL, 0), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_int_equal(reply.status, 507);
    forget(&reply);
    wait_for(&kept.sent, 1);
    fd = begin_request(&scene, &kept, "GET");
    fill_buffer(&kept, 1);
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, 5), FCGATE_OK);
    push(&kept, 5);
    reply = receive_last(fd);
    assert_string_equal(reply.body, "abcde");
    forget(&reply);
    wait_for(&kept.sent, 2);
    close_kept(&scene, &kept);
}

/* The buffer takes the fields; the memory of a connection does not. */
static void a_reply_that_another_was_sent_in_place_of_is_lost(void** state) {
    (void)state;
    static char value[12000];
    struct scene scene;
    struct kept kept = {0};
    memset(value, 'v', sizeof value - 1);
    open_scene(&scene);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 1, 16384, 0), FCGATE_OK);
    create(&scene);
    kept.server = scene.server;
    handle(&scene, "/later", keep, &kept);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    int fd = begin_request(&scene, &kept, "GET");
    assert_int_equal(fcgate_later_header(scene.server, kept.ticket, "X-Large", value), FCGATE_OK);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "large", 5), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_int_equal(reply.status, 502);
    forget(&reply);
    wait_for(&kept.lost, 1);
    fd = begin_request(&scene, &kept, "GET");
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "small", 5), FCGATE_OK);
    reply = receive_last(fd);
    assert_string_equal(reply.body, "small");
    forget(&reply);
    wait_for(&kept.sent, 1);
    close_kept(&scene, &kept);
}

struct reading {
    int fd;
    struct reply reply;
};

static void* read_reply(void* argument) {
    struct reading* const reading = argument;
    reading->reply = receive_last(reading->fd);
    return NULL;
}

static void a_long_reply_is_pushed_through_a_small_buffer(void** state) {
    (void)state;
    enum { size = 300000 };
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 1);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    for (int is_known = 0; is_known < 2; ++is_known) {
        struct reading reading = {begin_request(&scene, &kept, "GET"), {0}};
        pthread_t reader;
        assert_int_equal(pthread_create(&reader, NULL, read_reply, &reading), 0);
        assert_int_equal(
            fcgate_later_begin(scene.server, kept.ticket, 200, "text/plain", is_known ? size : FCGATE_UNKNOWN),
            FCGATE_OK);
        push(&kept, size);
        if (is_known) {
            /* Not more than was promised. All there may be sent before this. */
            const ptrdiff_t more = fcgate_later_write(scene.server, kept.ticket, "x", 1);
            assert_true(more == FCGATE_INVALID || more == FCGATE_GONE);
        }
        const int ended = fcgate_later_end(scene.server, kept.ticket);
        assert_true(ended == FCGATE_OK || (is_known && ended == FCGATE_GONE));
        pthread_join(reader, NULL);
        assert_int_equal(reading.reply.status, 200);
        if (is_known) {
            assert_true(has_field(&reading.reply, "Content-Length: 300000"));
            assert_int_equal(reading.reply.body_size, size);
            expect_letters(reading.reply.body, size);
        } else {
            assert_true(has_field(&reading.reply, "Transfer-Encoding: chunked"));
            assert_string_equal(reading.reply.body + reading.reply.body_size - 5, "0\r\n\r\n");
        }
        forget(&reading.reply);
        wait_for(&kept.sent, is_known + 1);
    }
    assert_true(kept.room > 0);
    close_kept(&scene, &kept);
}

static void note_bytes(void* context, const fcgate_finished* finished) {
    atomic_int* const bytes = context;
    *bytes = (int)finished->bytes * (finished->is_whole ? 1 : -1);
}

/* Sends the numbers from 0 on, as room allows, without a thread of the host's. */
struct counter {
    fcgate_server* server;
    int next;
    int last;
    atomic_int over;
    atomic_int stopping;
};

static void write_numbers(void* context, fcgate_ticket ticket, int news) {
    struct counter* const counter = context;
    if (news == FCGATE_SENT || news == FCGATE_LOST) {
        counter->over = news + 1;
        return;
    }
    if (news == FCGATE_STOPPING) {
        counter->stopping = 1;
        (void)fcgate_later_end(counter->server, ticket);
        return;
    }
    char text[16];
    int length = 8;
    while (counter->next < counter->last) {
        (void)snprintf(text, sizeof text, "%07d\n", counter->next);
        /* 8 divides what room there is: all or nothing. */
        if (fcgate_later_write(counter->server, ticket, text, (size_t)length) != length) {
            return;
        }
        ++counter->next;
    }
    if (counter->last > 10) {
        (void)fcgate_later_end(counter->server, ticket);
    }
}

static void count_up(void* context, fcgate_request* request) {
    struct counter* const counter = context;
    fcgate_ticket ticket = 0;
    if (fcgate_keep(request, write_numbers, counter, &ticket) == FCGATE_OK &&
        fcgate_later_begin(counter->server, ticket, 200, NULL, counter->last > 10 ? 8LL * counter->last : -1) ==
            FCGATE_OK) {
        write_numbers(counter, ticket, FCGATE_ROOM);
    }
}

static void a_reply_may_be_pushed_by_its_notices_alone(void** state) {
    (void)state;
    enum { numbers = 20000 };
    struct scene scene;
    struct counter counter = {NULL, 0, numbers, 0, 0};
    open_scene(&scene);
    assert_int_equal(fcgate_settings_set_room(scene.settings, 1, 512, 0), FCGATE_OK);
    create(&scene);
    counter.server = scene.server;
    handle(&scene, "/count", count_up, &counter);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    struct reply reply = get(scene.port, "/count");
    assert_int_equal(reply.body_size, 8 * numbers);
    for (int i = 0; i < numbers; ++i) {
        assert_int_equal(atoi(reply.body + (ptrdiff_t)8 * i), i);
    }
    forget(&reply);
    wait_for(&counter.over, FCGATE_SENT + 1);
    /* A stream without an end, which ends with the server. */
    counter.next = 0;
    counter.last = 2;
    counter.over = 0;
    const int fd = dial(scene.port);
    assert_true(send_text(fd, "GET /count HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    char some[512] = "";
    for (size_t used = 0; strstr(some, "0000001") == NULL;) {
        const ssize_t count = read(fd, some + used, sizeof some - 1 - used);
        assert_true(count > 0);
        used += (size_t)count;
    }
    fcgate_stop(scene.server, 20000);
    const int64_t begun = now_ms();
    assert_ok(&scene, fcgate_wait(scene.server, 20000, &scene.error));
    assert_true(now_ms() - begun < 15000);
    assert_int_equal(counter.stopping, 1);
    assert_int_equal(counter.over, FCGATE_SENT + 1);
    close(fd);
    close_scene(&scene);
}

static void less_than_promised_is_cut_off(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    atomic_int bytes = 0;
    open_kept(&scene, &kept, 1);
    assert_int_equal(fcgate_on_finished(scene.server, note_bytes, &bytes), FCGATE_OK);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = begin_request(&scene, &kept, "GET");
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, -2), FCGATE_INVALID);
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, 10), FCGATE_OK);
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, 10), FCGATE_INVALID);
    assert_int_equal(fcgate_later_header(scene.server, kept.ticket, "X-A", "b"), FCGATE_GONE);
    assert_int_equal(fcgate_later_write(scene.server, kept.ticket, "12345678901", 11), FCGATE_INVALID);
    assert_int_equal(fcgate_later_write(scene.server, kept.ticket, "12345", 5), 5);
    assert_int_equal(fcgate_later_end(scene.server, kept.ticket), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_true(has_field(&reply, "Content-Length: 10"));
    assert_string_equal(reply.body, "12345");
    forget(&reply);
    wait_for(&kept.lost, 1);
    wait_for(&bytes, -5);
    close_kept(&scene, &kept);
}

static void a_head_request_is_done_with_the_head(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 1);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = begin_request(&scene, &kept, "HEAD");
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, 1000), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_int_equal(reply.status, 200);
    assert_true(has_field(&reply, "Content-Length: 1000"));
    assert_int_equal(reply.body_size, 0);
    forget(&reply);
    wait_for(&kept.sent, 1);
    assert_int_equal(fcgate_later_write(scene.server, kept.ticket, "x", 1), FCGATE_GONE);
    close_kept(&scene, &kept);
}

static void a_file_may_come_later(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    char path[128];
    open_kept(&scene, &kept, 1);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    (void)snprintf(path, sizeof path, "%s/file.txt", scene.root);
    const size_t descriptors = count_entries("/proc/self/fd");
    int fd = begin_request(&scene, &kept, "GET");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fcgate_later_file(scene.server, kept.ticket, 200, "text/plain", -1, 0, 7), FCGATE_INVALID);
    assert_int_equal(fcgate_later_file(scene.server, kept.ticket, 200, "text/plain", file, 2, 6), FCGATE_INVALID);
    assert_int_equal(fcgate_later_file(scene.server, kept.ticket, 200, "text/plain", file, 2, LLONG_MAX - 1),
                     FCGATE_INVALID);
    assert_int_equal(fcgate_later_file(scene.server, kept.ticket, 200, "text/plain", file, 2, 5), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_string_equal(reply.body, "file\n");
    forget(&reply);
    wait_for(&kept.sent, 1);
    /* The client has gone by the time it comes, or a moment later: it is closed in any case, by one of us. */
    fd = begin_request(&scene, &kept, "GET");
    file = open(path, O_RDONLY | O_CLOEXEC);
    close(fd);
    if (fcgate_later_file(scene.server, kept.ticket, 200, "text/plain", file, 2, 5) != FCGATE_OK) {
        close(file);
    }
    const int64_t deadline = now_ms() + 10000;
    while (count_entries("/proc/self/fd") != descriptors && now_ms() < deadline) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    close_kept(&scene, &kept);
}

static void a_slow_client_fills_the_buffer_and_no_more(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    char piece[256];
    memset(piece, 'p', sizeof piece);
    open_kept(&scene, &kept, 1);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = begin_request(&scene, &kept, "GET");
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, FCGATE_UNKNOWN), FCGATE_OK);
    /* Until neither the sockets nor the buffer take more, and nobody says that they do. */
    int64_t quiet_since = now_ms();
    while (now_ms() - quiet_since < 200) {
        if (fcgate_later_write(scene.server, kept.ticket, piece, sizeof piece) != FCGATE_AGAIN) {
            quiet_since = now_ms();
        }
    }
    const int room = kept.room;
    struct reading reading = {fd, {0}};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_reply, &reading), 0);
    const int64_t deadline = now_ms() + 20000;
    while (kept.room == room && now_ms() < deadline) {
        /* Who was told of room just before asks for it again. */
        (void)fcgate_later_write(scene.server, kept.ticket, piece, sizeof piece);
        (void)poll(NULL, 0, 1);
    }
    assert_true(kept.room > room);
    assert_int_equal(fcgate_later_end(scene.server, kept.ticket), FCGATE_OK);
    pthread_join(reader, NULL);
    assert_true(reading.reply.body_size > sizeof piece);
    forget(&reading.reply);
    wait_for(&kept.sent, 1);
    close_kept(&scene, &kept);
}

static void the_hook_may_keep_requests_as_well(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 1);
    assert_int_equal(fcgate_on_request(scene.server, keep, &kept), FCGATE_OK);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = dial(scene.port);
    assert_true(send_text(fd, "GET /file.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    wait_for(&kept.kept, 1);
    /* It has no room to decide about a second: that one does not slip past it. */
    assert_int_equal(status_of(scene.port, "/file.txt"), 503);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "decided", 7), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_string_equal(reply.body, "decided");
    forget(&reply);
    wait_for(&kept.sent, 1);
    close_kept(&scene, &kept);
}

/* ---- replies that are pulled ---- */

struct source {
    struct kept kept; /* first: its notice gets this */
    size_t size;
    size_t done;
    size_t stop_at;  /* nothing is there from here on, once */
    ptrdiff_t error; /* at stop_at, for ever */
    atomic_int waits;
    long long length;
};

static ptrdiff_t pull(void* context, char* bytes, size_t size) {
    struct source* const source = context;
    if (source->stop_at != 0 && source->done >= source->stop_at) {
        if (source->error != 0) {
            return source->error;
        }
        source->stop_at = 0;
        ++source->waits;
        return FCGATE_AGAIN;
    }
    size_t count = source->size - source->done < size ? source->size - source->done : size;
    count = source->stop_at != 0 && count > source->stop_at - source->done ? source->stop_at - source->done : count;
    for (size_t i = 0; i < count; ++i) {
        bytes[i] = (char)('a' + (source->done + i) % 23);
    }
    source->done += count;
    return (ptrdiff_t)count;
}

static ptrdiff_t pull_nothing(void* context, char* bytes, size_t size) {
    (void)context;
    (void)bytes;
    (void)size;
    return 0;
}

static void reply_by_pull(void* context, fcgate_request* request) {
    struct source* const source = context;
    struct kept* const kept = &source->kept;
    if (fcgate_reply_pull(request, 200, NULL, source->length, pull) != FCGATE_INVALID ||
        fcgate_keep(request, take_news, kept, &kept->ticket) != FCGATE_OK ||
        fcgate_reply_pull(request, 200, NULL, -2, pull) != FCGATE_INVALID ||
        fcgate_reply_pull(request, 200, NULL, 5, NULL) != FCGATE_INVALID ||
        fcgate_reply_pull(request, 200, "text/plain", source->length, pull) != FCGATE_OK ||
        fcgate_reply_pull(request, 200, "text/plain", FCGATE_UNKNOWN, pull_nothing) != FCGATE_GONE) {
        ++kept->failed;
    }
    ++kept->kept;
}

static void open_source(struct scene* scene, struct source* source, size_t size, long long length) {
    memset(source, 0, sizeof *source);
    open_scene(scene);
    assert_int_equal(fcgate_settings_set_room(scene->settings, 1, 512, 0), FCGATE_OK);
    create(scene);
    source->kept.server = scene->server;
    source->size = size;
    source->length = length;
    handle(scene, "/pull", reply_by_pull, source);
    assert_ok(scene, fcgate_start(scene->server, &scene->error));
}

static void a_long_reply_is_pulled_as_the_client_takes_it(void** state) {
    (void)state;
    enum { size = 1000000 };
    struct scene scene;
    struct source source;
    open_source(&scene, &source, size, size);
    struct reply reply = get(scene.port, "/pull");
    assert_true(has_field(&reply, "Content-Length: 1000000"));
    assert_int_equal(reply.body_size, size);
    expect_letters(reply.body, size);
    forget(&reply);
    wait_for(&source.kept.sent, 1);
    /* HEAD asks for nothing of it. */
    source.done = 0;
    reply = request(scene.port, "HEAD", "/pull");
    assert_true(has_field(&reply, "Content-Length: 1000000"));
    forget(&reply);
    wait_for(&source.kept.sent, 2);
    assert_int_equal(source.done, 0);
    close_kept(&scene, &source.kept);
}

static void a_puller_may_wait_and_end_when_it_likes(void** state) {
    (void)state;
    struct scene scene;
    struct source source;
    open_source(&scene, &source, 100, FCGATE_UNKNOWN);
    source.stop_at = 40;
    const int fd = dial(scene.port);
    assert_true(send_text(fd, "GET /pull HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    wait_for(&source.waits, 1);
    assert_int_equal(status_of(scene.port, "/file.txt"), 200);
    assert_int_equal(source.done, 40);
    assert_int_equal(fcgate_wake(scene.server, source.kept.ticket), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_true(has_field(&reply, "Transfer-Encoding: chunked"));
    assert_string_equal(reply.body + reply.body_size - 5, "0\r\n\r\n");
    assert_int_equal(source.done, 100);
    forget(&reply);
    wait_for(&source.kept.sent, 1);
    close_kept(&scene, &source.kept);
}

static void a_puller_that_fails_cuts_the_reply_off(void** state) {
    (void)state;
    const struct {
        size_t size;
        ptrdiff_t error;
        long long length;
    } cases[] = {{100, FCGATE_ERROR, FCGATE_UNKNOWN}, {100, FCGATE_ERROR, 100}, {60, 0, 100}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct scene scene;
        struct source source;
        open_source(&scene, &source, cases[i].size, cases[i].length);
        source.stop_at = cases[i].error != 0 ? 60 : 0;
        source.error = cases[i].error;
        struct reply reply = get(scene.port, "/pull");
        assert_int_equal(reply.status, 200);
        assert_null(strstr(reply.body, "0\r\n\r\n"));
        assert_true(cases[i].length < 0 || reply.body_size < 100);
        forget(&reply);
        wait_for(&source.kept.lost, 1);
        close_kept(&scene, &source.kept);
    }
}

/* ---- the end of a server, two of them, and crowds ---- */

static void a_stop_waits_for_those_that_end(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 2);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int stays = begin_request(&scene, &kept, "GET");
    const int ends = begin_request(&scene, &kept, "GET");
    fcgate_stop(scene.server, 20000);
    wait_for(&kept.stopping, 2);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "in time", 7), FCGATE_OK);
    struct reply reply = receive_last(ends);
    assert_string_equal(reply.body, "in time");
    forget(&reply);
    wait_for(&kept.sent, 1);
    assert_int_equal(fcgate_wait(scene.server, 0, NULL), FCGATE_AGAIN);
    fcgate_stop(scene.server, 0);
    assert_ok(&scene, fcgate_wait(scene.server, 20000, &scene.error));
    assert_int_equal(kept.lost, 1);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "late", 4), FCGATE_GONE);
    close(stays);
    close_kept(&scene, &kept);
}

/* Turns of the host's loop, until so many are counted. */
static void turn_until(const struct scene* scene, const atomic_int* count, int value) {
    const int64_t deadline = now_ms() + 20000;
    struct pollfd watched = {fcgate_fd(scene->server, NULL), POLLIN, 0};
    while (*count != value && now_ms() < deadline) {
        (void)poll(&watched, 1, fcgate_timeout_ms(scene->server));
        assert_int_equal(fcgate_dispatch(scene->server, NULL), FCGATE_OK);
    }
    assert_int_equal(*count, value);
}

static void who_is_kept_behind_a_stop_is_told_of_it_as_well(void** state) {
    (void)state;
    static const char request[] = "GET /later HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 2);
    assert_true(fcgate_fd(scene.server, &scene.error) >= 0);
    const int late = dial(scene.port); /* taken in before the other one */
    const int early = dial(scene.port);
    assert_true(send_text(early, request));
    turn_until(&scene, &kept.kept, 1);
    fcgate_stop(scene.server, 20000);
    turn_until(&scene, &kept.stopping, 1);
    assert_true(send_text(late, request));
    turn_until(&scene, &kept.kept, 2);
    assert_int_equal(kept.stopping, 2); /* or it would last until the deadline */
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "bye", 3), FCGATE_OK);
    turn_until(&scene, &kept.sent, 1);
    assert_int_equal(kept.stopping, 2);
    struct reply reply = receive_last(late);
    assert_string_equal(reply.body, "bye");
    forget(&reply);
    close(early);
    close_kept(&scene, &kept);
}

static void what_is_kept_is_lost_with_its_server(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 1);
    assert_int_equal(fcgate_wake(scene.server, 1ULL << 56), FCGATE_GONE); /* nothing runs yet */
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = begin_request(&scene, &kept, "GET");
    assert_int_equal(fcgate_later_begin(scene.server, kept.ticket, 200, NULL, FCGATE_UNKNOWN), FCGATE_OK);
    close_kept(&scene, &kept);
    assert_int_equal(kept.lost, 1);
    close(fd);
}

/* A host that ends a call when it hears of the end of a request. */
struct pair {
    fcgate_server* server;
    fcgate_ticket call;
    atomic_int kept;
    int lost;
    int wrong;
    int ended;
};

static void end_call(void* context, fcgate_ticket ticket, int news) {
    struct pair* const pair = context;
    if (news == FCGATE_LOST) {
        ++pair->lost;
        pair->wrong += fcgate_wake(pair->server, ticket) != FCGATE_GONE;
        (void)fcgate_call_end(pair->server, pair->call);
    }
}

static void keep_with_call(void* context, fcgate_request* request) {
    struct pair* const pair = context;
    pair->kept += fcgate_keep(request, end_call, pair, NULL) == FCGATE_OK;
}

static void note_end(void* context, int result, unsigned status) {
    struct pair* const pair = context;
    ++pair->ended;
    pair->wrong += result != FCGATE_GONE || status != 0;
    pair->wrong += fcgate_call_wake(pair->server, pair->call) != FCGATE_GONE;
}

static void a_last_word_on_a_request_may_name_a_call(void** state) {
    (void)state;
    static const fcgate_caller caller = {NULL, NULL, note_end};
    struct scene scene;
    struct pair pair;
    memset(&pair, 0, sizeof pair);
    open_scene(&scene);
    set(&scene, "backend.address", "unix:/tmp/fcgate-library-none.sock");
    assert_int_equal(fcgate_settings_set_room(scene.settings, 1, 512, 0), FCGATE_OK);
    assert_int_equal(fcgate_settings_set_calls(scene.settings, 1, 512), FCGATE_OK);
    create(&scene);
    pair.server = scene.server;
    handle(&scene, "/later", keep_with_call, &pair);
    assert_true(fcgate_fd(scene.server, &scene.error) >= 0);
    const int client = dial(scene.port);
    assert_true(send_text(client, "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    turn_until(&scene, &pair.kept, 1);
    fcgate_script script = {0};
    script.file = "/srv/t.php";
    assert_int_equal(fcgate_call(scene.server, &script, &caller, &pair, &pair.call), FCGATE_OK);
    close_scene(&scene);
    assert_int_equal(pair.lost, 1);
    assert_int_equal(pair.ended, 1);
    assert_int_equal(pair.wrong, 0);
    close(client);
}

static void a_kept_request_ends_under_its_own_configuration(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    char listen[128];
    open_kept(&scene, &kept, 1);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    const int fd = begin_request(&scene, &kept, "GET");
    fcgate_settings* const next = fcgate_settings_create();
    scene.settings = next;
    set(&scene, "site.root", scene.root);
    set(&scene, "site.header", "X-Site never");
    (void)snprintf(listen, sizeof listen, "unix:%s/socket", scene.root);
    set(&scene, "server.listen", listen);
    assert_ok(&scene, fcgate_reload(scene.server, next, &scene.error));
    scene.settings = NULL;
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "still", 5), FCGATE_OK);
    struct reply reply = receive_last(fd);
    assert_string_equal(reply.body, "still");
    assert_true(has_field(&reply, "X-Site: always"));
    forget(&reply);
    close_kept(&scene, &kept);
}

static void two_servers_know_nothing_of_each_other(void** state) {
    (void)state;
    struct scene scenes[2];
    struct kept kept[2];
    int fds[2];
    for (int i = 0; i < 2; ++i) {
        open_kept(&scenes[i], &kept[i], 1);
        assert_ok(&scenes[i], fcgate_start(scenes[i].server, &scenes[i].error));
    }
    fds[0] = begin_request(&scenes[0], &kept[0], "GET");
    assert_int_equal(fcgate_later_reply(scenes[1].server, kept[0].ticket, 200, NULL, "wrong", 5), FCGATE_GONE);
    fds[1] = begin_request(&scenes[1], &kept[1], "GET");
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(fcgate_later_reply(scenes[i].server, kept[i].ticket, 200, NULL, i == 0 ? "one" : "two", 3),
                         FCGATE_OK);
        struct reply reply = receive_last(fds[i]);
        assert_string_equal(reply.body, i == 0 ? "one" : "two");
        forget(&reply);
    }
    close_kept(&scenes[0], &kept[0]);
    close_kept(&scenes[1], &kept[1]);
}

/* A crowd whose requests are answered by threads of the host's, in three ways. */
enum { answerers = 2, visitors = 4, visits = 30, queue_size = 64 };

struct office {
    struct kept kept; /* first: its notice gets this */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    fcgate_ticket queue[queue_size];
    size_t count;
    bool closes;
    unsigned port;
};

static void hand_in(void* context, fcgate_request* request) {
    struct office* const office = context;
    fcgate_ticket ticket = 0;
    if (fcgate_keep(request, take_news, office, &ticket) == FCGATE_OK) {
        ++office->kept.kept;
        pthread_mutex_lock(&office->lock);
        office->queue[office->count++] = ticket;
        pthread_cond_signal(&office->changed);
        pthread_mutex_unlock(&office->lock);
    }
}

static void answer_one(fcgate_server* server, fcgate_ticket ticket) {
    static const char text[] = "the answer, in a few pieces, as it happens";
    const size_t size = sizeof text - 1;
    (void)fcgate_later_header(server, ticket, "X-Kind", ticket % 3 == 0 ? "whole" : "pushed");
    if (ticket % 3 == 0) {
        (void)fcgate_later_reply(server, ticket, 200, "text/plain", text, size);
        return;
    }
    (void)fcgate_later_begin(server, ticket, 200, "text/plain", (long long)size);
    for (size_t done = 0; done < size;) {
        const ptrdiff_t count = fcgate_later_write(server, ticket, text + done, size - done < 7 ? size - done : 7);
        if (count < 0) {
            return;
        }
        done += (size_t)count;
    }
    (void)fcgate_later_end(server, ticket);
}

static void* answer_all(void* argument) {
    struct office* const office = argument;
    pthread_mutex_lock(&office->lock);
    for (;;) {
        while (office->count == 0 && !office->closes) {
            pthread_cond_wait(&office->changed, &office->lock);
        }
        if (office->count == 0) {
            break;
        }
        const fcgate_ticket ticket = office->queue[--office->count];
        pthread_mutex_unlock(&office->lock);
        answer_one(office->kept.server, ticket);
        pthread_mutex_lock(&office->lock);
    }
    pthread_mutex_unlock(&office->lock);
    return NULL;
}

static void* visit(void* argument) {
    const struct office* const office = argument;
    intptr_t right = 0;
    for (int i = 0; i < visits; ++i) {
        if (i % 5 == 4) {
            /* One that does not wait. */
            const int fd = dial(office->port);
            (void)send_text(fd, "GET /office HTTP/1.1\r\nHost: localhost\r\n\r\n");
            close(fd);
            continue;
        }
        struct reply reply = get(office->port, "/office");
        right += reply.status == 200 && strcmp(reply.body, "the answer, in a few pieces, as it happens") == 0;
        forget(&reply);
    }
    return (void*)right;
}

static void threads_of_the_host_answer_a_crowd(void** state) {
    (void)state;
    struct scene scene;
    static struct office office;
    pthread_t threads[answerers + visitors];
    open_scene(&scene);
    set(&scene, "server.threads", "2");
    assert_int_equal(fcgate_settings_set_room(scene.settings, queue_size / 2, 512, 0), FCGATE_OK);
    create(&scene);
    pthread_mutex_init(&office.lock, NULL);
    pthread_cond_init(&office.changed, NULL);
    office.kept.server = scene.server;
    office.port = scene.port;
    handle(&scene, "/office", hand_in, &office);
    assert_ok(&scene, fcgate_start(scene.server, &scene.error));
    for (int i = 0; i < answerers + visitors; ++i) {
        assert_int_equal(pthread_create(&threads[i], NULL, i < answerers ? answer_all : visit, &office), 0);
    }
    for (int i = answerers; i < answerers + visitors; ++i) {
        void* right = NULL;
        pthread_join(threads[i], &right);
        assert_int_equal((intptr_t)right, visits - visits / 5);
    }
    pthread_mutex_lock(&office.lock);
    office.closes = true;
    pthread_cond_broadcast(&office.changed);
    pthread_mutex_unlock(&office.lock);
    for (int i = 0; i < answerers; ++i) {
        pthread_join(threads[i], NULL);
    }
    close_kept(&scene, &office.kept);
    pthread_cond_destroy(&office.changed);
    pthread_mutex_destroy(&office.lock);
}

static void a_loop_of_the_host_is_woken_by_other_threads(void** state) {
    (void)state;
    struct scene scene;
    struct kept kept;
    open_kept(&scene, &kept, 1);
    const int fd = fcgate_fd(scene.server, &scene.error);
    assert_true(fd >= 0);
    const int client = dial(scene.port);
    assert_true(send_text(client, "GET /later HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    struct pollfd watched = {fd, POLLIN, 0};
    const int64_t deadline = now_ms() + 20000;
    turn_until(&scene, &kept.kept, 1);
    assert_int_equal(fcgate_later_reply(scene.server, kept.ticket, 200, NULL, "woken", 5), FCGATE_OK);
    /* Nothing but that reply makes the descriptor ready. */
    assert_int_equal(poll(&watched, 1, 10000), 1);
    while (kept.sent == 0 && now_ms() < deadline) {
        assert_int_equal(fcgate_dispatch(scene.server, &scene.error), FCGATE_OK);
    }
    struct reply reply = receive_last(client);
    assert_string_equal(reply.body, "woken");
    forget(&reply);
    close_kept(&scene, &kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_comes_later_from_another_thread),
        cmocka_unit_test(a_reply_may_come_before_the_handler_is_back),
        cmocka_unit_test(who_leaves_is_told_of_once),
        cmocka_unit_test(no_more_are_kept_than_there_is_room_for),
        cmocka_unit_test(a_reply_is_begun_with_room_for_a_byte_or_not_at_all),
        cmocka_unit_test(a_reply_that_another_was_sent_in_place_of_is_lost),
        cmocka_unit_test(a_long_reply_is_pushed_through_a_small_buffer),
        cmocka_unit_test(a_reply_may_be_pushed_by_its_notices_alone),
        cmocka_unit_test(less_than_promised_is_cut_off),
        cmocka_unit_test(a_head_request_is_done_with_the_head),
        cmocka_unit_test(a_file_may_come_later),
        cmocka_unit_test(a_slow_client_fills_the_buffer_and_no_more),
        cmocka_unit_test(the_hook_may_keep_requests_as_well),
        cmocka_unit_test(a_long_reply_is_pulled_as_the_client_takes_it),
        cmocka_unit_test(a_puller_may_wait_and_end_when_it_likes),
        cmocka_unit_test(a_puller_that_fails_cuts_the_reply_off),
        cmocka_unit_test(a_stop_waits_for_those_that_end),
        cmocka_unit_test(who_is_kept_behind_a_stop_is_told_of_it_as_well),
        cmocka_unit_test(what_is_kept_is_lost_with_its_server),
        cmocka_unit_test(a_last_word_on_a_request_may_name_a_call),
        cmocka_unit_test(a_kept_request_ends_under_its_own_configuration),
        cmocka_unit_test(two_servers_know_nothing_of_each_other),
        cmocka_unit_test(threads_of_the_host_answer_a_crowd),
        cmocka_unit_test(a_loop_of_the_host_is_woken_by_other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
