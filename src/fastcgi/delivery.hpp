// Owns: what PHP has answered and a client has not taken yet, once PHP has ended; until then it leads to the exchange that has it.
// Borrows: pages of the worker's pool.
// Must not touch: sockets, MHD. Only Upstream changes it; there is one for each client connection.
#pragma once

#include "base/pages.hpp"
#include "base/slots.hpp"

namespace fcgate::fastcgi {

class Upstream;

// So a slow reader holds pages and nothing else: its exchange is free as soon as PHP is.
struct Delivery {
    Upstream* upstream = nullptr;
    Handle exchange;      // stale once it has ended and handed over its output
    PageChain output;     // from then on
    bool is_cut = false;  // what is there is not all that was due
};

}  // namespace fcgate::fastcgi
