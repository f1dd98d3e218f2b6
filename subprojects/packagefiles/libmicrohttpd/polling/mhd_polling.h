/* Sockets of libmicrohttpd that are watched by the program which drives it. Written for fcgate; no part of libmicrohttpd.

   A program with a loop of its own watches the clients' sockets itself, and needs no second epoll set inside libmicrohttpd: each
   event would be waited for twice. So libmicrohttpd is compiled with these in the place of epoll_wait and epoll_ctl. */
#ifndef MHD_POLLING_H
#define MHD_POLLING_H

#include <sys/epoll.h>

struct MHD_Connection;

#ifdef __cplusplus
extern "C" {
#endif

/* What the next calls into libmicrohttpd on this thread learn, and learn once: `count` events with an MHD_Connection each in data.ptr. They and
   libmicrohttpd leave the kernel's epoll alone until `events` is NULL again; the sockets are the caller's to watch meanwhile, edge-triggered and
   for EPOLLIN, EPOLLOUT and EPOLLPRI. */
void mhd_polling_give(const struct epoll_event* events, int count);

/* As MHD_suspend_connection and MHD_resume_connection, which are not to be used beside them. libmicrohttpd looks through all on its list of
   suspended connections when one has been resumed: on it are those alone that have been. */
void mhd_polling_suspend(struct MHD_Connection* connection);
void mhd_polling_resume(struct MHD_Connection* connection);

#ifdef __cplusplus
}
#endif

#endif
