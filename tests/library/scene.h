/* What a test needs around a server: a folder to serve, a port, the log, and counts of what the process has open. */
#ifndef FCGATE_TESTS_SCENE_H
#define FCGATE_TESTS_SCENE_H

#include <fcgate/fcgate.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those it needs. */
#include <cmocka.h>

#include "client.h"

struct log_lines {
    pthread_mutex_t lock;
    size_t count;
    size_t size;
    char text[32768]; /* "level message\n" each */
};

struct scene {
    char root[64];
    unsigned port;
    struct log_lines log;
    fcgate_error error;
    fcgate_settings* settings; /* until create() has succeeded */
    fcgate_server* server;
};

/* A folder with index.html ("front\n") and file.txt ("a file\n"), a listening socket, and settings for both. */
void open_scene(struct scene* scene);
void set(struct scene* scene, const char* name, const char* value);
void create(struct scene* scene);
void start(struct scene* scene);
void put_file(const struct scene* scene, const char* name, const char* content);
void handle(struct scene* scene, const char* prefix, fcgate_handler handler, void* context);
void expect_reply(unsigned port, const char* method, const char* target, int status, const char* body);
/* Destroys what is left, and removes the folder. */
void close_scene(struct scene* scene);

void take_line(void* context, enum fcgate_log_level level, const char* message);
bool has_logged(struct log_lines* log, const char* words);

/* Entries of a folder in /proc: "/proc/self/fd", "/proc/self/task". */
size_t count_entries(const char* folder);
/* A thread leaves /proc a moment after it was joined: waits until there are `count`, for a while. */
size_t settled_threads(size_t count);

/* Serves in the event loop of the calling thread until `*done`, which another thread sets. The last result. */
int serve_until(fcgate_server* server, const bool* done);

int64_t now_ms(void);

#define assert_ok(scene, call) expect_result((scene), (call), FCGATE_OK, #call, __FILE__, __LINE__)
#define assert_result(scene, call, result) expect_result((scene), (call), (result), #call, __FILE__, __LINE__)
void expect_result(struct scene* scene, int got, int wanted, const char* call, const char* file, int line);

#endif
