#include <array>

#include "route/router.hpp"
#include "route_fixture.hpp"

namespace fcgate::route {
namespace {

using test::check_text;
using test::decide;
using Fixture = test::RouteFixture;

void methods_for_proxies_are_refused_first(void**) {
    Decision decision;
    assert_true(refuses_method("CONNECT", decision));
    assert_int_equal(decision.status, 501);
    assert_true(refuses_method("TRACE", decision));
    assert_int_equal(decision.status, 405);
    assert_false(refuses_method("connect", decision));
    assert_false(refuses_method("DELETE", decision));
}

void the_asterisk_is_for_options_alone(void**) {
    Fixture site;
    const Decision decision = site.ask("*", "OPTIONS");
    assert_true(decision.kind == Decision::Kind::file);
    check_text(decision.path, "*");
    site.refused("*", 400);
}

void paths_against_the_rules_are_400(void**) {
    Fixture site;
    site.tree.file("index.php");
    site.settings.front_controller = "/index.php";
    for (const std::string_view target :
         {"/..", "/a/../../b", "/%2e%2e/etc/passwd", "/..%2f", "/a%2fb", "/index.php%2f", "/index.php%00.jpg",
          "/a%5c..%5cb", "/a\\b", "/%", "/%zz", "/%0d%0aSet-Cookie:a", "/%7f"}) {
        site.refused(target, 400);
    }
}

void a_file_is_served(void**) {
    Fixture site;
    site.tree.file("a.txt");
    site.tree.folder("b");
    site.tree.file("b/c d.css");
    site.tree.file("noextension");
    site.served("/a.txt", "/a.txt");
    site.served("/b/c%20d.css", "/b/c d.css");
    site.served("//b/./../a.txt?q", "/a.txt");
    site.served("/noextension", "/noextension");
    site.refused("/none.txt", 404);
    site.refused("/none/a.txt", 404);
    site.refused("/b/none", 404);
}

void any_method_may_ask_for_a_file(void**) {
    Fixture site;
    site.tree.file("a.txt");
    assert_true(site.ask("/a.txt", "POST").kind == Decision::Kind::file);
    assert_true(site.ask("/a.txt", "OPTIONS").kind == Decision::Kind::file);
}

void the_query_travels_along(void**) {
    Fixture site;
    site.tree.file("a.php");
    const Decision with = site.ask("/a.php?x=%2f..%00&y");
    check_text(with.query, "x=%2f..%00&y");
    assert_true(with.has_query);
    check_text(with.path, "/a.php");
    assert_true(site.ask("/a.php?").has_query);
    assert_false(site.ask("/a.php").has_query);
}

void a_file_with_a_slash_behind_it_is_no_file(void**) {
    Fixture site;
    site.tree.file("a.txt");
    site.refused("/a.txt/", 404);
    site.refused("/a.txt/b", 404);
    site.refused("/a.txt/index.html", 404);
    site.settings.index.clear();
    site.refused("/a.txt/", 404);
    site.tree.file("app.php");
    site.settings.front_controller = "/app.php";
    site.run("/a.txt/", "/app.php", "");
}

void a_folder_without_its_slash_is_redirected(void**) {
    Fixture site;
    site.tree.folder("a");
    site.tree.folder("a/b c");
    site.redirected("/a", "/a");
    site.redirected("/a/b%20c?q=1", "/a/b c");
    site.redirected("//a", "/a");
    check_text(site.ask("/a/b%20c?q=1").query, "q=1");
}

void index_files_are_looked_for_in_order(void**) {
    Fixture site;
    site.refused("/", 404);
    site.tree.file("index.html");
    site.served("/", "/index.html");
    site.tree.file("index.php");
    site.run("/", "/index.php", "");
    check_text(site.ask("/").path, "/");
    site.tree.folder("a");
    site.tree.file("a/index.html");
    site.served("/a/", "/a/index.html");
    site.served("/a/.?q", "/a/index.html");
    site.refused("/none/", 404);
}

void a_folder_named_like_an_index_file_is_none(void**) {
    Fixture site;
    site.tree.folder("index.php");
    site.tree.file("index.html");
    site.served("/", "/index.html");
    site.redirected("/index.php", "/index.php");
}

void a_folder_without_index_goes_to_the_front_controller(void**) {
    Fixture site;
    site.tree.file("app.php");
    site.tree.folder("a");
    site.refused("/a/", 404);
    site.settings.front_controller = "/app.php";
    site.run("/a/", "/app.php", "");
    site.run("/", "/app.php", "");
    site.settings.index.clear();
    site.run("/a/", "/app.php", "");
    site.run("/", "/app.php", "");
}

void scripts_run_with_path_info(void**) {
    Fixture site;
    site.tree.file("x.php");
    site.tree.folder("d");
    site.tree.file("d/y.php");
    site.run("/x.php", "/x.php", "");
    site.run("/x.php/", "/x.php", "/");
    site.run("/x.php/a/b", "/x.php", "/a/b");
    site.run("/x.php/a%20b/", "/x.php", "/a b/");
    site.run("/x.php/y.php/z", "/x.php", "/y.php/z");
    site.run("/d/y.php/a.jpg", "/d/y.php", "/a.jpg");
    site.run("/d/../x.php/../x.php/a", "/x.php", "/a");
    site.refused("/none.php", 404);
    site.refused("/none.php/a", 404);
    site.refused("/d/none.php/a", 404);
}

// Titles of a wiki: what follows a script names no file.
void path_info_may_look_like_a_hidden_name(void**) {
    Fixture site;
    site.tree.file("x.php");
    site.tree.folder("d.php");
    site.tree.file("d.php/.git");
    site.tree.folder(".git");
    site.tree.file(".git/x.php");
    site.tree.file("X~1.php");
    site.settings.front_controller = "/x.php";
    site.run("/x.php/.NET", "/x.php", "/.NET");
    site.run("/x.php/a/.b/", "/x.php", "/a/.b/");
    site.run("/x.php/README~1.md", "/x.php", "/README~1.md");
    for (const std::string_view target :
         {"/d.php/.git", "/.git/x.php/a", "/X~1.php/a", "/none.php/.git", "/x.jpg/.git", "/a/.git/x.php/.b"}) {
        site.refused(target, 404);
    }
}

void path_info_survives_names_too_long_for_the_file_system(void**) {
    Fixture site;
    site.tree.file("x.php");
    std::array<char, 6000> target{};
    memset(target.data(), 'a', target.size());
    memcpy(target.data(), "/x.php/", 7);
    const Decision decision = site.ask({target.data(), target.size()});
    assert_true(decision.kind == Decision::Kind::script);
    check_text(decision.script_name, "/x.php");
    assert_int_equal(decision.path_info.size(), target.size() - 6);
}

void path_info_needs_a_regular_file(void**) {
    Fixture site;
    site.tree.folder("a.php");
    site.tree.file("a.php/b.txt");
    site.tree.file("a.php/c.php");
    site.tree.file("a.php/index.html");
    site.tree.file("evil.jpg");
    site.served("/a.php/b.txt", "/a.php/b.txt");
    site.run("/a.php/c.php/d", "/a.php/c.php", "/d");
    site.served("/a.php/", "/a.php/index.html");
    site.redirected("/a.php", "/a.php");
    site.refused("/a.php/none", 404);
    site.refused("/evil.jpg/x.php", 404);
    site.refused("/evil.jpg/x.php/y", 404);
}

void the_front_controller_takes_what_is_no_file(void**) {
    Fixture site;
    site.settings.front_controller = "/index.php";
    site.refused("/a/b", 404);
    site.tree.file("index.php");
    site.tree.file("evil.jpg");
    site.run("/a/b", "/index.php", "");
    site.run("/index.php/a/b", "/index.php", "/a/b");
    site.run("/index.php", "/index.php", "");
    site.run("/evil.jpg/x.php", "/index.php", "");
    site.run("/none.php", "/index.php", "");
    site.served("/evil.jpg", "/evil.jpg");
    const Decision decision = site.ask("/a%20b/?q");
    check_text(decision.path, "/a b/");
    check_text(decision.query, "q");
}

void a_very_long_path_goes_to_the_front_controller(void**) {
    Fixture site;
    site.tree.file("index.php");
    site.settings.front_controller = "/index.php";
    std::array<char, limits::request_target> target{};
    memset(target.data(), 'a', target.size());
    target[0] = '/';
    site.run({target.data(), target.size()}, "/index.php", "");
    target[target.size() - 1] = '/';
    site.run({target.data(), target.size()}, "/index.php", "");
}

void hidden_names_are_404_even_with_a_front_controller(void**) {
    Fixture site;
    site.tree.file("index.php");
    site.tree.file(".htaccess");
    site.tree.folder(".git");
    site.tree.file(".git/config");
    site.tree.folder(".well-known");
    site.tree.file(".well-known/security.txt");
    site.settings.front_controller = "/index.php";
    for (const std::string_view target :
         {"/.htaccess", "/.git/config", "/.git", "/.git/", "/%2egit/config", "/a/.env", "/.none"}) {
        site.refused(target, 404);
    }
    site.served("/.well-known/security.txt", "/.well-known/security.txt");
    site.run("/.well-known/none", "/index.php", "");
}

// VFAT finds a file by its short name as well, whatever its long one is.
void short_names_are_404_even_where_such_a_file_is(void**) {
    Fixture site;
    site.tree.file("index.php");
    site.tree.file("ENV~1");
    site.tree.folder("UPLOAD~1");
    site.tree.file("UPLOAD~1/evil.php");
    site.settings.front_controller = "/index.php";
    for (const std::string_view target :
         {"/ENV~1", "/ENV%7e1", "/UPLOAD~1/evil.php", "/UPLOAD~1", "/UPLOAD~1/", "/a/a~1"}) {
        site.refused(target, 404);
    }
    site.run("/~user/a~1.html", "/index.php", "");
}

void links_inside_the_root_are_followed(void**) {
    Fixture site;
    site.tree.folder("d");
    site.tree.file("d/x.php");
    site.tree.file("d/a.txt");
    site.tree.link("d/x.php", "y.php");
    site.tree.link("d", "e");
    site.tree.link("loop", "loop");
    site.tree.link("nowhere", "broken");
    site.run("/y.php/i", "/y.php", "/i");
    site.run("/e/x.php", "/e/x.php", "");
    site.served("/e/a.txt", "/e/a.txt");
    site.redirected("/e", "/e");
    site.refused("/loop", 404);
    site.refused("/broken", 404);
}

void what_is_no_file_and_no_folder_is_403(void**) {
    Fixture site;
    site.tree.fifo("fifo");
    site.tree.fifo("fifo.php");
    site.tree.socket("socket");
    site.tree.link("/dev/null", "device");
    site.refused("/fifo", 403);
    site.refused("/fifo.php", 403);
    site.refused("/fifo.php/a", 403);
    site.refused("/socket", 403);
    site.refused("/device", 403);
}

void what_may_not_be_entered_is_403(void**) {
    Fixture site;
    site.tree.folder("closed", 0700);
    site.tree.file("closed/a.txt");
    site.tree.file("closed/index.php");
    site.tree.file("front.php");
    site.settings.front_controller = "/front.php";
    const int answer = test::without_rights([&site] {
        for (const std::string_view target : {"/closed/a.txt", "/closed/none", "/closed/", "/closed/index.php/a"}) {
            if (site.ask(target).status != 403) {
                return 1;
            }
        }
        return site.ask("/closed").kind == Decision::Kind::redirect ? 0 : 2;
    });
    if (getuid() == 0) {
        assert_int_equal(answer, 0);
    } else {
        print_message("not root: the folder cannot be made another's, nothing was tried\n");
        _skip(__FILE__, __LINE__);
    }
}

void a_root_that_is_gone_is_500(void**) {
    Fixture site;
    Target target;
    assert_true(split_target("/a", target) == Status::ok);
    const Decision decision = decide({.settings = &site.settings, .fd = -1}, "GET", target, site.buffer);
    assert_true(decision.kind == Decision::Kind::refuse);
    assert_int_equal(decision.status, 500);
}

void a_buffer_too_small_is_no_overflow(void**) {
    Fixture site;
    site.settings.front_controller = "/front.php";
    site.tree.file("front.php");
    const SiteRoot root{.settings = &site.settings, .fd = site.tree.fd()};
    test::GuardedBytes memory(64);
    for (const std::string_view raw : {"/", "/abc", "/abc/", "/front.php/abc"}) {
        Target target;
        assert_true(split_target(raw, target) == Status::ok);
        for (size_t size = 0; size < 40; ++size) {
            const Decision decision = decide(root, "GET", target, memory.room(size));
            const bool is_known =
                decision.kind == Decision::Kind::script || decision.status == 414 || decision.status == 500;
            assert_true(is_known);
        }
    }
}

}  // namespace
}  // namespace fcgate::route

