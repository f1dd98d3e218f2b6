/*
 * libfcgate: an HTTP front door for PHP, inside your own program.
 *
 *     fcgate_error error;
 *     fcgate_settings* settings = fcgate_settings_create();
 *     fcgate_server* server = NULL;
 *
 *     if (fcgate_set(settings, "server.listen", "0.0.0.0:80", &error) == FCGATE_OK &&
 *         fcgate_set(settings, "site.root", "/www", &error) == FCGATE_OK &&
 *         fcgate_set(settings, "backend.address", "unix:/run/php-fpm.sock", &error) == FCGATE_OK) {
 *         server = fcgate_create(settings, &error);
 *     }
 *     if (server == NULL || fcgate_start(server, &error) != FCGATE_OK) {
 *         fprintf(stderr, "%s\n", error.text);
 *     }
 *     ...
 *     fcgate_destroy(server);
 *
 * (A real program checks fcgate_settings_create() for NULL, and destroys settings that no server has taken over.)
 *
 * Rules for all functions, unless one says otherwise:
 *
 * Results   FCGATE_OK is 0, failures are negative (enum fcgate_result). What failed has changed nothing.
 * Errors    `error` may be NULL. It is written only on failure; its text is one sentence without a newline.
 * Text      Strings are NUL-terminated, copied when they are kept, and may not be NULL. Times are milliseconds.
 * Threads   One object is used by one thread at a time; functions that any thread may call say so. Several servers
 *           in one process share nothing.
 * Process   The library installs no signal handlers, waits for no children of yours and never exits. Its own threads
 *           block all signals. On a thread that you lend it (fcgate_run, fcgate_dispatch) SIGPIPE must be ignored or
 *           blocked, or a client that leaves can end your process.
 * fork      Only the process that created a server may use it.
 */
#ifndef FCGATE_FCGATE_H
#define FCGATE_FCGATE_H

#include <stddef.h>

#if defined(__GNUC__)
#define FCGATE_EXPORT __attribute__((visibility("default")))
#else
#define FCGATE_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* How a call ended. More failures may be added: treat an unknown negative number as FCGATE_ERROR. */
enum fcgate_result {
    FCGATE_OK = 0,
    FCGATE_ERROR = -1,     /* failed while running: a port in use, no descriptors left, ... */
    FCGATE_INVALID = -2,   /* a wrong configuration, or a wrong use of this library */
    FCGATE_DENIED = -3,    /* the operating system does not permit it */
    FCGATE_GONE = -4,      /* what it was for has ended */
    FCGATE_NO_MEMORY = -5, /* the system has none left */
    FCGATE_TOO_LARGE = -6, /* it does not fit: your buffer, or a fixed capacity of the library */
    FCGATE_AGAIN = -7      /* nothing is wrong, but it is not done yet */
};

typedef struct fcgate_error {
    int code;       /* the enum fcgate_result */
    unsigned line;  /* of the configuration file; 0: not from a file. `text` begins with file and line already. */
    char text[384]; /* what is wrong, and what would be right */
} fcgate_error;

/* ---- Versions ---------------------------------------------------------------------------------------------------- */

/* "1.2.3". Static; any thread. */
FCGATE_EXPORT const char* fcgate_version(void);

/* The version of GNU libmicrohttpd that is in use now, as it tells it. Static; any thread. */
FCGATE_EXPORT const char* fcgate_libmicrohttpd_version(void);

/* ---- Settings ---------------------------------------------------------------------------------------------------- */

/* A configuration in the making. */
typedef struct fcgate_settings fcgate_settings;

/* Makes settings with all defaults: about 100 KiB of memory, NULL if there is none. They are yours until
 * fcgate_create() has taken them over, or until fcgate_settings_destroy(). */
FCGATE_EXPORT fcgate_settings* fcgate_settings_create(void);

/* Frees settings that no server has taken over. NULL is ignored. */
FCGATE_EXPORT void fcgate_settings_destroy(fcgate_settings* settings);

/* Sets one key, under the name it has in the configuration file: "server.listen", "site.root", "backend.workers";
 * a named section as "site:NAME.root". The value is written as in the file: "8m", "10s", "yes". A section that was not
 * there is made. A key that may be repeated gets one more value; `value` NULL or "" takes all its values away.
 * Whether values fit together is for fcgate_check() to say.
 *
 * FCGATE_INVALID: unknown name, wrong value, or NULL for a key with one value. FCGATE_TOO_LARGE: too many sections, too
 * many values, or too much text. */
