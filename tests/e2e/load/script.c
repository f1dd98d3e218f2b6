/* Scripts: requests of the corpus, as they are or mutated, with a canary behind. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

/* As the file has it: each with its length before it. */
struct request {
    uint32_t size;
    uint16_t status; /* 0: that depends */
    uint16_t kind;
    const char* text;
};

enum kind { good, last, vector };

static const char place_of_nonce[nonce_size + 1] = "@@@@@@@@@@@@@@@@@";
static struct request corpus[1024];
static unsigned numbers[3], firsts[3];

void read_corpus(const char* path) {
    FILE* const file = fopen(path, "rb");
    uint32_t size = 0;
    unsigned count = 0;
    while (file != NULL && count < sizeof corpus / sizeof *corpus && fread(&size, sizeof size, 1, file) == 1) {
        struct request* const request = &corpus[count];
        char* const text = malloc(size);
        if (text == NULL || fread(&request->status, 4, 1, file) != 1 || fread(text, 1, size, file) != size ||
            request->kind > vector) {
            give_up("the corpus is damaged");
        }
        request->text = text;
        request->size = size;
        if (numbers[request->kind]++ == 0) {
            firsts[request->kind] = count;
        }
        ++count;
    }
    if (numbers[good] == 0 || numbers[last] == 0 || numbers[vector] == 0) {
        give_up("the corpus lacks a kind of request");
    }
    fclose(file);
}

static const char* const words[] = {
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    "%00",
    "%2e%2e/",
    "../",
    "//",
    "%",
    "?",
    "#",
    "0",
    "-1",
    "18446744073709551616",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 70\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "Host: localhost\r\n",
    "Host: foreign.example\r\n",
    "Range: bytes=0-0,5-\r\n",
    "Range: bytes=-5\r\n",
    "If-None-Match: *\r\n",
    "If-Match: \"x\"\r\n",
    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "Upgrade: h2c\r\n",
    "Proxy: x\r\n",
    "X-Forwarded-For: 10.0.0.1\r\n",
    "Cookie: a=b\r\n",
    " HTTP/1.0",
    " HTTP/1.1",
    "HTTP/2.0",
    "GET /t.php HTTP/1.1\r\n",
    "http://localhost/",
    "HEAD",
    "POST",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    ".php",
    ".php/x",
    "/.htaccess",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "ffffffffffffffff\r\n",
    "a;b=c\r\n",
};

/* The gap in text[at] becomes `more` longer, or shorter. */
static bool shift(struct script* script, size_t at, size_t old, size_t more) {
    if (script->size - old + more > script_room - 1024) {
        return false;
    }
    memmove(script->text + at + more, script->text + at + old, script->size - at - old);
    script->size = script->size - old + more;
    return true;
}

static void put(struct script* script, size_t at, const char* text, size_t size) {
    if (shift(script, at, 0, size)) {
        memcpy(script->text + at, text, size);
    }
}

/* A letter or digit becomes another: most such requests are still good, and so is the connection. */
static void mutate_softly(struct script* script, size_t begin, struct chance* chance) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~!";
    size_t at = begin + below(chance, (uint32_t)(script->size - begin));
    while (at < script->size && memchr(letters, script->text[at], 62) == NULL) {
        ++at;
    }
    if (at < script->size) {
        script->text[at] = letters[below(chance, sizeof letters - 1)];
    }
}

