#include "route/error_page.hpp"

#include "base/text.hpp"

namespace fcgate::route {

namespace {

[[nodiscard]] bool is_status(std::string_view word, uint16_t status) {
    const Result<uint64_t> number = parse_decimal(word);
    return number.ok() && number.value() == status;
}

}  // namespace

std::string_view find_error_page(const SiteSettings& site, uint16_t status) {
    for (const Pair& page : site.error_pages) {
        bool is_meant = is_status(page.name, status);
        std::string_view rest = page.value;
        std::string_view word = next_word(rest);
        while (!word.starts_with('/')) {
            is_meant = is_meant || is_status(word, status);
            word = next_word(rest);
        }
        if (is_meant) {
            return word;
        }
    }
    return {};
}

}  // namespace fcgate::route
