/* System calls as the kernel gives them, in the place of musl's functions of these names: those do more, for kernels older than 3.6 and so older
   than any that runs on a Cortex-A7, or for what fcgate does not ask for. Written for fcgate. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CALL(name, parameters, ...)             \
    int name parameters {                       \
        return (int)syscall(SYS_##__VA_ARGS__); \
    }

typedef struct sockaddr Address;

CALL(accept4, (int fd, Address* restrict of, socklen_t* restrict size, int flags), accept4, fd, of, size, flags)
CALL(dup3, (int fd, int as, int flags), dup3, fd, as, flags)
CALL(epoll_create, (int size), epoll_create, size)
CALL(epoll_create1, (int flags), epoll_create1, flags)
CALL(epoll_ctl, (int set, int what, int fd, struct epoll_event* event), epoll_ctl, set, what, fd, event)
CALL(epoll_pwait, (int set, struct epoll_event* events, int room, int ms, const sigset_t* mask), epoll_pwait, set,
     events, room, ms, mask, _NSIG / 8)
CALL(epoll_wait, (int set, struct epoll_event* events, int room, int ms), epoll_wait, set, events, room, ms)
CALL(fchmod, (int fd, mode_t mode), fchmod, fd, mode)
CALL(fchown, (int fd, uid_t user, gid_t group), fchown32, fd, user, group)
CALL(getsockopt, (int fd, int of, int name, void* restrict value, socklen_t* restrict size), getsockopt, fd, of, name,
     value, size)
CALL(getrlimit, (int what, struct rlimit* limit), prlimit64, 0, what, NULL, limit)
CALL(mprotect, (void* at, size_t size, int access), mprotect, at, size, access)
CALL(pipe2, (int* ends, int flags), pipe2, ends, flags)
CALL(setrlimit, (int what, const struct rlimit* limit), prlimit64, 0, what, limit, NULL)
CALL(setsockopt, (int fd, int of, int name, const void* value, socklen_t size), setsockopt, fd, of, name, value, size)
CALL(signalfd, (int fd, const sigset_t* set, int flags), signalfd4, fd, set, _NSIG / 8, flags)
CALL(socket, (int domain, int type, int protocol), socket, domain, type, protocol)
CALL(socketpair, (int domain, int type, int protocol, int* ends), socketpair, domain, type, protocol, ends)

/* The commands that fcgate uses take a number or nothing. */
int fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    const long value = va_arg(arguments, long);
    va_end(arguments);
    return (int)syscall(SYS_fcntl64, fd, command, value);
}

/* A file's times have 64 bits in statx(), which is Linux 4.11's; before, the kernel writes what `status` begins with. */
int fstatat(int folder, const char* restrict path, struct stat* restrict status, int flags) {
    struct statx from;
    if (syscall(SYS_statx, folder, path, flags, STATX_BASIC_STATS, &from) == 0) {
        *status = (struct stat){
            .st_dev = makedev(from.stx_dev_major, from.stx_dev_minor),
            .st_ino = from.stx_ino,
            .st_mode = from.stx_mode,
            .st_nlink = from.stx_nlink,
            .st_uid = from.stx_uid,
            .st_gid = from.stx_gid,
            .st_size = (off_t)from.stx_size,
            .st_mtim = {.tv_sec = from.stx_mtime.tv_sec, .tv_nsec = (long)from.stx_mtime.tv_nsec},
            .st_ctim = {.tv_sec = from.stx_ctime.tv_sec, .tv_nsec = (long)from.stx_ctime.tv_nsec},
        };
        return 0;
    }
    if (errno != ENOSYS || syscall(SYS_fstatat64, folder, path, status, flags) != 0) {
        return -1;
    }
    status->st_mtim = (struct timespec){.tv_sec = status->__st_mtim32.tv_sec, .tv_nsec = status->__st_mtim32.tv_nsec};
    status->st_ctim = (struct timespec){.tv_sec = status->__st_ctim32.tv_sec, .tv_nsec = status->__st_ctim32.tv_nsec};
    return 0;
}

/* Of musl: /proc's name for a descriptor. */
void __procfdname(char* name, unsigned fd) __attribute__((visibility("hidden")));

/* As the kernel names what it has found; `room` is the caller's. */
char* realpath(const char* restrict path, char* restrict room) {
    const int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    char name[sizeof "/proc/self/fd/" + 3 * sizeof fd];
    __procfdname(name, (unsigned)fd);
    const ssize_t size = readlink(name, room, PATH_MAX - 1);
    close(fd);
    if (size < 0) {
        return NULL;
    }
    room[size] = '\0';
    return room;
}

/* No more than what the kernel does by itself is asked for. */
void (*signal(int number, void (*what)(int)))(int) {
    struct {
        void (*what)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint32_t mask[2];
    } now = {.what = what}, before;
    if (what != SIG_DFL && what != SIG_IGN) {
        errno = EINVAL;
        return SIG_ERR;
    }
    return syscall(SYS_rt_sigaction, number, &now, &before, sizeof now.mask) == 0 ? before.what : SIG_ERR;
}
