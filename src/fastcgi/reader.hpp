// Owns: the state of the record stream that comes from a backend; at most eight bytes of a split header or END_REQUEST body.
// Borrows: the bytes given to feed(); slices point into them and are valid until the next call.
// Must not touch: sockets, MHD, the event loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/packed.hpp"
#include "base/status.hpp"
#include "fastcgi/record.hpp"

namespace fcgate::fastcgi {

// Parses records (FastCGI 1.0 section 3.3) as they come, never waiting for a whole one. Everything a backend could get
// wrong makes it malformed, for good: version, request id, a type that is no answer, END_REQUEST of a wrong length, bytes behind it.
class RecordReader {
  public:
    enum class Event : uint8_t {
        need_more,        // all input is consumed
        standard_output,  // slice: a non-empty part of a STDOUT record
        standard_error,   // slice: a non-empty part of a STDERR record
        end_request,      // app_status() and protocol_status() hold; nothing may follow
        malformed,        // error() says what; the connection must be closed
    };

    // Consumes from the front of `input` up to the next event. Call again until need_more, end_request or malformed.
    // end_request comes when the record's padding is there too. Leftover bytes in `input` stay there for the caller to judge:
    // given to next() without a reset() they are malformed.
    [[nodiscard]] Event next(std::span<const char>& input);

    [[nodiscard]] std::string_view slice() const { return slice_; }
    [[nodiscard]] uint32_t app_status() const { return app_status_; }
    [[nodiscard]] uint8_t protocol_status() const { return protocol_status_; }
    [[nodiscard]] Packed error() const { return error_; }  // for the log
    // True between records: the stream may be cut here without loss of a started record.
    [[nodiscard]] bool at_boundary() const;

    void reset() { *this = RecordReader(); }

  private:
    enum class State : uint8_t { header, content, padding, done };

    [[nodiscard]] bool collect(std::span<const char>& input, size_t size);
    [[nodiscard]] bool accept_header();
    bool fail(Packed why);

    std::string_view slice_;
    Packed error_;
    uint32_t app_status_ = 0;
    uint16_t content_left_ = 0;
    uint8_t padding_left_ = 0;
    uint8_t protocol_status_ = 0;
    uint8_t stored_count_ = 0;
    State state_ = State::header;
    RecordType type_{};
    bool broken_ = false;
    std::array<uint8_t, header_size> stored_{};
};

}  // namespace fcgate::fastcgi
