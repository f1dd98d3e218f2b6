#include "fastcgi/params.hpp"

#include <algorithm>
#include <cstring>

#include "base/words.hpp"

namespace fcgate::fastcgi {

namespace {

constexpr size_t longest_short_length = 127;  // section 3.4: one byte up to here, else four with the top bit set
constexpr std::string_view header_prefix = "HTTP_";

size_t encoded_size(size_t length) {
    return length <= longest_short_length ? 1 : 4;
}

// Where the next goes.
uint8_t* copy_to(uint8_t* to, std::string_view bytes) {
    if (!bytes.empty()) {
        memcpy(to, bytes.data(), bytes.size());
    }
    return to + bytes.size();
}

uint8_t* put_length(uint8_t* to, size_t length) {
    if (length <= longest_short_length) {
        *to = static_cast<uint8_t>(length);
        return to + 1;
    }
    store_be32(to, static_cast<uint32_t>(length) | 0x80000000U);
    return to + 4;
}

// As header_variable_character() has each of them.
uint8_t* put_header_variable(uint8_t* to, std::string_view name) {
    const char* const begin = name.data();
    const char* rest = begin;
    for (; static_cast<size_t>(begin + name.size() - rest) >= sizeof(words::Word); rest += sizeof(words::Word)) {
        words::Word word = words::load(rest);
        if (!words::is_ascii(word)) {
            break;
        }
        const words::Word dashes = words::in_range(word, '-', '-') >> 7U;
        word ^= words::in_range(word, 'a', 'z') >> 2U | dashes * ('-' ^ '_');
        memcpy(to, &word, sizeof word);
        to += sizeof word;
    }
    for (; rest != begin + name.size(); ++rest) {
        *to++ = static_cast<uint8_t>(header_variable_character(*rest));
    }
    return to;
}

}  // namespace

ParamsWriter::ParamsWriter(std::span<uint8_t> storage, bool keep_connection) : storage_(storage) {
    const auto begin = begin_request(keep_connection);
    if (storage_.size() < begin.size()) {
        fail(Status::too_large);
        return;
    }
    memcpy(storage_.data(), begin.data(), begin.size());
    size_ = begin.size();
}

void ParamsWriter::add(std::string_view name, std::span<const std::string_view> parts) {
    size_t length = 0;
    for (const std::string_view part : parts) {
        length += part.size();
    }
    const size_t pair = 2 + name.size() + length;
    // Almost always: each length takes one byte, and there is room in the open record.
    const bool is_short = name.size() <= longest_short_length && length <= longest_short_length;
    if (is_short && size_ + pair <= room_until_ && value_left_ == 0) {
        uint8_t* to = storage_.data() + size_;
        *to++ = static_cast<uint8_t>(name.size());
        *to++ = static_cast<uint8_t>(length);
        to = copy_to(to, name);
        for (const std::string_view part : parts) {
            to = copy_to(to, part);
        }
        size_ += pair;
        return;
    }
    begin_value(name, false, length);
    for (const std::string_view part : parts) {
        append_value(part);
    }
}

void ParamsWriter::add_header(std::string_view name, std::string_view value) {
    begin_value(name, true, value.size());
    append_value(value);
}

void ParamsWriter::begin_value(std::string_view name, bool as_header, size_t value_length) {
    const size_t name_length = name.size() + (as_header ? header_prefix.size() : 0);
    if (value_left_ != 0) {
        fail(Status::malformed);
    }
    if (!reserve(name_length, value_length)) {
        return;
    }
    uint8_t* to = put_length(storage_.data() + size_, name_length);
    to = put_length(to, value_length);
    if (as_header) {
        to = copy_to(to, header_prefix);
        to = put_header_variable(to, name);
    } else {
        to = copy_to(to, name);
    }
    size_ = static_cast<size_t>(to - storage_.data());
    value_left_ = value_length;
}

void ParamsWriter::append_value(std::string_view part) {
    if (part.size() > value_left_) {
        fail(Status::malformed);
    }
    if (status_ != Status::ok) {
        return;
    }
    value_left_ -= part.size();
    (void)copy_to(storage_.data() + size_, part);
    size_ += part.size();
}

Result<std::span<const uint8_t>> ParamsWriter::finish() {
    if (value_left_ != 0) {
        fail(Status::malformed);
    }
    close_record();
    open_record();
    close_record();
    if (status_ != Status::ok) {
        return status_;
    }
    return std::span<const uint8_t>(storage_.data(), size_);
}

// Makes sure that a whole pair fits behind size_, in one record. The specification lets a record end anywhere in the
// stream, but PHP parses each PARAMS record by itself and hangs up on half a pair.
bool ParamsWriter::reserve(size_t name_length, size_t value_length) {
    if (name_length > max_content || value_length > max_content) {
        fail(Status::too_large);
        return false;
    }
    const size_t pair = encoded_size(name_length) + encoded_size(value_length) + name_length + value_length;
    if (size_ + pair <= room_until_) {
        return true;  // almost always: there is room in the open record
    }
    if (pair > max_content) {
        fail(Status::too_large);
        return false;
    }
    if (record_start_ != 0 && pair > max_content - (size_ - record_start_ - header_size)) {
        close_record();
    }
    if (record_start_ == 0) {
        open_record();
    }
    if (pair > storage_.size() - size_) {
        fail(Status::too_large);
    }
    return status_ == Status::ok;
}

void ParamsWriter::open_record() {
    if (status_ != Status::ok) {
        return;
    }
    if (header_size > storage_.size() - size_) {
        fail(Status::too_large);
        return;
    }
    record_start_ = size_;
    size_ += header_size;
    room_until_ = std::min(storage_.size(), size_ + max_content);
}

void ParamsWriter::close_record() {
    if (status_ != Status::ok || record_start_ == 0) {
        return;
    }
    encode_header(storage_.data() + record_start_, RecordType::params, size_ - record_start_ - header_size);
    record_start_ = room_until_ = 0;
}

void ParamsWriter::fail(Status why) {
    if (status_ == Status::ok) {
        status_ = why;
        value_left_ = room_until_ = 0;
    }
}

}  // namespace fcgate::fastcgi
