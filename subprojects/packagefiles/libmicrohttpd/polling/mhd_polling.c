/* In libmicrohttpd's sources these names stand for the functions below. */
#undef epoll_wait
#undef epoll_ctl

#include "mhd_polling.h"

#include <stddef.h>
#include <string.h>

static _Thread_local const struct epoll_event *given;
static _Thread_local int given_count;

int mhd_polling_wait(int set, struct epoll_event *events, int room, int timeout);
int mhd_polling_control(int set, int operation, int fd, struct epoll_event *event);

void mhd_polling_give(const struct epoll_event *events, int count) {
    given = events;
    given_count = count;
}

int mhd_polling_wait(int set, struct epoll_event *events, int room, int timeout) {
    if (given == NULL) {
        return epoll_wait(set, events, room, timeout);
    }
    const int count = given_count < room ? given_count : room;
    memcpy(events, given, sizeof *events * (size_t)count);
    given += count;
    given_count -= count;
    return count;
}

int mhd_polling_control(int set, int operation, int fd, struct epoll_event *event) {
    return given == NULL ? epoll_ctl(set, operation, fd, event) : 0;
}
