#include "auth/credentials.hpp"

#include <cstring>

#include "base/text.hpp"

namespace fcgate::auth {

namespace {

constexpr std::string_view scheme = "Basic ";

// Of a digit of base64 (RFC 4648 section 4), or -1.
int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (is_digit(c)) {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Fills `out` with the bytes of `text`, whose length is a multiple of four. Their count, or -1: it is not base64, or there is no room.
ptrdiff_t decode_base64(std::string_view text, std::span<char> out) {
    size_t count = 0;
    for (size_t at = 0; at < text.size(); at += 4) {
        const bool is_last = at + 4 == text.size();
        const size_t padding = !is_last || text[at + 3] != '=' ? 0 : text[at + 2] != '=' ? 1 : 2;
        uint32_t bits = 0;
        for (size_t i = 0; i < 4; ++i) {
            const int value = i < 4 - padding ? base64_value(text[at + i]) : 0;
            if (value < 0) {
                return -1;
            }
            bits = bits << 6U | static_cast<uint32_t>(value);
        }
        const size_t bytes = 3 - padding;
        if (bytes > out.size() - count || (bits & ((1U << 8 * padding) - 1)) != 0) {
            return -1;
        }
        for (size_t i = 0; i < bytes; ++i) {
            out[count++] = static_cast<char>(bits >> (16 - 8 * i) & 0xffU);
        }
    }
    return static_cast<ptrdiff_t>(count);
}

}  // namespace

void Credentials::wipe() {
    explicit_bzero(text_.data(), text_.size());
    user_size_ = password_size_ = 0;
}

Status Credentials::parse(std::string_view authorization) {
    wipe();
    if (!starts_with_ignore_case(authorization, scheme)) {
        return Status::malformed;
    }
    const std::string_view encoded = trim(slice(authorization, scheme.size()));
    if (encoded.size() % 4 != 0) {
        return Status::malformed;
    }
    if (encoded.size() / 4 * 3 > text_.size() + 1) {
        return Status::too_large;
    }
    // The last byte stays a NUL.
    const ptrdiff_t size = decode_base64(encoded, std::span<char>(text_).first(text_.size() - 1));
    const std::string_view both(text_.data(), size < 0 ? 0 : static_cast<size_t>(size));
    const size_t colon = both.find(':');
    Status status = Status::ok;
    if (colon == std::string_view::npos || colon == 0 || has_control(both) ||
        both.find('\t') != std::string_view::npos) {
        status = Status::malformed;
    } else if (colon > limits::user || both.size() - colon - 1 > limits::password) {
        status = Status::too_large;
    }
    if (status != Status::ok) {
        wipe();
        return status;
    }
    user_size_ = static_cast<uint8_t>(colon);
    password_size_ = static_cast<uint8_t>(both.size() - colon - 1);
    return Status::ok;
}

}  // namespace fcgate::auth
