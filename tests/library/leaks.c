/* Two whole lives under load, for valgrind: 200 requests of all kinds each, first with threads, then in a loop of the
 * host. It needs no PHP. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"

static char root[] = "/tmp/fcgate-leaks-XXXXXX";

_Noreturn static void complain(const char* what, const fcgate_error* error) {
    (void)fprintf(stderr, "%s: %s\n", what, error != NULL ? error->text : "");
    exit(2);
}

static void be_silent(void* context, enum fcgate_log_level level, const char* message) {
    size_t* const size = context;
    __atomic_add_fetch(size, strlen(message) + (size_t)level, __ATOMIC_RELAXED);
}

static void answer(void* context, fcgate_request* request) {
    static const char large[100000];
    const char* const query = fcgate_request_query(request);
    (void)context;
    (void)fcgate_reply_header(request, "X-Path", fcgate_request_path(request));
    if (query == NULL) {
        (void)fcgate_reply(request, 200, "text/plain", "short", 5);
    } else if (strcmp(query, "large") == 0) {
        (void)fcgate_reply(request, 200, NULL, large, sizeof large);
    } else if (strcmp(query, "wrong") == 0) {
        (void)fcgate_reply(request, 99, NULL, NULL, 0);
    }
}

#define ENDED " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

static const struct {
    const char* text;
    int status;
} requests[] = {
    {"GET /file.txt" ENDED "\r\n", 200},
    {"HEAD /file.txt" ENDED "\r\n", 200},
    {"GET /file.txt" ENDED "If-None-Match: *\r\nRange: bytes=1-2\r\n\r\n", 304},
    {"GET /none" ENDED "\r\n", 404},
    {"GET /%00" ENDED "\r\n", 400},
    {"BREW /file.txt" ENDED "\r\n", 0},
    {"GET /api/" ENDED "\r\n", 200},
    {"GET /api/?large" ENDED "\r\n", 200},
    {"HEAD /api/?large" ENDED "\r\n", 200},
    {"GET /api/?wrong" ENDED "\r\n", 500},
    {"POST /api/x" ENDED "Content-Length: 5\r\n\r\nhello", 200},
    {"POST /api/x" ENDED "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200},
    {"POST /file.txt" ENDED "Content-Length: 5\r\n\r\nhello", 0},
    {"nonsense\r\n\r\n", 0},
    {"GET /file.txt HTTP/1.1\r\nHost: foreign.test\r\nConnection: close\r\n\r\n", 0},
    {"GET /file.txt HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/" ENDED "\r\n", 200},
};

enum { request_count = 200 };

struct load {
    unsigned port;
    int wrong;
    bool done;
};

static void* make_load(void* argument) {
    struct load* const load = argument;
    for (size_t i = 0; i < request_count; ++i) {
        const size_t kind = i % (sizeof requests / sizeof *requests);
        struct reply reply = ask(load->port, requests[kind].text);
        if (requests[kind].status != 0 && reply.status != requests[kind].status) {
            (void)fprintf(stderr, "%.20s: %d, not %d\n", requests[kind].text, reply.status, requests[kind].status);
            ++load->wrong;
        }
        forget(&reply);
        if (i % 10 == 0) {
            /* One that leaves in the middle. */
            const int fd = dial(load->port);
            (void)send_text(fd, i % 20 == 0 ? "GET /api/?large HTTP/1.1\r\nHost: localhost\r\n\r\n" : "GET /fi");
            close(fd);
        }
    }
    __atomic_store_n(&load->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static fcgate_server* make_server(unsigned* port, bool has_threads, size_t* logged) {
    fcgate_error error;
    char listen[32];
    fcgate_settings* const settings = fcgate_settings_create();
    (void)snprintf(listen, sizeof listen, "fd:%d", listen_on_loopback(port));
    fcgate_settings_set_log(settings, be_silent, logged);
    if (fcgate_set(settings, "site.nothing", "x", &error) == FCGATE_OK || fcgate_create(settings, &error) != NULL) {
        complain("nonsense was taken", NULL);
    }
    if (fcgate_set(settings, "server.listen", listen, &error) != FCGATE_OK ||
        fcgate_set(settings, "server.threads", has_threads ? "2" : "1", &error) != FCGATE_OK ||
        fcgate_set(settings, "server.log_level", "debug", &error) != FCGATE_OK ||
        fcgate_set(settings, "site.root", root, &error) != FCGATE_OK) {
        complain("settings", &error);
    }
    fcgate_server* const server = fcgate_create(settings, &error);
    if (server == NULL || fcgate_handle(server, "/api/", answer, NULL) != FCGATE_OK) {
        complain("create", &error);
    }
    return server;
}

static int live(bool has_threads) {
    struct load load = {0, 0, false};
    size_t logged = 0;
    fcgate_error error;
    pthread_t client;
    fcgate_server* const server = make_server(&load.port, has_threads, &logged);
    if (has_threads) {
        if (fcgate_start(server, &error) != FCGATE_OK) {
            complain("start", &error);
        }
        make_load(&load);
        fcgate_stop(server, 1000);
        if (fcgate_wait(server, 10000, &error) != FCGATE_OK) {
            complain("wait", &error);
        }
    } else {
        if (fcgate_fd(server, &error) < 0 || pthread_create(&client, NULL, make_load, &load) != 0) {
            complain("fd", &error);
        }
        if (serve_until(server, &load.done) != FCGATE_OK) {
            complain("dispatch", NULL);
        }
        pthread_join(client, NULL);
    }
    fcgate_destroy(server);
    return load.wrong;
}

int main(void) {
    char path[64];
    (void)signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(root) == NULL) {
        return 2;
    }
    (void)snprintf(path, sizeof path, "%s/file.txt", root);
    FILE* const file = fopen(path, "we");
    if (file == NULL || fputs("a file\n", file) < 0 || fclose(file) != 0) {
        return 2;
    }
    const int wrong = live(true) + live(false);
    (void)unlink(path);
    (void)rmdir(root);
    return wrong == 0 ? 0 : 1;
}
