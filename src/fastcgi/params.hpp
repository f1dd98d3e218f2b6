// Owns: the encoding of CGI variables as FCGI_PARAMS (FastCGI 1.0 sections 3.4 and 5.2).
// Borrows: the storage it writes into, until finish().
// Must not touch: sockets, MHD, the event loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.hpp"
#include "fastcgi/record.hpp"

namespace fcgate::fastcgi {

// How a character of a header field's name stands in its HTTP_ variable (RFC 3875 section 4.1.18).
[[nodiscard]] constexpr char header_variable_character(char c) {
    if (c == '-') {
        return '_';
    }
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

// Builds the head of a request in one piece: BEGIN_REQUEST, the PARAMS records, the empty PARAMS record that ends them.
// It is a pure function of the request, so that a head that could not be written at once is built again rather than kept.
// Each pair lies in one record, so a name and value of more than 65535 bytes with their lengths do not fit.
// Sticky: when something does not fit nothing more is added and finish() says too_large.
class ParamsWriter {
  public:
    ParamsWriter(std::span<uint8_t> storage, bool keep_connection);

    void add(std::string_view name, std::string_view value) { add(name, std::span(&value, 1)); }
    // A value in parts, for DOCUMENT_ROOT + SCRIPT_NAME and the like.
    void add(std::string_view name, std::span<const std::string_view> parts);
    // "HTTP_" + name in upper case with '-' as '_' (RFC 3875 section 4.1.18).
    void add_header(std::string_view name, std::string_view value);

    // For a value made of many parts (repeated headers joined): its length must be known beforehand and be met exactly, else
    // finish() says malformed.
    void begin_value(std::string_view name, bool as_header, size_t value_length);
    void append_value(std::string_view part);

    // Ends the stream; the result is what goes to the socket.
    [[nodiscard]] Result<std::span<const uint8_t>> finish();

  private:
    [[nodiscard]] bool reserve(size_t name_length, size_t value_length);
    void open_record();
    void close_record();
    void fail(Status why);

    std::span<uint8_t> storage_;
    size_t size_ = 0;
    size_t record_start_ = 0;  // of the open PARAMS record; 0: none is open, for BEGIN_REQUEST stands there
    size_t room_until_ =
        0;  // what a short pair may reach to in the open record; 0: none is open, or something did not fit
    size_t value_left_ = 0;  // announced by begin_value(), not yet appended
    Status status_ = Status::ok;
};

}  // namespace fcgate::fastcgi
