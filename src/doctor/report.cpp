#include "doctor/report.hpp"

namespace fcgate::doctor {

namespace {

struct LevelName {
    std::string_view shown;
    std::string_view json;
    std::string_view counted;
};

constexpr LevelName names[] = {
    {"ok       ", "ok", "in order: "},
    {"note     ", "note", "notes: "},
    {"warning  ", "warning", "warnings: "},
    {"FAULT    ", "fault", "faults: "},
};

constexpr std::string_view id_column = "               ";
constexpr std::string_view below = "                        -> ";

}  // namespace

Size::Size(uint64_t bytes) {
    const uint64_t kib = bytes >> 10U;
    const bool in_mib = kib >= 8192 || (kib >= 1024 && kib % 1024 == 0);
    text_.append_number(in_mib ? kib >> 10U : kib).append(in_mib ? 'm' : 'k');
}

// Paths may have any byte: JSON knows characters only, and a terminal obeys some.
void Report::print(std::string_view text) {
    if (!is_json_) {
        out_.append_escaped(text, text.size());
        return;
    }
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f) {
            out_.append("\\u00"_p).append(hex_digits[byte >> 4U]).append(hex_digits[byte & 15U]);
        } else {
            out_.append(c == '"' || c == '\\' ? "\\" : "").append(c);
        }
    }
}

void Report::print_filled(Packed text, Words words) {
    Unpacking rest(text);
    while (const char c = rest.next()) {
        print(c == '%' ? words.begin()[rest.next() - '0'] : std::string_view(&c, 1));
    }
}

void Report::print_member(std::string_view name, Packed text, Words words) {
    out_.append("\",\""_p).append(name).append("\":\""_p);
    print_filled(text, words);
}

void Report::add(Found found, std::string_view about, Words words) {
    const Finding finding = describe(found);
    const LevelName& level = names[static_cast<size_t>(finding.level)];
    ++counts_[static_cast<size_t>(finding.level)];
    if (is_json_) {
        // The configuration comes first, and is told once.
        out_.append(found <= Found::configuration_wrong ? "\n" : ",\n").append("{\"id\":\""_p).append(finding.id);
        out_.append("\",\"level\":\""_p).append(level.json);
        print_member("about", "%0"_p, {about});
        print_member("text", finding.text, words);
        print_member("remedy", finding.remedy, words);
        out_.append("\"}"_p);
        return;
    }
    const size_t start = out_.append(level.shown).size();
    out_.append(slice(id_column, out_.append(finding.id).size() - start));
    if (!about.empty()) {
        print(about);
        out_.append(": "_p);
    }
    print_filled(finding.text, words);
    if (!finding.remedy.empty()) {
        out_.append('\n').append(below);
        print_filled(finding.remedy, words);
    }
    out_.append('\n');
}

void Report::finish() {
    if (is_json_) {
        out_.append("\n]"_p);
    }
    for (size_t i = counts_.size(); i-- > 0;) {
        if (is_json_) {
            out_.append(",\""_p).append(names[i].json).append("\":"_p);
        } else {
            out_.append(names[i].counted);
        }
        out_.append_number(counts_[i]).append(is_json_ || i == 0 ? "" : ", ");
    }
    out_.append(is_json_ ? "}\n" : "\n");
}

}  // namespace fcgate::doctor
