/* memcpy of the static daemon (cross/musl-copy.c), where the machine can run it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* It needs some of these. */
#include <cmocka.h>

#if defined(__arm__) && defined(__thumb2__)
void* copied(void* restrict to, const void* restrict from, size_t size);
#define memcpy copied
#include "../../cross/musl-copy.c"
#undef memcpy
#else
/* The same is then asked of the machine's own. */
#define copied memcpy
#endif

enum { sizes = 300, places = 8, room = sizes + 2 * places };

static void every_byte_is_copied_and_no_other(void** state) {
    static unsigned char from[room];
    static unsigned char to[room];
    (void)state;
    for (size_t i = 0; i < room; ++i) {
        from[i] = (unsigned char)(i * 7 + 1);
    }
    for (size_t size = 0; size <= sizes; ++size) {
        for (size_t source = 0; source < places; ++source) {
            for (size_t target = 0; target < places; ++target) {
                memset(to, 0, sizeof to);
                assert_ptr_equal(copied(to + target, from + source, size), to + target);
                for (size_t i = 0; i < room; ++i) {
                    const int is_inside = i >= target && i < target + size;
                    if (to[i] != (is_inside ? from[source + i - target] : 0)) {
                        fail_msg("%zu bytes from %zu to %zu: byte %zu", size, source, target, i);
                    }
                }
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_is_copied_and_no_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
