// A bare FastCGI loop, without HTTP: how fast a pool can be asked at all. loop SOCKET SCRIPT CONNECTIONS SECONDS
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { most_connections = 64, begin_request = 1, end_request = 3, params = 4, standard_input = 5 };

static unsigned char request[4096];
static size_t request_size;

static void add_header(int type, size_t length) {
    const unsigned char header[8] = {
        1, (unsigned char)type, 0, 1, (unsigned char)(length >> 8U), (unsigned char)length, 0, 0};
    memcpy(request + request_size, header, sizeof header);
    request_size += sizeof header;
}

static size_t add_pair(unsigned char* to, const char* name, const char* value) {
    const size_t name_size = strlen(name);
    const size_t value_size = strlen(value);
    to[0] = (unsigned char)name_size;
    to[1] = 0x80;
    to[2] = 0;
    to[3] = (unsigned char)(value_size >> 8U);
    to[4] = (unsigned char)value_size;
    memcpy(to + 5, name, name_size);
    memcpy(to + 5 + name_size, value, value_size);
    return 5 + name_size + value_size;
}

// The variables that a server for CGI has to send, so that PHP has the same to do.
static void build(const char* script) {
    const unsigned char begin[8] = {0, 1, 1, 0, 0, 0, 0, 0};  // responder, keep the connection
    static unsigned char pairs[3000];
    const char* const variables[][2] = {
        {"SCRIPT_FILENAME", script},
        {"SCRIPT_NAME", "/hello.php"},
        {"DOCUMENT_URI", "/hello.php"},
        {"DOCUMENT_ROOT", "/"},
        {"REQUEST_URI", "/hello.php"},
        {"QUERY_STRING", ""},
        {"REQUEST_METHOD", "GET"},
        {"CONTENT_TYPE", ""},
        {"CONTENT_LENGTH", ""},
        {"SERVER_PROTOCOL", "HTTP/1.1"},
        {"GATEWAY_INTERFACE", "CGI/1.1"},
        {"SERVER_SOFTWARE", "loop"},
        {"REMOTE_ADDR", "127.0.0.1"},
        {"REMOTE_PORT", "12345"},
        {"SERVER_ADDR", "127.0.0.1"},
        {"SERVER_PORT", "8080"},
        {"SERVER_NAME", "127.0.0.1:8080"},
        {"REQUEST_SCHEME", "http"},
        {"HTTP_HOST", "127.0.0.1:8080"},
        {"REDIRECT_STATUS", "200"},
    };
    size_t size = 0;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; ++i) {
        size += add_pair(pairs + size, variables[i][0], variables[i][1]);
    }
    add_header(begin_request, sizeof begin);
    memcpy(request + request_size, begin, sizeof begin);
    request_size += sizeof begin;
    add_header(params, size);
    memcpy(request + request_size, pairs, size);
    request_size += size;
    add_header(params, 0);
    add_header(standard_input, 0);
}

static int64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

struct connection {
    unsigned char data[65536];
    size_t size;
    int64_t since;
};

static struct connection connections[most_connections];

static void ask(int fd, struct connection* connection) {
    connection->size = 0;
    connection->since = now_us();
    if (send(fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size) {
        perror("send");
        exit(1);
    }
}

// Whether all of the answer is there.
static int is_ended(const struct connection* connection) {
    size_t at = 0;
    while (connection->size - at >= 8) {
        const unsigned char* const header = connection->data + at;
        if (header[1] == end_request) {
            return 1;
        }
        const size_t size = 8U + ((size_t)header[4] << 8U) + header[5] + header[6];
        if (connection->size - at < size) {
            return 0;
        }
        at += size;
    }
    return 0;
}

static int compare(const void* a, const void* b) {
    const uint32_t x = *(const uint32_t*)a;
    const uint32_t y = *(const uint32_t*)b;
    return (x > y) - (x < y);
}

int main(int count, char** arguments) {
    if (count != 5) {
        return 2;
    }
    build(arguments[2]);
    const int number = atoi(arguments[3]);
    const int64_t duration = (int64_t)atoi(arguments[4]) * 1000000;
    static struct pollfd watched[most_connections];
    enum { most_times = 1 << 22 };
    static uint32_t times[most_times];
    size_t answered = 0;
    const int64_t started = now_us();
    for (int i = 0; i < number && i < most_connections; ++i) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s", arguments[1]);
        watched[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
        watched[i].events = POLLIN;
        if (connect(watched[i].fd, (struct sockaddr*)&address, sizeof address) != 0) {
            perror("connect");
            return 1;
        }
        ask(watched[i].fd, &connections[i]);
    }
    int64_t now = started;
    while (now - started < duration && poll(watched, (nfds_t)number, 1000) > 0) {
        for (int i = 0; i < number; ++i) {
            if (watched[i].revents == 0) {
                continue;
            }
            struct connection* const connection = &connections[i];
            const ssize_t size =
                recv(watched[i].fd, connection->data + connection->size, sizeof connection->data - connection->size, 0);
            if (size <= 0) {
                fputs("php-fpm has closed\n", stderr);
                return 1;
            }
            connection->size += (size_t)size;
            if (is_ended(connection)) {
                times[answered++ % most_times] = (uint32_t)(now_us() - connection->since);
                ask(watched[i].fd, connection);
            }
        }
        now = now_us();
    }
    const size_t kept = answered < most_times ? answered : most_times;
    qsort(times, kept, sizeof *times, compare);
    printf("figures %zu %lld %u %u 0\n", answered, (long long)(now - started), times[kept / 2], times[kept * 99 / 100]);
    return 0;
}
