// Owns: what is kept of a routed script while its request waits: a few bytes, from which the decision follows again without a look at
// the file system, and so is the same, whatever has happened to the files meanwhile.
// Borrows: nothing.
// Must not touch: files. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.hpp"
#include "config/settings.hpp"
#include "route/router.hpp"

namespace fcgate::route {

struct ScriptMemo {
    enum class Kind : uint8_t {
        front_controller,
        path,   // the first `number` bytes of the path; the rest is PATH_INFO
        index,  // the path and the site's index name `number`
        error,  // the site's page for the status `number`
    };
    Kind kind = Kind::front_controller;
    uint16_t number = 0;

    // As one word, for whoever carries it without knowing it.
    [[nodiscard]] uint32_t pack() const { return (uint32_t{number} << 8U) | static_cast<uint32_t>(kind); }
    [[nodiscard]] static ScriptMemo unpack(uint32_t word) {
        return {static_cast<Kind>(word & 0xffU), static_cast<uint16_t>(word >> 8U)};
    }
};

// `decision` is a script of this site.
[[nodiscard]] ScriptMemo remember(const SiteSettings& site, const Decision& decision);

// The decision once more, for the same target. `buffer` as for decide(). Fails only for another target.
[[nodiscard]] Status recall(const SiteSettings& site, const ScriptMemo& memo, const Target& target,
                            std::span<char> buffer, Decision& decision);

}  // namespace fcgate::route
