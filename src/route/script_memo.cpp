#include "route/script_memo.hpp"

#include <cstring>

#include "route/error_page.hpp"

namespace fcgate::route {

ScriptMemo remember(const SiteSettings& site, const Decision& decision) {
    const size_t script_size = decision.script_name.size();
    if (starts_with(decision.path, decision.script_name) &&
        decision.path.size() == script_size + decision.path_info.size()) {
        return {ScriptMemo::Kind::path, static_cast<uint16_t>(script_size)};
    }
    for (size_t i = 0; i < site.index.size() && decision.script_name != site.front_controller; ++i) {
        if (script_size == decision.path.size() + site.index[i].size() &&
            ends_with(decision.script_name, site.index[i])) {
            return {ScriptMemo::Kind::index, static_cast<uint16_t>(i)};
        }
    }
    return {ScriptMemo::Kind::front_controller, 0};
}

Status recall(const SiteSettings& site, const ScriptMemo& memo, const Target& target, std::span<char> buffer,
              Decision& decision) {
    const Result<std::string_view> normalised = normalise_path(target.path, buffer.first(buffer.size() - limits::path));
    if (!normalised.ok()) {
        return normalised.status();
    }
    const std::string_view path = normalised.value();
    decision.begin(target);
    decision.kind = Decision::Kind::script;
    decision.path = path;
    switch (memo.kind) {
        case ScriptMemo::Kind::front_controller:
            decision.script_name = site.front_controller;
            break;
        case ScriptMemo::Kind::path:
            decision.script_name = slice(path, 0, memo.number);
            decision.path_info = slice(path, memo.number);
            break;
        case ScriptMemo::Kind::index: {
            const std::string_view index = site.index[memo.number];
            memcpy(buffer.data() + path.size(), index.data(), index.size());
            decision.script_name = {buffer.data(), path.size() + index.size()};
            break;
        }
        case ScriptMemo::Kind::error:
            decision.script_name = find_error_page(site, memo.number);
            break;
    }
    return Status::ok;
}

}  // namespace fcgate::route
