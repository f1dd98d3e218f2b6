// Owns: reading a file of users: a line USER:HASH each, as htpasswd(1) writes it, and which kinds of hashes are taken.
// Must not touch: the hashes' computation, requests.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/limits.hpp"
#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate::auth {

// A hash as it stands in the file, for crypt(3).
using Hash = Text<limits::password_hash>;

enum class HashKind : uint8_t {
    good,
    unknown,  // a kind that is weak, takes memory without a bound, or is none of crypt(3)'s
    costly,   // it would take a device seconds
};

// Taken are $1$ (MD5), $2a$, $2b$ and $2y$ (bcrypt) up to limits::bcrypt_cost, $5$ and $6$ (SHA-2) up to limits::sha_rounds: the memory of these is
// bounded, and so is their time.
[[nodiscard]] HashKind kind_of(std::string_view hash);

// Opens the file to be read, and never waits for a FIFO. The descriptor is the caller's. As status_of_error(); refused: it is no file.
[[nodiscard]] Result<int> open_passwords(std::string_view path);

// Looks for the user in the open file; of several lines the first counts. not_found: `hash` is then that of somebody else, or empty if nobody has
// one, so that it can take as long to find out; io: it cannot be read; too_large: it is longer than limits::password_file.
[[nodiscard]] Status find_hash(int fd, std::string_view user, Hash& hash);

struct Census {
    unsigned users = 0;       // that can log in
    unsigned wrong_line = 0;  // the first line with a user whose hash is not taken; 0: there is none
    HashKind wrong_kind = HashKind::good;
};
// As find_hash(), of all users.
[[nodiscard]] Status count_users(int fd, Census& census);
// The same of the file at a path, for who has written it; as open_passwords() too.
[[nodiscard]] Status examine(std::string_view path, Census& census);

// What is wrong with such a hash, and with a file that examine() has found so; nothing: errno tells.
[[nodiscard]] Packed words_for(HashKind kind);
[[nodiscard]] Packed words_for(Status status);

}  // namespace fcgate::auth
