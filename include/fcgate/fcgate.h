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
 *           in one process share nothing, but for PHP's sessions where server.runtime_dir and server.user are the same.
 *           Callbacks on threads that the server has made should take no more than 32 KiB of their stacks. With glibc
 *           thread-local variables of the program and its libraries lie there too, and are to be counted in.
 * Process   The library installs no signal handlers, waits for no children of yours and never exits. Its own threads
 *           block all signals. On a thread that you lend it (fcgate_run, fcgate_dispatch) SIGPIPE must be ignored or
 *           blocked, or a client that leaves can end your process. Descriptors 0, 1 and 2 must be open, if only on
 *           /dev/null: a socket in their place would get what is written to standard error, and PHP would lose its own.
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
    FCGATE_INVALID = -2,   /* a wrong configuration, or what it names is not there; or a wrong use of this library */
    FCGATE_DENIED = -3,    /* the operating system does not permit it */
    FCGATE_GONE = -4,      /* what it was for has ended */
    FCGATE_NO_MEMORY = -5, /* the system has none left, or no descriptors, or no threads */
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

/* What this build has of what can be left out: the names of Meson's options, parted by spaces, "doctor listing spawn spool"
 * for example. Static; any thread. */
FCGATE_EXPORT const char* fcgate_features(void);

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
#define FCGATE_PRINTED_MAX 98304

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
 * FCGATE_INVALID: as fcgate_check() says, or an unknown form. FCGATE_TOO_LARGE: `size` bytes are too few. `buffer` is ""
 * then. */
FCGATE_EXPORT int fcgate_budget(fcgate_settings* settings, enum fcgate_budget_form form, char* buffer, size_t size);

/* What fcgate_doctor() writes. */
enum fcgate_doctor_form {
    FCGATE_DOCTOR_TABLE = 0, /* for people: a row for each check, below it what mends it; a last line with counts */
    /* An object with "checks", each with "id", "level", "about", "text" and "remedy", and the counts "fault", "warning",
     * "note" and "ok". */
    FCGATE_DOCTOR_JSON = 1
};

/* What fcgate_doctor() found. */
enum fcgate_diagnosis {
    FCGATE_HEALTHY = 0, /* all is well */
    FCGATE_WARNED = 1,  /* it can be served, but somebody will be surprised */
    FCGATE_FAULTY = 2   /* something would not be served */
};

/* A buffer of this size takes an examination of a configuration that is not extreme: hundreds of names, or long paths in
 * many sites, can need more. */
#define FCGATE_DOCTOR_MAX 98304

/* Makes the process whoever is to serve, and returns 0, or another number if that failed. */
typedef int (*fcgate_doctor_become)(void* context);

/* Finds out whether these settings can be served on this machine: ports, PHP and what it may read, folders, memory,
 * names; docs/doctor.md has all checks. To be called before there is a server. `become` is called when everything has been
 * examined that is done before privileges are given up, and the rest is examined after it; NULL: nobody changes.
 *
 * It blocks, at most for 10 seconds and as long as PHP takes to end, and changes nothing for good: listeners are opened and
 * closed, PHP is started and stopped where a server would, and no script of a site is run. `address = auto` has become what
 * it found. A file fcgate-doctor-*.php lies in `spool`, or if PHP cannot read that, in a site's root, for the time of one
 * request.
 *
 * Returns an fcgate_diagnosis, or a failure: FCGATE_INVALID, also for an unknown form and for a build without the feature
 * "doctor"; FCGATE_TOO_LARGE: `size` bytes, the final NUL included, are too few. */
FCGATE_EXPORT int fcgate_doctor(fcgate_settings* settings, enum fcgate_doctor_form form, fcgate_doctor_become become,
                                void* context, char* buffer, size_t size);

enum fcgate_log_level {
    FCGATE_LOG_ERROR = 0,   /* something does not work until somebody acts */
    FCGATE_LOG_WARNING = 1, /* a request has failed, or soon something will */
    FCGATE_LOG_INFO = 2,    /* start, stop, reload */
    FCGATE_LOG_DEBUG = 3    /* how requests proceed */
};

