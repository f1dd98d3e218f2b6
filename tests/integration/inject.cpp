#include "inject.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iterator>
#include <new>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FCGATE_COUNTS_BLOCKS 1
#else
#define FCGATE_COUNTS_BLOCKS 0
#endif

namespace fcgate::test::inject {

namespace {

// Threads of a server that starts look at them, too, and so do children where these are watched.
struct State {
    std::atomic<bool> watching = false;
    std::atomic<const char*> call = "";
    std::atomic<int> error = 0;
    std::atomic<size_t> n = 0;
    std::atomic<size_t> seen = 0;
    std::atomic<bool> failed = false;
    std::atomic<pid_t> parent = 0;  // 0: children are not watched
    std::atomic<bool> only_parent = false;
    std::atomic<pid_t> child = 0;
    std::atomic<size_t> waits = 0;
};
std::atomic<pid_t> owner = 0;
State own_state;
State* state = &own_state;
std::atomic<size_t> allocated = 0;
std::atomic<long> clock_offset = 0;

// Linux numbers Landlock's calls so on every machine that such tests run on.
constexpr long landlock_create = 444;
constexpr long landlock_restrict = landlock_create + 2;
long landlock_version = 0;
uint64_t landlock_handled = 0;
LandlockRule landlock_rules[64];
size_t landlock_count = 0;
bool landlock_entered = false;

[[nodiscard]] bool is_watched() {
    const pid_t parent = state->parent;
    if (parent != 0) {
        return (parent == getpid()) == state->only_parent;
    }
    return state->watching && getpid() == owner;
}

// True when this call is the one that fails.
[[nodiscard]] bool fails(const char* call) {
    if (strcmp(call, state->call) != 0 || !is_watched() || ++state->seen != state->n) {
        return false;
    }
    state->failed = true;
    errno = state->error;
    return true;
}

// Asked only where a test is about it.
[[nodiscard]] bool is_packet(int fd) {
    const char* const call = state->call;
    int type = 0;
    socklen_t size = sizeof type;
    return strchr(call, ' ') != nullptr && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_SEQPACKET;
}

// What the call does when it is let be; looked for once.
template <typename Function>
[[nodiscard]] Function next(std::atomic<void*>& kept, const char* name) {
    if (kept == nullptr) {
        kept = dlsym(RTLD_NEXT, name);
    }
    return reinterpret_cast<Function>(kept.load());
}

// The third value of LANDLOCK_CREATE_RULESET and the fourth of LANDLOCK_ADD_RULE, by linux/landlock.h.
[[nodiscard]] long pretended_landlock(long number, const long (&values)[6]) {
    if (number == landlock_create) {
        if (values[0] == 0) {
            return landlock_version;
        }
        memcpy(&landlock_handled, reinterpret_cast<const void*>(values[0]), sizeof landlock_handled);
        return eventfd(0, EFD_CLOEXEC);
    }
    if (number == landlock_restrict) {
        landlock_entered = true;
        return 0;
    }
    LandlockRule& rule = landlock_rules[landlock_count++ % std::size(landlock_rules)];
    const auto* const told = reinterpret_cast<const char*>(values[2]);
    int folder = -1;
    memcpy(&rule.rights, told, sizeof rule.rights);
    memcpy(&folder, told + sizeof rule.rights, sizeof folder);
    char link[32];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    const ssize_t size = readlink(link, rule.path, sizeof rule.path - 1);
    rule.path[size > 0 ? size : 0] = '\0';
    return 0;
}

}  // namespace

void pretend_landlock(long version) {
    landlock_version = version;
    landlock_count = 0;
    landlock_entered = false;
}
Landlock landlock() {
    return {landlock_handled, {landlock_rules, landlock_count}, landlock_entered};
}

void begin() {
    owner = getpid();
    state->watching = true;
}
void end() {
    state->watching = false;
}
void arm(const Fault& fault, size_t n) {
    state->n = 0;  // a child may call while the rest is set
    state->call = fault.call;
    state->error = fault.error;
    state->seen = 0;
    state->failed = false;
    state->n = n;
}
size_t calls() {
    return state->seen;
}
bool has_failed() {
    return state->failed;
}
void watch_children() {
    void* const shared = mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        abort();
    }
    state = new (shared) State;
    state->parent = getpid();
}
void watch_parent(bool only) {
    state->only_parent = only;
}
int child() {
    return state->child;
}
size_t child_waits() {
    return state->waits;
}
void forget_child() {
    state->child = 0;
    state->waits = 0;
}
size_t blocks() {
    return allocated;
}
void set_clock(long offset) {
    clock_offset = offset;
}

}  // namespace fcgate::test::inject

