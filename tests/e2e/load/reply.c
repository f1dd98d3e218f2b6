/* Replies are read strictly: how they are framed, and that each byte of their bodies is one that belongs there. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load.h"

/* The value of a field in the lines of a head; NULL without it. */
static const char* field(const char* head, size_t size, const char* name) {
    const size_t length = strlen(name);
    for (const char* line = memmem(head, size, "\r\n", 2); line != NULL && line + 4 < head + size;
         line = memmem(line + 2, size - (size_t)(line + 2 - head), "\r\n", 2)) {
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
            return line + 3 + length + (line[3 + length] == ' ');
        }
    }
    return NULL;
}

/* What the chunks and all around them take; 0 if not all of it is there. Their contents are only moved together if they are to be joined. */
static size_t take_chunks(char* text, size_t size, bool join, size_t* joined, const char** wrong) {
    size_t at = 0;
    *joined = 0;
    for (;;) {
        const char* const end = memmem(text + at, size - at, "\r\n", 2);
        if (end == NULL) {
            return 0;
        }
        char* stop = NULL;
        const size_t length = strtoul(text + at, &stop, 16);
        if (stop != end || stop == text + at || length > size) {
            *wrong = stop != end || stop == text + at ? "no size of a chunk" : NULL;
            return 0;
        }
        at = (size_t)(end - text) + 2;
        if (at + length + 2 > size) {
            return 0;
        }
        if (memcmp(text + at + length, "\r\n", 2) != 0) {
            *wrong = "no end of a chunk";
            return 0;
        }
        if (join) {
            memmove(text + *joined, text + at, length);
        }
        *joined += length;
        at += length + 2;
        if (length == 0) {
            return at;
        }
    }
}

static const char* judge_php(const char* body, size_t size, struct reply* reply) {
    size_t at = 4;
    while (at < size && body[at] == '~' && reply->nonce_count < 8) {
        size_t behind = at;
        if (!find_nonce(body, size, &behind, &reply->nonces[reply->nonce_count]) || behind != at + nonce_size) {
            return "PHP's answer has a nonce that is none";
        }
        ++reply->nonce_count;
        at = behind;
    }
    if (at >= size || body[at++] != '\n') {
        return "PHP's answer has lost its first line";
    }
    const size_t more = reply->nonce_count > 0 ? filler_size(reply->nonces[0]) : 0;
    if (size - at != more) {
        return "PHP's answer is not as long as it was";
    }
    return more > 0 && memcmp(body + at, filler(reply->nonces[0]), more) != 0
               ? "PHP's answer has bytes that it did not have"
               : NULL;
}

static const char* judge_file(const char* body, size_t size, const char* range) {
    size_t first = 0;
    size_t end = file_size;
    if (range != NULL) {
        char* stop = NULL;
        first = strtoul(range + sizeof "bytes" - 1, &stop, 10);
        end = strtoul(stop + 1, NULL, 10) + 1;
    }
    if (end - first != size || end > file_size) {
        return "a file is not as long as it is";
    }
    return memcmp(body, file_content() + first, size) != 0 ? "a file has bytes that it does not have" : NULL;
}

static const char* judge(const char* head, size_t head_size, const char* body, size_t size, struct reply* reply) {
    if (reply->status >= 300) {
        size_t at = 0;
        uint64_t nonce = 0;
        return find_nonce(body, size, &at, &nonce) ? "an error has a nonce in it" : NULL;
    }
    if (size == 0) {
        return NULL;
    }
    if (reply->status == 206) {
        const char* const range = field(head, head_size, "Content-Range");
        return range != NULL ? judge_file(body, size, range) : "a part without Content-Range";
    }
    return size >= 4 && memcmp(body, "php ", 4) == 0 ? judge_php(body, size, reply) : judge_file(body, size, NULL);
}

bool take_reply(char* text, size_t size, bool end, struct reply* reply) {
    const char* const behind = memmem(text, size, "\r\n\r\n", 4);
    *reply = (struct reply){0};
    if (size >= 9 && memcmp(text, "HTTP/1.1 ", 9) != 0 && memcmp(text, "HTTP/1.0 ", 9) != 0) {
        reply->wrong = "no status line";
        return true;
    }
    if (behind == NULL) {
        reply->wrong = end && size > 0 ? "a head that is cut" : NULL;
        return end && size > 0;
    }
    const size_t head = (size_t)(behind - text) + 4;
    char* const body = text + head;
    const size_t left = size - head;
    reply->status = atoi(text + 9);
    reply->size = head;
    if (reply->status < 200 || reply->status == 204 || reply->status == 304) {
        return true;
    }
    const char* const length = field(text, head, "Content-Length");
    const bool is_chunked = field(text, head, "Transfer-Encoding") != NULL;
    const size_t told = length != NULL ? strtoul(length, NULL, 10) : 0;
    if (length != NULL && is_chunked) {
        reply->wrong = "Content-Length beside Transfer-Encoding";
        return true;
    }
    if ((length != NULL && told == 0) || (left > 0 && body[0] == 'H') || (left == 0 && end)) {
        return true; /* empty, or the reply to a HEAD: no body begins like a reply */
    }
    if (left == 0) {
        return false;
    }
    size_t joined = told;
    size_t whole = told;
    if (is_chunked) {
        whole = take_chunks(body, left, false, &joined, &reply->wrong);
    } else if (length == NULL) {
        whole = joined = left;
        reply->to_close = true;
    }
    if (reply->wrong == NULL && (whole == 0 || left < whole || (reply->to_close && !end))) {
        reply->wrong = end ? "a body that is cut" : NULL;
        return end;
    }
    reply->size = head + whole;
    if (reply->wrong == NULL && is_chunked) {
        take_chunks(body, left, true, &joined, &reply->wrong);
    }
    if (reply->wrong == NULL) {
        reply->wrong = judge(text, head, body, joined, reply);
    }
    return true;
}
