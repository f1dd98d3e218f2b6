// Owns: a short hash of bytes, by which places in tables and changes are found. Nobody is kept from making two texts alike by it.
#pragma once

#include <cstdint>
#include <string_view>

namespace fcgate {

// FNV-1a; with a `hash` of what comes before.
[[nodiscard]] constexpr uint32_t hash_of(std::string_view bytes, uint32_t hash = 2166136261U) {
    for (const char byte : bytes) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619U;
    }
    return hash;
}

}  // namespace fcgate
