/* libmicrohttpd 1.0.10 without threads calls this function and has none. Written for fcgate. */
#include <stdint.h>

struct MHD_Connection;

/* How long until libmicrohttpd may end a connection for its inactivity, in milliseconds: at most so long, look again then. */
static inline uint64_t connection_get_wait(struct MHD_Connection* connection) {
    (void)connection;
    return 60000;
}