/* Gets one line of the log: `message` has no time, no level, no newline and no control bytes, and is valid during the
 * call. It is called by any thread of the server, also by two at once, and by the thread that is in fcgate_create(),
 * fcgate_start(), fcgate_run(), fcgate_fd(), fcgate_dispatch(), fcgate_reload(), fcgate_log() or fcgate_destroy(). It
 * should not block, and may not call this library. */
typedef void (*fcgate_log_callback)(void* context, enum fcgate_log_level level, const char* message);

/* Sends the log to `callback` instead of to server.error_log; server.log_level still says how much. It stays with the
 * settings when a server takes them over, so `context` must outlive that server. NULL goes back to server.error_log. */
FCGATE_EXPORT void fcgate_settings_set_log(fcgate_settings* settings, fcgate_log_callback callback, void* context);

/* ---- The life of a server ---------------------------------------------------------------------------------------- */

/* A server: its sockets, its memory and its threads. */
typedef struct fcgate_server fcgate_server;

/* Checks the settings, allocates all memory, opens the log and binds the listeners: everything that may need root. Site
 * roots are opened later, by fcgate_start(), fcgate_run() or fcgate_fd(), so that a program can drop its privileges in
 * between. The library does not change who the program is, and writes no server.pid_file. PHP that it starts as root is
 * server.user; only that user, and root, can connect to it, so a program that drops its privileges has to become that one.
 * No connection is served yet.
 *
 * With `address = spawn` (or `auto` that finds no PHP) it also forks the small process that starts PHP; that one ends with
 * the server, raises no SIGCHLD in yours, and its end is waited for by fcgate_destroy(), three seconds at most.
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
 * again, or in another way, is FCGATE_INVALID; so it is after a start that has failed, for a root that is not there or the
 * like: then only fcgate_destroy() is left. */

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
 * FCGATE_OK: go on. FCGATE_GONE: the server has stopped as fcgate_stop() asked. FCGATE_INVALID: fcgate_fd() has not begun
 * it. Any other: it has stopped because it cannot go on. After a failure remove the descriptor from your loop and call
 * fcgate_destroy(). */
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

/* Where the server listens: writes the address of listener number `index`, from 0 on, in the order of server.listen, with
 * the port that the kernel has chosen where that says 0: "127.0.0.1:43211", "[::]:80" for ":80", "unix:/run/fcgate.sock";
 * "unix" for an inherited unix socket. A buffer of 128 bytes takes each. From fcgate_create() on, but not while another
 * thread is in fcgate_reload() or after fcgate_stop().
 *
 * FCGATE_GONE: there are no more. FCGATE_TOO_LARGE: `size` bytes, the final NUL included, are too few; `buffer` is "". */
FCGATE_EXPORT int fcgate_listener(const fcgate_server* server, size_t index, char* buffer, size_t size);

/* Puts other settings in force while the server runs: requests that begin from now on are answered under them, those that
 * have begun end under the settings before. No connection is closed for it: listeners that stay are kept, new ones are
 * opened, whoever waits at those that go is still taken in.
 *
 * Some keys hold from the start of the server: the capacities, threads, user and group, the logs' places. They keep their
 * values, and the log names those that differ. PHP that fcgate starts itself goes on with the command it was started
 * with, and takes bodies of a larger max_body from its next start on. `address = auto` stays the php-fpm that was found
 * before for the backend of that name, as long as somebody listens there. The log callback stays the one of
 * fcgate_create().
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

/* What fcgate_status() writes. */
enum fcgate_status_form {
    FCGATE_STATUS_HTML = 0,      /* a page for people: "text/html; charset=utf-8"; `Refresh: 5` renews it */
    FCGATE_STATUS_JSON = 1,      /* an object: "application/json" */
    FCGATE_STATUS_PROMETHEUS = 2 /* metrics: "text/plain; version=0.0.4; charset=utf-8" */
};

/* A buffer of this size takes every status. */
#define FCGATE_STATUS_MAX 69632

