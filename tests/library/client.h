/* A client of the tests: raw requests over loopback, with deadlines. Nothing here asserts, so any thread may use it. */
#ifndef FCGATE_TESTS_CLIENT_H
#define FCGATE_TESTS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct reply {
    int status;       /* 0: there was none */
    char* head;       /* status line and fields, NUL-terminated */
    const char* body; /* NUL-terminated as well */
    size_t body_size;
};

/* A listening socket on 127.0.0.1, for `listen = fd:N`; -1 on failure. */
int listen_on_loopback(unsigned* port);

/* Connected, or -1. */
int dial(unsigned port);
int dial_path(const char* path);

bool send_text(int fd, const char* text);

/* Reads one reply that ends with the connection, and closes it. To be freed by forget(). */
struct reply receive_last(int fd);

/* Sends `request` on a new connection and reads the reply; the request must say Connection: close. */
struct reply ask(unsigned port, const char* request);

/* The same for a request without a body. */
struct reply get(unsigned port, const char* path);
struct reply request(unsigned port, const char* method, const char* path);

/* The status alone; 0 when there is no reply. */
int status_of(unsigned port, const char* path);

/* Whether the head has this line. */
bool has_field(const struct reply* reply, const char* line);

void forget(struct reply* reply);

#endif
