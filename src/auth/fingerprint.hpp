// Owns: SipHash-2-4 with 128 bits (Aumasson, Bernstein): what stands for a password that was right, and tells nothing of it to who lacks the key.
// Must not touch: anything.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace fcgate::auth {

using Fingerprint = std::array<uint64_t, 2>;
using FingerprintKey = std::array<uint64_t, 2>;

// Of `bytes`; with `more`: of both, with a NUL between them.
[[nodiscard]] Fingerprint fingerprint_of(const FingerprintKey& key, std::string_view bytes, std::string_view more = {});

}  // namespace fcgate::auth
