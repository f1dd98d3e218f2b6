// Owns: which scripts were found to lie below their root lately, so that each is looked for once and not at every request.
// Borrows: the site roots, as names only.
// Must not touch: HTTP.
#pragma once

#include <array>
#include <string_view>

#include "base/status.hpp"
#include "route/router.hpp"

namespace fcgate::files {

class KnownFiles {
  public:
    // ok: `path` leads to a file below the root, or to where links may lead. `found` is what stat() found there a moment ago. Else as
    // open_beneath() says.
    [[nodiscard]] Status check(const route::SiteRoot& site, std::string_view path, const route::FileIdentity& found);
    // Roots have changed.
    void forget() { known_.fill({}); }

  private:
    struct Known {
        const route::SiteRoot* site = nullptr;
        route::FileIdentity file;
    };
    static constexpr size_t count = 8;

    // The same file has been below the root, so whatever links lead to it, nothing else is run.
    std::array<Known, count> known_{};
};

}  // namespace fcgate::files
