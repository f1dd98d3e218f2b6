#include "scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void expect_result(struct scene* scene, int got, int wanted, const char* call, const char* file, int line) {
    if (got != wanted) {
        print_error("%s is %d, not %d: %s\n", call, got, wanted, scene->error.text);
        _fail(file, line);
    }
}

void take_line(void* context, enum fcgate_log_level level, const char* message) {
    struct log_lines* const log = context;
    pthread_mutex_lock(&log->lock);
    const size_t room = sizeof log->text - log->size;
    const int length = snprintf(log->text + log->size, room, "%d %s\n", (int)level, message);
    if (length > 0 && (size_t)length < room) {
        log->size += (size_t)length;
    }
    ++log->count;
    pthread_mutex_unlock(&log->lock);
}

bool has_logged(struct log_lines* log, const char* words) {
    pthread_mutex_lock(&log->lock);
    const bool found = strstr(log->text, words) != NULL;
    pthread_mutex_unlock(&log->lock);
    return found;
}

void put_file(const struct scene* scene, const char* name, const char* content) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", scene->root, name);
    FILE* const file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

void set(struct scene* scene, const char* name, const char* value) {
    assert_ok(scene, fcgate_set(scene->settings, name, value, &scene->error));
}

void open_scene(struct scene* scene) {
    memset(scene, 0, sizeof *scene);
    pthread_mutex_init(&scene->log.lock, NULL);
    (void)snprintf(scene->root, sizeof scene->root, "/tmp/fcgate-library-XXXXXX");
    assert_non_null(mkdtemp(scene->root));
    /* PHP may run as another user. */
    assert_int_equal(chmod(scene->root, 0755), 0);
    put_file(scene, "index.html", "front\n");
    put_file(scene, "file.txt", "a file\n");
    const int fd = listen_on_loopback(&scene->port);
    assert_true(fd >= 0);
    char listen[32];
    (void)snprintf(listen, sizeof listen, "fd:%d", fd);
    scene->settings = fcgate_settings_create();
    assert_non_null(scene->settings);
    fcgate_settings_set_log(scene->settings, take_line, &scene->log);
    set(scene, "server.listen", listen);
    set(scene, "site.root", scene->root);
}

void create(struct scene* scene) {
    scene->server = fcgate_create(scene->settings, &scene->error);
    if (scene->server == NULL) {
        print_error("fcgate_create: %s\n", scene->error.text);
    }
    assert_non_null(scene->server);
    scene->settings = NULL;
}

void start(struct scene* scene) {
    create(scene);
    assert_ok(scene, fcgate_start(scene->server, &scene->error));
}

void handle(struct scene* scene, const char* prefix, fcgate_handler handler, void* context) {
    assert_int_equal(fcgate_handle(scene->server, prefix, handler, context), FCGATE_OK);
}

void expect_reply(unsigned port, const char* method, const char* target, int status, const char* body) {
    struct reply reply = request(port, method, target);
    assert_int_equal(reply.status, status);
    assert_string_equal(reply.body, body);
    forget(&reply);
}

static int remove_entry(const char* path, const struct stat* status, int type, struct FTW* where) {
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void close_scene(struct scene* scene) {
    fcgate_destroy(scene->server);
    scene->server = NULL;
    fcgate_settings_destroy(scene->settings);
    scene->settings = NULL;
    (void)nftw(scene->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    pthread_mutex_destroy(&scene->log.lock);
}

size_t count_entries(const char* folder) {
    size_t count = 0;
    DIR* const entries = opendir(folder);
    assert_non_null(entries);
    while (readdir(entries) != NULL) {
        ++count;
    }
    closedir(entries);
    return count;
}

size_t settled_threads(size_t count) {
    const int64_t deadline = now_ms() + 5000;
    size_t threads = count_entries("/proc/self/task");
    while (threads != count && now_ms() < deadline) {
        (void)poll(NULL, 0, 1);
        threads = count_entries("/proc/self/task");
    }
    return threads;
}

int serve_until(fcgate_server* server, const bool* done) {
    int result = FCGATE_OK;
    while (result == FCGATE_OK && !__atomic_load_n(done, __ATOMIC_ACQUIRE)) {
        struct pollfd watched = {fcgate_fd(server, NULL), POLLIN, 0};
        const int timeout = fcgate_timeout_ms(server);
        (void)poll(&watched, 1, timeout < 0 || timeout > 20 ? 20 : timeout);
        result = fcgate_dispatch(server, NULL);
    }
    return result;
}
