// Asks for one address over and over: load PORT CONNECTIONS MILLISECONDS METHOD PATH [FIELD]...
//
// wrk does not run on 32-bit ARM: it counts in 64-bit words that are not aligned there. This prints the same line as wrk.lua: requests,
// microseconds, p50 and p99 in microseconds, errors. A reply may have a length, be in chunks, or end with its connection.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { most_connections = 256, head_max = 8192, latencies_max = 1 << 20 };

enum part { in_head, in_body, in_chunk_size, in_chunk, behind_chunk, in_trailer, to_the_end };

struct connection {
    int fd;
    enum part part;
    int closes;        // the server said so
    size_t left;       // of the body or the chunk
    size_t line;       // of what is read line by line: how long it is so far
    size_t head_size;  // of the head so far
    int64_t begun;
    char head[head_max];
};

static struct connection connections[most_connections];
static struct sockaddr_in server;
static char request[4096];
static size_t request_size;
static uint32_t latencies[latencies_max];
static size_t requests;
static size_t errors;
static int epoll_fd;

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void fail(const char* what) {
    perror(what);
    exit(1);
}

static void ask(struct connection* c) {
    c->part = in_head;
    c->head_size = c->line = c->left = 0;
    c->closes = 0;
    c->begun = now_us();
    if (send(c->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size) {
        ++errors;  // the end of the connection comes as an event
    }
}

static void open_connection(struct connection* c) {
    const int on = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr*)&server, sizeof server) != 0) {
        fail("connect");
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        fail("epoll_ctl");
    }
    ask(c);
}

static void open_again(struct connection* c) {
    close(c->fd);
    open_connection(c);
}

static void finish(struct connection* c) {
    const int status = atoi(c->head + sizeof "HTTP/1.1");
    if (requests < latencies_max) {
        latencies[requests] = (uint32_t)(now_us() - c->begun);
    }
    ++requests;
    errors += status < 200 || status > 399;
    if (c->closes) {
        open_again(c);
    } else {
        ask(c);
    }
}

// The value of a field of the head, or a null pointer.
static const char* field(const char* head, const char* name) {
    const size_t size = strlen(name);
    for (const char* line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) == 0) {
            return line + 2 + size + strspn(line + 2 + size, " ");
        }
    }
    return NULL;
}

// Reads the head as far as it came; how many of the bytes were its.
static size_t take_head(struct connection* c, const char* bytes, size_t size) {
    const size_t before = c->head_size;
    const size_t room = head_max - 1 - before;
    const size_t count = size < room ? size : room;
    memcpy(c->head + before, bytes, count);
    c->head_size += count;
    c->head[c->head_size] = '\0';
    const char* const end = strstr(c->head, "\r\n\r\n");
    if (end == NULL) {
        if (count == room) {
            fail("a head is too long");
        }
        return count;
    }
    const size_t head_size = (size_t)(end - c->head) + 4;
    c->head[head_size - 2] = '\0';
    const char* const length = field(c->head, "Content-Length:");
    const char* const coding = field(c->head, "Transfer-Encoding:");
    const char* const connection = field(c->head, "Connection:");
    c->closes = connection != NULL && strncasecmp(connection, "close", 5) == 0;
    if (coding != NULL) {
        c->part = in_chunk_size;
    } else if (length != NULL || strncmp(c->head + sizeof "HTTP/1.1", "304", 3) == 0) {
        c->part = in_body;
        c->left = length != NULL && c->head[sizeof "HTTP/1.1"] == '2' ? strtoul(length, NULL, 10) : 0;
    } else {
        c->part = to_the_end;
    }
    return head_size - before;
}

