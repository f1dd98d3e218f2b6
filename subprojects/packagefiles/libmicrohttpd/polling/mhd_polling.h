/* Sockets of libmicrohttpd that are watched by the program which drives it. Written for fcgate; no part of libmicrohttpd.

   A program with a loop of its own watches the clients' sockets itself, and needs no second epoll set inside libmicrohttpd: each
   event would be waited for twice. So libmicrohttpd is compiled with these in the place of epoll_wait and epoll_ctl. */
#ifndef MHD_POLLING_H
#define MHD_POLLING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct MHD_Connection;

#ifdef __cplusplus
extern "C" {
#endif

/* What the program that drives libmicrohttpd answers meanwhile. */
struct mhd_polling_program {
    /* Before a piece of a body from a MHD_ContentReaderCallback is sent, with the callback's cls: are there bytes behind those that it has
       returned? Then it may wait in the kernel for them. */
    int (*has_more)(void* cls);
    /* Before bytes of a body with a known length are read, with the request's context: where may they lie, until the MHD_AccessHandlerCallback that
       follows takes all of them? 0: where they always do, in the connection's memory. */
    size_t (*room)(void* request, char** bytes);
    /* The field Date of replies of this second since 1970: 29 bytes. */
    void (*write_date)(int64_t second, char* date);
};

/* What the next calls into libmicrohttpd on this thread learn, and learn once: `count` events with an MHD_Connection each in data.ptr. They and
   libmicrohttpd leave the kernel's epoll alone until `events` is NULL again; the sockets are the caller's to watch meanwhile, edge-triggered and
   for EPOLLIN, EPOLLOUT and EPOLLPRI. Until then it is `now`, in milliseconds of CLOCK_MONOTONIC, and `program` is asked. */
void mhd_polling_give(const struct epoll_event* events, int count, uint64_t now,
                      const struct mhd_polling_program* program);

/* As MHD_suspend_connection and MHD_resume_connection, which are not to be used beside them. libmicrohttpd looks through all on its list of
   suspended connections when one has been resumed: on it are those alone that have been. */
void mhd_polling_suspend(struct MHD_Connection* connection);
void mhd_polling_resume(struct MHD_Connection* connection);

/* As MHD_add_response_header for several fields at once, in three blocks of the heap however many they are. `text` is "NAME: VALUE" CRLF for each; the
   size is that of the first one's name. Nothing is looked at: none may be empty or hold another line end, or be one that libmicrohttpd heeds
   (Connection, Content-Length, Date, Transfer-Encoding). 0: no memory. */
struct MHD_Response;
int mhd_polling_add_fields(struct MHD_Response* response, const char* text, size_t name_size, size_t size);

/* As MHD_add_response_header for one of the two that libmicrohttpd heeds and that are right: "Connection: close" CRLF, before all others, or Date.
   Of two the first one stays. */
int mhd_polling_add_heeded(struct MHD_Response* response, const char* text, size_t name_size, size_t size);

/* Before a response is queued. What has come of further requests lies in the connection's memory as well; where it leaves too little for the response's
   head, it is dropped, the connection ends with this response, and 1 is returned. Else libmicrohttpd would end it without any. */
int mhd_polling_make_room(struct MHD_Connection* connection, const struct MHD_Response* response);

/* In the callback for a request that is completed: has a part of the next one come with it, of which no event will tell? */
int mhd_polling_is_ahead(const struct MHD_Connection* connection);

#ifdef __cplusplus
}
#endif

#endif
