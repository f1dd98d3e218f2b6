#include "doctor/report.hpp"
#include "test_support.hpp"

using fcgate::doctor::Found;
using fcgate::doctor::Number;
using fcgate::doctor::Report;
using fcgate::doctor::Size;
using fcgate::test::check_text;

namespace {

struct Told {
    explicit Told(bool is_json) : report(text, is_json) {}

    fcgate::Text<1024> text;
    Report report;
};

void rows_are_for_people(void** /*state*/) {
    Told told(false);
    told.report.add(Found::configuration_good, "");
    told.report.add(Found::port_held, ":80\x1b", {"nginx", Number(7)});
    told.report.add(Found::pool_large, "unix:/php", {"1", "2"});
    told.report.finish();
    check_text(told.text.view(),
               "ok       configuration  is good\n"
               "FAULT    port           :80\\x1b: in use by nginx, process 7\n"
               "                        -> end it (kill 7), or choose another port: listen = :8080\n"
               "note     pool           unix:/php: PHP may have 2 processes, fcgate uses 1 of them\n"
               "                        -> workers = 2, if nobody else uses the pool\n"
               "faults: 1, warnings: 0, notes: 1, in order: 1\n");
}

void json_is_json_whatever_names_are_like(void** /*state*/) {
    Told told(true);
    told.report.add(Found::configuration_good, "");
    told.report.add(Found::spool_small, "/a\"b\\c\x01\xc3", {"1m", "\"2\""});
    told.report.finish();
    check_text(told.text.view(),
               "{\"checks\":[\n"
               "{\"id\":\"configuration\",\"level\":\"ok\",\"about\":\"\",\"text\":\"is good\",\"remedy\":\"\"},\n"
               "{\"id\":\"spool\",\"level\":\"warning\",\"about\":\"/a\\\"b\\\\c\\u0001\\u00c3\",\"text\":\"1m are "
               "free; a body in "
               "chunks may have \\\"2\\\"\",\"remedy\":\"make room, or lower max_body or spool_total\"}\n"
               "],\"fault\":0,\"warning\":1,\"note\":0,\"ok\":1}\n");
}

void sizes_are_written_as_in_the_configuration(void** /*state*/) {
    check_text(Size(512), "0k");
    check_text(Size(3 * 1024), "3k");
    check_text(Size(1024 * 1024), "1m");
    check_text(Size(1536 * 1024), "1536k");
    check_text(Size(9 * 1024 * 1024 + 5), "9m");
}

// Every finding that is no good news says what to do, unless its text is another's.
void what_is_wrong_has_a_remedy(void** /*state*/) {
    for (unsigned number = 0; number < static_cast<unsigned>(fcgate::doctor::end_of_findings); ++number) {
        const fcgate::doctor::Finding& finding = fcgate::doctor::describe(static_cast<Found>(number));
        const bool is_good = finding.level == fcgate::doctor::Level::good;
        const std::string_view text(finding.text);
        assert_true(!is_good || *finding.remedy == '\0');
        assert_true(is_good || *finding.remedy != '\0' || text == "%0");
        assert_true(std::string_view(finding.id).size() < 15);
        for (const std::string_view part : {text, std::string_view(finding.remedy)}) {
            for (size_t at = part.find('%'); at < part.size(); at = part.find('%', at + 1)) {
                assert_true(at + 1 < part.size() && part[at + 1] >= '0' && part[at + 1] <= '3');
            }
        }
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_for_people),
        cmocka_unit_test(json_is_json_whatever_names_are_like),
        cmocka_unit_test(sizes_are_written_as_in_the_configuration),
        cmocka_unit_test(what_is_wrong_has_a_remedy),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
