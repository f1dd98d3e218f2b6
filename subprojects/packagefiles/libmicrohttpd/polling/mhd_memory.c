/* The memory of a connection, in the place of libmicrohttpd's memorypool.c. Written for fcgate.

   libmicrohttpd's own clears the whole of it after each request, and so has every connection hold all of it: for 20 KiB that was the largest
   single cost of a small request. Nothing reads what it has not written: with assertions freed memory is filled with other bytes instead, and
   the tests run so. A connection that ends gives its memory to the heap as it is, here as there. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "MHD_config.h"
#include "memorypool.h"

#define UNIT (2 * sizeof(void*))

struct MemoryPool {
    size_t size;
    size_t front; /* up to here: blocks that can grow */
    size_t back;  /* from here on: blocks that stay */
    _Alignas(UNIT) uint8_t memory[];
};

static size_t rounded(size_t size) {
    return (size + UNIT - 1) / UNIT * UNIT;
}

static size_t place_of(const struct MemoryPool* pool, const void* block) {
    return (size_t)((const uint8_t*)block - pool->memory);
}

/* Of memory that is nobody's now. */
static void spoil(struct MemoryPool* pool, size_t from, size_t to) {
#ifndef NDEBUG
    if (from < to) {
        memset(pool->memory + from, 0xa5, to - from);
    }
#else
    (void)pool;
    (void)from;
    (void)to;
#endif
}

void MHD_init_mem_pools_(void) {}

struct MemoryPool* MHD_pool_create(size_t max) {
    struct MemoryPool* const pool = malloc(sizeof *pool + rounded(max));
    if (pool != NULL) {
        pool->size = pool->back = rounded(max);
        pool->front = 0;
        spoil(pool, 0, pool->size);
    }
    return pool;
}

void MHD_pool_destroy(struct MemoryPool* pool) {
    free(pool);
}

size_t MHD_pool_get_free(struct MemoryPool* pool) {
    assert(pool->front <= pool->back && pool->back <= pool->size);
    return pool->back - pool->front;
}

void* MHD_pool_try_alloc(struct MemoryPool* pool, size_t size, size_t* required_bytes) {
    const size_t room = MHD_pool_get_free(pool);
    if (size > room || rounded(size) > room) {
        *required_bytes = size > pool->back || rounded(size) > pool->back ? SIZE_MAX : rounded(size) - room;
        return NULL;
    }
    *required_bytes = 0;
    pool->back -= rounded(size);
    return pool->memory + pool->back;
}

void* MHD_pool_allocate(struct MemoryPool* pool, size_t size, bool from_end) {
    size_t missing;
    return from_end ? MHD_pool_try_alloc(pool, size, &missing) : MHD_pool_reallocate(pool, NULL, 0, size);
}

bool MHD_pool_is_resizable_inplace(struct MemoryPool* pool, void* block, size_t block_size) {
    return block != NULL && rounded(place_of(pool, block) + block_size) == pool->front;
}

void* MHD_pool_reallocate(struct MemoryPool* pool, void* old, size_t old_size, size_t new_size) {
    if (old != NULL) {
        const size_t place = place_of(pool, old);
        if (place > pool->size || old_size > pool->size - place) {
            return NULL; /* no block of this pool */
        }
        if (MHD_pool_is_resizable_inplace(pool, old, old_size)) {
            if (new_size > pool->back - place || rounded(place + new_size) > pool->back) {
                return NULL;
            }
            pool->front = rounded(place + new_size);
            spoil(pool, place + new_size, place + old_size);
            return old;
        }
        if (new_size <= old_size) {
            spoil(pool, place + new_size, place + old_size);
            return old;
        }
    }
    if (new_size > MHD_pool_get_free(pool) || rounded(new_size) > MHD_pool_get_free(pool)) {
        return NULL;
    }
    uint8_t* const block = pool->memory + pool->front;
    pool->front += rounded(new_size);
    if (old_size != 0) {
        memcpy(block, old, old_size);
        spoil(pool, place_of(pool, old), place_of(pool, old) + old_size);
    }
    return block;
}

void MHD_pool_deallocate(struct MemoryPool* pool, void* block, size_t block_size) {
    if (block == NULL) {
        return;
    }
    const size_t place = place_of(pool, block);
    assert(place <= pool->size && block_size <= pool->size - place);
    spoil(pool, place, place + block_size);
    if (place >= pool->back) {
        if (place == pool->back) {
            pool->back = rounded(place + block_size);
        }
    } else if (rounded(place + block_size) == pool->front) {
        pool->front = rounded(place);
    }
}

void* MHD_pool_reset(struct MemoryPool* pool, void* keep, size_t copy_bytes, size_t new_size) {
    assert(copy_bytes <= new_size && new_size <= pool->size);
    if (copy_bytes != 0) {
        memmove(pool->memory, keep, copy_bytes);
    }
    spoil(pool, copy_bytes, pool->size);
    pool->front = rounded(new_size);
    pool->back = pool->size;
    return pool->memory;
}
