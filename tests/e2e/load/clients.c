/* The clients: each sends a script, holds what comes against it, and begins the next. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { input_room = 1 << 16, patience_ms = 120000, scripts_known = 1 << 16 };

struct slot {
    struct source source;
    int fd;
    bool is_local, wants_to_send;
    struct script script;
    size_t sent;
    char* in;
    size_t have;
    unsigned answers;
    int last; /* place of the last nonce that was answered */
    bool canary;
    int64_t begun;
    uint64_t ran[most_nonces / 64];
};

struct options options;
struct counts counts;
static struct slot* slots;
static struct slot* owners[scripts_known];
static unsigned slot_count;
static struct slot* current;

noreturn void give_up(const char* why) {
    printf("FAILED: %s\n", why);
    if (current != NULL) {
        FILE* const file = fopen(options.failed, "wb");
        printf("script %llu of seed %llu, %u of %u answered, its bytes are in %s; what came is behind them\n",
               (unsigned long long)current->script.number, (unsigned long long)options.seed, current->answers,
               current->script.requests, options.failed);
        if (file != NULL) {
            fwrite(current->script.text, 1, current->script.size, file);
            fwrite(current->in, 1, current->have, file);
            fclose(file);
        }
    }
    fflush(stdout);
    _exit(1);
}

void note_run(uint64_t nonce) {
    const uint64_t number = nonce / most_nonces;
    const unsigned place = nonce % most_nonces;
    struct slot* const slot = owners[number % scripts_known];
    ++counts.runs;
    /* A client that has left meanwhile has another script by now. */
    if (slot != NULL && slot->script.number == number) {
        if ((slot->ran[place / 64] >> place % 64 & 1) != 0) {
            current = slot;
            give_up("PHP runs a request twice");
        }
        slot->ran[place / 64] |= 1ull << place % 64;
    }
}

static void begin(struct slot* slot);
static void send_script(struct slot* slot);

static void close_slot(struct slot* slot) {
    /* With a reset no port is left waiting for a minute: there are not that many. */
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(slot->fd);
    slot->fd = -1;
}

