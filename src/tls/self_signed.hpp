// Owns: the certificate that a device makes for itself, with its key, in two files.
// Must not touch: certificates that somebody else has made, wherever they lie; sockets, settings.
#pragma once

#include <cstdint>

#include "base/status.hpp"
#include "base/text.hpp"
#include "tls/names.hpp"

namespace fcgate::tls {

struct SelfSigned {
    const char* certificate_path = nullptr;
    const char* key_path = nullptr;
    // Seconds since 1970: now, and when this program was made. A clock that stands before that has not been set yet.
    int64_t now = 0;
    int64_t made = 0;
};

constexpr int64_t renewed_before_end = int64_t{30} * 24 * 60 * 60;  // seconds

enum class Renewal : uint8_t {
    none,     // what is there is good
    foreign,  // what is there was not made here, and is left alone
    made,     // a new one is there
};

// What is to be done about the files as they are; for Renewal::made also why.
[[nodiscard]] Renewal foresee(const SelfSigned& wanted, const Names& names, TextBuffer& why);

// Sees to it that the files hold a certificate for these names which is valid for a month at least. A new one gets a new key: ECDSA on P-256,
// mode 0600; either file appears whole or not at all. `why`: with a failure, what is wrong; with `made`, the reason.
[[nodiscard]] Result<Renewal> renew(const SelfSigned& wanted, const Names& names, TextBuffer& why);

}  // namespace fcgate::tls
