#include "route/known_scripts.hpp"

#include <algorithm>
#include <cstring>

#include "base/text.hpp"

namespace fcgate::route {

namespace {

// Of the folder `path`.
bool is_first_index(const SiteSettings& site, const Decision& decision) {
    const std::string_view name = decision.script_name;
    return !site.index.empty() && name.size() == decision.path.size() + site.index[0].size() &&
           starts_with(name, decision.path) && ends_with(name, site.index[0]);
}

}  // namespace

const ScriptMemo* KnownScripts::find(const SiteRoot& site, std::string_view target, int64_t now) const {
    for (const Known& known : known_) {
        if (known.site == &site && known.size == target.size() &&
            memcmp(known.target.data(), target.data(), target.size()) == 0) {
            return now - known.found_at < limits::known_script_ms ? &known.memo : nullptr;
        }
    }
    return nullptr;
}

void KnownScripts::keep(const SiteRoot& site, std::string_view target, const Decision& decision, int64_t now) {
    const ScriptMemo memo = remember(*site.settings, decision);
    if (target.size() > limits::known_target ||
        (memo.kind != ScriptMemo::Kind::path && !is_first_index(*site.settings, decision))) {
        return;
    }
    Known* place = known_.data();
    for (Known& known : known_) {
        const bool is_it = known.site == &site && std::string_view(known.target.data(), known.size) == target;
        if (is_it || known.found_at < place->found_at) {
            place = &known;
        }
        if (is_it) {
            break;
        }
    }
    *place = {.site = &site, .found_at = now, .memo = memo, .size = static_cast<uint8_t>(target.size())};
    std::copy_n(target.data(), target.size(), place->target.data());
}

}  // namespace fcgate::route
