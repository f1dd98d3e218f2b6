/* Included before each of libmicrohttpd's sources: what a daemon that uses epoll, that is given its connections, and that counts none of an address, never
   calls. It would be code for nothing on a small device; should it be called after all, that ends the process there and then. Written for fcgate. */
#include <search.h>
#include <sys/select.h>
#include <sys/socket.h>

#define select(count, to_read, to_write, exceptional, timeout) (__builtin_trap(), 0)
#define tsearch(key, root, compare) (__builtin_trap(), (void*)0)
#define tfind(key, root, compare) (__builtin_trap(), (void*)0)
#define tdelete(key, root, compare) (__builtin_trap(), (void*)0)
#define socket(domain, type, protocol) (__builtin_trap(), -1)
#define bind(fd, address, size) (__builtin_trap(), -1)
#define listen(fd, waiting) (__builtin_trap(), -1)
#define accept(fd, address, size) (__builtin_trap(), -1)
#define accept4(fd, address, size, flags) (__builtin_trap(), -1)
