/*
 * libfcgate: PHP for the program itself, without HTTP.
 *
 *     static ptrdiff_t take(void* context, const void* bytes, size_t length) {
 *         return fwrite(bytes, 1, length, context) == length ? (ptrdiff_t)length : -1;
 *     }
 *     static void ended(void* context, int result, unsigned status) { ... }
 *
 *     static const fcgate_caller caller = {NULL, take, ended};
 *     fcgate_script script = {0};
 *     script.file = "/usr/share/panel/report.php";
 *     script.query = "day=2026-11-29";
 *     int result = fcgate_call(server, &script, &caller, stdout, NULL);
 *
 * A call runs a script as a request would: it waits for its place among PHP's workers, uses connections that are kept, has
 * PHP started on demand, and ends by the deadlines of its backend (queue_timeout, connect_timeout, response_timeout). What
 * fails is in the log, with the same words and codes.
 *
 * A server for calls alone needs neither `listen` nor a site: fcgate_settings_set_calls() and a backend are enough.
 *
 * The rules at the top of fcgate.h hold here too.
 */
#ifndef FCGATE_CALL_H
#define FCGATE_CALL_H

#include "fcgate/fcgate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room, for each thread, for calls; without it there is none. It is allocated by fcgate_start() and its like, is part of
 * fcgate_budget(), and is the same until the server ends.
 *
 * `calls` may be under way at a time, at most 256; server.exchanges bounds what of them and of requests is with PHP or waits
 * for it. Each has `text` bytes, 512 to 64 KiB, for the texts of its fcgate_script, names and values of `variables` among
 * them, each with its NUL, and one byte more. What fcgate adds takes no room of it.
 *
 * FCGATE_INVALID: NULL or numbers beyond these. */
FCGATE_EXPORT int fcgate_settings_set_calls(fcgate_settings* settings, unsigned calls, size_t text);

/* What is to be run. All of it is copied but the body. */
typedef struct fcgate_script {
    const char* file;         /* SCRIPT_FILENAME: the script's absolute path, as PHP sees it */
    const char* backend;      /* the name of the section of its PHP, "admin" for [backend admin]; NULL: [backend] */
    const char* method;       /* REQUEST_METHOD; NULL: GET, or POST when there is a body */
    const char* query;        /* QUERY_STRING, without '?'; NULL: none */
    const char* content_type; /* CONTENT_TYPE of the body; NULL: none */
    const void* body;         /* what the script reads: it must stay as it is until `ended`. NULL when `length` is 0. */
    size_t length;            /* of the body, in bytes */
    /* Further variables (RFC 3875 section 4.1), in place of those that fcgate would give: a name, its value, a name, ..., and
     * NULL. NULL: none. SCRIPT_FILENAME, REQUEST_METHOD and CONTENT_LENGTH are not for you to set. */
    const char* const* variables;
} fcgate_script;

/* The head of an answer, while the callback has it. */
typedef struct fcgate_answer fcgate_answer;

/* Who hears of a call. The callbacks come one at a time, on the thread of the server that has the call, or that of
 * fcgate_destroy(); they may call fcgate_call() and whatever any thread may call, and should not block. */
typedef struct fcgate_caller {
    /* The head is there, once. May be NULL. */
    void (*head)(void* context, const fcgate_answer* answer);
    /* A piece of the output. Returns how many bytes it has taken: what is left comes again after fcgate_call_wake(), and PHP
     * is held back meanwhile. A negative number ends the call. NULL: nobody wants it. */
    ptrdiff_t (*output)(void* context, const void* bytes, size_t length);
    /* The last word on a call, exactly one; fcgate_destroy() gives it at the latest. The ticket is gone. `result`:
     *
     * FCGATE_OK       the answer is whole. `status` is that of the head.
     * FCGATE_ERROR    PHP could not be reached, has failed, or its answer was cut off. `status` is 502, 503 or 504 when nothing
     *                 of the answer had come yet, else that of the head.
     * FCGATE_GONE     fcgate_call_end() or a negative number has ended it, or the server's end. `status` is 0.
     * FCGATE_INVALID  there is no such backend in the configuration in force. `status` is 0. */
    void (*ended)(void* context, int result, unsigned status);
} fcgate_caller;

/* Asks a running server for a script's answer and returns at once; any thread, from fcgate_start(), fcgate_run() or
 * fcgate_fd() on until fcgate_destroy(). `caller` must stay as it is until `ended`. `ticket` may be NULL; else it is written
 * before a callback comes. A HEAD has no output. Methods other than GET, HEAD and OPTIONS are never sent twice.
 *
 * PHP gets what php-fpm needs: SCRIPT_FILENAME, DOCUMENT_ROOT and SCRIPT_NAME (the file's folder, and its name behind "/"),
 * REQUEST_METHOD, REQUEST_URI, QUERY_STRING, CONTENT_TYPE, CONTENT_LENGTH, REDIRECT_STATUS, GATEWAY_INTERFACE,
 * SERVER_PROTOCOL, SERVER_SOFTWARE.
 *
 * FCGATE_INVALID: `file` is no absolute path, `method` no token, a variable no name of letters, digits and '_', or one of
 * those above; or the server does not run, or has no room for calls. FCGATE_TOO_LARGE: the variables find no room.
 * FCGATE_AGAIN: as many calls are under way as may be. FCGATE_GONE: the server is being stopped. Then no callback comes. */
FCGATE_EXPORT int fcgate_call(fcgate_server* server, const fcgate_script* script, const fcgate_caller* caller,
                              void* context, fcgate_ticket* ticket);

/* Offers the caller the rest of the output, soon. Any thread. FCGATE_GONE: the call has ended. */
FCGATE_EXPORT int fcgate_call_wake(fcgate_server* server, fcgate_ticket ticket);

/* Ends a call, soon; its script is cut off as if a client had left (`on_abort`). `ended` comes all the same. Any thread.
 * FCGATE_GONE: it has ended. */
FCGATE_EXPORT int fcgate_call_end(fcgate_server* server, fcgate_ticket ticket);

/* The answer's status: what the script has set, else 200, or 302 with a Location. */
FCGATE_EXPORT unsigned fcgate_answer_status(const fcgate_answer* answer);

/* The value of the first field of that name (in any case), or NULL. */
FCGATE_EXPORT const char* fcgate_answer_header(const fcgate_answer* answer, const char* name);

/* The fields one after the other: writes name and value of number `index`, from 0 on. Status, Content-Length, those of a
 * connection (Connection, Transfer-Encoding, ...) and those without a value are not among them, nor found by name.
 * FCGATE_GONE: there are no more. */
FCGATE_EXPORT int fcgate_answer_field(const fcgate_answer* answer, size_t index, const char** name, const char** value);

/* Content-Length as the script has given it, in bytes; FCGATE_UNKNOWN: it has not. */
FCGATE_EXPORT long long fcgate_answer_length(const fcgate_answer* answer);

#ifdef __cplusplus
}
#endif

#endif
