// Owns: tables of packed texts, made as those of base/text_table.hpp are:
//     constexpr auto texts = pack_tightly<rows, &Row::one, &Row::other>();  // texts[2] is "b"_p, texts[3] is "y"_p
// Must not touch: anything.
#pragma once

#include <utility>

#include "base/packed.hpp"
#include "base/text_table.hpp"

namespace fcgate {

template <size_t Bytes, size_t Count>
struct PackedTable {
    unsigned char bytes[Bytes];
    uint16_t starts[Count];

    [[nodiscard]] static constexpr size_t size() { return Count; }
    [[nodiscard]] constexpr Packed operator[](size_t number) const { return Packed(bytes + starts[number]); }
};

namespace text_table {

// NOLINTBEGIN(bugprone-dynamic-static-initializers): clang-tidy 14 does not see that what depends on Source is constant.
template <typename Source>
struct Tight {
    static constexpr size_t longest = [] {
        size_t most = 0;
        for (const std::string_view text : Source::texts) {
            most = text.size() > most ? text.size() : most;
        }
        return most;
    }();

    // In as much room as texts can take that are not packed well.
    static constexpr auto packed = [] {
        PackedTable<2 * (Source::bytes + Source::count), Source::count> table{};
        size_t used = 0;
        for (size_t i = 0; i < Source::count; ++i) {
            const size_t first = Source::firsts[i];
            if (first < i) {
                table.starts[i] = table.starts[first];
                continue;
            }
            const auto text = packing::pack<longest>(Source::texts[i].data(), Source::texts[i].size());
            table.starts[i] = static_cast<uint16_t>(used);
            for (size_t at = 0; at < text.size; ++at) {
                table.bytes[used++] = text.bytes[at];
            }
        }
        return std::pair(table, used);
    }();
};
// NOLINTEND(bugprone-dynamic-static-initializers)

}  // namespace text_table

template <const auto& Rows, auto... Columns>
consteval auto pack_tightly() {
    using Source = text_table::Source<Rows, Columns...>;
    using Tight = text_table::Tight<Source>;
    static_assert(Tight::packed.second <= UINT16_MAX);
    PackedTable<Tight::packed.second, Source::count> table{};
    for (size_t i = 0; i < std::size(table.bytes); ++i) {
        table.bytes[i] = Tight::packed.first.bytes[i];
    }
    for (size_t i = 0; i < Source::count; ++i) {
        table.starts[i] = Tight::packed.first.starts[i];
    }
    return table;
}

}  // namespace fcgate
