// A response that libmicrohttpd has ready in memory: how fast fcgate's HTTP could be at all. ready PORT SIZE
// The bundled library accepts nobody by itself (as fcgate wants it). Whoever connects is taken after each 16 turns, so that looking for them costs nothing
// worth counting.
#define _GNU_SOURCE
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { turns_between = 16, most_connections = 1200, wait_ms = 20 };

static enum MHD_Result answer(void* context, struct MHD_Connection* connection, const char* url, const char* method,
                              const char* version, const char* body, size_t* body_size, void** state) {
    (void)url, (void)method, (void)version, (void)body, (void)body_size;
    if (*state == NULL) {
        // A reply to the first call would end the connection.
        *state = connection;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, context);
}

static int open_listener(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const int is_good =
        fd >= 0 && bind(fd, (const struct sockaddr*)&address, sizeof address) == 0 && listen(fd, most_connections) == 0;
    return is_good ? fd : -1;
}

static int accept_all(struct MHD_Daemon* daemon, int listener) {
    struct sockaddr_in client;
    socklen_t size = sizeof client;
    for (int fd; (fd = accept4(listener, (struct sockaddr*)&client, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        if (MHD_add_connection(daemon, fd, (const struct sockaddr*)&client, size) != MHD_YES) {
            return 0;
        }
        size = sizeof client;
    }
    return errno == EAGAIN || errno == ECONNABORTED;
}

int main(int count, char** arguments) {
    if (count != 3) {
        return 2;
    }
    const size_t size = strtoul(arguments[2], NULL, 10);
    char* const bytes = malloc(size);
    memset(bytes, 'x', size);
    struct MHD_Response* const response = MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_MUST_FREE);
    struct MHD_Daemon* const daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_NO_THREAD_SAFETY, 0, NULL, NULL, answer,
                         response, MHD_OPTION_CONNECTION_LIMIT, (unsigned)most_connections,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)20480, MHD_OPTION_END);
    const int listener = open_listener((uint16_t)atoi(arguments[1]));
    if (daemon == NULL || listener < 0) {
        return 1;
    }
    do {
        if (!accept_all(daemon, listener)) {
            return 1;
        }
        for (int turn = 0; turn < turns_between; ++turn) {
            if (MHD_run_wait(daemon, wait_ms) != MHD_YES) {
                return 1;
            }
        }
    } while (1);
}
