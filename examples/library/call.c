/* Runs a script of PHP, that is started on demand, without HTTP: call FILE [QUERY] <BODY
 * Its output goes to the standard output, its status and fields to the standard error. */
#define _XOPEN_SOURCE 700 /* realpath() */
#include <fcgate/call.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct result {
    int done;
    int code;
    unsigned status;
};

static void show_head(void* context, const fcgate_answer* answer) {
    const char* name = NULL;
    const char* value = NULL;
    (void)context;
    fprintf(stderr, "status %u\n", fcgate_answer_status(answer));
    for (size_t i = 0; fcgate_answer_field(answer, i, &name, &value) == FCGATE_OK; ++i)
        fprintf(stderr, "%s: %s\n", name, value);
}

/* What cannot be written ends the call. */
static ptrdiff_t write_output(void* context, const void* bytes, size_t length) {
    (void)context;
    return fwrite(bytes, 1, length, stdout) == length ? (ptrdiff_t)length : -1;
}

static void take_end(void* context, int code, unsigned status) {
    struct result* result = context;
    result->done = 1;
    result->code = code;
    result->status = status;
}

int main(int argc, char** argv) {
    static const fcgate_caller caller = {show_head, write_output, take_end};
    static char body[1 << 20]; /* longer ones are cut */
    static char file[PATH_MAX];
    fcgate_error error = {FCGATE_NO_MEMORY, 0, "out of memory"};
    fcgate_settings* settings = fcgate_settings_create();
    fcgate_server* server = NULL;
    struct result result = {0, FCGATE_OK, 0};
    fcgate_script script = {0};
    int fd = -1;

    if (argc < 2) {
        fprintf(stderr, "call FILE [QUERY] <BODY\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    script.file = realpath(argv[1], file);
    script.query = argc > 2 ? argv[2] : NULL;
    script.content_type = "application/x-www-form-urlencoded";
    script.body = body;
    script.length = fread(body, 1, sizeof body, stdin);
    if (script.file == NULL) {
        perror(argv[1]);
        return 1;
    }
    /* One call, neither listener nor site. */
    if (settings != NULL && fcgate_set(settings, "backend.address", "spawn", &error) == FCGATE_OK &&
        fcgate_settings_set_calls(settings, 1, 8192) == FCGATE_OK)
        server = fcgate_create(settings, &error);
    if (server != NULL)
        fd = fcgate_fd(server, &error);
    if (fd < 0) {
        fprintf(stderr, "call: %s\n", error.text);
        return 1;
    }
    result.code = fcgate_call(server, &script, &caller, &result, NULL);
    while (result.code == FCGATE_OK && !result.done) {
        struct pollfd watched = {fd, POLLIN, 0};
        poll(&watched, 1, fcgate_timeout_ms(server));
        if (fcgate_dispatch(server, &error) != FCGATE_OK)
            break;
    }
    fcgate_destroy(server);
    /* A loop that has failed leaves a call without an end. */
    return result.done && result.code == FCGATE_OK && result.status < 400 ? 0 : 1;
}
