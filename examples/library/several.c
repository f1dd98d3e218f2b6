/* Two servers in one process that share nothing: a folder for everybody, and the program's own pages for this machine:
 * several [FOLDER [ADDRESS:PORT [ADDRESS:PORT]]]. The end of the input ends the program. */
#include <fcgate/fcgate.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Each has a log of its own. */
static void take_line(void* context, enum fcgate_log_level level, const char* message) {
    (void)level;
    fprintf(stderr, "%s: %s\n", (const char*)context, message);
}

static fcgate_server* create(char* name, const char* root, const char* listen) {
    fcgate_error error = {FCGATE_NO_MEMORY, 0, "out of memory"};
    fcgate_settings* settings = fcgate_settings_create();
    fcgate_server* server = NULL;

    if (settings != NULL && fcgate_set(settings, "site.root", root, &error) == FCGATE_OK &&
        fcgate_set(settings, "server.listen", listen, &error) == FCGATE_OK) {
        fcgate_settings_set_log(settings, take_line, name);
        server = fcgate_create(settings, &error);
    }
    if (server == NULL) {
        fcgate_settings_destroy(settings);
        fprintf(stderr, "several: %s: %s\n", name, error.text);
    }
    return server;
}

static int start(const char* name, fcgate_server* server) {
    fcgate_error error;
    int result = fcgate_start(server, &error);

    if (result != FCGATE_OK) {
        fprintf(stderr, "several: %s: %s\n", name, error.text);
    }
    return result;
}

static void show_both(void* context, fcgate_request* request) {
    (void)context;
    fcgate_reply_static(request, 200, "text/plain", "two servers\n", 12);
}

int main(int argc, char** argv) {
    static char public_name[] = "public";
    static char own_name[] = "own";
    const char* root = argc > 1 ? argv[1] : ".";
    fcgate_server* everybody = create(public_name, root, argc > 2 ? argv[2] : "127.0.0.1:8080");
    fcgate_server* own = create(own_name, root, argc > 3 ? argv[3] : "127.0.0.1:8081");
    int result = 1;
    char byte = 0;

    if (everybody != NULL && own != NULL && fcgate_handle(own, "/", show_both, NULL) == FCGATE_OK &&
        start(public_name, everybody) == FCGATE_OK && start(own_name, own) == FCGATE_OK) {
        while (read(STDIN_FILENO, &byte, 1) > 0) {}
        fcgate_stop(everybody, 2000);
        fcgate_stop(own, 0);
        result = fcgate_wait(everybody, -1, NULL) == FCGATE_OK && fcgate_wait(own, -1, NULL) == FCGATE_OK ? 0 : 1;
    }
    fcgate_destroy(everybody);
    fcgate_destroy(own);
    return result;
}
