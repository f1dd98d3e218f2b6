// Owns: the vocabulary between the rooms: a request's head as a borrowed view, and a reply as a value.
// Borrows: all text points into the HTTP connection's memory (requests) or into storage of whoever made the reply.
// Must not touch: microhttpd.h, files, sockets. route/, files/ and fastcgi/ know HTTP through this header alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/endpoint.hpp"
#include "base/fixed_list.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

namespace fcgate {

struct Field {
    std::string_view name;
    std::string_view value;
};

// Reads fields one after the other: first those of a list, then those that lie packed in somebody's memory, each name and value with its NUL. Of
// these, fields whose names begin with a byte that no name has are passed over.
class FieldCursor {
  public:
    explicit FieldCursor(std::span<const Field> listed, std::string_view packed = {})
        : listed_(listed), packed_(packed) {}
    [[nodiscard]] bool next(Field& field);

  private:
    std::span<const Field> listed_;
    std::string_view packed_;
};

// The value of the first field of that name, compared without case. Without data() when there is none.
[[nodiscard]] std::string_view find_field(FieldCursor fields, std::string_view name);

[[nodiscard]] bool is_read(std::string_view method);  // GET or HEAD
[[nodiscard]] bool is_safe(std::string_view method);  // ... or OPTIONS (RFC 9110 section 9.2.1)

// Of "http://" or "https://" at the front, whatever the case; 0: there is neither.
[[nodiscard]] size_t scheme_size(std::string_view url);

// True for a field that concerns one connection alone and never goes on (RFC 9110 section 7.6.1).
[[nodiscard]] bool is_hop_by_hop(std::string_view name);
// True when the comma-separated list `value` has that element, compared without case (RFC 9110 section 5.6.1).
[[nodiscard]] bool list_has(std::string_view value, std::string_view element);

// A request's head. The views are valid until the next head is collected by the same worker; they can be had again
// for as long as the request lives.
struct RequestHead {
    std::string_view method;
    std::string_view target;  // raw, as it stood in the request line
    std::string_view host;    // value of Host, or the authority of an absolute target; empty: none
    std::span<const Field> fields;
    uint64_t content_length = 0;
    bool has_content_length = false;
    bool is_chunked = false;
    bool is_http_1_0 = false;
    bool is_tls = false;
    bool is_proxied = false;  // by a trusted proxy, whose word on client and is_tls was taken
    Endpoint client;
    Endpoint local;

    // The first field of that name, compared without case; empty when there is none.
    [[nodiscard]] std::string_view field(std::string_view name) const { return find_field(FieldCursor(fields), name); }
};

// Produces the body of a streamed reply.
struct BodyReader {
    // Fills `room`. Returns the count; 0: nothing there yet, the reader calls for a wake-up itself;
    // end / failed below.
    static constexpr ptrdiff_t end = -1;
    static constexpr ptrdiff_t failed = -2;  // the client must see that the body is cut off
    ptrdiff_t (*read)(void* context, std::span<char> room) = nullptr;
    // Are there bytes behind those that read() has returned? May be missing.
    bool (*has_more)(void* context) = nullptr;
    // Instead, for a body that is there as a whole: fills `out` with its pieces, which stay until the request is done; returns their count.
    size_t (*pieces)(void* context, std::span<std::span<const char>> out) = nullptr;
    void* context = nullptr;
};

// By which a change of a file's content is noticed; without a time: not looked for.
struct FileState {
    uint64_t size = 0;
    uint64_t modified = 0;  // nanoseconds
};

// What the client is to hear. A plain value: whoever fills it owns what it points to until the request is completed.
struct Reply {
    // page: that of the status; copied: by Engine::copy_body(); pieces: at most limits::reply_pieces, of the reader;
    // ready: the whole reply is, under its name: see Engine::has_ready()
    enum class Body : uint8_t { none, page, memory, copied, file, stream, pieces, ready };

    // It is large, and made and copied in many places: all of it is done in one.
    Reply();
    Reply(const Reply& other);
    Reply& operator=(const Reply& other);
    ~Reply() = default;
    void clear();
    void begin(uint16_t new_status);  // anew, with no body

    uint16_t status = 0;
    Body body = Body::none;
    bool close = false;         // end the connection after this reply
    bool after_body = false;    // given at the head, to be sent when the body has been read
    bool length_known = false;  // `length` holds; always true for memory and file
    bool is_refusal = false;    // fcgate's own, whether the page is its own or the site's
    uint64_t length = 0;        // of the body; for HEAD and 304 the length a GET would have had
    std::string_view memory;
    // Of a reply that is the same each time, and may be kept for as long as its bytes lie where they do. 0: none.
    uint64_t ready_name = 0;
    // In the names of those that send an open file.
    static constexpr uint64_t name_of_file = uint64_t{1} << 63U;
    int fd = -1;  // owned by the reply until it is queued, then by the HTTP side, which closes it
    uint64_t offset = 0;
    FileState file;  // of a file that must not change while it is sent
    BodyReader reader;

    std::string_view packed_fields;  // for a FieldCursor, beside those that are listed

    [[nodiscard]] std::span<const Field> fields() const { return {fields_.begin(), fields_.size()}; }
    [[nodiscard]] FieldCursor all_fields() const { return FieldCursor(fields(), packed_fields); }
    // Names and values must be valid already; false when there is no room for one more.
    [[nodiscard]] bool add_field(std::string_view name, std::string_view value);
    // Those that are listed there, as far as there is room.
    void add_fields(const Reply& from);
    void drop_field(std::string_view name);  // of those that are listed
    void clear_fields() {
        fields_.clear();
        packed_fields = {};
    }

  private:
    FixedList<Field, limits::reply_fields> fields_;
};

// True for a status whose reply has no body at all (RFC 9110 section 6.4.1).
[[nodiscard]] constexpr bool status_has_no_body(unsigned status) {
    return (status >= 100 && status < 200) || status == 204 || status == 304;
}

}  // namespace fcgate