int main() {
    using namespace fcgate::route;
    const CMUnitTest tests[] = {
        cmocka_unit_test(methods_for_proxies_are_refused_first),
        cmocka_unit_test(the_asterisk_is_for_options_alone),
        cmocka_unit_test(paths_against_the_rules_are_400),
        cmocka_unit_test(a_file_is_served),
        cmocka_unit_test(any_method_may_ask_for_a_file),
        cmocka_unit_test(the_query_travels_along),
        cmocka_unit_test(a_file_with_a_slash_behind_it_is_no_file),
        cmocka_unit_test(a_folder_without_its_slash_is_redirected),
        cmocka_unit_test(index_files_are_looked_for_in_order),
        cmocka_unit_test(a_folder_named_like_an_index_file_is_none),
        cmocka_unit_test(a_folder_without_index_goes_to_the_front_controller),
        cmocka_unit_test(scripts_run_with_path_info),
        cmocka_unit_test(path_info_may_look_like_a_hidden_name),
        cmocka_unit_test(path_info_survives_names_too_long_for_the_file_system),
        cmocka_unit_test(path_info_needs_a_regular_file),
        cmocka_unit_test(the_front_controller_takes_what_is_no_file),
        cmocka_unit_test(a_very_long_path_goes_to_the_front_controller),
        cmocka_unit_test(hidden_names_are_404_even_with_a_front_controller),
        cmocka_unit_test(short_names_are_404_even_where_such_a_file_is),
        cmocka_unit_test(links_inside_the_root_are_followed),
        cmocka_unit_test(what_is_no_file_and_no_folder_is_403),
        cmocka_unit_test(what_may_not_be_entered_is_403),
        cmocka_unit_test(a_root_that_is_gone_is_500),
        cmocka_unit_test(a_buffer_too_small_is_no_overflow),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
