/* libmicrohttpd's connection.c, with what fcgate always asks for as a constant: MHD_OPTION_STRICT_FOR_CLIENT is 1. What is for other values is not
   there. Written for fcgate. */
#include "internal.h"

#define client_discipline client_discipline * 0 + 1

#include "src/microhttpd/connection.c"
