/*
 * Counts who allocates: preloaded, it takes malloc and its relatives over, and notes in the file MALLOC_LOG how often each place in the code
 * has called. C libraries call them through the same door, so what they allocate on somebody's behalf is seen as well. GNU C library only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { places = 4096 };

struct place {
    _Atomic uintptr_t caller;
    _Atomic uint64_t count;
};

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

static struct place* table;

static void note(void* caller) {
    const uintptr_t address = (uintptr_t)caller;
    for (size_t i = 0; table != NULL && i < places; ++i) {
        struct place* const place = &table[(address / 4 + i) % places];
        uintptr_t expected = 0;
        if (atomic_compare_exchange_strong(&place->caller, &expected, address) || expected == address) {
            atomic_fetch_add(&place->count, 1);
            return;
        }
    }
}

void* malloc(size_t size) {
    note(__builtin_return_address(0));
    return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
    note(__builtin_return_address(0));
    return __libc_calloc(count, size);
}

void* realloc(void* block, size_t size) {
    note(__builtin_return_address(0));
    return __libc_realloc(block, size);
}

void* memalign(size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** block, size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    *block = __libc_memalign(alignment, size);
    return *block != NULL ? 0 : ENOMEM;
}

__attribute__((constructor)) static void begin(void) {
    const char* const path = getenv("MALLOC_LOG");
    const int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0 && ftruncate(fd, (off_t)(places * sizeof *table)) == 0) {
        void* const mapping = mmap(NULL, places * sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        table = mapping == MAP_FAILED ? NULL : mapping;
    }
    if (fd >= 0) {
        close(fd);
    }
}
