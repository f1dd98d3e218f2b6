/* Serves a folder, and PHP that is started on demand: minimal [FOLDER [ADDRESS:PORT]] */
#include <fcgate/fcgate.h>
#include <stdio.h>

int main(int argc, char** argv) {
    fcgate_error error = {FCGATE_NO_MEMORY, 0, "out of memory"};
    fcgate_settings* settings = fcgate_settings_create();
    fcgate_server* server = NULL;

    if (settings != NULL && fcgate_set(settings, "site.root", argc > 1 ? argv[1] : ".", &error) == FCGATE_OK &&
        fcgate_set(settings, "server.listen", argc > 2 ? argv[2] : "127.0.0.1:8080", &error) == FCGATE_OK &&
        fcgate_set(settings, "backend.address", "spawn", &error) == FCGATE_OK)
        server = fcgate_create(settings, &error);
    if (server != NULL && fcgate_start(server, &error) == FCGATE_OK)
        fcgate_wait(server, -1, &error); /* nobody stops it: it ends with the process */
    fprintf(stderr, "minimal: %s\n", error.text);
    return 1;
}
