#include "route/source_guard.hpp"

#include "base/text.hpp"

namespace fcgate::route {

namespace {

// What editors, package managers and careful people append to the copy of a script; .phps and .php5 are scripts by
// custom.
constexpr std::string_view copy_endings[] = {".bak", ".old", ".orig", ".save", ".swp", ".swo", ".inc", "s"};

std::string_view without_trailing_garbage(std::string_view path) {
    while (!path.empty() && std::string_view(". ~#").find(path.back()) != std::string_view::npos) {
        path.remove_suffix(1);
    }
    return path;
}

bool is_variant_of(std::string_view path, std::string_view suffix) {
    path = without_trailing_garbage(path);
    if (ends_with_ignore_case(path, suffix)) {
        return true;
    }
    for (const std::string_view ending : copy_endings) {
        if (ends_with_ignore_case(path, ending)) {
            const std::string_view original = slice(path, 0, path.size() - ending.size());
            if (ends_with_ignore_case(without_trailing_garbage(original), suffix)) {
                return true;
            }
        }
    }
    return !path.empty() && is_digit(path.back()) && ends_with_ignore_case(slice(path, 0, path.size() - 1), suffix);
}

// ".php" of "/index.php"; "/front" of a front controller without a dot.
std::string_view suffix_of(std::string_view path) {
    const std::string_view name = slice(path, path.rfind('/'));
    const size_t dot = name.rfind('.');
    return dot == std::string_view::npos ? name : slice(name, dot);
}

}  // namespace

bool is_script(const SiteSettings& site, std::string_view path) {
    const bool has_suffix = !site.script_suffix.empty() && ends_with(path, site.script_suffix);
    return has_suffix || (!site.front_controller.empty() && path == site.front_controller);
}

bool shows_source(const SiteSettings& site, std::string_view path) {
    const std::string_view controller_suffix = suffix_of(site.front_controller);
    if (site.script_suffix.empty() && controller_suffix.empty()) {
        return is_variant_of(path, ".php");
    }
    return (!site.script_suffix.empty() && is_variant_of(path, site.script_suffix)) ||
           (!controller_suffix.empty() && is_variant_of(path, controller_suffix));
}

}  // namespace fcgate::route
