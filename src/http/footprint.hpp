// Owns: what libmicrohttpd can take of the heap at most, for the limits that the settings and this room set it. The sizes of its
// structures are those of 64-bit builds of 0.9.75 to 1.0.10, rounded up; a test compares them with what it does allocate.
// Must not touch: microhttpd.h, memory.
#pragma once

#include <cstddef>
#include <span>

#include "base/limits.hpp"
#include "config/settings.hpp"
#include "http/message.hpp"

namespace fcgate::http {

// What malloc takes for a block: 16 bytes for itself and rounding.
[[nodiscard]] constexpr size_t heap_block(size_t size) {
    constexpr size_t alignment = 16;
    return (size + alignment - 1) / alignment * alignment + alignment;
}

// Of each worker's daemon.
inline constexpr size_t daemon_footprint = heap_block(1024) + heap_block(1024);

// Of a connection: its structure, and the memory for its heads and buffers.
[[nodiscard]] size_t connection_footprint(const ServerSettings& server);

// Of the reply on a connection, without its header fields: the structure and the block through which a file or a stream is read.
inline constexpr size_t reply_footprint = heap_block(256 + limits::stream_block);

// Of a secure connection, what GnuTLS takes for its session, and of all of them together for its libraries: as measured with 3.7.9 (tests/e2e/test_tls.py
// looks whether it holds).
inline constexpr size_t tls_session_footprint = size_t{32} * 1024;
inline constexpr size_t tls_library_footprint = size_t{640} * 1024;

// Of a reply that is kept for the next request: the structure, and one for the fields, which are a name and a value.
inline constexpr size_t ready_footprint = heap_block(256) + 2 * heap_block(64) + heap_block(limits::ready_fields);

// Of header fields of a reply.
struct FieldsSize {
    size_t text = 0;    // as it is sent
    size_t memory = 0;  // for each a structure and two strings
};
[[nodiscard]] FieldsSize size_of(FieldCursor fields);
// What every connection may take for the fields of its reply, whatever the others take: with room for those that the settings add.
[[nodiscard]] size_t guaranteed_fields(const Settings& settings);
// What replies with more fields share, in one worker.
[[nodiscard]] size_t shared_fields(const Settings& settings);
// The same for lists of folders and the status page, which it copies.
[[nodiscard]] size_t shared_lists(const Settings& settings);

}  // namespace fcgate::http
