/* libmicrohttpd's connection.c, with what fcgate always asks for as a constant: MHD_OPTION_STRICT_FOR_CLIENT is 1. What is for other values is not
   there. Pieces of bodies are joined, most bytes of fields passed over (skip_fields.py), and
   lengths written by a way of our own. Written for fcgate. */
#include <assert.h>

#include "internal.h"
#include "mhd_send.h"

/* See mhd_reasons.c. */
__attribute__((pure)) const char* MHD_get_reason_phrase_for(unsigned int code);

#define client_discipline client_discipline * 0 + 1

/* A piece of a body behind which more is at hand need not go out before that: full segments instead of one for each piece. */
int mhd_polling_pushes(const struct MHD_Connection* connection);
#define MHD_send_data_(connection, bytes, size, push) \
    MHD_send_data_(connection, bytes, size, (push) && mhd_polling_pushes(connection))

/* A file that goes out by sendfile() follows its head at once: in the same segment, for the client would wake for each. */
static int mhd_joins_file(struct MHD_Connection* connection) {
    const int joins = connection->rp.props.send_reply_body && connection->rp.resp_sender == MHD_resp_sender_sendfile;
    if (joins && connection->sk_corked == _MHD_UNKNOWN) {
        /* As a new socket is. Otherwise what sendfile() has pushed already would be pushed by a call more, each time. */
        connection->sk_corked = _MHD_OFF;
    }
    return joins;
}

#define MHD_send_hdr_and_body_(connection, head, size, never_push, body, body_size, complete)                   \
    MHD_send_hdr_and_body_(connection, head, size, (never_push) || mhd_joins_file(connection), body, body_size, \
                           complete)

/* In the place of libmicrohttpd's own, which divides numbers of 64 bits twice for each of 20 digits, whatever the number: for the length of a
   reply that is 20,000 instructions on a machine of 32 bits, two thirds of what a small file takes there. */
#define MHD_uint64_to_str mhd_write_decimal
static size_t mhd_write_decimal(uint64_t value, char* to, size_t room) {
    char digits[20];
    size_t at = sizeof digits;
    uint32_t low;
    for (; value > UINT32_MAX; value /= 10) {
        digits[--at] = (char)('0' + value % 10);
    }
    low = (uint32_t)value;
    do {
        digits[--at] = (char)('0' + low % 10);
        low /= 10;
    } while (low != 0);
    if (sizeof digits - at > room) {
        return 0;
    }
    memcpy(to, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

/* Of a field's name, at `at`: the last of the letters, digits and hyphens from there on, of what has come. */
static size_t mhd_skip_name(const char* bytes, size_t at, size_t end) {
    size_t next = at + 1;
    while (next < end) {
        const unsigned byte = (unsigned char)bytes[next];
        if ((byte | 0x20) - 'a' >= 26 && byte - '0' >= 10 && byte != '-') {
            break;
        }
        ++next;
    }
    return next - 1;
}

/* Of a field's value: the last byte before a control character, and before the spaces in front of that: these may be the end of the value. */
static size_t mhd_skip_value(const char* bytes, size_t at, size_t end) {
    const uintptr_t ones = UINTPTR_MAX / 0xff;
    uintptr_t word;
    size_t next = at + 1;
    /* A word of bytes at a time, while none of them is below 0x20. */
    while (end - next >= sizeof word) {
        memcpy(&word, bytes + next, sizeof word);
        if (((word - ones * 0x20) & ~word & ones * 0x80) != 0) {
            break;
        }
        next += sizeof word;
    }
    while (next < end && (unsigned char)bytes[next] >= ' ') {
        ++next;
    }
    /* There is one that is none: the first. */
    do {
        --next;
    } while (bytes[next] == ' ');
    return next;
}

int mhd_polling_write_date(char* date);

#define MHD_connection_handle_read mhd_read
#include "mhd_connection_skipping.h"
#undef MHD_connection_handle_read

size_t mhd_polling_room_for(const struct MHD_Connection* connection, char** bytes);
void MHD_connection_handle_read(struct MHD_Connection* connection, bool socket_error);

/* What is left of a large body is read in as large pieces as the program has room for, which spares most of the calls. The last byte
   is left to the usual way, which goes on from there. */
void MHD_connection_handle_read(struct MHD_Connection* connection, bool socket_error) {
    char* const usual = connection->read_buffer;
    const size_t usual_size = connection->read_buffer_size;
    if (connection->state == MHD_CONNECTION_BODY_RECEIVING && !connection->rq.have_chunked_upload &&
        connection->read_buffer_offset == 0 && connection->rq.remaining_upload_size - 1 > usual_size &&
        !connection->suspended) {
        char* bytes;
        const size_t size = mhd_polling_room_for(connection, &bytes);
        if (size > usual_size) {
            connection->read_buffer = bytes;
            connection->read_buffer_size =
                size < connection->rq.remaining_upload_size ? size : (size_t)connection->rq.remaining_upload_size - 1;
        }
    }
    mhd_read(connection, socket_error);
    if (connection->read_buffer != usual) {
        if (connection->state == MHD_CONNECTION_BODY_RECEIVING && connection->read_buffer_offset != 0) {
            process_request_body(connection);
        }
        assert(connection->state != MHD_CONNECTION_BODY_RECEIVING || connection->read_buffer_offset == 0);
        connection->read_buffer = usual;
        connection->read_buffer_size = usual_size;
    }
}
