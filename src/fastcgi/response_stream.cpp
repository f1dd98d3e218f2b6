#include "fastcgi/response_stream.hpp"

#include <new>

namespace fcgate::fastcgi {

// Not inlined wherever there is one.
[[gnu::noinline]] ResponseStream::ResponseStream(std::span<char> head_storage) : head_(head_storage) {}

void ResponseStream::init(PagePool& pool, size_t buffer_limit, std::span<char> head_storage, bool drop_body) {
    new (this) ResponseStream(head_storage);
    output_.init(pool, true, buffer_limit);
    drop_body_ = drop_body;
}

Status ResponseStream::feed(std::span<const char> bytes, const ErrorSink& errors) {
    received_ += bytes.size();
    chatter_ += static_cast<uint32_t>(bytes.size());
    for (;;) {
        switch (reader_.next(bytes)) {
            case RecordReader::Event::need_more:
                return is_chatter() ? Status::too_large : Status::ok;
            case RecordReader::Event::standard_output: {
                chatter_ = 0;
                const Status status = take_output(reader_.slice());
                if (status != Status::ok) {
                    return status;
                }
                break;
            }
            case RecordReader::Event::standard_error:
                errors.write(errors.context, reader_.slice());
                break;
            case RecordReader::Event::end_request:
                ended_ = true;
                trailing_bytes_ = !bytes.empty();
                return Status::ok;
            case RecordReader::Event::malformed:
                error_ = reader_.error();
                record_malformed_ = true;
                return Status::malformed;
        }
    }
}

Status ResponseStream::take_output(std::string_view bytes) {
    if (!head_done_) {
        const Status status = head_.feed(bytes);
        if (status == Status::again) {
            return Status::ok;
        }
        if (status != Status::ok) {
            error_ = head_.error();
            return status;
        }
        head_done_ = true;
        drop_body_ = drop_body_ || status_has_no_body(head_.status());
    }
    if (head_.has_content_length()) {
        // A body longer than promised is cut, as the peers do.
        const uint64_t left = head_.content_length() - body_seen_;
        if (left < bytes.size()) {
            bytes = slice(bytes, 0, static_cast<size_t>(left));
        }
    }
    body_seen_ += bytes.size();
    if (drop_body_) {
        return Status::ok;
    }
    if (output_.append(bytes) != bytes.size()) {
        error_ = "more output than there was room for"_p;
        return Status::too_large;
    }
    return Status::ok;
}

bool ResponseStream::is_all_there() const {
    return head_done_ && (drop_body_ || (head_.has_content_length() && body_seen_ == head_.content_length()));
}

void ResponseStream::drop_rest() {
    output_.clear();
    drop_body_ = true;
}

bool ResponseStream::is_cut_short() const {
    return head_.has_content_length() && !drop_body_ && body_seen_ < head_.content_length();
}

}  // namespace fcgate::fastcgi
