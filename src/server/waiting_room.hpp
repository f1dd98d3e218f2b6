// Owns: clients that were accepted while every place open to them was taken: they wait here, in the order in which they came.
// Must not touch: connections with a place. Whoever takes a newcomer out, closes the socket or gives it a place.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/fixed_list.hpp"
#include "base/limits.hpp"
#include "http/connection.hpp"

namespace fcgate::server {

using http::Newcomer;

class WaitingRoom {
  public:
    [[nodiscard]] bool empty() const { return newcomers_.empty(); }
    [[nodiscard]] bool is_full() const { return newcomers_.size() == limits::waiting_newcomers; }
    [[nodiscard]] size_t size() const { return newcomers_.size(); }

    // Not when it is full, or empty.
    void push(const Newcomer& newcomer) { (void)newcomers_.push_back(newcomer); }
    [[nodiscard]] const Newcomer& front() const { return newcomers_[0]; }
    Newcomer pop() {
        const Newcomer newcomer = newcomers_[0];
        std::copy(newcomers_.begin() + 1, newcomers_.end(), newcomers_.begin());
        newcomers_.pop_back();
        return newcomer;
    }

  private:
    FixedList<Newcomer, limits::waiting_newcomers> newcomers_;
};

}  // namespace fcgate::server
