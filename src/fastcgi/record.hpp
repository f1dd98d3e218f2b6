// Owns: the FastCGI 1.0 record header (section 3.3) and the numbers of the specification.
// Must not touch: sockets, MHD, the event loop: the codecs are pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace fcgate::fastcgi {

inline constexpr uint8_t version_1 = 1;
inline constexpr size_t header_size = 8;
inline constexpr size_t max_content = 65535;
inline constexpr uint16_t request_id = 1;  // one request at a time on a connection: php-fpm does not multiplex

enum class RecordType : uint8_t {
    begin_request = 1,
    abort_request = 2,
    end_request = 3,
    params = 4,
    standard_input = 5,
    standard_output = 6,
    standard_error = 7,
    data = 8,
    get_values = 9,
    get_values_result = 10,
    unknown_type = 11,
};

inline constexpr uint16_t role_responder = 1;
inline constexpr uint8_t flag_keep_connection = 1;

// FCGI_EndRequestBody, section 5.5.
enum class ProtocolStatus : uint8_t { request_complete = 0, cannot_multiplex = 1, overloaded = 2, unknown_role = 3 };

// Writes the eight header bytes of a record without padding.
constexpr void encode_header(uint8_t* out, RecordType type, size_t content_length) {
    out[0] = version_1;
    out[1] = static_cast<uint8_t>(type);
    store_be16(out + 2, request_id);
    store_be16(out + 4, static_cast<uint16_t>(content_length));
    out[6] = 0;
    out[7] = 0;
}

// FCGI_BEGIN_REQUEST with its body (section 5.1).
[[nodiscard]] constexpr std::array<uint8_t, 2 * header_size> begin_request(bool keep_connection) {
    std::array<uint8_t, 2 * header_size> out{};
    encode_header(out.data(), RecordType::begin_request, header_size);
    store_be16(out.data() + header_size, role_responder);
    out[header_size + 2] = keep_connection ? flag_keep_connection : 0;
    return out;
}

// FCGI_GET_VALUES that asks for nothing (section 4.1): whoever takes requests answers it, and runs no script for it.
[[nodiscard]] constexpr std::array<uint8_t, header_size> get_values() {
    std::array<uint8_t, header_size> out{};
    out[0] = version_1;
    out[1] = static_cast<uint8_t>(RecordType::get_values);
    return out;
}

}  // namespace fcgate::fastcgi
