/* Threads and processes, in the place of musl's functions of these names. Written for fcgate: its mutexes are of the simplest kind and of one process,
   it forks and becomes another user while it has one thread, and nothing that the child calls needs to be told. Its threads have their signals
   blocked, return from their function and are joined: none is cancelled or detached, and none has keys. */
#include <asm/unistd.h>
#include <elf.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* What lies above the stack of a thread, and of the first one by itself. */
typedef struct {
    void* (*run)(void*);
    void* value; /* its argument, then its result */
    int id;      /* 0 when the kernel has ended it */
    void* memory;
    size_t size;
    char musls[128]; /* where musl's own functions keep what they know of a thread, from the pointer on downwards */
    /* The thread pointer points here, as ARM's ABI has it: two words, then the thread's variables. */
    void* words[2];
    _Alignas(8) char variables[2048];
} Thread;

enum { page = 4096, default_stack = 128 * 1024 };

extern char __ehdr_start[] __attribute__((visibility("hidden")));
static const Elf32_Phdr* variables; /* how they begin */
static Thread first;

int* __errno_location(void) {
    static _Thread_local int number;
    return &number;
}

int* ___errno_location(void) __attribute__((alias("__errno_location")));

/* For code that has not been compiled for a program; `place` is the number of a module, of which there is one, and how far into its variables. */
void* __tls_get_addr(const size_t* place) {
    return (char*)__builtin_thread_pointer() + sizeof first.words + place[1];
}

static void* prepare(Thread* thread) {
    if (variables != NULL) {
        memcpy(thread->variables, __ehdr_start + variables->p_vaddr, variables->p_filesz);
    }
    return thread->words;
}

/* Of the linker, and of musl: functions before main(), and main() itself. */
extern void (*const __init_array_start[])(void) __attribute__((visibility("hidden")));
extern void (*const __init_array_end[])(void) __attribute__((visibility("hidden")));
extern char** __environ;
int main(int, char**, char**);

/* Called by musl-start.c, in the place of musl's __libc_start_main(). */
__attribute__((used)) _Noreturn void start_program(int count, char** arguments) {
    __environ = arguments + count + 1;
    const Elf32_Ehdr* const header = (const Elf32_Ehdr*)__ehdr_start;
    const Elf32_Phdr* part = (const Elf32_Phdr*)(__ehdr_start + header->e_phoff);
    for (int left = header->e_phnum; left != 0; --left, ++part) {
        if (part->p_type == PT_TLS) {
            variables = part;
            if (part->p_align > _Alignof(Thread) || part->p_memsz > sizeof first.variables) {
                __builtin_trap();
            }
        }
    }
    syscall(__ARM_NR_set_tls, prepare(&first));
    for (void (*const* begin)(void) = __init_array_start; begin != __init_array_end; ++begin) {
        (*begin)();
    }
    exit(main(count, arguments, __environ));
}

/* Linux has no other on ARM of 32 bits. */
int getpagesize(void) {
    return page;
}

/* The tests ask for nothing else. */
long sysconf(int name) {
    if (name == _SC_PAGESIZE) {
        return page;
    }
    errno = EINVAL;
    return -1;
}

/* Of musl: `run` has a stack of its own, and when it returns the thread ends. */
int __clone(int (*run)(void*), void* stack, int flags, void* argument, int* id, void* thread_pointer, int* cleared)
    __attribute__((visibility("hidden")));

static int begin(void* argument) {
    Thread* const thread = argument;
    thread->value = thread->run(thread->value);
    return 0;
}

int pthread_attr_init(pthread_attr_t* attributes) {
    attributes->__u.__s[0] = default_stack;
    return 0;
}

int pthread_attr_setstacksize(pthread_attr_t* attributes, size_t size) {
    attributes->__u.__s[0] = size;
    return 0;
}

/* Below the stack is a page that nobody may touch. */
int pthread_create(pthread_t* restrict name, const pthread_attr_t* restrict attributes, void* (*run)(void*),
                   void* restrict argument) {
    const size_t stack = attributes != NULL ? attributes->__u.__s[0] : default_stack;
    const size_t size = page + (stack + sizeof(Thread) + page - 1) / page * page;
    char* const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return EAGAIN;
    }
    (void)mprotect(memory, page, PROT_NONE);
    Thread* const thread = (Thread*)(memory + size) - 1;
    thread->run = run;
    thread->value = argument;
    thread->memory = memory;
    thread->size = size;
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                      CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    const int id = __clone(&begin, thread, flags, thread, &thread->id, prepare(thread), &thread->id);
    if (id < 0) {
        munmap(memory, size);
        return -id;
    }
    *name = (pthread_t)thread;
    return 0;
}

/* The name that pthread_create() has given. Musl's own function knows another one. */
pthread_t pthread_self(void) {
    return (pthread_t)((char*)__builtin_thread_pointer() - offsetof(Thread, words));
}

int pthread_join(pthread_t name, void** result) {
    Thread* const thread = (Thread*)name;
    int id;
    while ((id = __atomic_load_n(&thread->id, __ATOMIC_ACQUIRE)) != 0) {
        syscall(SYS_futex, &thread->id, FUTEX_WAIT, id, NULL);
    }
    if (result != NULL) {
        *result = thread->value;
    }
    munmap(thread->memory, thread->size);
    return 0;
}

pid_t fork(void) {
    return (int)syscall(SYS_fork);
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