FCGATE_EXPORT int fcgate_set(fcgate_settings* settings, const char* name, const char* value, fcgate_error* error);

/* Reads a configuration file; what it sets comes on top of what is set. After a failure part of the file may have been
 * applied: destroy the settings.
 *
 * FCGATE_INVALID: a mistake in the file, or no such file. FCGATE_DENIED: it may not be read. FCGATE_ERROR: reading
 * failed. FCGATE_TOO_LARGE: as fcgate_set(). */
FCGATE_EXPORT int fcgate_load(fcgate_settings* settings, const char* path, fcgate_error* error);

/* Says whether the settings can be served as a whole. It opens nothing and looks at no file; fcgate_create() asks the
 * same.
 *
 * FCGATE_INVALID: no. FCGATE_TOO_LARGE: they are good, but can take more memory than server.memory_ceiling;
 * fcgate_budget() tells for what. */
FCGATE_EXPORT int fcgate_check(fcgate_settings* settings, fcgate_error* error);

/* Copies one value, set or default, to `buffer`: a number, size or time as fcgate_set() would take it, words joined by
 * spaces, "" for what is not set; of a key that may be repeated all values, a line each.
 *
 * FCGATE_INVALID: unknown name. FCGATE_TOO_LARGE: `size` bytes, the final NUL included, are too few; `buffer` is "". */
FCGATE_EXPORT int fcgate_get(const fcgate_settings* settings, const char* name, char* buffer, size_t size);

/* A buffer of this size takes every configuration there can be. */
#define FCGATE_PRINTED_MAX 65536

/* Writes the effective configuration, defaults included, as a file that fcgate_load() accepts.
 *
 * FCGATE_TOO_LARGE: `size` bytes, the final NUL included, are too few; `buffer` is "". */
FCGATE_EXPORT int fcgate_print(const fcgate_settings* settings, char* buffer, size_t size);

/* What fcgate_budget() writes. */
enum fcgate_budget_form {
    FCGATE_BUDGET_TABLE = 0, /* for people */
    FCGATE_BUDGET_JSON = 1   /* an object with "pools", "sum", "spool" and "memory_ceiling" */
};

/* A buffer of this size takes every budget. */
#define FCGATE_BUDGET_MAX 8192

/* Writes what memory a server with these settings can take at most: every pool with its size and count, what
 * libmicrohttpd allocates, stacks, and the sum. Not in it are code, PHP, the kernel's socket buffers, and what your
 * own handlers and their replies take. Also for settings above their memory_ceiling.
 *
 * FCGATE_INVALID: as fcgate_check() says. FCGATE_TOO_LARGE: `size` bytes are too few; `buffer` is "". */
FCGATE_EXPORT int fcgate_budget(fcgate_settings* settings, enum fcgate_budget_form form, char* buffer, size_t size);

enum fcgate_log_level {
    FCGATE_LOG_ERROR = 0,   /* something does not work until somebody acts */
    FCGATE_LOG_WARNING = 1, /* a request has failed, or soon something will */
    FCGATE_LOG_INFO = 2,    /* start, stop, reload */
    FCGATE_LOG_DEBUG = 3    /* how requests proceed */
};

/* Gets one line of the log: `message` has no time, no level, no newline and no control bytes, and is valid during the
 * call. It is called by any thread of the server, also by two at once, and by the thread that is in fcgate_create(),
 * fcgate_start(), fcgate_run(), fcgate_dispatch() or fcgate_destroy(). It should not block, and may not call this
 * library. */
typedef void (*fcgate_log_callback)(void* context, enum fcgate_log_level level, const char* message);

/* Sends the log to `callback` instead of to server.error_log; server.log_level still says how much. It stays with the
 * settings when a server takes them over, so `context` must outlive that server. NULL goes back to server.error_log. */
FCGATE_EXPORT void fcgate_settings_set_log(fcgate_settings* settings, fcgate_log_callback callback, void* context);

/* ---- The life of a server ---------------------------------------------------------------------------------------- */

/* A server: its sockets, its memory and its threads. */
typedef struct fcgate_server fcgate_server;

