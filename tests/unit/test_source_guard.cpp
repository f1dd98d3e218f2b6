#include "route/source_guard.hpp"
#include "route_fixture.hpp"

namespace fcgate::route {
namespace {

using Fixture = test::RouteFixture;

void a_script_is_named_byte_by_byte(void**) {
    SiteSettings site;
    site.front_controller = "/app/front";
    for (const std::string_view path : {"/x.php", "/a.b/x.php", "/x.jpg.php", "/app/front"}) {
        assert_true(is_script(site, path));
    }
    for (const std::string_view path :
         {"/x.PHP", "/x.php ", "/x.php/", "/xphp", "/x.php.jpg", "/front", "/app/Front", "/"}) {
        assert_false(is_script(site, path));
    }
}

void longer_suffixes_are_guarded_as_well(void**) {
    SiteSettings site;
    site.script_suffix = ".inc.php";
    site.front_controller = "/index.phtml";
    for (const std::string_view path : {"/x.INC.php", "/x.inc.php~", "/x.PHTML", "/x.phtml.bak"}) {
        assert_true(shows_source(site, path));
    }
    for (const std::string_view path : {"/x.html", "/", "", "~", "/.....", "/s", "/5", ".bak"}) {
        test::GuardedBytes input(path);
        assert_false(shows_source(site, input.view()));
    }
}

void names_that_would_show_source_are_404(void**) {
    Fixture site;
    site.tree.file("app.php");
    site.settings.front_controller = "/app.php";
    for (const char* name :
         {"x.PHP",     "x.Php",     "x.php ",    "x.php.",     "x.php. .",   "x.php~",    "x.php#",
          "x.php.bak", "x.php.BAK", "x.php.old", "x.php.orig", "x.php.save", "x.php.swp", "x.php.swo",
          "x.php.inc", "x.phps",    "x.php5",    "x.PHP7",     "x.php.bak~", "x.php~.old"}) {
        site.tree.file(name);
        Text<64> target;
        append_encoded_path(target.append('/'), name);
        site.refused(target.view(), 404);
    }
    for (const char* name : {"x.phpx", "x.php.txt", "xphp", "x.phtml5", "x.bak", "maps", "php", "x.php12"}) {
        site.tree.file(name);
        Text<64> target;
        append_encoded_path(target.append('/'), name);
        Text<64> path;
        path.append('/').append(name);
        site.served(target.view(), path.view());
    }
}

void an_index_file_that_would_show_source_is_404(void**) {
    Fixture site;
    assert_true(site.settings.index.push_back("index.php.old"));
    site.tree.file("index.php.old");
    site.refused("/", 404);
}

void without_a_suffix_only_the_front_controller_runs(void**) {
    Fixture site;
    site.settings.script_suffix = "";
    site.settings.front_controller = "/front.cgi";
    site.tree.file("front.cgi");
    site.tree.file("other.cgi");
    site.tree.file("front.CGI");
    site.tree.file("a.txt");
    site.run("/front.cgi", "/front.cgi", "");
    site.run("/front.cgi/a", "/front.cgi", "/a");
    site.run("/a", "/front.cgi", "");
    site.refused("/other.cgi", 404);
    site.refused("/front.CGI", 404);
    site.run("/other.cgi/a", "/front.cgi", "");
    site.served("/a.txt", "/a.txt");
}

void a_front_controller_without_a_dot_is_guarded_too(void**) {
    Fixture site;
    site.settings.script_suffix = "";
    site.settings.front_controller = "/front";
    site.tree.file("front");
    site.tree.file("front~");
    site.tree.file("storefront");
    site.run("/front", "/front", "");
    site.refused("/front~", 404);
    site.served("/storefront", "/storefront");
}

void with_nothing_to_run_php_is_guarded_all_the_same(void**) {
    Fixture site;
    site.settings.script_suffix = "";
    site.tree.file("index.php");
    site.tree.file("a.txt");
    site.refused("/index.php", 404);
    site.refused("/index.php/a", 404);
    site.refused("/", 404);
    site.served("/a.txt", "/a.txt");
}

}  // namespace
}  // namespace fcgate::route

int main() {
    using namespace fcgate::route;
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_script_is_named_byte_by_byte),
        cmocka_unit_test(longer_suffixes_are_guarded_as_well),
        cmocka_unit_test(names_that_would_show_source_are_404),
        cmocka_unit_test(an_index_file_that_would_show_source_is_404),
        cmocka_unit_test(without_a_suffix_only_the_front_controller_runs),
        cmocka_unit_test(a_front_controller_without_a_dot_is_guarded_too),
        cmocka_unit_test(with_nothing_to_run_php_is_guarded_all_the_same),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
