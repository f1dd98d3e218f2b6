/* memcpy, memset, memcmp, memchr and strlen of the static daemon (cross/musl-bytes.c), where the machine can run them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* It needs some of these. */
#include <cmocka.h>

#if defined(__arm__) && defined(__thumb2__)
void* copied(void* restrict to, const void* restrict from, size_t size);
void* filled(void* to, int byte, size_t size);
int compared(const void* left, const void* right, size_t size);
void* found(const void* text, int byte, size_t size);
size_t length_of(const char* text);
#define memcpy copied
#define memset filled
#define memcmp compared
#define memchr found
#define strlen length_of
#include "../../cross/musl-bytes.c"
#undef memcpy
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#else
/* The same is then asked of the machine's own. */
#define copied memcpy
#define filled memset
#define compared memcmp
#define found memchr
#define length_of strlen
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

static void every_byte_is_filled_and_no_other(void** state) {
    static unsigned char to[room];
    (void)state;
    for (size_t size = 0; size <= sizes; ++size) {
        for (size_t target = 0; target < places; ++target) {
            for (size_t i = 0; i < room; ++i) {
                to[i] = 7;
            }
            assert_ptr_equal(filled(to + target, 0x1c5, size), to + target);
            for (size_t i = 0; i < room; ++i) {
                const int is_inside = i >= target && i < target + size;
                if (to[i] != (is_inside ? 0xc5 : 7)) {
                    fail_msg("%zu bytes at %zu: byte %zu", size, target, i);
                }
            }
        }
    }
}

/* Two texts that are alike up to `at`, and where what comes behind says the opposite. */
static void check_order(unsigned char* left, unsigned char* right, size_t size, size_t at, unsigned char less,
                        unsigned char more) {
    left[at] = less;
    right[at] = more;
    if (at + 1 < size) {
        left[at + 1] = 0xff;
        right[at + 1] = 0;
    }
    if (compared(left, right, size) >= 0 || compared(right, left, size) <= 0 || compared(left, right, at) != 0) {
        fail_msg("%zu bytes, of which that at %zu is %u and %u", size, at, less, more);
    }
    left[at] = right[at] = 'x';
    if (at + 1 < size) {
        left[at + 1] = right[at + 1] = 'x';
    }
}

static void the_first_byte_that_differs_decides(void** state) {
    enum { most = 40 };
    unsigned char left[most + places];
    unsigned char right[most + places];
    (void)state;
    memset(left, 'x', sizeof left);
    memset(right, 'x', sizeof right);
    for (size_t size = 0; size <= most; ++size) {
        for (size_t place = 0; place < places; ++place) {
            /* What lies behind differs. */
            right[place + size] = 'y';
            assert_int_equal(compared(left, right + place, size), 0);
            for (size_t at = 0; at < size; ++at) {
                check_order(left, right + place, size, at, 1, 2);
                check_order(left, right + place, size, at, 0x7f, 0x80);
                check_order(left, right + place, size, at, 0, 0xff);
            }
            right[place + size] = 'x';
        }
    }
}

static void the_first_of_the_bytes_is_found_and_none_behind(void** state) {
    enum { most = 40 };
    /* Those that differ from it in one bit, its neighbours, and what gets a borrow. */
    static const unsigned char wanted[] = {0, 1, ':', 0x7f, 0x80, 0x81, 0xff};
    unsigned char text[most + places + 1];
    (void)state;
    for (size_t kind = 0; kind < sizeof wanted; ++kind) {
        const unsigned char byte = wanted[kind];
        for (size_t size = 0; size <= most; ++size) {
            for (size_t place = 0; place < places; ++place) {
                for (size_t i = 0; i < sizeof text; ++i) {
                    text[i] = (unsigned char)(i % 3 == 0 ? byte + 1 : i % 3 == 1 ? byte ^ 0x80 : byte - 1);
                }
                text[place + size] = byte;
                assert_null(found(text + place, byte, size));
                for (size_t at = size; at-- > 0;) {
                    text[place + at] = byte;
                    assert_ptr_equal(found(text + place, 0x300 | byte, size), text + place + at);
                }
            }
        }
    }
}

static void a_text_ends_at_its_first_zero(void** state) {
    enum { most = 40 };
    static const char kinds[] = {1, 'x', 0x7f, (char)0x80, (char)0x81, (char)0xff};
    char text[places + most + 1 + places];
    (void)state;
    for (size_t kind = 0; kind < sizeof kinds; ++kind) {
        for (size_t place = 0; place < places; ++place) {
            /* With a zero before it, and one behind its own. */
            memset(text, 0, sizeof text);
            for (size_t size = 0; size <= most; ++size) {
                if (length_of(text + place) != size) {
                    fail_msg("%zu bytes of %d at %zu are %zu", size, kinds[kind], place, length_of(text + place));
                }
                text[place + size] = kinds[kind];
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_copied_and_no_other),
        cmocka_unit_test(every_byte_is_filled_and_no_other),
        cmocka_unit_test(the_first_byte_that_differs_decides),
        cmocka_unit_test(the_first_of_the_bytes_is_found_and_none_behind),
        cmocka_unit_test(a_text_ends_at_its_first_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
