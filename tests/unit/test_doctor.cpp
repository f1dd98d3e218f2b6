#include <sys/mman.h>
#include <sys/resource.h>

#include "doctor/doctor.hpp"
#include "doctor/examination.hpp"
#include "doctor/report.hpp"
#include "http/library.hpp"
#include "temp_tree.hpp"

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
        const fcgate::doctor::Finding finding = fcgate::doctor::describe(static_cast<Found>(number));
        const bool is_good = finding.level == fcgate::doctor::Level::good;
        assert_true(!is_good || finding.remedy.empty());
        const fcgate::Text<256> text(finding.text);
        const fcgate::Text<256> remedy(finding.remedy);
        assert_true(text.ok() && remedy.ok());
        assert_true(is_good || !finding.remedy.empty() || text.view() == "%0");
        assert_true(fcgate::Text<16>(finding.id).size() < 15);
        for (const std::string_view part : {text.view(), remedy.view()}) {
            for (size_t at = part.find('%'); at < part.size(); at = part.find('%', at + 1)) {
                assert_true(at + 1 < part.size() && part[at + 1] >= '0' && part[at + 1] <= '3');
            }
        }
    }
}

// It cannot be changed in a build: what is said of each is seen here.
void what_is_known_of_libmicrohttpd(void** /*state*/) {
    constexpr struct {
        const char* version;
        const char* accepted;
        bool speaks_enough;
        std::string_view row;
    } known[] = {
        {"1.0.10", "", true, "ok       libmicrohttpd  1.0.10, no known faults\n"},
        {"0.9.75", "", true, "note     libmicrohttpd  0.9.75 reads some requests as no other server does; "},
        {"0.9.74", "", true, "FAULT    libmicrohttpd  libmicrohttpd 0.9.74 is too old; use 0.9.75 or later"},
        {"1.0.2", "", true,
         "FAULT    libmicrohttpd  libmicrohttpd 1.0.2 has faults that a client can reach; use 1.0.10"},
        {"1.0.2", "1.0.2", true,
         "warning  libmicrohttpd  1.0.2 has faults that a client can reach, unless your system"},
        {"1.0.3", "1.0.2", true, "FAULT    libmicrohttpd  libmicrohttpd 1.0.3 has faults"},
        {"1.0.10", "", false, "FAULT    libmicrohttpd  was built without TLS, and a listener asks for it"},
    };
    for (const auto& one : known) {
        const bool is_of_another_generation =
            one.speaks_enough && *one.version != *fcgate::http::libmicrohttpd_version();
        Told told(false);
        fcgate::doctor::tell_library(told.report, one.version, one.accepted, one.speaks_enough);
        const std::string_view row = told.text.view();
        if (is_of_another_generation) {
            assert_true(row.find("compiled for another generation") < row.size());
        } else {
            check_text(fcgate::slice(row, 0, one.row.size()), one.row);
        }
    }
}

// As the server takes it: what begins with the same letters does not lie below.
void a_link_into_the_folder_beside_leads_out_of_the_root(void** /*state*/) {
    fcgate::test::TempTree tree;
    tree.folder("www");
    tree.folder("www/pages");
    tree.folder("www-old");
    tree.file("www/pages/index.html");
    tree.file("www-old/index.html");
    fcgate::Text<128> root(tree.path());
    root.append("/www");
    fcgate::Settings settings;
    fcgate::ConfigError error;
    assert_int_equal(settings.set("site.root", root.view(), error), fcgate::Status::ok);
    constexpr struct {
        const char* link;  // the index file; none
        std::string_view words;
    } entries[] = {{nullptr, "no index file"},
                   {"pages/index.html", "ok       entry"},
                   {"../www-old/index.html", "index.html is a link out of root"}};
    for (const auto& entry : entries) {
        Told told(false);
        fcgate::doctor::Examination examination{settings, told.report};
        if (entry.link != nullptr) {
            tree.link(entry.link, "www/index.html");
        }
        fcgate::doctor::examine_folders(examination);
        assert_true(told.text.view().find(entry.words) < told.text.size());
        (void)unlinkat(tree.fd(), "www/index.html", 0);
    }
}

// The stack cannot grow either when there is no memory, so it is made large before.
[[gnu::noinline]] void grow_stack() {
    volatile char room[size_t{256} * 1024];
    for (size_t i = 0; i < sizeof room; i += 1024) {
        room[i] = 0;
    }
}

void without_memory_nothing_is_examined(void** /*state*/) {
    fcgate::Settings settings;
    fcgate::ConfigError error;
    assert_int_equal(settings.set("server.listen", "127.0.0.1:0", error), fcgate::Status::ok);
    assert_int_equal(settings.set("site.root", "/", error), fcgate::Status::ok);
    grow_stack();
    Told told(false);
    rlimit before{};
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    const rlimit none{0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    // qemu's user mode takes the limit and does not hold to it.
    void* const page = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
        return;
    }
    const fcgate::doctor::Verdict verdict = fcgate::doctor::examine(settings, false, {}, told.text);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(verdict, fcgate::doctor::Verdict::faulty);
    check_text(told.text.view(),
               "ok       configuration  is good\n"
               "FAULT    memory         there is not enough to examine anything\n"
               "                        -> end other programs\n"
               "faults: 1, warnings: 0, notes: 0, in order: 1\n");
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_for_people),
        cmocka_unit_test(json_is_json_whatever_names_are_like),
        cmocka_unit_test(sizes_are_written_as_in_the_configuration),
        cmocka_unit_test(what_is_wrong_has_a_remedy),
        cmocka_unit_test(what_is_known_of_libmicrohttpd),
        cmocka_unit_test(a_link_into_the_folder_beside_leads_out_of_the_root),
        cmocka_unit_test(without_memory_nothing_is_examined),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
