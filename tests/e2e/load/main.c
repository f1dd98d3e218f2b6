/*
 * Sends scripts to a fcgate, and is PHP behind it: load mutated|plain ADDRESS PHP CORPUS COUNT SEED CONNECTIONS FAILED [ONLY]
 *
 * ADDRESS is a port of 127.0.0.1 and a unix socket, PORT:PATH; PHP the socket at which this program is PHP; COUNT how many requests are to be
 * answered; FAILED the file for the script that was answered wrongly; ONLY the number of a script that is to be sent alone. Ends with
 * status 0 if all went as it should. TERM ends it early. endurance.py starts it and makes the corpus.
 *
 * Each script is sent at once, with a canary at its end. Whatever its requests have become: an answer has the nonces of its own request and
 * none that another connection, or an earlier answer, has had; PHP runs none twice; the canary is answered, once and as the last, or the
 * connection ends.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

static int poll_fd;
static volatile sig_atomic_t is_told_to_end;

int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void watch(int fd, struct source* source, uint32_t events, bool is_new) {
    struct epoll_event event = {.events = events, .data = {.ptr = source}};
    if (epoll_ctl(poll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0) {
        give_up("epoll_ctl");
    }
}

static void print_progress(int64_t since) {
    printf("%6lld s  %llu requests, %llu canaries, %llu run in PHP, %llu connections (%llu ended by fcgate), %u wait\n",
           (long long)since / 1000, (unsigned long long)counts.requests, (unsigned long long)counts.canaries,
           (unsigned long long)counts.runs, (unsigned long long)counts.connections, (unsigned long long)counts.closed,
           clients_waiting(now_ms()));
    fflush(stdout);
}

static void print_result(void) {
    printf("by status:");
    for (unsigned i = 0; i < 600; ++i) {
        if (counts.by_status[i] > 0) {
            printf(" %u: %llu", i, (unsigned long long)counts.by_status[i]);
        }
    }
    printf("; %llu clients left, %llu connections were reset\n", (unsigned long long)counts.left,
           (unsigned long long)counts.resets);
    printf("RESULT requests=%llu canaries=%llu runs=%llu connections=%llu\n", (unsigned long long)counts.requests,
           (unsigned long long)counts.canaries, (unsigned long long)counts.runs,
           (unsigned long long)counts.connections);
}

static void run(void) {
    const int64_t begun = now_ms();
    int64_t told = begun;
    int64_t ticked = begun;
    const uint64_t most = options.only > 0 ? 1 : options.count;
    while (counts.requests < most && !is_told_to_end) {
        struct epoll_event events[256];
        const int count = epoll_wait(poll_fd, events, 256, 100);
        for (int i = 0; i < count; ++i) {
            struct source* const source = events[i].data.ptr;
            source->on_event(source, events[i].events);
        }
        const int64_t now = now_ms();
        if (now - ticked >= 100) {
            ticked = now;
            clients_tick(now);
        }
        if (now - told >= 10000) {
            told = now;
            print_progress(now - begun);
        }
    }
    print_progress(now_ms() - begun);
    print_result();
}

static void on_signal(int number) {
    (void)number;
    is_told_to_end = 1;
}

int main(int argc, char** argv) {
    if (argc < 9) {
        fputs("see endurance.py\n", stderr);
        return 2;
    }
    const char* const path = strchr(argv[2], ':');
    options.mutated = strcmp(argv[1], "mutated") == 0;
    options.address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    options.local.sun_family = AF_UNIX;
    strncpy(options.local.sun_path, path != NULL ? path + 1 : "", sizeof options.local.sun_path - 1);
    options.count = strtoull(argv[5], NULL, 10);
    options.seed = strtoull(argv[6], NULL, 10);
    const unsigned clients = (unsigned)atoi(argv[7]);
    options.failed = argv[8];
    options.only = argc > 9 ? strtoull(argv[9], NULL, 10) : 0;
    options.next = options.only;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    read_corpus(argv[4]);
    php_listen(argv[3]);
    clients_begin(options.only > 0 ? 1 : clients);
    run();
    return 0;
}
