// Owns: which targets have led to a script lately, in fixed memory: whoever asks for the same within limits::known_script_ms gets the same
// script, and nothing is looked for.
// Borrows: the site roots, as names only.
// Must not touch: files. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.hpp"
#include "route/script_memo.hpp"

namespace fcgate::route {

class KnownScripts {
  public:
    // How the target (its path as it came) leads to a script of this site. nullptr: that has to be looked for. `now` is of the monotonic clock, in ms.
    [[nodiscard]] const ScriptMemo* find(const SiteRoot& site, std::string_view target, int64_t now) const;
    // What was found. The one found longest ago makes room. Not kept are a target that is too long, and a script that answers because something
    // else was not there: it may have made that itself, and lead the client to it.
    void keep(const SiteRoot& site, std::string_view target, const Decision& decision, int64_t now);
    // Roots have changed.
    void forget() { known_.fill({}); }

  private:
    struct Known {
        const SiteRoot* site = nullptr;  // none: nothing is known here
        int64_t found_at = 0;
        ScriptMemo memo;
        uint8_t size = 0;
        std::array<char, limits::known_target> target{};
    };

    std::array<Known, limits::known_scripts> known_{};
};

}  // namespace fcgate::route
