/* The clock of the static daemon (cross/musl-clock.c), compared with that of the machine's C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <time.h>

/* It needs some of these. */
#include <cmocka.h>

static int (*const library_clock)(clockid_t, struct timespec*) = clock_gettime;

/* What is an alias there has the library's name here. */
#define alias(name) unused
#define __clock_gettime quick_clock
#define clock_gettime other_clock
int quick_clock(clockid_t clock, struct timespec* time);
#ifndef SYS_clock_gettime32
#define SYS_clock_gettime32 SYS_clock_gettime
#endif
#include "../../cross/musl-clock.c"
#undef clock_gettime

static int64_t nanoseconds(const struct timespec* time) {
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static void check_clock(clockid_t clock) {
    struct timespec before;
    struct timespec now;
    struct timespec after;
    assert_int_equal(library_clock(clock, &before), 0);
    assert_int_equal(quick_clock(clock, &now), 0);
    assert_int_equal(library_clock(clock, &after), 0);
    assert_true(nanoseconds(&before) <= nanoseconds(&now));
    assert_true(nanoseconds(&now) <= nanoseconds(&after));
}

static void it_tells_the_time(void** state) {
    (void)state;
    KernelClock* const found = kernel_clock;
    for (int way = 0; way < 2; ++way) {
        check_clock(CLOCK_MONOTONIC);
        check_clock(CLOCK_REALTIME);
        struct timespec now;
        errno = 0;
        assert_int_equal(quick_clock(12345, &now), -1);
        assert_int_equal(errno, EINVAL);
        kernel_clock = NULL;
    }
    kernel_clock = found;
}

/* What Linux has for the architectures that this was written for, and for those of the developers. */
static void it_is_read_without_a_call(void** state) {
    (void)state;
#if defined(__x86_64__) || defined(__arm__)
    if (getauxval(AT_SYSINFO_EHDR) != 0) {
        assert_non_null(kernel_clock);
        return;
    }
#endif
    skip();
}

/* In an image with these names in its table of symbols, whose values are 16, 32 and 48. */
static uintptr_t find_among(const char* first, const char* second, const char* third) {
    static struct {
        ElfW(Ehdr) head;
        ElfW(Phdr) parts[2];
        ElfW(Dyn) entries[3];
        ElfW(Sym) symbols[4];
        char names[4][40];
    } image;
    memset(&image, 0, sizeof image);
    const char* const base = (const char*)&image;
    image.head.e_phoff = (ElfW(Off))((const char*)image.parts - base);
    image.parts[0].p_type = PT_LOAD;
    image.parts[1].p_type = PT_DYNAMIC;
    image.parts[1].p_offset = (ElfW(Off))((const char*)image.entries - base);
    image.entries[0].d_tag = DT_STRTAB;
    image.entries[0].d_un.d_ptr = (ElfW(Addr))((const char*)image.names - base);
    image.entries[1].d_tag = DT_SYMTAB;
    image.entries[1].d_un.d_ptr = (ElfW(Addr))((const char*)image.symbols - base);
    const char* const names[] = {"", first, second, third};
    for (size_t i = 0; i < 4; ++i) {
        strcpy(image.names[i], names[i]);
        image.symbols[i].st_name = (ElfW(Word))(image.names[i] - image.names[0]);
        image.symbols[i].st_value = (ElfW(Addr))(i * 16);
    }
    const uintptr_t found = find_clock(base);
    return found == 0 ? 0 : found - (uintptr_t)base;
}

static void only_a_clock_that_can_be_trusted_is_taken(void** state) {
    (void)state;
    const bool is_wide = sizeof(long) == 8;
    const char* const plain = "__vdso_clock_gettime";
    const char* const with_64 = "__vdso_clock_gettime64";
    assert_int_equal(find_among("__vdso_gettimeofday", plain, with_64), is_wide ? 32 : 48);
    assert_int_equal(find_among(with_64, "__vdso_clock_getres", plain), is_wide ? 48 : 16);
    /* Of two that the kernel had to take away it has left one. */
    assert_int_equal(find_among(with_64, "", "__vdso_clock_getres"), 0);
    assert_int_equal(find_among("", "", ""), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_the_time),
        cmocka_unit_test(it_is_read_without_a_call),
        cmocka_unit_test(only_a_clock_that_can_be_trusted_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
