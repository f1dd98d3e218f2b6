// Owns: the parsing of a CGI response's head (RFC 3875 section 6): line by line, in storage of the caller, where the fields then lie packed.
// Borrows: that storage until the fields are no longer used.
// Must not touch: sockets, MHD, the event loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/limits.hpp"
#include "base/packed.hpp"
#include "base/status.hpp"
#include "http/message.hpp"

namespace fcgate::fastcgi {

// Feed it STDOUT until complete(). It accepts CRLF and LF line ends, as php-fpm and old scripts send them.
class ResponseHead {
  public:
    explicit ResponseHead(std::span<char> storage) : storage_(storage) {}

    // Consumes head bytes from the front of `input`; what is left behind the empty line is body. Every byte is looked at
    // once, however slowly they drip. What it has said other than again it says for ever, and consumes no more.
    // ok: the head is complete and valid. again: more input is needed. too_large: it has more bytes than the storage, or more than
    // most_fields() fields; said at its end, when size() and field_count() are known, or once limits::chatter bytes have come. malformed: error()
    // says what (bad field name or value, Status outside 200 to 999, differing Content-Lengths, no field at all, folded line, a status line of
    // HTTP).
    [[nodiscard]] Status feed(std::string_view& input);

    // Valid after ok. Status without `Status:` is 200, or 302 when there is a Location (RFC 3875 section 6.2.3).
    [[nodiscard]] uint16_t status() const { return status_; }
    // Without Status, Content-Length, the hop-by-hop fields (is_hop_by_hop()) and what Connection names; repeated
    // fields stay apart and in order. Empty values are dropped: the HTTP library refuses them.
    [[nodiscard]] std::string_view packed_fields() const { return {storage_.data(), packed_}; }
    [[nodiscard]] FieldCursor fields() const { return FieldCursor({}, packed_fields()); }
    // Drops those whose names are unwanted.
    void drop_fields(bool (*is_unwanted)(std::string_view name));
    // Of a 205 it is 0, whatever the script says: it must not have content (RFC 9110 section 15.3.6), and yet clients read some.
    [[nodiscard]] bool has_content_length() const { return has_content_length_; }
    [[nodiscard]] uint64_t content_length() const { return content_length_; }
    [[nodiscard]] bool is_event_stream() const { return is_event_stream_; }  // Content-Type: text/event-stream
    // False: neither X-Sendfile nor X-Accel-Redirect is among the fields. True: most likely one is.
    [[nodiscard]] bool may_name_file() const { return may_name_file_; }
    // It is, or is going to be, too_large.
    [[nodiscard]] bool is_oversized() const { return is_oversized_; }
    [[nodiscard]] Packed error() const { return error_; }
    [[nodiscard]] size_t size() const { return size_; }  // bytes seen, for the log
    [[nodiscard]] size_t field_count() const { return field_count_; }
    [[nodiscard]] size_t most_fields() const { return limits::script_fields(storage_.size()); }

    void reset() { *this = ResponseHead(storage_); }

  private:
    void count(std::string_view part);
    [[nodiscard]] Status take_line(std::string_view line);
    [[nodiscard]] Status take_status(std::string_view value);
    [[nodiscard]] Status take_content_length(std::string_view value);
    [[nodiscard]] Status complete();
    void drop_named_by_connection();
    void pack(std::string_view name, std::string_view value, char first);
    [[nodiscard]] Status fail(Packed why);

    std::span<char> storage_;
    size_t size_ = 0;
    size_t packed_ = 0;  // bytes of the fields so far; behind them lies the line that is not complete yet
    size_t line_size_ = 0;
    size_t field_count_ = 0;
    Packed error_;
    uint64_t content_length_ = 0;
    uint16_t status_ = 0;
    Status outcome_ = Status::again;
    bool has_connection_ = false;
    bool has_location_ = false;
    bool has_content_length_ = false;
    bool is_event_stream_ = false;
    bool may_name_file_ = false;
    bool is_oversized_ = false;
    bool line_has_text_ = false;
};

}  // namespace fcgate::fastcgi