using namespace fcgate::test::inject;

// Calls that fail with -1.
#define FCGATE_FAILING(result, name, parameters, arguments)               \
    extern "C" result name parameters {                                   \
        static std::atomic<void*> kept;                                   \
        auto* const real = next<result(*) parameters>(kept, #name);       \
        return fails(#name) && state->error != 0 ? -1 : (*real)arguments; \
    }

// Calls that move bytes: with the error 0 they move one.
#define FCGATE_MOVING(name, parameters, arguments, short_arguments)          \
    extern "C" ssize_t name parameters {                                     \
        static std::atomic<void*> kept;                                      \
        auto* const real = next<ssize_t(*) parameters>(kept, #name);         \
        if (!fails(#name)) {                                                 \
            return (*real)arguments;                                         \
        }                                                                    \
        return state->error != 0 || size == 0 ? -1 : (*real)short_arguments; \
    }

// NOLINTBEGIN: the C library's own names and types.
FCGATE_FAILING(int, accept4, (int fd, sockaddr* address, socklen_t* length, int flags), (fd, address, length, flags))
FCGATE_FAILING(int, epoll_wait, (int epoll, epoll_event* events, int most, int timeout), (epoll, events, most, timeout))
FCGATE_FAILING(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
FCGATE_FAILING(int, connect, (int fd, const sockaddr* address, socklen_t length), (fd, address, length))
FCGATE_FAILING(int, bind, (int fd, const sockaddr* address, socklen_t length), (fd, address, length))
FCGATE_FAILING(int, listen, (int fd, int backlog), (fd, backlog))
FCGATE_FAILING(int, socketpair, (int domain, int type, int protocol, int ends[2]), (domain, type, protocol, ends))
FCGATE_FAILING(int, epoll_create1, (int flags), (flags))
FCGATE_FAILING(int, eventfd, (unsigned value, int flags), (value, flags))
FCGATE_FAILING(int, mkdir, (const char* path, mode_t mode), (path, mode))
FCGATE_FAILING(pid_t, fork, (), ())
FCGATE_FAILING(int, pipe2, (int ends[2], int flags), (ends, flags))
FCGATE_FAILING(int, dup2, (int fd, int to), (fd, to))
FCGATE_FAILING(int, chmod, (const char* path, mode_t mode), (path, mode))
FCGATE_FAILING(int, chown, (const char* path, uid_t user, gid_t group), (path, user, group))
FCGATE_FAILING(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
FCGATE_FAILING(int, unlink, (const char* path), (path))
FCGATE_FAILING(int, kill, (pid_t pid, int number), (pid, number))
FCGATE_FAILING(int, signalfd, (int fd, const sigset_t* signals, int flags), (fd, signals, flags))
FCGATE_FAILING(int, setgroups, (size_t count, const gid_t* groups), (count, groups))
FCGATE_FAILING(int, setgid, (gid_t group), (group))
FCGATE_FAILING(int, setuid, (uid_t user), (user))
FCGATE_FAILING(int, execve, (const char* path, char* const arguments[], char* const environment[]),
               (path, arguments, environment))
FCGATE_FAILING(int, shutdown, (int fd, int how), (fd, how))
FCGATE_FAILING(int, setsockopt, (int fd, int level, int name, const void* value, socklen_t length),
               (fd, level, name, value, length))
FCGATE_FAILING(int, getsockopt, (int fd, int level, int name, void* value, socklen_t* length),
               (fd, level, name, value, length))
FCGATE_FAILING(int, getsockname, (int fd, sockaddr* address, socklen_t* length), (fd, address, length))
FCGATE_FAILING(int, fstat64, (int fd, struct stat64* status), (fd, status))
FCGATE_FAILING(int, fstatat64, (int fd, const char* path, struct stat64* status, int flags), (fd, path, status, flags))
FCGATE_FAILING(ssize_t, readlink, (const char* path, char* buffer, size_t size), (path, buffer, size))
FCGATE_MOVING(read, (int fd, void* buffer, size_t size), (fd, buffer, size), (fd, buffer, 1))
FCGATE_MOVING(sendfile64, (int to, int from, off64_t* offset, size_t size), (to, from, offset, size),
              (to, from, offset, 1))

FCGATE_MOVING(pwrite64, (int fd, const void* buffer, size_t size, off64_t at), (fd, buffer, size, at),
              (fd, buffer, 1, at))
FCGATE_MOVING(pread64, (int fd, void* buffer, size_t size, off64_t at), (fd, buffer, size, at), (fd, buffer, 1, at))

extern "C" int poll(pollfd* watched, nfds_t count, int timeout) {
    static std::atomic<void*> kept;
    auto* const real = next<int (*)(pollfd*, nfds_t, int)>(kept, "poll");
    if (state->parent != 0 && state->parent != getpid()) {
        pid_t nobody = 0;
        (void)state->child.compare_exchange_strong(nobody, getpid());
        state->waits += state->child == getpid() ? 1U : 0U;
    }
    return fails("poll") ? -1 : real(watched, count, timeout);
}

// What server and spawner say to each other goes in packets, of which no part can be taken.
extern "C" ssize_t recv(int fd, void* buffer, size_t size, int flags) {
    static std::atomic<void*> kept;
    auto* const real = next<ssize_t (*)(int, void*, size_t, int)>(kept, "recv");
    const bool packet = is_packet(fd);
    if (!fails(packet ? "recv packet" : "recv")) {
        return real(fd, buffer, size, flags);
    }
    return state->error != 0 || size == 0 || packet ? -1 : real(fd, buffer, 1, flags);
}

extern "C" ssize_t send(int fd, const void* buffer, size_t size, int flags) {
    static std::atomic<void*> kept;
    auto* const real = next<ssize_t (*)(int, const void*, size_t, int)>(kept, "send");
    const bool packet = is_packet(fd);
    if (!fails(packet ? "send packet" : "send")) {
        return real(fd, buffer, size, flags);
    }
    return state->error != 0 || size == 0 || packet ? -1 : real(fd, buffer, 1, flags);
}

// An eventfd takes its eight bytes always.
extern "C" ssize_t write(int fd, const void* buffer, size_t size) {
    static std::atomic<void*> kept;
    auto* const real = next<ssize_t (*)(int, const void*, size_t)>(kept, "write");
    return size != sizeof(uint64_t) && fails("write") ? -1 : real(fd, buffer, size);
}

extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
    static std::atomic<void*> kept;
    auto* const real = next<ssize_t (*)(int, const msghdr*, int)>(kept, "sendmsg");
    if (!fails("sendmsg")) {
        return real(fd, message, flags);
    }
    if (state->error != 0 || message->msg_iovlen == 0 || message->msg_iov[0].iov_len == 0) {
        return -1;
    }
    iovec one{message->msg_iov[0].iov_base, 1};
    msghdr shorter = *message;
    shorter.msg_iov = &one;
    shorter.msg_iovlen = 1;
    return real(fd, &shorter, flags);
}

// Taking a descriptor out of a set needs nothing that could be used up.
extern "C" int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
    static std::atomic<void*> kept;
    auto* const real = next<int (*)(int, int, int, epoll_event*)>(kept, "epoll_ctl");
    return operation != EPOLL_CTL_DEL && fails("epoll_ctl") ? -1 : real(epoll, operation, fd, event);
}

// Calls that fail with another value than -1.
extern "C" void* mmap64(void* address, size_t size, int protection, int flags, int fd, off64_t offset) {
    static std::atomic<void*> kept;
    auto* const real = next<void* (*)(void*, size_t, int, int, int, off64_t)>(kept, "mmap64");
    return fails("mmap64") ? MAP_FAILED : real(address, size, protection, flags, fd, offset);
}

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) {
    static std::atomic<void*> kept;
    auto* const real =
        next<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>(kept, "pthread_create");
    return fails("pthread_create") ? state->error.load() : real(thread, attributes, run, argument);
}

extern "C" char* realpath(const char* path, char* out) {
    static std::atomic<void*> kept;
    auto* const real = next<char* (*)(const char*, char*)>(kept, "realpath");
    return fails("realpath") ? nullptr : real(path, out);
}

extern "C" int openat64(int folder, const char* path, int flags, ...) {
    static std::atomic<void*> kept;
    auto* const real = next<int (*)(int, const char*, int, ...)>(kept, "openat64");
    return fails("openat64") ? -1 : real(folder, path, flags);
}

extern "C" int open64(const char* path, int flags, ...) {
    static std::atomic<void*> kept;
    auto* const real = next<int (*)(const char*, int, ...)>(kept, "open64");
    va_list arguments;
    va_start(arguments, flags);
    const unsigned mode = va_arg(arguments, unsigned);
    va_end(arguments);
    return fails("open64") ? -1 : real(path, flags, mode);
}

extern "C" int fcntl64(int fd, int command, ...) {
    static std::atomic<void*> kept;
    auto* const real = next<int (*)(int, int, ...)>(kept, "fcntl64");
    va_list arguments;
    va_start(arguments, command);
    void* const argument = va_arg(arguments, void*);
    va_end(arguments);
    return fails("fcntl64") ? -1 : real(fd, command, argument);
}

extern "C" int ioctl(int fd, unsigned long request, ...) {
    static std::atomic<void*> kept;
    auto* const real = next<int (*)(int, unsigned long, ...)>(kept, "ioctl");
    va_list arguments;
    va_start(arguments, request);
    void* const argument = va_arg(arguments, void*);
    va_end(arguments);
    return fails("ioctl") ? -1 : real(fd, request, argument);
}

// openat2() has no function of its own yet.
extern "C" long syscall(long number, ...) {
    static std::atomic<void*> kept;
    auto* const real = next<long (*)(long, ...)>(kept, "syscall");
    va_list arguments;
    va_start(arguments, number);
    long values[6];
    for (long& value : values) {
        value = va_arg(arguments, long);
    }
    va_end(arguments);
    const bool is_landlock = number >= landlock_create && number <= landlock_restrict;
    if (fails(is_landlock ? "landlock" : "syscall")) {
        return -1;
    }
    return is_landlock && landlock_version != 0
               ? pretended_landlock(number, values)
               : real(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

extern "C" int clock_gettime(clockid_t clock, timespec* time) {
    static std::atomic<void*> kept;
    auto* const real = next<int (*)(clockid_t, timespec*)>(kept, "clock_gettime");
    const int result = real(clock, time);
    if (clock == CLOCK_REALTIME) {
        time->tv_sec += clock_offset;
    }
    return result;
}

extern "C" time_t time(time_t* out) {
    timespec now{};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != nullptr) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

#if FCGATE_COUNTS_BLOCKS
extern "C" void* __libc_malloc(size_t size);
extern "C" void* __libc_calloc(size_t count, size_t size);
extern "C" void* __libc_realloc(void* block, size_t size);
extern "C" void __libc_free(void* block);

namespace {
// Blocks of the server's own work are told from others by their number alone: what it frees it has allocated.
void* counted(void* block) {
    allocated += state->watching && block != nullptr ? 1U : 0U;
    return block;
}
}  // namespace

extern "C" void* malloc(size_t size) {
    return fails("malloc") ? nullptr : counted(__libc_malloc(size));
}
extern "C" void* calloc(size_t count, size_t size) {
    return fails("malloc") ? nullptr : counted(__libc_calloc(count, size));
}
extern "C" void* realloc(void* block, size_t size) {
    if (fails("malloc")) {
        return nullptr;
    }
    return block != nullptr ? __libc_realloc(block, size) : counted(__libc_malloc(size));
}
extern "C" void free(void* block) {
    allocated -= state->watching && block != nullptr ? 1U : 0U;
    __libc_free(block);
}
#endif
// NOLINTEND