/* Writes how the server is now: connections, PHP's places and queues, answers, memory; the same as its status_path
 * shows, whether that is set or not. docs/status.md explains every number. It waits for nothing. Any thread, at any
 * time until fcgate_destroy(); also handlers. Not signal handlers.
 *
 * FCGATE_INVALID: NULL, an unknown form, or a library that was built without it (-Dstatus=disabled). FCGATE_TOO_LARGE:
 * `size` bytes, the final NUL included, are too few; `buffer` is "". */
FCGATE_EXPORT int fcgate_status(fcgate_server* server, enum fcgate_status_form form, char* buffer, size_t size);

/* Closes the log files and opens them again by name, soon after the call: to be called after they were renamed. Any
 * thread, also signal handlers. */
FCGATE_EXPORT void fcgate_reopen_logs(fcgate_server* server);

/* ---- Requests in your hands ---------------------------------------------------------------------------------------
 *
 * A request meets your program at up to three points, all of them callbacks on a thread of the server:
 *
 *     fcgate_on_request()    every request that a site lets in, first: may answer it, refuse it, or let it pass
 *     fcgate_handle()        the paths below a prefix: answers them
 *     fcgate_on_finished()   every request, last: how it went
 *
 * While a callback runs its thread serves nobody else, so none of them may wait for anything; with server.threads above 1
 * several run at once. What takes longer is kept by fcgate_keep() and answered later, by any thread, under a number that is
 * never a pointer. They are all set between fcgate_create() and fcgate_start(), fcgate_run() or fcgate_fd(), and every
 * `context` must outlive the server. */

/* A request while a callback has it: the pointer, and all text had through it, is valid until the callback returns. */
typedef struct fcgate_request fcgate_request;

/* Answers a request, or decides what happens to it. It is called as soon as the head is there, so that it can refuse a body
 * that has not been sent yet. */
typedef void (*fcgate_handler)(void* context, fcgate_request* request);

/* Gives the paths that begin with `prefix` to a handler, on all sites, before files and scripts are looked for. "/api/"
 * takes "/api/" and everything below it, "/api" only itself; the longest prefix wins. It is compared with what
 * fcgate_request_path() gives: written decoded and without a query, "/a b" and not "/a%20b".
 *
 * The handler gives a reply, or calls fcgate_pass() or fcgate_keep(), before it returns; one that does nothing of it
 * answers 500. A reply below 400 to a request with a body goes out behind that body, which is read and thrown away unless
 * fcgate_receive() asks for it; a reply from 400 on goes out at once, the body is not read, and the connection ends. What
 * is announced to be larger than site.max_body is 413 without asking the handler.
 *
 * FCGATE_INVALID: the prefix is taken, or no path begins with it: it has no '/' at its beginning, an empty, "." or ".."
 * segment, a control byte or '\\'; or the server runs already. FCGATE_TOO_LARGE: more than 16, or a prefix of 128 bytes. */
FCGATE_EXPORT int fcgate_handle(fcgate_server* server, const char* prefix, fcgate_handler handler, void* context);

/* Shows every request to `hook` before any handler, file or script: those of a Host, an address and an origin that the site
 * takes, and of a path that is one. The hook may do nothing, and the request passes; or reply, fcgate_keep() it, or call fcgate_request_param() and let
 * it pass. For authentication: refuse with fcgate_reply(request, 401, ...) behind fcgate_reply_header() with
 * WWW-Authenticate, or tell PHP who it is with REMOTE_USER.
 *
 * FCGATE_INVALID: there is one already, or the server runs. */
FCGATE_EXPORT int fcgate_on_request(fcgate_server* server, fcgate_handler hook, void* context);

/* Room, for each thread, for what your handlers do beyond one call. Without it there is none: fcgate_keep() and
 * fcgate_request_param() fail. It is allocated by fcgate_start() and its like, is part of fcgate_budget(), and is the same
 * until the server ends.
 *
 * `requests` may be kept at a time, at most 4096. Each has `buffer` bytes, 512 to 1 MiB, for the fields of its reply and
 * for bytes that were written and not sent yet. Each connection has `params` bytes, at most 8192, for the names and values
 * of fcgate_request_param(), each with two bytes more.
 *
 * FCGATE_INVALID: NULL or numbers beyond these. */
