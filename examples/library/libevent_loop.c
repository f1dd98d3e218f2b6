/* fcgate inside a program that lives in libevent: libevent_loop [FOLDER [ADDRESS:PORT]]
 * The end of the input ends the program. */
#include <event2/event.h>
#include <fcgate/fcgate.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct web {
    fcgate_server* server;
    struct event_base* base;
    struct event* event; /* readable, or its time is up */
    int result;
};

/* The deadline changes with every dispatch: so the event is added again behind each. */
static void serve(evutil_socket_t fd, short what, void* context) {
    struct web* web = context;

    (void)fd;
    (void)what;
    web->result = fcgate_dispatch(web->server, NULL);
    if (web->result != FCGATE_OK) {
        event_del(web->event);
        event_base_loopbreak(web->base);
        return;
    }
    const int wait = fcgate_timeout_ms(web->server);
    const struct timeval due = {wait / 1000, (wait % 1000) * 1000L};
    event_add(web->event, wait >= 0 ? &due : NULL);
}

static void on_input(evutil_socket_t fd, short what, void* context) {
    const struct web* web = context;
    char bytes[256];

    (void)what;
    if (read(fd, bytes, sizeof bytes) <= 0) {
        fcgate_stop(web->server, 2000);
    }
}

static int run(struct web* web, fcgate_error* error) {
    const int fd = fcgate_fd(web->server, error);
    struct event* input = NULL;

    if (fd < 0) {
        return fd;
    }
    web->base = event_base_new();
    web->event = web->base != NULL ? event_new(web->base, fd, EV_READ, serve, web) : NULL;
    input = web->base != NULL ? event_new(web->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, web) : NULL;
    if (web->event != NULL && input != NULL && event_add(input, NULL) == 0) {
        event_active(web->event, EV_TIMEOUT, 0); /* for its first deadline */
        event_base_dispatch(web->base);
    }
    if (input != NULL) {
        event_free(input);
    }
    if (web->event != NULL) {
        event_free(web->event);
    }
    if (web->base != NULL) {
        event_base_free(web->base);
    }
    return web->result;
}

int main(int argc, char** argv) {
    fcgate_error error = {FCGATE_NO_MEMORY, 0, "out of memory"};
    fcgate_settings* settings = fcgate_settings_create();
    struct web web = {NULL, NULL, NULL, FCGATE_ERROR};
    int result = FCGATE_ERROR;

    signal(SIGPIPE, SIG_IGN);
    if (settings != NULL && fcgate_set(settings, "site.root", argc > 1 ? argv[1] : ".", &error) == FCGATE_OK &&
        fcgate_set(settings, "server.listen", argc > 2 ? argv[2] : "127.0.0.1:8080", &error) == FCGATE_OK) {
        web.server = fcgate_create(settings, &error);
    }
    if (web.server == NULL) {
        fcgate_settings_destroy(settings);
    } else {
        result = run(&web, &error);
    }
    if (result != FCGATE_GONE) {
        fprintf(stderr, "libevent_loop: %s\n", error.text);
    }
    fcgate_destroy(web.server);
    return result == FCGATE_GONE ? 0 : 1;
}
