/* A firmware daemon: its state as JSON beside the PHP panel, a scan that takes a while, an image that is too large for
 * memory, and a restart that not everybody may ask for: firmware [FOLDER [ADDRESS:PORT [IMAGE]]]
 *
 * Everything below /device/ is its own; all else is the panel in FOLDER, with PHP that is started on demand. */
#define _DEFAULT_SOURCE /* usleep() */
#include <fcgate/fcgate.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct device {
    fcgate_server* server;
    const char* image; /* where an upload goes */
    unsigned long requests;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    fcgate_ticket scans[4]; /* whoever waits for a scan */
    size_t scan_count;
    int ends;
};

/* ---- Who may come in ---- */

/* A real device compares with what is stored, in constant time. This is "admin:secret". */
static const char* const key = "Basic YWRtaW46c2VjcmV0";

/* Everybody may see the state; the rest needs a name, which PHP gets to know as well. */
static void guard(void* context, fcgate_request* request) {
    struct device* device = context;
    const char* given = fcgate_request_header(request, "Authorization");

    __atomic_add_fetch(&device->requests, 1, __ATOMIC_RELAXED);
    if (given != NULL && strcmp(given, key) == 0) {
        fcgate_request_param(request, "AUTH_TYPE", "Basic");
        fcgate_request_param(request, "REMOTE_USER", "admin");
    } else if (strcmp(fcgate_request_path(request), "/device/status") != 0) {
        fcgate_reply_header(request, "WWW-Authenticate", "Basic realm=\"device\"");
        fcgate_reply(request, 401, "text/plain", "Please log in.\n", 15);
    }
}

/* ---- At once ---- */

static void show_status(void* context, fcgate_request* request) {
    const struct device* device = context;
    char text[64];
    int length =
        snprintf(text, sizeof text, "{\"requests\":%lu}\n", __atomic_load_n(&device->requests, __ATOMIC_RELAXED));

    fcgate_reply_header(request, "Cache-Control", "no-store");
    fcgate_reply(request, 200, "application/json", text, (size_t)length);
}

static void restart(void* context, fcgate_request* request) {
    struct device* device = context;

    if (strcmp(fcgate_request_method(request), "POST") != 0) {
        fcgate_reply_header(request, "Allow", "POST");
        fcgate_reply(request, 405, NULL, NULL, 0);
    } else {
        fcgate_reply(request, 202, "text/plain", "The device restarts.\n", 21);
        fcgate_stop(device->server, 2000); /* this reply still goes out */
    }
}

/* ---- Later ---- */

