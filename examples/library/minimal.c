/* Serves a folder, with PHP that is started on demand and one endpoint of its own: minimal [FOLDER [ADDRESS:PORT]] */
#include <fcgate/fcgate.h>
#include <stdio.h>

static void say_hello(void* context, fcgate_request* request) {
    (void)context;
    fcgate_reply(request, 200, "text/plain", "hello\n", 6);
}

int main(int argc, char** argv) {
    fcgate_error error = {FCGATE_NO_MEMORY, 0, "out of memory"};
    fcgate_settings* settings = fcgate_settings_create();
    fcgate_server* server = NULL;

    if (settings != NULL && fcgate_set(settings, "site.root", argc > 1 ? argv[1] : ".", &error) == FCGATE_OK &&
        fcgate_set(settings, "server.listen", argc > 2 ? argv[2] : "127.0.0.1:8080", &error) == FCGATE_OK &&
        fcgate_set(settings, "backend.address", "spawn", &error) == FCGATE_OK) {
        server = fcgate_create(settings, &error);
    }
    if (server == NULL) {
        fcgate_settings_destroy(settings); /* a server would have taken them over */
    } else if (fcgate_handle(server, "/hello", say_hello, NULL) == FCGATE_OK &&
               fcgate_start(server, &error) == FCGATE_OK) {
        fcgate_wait(server, -1, &error); /* nobody stops it: it ends with the process */
    }
    fprintf(stderr, "minimal: %s\n", error.text);
    fcgate_destroy(server);
    return 1;
}
