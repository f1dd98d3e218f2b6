/* The heap of the static daemon (cross/musl-heap.c), here beside that of the machine's C library. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* It needs some of these. */
#include <cmocka.h>

static int spans;
static bool kernel_has_memory = true;

static void* counted_mmap(void* where, size_t size, int access, int flags, int fd, off_t offset) {
    if (!kernel_has_memory) {
        return MAP_FAILED;
    }
    ++spans;
    return mmap(where, size, access, flags, fd, offset);
}

static int counted_munmap(void* memory, size_t size) {
    --spans;
    return munmap(memory, size);
}

#define mmap counted_mmap
#define munmap counted_munmap
#define malloc heap_malloc
#define free heap_free
#define calloc heap_calloc
#define realloc heap_realloc
void* malloc(size_t size);
void free(void* memory);
void* calloc(size_t count, size_t size);
void* realloc(void* memory, size_t size);
#include "../../cross/musl-heap.c"

enum { slots = 150 };

struct Piece {
    unsigned char* bytes;
    size_t size;
};

/* What libmicrohttpd takes: small blocks of many sizes, and the memory of connections. */
static size_t some_size(uint32_t number) {
    return number % 4 == 0 ? 20480 : number % 97 == 1 ? 200000 : number / 7 % 700;
}

static void lose(struct Piece* piece, unsigned char with) {
    for (size_t i = 0; i < piece->size; ++i) {
        if (piece->bytes[i] != with) {
            abort();
        }
    }
    free(piece->bytes);
    piece->bytes = NULL;
}

/* Each byte that somebody owns stays what its owner made it. */
static void* come_and_go(void* seed) {
    struct Piece pieces[slots] = {0};
    uint32_t number = (uint32_t)(uintptr_t)seed;
    for (int i = 0; i < 30000; ++i) {
        number = number * 1664525 + 1013904223;
        const uint32_t slot = (number >> 8) % slots;
        struct Piece* const piece = &pieces[slot];
        if (piece->bytes != NULL) {
            lose(piece, (unsigned char)slot);
        } else {
            piece->size = some_size(number >> 4);
            piece->bytes = malloc(piece->size);
            if (piece->bytes == NULL || (uintptr_t)piece->bytes % _Alignof(max_align_t) != 0) {
                abort();
            }
            memset(piece->bytes, (int)slot, piece->size);
        }
    }
    for (unsigned slot = 0; slot < slots; ++slot) {
        if (pieces[slot].bytes != NULL) {
            lose(&pieces[slot], (unsigned char)slot);
        }
    }
    return NULL;
}

static void test_blocks_are_their_owners(void** state) {
    (void)state;
    come_and_go((void*)1);
    assert_int_equal(spans, 1);
}

static void test_threads(void** state) {
    (void)state;
    pthread_t threads[3];
    for (uintptr_t i = 0; i < 3; ++i) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void*)(i + 2)), 0);
    }
    for (int i = 0; i < 3; ++i) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(spans, 1);
}

/* The next of the same size lies where the last one was, and what is free side by side is one block. */
static void test_room_is_used_again(void** state) {
    (void)state;
    char* const first = malloc(1000);
    char* const second = malloc(1000);
    char* const third = malloc(1000);
    char* const behind = malloc(1000);
    free(second);
    assert_ptr_equal(malloc(1000), second);
    free(first);
    free(third);
    free(second);
    char* const whole = malloc(3000);
    assert_true(whole == first || whole == third);
    free(whole);
    free(behind);
    free(NULL);
    assert_int_equal(spans, 1);
}

static void test_calloc_and_realloc(void** state) {
    (void)state;
    char* memory = malloc(500);
    memset(memory, 'x', 500);
    free(memory);
    memory = calloc(5, 100);
    for (int i = 0; i < 500; ++i) {
        assert_int_equal(memory[i], 0);
    }
    strcpy(memory, "kept");
    memory = realloc(memory, 100000);
    assert_string_equal(memory, "kept");
    assert_ptr_equal(realloc(memory, 10), memory);
    free(memory);
    memory = realloc(NULL, 10);
    assert_non_null(memory);
    free(memory);
}

static void test_no_memory(void** state) {
    (void)state;
    kernel_has_memory = false;
    errno = 0;
    char* const kept = malloc(100);
    assert_non_null(kept);
    assert_null(malloc(1 << 20));
    assert_int_equal(errno, ENOMEM);
    assert_null(realloc(kept, 1 << 20));
    kernel_has_memory = true;
    assert_null(malloc(SIZE_MAX));
    assert_null(malloc(SIZE_MAX / 2 + 1));
    assert_null(calloc(SIZE_MAX / 2, 3));
    free(kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_their_owners),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_room_is_used_again),
        cmocka_unit_test(test_calloc_and_realloc),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
