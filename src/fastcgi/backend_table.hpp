// Owns: which settings each gate goes by; the number of a gate names its backend everywhere behind the configuration.
// Borrows: the settings, which whoever sets them keeps until no worker can hold them any more.
// Must not touch: gates, exchanges. Every thread reads it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/limits.hpp"
#include "config/settings.hpp"

namespace fcgate::fastcgi {

class BackendTable {
  public:
    // nullptr: no backend has this gate, or not any more.
    [[nodiscard]] const BackendSettings* find(uint32_t gate) const { return entries_[gate].load(); }
    // Of a gate that a request or a connection is counted at.
    [[nodiscard]] const BackendSettings& of(uint32_t gate) const { return *entries_[gate].load(); }
    void set(uint32_t gate, const BackendSettings* backend) { entries_[gate] = backend; }

  private:
    std::array<std::atomic<const BackendSettings*>, limits::backends> entries_{};
};

}  // namespace fcgate::fastcgi
