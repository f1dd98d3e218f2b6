// Owns: tables of texts without a pointer to each. In a program that may be loaded anywhere a pointer to a text takes eight bytes of relocation beside its own, and
// makes its table one that is written at start; here a text takes its bytes, and three more, and one that is there twice stands once.
// Must not touch: anything; the tables are made by the compiler, from rows written as usual:
//     constexpr std::string_view day_rows[] = {"Sun", "Mon"};
//     constexpr auto days = pack_texts<day_rows>();              // days[1] is "Mon"
//     constexpr Row rows[] = {{"a", "x"}, {"b", "y"}};
//     constexpr auto texts = pack_texts<rows, &Row::one, &Row::other>();  // texts[2] is "b", texts[3] is "y"
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <type_traits>

namespace fcgate {

template <size_t Bytes, size_t Count>
struct TextTable {
    char bytes[Bytes];
    uint16_t starts[Count];
    uint8_t sizes[Count];

    [[nodiscard]] static constexpr size_t size() { return Count; }
    [[nodiscard]] constexpr std::string_view operator[](size_t number) const {
        return {bytes + starts[number], sizes[number]};
    }
};

namespace text_table {

// NOLINTBEGIN(bugprone-dynamic-static-initializers): clang-tidy 14 does not see that what depends on Rows is constant.
template <const auto& Rows, auto... Columns>
struct Source {
    static constexpr size_t columns = sizeof...(Columns) == 0 ? 1 : sizeof...(Columns);
    static constexpr size_t count = std::size(Rows) * columns;

    static constexpr auto texts = [] {
        std::array<std::string_view, count> all{};
        size_t number = 0;
        for (const auto& row : Rows) {
            if constexpr (sizeof...(Columns) == 0) {
                all[number++] = row;
            } else {
                ((all[number++] = row.*Columns), ...);
            }
        }
        return all;
    }();

    // Of each text the number of the first one like it.
    static constexpr auto firsts = [] {
        std::array<size_t, count> all{};
        for (size_t i = 0; i < count; ++i) {
            while (texts[all[i]].size() != texts[i].size() || texts[all[i]] != texts[i]) {
                ++all[i];
            }
        }
        return all;
    }();

    static constexpr size_t bytes = [] {
        size_t sum = 1;
        for (size_t i = 0; i < count; ++i) {
            sum += firsts[i] == i ? texts[i].size() : 0;
        }
        return sum;
    }();
};
// NOLINTEND(bugprone-dynamic-static-initializers)

}  // namespace text_table

template <const auto& Rows, auto... Columns>
consteval auto pack_texts() {
    using Source = text_table::Source<Rows, Columns...>;
    static_assert(Source::bytes <= UINT16_MAX);
    TextTable<Source::bytes, Source::count> table{};
    size_t used = 0;
    for (size_t i = 0; i < Source::count; ++i) {
        const size_t first = Source::firsts[i];
        table.starts[i] = first < i ? table.starts[first] : static_cast<uint16_t>(used);
        for (const char c : first < i ? std::string_view() : Source::texts[i]) {
            table.bytes[used++] = c;
        }
        // One that is longer than a byte can tell is no constant, and does not compile.
        table.sizes[i] =
            std::array<uint8_t, 1>{static_cast<uint8_t>(Source::texts[i].size())}.at(Source::texts[i].size() / 256);
    }
    return table;
}

// The other columns of such rows.
template <const auto& Rows, auto Column>
consteval auto pack_column() {
    std::array<std::remove_cvref_t<decltype(Rows[0].*Column)>, std::size(Rows)> column{};
    for (size_t i = 0; i < column.size(); ++i) {
        column[i] = Rows[i].*Column;
    }
    return column;
}

}  // namespace fcgate
