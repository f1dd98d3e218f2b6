// Owns: the user and password of a request, decoded (RFC 7617 section 2), and wiped when they are not needed any more.
// Must not touch: files, requests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.hpp"
#include "base/status.hpp"

namespace fcgate::auth {

class Credentials {
  public:
    Credentials() = default;
    Credentials(const Credentials&) = default;
    Credentials& operator=(const Credentials&) = default;
    ~Credentials() { wipe(); }

    // The value of Authorization. malformed: another scheme, no base64 (RFC 4648 section 4), no user, no colon, a control character;
    // too_large: a name or a password longer than any is here. Then there is neither.
    [[nodiscard]] Status parse(std::string_view authorization);
    void wipe();

    [[nodiscard]] std::string_view user() const { return {text_.data(), user_size_}; }
    [[nodiscard]] std::string_view password() const {
        return {text_.data() + user_size_ + 1, password_size_};
    }  // and a NUL

    // USER:PASSWORD; no user has a colon.
    [[nodiscard]] std::string_view both() const { return {text_.data(), size_t{user_size_} + 1 + password_size_}; }

  private:
    // Both, with a byte behind each.
    std::array<char, limits::user + 1 + limits::password + 1> text_{};
    uint8_t user_size_ = 0;
    uint8_t password_size_ = 0;
};

}  // namespace fcgate::auth
