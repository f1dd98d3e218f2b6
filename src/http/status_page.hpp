// Owns: the plain pages with which fcgate itself answers errors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/features.hpp"
#include "http/message.hpp"

namespace fcgate::http {

using PagePieces = std::array<std::string_view, 9>;

// The page for a status, in pieces of static text; all of them are empty for a status without one.
[[nodiscard]] PagePieces status_page(uint16_t status);

// The pages have numbers, below page_count; that of a status without one is page_count.
inline constexpr size_t page_count = features::auth ? 21 : 20;
[[nodiscard]] size_t page_number(uint16_t status);
[[nodiscard]] uint16_t page_status(size_t number);
[[nodiscard]] const char* reason_phrase(uint16_t status);  // "Not Found", static

// Makes `reply` that page; nothing of the request is repeated in it.
void reply_with_status(Reply& reply, uint16_t status);

}  // namespace fcgate::http
