/* Included before each of libmicrohttpd's sources: what a daemon that uses epoll, and that counts no connections of an address, never calls. It would
   be code for nothing on a small device; should it be called after all, that ends the process there and then. Written for fcgate. */
#include <search.h>
#include <sys/select.h>

#define select(count, to_read, to_write, exceptional, timeout) (__builtin_trap(), 0)
#define tsearch(key, root, compare) (__builtin_trap(), (void*)0)
#define tfind(key, root, compare) (__builtin_trap(), (void*)0)
#define tdelete(key, root, compare) (__builtin_trap(), (void*)0)
