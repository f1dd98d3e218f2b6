/* In libmicrohttpd's sources these names stand for the functions below. */
#undef epoll_wait
#undef epoll_ctl
#undef calloc
#undef sysconf

#include "mhd_polling.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "memorypool.h"
#include "mhd_mono_clock.h"
#include "response.h"

static _Thread_local struct {
    const struct epoll_event* events;
    const struct mhd_polling_program* program;
    int count;
    uint64_t now;  /* when they were given */
    time_t second; /* that the last reply was made in */
    char date[29]; /* of this second, when there was one */
} given;

int mhd_polling_wait(int set, struct epoll_event* events, int room, int timeout);
size_t mhd_polling_room_for(const struct MHD_Connection* connection, char** bytes) {
    return given.program != NULL ? given.program->room(connection->rq.client_context, bytes) : 0;
}

int mhd_polling_control(int set, int operation, int fd, struct epoll_event* event);
int mhd_polling_pushes(const struct MHD_Connection* connection);
size_t mhd_polling_room_for(const struct MHD_Connection* connection, char** bytes);
int mhd_polling_write_date(char* date);
void* mhd_polling_calloc(size_t count, size_t size);
long mhd_polling_system_value(int name);

static uint64_t clock_now(void) {
    struct timespec now;
    /* What is measured by it are minutes. */
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint32_t)now.tv_nsec / 1000000;
}

void mhd_polling_give(const struct epoll_event* events, int count, uint64_t now,
                      const struct mhd_polling_program* program) {
    given.events = events;
    given.count = count;
    given.now = now;
    given.program = program;
}

int mhd_polling_wait(int set, struct epoll_event* events, int room, int timeout) {
    if (given.events == NULL) {
        return epoll_wait(set, events, room, timeout);
    }
    const int count = given.count < room ? given.count : room;
    memcpy(events, given.events, sizeof *events * (size_t)count);
    given.events += count;
    given.count -= count;
    return count;
}

int mhd_polling_pushes(const struct MHD_Connection* connection) {
    const struct MHD_Response* const response = connection->rp.response;
    const int is_piece =
        connection->state == MHD_CONNECTION_CHUNKED_BODY_READY || connection->state == MHD_CONNECTION_NORMAL_BODY_READY;
    /* Files are read by a callback as well, which is libmicrohttpd's own. One that says the end at once has no piece. */
    const int is_asked = is_piece && given.program != NULL && response->crc != NULL && response->fd == -1;
    return !is_asked || !given.program->has_more(response->crc_cls);
}

int mhd_polling_control(int set, int operation, int fd, struct epoll_event* event) {
    return given.events == NULL ? epoll_ctl(set, operation, fd, event) : 0;
}

/* In the place of get_date_str(), which works the date out for each reply. */
int mhd_polling_write_date(char* date) {
    const time_t second = time(NULL);
    if (given.program == NULL) {
        return 0;
    }
    if (second != given.second || given.date[0] == '\0') {
        given.program->write_date(second, given.date);
        given.second = second;
    }
    memcpy(date, given.date, sizeof given.date);
    return 1;
}

/* In the place of calloc: glibc's does not take what its free() has put by for malloc(), and then both go the long way. */
void* mhd_polling_calloc(size_t count, size_t size) {
    void* const block = size == 0 || count <= SIZE_MAX / size ? malloc(count * size) : NULL;
    return block != NULL ? memset(block, 0, count * size) : NULL;
}

int mhd_polling_add_fields(struct MHD_Response* response, const char* text, size_t name_size, size_t size) {
    /* libmicrohttpd puts a colon and a space behind the name, and a line end behind the value. */
    const size_t value_at = name_size + 2;
    return MHD_add_response_entry_no_check_(response, MHD_HEADER_KIND, text, name_size, text + value_at,
                                            size - value_at - 2);
}

int mhd_polling_add_heeded(struct MHD_Response* response, const char* text, size_t name_size, size_t size) {
    const int is_date = name_size == sizeof "Date" - 1;
    const int flags = is_date ? MHD_RAF_HAS_DATE_HDR : MHD_RAF_HAS_CONNECTION_HDR | MHD_RAF_HAS_CONNECTION_CLOSE;
    if ((response->flags_auto & flags) != 0) {
        return MHD_YES;
    }
    response->flags_auto |= flags;
    return mhd_polling_add_fields(response, text, name_size, size);
}

int mhd_polling_make_room(struct MHD_Connection* connection, const struct MHD_Response* response) {
    size_t size = 256; /* status line, Date, Content-Length, Transfer-Encoding, Connection; and some bytes of a chunk */
    for (const struct MHD_HTTP_Res_Header* field = response->first_header; field != NULL; field = field->next) {
        size += field->header_size + field->value_size + 4;
    }
    const size_t unused = connection->read_buffer_size - connection->read_buffer_offset;
    if (connection->read_buffer_offset == 0 || size <= MHD_pool_get_free(connection->pool) + unused) {
        return 0;
    }
    connection->read_buffer_offset = 0;
    connection->keepalive = MHD_CONN_MUST_CLOSE;
    return 1;
}

int mhd_polling_is_ahead(const struct MHD_Connection* connection) {
    const int goes_on = connection->state == MHD_CONNECTION_FULL_REPLY_SENT &&
                        connection->keepalive == MHD_CONN_USE_KEEPALIVE && !connection->read_closed &&
                        !connection->discard_request;
    /* An empty line is no part of it (RFC 9112 section 2.2). */
    return goes_on && connection->read_buffer_offset > 0 && connection->read_buffer[0] > ' ';
}

void mhd_polling_suspend(struct MHD_Connection* connection) {
    struct MHD_Daemon* const daemon = connection->daemon;
    MHD_suspend_connection(connection);
    DLL_remove(daemon->suspended_connections_head, daemon->suspended_connections_tail, connection);
}

void mhd_polling_resume(struct MHD_Connection* connection) {
    struct MHD_Daemon* const daemon = connection->daemon;
    DLL_insert(daemon->suspended_connections_head, daemon->suspended_connections_tail, connection);
    MHD_resume_connection(connection);
}

/* libmicrohttpd's mhd_mono_clock.c asks the clock a dozen times for a request. */

void MHD_monotonic_sec_counter_init(void) {}

void MHD_monotonic_sec_counter_finish(void) {}

time_t MHD_monotonic_sec_counter(void) {
    return (time_t)(MHD_monotonic_msec_counter() / 1000);
}

uint64_t MHD_monotonic_msec_counter(void) {
    return given.events != NULL ? given.now : clock_now();
}

/* The two values that libmicrohttpd asks for; IOV_MAX is Linux's own. */
long mhd_polling_system_value(int name) {
    return name == _SC_PAGESIZE ? getpagesize() : name == _SC_IOV_MAX ? IOV_MAX : -1;
}