// Goes on with the reply; how many bytes were taken. Sets `done` at its end.
static size_t take(struct connection* c, const char* bytes, size_t size, int* done) {
    const size_t count = size < c->left ? size : c->left;
    switch (c->part) {
        case in_head: {
            const size_t taken = take_head(c, bytes, size);
            *done = c->part == in_body && c->left == 0;
            return taken;
        }
        case in_body:
            c->left -= count;
            *done = c->left == 0;
            return count;
        case in_chunk_size:
            if (*bytes != '\n') {
                const char* const digits = "0123456789abcdef";
                const char* const digit = *bytes == '\r' ? NULL : strchr(digits, *bytes | 0x20);
                c->left = digit != NULL ? c->left * 16 + (size_t)(digit - digits) : c->left;
                return 1;
            }
            c->part = c->left == 0 ? in_trailer : in_chunk;
            c->line = 0;
            return 1;
        case in_chunk:
            c->left -= count;
            if (c->left == 0) {
                c->part = behind_chunk;
            }
            return count;
        case behind_chunk:
            if (*bytes == '\n') {
                c->part = in_chunk_size;
            }
            return 1;
        case in_trailer:
            if (*bytes == '\n') {
                *done = c->line == 0;
                c->line = 0;
            } else if (*bytes != '\r') {
                ++c->line;
            }
            return 1;
        case to_the_end:
            return size;
    }
    return size;
}

static void on_event(struct connection* c) {
    static char bytes[1 << 16];
    const ssize_t size = recv(c->fd, bytes, sizeof bytes, 0);
    if (size <= 0) {
        if (size == 0 && c->part == to_the_end) {
            c->closes = 1;
            finish(c);
            return;
        }
        // A kept connection may end between two requests, but not in a reply.
        errors += size < 0 || c->head_size > 0;
        open_again(c);
        return;
    }
    size_t at = 0;
    int done = 0;
    while (at < (size_t)size && !done) {
        at += take(c, bytes + at, (size_t)size - at, &done);
    }
    if (done) {
        errors += at < (size_t)size;  // nobody has asked for more
        finish(c);
    }
}

static int compare(const void* a, const void* b) {
    const uint32_t x = *(const uint32_t*)a;
    const uint32_t y = *(const uint32_t*)b;
    return (x > y) - (x < y);
}

static void build(int argc, char** argv) {
    request_size = (size_t)snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", argv[4], argv[5]);
    for (int i = 6; i < argc && request_size < sizeof request; ++i) {
        request_size += (size_t)snprintf(request + request_size, sizeof request - request_size, "%s\r\n", argv[i]);
    }
    if (request_size + 3 > sizeof request) {
        fail("the request is too long");
    }
    memcpy(request + request_size, "\r\n", 3);
    request_size += 2;
}

int main(int argc, char** argv) {
    if (argc < 6) {
        (void)fputs("load PORT CONNECTIONS MILLISECONDS METHOD PATH [FIELD]...\n", stderr);
        return 2;
    }
    const int count = atoi(argv[2]);
    if (count < 1 || count > most_connections) {
        fail("too many connections");
    }
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    build(argc, argv);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < count; ++i) {
        open_connection(&connections[i]);
    }
    const int64_t begun = now_us();
    const int64_t end = begun + (int64_t)atoi(argv[3]) * 1000;
    int64_t now = begun;
    while (now < end) {
        struct epoll_event events[64];
        const int found = epoll_wait(epoll_fd, events, 64, (int)((end - now + 999) / 1000));
        for (int i = 0; i < found; ++i) {
            on_event(events[i].data.ptr);
        }
        now = now_us();
    }
    // Who still waits has waited so long: a server must not win by serving the others.
    for (int i = 0; i < count && requests + (size_t)i < latencies_max; ++i) {
        latencies[requests + (size_t)i] = (uint32_t)(now - connections[i].begun);
    }
    size_t told = requests + (size_t)count;
    told = told < latencies_max ? told : latencies_max;
    qsort(latencies, told, sizeof *latencies, &compare);
    printf("figures %zu %lld %u %u %zu\n", requests, (long long)(now - begun), (unsigned)latencies[told / 2],
           (unsigned)latencies[told * 99 / 100], errors);
    return 0;
}
