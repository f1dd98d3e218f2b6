/* libmicrohttpd's daemon.c, of which only the ways of MHD_USE_EPOLL are there, and the options that fcgate gives (leave_options.py).
   Written for fcgate. */
#include "internal.h"

#undef MHD_D_IS_USING_EPOLL_
#undef MHD_D_IS_USING_POLL_
#undef MHD_D_IS_USING_SELECT_
#define MHD_D_IS_USING_EPOLL_(daemon) ((void)(daemon), 1)
#define MHD_D_IS_USING_POLL_(daemon) ((void)(daemon), 0)
#define MHD_D_IS_USING_SELECT_(daemon) ((void)(daemon), 0)

#include "mhd_daemon_options.h"