FCGATE_EXPORT int fcgate_settings_set_room(fcgate_settings* settings, unsigned requests, size_t buffer, size_t params);

/* How a request went. */
typedef struct fcgate_finished {
    const char* client; /* as fcgate_request_client() */
    const char* method; /* "": its head was never whole */
    const char* target; /* as it was asked for, still encoded, with its query */
    unsigned status;    /* of the reply */
    int is_whole;       /* 1: all of the reply is with the kernel; 0: the client has left, or the reply was cut off */
    unsigned long long bytes; /* of the reply's body, without what frames it; of one that is not whole, at most */
    long long duration_ms;    /* from the first byte of the request's head to the end of the reply */
} fcgate_finished;

/* Gets a request that is over; `finished` and all text in it are valid during the call. */
typedef void (*fcgate_finished_callback)(void* context, const fcgate_finished* finished);

/* Tells every request that has had a reply, when it is over: for access logs and counters. Also those that were refused, by
 * the HTTP side too. Not those that ended without one, or that libmicrohttpd itself has refused. It may use no ticket of that
 * request; fcgate_log() it may.
 *
 * FCGATE_INVALID: there is one already, or the server runs. */
FCGATE_EXPORT int fcgate_on_finished(fcgate_server* server, fcgate_finished_callback callback, void* context);

/* ---- What was asked ---------------------------------------------------------------------------------------------- */

/* "GET", "POST", ...; never NULL. */
FCGATE_EXPORT const char* fcgate_request_method(const fcgate_request* request);

/* The path, decoded and normalised: it begins with '/', has no empty, "." or ".." segment and no NUL; never NULL. */
FCGATE_EXPORT const char* fcgate_request_path(const fcgate_request* request);

/* What follows the '?', still encoded; "" for an empty query, NULL when there is no '?'. */
FCGATE_EXPORT const char* fcgate_request_query(const fcgate_request* request);

/* The value of the first header field of that name (in any case), or NULL. */
FCGATE_EXPORT const char* fcgate_request_header(const fcgate_request* request, const char* name);

/* The header fields one after the other: writes name and value of number `index`, from 0 on. FCGATE_GONE: there are no
 * more. */
FCGATE_EXPORT int fcgate_request_field(const fcgate_request* request, size_t index, const char** name,
                                       const char** value);

/* The client's address without its port, as PHP sees it in REMOTE_ADDR: "192.168.1.7", "fe80::1%eth0", "unix"; never
 * NULL. */
FCGATE_EXPORT const char* fcgate_request_client(const fcgate_request* request);

/* A length that is not known yet. */
#define FCGATE_UNKNOWN (-1LL)

/* How long the body is, in bytes; 0: there is none; FCGATE_UNKNOWN: its end will show (chunked). */
FCGATE_EXPORT long long fcgate_request_length(const fcgate_request* request);

/* Gives PHP a variable of that name with this request, in place of what it would have there otherwise; the text is copied.
 * For REMOTE_USER, AUTH_TYPE and others. Only before the request passes: from fcgate_on_request()'s hook, or from a handler
 * that calls fcgate_pass(). CONTENT_LENGTH is not for you to set.
 *
 * FCGATE_INVALID: not a name of letters, digits and '_', or CONTENT_LENGTH. FCGATE_TOO_LARGE: fcgate_settings_set_room()
 * gave too little, or more than 16 of them. FCGATE_GONE: the request is answered, kept, or its body has begun. */
FCGATE_EXPORT int fcgate_request_param(fcgate_request* request, const char* name, const char* value);

/* ---- The reply, before the callback returns ----------------------------------------------------------------------
 *
 * One of these is given, once. `status` is 200 to 599; 204 and 304 have no body, whatever is given. `content_type` is NULL
 * for none. For HEAD give what GET would get: the body is not sent.
 *
 * What they return beside FCGATE_OK: FCGATE_INVALID: a wrong status, content type or length. FCGATE_TOO_LARGE: no room for
 * the content type, or for the fields of a file. FCGATE_NO_MEMORY. FCGATE_GONE: a reply was given already. After a failure
 * that is not FCGATE_GONE another reply can be given. */

