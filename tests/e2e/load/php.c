/* A FastCGI backend on a unix socket: it reads each request whole and answers with the nonces that its parameters have. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "load.h"

enum { begin_request = 1, end_request = 3, params = 4, stdin_stream = 5, stdout_stream = 6 };
enum { header_size = 8, params_room = 1 << 17, answer_room = 1 << 15 };

struct connection {
    struct source source;
    int fd;
    unsigned char header[header_size];
    size_t header_have, content_left, padding_left;
    char* params;
    size_t params_size;
    char* answer;
    size_t answer_size, answer_sent;
    bool is_held_back;
};

static struct source listener;
static int listener_fd;

static size_t put_header(char* to, int type, size_t size) {
    const unsigned char header[header_size] = {
        1, (unsigned char)type, 0, 1, (unsigned char)(size >> 8), (unsigned char)size, 0, 0};
    memcpy(to, header, header_size);
    return header_size;
}

static void end(struct connection* php) {
    close(php->fd);
    free(php->params);
    free(php->answer);
    free(php);
}

/* False: the connection is gone. */
static bool send_answer(struct connection* php) {
    while (php->answer_sent < php->answer_size) {
        const ssize_t sent = send(php->fd, php->answer + php->answer_sent, php->answer_size - php->answer_sent,
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            php->is_held_back = true;
            watch(php->fd, &php->source, EPOLLOUT, false);
            return true;
        }
        if (sent < 0) {
            return false;
        }
        php->answer_sent += (size_t)sent;
    }
    if (php->is_held_back) {
        php->is_held_back = false;
        watch(php->fd, &php->source, EPOLLIN, false);
    }
    php->answer_size = php->answer_sent = 0;
    return true;
}

/* A field like REQUEST_URI has the nonce that QUERY_STRING has: each is told once. */
static unsigned nonces_of(const struct connection* php, uint64_t nonces[8]) {
    unsigned count = 0;
    uint64_t nonce = 0;
    for (size_t at = 0; count < 8 && find_nonce(php->params, php->params_size, &at, &nonce);) {
        unsigned i = 0;
        while (i < count && nonces[i] != nonce) {
            ++i;
        }
        if (i == count) {
            nonces[count++] = nonce;
            note_run(nonce);
        }
    }
    return count;
}

static bool answer(struct connection* php) {
    uint64_t nonces[8];
    const unsigned count = nonces_of(php, nonces);
    const size_t more = count > 0 ? filler_size(nonces[0]) : 0;
    const size_t body = 4 + count * nonce_size + 1 + more;
    char* const text = php->answer;
    char* at = text + header_size;
    at = stpcpy(at, "Content-Type: text/plain\r\n");
    if (count > 0 && nonces[0] / most_nonces % 2 == 0) {
        char digits[8];
        size_t place = sizeof digits;
        for (size_t left = body; left > 0; left /= 10) {
            digits[--place] = (char)('0' + left % 10);
        }
        at = stpcpy(at, "Content-Length: ");
        at = mempcpy(at, digits + place, sizeof digits - place);
        at = stpcpy(at, "\r\n");
    }
    at = stpcpy(at, "\r\nphp ");
    for (unsigned i = 0; i < count; ++i, at += nonce_size) {
        write_nonce(at, nonces[i]);
    }
    *at++ = '\n';
    at = more > 0 ? mempcpy(at, filler(nonces[0]), more) : at;
    put_header(text, stdout_stream, (size_t)(at - text) - header_size);
    at += put_header(at, end_request, 8);
    memset(at, 0, 8);
    php->answer_size = (size_t)(at + 8 - text);
    php->params_size = 0;
    return send_answer(php);
}

/* False: the connection is gone. */
static bool read_records(struct connection* php, const char* data, size_t size) {
    while (size > 0) {
        size_t take = 1;
        if (php->header_have < header_size) {
            php->header[php->header_have++] = (unsigned char)*data;
            if (php->header_have == header_size) {
                php->content_left = (size_t)php->header[4] << 8 | php->header[5];
                php->padding_left = php->header[6];
                if (php->header[0] != 1 || php->header[1] == 0 || php->header[1] > stdin_stream) {
                    give_up("PHP was sent a record that is none");
                }
            }
        } else if (php->content_left > 0) {
            take = size < php->content_left ? size : php->content_left;
            if (php->header[1] == params) {
                if (php->params_size + take > params_room) {
                    give_up("PHP was sent more parameters than any request has");
                }
                memcpy(php->params + php->params_size, data, take);
                php->params_size += take;
            }
            php->content_left -= take;
        } else {
            take = size < php->padding_left ? size : php->padding_left;
            php->padding_left -= take;
        }
        data += take;
        size -= take;
        if (php->header_have == header_size && php->content_left == 0 && php->padding_left == 0) {
            php->header_have = 0;
            if (php->header[1] == stdin_stream && php->header[4] == 0 && php->header[5] == 0) {
                return answer(php);
            }
        }
    }
    return true;
}

static void on_connection(struct source* source, uint32_t events) {
    static char data[1 << 16];
    struct connection* const php = (struct connection*)source;
    bool lives = true;
    if (php->answer_size > 0) {
        lives = (events & (EPOLLHUP | EPOLLERR)) == 0 && send_answer(php);
    } else {
        const ssize_t size = recv(php->fd, data, sizeof data, MSG_DONTWAIT);
        lives = size > 0 ? read_records(php, data, (size_t)size) : size < 0 && errno == EAGAIN;
    }
    if (!lives) {
        end(php);
    }
}

static void on_listener(struct source* source, uint32_t events) {
    (void)source;
    (void)events;
    const int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC);
    struct connection* const php = fd >= 0 ? calloc(1, sizeof *php) : NULL;
    if (php != NULL) {
        php->source.on_event = on_connection;
        php->fd = fd;
        php->params = malloc(params_room);
        php->answer = malloc(answer_room);
        watch(fd, &php->source, EPOLLIN, true);
    }
}

void php_listen(const char* path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    listener_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    if (bind(listener_fd, (const struct sockaddr*)&address, sizeof address) != 0 || chmod(path, 0666) != 0 ||
        listen(listener_fd, 1024) != 0) {
        give_up("no place for PHP's socket");
    }
    listener.on_event = on_listener;
    watch(listener_fd, &listener, EPOLLIN, true);
}
