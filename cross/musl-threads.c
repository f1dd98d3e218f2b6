/* Threads and processes, in the place of musl's functions of these names. Written for fcgate: its mutexes are of the simplest kind and of one process,
   it forks and becomes another user while it has one thread, and nothing that the child calls needs to be told. */
#include <grp.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The words of a mutex where musl's condition variables, which wake one waiter and move the others to the mutex, look for them: whether it is held,
   below 0 when somebody may wait for it too, and how many have been moved. */
enum Word { word_state = 1, word_moved = 2 };
enum { state_free = 0, state_held = 1, state_awaited = INT_MIN | state_held };

/* The names that musl uses itself. */
int __pthread_mutex_lock(pthread_mutex_t* mutex) {
    int* const state = &mutex->__u.__i[word_state];
    int expected = state_free;
    if (__atomic_compare_exchange_n(state, &expected, state_held, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return 0;
    }
    /* It is held for so short a time that on another processor it soon is free. */
    for (int looks = 100; looks != 0 && __atomic_load_n(state, __ATOMIC_RELAXED) != state_free; --looks) {}
    while (__atomic_exchange_n(state, state_awaited, __ATOMIC_ACQUIRE) != state_free) {
        syscall(SYS_futex, state, FUTEX_WAIT_PRIVATE, state_awaited, NULL);
    }
    return 0;
}

int __pthread_mutex_unlock(pthread_mutex_t* mutex) {
    int* const state = &mutex->__u.__i[word_state];
    const int moved = __atomic_load_n(&mutex->__u.__i[word_moved], __ATOMIC_RELAXED);
    if (__atomic_exchange_n(state, state_free, __ATOMIC_RELEASE) < 0 || moved != 0) {
        syscall(SYS_futex, state, FUTEX_WAKE_PRIVATE, 1);
    }
    return 0;
}

int pthread_mutex_lock(pthread_mutex_t* mutex) __attribute__((alias("__pthread_mutex_lock")));
int pthread_mutex_unlock(pthread_mutex_t* mutex) __attribute__((alias("__pthread_mutex_unlock")));

/* Musl waits with these for mutexes that are shared by processes. */
void __vm_wait(void) {}
void __vm_lock(void) {}
void __vm_unlock(void) {}

/* And with these while the size of a stack without attributes is changed, or all threads take a call. */
void __inhibit_ptc(void) {}
void __acquire_ptc(void) {}
void __release_ptc(void) {}

pid_t fork(void) {
    return _Fork();
}

/* What set*uid() and set*gid() call; musl's makes all threads do it. */
int __setxid(int call, int real, int effective, int saved) {
    return (int)syscall(call, real, effective, saved);
}

int setgroups(size_t count, const gid_t* groups) {
    return (int)syscall(SYS_setgroups32, count, groups);
}

_Noreturn void abort(void) {
    const sigset_t only = {.__bits = {1UL << (SIGABRT - 1)}};
    (void)signal(SIGABRT, SIG_DFL);
    (void)sigprocmask(SIG_UNBLOCK, &only, NULL);
    kill(getpid(), SIGABRT);
    __builtin_trap();
}

/* Of libgcc: a division by zero. Its own raises a signal. */
__attribute__((used)) _Noreturn void __aeabi_ldiv0(void) {
    __builtin_trap();
}
