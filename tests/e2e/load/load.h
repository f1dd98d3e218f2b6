/* What the parts of the load generator share: numbers by chance that a seed repeats, nonces, scripts, sources of events. */
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/un.h>

/* chance.c */
struct chance {
    uint64_t state;
};

struct chance chance_of(uint64_t seed, uint64_t number);
uint32_t below(struct chance* chance, uint32_t limit);

/* A nonce is '~', 12 digits and 4 that prove that nobody made it up: the number of a script, times most_nonces, and a place in it. What is
 * mutated has no valid one any more. */
enum { nonce_size = 17, most_nonces = 256 };

void write_nonce(char* to, uint64_t nonce);
/* The next one in `text`, from `*at` on, which is moved behind it. */
bool find_nonce(const char* text, size_t size, size_t* at, uint64_t* nonce);

/* What is served. Bodies of PHP go with their first nonce, files with the place in them. */
enum { file_size = 4000 };

size_t filler_size(uint64_t nonce);
const char* filler(uint64_t nonce);
const char* file_content(void);

/* script.c: what is sent on a connection without a pause, with a canary at its end. */
enum { most_requests = 24, script_room = 1 << 17 };

struct script {
    uint64_t number;
    char text[script_room];
    size_t size;
    size_t pause;                   /* so much is sent at first */
    unsigned nonces, requests;      /* the canary's are the last */
    uint16_t status[most_requests]; /* what each is answered; 0: that depends */
    bool has_canary;                /* else the last request ends the connection */
    bool leaves;                    /* the client does not wait for any answer */
};

void read_corpus(const char* path);
void make_script(struct script* script, uint64_t seed, uint64_t number, bool mutated);

/* php.c: a FastCGI backend that answers with the nonces that it was sent. */
void php_listen(const char* path);

/* Judges an answer; NULL if it is as it should be. reply.c */
struct reply {
    int status;
    size_t size;   /* of all of it */
    bool to_close; /* its body ends with the connection */
    uint64_t nonces[8];
    unsigned nonce_count;
    const char* wrong;
};

/* Whether there is a whole reply at the beginning of `text`, which it takes apart in place; at the `end` of a connection everything is. */
bool take_reply(char* text, size_t size, bool end, struct reply* reply);

/* clients.c */
struct options {
    bool mutated;
    struct sockaddr_in address;
    struct sockaddr_un local;
    uint64_t seed, count, next, only;
    const char* failed;
};

struct counts {
    uint64_t requests, canaries, closed, resets, left, runs, connections;
    uint64_t by_status[600];
};

extern struct options options;
extern struct counts counts;

void clients_begin(unsigned count);
void clients_tick(int64_t now);
unsigned clients_waiting(int64_t now);
/* PHP runs a request with this nonce. */
void note_run(uint64_t nonce);
noreturn void give_up(const char* why);

/* main.c */
struct source {
    void (*on_event)(struct source* source, uint32_t events);
};

void watch(int fd, struct source* source, uint32_t events, bool is_new);
int64_t now_ms(void);

#endif
