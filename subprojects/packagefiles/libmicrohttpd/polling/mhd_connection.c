/* libmicrohttpd's connection.c, with what fcgate always asks for as a constant: MHD_OPTION_STRICT_FOR_CLIENT is 1. What is for other values is not
   there. And pieces of bodies are joined. Written for fcgate. */
#include "internal.h"
#include "mhd_send.h"

#define client_discipline client_discipline * 0 + 1

/* A piece of a body behind which more is at hand need not go out before that: full segments instead of one for each piece. */
int mhd_polling_pushes(const struct MHD_Connection* connection);
#define MHD_send_data_(connection, bytes, size, push) \
    MHD_send_data_(connection, bytes, size, (push) && mhd_polling_pushes(connection))

#include "src/microhttpd/connection.c"
