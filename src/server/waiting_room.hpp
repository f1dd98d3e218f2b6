// Owns: clients that were accepted while every place open to them was taken: they wait here, in the order in which they came.
// Must not touch: connections with a place. Whoever takes a newcomer out, closes the socket or gives it a place.
#pragma once

#include <array>
#include <cstddef>

#include "base/limits.hpp"
#include "http/connection.hpp"

namespace fcgate::server {

using http::Newcomer;

class WaitingRoom {
  public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] bool is_full() const { return count_ == newcomers_.size(); }
    [[nodiscard]] size_t size() const { return count_; }

    // Not when it is full, or empty.
    void push(const Newcomer& newcomer) { newcomers_[(first_ + count_++) % newcomers_.size()] = newcomer; }
    [[nodiscard]] const Newcomer& front() const { return newcomers_[first_]; }
    Newcomer pop() {
        const Newcomer newcomer = newcomers_[first_];
        first_ = (first_ + 1) % newcomers_.size();
        --count_;
        return newcomer;
    }

  private:
    std::array<Newcomer, limits::waiting_newcomers> newcomers_{};
    size_t first_ = 0;
    size_t count_ = 0;
};

}  // namespace fcgate::server