/* A scan takes seconds, and a handler may not wait: it hands the ticket to a thread that may. */
static void scan(void* context, fcgate_request* request) {
    struct device* device = context;

    pthread_mutex_lock(&device->lock);
    if (device->scan_count < sizeof device->scans / sizeof *device->scans &&
        fcgate_keep(request, NULL, NULL, &device->scans[device->scan_count]) == FCGATE_OK) {
        ++device->scan_count;
        pthread_cond_signal(&device->changed);
    } else {
        fcgate_reply(request, 503, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&device->lock);
}

static void* scan_for_all(void* context) {
    static const char found[] = "[{\"ssid\":\"office\",\"signal\":-61}]\n";
    struct device* device = context;

    pthread_mutex_lock(&device->lock);
    while (!device->ends) {
        if (device->scan_count == 0) {
            pthread_cond_wait(&device->changed, &device->lock);
            continue;
        }
        fcgate_ticket ticket = device->scans[--device->scan_count];
        pthread_mutex_unlock(&device->lock);
        usleep(10000); /* the radio at work */
        fcgate_later_reply(device->server, ticket, 200, "application/json", found, sizeof found - 1);
        pthread_mutex_lock(&device->lock);
    }
    pthread_mutex_unlock(&device->lock);
    return NULL;
}

/* ---- A large body ---- */

struct upload {
    int fd;
    const char* path;
    long long size;
    int is_whole;
};

static void upload_is_over(void* context, fcgate_ticket ticket, int news) {
    struct upload* upload = context;

    (void)ticket;
    if (news == FCGATE_SENT || news == FCGATE_LOST) {
        close(upload->fd);
        if (!upload->is_whole) {
            unlink(upload->path);
        }
        free(upload);
    }
}

static ptrdiff_t take_piece(void* context, const void* bytes, size_t length) {
    struct upload* upload = context;
    ssize_t count = write(upload->fd, bytes, length); /* on a slow flash, by a thread of its own: see fcgate_wake() */

    upload->size += count > 0 ? count : 0;
    return count >= 0 ? count : -507;
}

static void upload_is_there(void* context, fcgate_request* request) {
    struct upload* upload = context;
    char text[64];
    int length = snprintf(text, sizeof text, "{\"size\":%lld}\n", upload->size);

    upload->is_whole = 1;
    fcgate_reply(request, 200, "application/json", text, (size_t)length);
}

static void take_image(void* context, fcgate_request* request) {
    const struct device* device = context;
    struct upload* upload = NULL;

    if (fcgate_request_length(request) <= 0) {
        fcgate_reply(request, 411, NULL, NULL, 0);
    } else if (fcgate_request_length(request) > 32LL * 1024 * 1024) {
        fcgate_reply(request, 413, NULL, NULL, 0); /* before the client has sent it */
    } else if ((upload = calloc(1, sizeof *upload)) != NULL) {
        upload->path = device->image;
        upload->fd = open(upload->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (upload->fd < 0 || fcgate_keep(request, upload_is_over, upload, NULL) != FCGATE_OK) {
            if (upload->fd >= 0) {
                close(upload->fd);
            }
            free(upload);
            return; /* no reply: 500, or 503 when too many are kept */
        }
        fcgate_receive(request, take_piece, upload_is_there);
    }
}

/* ---- The program ---- */

static fcgate_server* create(const char* root, const char* listen, fcgate_error* error) {
    fcgate_settings* settings = fcgate_settings_create();
    fcgate_server* server = NULL;

    if (settings != NULL && fcgate_set(settings, "site.root", root, error) == FCGATE_OK &&
        fcgate_set(settings, "site.max_body", "64m", error) == FCGATE_OK &&
        fcgate_set(settings, "server.listen", listen, error) == FCGATE_OK &&
        fcgate_set(settings, "backend.address", "spawn", error) == FCGATE_OK &&
        fcgate_settings_set_room(settings, 8, 1024, 64) == FCGATE_OK) {
        server = fcgate_create(settings, error);
    }
    if (server == NULL) {
        fcgate_settings_destroy(settings); /* a server would have taken them over */
    }
    return server;
}

int main(int argc, char** argv) {
    struct device device = {.image = argc > 3 ? argv[3] : "/tmp/image",
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
    fcgate_error error = {FCGATE_NO_MEMORY, 0, "out of memory"};
    pthread_t scanner;
    int result = FCGATE_ERROR;

    device.server = create(argc > 1 ? argv[1] : ".", argc > 2 ? argv[2] : "127.0.0.1:8080", &error);
    if (device.server == NULL || pthread_create(&scanner, NULL, scan_for_all, &device) != 0) {
        fprintf(stderr, "firmware: %s\n", error.text);
        fcgate_destroy(device.server);
        return 1;
    }
    fcgate_on_request(device.server, guard, &device);
    fcgate_handle(device.server, "/device/status", show_status, &device);
    fcgate_handle(device.server, "/device/restart", restart, &device);
    fcgate_handle(device.server, "/device/scan", scan, &device);
    fcgate_handle(device.server, "/device/image", take_image, &device);
    signal(SIGPIPE, SIG_IGN); /* fcgate_run() borrows this thread */
    result = fcgate_run(device.server, &error);
    if (result != FCGATE_OK) {
        fprintf(stderr, "firmware: %s\n", error.text);
    }
    pthread_mutex_lock(&device.lock);
    device.ends = 1;
    pthread_cond_signal(&device.changed);
    pthread_mutex_unlock(&device.lock);
    pthread_join(scanner, NULL); /* it uses tickets: not after the server has gone */
    fcgate_destroy(device.server);
    return result == FCGATE_OK ? 0 : 1;
}
