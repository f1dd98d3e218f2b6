#include "spawn/versions.hpp"
#include "temp_tree.hpp"

namespace fcgate::spawn {
namespace {

struct Folder : test::TempTree {
    Folder() { text.append(path()).append('/'); }
    // The file's name, or "" when none was found.
    [[nodiscard]] std::string_view find(
        std::string_view prefix, std::string_view suffix,
        bool (*will_do)(const char*) = [](const char* path) { return access(path, F_OK) == 0; }) {
        Text<256> pattern;
        pattern.append<"%%*%">(text.view(), prefix, suffix);
        const bool is_found = find_newest(pattern.view(), will_do, found);
        assert_true(is_found == (found.size() > 0));
        return slice(found.view(), text.size());
    }
    Text<256> text;
    Text<256> found;
};

void the_newest_version_is_found(void**) {
    Folder folder;
    for (const char* name : {"php8.9-fpm", "php8.10-fpm", "php7-fpm", "php8.2-fpm"}) {
        folder.file(name);
    }
    test::check_text(folder.find("php", "-fpm"), "php8.10-fpm");
    folder.file("php9-fpm");
    test::check_text(folder.find("php", "-fpm"), "php9-fpm");
}

void a_name_without_a_version_comes_first(void**) {
    Folder folder;
    folder.file("php-fpm8.4");
    folder.file("php-fpm");
    test::check_text(folder.find("php-fpm", ""), "php-fpm");
}

void each_distribution_s_way_is_known(void**) {
    for (const char* name : {"php-fpm83", "php-fpm8.2", "php-fpm-8.2", "php-fpm8"}) {
        Folder folder;
        folder.file(name);
        test::check_text(folder.find("php-fpm", ""), name);
    }
}

void what_is_no_version_is_left_alone(void**) {
    Folder folder;
    for (const char* name :
         {"php-fpm8.2.dpkg-old", "php-fpm.conf", "php-fpm8x", "php-fpm-", "php-fpm.", "php-fpm8..2", "php-fpm--8",
          "php-fp", "xphp-fpm8", "php-fpm99999999999", "php-fpm8.99999999999999999999", "php-fpm0"}) {
        folder.file(name);
    }
    test::check_text(folder.find("php-fpm", ""), "");
}

void one_that_will_not_do_gives_way_to_the_next(void**) {
    Folder folder;
    for (const char* name : {"php8.4.sock", "php8.2.sock", "php.sock", "php7.4.sock"}) {
        folder.file(name);
    }
    const auto is_old = [](const char* path) { return strstr(path, "php7") != nullptr; };
    test::check_text(folder.find("php", ".sock", is_old), "php7.4.sock");
    const auto is_none = [](const char* /*path*/) { return false; };
    test::check_text(folder.find("php", ".sock", is_none), "");
}

void patterns_are_tried_one_after_the_other(void**) {
    Folder folder;
    folder.file("php8.2-fpm");
    folder.file("php-cgi8.4");
    Text<512> patterns;
    patterns.append<"%php-none* %php-cgi* %php*-fpm">(folder.text.view(), folder.text.view(), folder.text.view());
    const auto is_there = [](const char* path) { return access(path, F_OK) == 0; };
    assert_true(find_newest(patterns.view(), is_there, folder.found));
    test::check_text(slice(folder.found.view(), folder.text.size()), "php-cgi8.4");
}

void a_folder_that_is_not_there_has_none(void**) {
    Text<256> path("left over");
    const auto is_there = [](const char* name) { return access(name, F_OK) == 0; };
    assert_false(find_newest("/nonexistent/php* /none/php*", is_there, path));
    assert_int_equal(path.size(), 0);
}

void a_path_too_long_is_not_found_cut(void**) {
    Folder folder;
    folder.file("php8.2-fpm");
    Text<256> pattern(folder.text.view());
    pattern.append("php*-fpm");
    Text<16> path;
    assert_false(find_newest(
        pattern.view(), [](const char* /*path*/) { return true; }, path));
}

}  // namespace
}  // namespace fcgate::spawn

using namespace fcgate::spawn;

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_version_is_found),
        cmocka_unit_test(a_name_without_a_version_comes_first),
        cmocka_unit_test(each_distribution_s_way_is_known),
        cmocka_unit_test(what_is_no_version_is_left_alone),
        cmocka_unit_test(one_that_will_not_do_gives_way_to_the_next),
        cmocka_unit_test(patterns_are_tried_one_after_the_other),
        cmocka_unit_test(a_folder_that_is_not_there_has_none),
        cmocka_unit_test(a_path_too_long_is_not_found_cut),
    };
    return cmocka_run_group_tests_name("versions", tests, nullptr, nullptr);
}