static void mutate_hard(struct script* script, size_t begin, struct chance* chance) {
    static const uint16_t lengths[] = {20, 100, 300, 1000, 3000, 9000, 12000};
    const size_t size = script->size - begin;
    if (size == 0) {
        return;
    }
    const size_t at = begin + below(chance, (uint32_t)size);
    const size_t left = script->size - at;
    const size_t length = 1 + below(chance, left < 64 ? (uint32_t)left : 64);
    const struct request* const other = &corpus[firsts[vector] + below(chance, numbers[vector])];
    switch (below(chance, 12)) {
        case 0:
        case 1:
            script->text[at] ^= (char)(1 << below(chance, 8));
            break;
        case 2:
            script->text[at] = (char)below(chance, 256);
            break;
        case 3:
            script->text[at] = "\0\r\n\t :;,/.%\\\"'?#&=<>\x7f\xff"[below(chance, 22)];
            break;
        case 4:
            shift(script, at, length, 0);
            break;
        case 5: { /* again what stands here */
            char copy[64];
            memcpy(copy, script->text + at, length);
            put(script, at, copy, length);
            break;
        }
        case 6: { /* another piece of it */
            char copy[64];
            const size_t from = begin + below(chance, (uint32_t)size);
            const size_t many = length < script->size - from ? length : script->size - from;
            memcpy(copy, script->text + from, many);
            put(script, at, copy, many);
            break;
        }
        case 7: { /* a line, at the beginning of a line */
            const char* const end = memmem(script->text + at, left, "\r\n", 2);
            const char* const word = words[below(chance, sizeof words / sizeof *words)];
            put(script, end != NULL ? (size_t)(end - script->text) + 2 : at, word, strlen(word));
            break;
        }
        case 8: {
            const char* const word = words[below(chance, sizeof words / sizeof *words)];
            put(script, at, word, strlen(word));
            break;
        }
        case 9: { /* much of one byte */
            const size_t many = lengths[below(chance, below(chance, 4) == 0 ? 7 : 3)];
            if (shift(script, at, 0, many)) {
                memset(script->text + at, "a0 /%\xc3=.;:"[below(chance, 10)], many);
            }
            break;
        }
        case 10: { /* a piece of a bad one */
            const size_t from = below(chance, other->size);
            put(script, at, other->text + from, 1 + below(chance, (uint32_t)(other->size - from)));
            break;
        }
        default: /* the rest is missing */
            script->size = at;
    }
}

static void stamp(struct script* script, size_t begin) {
    char* at = script->text + begin;
    while (script->nonces < most_nonces - 1 &&
           (at = memmem(at, script->size - (size_t)(at - script->text), place_of_nonce, nonce_size)) != NULL) {
        write_nonce(at, script->number * most_nonces + script->nonces++);
    }
}

static void add(struct script* script, enum kind kind, struct chance* chance, bool mutated) {
    const struct request* const request = &corpus[firsts[kind] + below(chance, numbers[kind])];
    const size_t begin = script->size;
    put(script, begin, request->text, request->size);
    script->status[script->requests++] = mutated ? 0 : request->status;
    if (mutated && below(chance, 5) != 0) {
        mutate_softly(script, begin, chance);
    } else if (mutated) {
        for (uint32_t i = 1 + below(chance, 3); i > 0; --i) {
            mutate_hard(script, begin, chance);
        }
    }
    stamp(script, begin);
}

void make_script(struct script* script, uint64_t seed, uint64_t number, bool mutated) {
    struct chance chance = chance_of(seed, number);
    script->number = number;
    script->size = script->nonces = script->requests = 0;
    script->leaves = below(&chance, 100) == 0;
    for (uint32_t i = 1 + below(&chance, 12); i > 0 && script->size < 40000; --i) {
        add(script, mutated && below(&chance, 25) == 0 ? vector : good, &chance, mutated);
    }
    script->has_canary = mutated || below(&chance, 8) != 0;
    if (script->has_canary) {
        static const char canary[] = "GET /canary.php?@@@@@@@@@@@@@@@@@ HTTP/1.1\r\nHost: localhost\r\n\r\n";
        const size_t begin = script->size;
        put(script, begin, canary, sizeof canary - 1);
        script->status[script->requests++] = 200;
        stamp(script, begin);
    } else {
        add(script, last, &chance, false);
    }
    script->pause = below(&chance, 4) == 0 ? 1 + below(&chance, (uint32_t)script->size) : script->size;
}
