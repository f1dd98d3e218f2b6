// Owns: the plain pages with which fcgate itself answers errors.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "http/message.hpp"

namespace fcgate::http {

using PagePieces = std::array<std::string_view, 7>;

// The page for a status, in pieces of static text; all of them are empty for a status without one.
[[nodiscard]] PagePieces status_page(uint16_t status);

// Makes `reply` that page; nothing of the request is repeated in it.
void reply_with_status(Reply& reply, uint16_t status);

}  // namespace fcgate::http
