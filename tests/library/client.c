#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static const struct timeval patience = {20, 0};

int listen_on_loopback(unsigned* port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr*)&address, &size) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static int connected(int fd, const struct sockaddr* address, socklen_t size) {
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, address, size) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int dial(unsigned port) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (const struct sockaddr*)&address, sizeof address);
}

int dial_path(const char* path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (const struct sockaddr*)&address, sizeof address);
}

bool send_text(int fd, const char* text) {
    size_t left = strlen(text);
    while (left > 0) {
        const ssize_t count = send(fd, text, left, MSG_NOSIGNAL);
        if (count <= 0) {
            return false;
        }
        text += count;
        left -= (size_t)count;
    }
    return true;
}

struct reply receive_last(int fd) {
    struct reply reply = {0, NULL, "", 0};
    size_t room = 16384;
    size_t size = 0;
    char* bytes = malloc(room);
    ssize_t count = fd >= 0 && bytes != NULL ? 1 : 0;
    while (count > 0) {
        if (room - size < 8192) {
            room *= 2;
            char* const more = realloc(bytes, room);
            if (more == NULL) {
                break;
            }
            bytes = more;
        }
        count = recv(fd, bytes + size, room - size - 1, 0);
        size += count > 0 ? (size_t)count : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (bytes == NULL) {
        return reply;
    }
    bytes[size] = '\0';
    reply.head = bytes;
    char* const end = strstr(bytes, "\r\n\r\n");
    if (end == NULL || sscanf(bytes, "HTTP/1.1 %d", &reply.status) != 1) {
        return reply;
    }
    end[2] = '\0';
    reply.body = end + 4;
    reply.body_size = size - (size_t)(reply.body - bytes);
    return reply;
}

struct reply ask(unsigned port, const char* request) {
    const int fd = dial(port);
    if (fd >= 0) {
        (void)send_text(fd, request);
    }
    return receive_last(fd);
}

struct reply request(unsigned port, const char* method, const char* path) {
    char text[9000];
    (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path);
    return ask(port, text);
}

struct reply get(unsigned port, const char* path) {
    return request(port, "GET", path);
}

int status_of(unsigned port, const char* path) {
    struct reply reply = get(port, path);
    forget(&reply);
    return reply.status;
}

bool has_field(const struct reply* reply, const char* line) {
    const size_t length = strlen(line);
    const char* at = reply->head;
    while (at != NULL && (at = strstr(at, "\r\n")) != NULL) {
        at += 2;
        if (strncasecmp(at, line, length) == 0 && at[length] == '\r') {
            return true;
        }
    }
    return false;
}

void forget(struct reply* reply) {
    free(reply->head);
    reply->head = NULL;
    reply->body = "";
    reply->body_size = 0;
}
