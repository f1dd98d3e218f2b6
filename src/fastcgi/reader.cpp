#include "fastcgi/reader.hpp"

#include <algorithm>
#include <cstring>

namespace fcgate::fastcgi {

namespace {

constexpr size_t end_request_size = 8;  // FCGI_EndRequestBody, section 5.5
static_assert(end_request_size <= header_size, "the body is collected where the header was");

}  // namespace

RecordReader::Event RecordReader::next(std::span<const char>& input) {
    slice_ = {};
    if (broken_) {
        return Event::malformed;
    }
    while (!input.empty()) {
        switch (state_) {
            case State::header:
                if (!collect(input, header_size)) {
                    return Event::need_more;
                }
                if (!accept_header()) {
                    return Event::malformed;
                }
                break;
            case State::content:
                if (type_ == RecordType::end_request) {
                    if (!collect(input, end_request_size)) {
                        return Event::need_more;
                    }
                    app_status_ = load_be32(stored_.data());
                    protocol_status_ = stored_[4];
                    content_left_ = 0;
                } else {
                    const size_t count = std::min<size_t>(content_left_, input.size());
                    slice_ = {input.data(), count};
                    input = input.subspan(count);
                    content_left_ = static_cast<uint16_t>(content_left_ - count);
                }
                break;
            case State::padding: {
                const size_t count = std::min<size_t>(padding_left_, input.size());
                input = input.subspan(count);
                padding_left_ = static_cast<uint8_t>(padding_left_ - count);
                break;
            }
            case State::done:
                (void)fail("bytes behind FCGI_END_REQUEST"_p);
                return Event::malformed;
        }
        // What is used up ends at once, not at the next byte: a record that is complete must not look as if it were cut off.
        if (state_ == State::content && content_left_ == 0) {
            state_ = State::padding;
        }
        if (state_ == State::padding && padding_left_ == 0) {
            state_ = type_ == RecordType::end_request ? State::done : State::header;
        }
        if (state_ == State::done) {
            return Event::end_request;
        }
        if (!slice_.empty()) {
            return type_ == RecordType::standard_error ? Event::standard_error : Event::standard_output;
        }
    }
    return Event::need_more;
}

bool RecordReader::at_boundary() const {
    return !broken_ && (state_ == State::done || (state_ == State::header && stored_count_ == 0));
}

// Completes stored_ up to `size` bytes; true when they are all there, and then starts afresh.
bool RecordReader::collect(std::span<const char>& input, size_t size) {
    const size_t count = std::min(size - stored_count_, input.size());
    memcpy(stored_.data() + stored_count_, input.data(), count);
    input = input.subspan(count);
    stored_count_ = static_cast<uint8_t>(stored_count_ + count);
    if (stored_count_ < size) {
        return false;
    }
    stored_count_ = 0;
    return true;
}

bool RecordReader::accept_header() {
    if (stored_[0] != version_1) {
        return fail("record of an unknown FastCGI version"_p);
    }
    type_ = static_cast<RecordType>(stored_[1]);
    if (type_ != RecordType::standard_output && type_ != RecordType::standard_error &&
        type_ != RecordType::end_request) {
        return fail("record of a type that is no answer"_p);
    }
    if (load_be16(&stored_[2]) != request_id) {
        return fail("record of another request"_p);
    }
    content_left_ = load_be16(&stored_[4]);
    padding_left_ = stored_[6];
    if (type_ == RecordType::end_request && content_left_ != end_request_size) {
        return fail("FCGI_END_REQUEST of a wrong length"_p);
    }
    state_ = State::content;
    return true;
}

bool RecordReader::fail(Packed why) {
    error_ = why;
    broken_ = true;
    return false;
}

}  // namespace fcgate::fastcgi