/* With `address = spawn` (or `auto` that finds no PHP) it also forks the small process that starts PHP; that one ends with
 * the server, raises no SIGCHLD in yours, and its end is waited for by fcgate_destroy(), three seconds at most.
 *
 * Checks the settings, allocates all memory, opens the log and binds the listeners: everything that may need root. Site
 * roots are opened later, by fcgate_start(), fcgate_run() or fcgate_fd(), so that a program can drop its privileges in
 * between. No connection is served yet.
 *
 * On success the server has taken the settings over: do not touch them again. On failure it returns NULL, and the
 * settings are still yours, to change and try again, or to destroy.
 *
 * `error->code`: FCGATE_INVALID, FCGATE_TOO_LARGE (as fcgate_check()), FCGATE_DENIED (a port below 1024 without root), FCGATE_NO_MEMORY, FCGATE_ERROR. */
FCGATE_EXPORT fcgate_server* fcgate_create(fcgate_settings* settings, fcgate_error* error);

/* Ends a server and frees it. One that still runs is stopped at once, and its threads are waited for. The thread must
 * not be in a callback of this server, and no other thread may use the server any more. NULL is ignored. */
FCGATE_EXPORT void fcgate_destroy(fcgate_server* server);

/* A server runs once, in one of three ways: fcgate_start() with threads of its own, fcgate_run() on the calling thread,
 * or fcgate_fd() with fcgate_timeout_ms() and fcgate_dispatch() inside an event loop of yours. Starting it
 * again, or in another way, is FCGATE_INVALID. */

/* 1. Serves on server.threads threads of its own and returns when they are running. */
FCGATE_EXPORT int fcgate_start(fcgate_server* server, fcgate_error* error);

/* 2. Serves on the calling thread (and on server.threads - 1 of its own) until the server has stopped. FCGATE_OK:
 * because of fcgate_stop(). */
FCGATE_EXPORT int fcgate_run(fcgate_server* server, fcgate_error* error);

/* 3. The one descriptor to watch for reading (poll, level-triggered epoll, libevent, uloop, sd-event). It belongs to
 * the server; neither read nor close it. The first call begins serving, later ones give the same descriptor;
 * server.threads must be 1. A failure returns the negative fcgate_result. One thread makes all calls of fcgate_fd(),
 * fcgate_timeout_ms() and fcgate_dispatch(). */
FCGATE_EXPORT int fcgate_fd(fcgate_server* server, fcgate_error* error);

/* After at most so many milliseconds fcgate_dispatch() must be called even if the descriptor is not ready; -1: no
 * limit. It changes with every dispatch: ask before every wait. */
FCGATE_EXPORT int fcgate_timeout_ms(const fcgate_server* server);

/* Does what there is to do, a bounded part of it, without waiting; calls handlers and the log callback.
 *
 * FCGATE_OK: go on. FCGATE_GONE: the server has stopped as fcgate_stop() asked. Any other: it has stopped because it
 * cannot go on. After a failure of either kind remove the descriptor from your loop and call fcgate_destroy(). */
FCGATE_EXPORT int fcgate_dispatch(fcgate_server* server, fcgate_error* error);

/* Asks a running server to stop, and returns at once. Listeners close; requests that have begun may finish for up to
 * `deadline_ms`, event streams end right away, and what is left then is cut off. 0: everything ends at once. Negative:
 * server.stop_timeout. A further call can bring the deadline forward, never back. Before the server runs, it keeps it
 * from running. Any thread, at any time until fcgate_destroy(); also handlers, and signal handlers. */
FCGATE_EXPORT void fcgate_stop(fcgate_server* server, int deadline_ms);

/* After fcgate_start(): waits until all threads have ended, at most `timeout_ms`; negative: without limit.
 *
 * FCGATE_OK: ended because of fcgate_stop(). FCGATE_AGAIN: still running. FCGATE_INVALID: it was not started by
 * fcgate_start(). Any other: a thread could not go on, and has ended the server. A second call after the end answers
 * the same. */
FCGATE_EXPORT int fcgate_wait(fcgate_server* server, int timeout_ms, fcgate_error* error);

/* After fcgate_start(): a descriptor that becomes readable when the server has ended, by fcgate_stop() or by itself,
 * and stays so. Then fcgate_wait() says which. It belongs to the server; neither read nor close it. Negative: the
 * fcgate_result. */
FCGATE_EXPORT int fcgate_ended_fd(const fcgate_server* server);