static void connect_slot(struct slot* slot) {
    slot->is_local = slot->script.number % 4 != 0;
    slot->fd = socket(slot->is_local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int done = slot->is_local
                         ? connect(slot->fd, (const struct sockaddr*)&options.local, sizeof options.local)
                         : connect(slot->fd, (const struct sockaddr*)&options.address, sizeof options.address);
    if (done != 0 && errno == EAGAIN) { /* the backlog is full */
        close(slot->fd);
        slot->fd = -1;
        return;
    }
    if (done != 0 && errno != EINPROGRESS) {
        give_up("fcgate does not accept");
    }
    ++counts.connections;
    /* A unix socket is connected by now. */
    slot->wants_to_send = !slot->is_local || slot->script.leaves;
    watch(slot->fd, &slot->source, EPOLLIN | (slot->wants_to_send ? EPOLLOUT : 0), true);
    if (!slot->wants_to_send) {
        send_script(slot);
    }
}

static void send_script(struct slot* slot) {
    const size_t until = slot->sent < slot->script.pause ? slot->script.pause : slot->script.size;
    const ssize_t sent = send(slot->fd, slot->script.text + slot->sent, until - slot->sent, MSG_NOSIGNAL);
    if (sent > 0) {
        slot->sent += (size_t)sent;
    } else if (sent < 0 && errno != EAGAIN) {
        slot->sent = slot->script.size; /* fcgate has closed: what it said first is there to read */
    }
    const bool wants = slot->sent < slot->script.size;
    if (wants != slot->wants_to_send) {
        slot->wants_to_send = wants;
        watch(slot->fd, &slot->source, EPOLLIN | (wants ? EPOLLOUT : 0), false);
    }
}

static void begin(struct slot* slot) {
    const uint64_t number = options.next++;
    make_script(&slot->script, options.seed, number, options.mutated);
    owners[number % scripts_known] = slot;
    slot->sent = slot->have = slot->answers = 0;
    slot->last = -1;
    slot->canary = false;
    slot->begun = now_ms();
    memset(slot->ran, 0, sizeof slot->ran);
    if (slot->fd < 0) {
        connect_slot(slot);
    } else {
        send_script(slot);
    }
}

/* An answer is one of this script, and later than all before. */
static void check(struct slot* slot, const struct reply* reply) {
    int most = slot->last;
    if (reply->wrong != NULL) {
        give_up(reply->wrong);
    }
    if (slot->canary) {
        give_up("something is answered behind the canary");
    }
    for (unsigned i = 0; i < reply->nonce_count; ++i) {
        const int place = (int)(reply->nonces[i] % most_nonces);
        if (reply->nonces[i] / most_nonces != slot->script.number) {
            give_up("an answer has the nonce of another");
        }
        if (place <= slot->last) {
            give_up("a request is answered twice, or late");
        }
        most = place > most ? place : most;
    }
    slot->last = most;
    slot->canary = slot->script.has_canary && reply->status == 200 && most == (int)slot->script.nonces - 1;
    if (!options.mutated) {
        const unsigned expected = slot->answers < slot->script.requests ? slot->script.status[slot->answers] : 0;
        if (expected != (unsigned)reply->status) {
            printf("%u instead of %d\n", reply->status, expected);
            give_up("not the answer that is due");
        }
    }
    ++slot->answers;
    ++counts.by_status[reply->status < 600 ? reply->status : 599];
    ++*(slot->canary ? &counts.canaries : &counts.requests);
}

static void take_replies(struct slot* slot, bool end) {
    size_t at = 0;
    struct reply reply;
    while (at < slot->have && take_reply(slot->in + at, slot->have - at, end, &reply)) {
        if (reply.wrong == NULL) {
            at += reply.size;
        }
        if (reply.wrong != NULL || reply.status >= 200) {
            check(slot, &reply);
        }
    }
    slot->have -= at;
    memmove(slot->in, slot->in + at, slot->have);
    if (slot->have == input_room) {
        give_up("an answer is longer than any can be");
    }
}

static void on_end(struct slot* slot, bool is_reset) {
    if (!is_reset) {
        take_replies(slot, true);
    } else {
        ++counts.resets;
    }
    if (!options.mutated && slot->answers < slot->script.requests) {
        give_up("the connection ends before all is answered");
    }
    counts.closed += !slot->canary;
    counts.requests += slot->answers == 0;
    close_slot(slot);
    begin(slot);
}

static void on_slot(struct source* source, uint32_t events) {
    struct slot* const slot = current = (struct slot*)source;
    if ((events & EPOLLOUT) != 0) {
        send_script(slot);
        if (slot->script.leaves && slot->sent == slot->script.size) {
            ++counts.left;
            close_slot(slot);
            begin(slot);
            return;
        }
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
        return;
    }
    const ssize_t size = recv(slot->fd, slot->in + slot->have, input_room - slot->have, 0);
    if (size < 0 && errno == EAGAIN) {
        return;
    }
    if (size <= 0) {
        if (size < 0 && errno == ECONNREFUSED) {
            give_up("fcgate does not accept");
        }
        on_end(slot, size < 0);
        return;
    }
    slot->have += (size_t)size;
    take_replies(slot, false);
    if (slot->canary) {
        if (slot->have > 0) {
            give_up("something comes behind the canary's answer");
        }
        if (slot->script.number % 8 == 0) {
            close_slot(slot);
        }
        begin(slot);
    }
}

void clients_begin(unsigned count) {
    slots = calloc(count, sizeof *slots);
    slot_count = slots != NULL ? count : 0;
    for (unsigned i = 0; i < slot_count; ++i) {
        slots[i].source.on_event = on_slot;
        slots[i].fd = -1;
        slots[i].in = malloc(input_room);
        begin(&slots[i]);
    }
}

void clients_tick(int64_t now) {
    current = NULL;
    for (unsigned i = 0; i < slot_count; ++i) {
        if (slots[i].fd < 0) {
            connect_slot(&slots[i]);
        }
        if (now - slots[i].begun > patience_ms) {
            current = &slots[i];
            give_up("a connection is neither answered nor ended");
        }
    }
}

unsigned clients_waiting(int64_t now) {
    unsigned waiting = 0;
    for (unsigned i = 0; i < slot_count; ++i) {
        waiting += now - slots[i].begun > 1000;
    }
    return waiting;
}