/* Adds a header field to the reply; to be called before the reply is given. Content-Type, Content-Length, Connection and
 * Transfer-Encoding are not for you to add.
 *
 * FCGATE_INVALID: not a field name, a control byte in the value, an empty value, or one of those. FCGATE_TOO_LARGE: no
 * room. FCGATE_GONE: the reply is given already. */
FCGATE_EXPORT int fcgate_reply_header(fcgate_request* request, const char* name, const char* value);

/* Gives the whole reply. `length` bytes of `body` are copied, to the heap; `body` may be NULL when `length` is 0. */
FCGATE_EXPORT int fcgate_reply(fcgate_request* request, unsigned status, const char* content_type, const void* body,
                               size_t length);

/* The same for a body that stays as it is until fcgate_destroy(): constants, files compiled into the program. It is not
 * copied. */
FCGATE_EXPORT int fcgate_reply_static(fcgate_request* request, unsigned status, const char* content_type,
                                      const void* body, size_t length);

/* Sends `length` bytes of the regular file `fd` from `offset` on, without reading them into memory. The descriptor is the
 * server's when this succeeds, and yours when it fails. A file that becomes shorter meanwhile cuts the reply off.
 *
 * FCGATE_INVALID also: `fd` is no regular file, or has no such part. */
FCGATE_EXPORT int fcgate_reply_file(fcgate_request* request, unsigned status, const char* content_type, int fd,
                                    long long offset, long long length);

/* Answers as for a static file: type by its name, conditions, ranges, entity tag, 404 and 403 when it is not to be had.
 * `path` is a path of the file system, "/var/log/messages"; links that lead out of its folder are not followed. */
FCGATE_EXPORT int fcgate_reply_path(fcgate_request* request, const char* path);

/* Leaves the request to what comes after: from fcgate_on_request()'s hook to handlers, from a handler to files and PHP.
 * Header fields added for the reply are dropped. FCGATE_GONE: a reply was given, the request is kept, or its body has begun. */
FCGATE_EXPORT int fcgate_pass(fcgate_request* request);

/* ---- The reply, later --------------------------------------------------------------------------------------------
 *
 * A kept request is named by a number, its ticket. Any thread may use a ticket, from the moment it has it until
 * fcgate_destroy(); one whose request has ended gives FCGATE_GONE, for ever: numbers do not recur. No such call waits, nor
 * does it call you back.
 *
 * There is no deadline but yours: a request that is kept and never answered lasts until its client leaves or the server
 * stops. */
typedef unsigned long long fcgate_ticket; /* never 0 */

/* What a fcgate_notice tells. More may come: ignore what you do not know. */
enum fcgate_news {
    FCGATE_SENT = 0, /* the whole reply is with the kernel. The ticket is gone. */
    /* It is not: the client has left or was too slow, the server has stopped, or 502 or 503 went out in its place since
     * its header fields found no room (half of connection_memory). The ticket is gone. */
    FCGATE_LOST = 1,
    FCGATE_ROOM = 2,    /* fcgate_later_write() could not take all: now there is room again */
    FCGATE_STOPPING = 3 /* fcgate_stop() was called, or had been: what never ends by itself should end now */
};

/* Tells what has become of a kept request. Exactly one FCGATE_SENT or FCGATE_LOST comes for each, as the last; then its
 * context can go. It runs on the thread of the server that has the request. */
typedef void (*fcgate_notice)(void* context, fcgate_ticket ticket, int news);

/* Keeps a request beyond this callback: its reply may be given before the callback returns, or later by
 * fcgate_later_reply() and its like. Header fields added so far stay; further ones, by either function, share the buffer.
 * `notice` may be NULL. `context` is also that of fcgate_receive() and fcgate_reply_pull().
 *
 * From now on the ticket may be used by any thread, also before this callback returns. Of fcgate_request only what was
 * copied lasts.
 *
 * FCGATE_TOO_LARGE: as many are kept as fcgate_settings_set_room() has said, or its buffer does not take the fields; a
 * handler that gives no reply then answers 503. FCGATE_INVALID: kept already. FCGATE_GONE: answered, or passed on. */
