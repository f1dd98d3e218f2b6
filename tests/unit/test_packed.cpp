#include <cstring>

#include "base/log.hpp"
#include "base/packed_table.hpp"
#include "test_support.hpp"

using namespace fcgate;
using fcgate::test::check_status;
using fcgate::test::check_text;
using fcgate::test::GuardedBytes;

namespace {

// The bytes that a text has when it is packed.
template <size_t Size>
consteval size_t packed_size(const char (&text)[Size]) {
    return packing::pack<Size - 1>(text, Size - 1).size;
}

void texts_come_out_as_they_went_in(void** /*state*/) {
    check_text(Text<80>(""_p).view(), "");
    check_text(Text<80>("x"_p).view(), "x");
    check_text(Text<80>("cannot open the server's log: it is a folder"_p).view(),
               "cannot open the server's log: it is a folder");
    check_text(Text<80>("\n"_p).view(), "\n");
    check_text(Text<80>("\n\n, \n"_p).view(), "\n\n, \n");
    check_text(Text<80>("<td>\"#\" ~ \\ ^|{}"_p).view(), "<td>\"#\" ~ \\ ^|{}");
    check_text(Text<80>("eeee     eeee ththth"_p).view(), "eeee     eeee ththth");
}

constexpr size_t characters = 0x7f - ' ' + 1;  // with the newline

[[nodiscard]] constexpr char character(size_t number) {
    return static_cast<char>(number + 1 == characters ? '\n' : ' ' + number);
}

void every_character_comes_out_beside_every_other(void** /*state*/) {
    static constexpr auto pairs = [] {
        std::array<char, 2 * characters * characters> all{};
        for (size_t i = 0; i < characters * characters; ++i) {
            all[2 * i] = character(i / characters);
            all[2 * i + 1] = character(i % characters);
        }
        return all;
    }();
    for (size_t i = 0; i < characters; ++i) {
        const std::string_view row(pairs.data() + i * 2 * characters, 2 * characters);
        const auto packed = packing::pack<2 * characters>(row.data(), row.size());
        check_text(Text<200>(Packed(packed.bytes)).view(), row);
    }
}

void each_symbol_takes_the_bits_of_its_code(void** /*state*/) {
    const packing::Code end = packing::index.codes[packing::index.end];
    for (size_t i = 0; i < packing::symbol_count; ++i) {
        const std::string_view symbol = packing::symbols[i];
        const auto packed = packing::pack<packing::longest_fragment>(symbol.data(), symbol.size());
        const size_t bits = end.length + (symbol.empty() ? size_t{0} : packing::index.codes[i].length);
        assert_in_range(packed.size, 1, (bits + 7) / 8);
        check_text(Text<32>(Packed(packed.bytes)).view(), symbol);
    }
}

// No code begins with another one, and none could be shorter.
void codes_leave_nothing_free(void** /*state*/) {
    size_t taken = 0;
    for (const packing::Code code : packing::index.codes) {
        assert_in_range(code.length, 1, 16);
        assert_int_equal(code.bits, taken >> (16 - code.length));
        taken += size_t{1} << (16 - code.length);
    }
    assert_int_equal(taken, 1 << 16);
}

void nothing_is_read_behind_the_end(void** /*state*/) {
    static constexpr std::string_view plain = "cannot open the file";
    constexpr auto packed = packing::pack<plain.size()>(plain.data(), plain.size());
    GuardedBytes memory(packed.size);
    const std::span<uint8_t> bytes = memory.bytes(packed.size);
    memcpy(bytes.data(), packed.bytes, packed.size);
    Unpacking rest(Packed(bytes.data()));
    for (const char c : plain) {
        assert_int_equal(rest.next(), c);
    }
    for (int i = 0; i < 100; ++i) {
        assert_int_equal(rest.next(), '\0');
    }
}

// What it is for.
void usual_words_take_less_room(void** /*state*/) {
    constexpr char text[] = "the configuration cannot be read: the server stays as it was";
    static_assert(packed_size(text) * 10 < sizeof text * 5);
    static_assert(sizeof(packing::Stored<text>::kept) == packed_size(text));
}

void what_does_not_fit_is_not_cut_and_nothing_follows_it(void** /*state*/) {
    constexpr std::string_view plain = "cannot open the file";
    for (size_t room = 0; room <= plain.size() + 3; ++room) {
        GuardedBytes memory(64);
        TextBuffer out(memory.room(room));
        out.append('a').append("cannot open the file"_p);
        const bool fits = room > plain.size() + 1;
        check_status(out.status(), fits ? Status::ok : Status::too_large);
        check_text(out.view(), fits ? "acannot open the file" : room > 1 ? "a" : "");
        if (room > 0) {
            assert_int_equal(out.c_str()[out.size()], '\0');
        }
        const size_t before = out.size();
        if (!fits) {
            assert_int_equal(out.append("e "_p).append('b').size(), before);
        }
    }
}

void lines_of_the_log_are_cut_where_plain_ones_are(void** /*state*/) {
    const Log log;
    Text<limits::log_line> filler;
    while (filler.size() + 60 < limits::log_line) {
        filler.append('.');
    }
    for (size_t length = 0; length < 60; ++length) {
        const std::string_view start = slice(filler.view(), 0, filler.size() - length);
        LogLine packed(log, LogLevel::info);
        LogLine plain(log, LogLevel::info);
        packed.add(start).add("the connection cannot be watched any more: its socket is gone"_p).add_reason("why"_p);
        plain.add(start).add("the connection cannot be watched any more: its socket is gone").add_reason("why"_p);
        check_text(packed.text().view(), plain.text().view());
    }
}

void keep_line(void* context, LogLevel /*level*/, const char* message) {
    static_cast<TextBuffer*>(context)->append(message).append('\n');
}

void the_log_takes_packed_messages(void** /*state*/) {
    Text<80> lines;
    Log log;
    log.set_sink(keep_line, &lines);
    log.write(LogLevel::info, "the server stops"_p);
    log.write(LogLevel::debug, "nobody asked for this"_p);
    check_text(lines.view(), "the server stops\n");
}

struct Row {
    std::string_view name;
    std::string_view words;
    int number;
};
constexpr Row rows[] = {{"one", "the first of them", 1}, {"", "the first of them", 2}, {"three", "one", 3}};
constexpr auto texts = pack_tightly<rows, &Row::name, &Row::words>();
constexpr std::string_view names[] = {"server", ""};
constexpr auto lone = pack_tightly<names>();

void tables_hold_equal_texts_once(void** /*state*/) {
    static_assert(texts.size() == 6 && lone.size() == 2);
    for (size_t i = 0; i < std::size(rows); ++i) {
        check_text(Text<80>(texts[2 * i]).view(), rows[i].name);
        check_text(Text<80>(texts[2 * i + 1]).view(), rows[i].words);
        assert_int_equal(texts[2 * i].empty(), rows[i].name.empty());
    }
    assert_int_equal(texts.starts[1], texts.starts[3]);
    assert_int_equal(texts.starts[0], texts.starts[5]);
    check_text(Text<80>(lone[0]).append(lone[1]).view(), "server");
    check_text(Text<80>(Packed()).view(), "");
    assert_true(Packed().empty() && ""_p.empty() && !"x"_p.empty());
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_out_as_they_went_in),
        cmocka_unit_test(every_character_comes_out_beside_every_other),
        cmocka_unit_test(each_symbol_takes_the_bits_of_its_code),
        cmocka_unit_test(codes_leave_nothing_free),
        cmocka_unit_test(nothing_is_read_behind_the_end),
        cmocka_unit_test(usual_words_take_less_room),
        cmocka_unit_test(what_does_not_fit_is_not_cut_and_nothing_follows_it),
        cmocka_unit_test(lines_of_the_log_are_cut_where_plain_ones_are),
        cmocka_unit_test(the_log_takes_packed_messages),
        cmocka_unit_test(tables_hold_equal_texts_once),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
