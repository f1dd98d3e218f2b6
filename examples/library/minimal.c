/* Serves a folder, with PHP started on demand, and one endpoint of its own, until the process is ended. */
#include <fcgate/fcgate.h>
#include <stdio.h>
#include <string.h>

static void say_hello(void* context, fcgate_request* request) {
    const char* text = context;
    fcgate_reply(request, 200, "text/plain", text, strlen(text));
}

int main(int argc, char** argv) {
    fcgate_error error = {0, 0, ""};
    fcgate_settings* settings = fcgate_settings_create();
    const char* listen = argc > 2 ? argv[2] : "127.0.0.1:8080";
    if (settings == NULL || fcgate_set(settings, "server.listen", listen, &error) != FCGATE_OK ||
        fcgate_set(settings, "site.root", argc > 1 ? argv[1] : ".", &error) != FCGATE_OK ||
        fcgate_set(settings, "backend.address", "spawn", &error) != FCGATE_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    fcgate_server* server = fcgate_create(settings, &error);
    if (server == NULL || fcgate_handle(server, "/hello", say_hello, "hello from the host\n") != FCGATE_OK ||
        fcgate_start(server, &error) != FCGATE_OK || fcgate_wait(server, -1, &error) != FCGATE_OK) {
        fprintf(stderr, "%s\n", error.text);
    }
    fcgate_destroy(server);
    return 1;
}
