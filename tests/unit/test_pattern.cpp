#include <cerrno>

#include "base/log.hpp"
#include "test_support.hpp"

using namespace fcgate;
using fcgate::test::check_status;
using fcgate::test::check_text;

namespace {

void each_value_stands_in_its_place(void** /*state*/) {
    Text<200> out("> ");
    const char* const c_string = "c string";
    out.append<"% %, %% (%) % %|% %">("literal", std::string_view("text"), 'c', "packed"_p, Escaped{"a\tb"},
                                      SystemError{ENOENT}, uint16_t{65535}, UINT64_MAX, c_string);
    check_text(out.view(),
               "> literal text, cpacked (a\\x09b) No such file or directory 65535|18446744073709551615 c string");
    check_status(out.status(), Status::ok);
}

void a_pattern_may_have_no_place(void** /*state*/) {
    Text<80> out;
    out.append<"as it is">().append<"">().append<"%">('%');
    check_text(out.view(), "as it is%");
}

void what_others_wrote_is_cut_where_it_is_said(void** /*state*/) {
    Text<80> out;
    out.append<"\"%\"">(Escaped{"0123456789", 4});
    check_text(out.view(), "\"0123...\"");
}

void what_does_not_fit_is_told(void** /*state*/) {
    Text<16> out;
    out.append<"0123456789 % %">("abcdefg", 1U);
    check_status(out.status(), Status::too_large);
    check_text(out.view(), "0123456789 ");
    out.clear();
    out.append<"0123456789abcd%">(7U);
    check_status(out.status(), Status::ok);
    check_text(out.view(), "0123456789abcd7");
}

void keep_line(void* context, LogLevel /*level*/, const char* message) {
    static_cast<TextBuffer*>(context)->append(message).append('\n');
}

void the_log_takes_patterns(void** /*state*/) {
    Text<200> lines;
    Log log;
    log.set_sink(keep_line, &lines);
    log.write<"% lines of %: %">(LogLevel::warning, 3U, "one", SystemError{EACCES});
    log.write<"nobody asked for %">(LogLevel::debug, "this");
    LogLine(log, LogLevel::info).add<"listening on %">(":80").add(", tls"_p).add_reason("why"_p).send();
    check_text(lines.view(), "3 lines of one: Permission denied\nlistening on :80, tls [why]\n");
    LogLine unwanted(log, LogLevel::debug);
    unwanted.add("nobody").add(" asked"_p).add<" for %">("this").add_escaped(".").add_reason("why"_p).send();
    check_text(unwanted.text().view(), "");
    check_text(lines.view(), "3 lines of one: Permission denied\nlistening on :80, tls [why]\n");
}

void fill(TextBuffer& text) {
    while (text.room() > 0) {
        text.append('.');
    }
}

// As in lines of other pieces a reason still fits behind.
void lines_of_the_log_are_cut(void** /*state*/) {
    const Log log;
    Text<limits::log_line> filler;
    fill(filler);
    LogLine patterned(log, LogLevel::info);
    LogLine plain(log, LogLevel::info);
    patterned.add<"a%b">(filler.view()).add_reason("why"_p);
    plain.add("a").add(filler.view()).add("b").add_reason("why"_p);
    check_text(patterned.text().view(), plain.text().view());
    check_status(patterned.text().status(), Status::ok);
}

// Whatever stands behind what was too long: of numbers and packed texts, too, no piece takes what is kept.
void what_is_kept_stays_free(void** /*state*/) {
    const Log log;
    Text<limits::log_line> filler;
    fill(filler);
    LogLine line(log, LogLevel::info);
    line.add<"% of % and % by %">(filler.view(), 4'000'000'000U, "packed"_p, Escaped{"somebody"});
    const size_t used = line.text().size();
    line.add_reason("why"_p);
    assert_int_equal(line.text().size(), used + strlen(" [why]"));
    assert_true(line.text().view().ends_with(". [why]"));
    check_status(line.text().status(), Status::ok);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(each_value_stands_in_its_place),
        cmocka_unit_test(a_pattern_may_have_no_place),
        cmocka_unit_test(what_others_wrote_is_cut_where_it_is_said),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(the_log_takes_patterns),
        cmocka_unit_test(lines_of_the_log_are_cut),
        cmocka_unit_test(what_is_kept_stays_free),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
