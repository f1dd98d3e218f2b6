/* A program with an event loop of its own, of which fcgate is one descriptor and standard input another. The line typed
 * last is served at /line; the end of the input ends the program: own_loop [FOLDER [ADDRESS:PORT]] */
#include <fcgate/fcgate.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct line {
    char text[256];
    size_t length;
};

/* It runs inside fcgate_dispatch(), on the only thread: no lock is needed. */
static void show_line(void* context, fcgate_request* request) {
    const struct line* line = context;
    fcgate_reply_header(request, "Cache-Control", "no-store");
    fcgate_reply(request, 200, "text/plain; charset=utf-8", line->text, line->length);
}

/* Returns when the input has ended and the server has stopped. */
static int serve(fcgate_server* server, struct line* line, fcgate_error* error) {
    struct pollfd watched[2] = {{-1, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    int result = FCGATE_OK;

    watched[0].fd = fcgate_fd(server, error);
    if (watched[0].fd < 0) {
        return watched[0].fd;
    }
    while (result == FCGATE_OK) {
        /* The program's own deadlines would shorten the wait; this one has none. */
        if (poll(watched, 2, fcgate_timeout_ms(server)) > 0 && watched[1].revents != 0) {
            const ssize_t count = read(STDIN_FILENO, line->text, sizeof line->text);
            if (count > 0) {
                line->length = (size_t)count;
            } else {
                watched[1].fd = -1;
                fcgate_stop(server, 2000);
            }
        }
        result = fcgate_dispatch(server, error); /* also when nothing is ready: its deadline may have passed */
    }
    return result;
}

int main(int argc, char** argv) {
    fcgate_error error = {FCGATE_NO_MEMORY, 0, "out of memory"};
    fcgate_settings* settings = fcgate_settings_create();
    fcgate_server* server = NULL;
    struct line line = {"", 0};
    int result = FCGATE_ERROR;

    signal(SIGPIPE, SIG_IGN); /* clients leave whenever they like */
    if (settings != NULL && fcgate_set(settings, "site.root", argc > 1 ? argv[1] : ".", &error) == FCGATE_OK &&
        fcgate_set(settings, "server.listen", argc > 2 ? argv[2] : "127.0.0.1:8080", &error) == FCGATE_OK) {
        server = fcgate_create(settings, &error);
    }
    if (server == NULL) {
        fcgate_settings_destroy(settings);
    } else if (fcgate_handle(server, "/line", show_line, &line) == FCGATE_OK) {
        result = serve(server, &line, &error);
    }
    if (result != FCGATE_GONE) {
        fprintf(stderr, "own_loop: %s\n", error.text);
    }
    fcgate_destroy(server);
    return result == FCGATE_GONE ? 0 : 1;
}
