#include <array>

#include "files/known_files.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

namespace fcgate::files {
namespace {

using test::check_status;
using test::TempTree;

[[nodiscard]] route::FileIdentity look(const TempTree& tree, const char* name) {
    struct stat status {};
    assert_int_equal(fstatat(tree.fd(), name, &status, 0), 0);
    return route::identity_of(status);
}

void link_to(TempTree& tree, const TempTree& to, const char* below, const char* name) {
    Text<64> path(to.path());
    tree.link(path.append(below).c_str(), name);
}

struct Place {
    Place() {
        tree.folder("in");
        tree.file("in/a.php");
        tree.file("a.php");
        outside.file("b.php");
        link_to(tree, outside, "/b.php", "out.php");
        link_to(tree, outside, "", "away");
        tree.link("in/a.php", "near.php");
        link_to(tree, tree, "/in/a.php", "absolute.php");
    }

    [[nodiscard]] Status check(const char* path) { return known.check(site, path, look(tree, path + 1)); }

    TempTree tree;
    TempTree outside;
    SiteSettings settings;
    route::SiteRoot site{&settings, tree.fd(), ""};
    KnownFiles known;
};

void scripts_below_the_root_may_run(void**) {
    Place place;
    for (int i = 0; i < 2; ++i) {
        for (const char* const path : {"/a.php", "/in/a.php", "/near.php", "/absolute.php"}) {
            check_status(place.check(path), Status::ok);
        }
    }
}

void scripts_that_links_lead_out_to_may_not(void**) {
    Place place;
    for (int i = 0; i < 2; ++i) {
        for (const char* const path : {"/out.php", "/away/b.php"}) {
            check_status(place.check(path), Status::denied);
        }
        check_status(place.check("/a.php"), Status::ok);
    }
}

void links_may_lead_to_folders_that_are_named(void**) {
    Place place;
    assert_true(place.settings.links_to.push_back(place.outside.path()));
    check_status(place.check("/out.php"), Status::ok);
    check_status(place.check("/away/b.php"), Status::ok);
}

// The point of it: what is known is not looked for again. Only a name that is not there shows whether it is.
void what_is_known_is_not_looked_for_again(void**) {
    Place place;
    const route::FileIdentity file = look(place.tree, "a.php");
    check_status(place.known.check(place.site, "/none.php", file), Status::not_found);
    check_status(place.known.check(place.site, "/a.php", file), Status::ok);
    check_status(place.known.check(place.site, "/none.php", file), Status::ok);
    const route::SiteRoot other = place.site;
    check_status(place.known.check(other, "/none.php", file), Status::not_found);
    place.known.forget();
    check_status(place.known.check(place.site, "/none.php", file), Status::not_found);
}

void a_file_that_has_changed_is_another(void**) {
    Place place;
    route::FileIdentity file = look(place.tree, "a.php");
    check_status(place.known.check(place.site, "/a.php", file), Status::ok);
    ++file.changed_ns;
    check_status(place.known.check(place.site, "/none.php", file), Status::not_found);
}

}  // namespace
}  // namespace fcgate::files

int main() {
    using namespace fcgate::files;
    const CMUnitTest tests[] = {
        cmocka_unit_test(scripts_below_the_root_may_run),
        cmocka_unit_test(scripts_that_links_lead_out_to_may_not),
        cmocka_unit_test(links_may_lead_to_folders_that_are_named),
        cmocka_unit_test(what_is_known_is_not_looked_for_again),
        cmocka_unit_test(a_file_that_has_changed_is_another),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
