// What a client says of its user and password (RFC 7617), by an encoder of the tests' own; and users with their hashes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text.hpp"

namespace fcgate::test {

inline void append_base64(TextBuffer& out, std::string_view bytes) {
    constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < bytes.size(); at += 3) {
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; ++i) {
            bits = bits << 8U | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
        }
        for (size_t i = 0; i < 4; ++i) {
            out.append(at + i <= bytes.size() ? digits[bits >> (18 - 6 * i) & 63U] : '=');
        }
    }
}

// "Basic ..." of USER:PASSWORD.
inline void append_basic(TextBuffer& out, std::string_view both) {
    out.append("Basic ");
    append_base64(out, both);
}

// A file of users. ann's password is "Hello world!", bob's "U*U". Nobody's is slow's, and to find that out takes a while.
inline constexpr std::string_view users =
    "ann:$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5\n"
    "bob:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n"
    "slow:$6$rounds=100000$saltsalt$"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000\n"
    "odd:$2a$05$no\n"
    "plain:secret\n";

}  // namespace fcgate::test
