// Folders with rules of their own: no_scripts, internal, listing.
#include <array>

#include "base/features.hpp"
#include "route/router.hpp"
#include "route_fixture.hpp"

namespace fcgate::route {
namespace {

using Fixture = test::RouteFixture;

bool below(std::string_view path, std::string_view folder) {
    return is_below(path, {&folder, 1});
}

void a_folder_holds_itself_and_what_is_below(void**) {
    for (const std::string_view folder : {"/a/b", "/a/b/"}) {
        assert_true(below("/a/b", folder));
        assert_true(below("/a/b/", folder));
        assert_true(below("/a/b/c.php", folder));
        assert_false(below("/a/bc", folder));
        assert_false(below("/a", folder));
        assert_false(below("/", folder));
        assert_false(below("/x/a/b/c", folder));
    }
    assert_true(below("/", "/"));
    assert_true(below("/anything", "/"));
    assert_false(is_below("/a", {}));
}

void vfat_opens_a_folder_by_many_names(void**) {
    assert_true(below("/UpLoads/x", "/uploads"));
    assert_true(below("/uploads./x", "/uploads"));
    assert_true(below("/uploads .. /x", "/uploads"));
    assert_true(below("/a. /b./x", "/a/b"));
    assert_false(below("/uploads..x/y", "/uploads"));
    assert_false(below("/.uploads/x", "/uploads"));
}

struct Uploads : Fixture {
    Uploads() {
        tree.folder("uploads");
        tree.file("uploads/evil.php");
        tree.file("uploads/index.php");
        tree.file("uploads/picture.png");
        tree.file("index.php");
        assert_true(settings.no_scripts.push_back("/uploads"));
    }
};

void no_script_is_run_where_it_must_not(void**) {
    Uploads site;
    site.refused("/uploads/evil.php", 404);
    site.refused("/uploads/evil.php/path/info", 404);
    site.refused("/uploads//evil.php", 404);
    site.refused("/x/../uploads/%65vil.php", 404);
    site.refused("/uploads/", 404);  // its index is a script
    site.served("/uploads/picture.png", "/uploads/picture.png");
    site.run("/index.php", "/index.php", "");
}

void other_paths_below_it_are_for_the_front_controller(void**) {
    Uploads site;
    site.settings.front_controller = "/index.php";
    site.run("/uploads/missing", "/index.php", "");
    site.refused("/uploads/evil.php", 404);
}

void a_front_controller_does_not_run_there_either(void**) {
    Uploads site;
    site.settings.front_controller = "/uploads/index.php";
    site.refused("/uploads/index.php", 404);
    site.refused("/anything", 404);
}

void internal_paths_do_not_exist_for_clients(void**) {
    Fixture site;
    site.tree.folder("protected");
    site.tree.file("protected/a.txt");
    site.tree.file("protected/a.php");
    site.tree.file("index.php");
    site.settings.front_controller = "/index.php";
    assert_true(site.settings.internal.push_back("/protected/"));
    for (const std::string_view target : {"/protected", "/protected/", "/protected/a.txt", "/protected/a.php",
                                          "/protected/none", "/Protected/a.txt", "/x/../protected/a.txt"}) {
        site.refused(target, 404);
    }
    site.run("/protectedx", "/index.php", "");
}

void a_folder_is_listed_only_if_it_may_be(void**) {
    if (!features::listing) {
        _skip(__FILE__, __LINE__);
    }
    Fixture site;
    site.tree.folder("files");
    site.tree.file("files/a.txt");
    site.refused("/files/", 404);
    site.settings.listing = true;
    const Decision decision = site.ask("/files/?x");
    assert_true(decision.kind == Decision::Kind::listing);
    test::check_text(decision.path, "/files/");
    site.redirected("/files", "/files");
    site.refused("/none/", 404);
    site.refused("/files/a.txt/", 404);
    assert_true(site.ask("/").kind == Decision::Kind::listing);
}

void an_index_or_front_controller_comes_before_a_list(void**) {
    Fixture site;
    site.settings.listing = true;
    site.tree.folder("files");
    site.tree.folder("app");
    site.tree.file("app/index.html");
    site.served("/app/", "/app/index.html");
    site.tree.file("index.php");
    site.settings.front_controller = "/index.php";
    site.run("/files/", "/index.php", "");
}

}  // namespace
}  // namespace fcgate::route

int main() {
    using namespace fcgate::route;
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_holds_itself_and_what_is_below),
        cmocka_unit_test(vfat_opens_a_folder_by_many_names),
        cmocka_unit_test(no_script_is_run_where_it_must_not),
        cmocka_unit_test(other_paths_below_it_are_for_the_front_controller),
        cmocka_unit_test(a_front_controller_does_not_run_there_either),
        cmocka_unit_test(internal_paths_do_not_exist_for_clients),
        cmocka_unit_test(a_folder_is_listed_only_if_it_may_be),
        cmocka_unit_test(an_index_or_front_controller_comes_before_a_list),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
