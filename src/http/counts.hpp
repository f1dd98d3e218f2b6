// Owns: what one worker counts of its connections, requests and answers.
// Must not touch: anything; the engine counts, whoever shows it reads, on any thread.
#pragma once

#include <array>
#include <cstddef>

#include "base/count.hpp"
#include "http/connection.hpp"
#include "http/status_page.hpp"

namespace fcgate::http {

struct Counts {
    static constexpr size_t stages = static_cast<size_t>(Connection::Stage::replying) + 1;
    static constexpr size_t classes =
        6;  // by the first digit of the status; 0: the request got no answer, or none of ours

    std::array<Gauge, stages> connections;  // by stage
    Count accepted;
    Count turned_away;  // before they had a place
    std::array<Count, classes> answers;
    std::array<Count, page_count> pages;  // refusals of fcgate's own, by the number of the status's page
    Count parser_refusals;                // by libmicrohttpd, which answers itself
    Gauge requests;                       // that are over, modulo 2^32
    Count received;                       // bytes of heads and bodies of requests
    Count sent;                           // bytes of bodies of replies
};

}  // namespace fcgate::http