FCGATE_EXPORT int fcgate_keep(fcgate_request* request, fcgate_notice notice, void* context, fcgate_ticket* ticket);

/* Takes a piece of the body. Returns how many bytes it has taken; what is left comes again after fcgate_wake(), and the
 * client is held back meanwhile. A negative HTTP status (-400 to -599) ends it: that status is answered at once, and the
 * connection ends. */
typedef ptrdiff_t (*fcgate_receiver)(void* context, const void* bytes, size_t length);

/* Hands the body of a kept request to `receiver`, piece by piece, and then the request to `then`, with the context of
 * fcgate_keep(): that one is a handler again, which may reply, or leave it for later; it cannot pass it on. `then` comes also
 * when there is no body, and not when the client leaves before its end: that is FCGATE_LOST.
 *
 * FCGATE_INVALID: not kept, or called before. FCGATE_GONE: answered. */
FCGATE_EXPORT int fcgate_receive(fcgate_request* request, fcgate_receiver receiver, fcgate_handler then);

/* Makes a piece of the reply's body: writes at most `size` bytes to `bytes`, and returns how many; 0: that was all;
 * FCGATE_AGAIN: nothing yet, ask again after fcgate_wake(); any other negative: it cannot go on, and the reply is cut off. */
typedef ptrdiff_t (*fcgate_puller)(void* context, char* bytes, size_t size);

/* Replies to a kept request with a body that `puller` makes as the client takes it. `length` is what it will make in all, or
 * FCGATE_UNKNOWN. FCGATE_INVALID also: not kept. */
FCGATE_EXPORT int fcgate_reply_pull(fcgate_request* request, unsigned status, const char* content_type,
                                    long long length, fcgate_puller puller);

/* As fcgate_reply_header(). FCGATE_TOO_LARGE: the buffer is full. */
FCGATE_EXPORT int fcgate_later_header(fcgate_server* server, fcgate_ticket ticket, const char* name, const char* value);

/* As fcgate_reply(), but the body is copied to the request's buffer. FCGATE_TOO_LARGE: it does not fit there beside the
 * header fields: use fcgate_later_begin(). FCGATE_INVALID also: the reply is given already. */
FCGATE_EXPORT int fcgate_later_reply(fcgate_server* server, fcgate_ticket ticket, unsigned status,
                                     const char* content_type, const void* body, size_t length);

/* As fcgate_reply_file(). */
FCGATE_EXPORT int fcgate_later_file(fcgate_server* server, fcgate_ticket ticket, unsigned status,
                                    const char* content_type, int fd, long long offset, long long length);

/* Begins a reply whose body fcgate_later_write() brings: `length` bytes of it, or FCGATE_UNKNOWN. FCGATE_TOO_LARGE: the
 * header fields leave the body no room in the buffer. */
FCGATE_EXPORT int fcgate_later_begin(fcgate_server* server, fcgate_ticket ticket, unsigned status,
                                     const char* content_type, long long length);

/* Puts bytes into the request's buffer, from where they are sent: as many as fit. Returns how many; FCGATE_AGAIN when none
 * did. After either, FCGATE_ROOM tells when it is worth another try.
 *
 * FCGATE_INVALID: not begun, ended, or more than the length that was promised. */
FCGATE_EXPORT ptrdiff_t fcgate_later_write(fcgate_server* server, fcgate_ticket ticket, const void* bytes,
                                           size_t length);

/* The body is complete. With less than what was promised the reply is cut off. FCGATE_INVALID: not begun, or ended. */
FCGATE_EXPORT int fcgate_later_end(fcgate_server* server, fcgate_ticket ticket);

/* Asks the fcgate_receiver or fcgate_puller of this request again, soon. */
FCGATE_EXPORT int fcgate_wake(fcgate_server* server, fcgate_ticket ticket);

#ifdef __cplusplus
}
#endif

#endif
