// Owns: big-endian integers in byte arrays, read and written without alignment or host order.
// Must not touch: anything else.
#pragma once

#include <cstdint>

namespace fcgate {

[[nodiscard]] constexpr uint16_t load_be16(const uint8_t* bytes) {
    return static_cast<uint16_t>((bytes[0] << 8U) | bytes[1]);
}

[[nodiscard]] constexpr uint32_t load_be32(const uint8_t* bytes) {
    return (uint32_t{load_be16(bytes)} << 16U) | load_be16(bytes + 2);
}

constexpr void store_be16(uint8_t* bytes, uint16_t value) {
    bytes[0] = static_cast<uint8_t>(value >> 8U);
    bytes[1] = static_cast<uint8_t>(value);
}

constexpr void store_be32(uint8_t* bytes, uint32_t value) {
    store_be16(bytes, static_cast<uint16_t>(value >> 16U));
    store_be16(bytes + 2, static_cast<uint16_t>(value));
}

}  // namespace fcgate
