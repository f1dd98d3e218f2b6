/* clock_gettime() without a system call where the kernel gives a function for it (the vDSO), in the place of musl's: 1.2.3 has none on ARM, and a
   request asks for the time five times and more. Written for fcgate. */
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef int KernelClock(clockid_t, struct timespec*);

static KernelClock* kernel_clock;

/* In the image that the kernel has mapped, whose addresses are distances from its start; the names lie behind the symbols. Where the machine's
   clock cannot be read without the kernel, that has taken the name away, but Linux 5.5 to 5.7 on ARM only the one of 32 bits: without that
   one the other is wrong. 0: there is none. */
static uintptr_t find_clock(const char* image) {
    static const char wanted[] = "__vdso_clock_gettime"; /* and with 64 behind it on machines of 32 bits */
    const ElfW(Phdr)* part = (const ElfW(Phdr)*)(image + ((const ElfW(Ehdr)*)image)->e_phoff);
    while (part->p_type != PT_DYNAMIC) {
        ++part;
    }
    const ElfW(Sym)* symbol = NULL;
    const char* names = NULL;
    for (const ElfW(Dyn)* entry = (const ElfW(Dyn)*)(image + part->p_offset); entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == DT_SYMTAB) {
            symbol = (const ElfW(Sym)*)(image + entry->d_un.d_ptr);
        } else if (entry->d_tag == DT_STRTAB) {
            names = image + entry->d_un.d_ptr;
        }
    }
    uintptr_t plain = 0;
    uintptr_t with_64 = 0;
    for (; (const char*)symbol < names; ++symbol) {
        const char* const name = names + symbol->st_name;
        if (memcmp(name, wanted, sizeof wanted - 1) == 0) {
            *(name[sizeof wanted - 1] == '\0' ? &plain : &with_64) = (uintptr_t)image + symbol->st_value;
        }
    }
    return sizeof(long) == 8 || plain == 0 ? plain : with_64;
}

/* What the kernel tells a program lies behind the environment. */
__attribute__((constructor)) static void look_for_clock(void) {
    char** end = environ;
    while (*end != NULL) {
        ++end;
    }
    for (const ElfW(auxv_t)* told = (const ElfW(auxv_t)*)(end + 1); told->a_type != AT_NULL; ++told) {
        if (told->a_type == AT_SYSINFO_EHDR) {
            kernel_clock = (KernelClock*)find_clock((const char*)told->a_un.a_val);
        }
    }
}

int __clock_gettime(clockid_t clock, struct timespec* time) {
    if (kernel_clock != NULL && kernel_clock(clock, time) == 0) {
        return 0;
    }
#ifdef SYS_clock_gettime64
    const int before = errno;
    int result = (int)syscall(SYS_clock_gettime64, clock, time);
    if (result < 0 && errno == ENOSYS) {
        /* Before Linux 5.1. */
        long narrow[2];
        errno = before;
        result = (int)syscall(SYS_clock_gettime32, clock, narrow);
        time->tv_sec = narrow[0];
        time->tv_nsec = narrow[1];
    }
    return result;
#else
    return (int)syscall(SYS_clock_gettime, clock, time);
#endif
}

int clock_gettime(clockid_t, struct timespec*) __attribute__((alias("__clock_gettime")));
