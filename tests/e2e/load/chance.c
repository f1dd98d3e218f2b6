/* Numbers by chance, nonces, and what is served. */
#include <stdio.h>
#include <string.h>

#include "load.h"

static uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

struct chance chance_of(uint64_t seed, uint64_t number) {
    return (struct chance){mix(seed * 0x9e3779b97f4a7c15u + mix(number + 1))};
}

uint32_t below(struct chance* chance, uint32_t limit) {
    chance->state += 0x9e3779b97f4a7c15u;
    return (uint32_t)((mix(chance->state) >> 32) * limit >> 32);
}

static const char digits[] = "0123456789abcdef";

static uint64_t proof(uint64_t nonce) {
    return mix(nonce ^ 0x5851f42d4c957f2d) & 0xffff;
}

void write_nonce(char* to, uint64_t nonce) {
    uint64_t value = nonce << 16 | proof(nonce);
    to[0] = '~';
    for (int i = nonce_size - 1; i > 0; --i, value >>= 4) {
        to[i] = digits[value & 15];
    }
}

static bool read_nonce(const char* text, uint64_t* nonce) {
    uint64_t value = 0;
    for (int i = 1; i < nonce_size; ++i) {
        const char* const digit = text[i] != 0 ? strchr(digits, text[i]) : NULL;
        if (digit == NULL) {
            return false;
        }
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *nonce = value >> 16;
    return proof(*nonce) == (value & 0xffff);
}

bool find_nonce(const char* text, size_t size, size_t* at, uint64_t* nonce) {
    while (*at + nonce_size <= size) {
        const char* const found = memchr(text + *at, '~', size - nonce_size + 1 - *at);
        if (found == NULL) {
            return false;
        }
        *at = (size_t)(found - text) + 1;
        if (read_nonce(found, nonce)) {
            *at += nonce_size - 1;
            return true;
        }
    }
    return false;
}

enum { most_filler = 20000, period = 23 };

size_t filler_size(uint64_t nonce) {
    static const uint16_t sizes[] = {0, 0, 0, 0, 0, 1, 30, 30, 300, 300, 300, 1000, 1000, 3000, 8000, most_filler};
    return sizes[mix(nonce) >> 20 & 15];
}

const char* filler(uint64_t nonce) {
    static char text[most_filler + period];
    if (text[0] == 0) {
        for (size_t i = 0; i < sizeof text; ++i) {
            text[i] = (char)('a' + i % period);
        }
    }
    return text + mix(nonce) % period;
}

const char* file_content(void) {
    static char text[file_size + 1];
    for (size_t i = 0; text[file_size - 1] == 0; i += 8) {
        snprintf(text + i, 9, "s%06u\n", (unsigned)(i / 8));
    }
    return text;
}
