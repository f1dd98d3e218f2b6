#include "fastcgi/request_stream.hpp"

#include <algorithm>
#include <new>

namespace fcgate::fastcgi {

namespace {

// A multiple of eight, so that records need no padding to keep the next header aligned (FastCGI 1.0 section 3.3).
constexpr size_t largest_record = 65528;

// Ends STDIN.
constexpr auto last_record = [] {
    std::array<uint8_t, header_size> record{};
    encode_header(record.data(), RecordType::standard_input, 0);
    return record;
}();

void add_piece(RequestStream::Pieces& out, const void* bytes, size_t size) {
    if (size > 0) {
        // The list is long enough for every piece of one record, see gather().
        (void)!out.push_back({const_cast<void*>(bytes), size});
    }
}

}  // namespace

void RequestStream::init(PagePool& pool, uint64_t body_length) {
    new (this) RequestStream();
    body_.init(pool, false, limits::body_buffer);
    body_length_ = body_length;
    last_left_ = header_size;
}

void RequestStream::rewind() {
    head_offset_ = 0;
    head_sent_ = false;
    header_left_ = 0;
    content_left_ = 0;
    last_left_ = header_size;
    sent_ = 0;
}

void RequestStream::gather(std::span<const uint8_t> head, std::span<const char> direct, Pieces& out) {
    out.clear();
    if (!head_sent_) {
        add_piece(out, head.data() + head_offset_, head.size() - head_offset_);
    }
    if (header_left_ == 0 && content_left_ == 0) {
        const auto wanted = static_cast<size_t>(std::min<uint64_t>(body_length_ - body_sent_, largest_record));
        const auto size = static_cast<uint16_t>(std::min(wanted, body_.size() + direct.size()));
        if (size > 0) {
            encode_header(header_.data(), RecordType::standard_input, size);
            header_left_ = header_size;
            content_left_ = size;
        }
    }
    add_piece(out, header_.data() + header_size - header_left_, header_left_);

    size_t room = content_left_;
    std::array<std::span<const char>, Pieces::capacity() - 4> pages;
    const size_t page_count = body_.pieces(pages);
    size_t from_pages = 0;
    for (size_t i = 0; i < page_count && room > 0; ++i) {
        const size_t size = std::min(pages[i].size(), room);
        add_piece(out, pages[i].data(), size);
        from_pages += size;
        room -= size;
    }
    // Direct bytes stand behind all that was put by: they may only follow when every page is in the list.
    if (from_pages == body_.size()) {
        const size_t size = std::min(direct.size(), room);
        add_piece(out, direct.data(), size);
        room -= size;
    }
    if (room == 0 && body_sent_ + content_left_ == body_length_) {
        add_piece(out, last_record.data() + header_size - last_left_, last_left_);
    }
}

size_t RequestStream::advance(size_t written, size_t head_size, size_t direct_size) {
    sent_ += written;
    const auto take = [&written](size_t left) {
        const size_t taken = std::min(written, left);
        written -= taken;
        return taken;
    };
    if (!head_sent_) {
        head_offset_ += take(head_size - head_offset_);
        head_sent_ = head_offset_ == head_size;
    }
    header_left_ = static_cast<uint8_t>(header_left_ - take(header_left_));
    const size_t from_pages = take(std::min<size_t>(content_left_, body_.size()));
    body_.drop(from_pages);
    content_left_ = static_cast<uint16_t>(content_left_ - from_pages);
    const size_t from_direct = body_.empty() ? count(take(std::min<size_t>(content_left_, direct_size))) : 0;
    content_left_ = static_cast<uint16_t>(content_left_ - from_direct);
    body_sent_ += from_pages + from_direct;
    last_left_ = static_cast<uint8_t>(last_left_ - take(last_left_));
    return from_direct;
}

}  // namespace fcgate::fastcgi
