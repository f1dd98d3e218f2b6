// What could have been meant by a key or a section that there is none of: a part of keys.hpp.
#include <algorithm>
#include <array>

#include "config/keys.hpp"

namespace fcgate::config {

namespace {

constexpr SectionKind all_kinds[] = {SectionKind::server, SectionKind::backend, SectionKind::site};

// How many single-character changes part two names (Levenshtein), `most` and more alike.
size_t distance(std::string_view a, std::string_view b, size_t most) {
    constexpr size_t longest = 40;
    if (a.size() > longest || b.size() > longest) {
        return most;
    }
    std::array<size_t, longest + 1> row{};
    for (size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min(replaced, std::min(row[j], row[j - 1]) + 1);
        }
    }
    return std::min(row[b.size()], most);
}

// The distance from which a suggestion would be a guess: more than half of the name another one.
size_t too_far(std::string_view name) {
    return std::min<size_t>(name.size() / 2 + 1, 4);
}

}  // namespace

void suggest_key(SectionKind kind, std::string_view name, TextBuffer& message) {
    name = slice(name, name.rfind('.') + 1);  // as -o and the library write it
    for (const SectionKind other : all_kinds) {
        if (Key key; find_key(other, name, key)) {
            message.append<"; it belongs to [%]">(kind_name(other));
            return;
        }
    }
    size_t nearest = too_far(name);
    std::string_view best;
    const KeyNumbers numbers = keys_of(kind);
    for (size_t i = numbers.first; i < numbers.end; ++i) {
        const size_t apart = distance(name, key_at(i).name, nearest);
        if (apart < nearest) {
            nearest = apart;
            best = key_at(i).name;
        }
    }
    if (!best.empty()) {
        message.append<"; did you mean \"%\"?">(best);
    }
}

void suggest_kind(std::string_view name, TextBuffer& message) {
    for (const SectionKind kind : all_kinds) {
        const size_t apart = distance(name, kind_name(kind), too_far(name));
        if (apart != 0 && apart < too_far(name)) {  // of one that is right the name is not
            message.append<"; did you mean [%]?">(kind_name(kind));
            return;
        }
    }
    message.append("; there are [server], [backend], [backend NAME], [site] and [site NAME]"_p);
}

}  // namespace fcgate::config
