#include "files/coding.hpp"

#include <climits>

#include "base/text.hpp"
#include "base/text_table.hpp"

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

// As clients name them; the first two are those of `codings`.
enum Name : uint8_t { brotli, gzip, identity, x_gzip, any };
constexpr std::string_view name_rows[] = {"br", "gzip", "identity", "x-gzip", "*"};
constexpr auto names = pack_texts<name_rows>();

}  // namespace

Wishes wishes_of(const RequestHead& head) {
    constexpr unsigned none = UINT_MAX;
    std::array<unsigned, std::size(name_rows)> weights;  // by the first element of each name
    weights.fill(none);
    for (const Field& field : head.fields) {
        std::string_view rest = equals_ignore_case(field.name, "Accept-Encoding") ? field.value : std::string_view();
        while (!rest.empty()) {
            std::string_view parameters;
            const std::string_view element = trim(split_first(split_first(rest, ',', rest), ';', parameters));
            for (size_t i = 0; i < std::size(name_rows); ++i) {
                if (weights[i] == none && equals_ignore_case(element, names[i])) {
                    weights[i] = parse_weight(parameters);
                }
            }
        }
    }
    const auto either = [](unsigned weight, unsigned other) { return weight != none ? weight : other; };
    const unsigned others = either(weights[any], 0);
    return {either(weights[brotli], others), either(weights[gzip], either(weights[x_gzip], others)),
            either(weights[identity], 1)};
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