/* Puts other settings in force while the server runs: requests that begin from now on are answered under them, those that
 * have begun end under the settings before. No connection is closed for it: listeners that stay are kept, new ones are
 * opened, whoever waits at those that go is still taken in.
 *
 * Some keys hold from the start of the server: the capacities, threads, user and group, the logs' places. They keep their
 * values, and the log names those that differ. PHP that fcgate starts itself goes on with the command it was started
 * with. The log callback stays the one of fcgate_create().
 *
 * To be called after fcgate_start(), fcgate_run() or fcgate_fd(), by one thread at a time, not from a callback of the
 * server. On success the server has taken the settings over: do not touch them again. On failure everything is as it was,
 * and the settings are still yours.
 *
 * FCGATE_INVALID: the settings are wrong, or would need a restart; the text says what. FCGATE_DENIED: a port or a folder
 * is not permitted, for example a port below 1024 after the privileges are gone. FCGATE_AGAIN: requests still run under
 * the settings before those in force; try again later. FCGATE_GONE: the server is being stopped. */
FCGATE_EXPORT int fcgate_reload(fcgate_server* server, fcgate_settings* settings, fcgate_error* error);

/* Writes a line of yours to the server's log, at `level`, after its rules: to where the others go, no more of them in a second
 * than the log takes, control bytes escaped. Any thread. */
FCGATE_EXPORT void fcgate_log(fcgate_server* server, enum fcgate_log_level level, const char* message);

/* Closes the log files and opens them again by name, soon after the call: to be called after they were renamed. Any
 * thread, also signal handlers. */
FCGATE_EXPORT void fcgate_reopen_logs(fcgate_server* server);

/* ---- Endpoints of your own --------------------------------------------------------------------------------------- */

/* A request while your handler has it: the pointer, and all text had through it, is valid until the handler returns. */
typedef struct fcgate_request fcgate_request;

/* Answers a request: it calls fcgate_reply() once before it returns (a handler that does not sends 500). It runs on a
 * thread of the server, with server.threads above 1 on several at once, and while it runs that thread serves nobody
 * else: do not wait in it. Whatever body the request has is read and thrown away. */
typedef void (*fcgate_handler)(void* context, fcgate_request* request);

/* Gives the paths that begin with `prefix` to a handler, on all sites, before files and scripts are looked for. "/api/"
 * takes "/api/" and everything below it, "/api" only itself; the longest prefix wins. To be called between
 * fcgate_create() and fcgate_start(), fcgate_run() or fcgate_fd(). `context` must outlive the server.
 *
 * FCGATE_INVALID: the prefix does not begin with '/' or is taken, or the server runs already. FCGATE_TOO_LARGE: more
 * than 16. */
FCGATE_EXPORT int fcgate_handle(fcgate_server* server, const char* prefix, fcgate_handler handler, void* context);

/* "GET", "POST", ...; never NULL. */
FCGATE_EXPORT const char* fcgate_request_method(const fcgate_request* request);

/* The path, decoded and normalised: it begins with '/', has no empty, "." or ".." segment and no NUL; never NULL. */
FCGATE_EXPORT const char* fcgate_request_path(const fcgate_request* request);

/* What follows the '?', still encoded; "" for an empty query, NULL when there is no '?'. */
FCGATE_EXPORT const char* fcgate_request_query(const fcgate_request* request);

/* The value of the first header field of that name (in any case), or NULL. */
FCGATE_EXPORT const char* fcgate_request_header(const fcgate_request* request, const char* name);

/* The client's address without its port, as PHP sees it in REMOTE_ADDR: "192.168.1.7", "fe80::1%eth0", "unix"; never
 * NULL. */
FCGATE_EXPORT const char* fcgate_request_client(const fcgate_request* request);

/* Adds a header field to the reply; to be called before fcgate_reply(). Content-Type, Content-Length, Connection and
 * Transfer-Encoding are not for you to add.
 *
 * FCGATE_INVALID: not a field name, a control byte in the value, an empty value, or one of those. FCGATE_TOO_LARGE: no
 * room. FCGATE_GONE: the reply is given already. */
FCGATE_EXPORT int fcgate_reply_header(fcgate_request* request, const char* name, const char* value);

/* Gives the whole reply. `status` is 200 to 599. `content_type` is NULL for none. `length` bytes of `body` are copied;
 * `body` may be NULL when `length` is 0. For HEAD give what GET would get: the body is not sent. Statuses 204 and 304
 * have none.
 *
 * After a failure that is not FCGATE_GONE another reply can be given.
 *
 * FCGATE_INVALID: a wrong status or content type. FCGATE_TOO_LARGE: no room for the content type. FCGATE_NO_MEMORY.
 * FCGATE_GONE: a reply was given already. */
FCGATE_EXPORT int fcgate_reply(fcgate_request* request, unsigned status, const char* content_type, const void* body,
                               size_t length);

#ifdef __cplusplus
}
#endif

#endif
