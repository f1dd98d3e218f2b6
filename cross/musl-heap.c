/* The heap, in the place of musl's, which is ten times as large. Written for fcgate, where it is libmicrohttpd's: connections, their memory and replies,
   a few hundred blocks at most. Blocks lie side by side in spans from the kernel; free neighbours become one, and a span that is free as a whole goes
   back to the kernel, but for one. */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct Links {
    struct Block* next;
    struct Block* previous;
};

struct Block {
    size_t below;                             /* size of the block below in its span; 0: it is the first */
    size_t size;                              /* with these two; odd while it is in use */
    _Alignas(max_align_t) struct Links links; /* of the free ones; what is here while it is in use is its owner's */
};

enum { head_size = offsetof(struct Block, links), used = 1, span_size = 1 << 16 };

static struct {
    pthread_mutex_t mutex;
    struct Block* first; /* of the free ones */
    struct Block* spare; /* the only block of a span that is free as a whole */
} heap = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct Block* at(const struct Block* block, ptrdiff_t distance) {
    return (struct Block*)((uintptr_t)block + (uintptr_t)distance);
}

static struct Block* above(const struct Block* block) {
    return at(block, (ptrdiff_t)(block->size & ~(size_t)used));
}

static int is_free(const struct Block* block) {
    return (block->size & used) == 0;
}

static void insert(struct Block* block) {
    block->links = (struct Links){.next = heap.first};
    if (heap.first != NULL) {
        heap.first->links.previous = block;
    }
    heap.first = block;
}

static void remove_free(struct Block* block) {
    const struct Links links = block->links;
    *(links.previous != NULL ? &links.previous->links.next : &heap.first) = links.next;
    if (links.next != NULL) {
        links.next->links.previous = links.previous;
    }
    if (heap.spare == block) {
        heap.spare = NULL;
    }
}

/* A free block of a size, and the block above follows it. */
static void resize(struct Block* block, size_t size) {
    block->size = size;
    above(block)->below = size;
}

/* Its only block ends where a head that is in use ends the span. */
static struct Block* new_span(size_t size) {
    const size_t whole = (size + head_size + span_size - 1) / span_size * span_size;
    struct Block* const block = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
        return NULL;
    }
    resize(block, whole - head_size);
    above(block)->size = used;
    insert(block);
    return block;
}

static struct Block* take(size_t size) {
    struct Block* block = heap.first;
    while (block != NULL && block->size < size) {
        block = block->links.next;
    }
    if (block == NULL && (block = new_span(size)) == NULL) {
        return NULL;
    }
    remove_free(block);
    const size_t rest = block->size - size;
    if (rest >= sizeof *block) {
        resize(block, size);
        resize(above(block), rest);
        insert(above(block));
    }
    block->size |= used;
    return block;
}

static void give_back(struct Block* block) {
    if (is_free(block)) {
        abort(); /* It has been given back before. */
    }
    size_t size = block->size & ~(size_t)used;
    struct Block* neighbour = above(block);
    if (is_free(neighbour)) {
        remove_free(neighbour);
        size += neighbour->size;
    }
    neighbour = at(block, -(ptrdiff_t)block->below);
    if (is_free(neighbour)) {
        remove_free(neighbour);
        size += neighbour->size;
        block = neighbour;
    }
    resize(block, size);
    if (block->below == 0 && above(block)->size == used) {
        if (heap.spare != NULL) {
            munmap(block, size + head_size);
            return;
        }
        heap.spare = block;
    }
    insert(block);
}

void* malloc(size_t size) {
    struct Block* block = NULL;
    if (size <= PTRDIFF_MAX) {
        const size_t rounded = (size + head_size + head_size - 1) & ~(size_t)(head_size - 1);
        pthread_mutex_lock(&heap.mutex);
        block = take(rounded < sizeof *block ? sizeof *block : rounded);
        pthread_mutex_unlock(&heap.mutex);
    }
    if (block == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    return &block->links;
}

void free(void* memory) {
    if (memory != NULL) {
        pthread_mutex_lock(&heap.mutex);
        give_back(at(memory, -head_size));
        pthread_mutex_unlock(&heap.mutex);
    }
}

void* calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        bytes = SIZE_MAX;
    }
    void* const memory = malloc(bytes);
    return memory != NULL ? memset(memory, 0, bytes) : NULL;
}

void* realloc(void* memory, size_t size) {
    const size_t room = memory != NULL ? (at(memory, -head_size)->size & ~(size_t)used) - head_size : 0;
    if (memory != NULL && size <= room) {
        return memory;
    }
    void* const larger = malloc(size);
    if (larger != NULL && memory != NULL) {
        memcpy(larger, memory, room);
        free(memory);
    }
    return larger;
}
