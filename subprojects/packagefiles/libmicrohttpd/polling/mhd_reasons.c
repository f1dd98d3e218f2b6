/* The reason phrases of libmicrohttpd's reason_phrase.c as one text for each hundred of statuses, in the place of that file: it has a pointer and a
   size for each number, also for the many that nobody has given a meaning. Written for fcgate. */
#include <string.h>

#include "MHD_config.h"
#include "microhttpd.h"

/* Each phrase behind the distance of its number from the one before, the first one's from the number before the hundred. */
static const char* const hundreds[] = {
    "\1Continue\0"
    "\1Switching Protocols\0"
    "\1Processing\0"
    "\1Early Hints\0",
    "\1OK\0"
    "\1Created\0"
    "\1Accepted\0"
    "\1Non-Authoritative Information\0"
    "\1No Content\0"
    "\1Reset Content\0"
    "\1Partial Content\0"
    "\1Multi-Status\0"
    "\1Already Reported\0"
    "\22IM Used\0", /* 226 */
    "\1Multiple Choices\0"
    "\1Moved Permanently\0"
    "\1Found\0"
    "\1See Other\0"
    "\1Not Modified\0"
    "\1Use Proxy\0"
    "\1Switch Proxy\0"
    "\1Temporary Redirect\0"
    "\1Permanent Redirect\0",
    "\1Bad Request\0"
    "\1Unauthorized\0"
    "\1Payment Required\0"
    "\1Forbidden\0"
    "\1Not Found\0"
    "\1Method Not Allowed\0"
    "\1Not Acceptable\0"
    "\1Proxy Authentication Required\0"
    "\1Request Timeout\0"
    "\1Conflict\0"
    "\1Gone\0"
    "\1Length Required\0"
    "\1Precondition Failed\0"
    "\1Content Too Large\0"
    "\1URI Too Long\0"
    "\1Unsupported Media Type\0"
    "\1Range Not Satisfiable\0"
    "\1Expectation Failed\0"
    "\4Misdirected Request\0" /* 421 */
    "\1Unprocessable Content\0"
    "\1Locked\0"
    "\1Failed Dependency\0"
    "\1Too Early\0"
    "\1Upgrade Required\0"
    "\2Precondition Required\0" /* 428 */
    "\1Too Many Requests\0"
    "\2Request Header Fields Too Large\0" /* 431 */
    "\22Reply With\0"                     /* 449 */
    "\1Blocked by Windows Parental Controls\0"
    "\1Unavailable For Legal Reasons\0",
    "\1Internal Server Error\0"
    "\1Not Implemented\0"
    "\1Bad Gateway\0"
    "\1Service Unavailable\0"
    "\1Gateway Timeout\0"
    "\1HTTP Version Not Supported\0"
    "\1Variant Also Negotiates\0"
    "\1Insufficient Storage\0"
    "\1Loop Detected\0"
    "\1Bandwidth Limit Exceeded\0"
    "\1Not Extended\0"
    "\1Network Authentication Required\0",
};

static const char unknown[] = "Unknown";

/* Asked for the phrase and for its length the compiler looks once. */
__attribute__((pure)) const char* MHD_get_reason_phrase_for(unsigned int code);

const char* MHD_get_reason_phrase_for(unsigned int code) {
    const unsigned int hundred = code / 100 - 1;
    if (hundred < sizeof hundreds / sizeof *hundreds) {
        int left = (int)(code % 100) + 1;
        for (const char* phrase = hundreds[hundred]; *phrase != '\0'; phrase += strlen(phrase) + 1) {
            left -= *phrase;
            if (left <= 0) {
                return left == 0 ? phrase + 1 : unknown;
            }
        }
    }
    return unknown;
}

/* 0: none is known. */
size_t MHD_get_reason_phrase_len_for(unsigned int code) {
    const char* const phrase = MHD_get_reason_phrase_for(code);
    return phrase != unknown ? strlen(phrase) : 0;
}
