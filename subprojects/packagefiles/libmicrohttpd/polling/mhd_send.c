/* libmicrohttpd's mhd_send.c, with the pieces in which it sends files where each connection has a thread: 2 MiB instead of 128 KiB, for which the kernel takes
   a fifth more time. A socket takes as much as its buffer has room for; then the others have their turn. Written for fcgate. */
#include "internal.h"

#undef MHD_D_IS_USING_THREAD_PER_CONN_
#define MHD_D_IS_USING_THREAD_PER_CONN_(daemon) ((void)(daemon), 1)

#include "src/microhttpd/mhd_send.c"
