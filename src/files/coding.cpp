#include "files/coding.hpp"

#include "base/text.hpp"

namespace fcgate::files {

namespace {

constexpr unsigned whole = 1000;

// "q=0.5" and its like; anything else that stands there counts as 1.
unsigned parse_weight(std::string_view parameters) {
    std::string_view text = trim(parameters);
    if (!starts_with_ignore_case(text, "q=")) {
        return whole;
    }
    text = slice(text, 2);
    if (text.empty() || text.front() != '0') {
        return whole;
    }
    unsigned weight = 0;
    unsigned unit = 100;
    for (const char c : slice(text, 2, 3)) {
        if (!is_digit(c)) {
            break;
        }
        weight += unit * static_cast<unsigned>(c - '0');
        unit /= 10;
    }
    return weight;
}

// False when no element names it.
bool find_weight(const RequestHead& head, std::string_view coding, unsigned& weight) {
    for (const Field& field : head.fields) {
        if (!equals_ignore_case(field.name, "Accept-Encoding")) {
            continue;
        }
        std::string_view rest = field.value;
        while (!rest.empty()) {
            std::string_view parameters;
            const std::string_view name = trim(split_first(split_first(rest, ',', rest), ';', parameters));
            if (equals_ignore_case(name, coding)) {
                weight = parse_weight(parameters);
                return true;
            }
        }
    }
    return false;
}

}  // namespace

unsigned quality_of(const RequestHead& head, std::string_view coding) {
    unsigned weight = 0;
    const bool is_alias = coding == "gzip" && find_weight(head, "x-gzip", weight);
    const bool is_named = find_weight(head, coding, weight) || is_alias || find_weight(head, "*", weight);
    return is_named ? weight : 0;
}

unsigned quality_of_identity(const RequestHead& head) {
    unsigned weight = 0;
    return find_weight(head, "identity", weight) ? weight : 1;
}

bool is_compressible(std::string_view type) {
    if (starts_with(type, "text/")) {
        return true;
    }
    for (const std::string_view part : {"json", "xml", "javascript", "wasm", "font/ttf", "font/otf"}) {
        if (type.find(part) != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

}  // namespace fcgate::files
