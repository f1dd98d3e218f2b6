// Owns: the plain pages with which fcgate itself answers errors.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.hpp"

namespace fcgate::http {

// Makes `reply` a short HTML page for the status; static text, nothing of the request is repeated in it.
void reply_with_status(Reply& reply, uint16_t status);

}  // namespace fcgate::http
