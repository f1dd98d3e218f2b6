/* A panel that is part of the program: no file is opened for it. The folder panel/ is compiled in by `embed`:
 * embedded [ADDRESS:PORT] */
#include <fcgate/fcgate.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "embedded_files.h"

/* The files change with the program alone, so its version names them all. */
static const char version[] = "\"" EMBEDDED_VERSION "\"";

static void serve(void* context, fcgate_request* request) {
    const char* path = fcgate_request_path(request);
    const char* method = fcgate_request_method(request);
    const char* known = fcgate_request_header(request, "If-None-Match");

    (void)context;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        fcgate_reply_header(request, "Allow", "GET, HEAD");
        fcgate_reply(request, 405, NULL, NULL, 0);
        return;
    }
    path = strcmp(path, "/") == 0 ? "/index.html" : path;
    for (size_t i = 0; i < sizeof embedded_files / sizeof *embedded_files; ++i) {
        const struct embedded_file* file = &embedded_files[i];
        if (strcmp(path, file->path) == 0) {
            fcgate_reply_header(request, "ETag", version);
            fcgate_reply_header(request, "Cache-Control", "no-cache");
            if (known != NULL && strstr(known, version) != NULL) {
                fcgate_reply(request, 304, NULL, NULL, 0);
            } else {
                fcgate_reply_static(request, 200, file->type, file->bytes, file->size);
            }
            return;
        }
    }
    fcgate_reply(request, 404, "text/plain", "Not found.\n", 11);
}

int main(int argc, char** argv) {
    fcgate_error error = {FCGATE_NO_MEMORY, 0, "out of memory"};
    fcgate_settings* settings = fcgate_settings_create();
    fcgate_server* server = NULL;
    int result = FCGATE_ERROR;

    /* A site needs a root. Nothing is ever looked for in it: the handler passes nothing on. */
    if (settings != NULL && fcgate_set(settings, "site.root", "/", &error) == FCGATE_OK &&
        fcgate_set(settings, "server.listen", argc > 1 ? argv[1] : "127.0.0.1:8080", &error) == FCGATE_OK) {
        server = fcgate_create(settings, &error);
    }
    if (server == NULL) {
        fcgate_settings_destroy(settings);
    } else if (fcgate_handle(server, "/", serve, NULL) == FCGATE_OK) {
        signal(SIGPIPE, SIG_IGN);
        result = fcgate_run(server, &error);
    }
    fprintf(stderr, "embedded: %s\n", error.text);
    fcgate_destroy(server);
    return result == FCGATE_OK ? 0 : 1;
}
