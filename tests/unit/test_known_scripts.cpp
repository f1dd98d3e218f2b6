// Targets that led to a script a moment ago.
#include "route/known_scripts.hpp"
#include "test_support.hpp"

namespace fcgate::route {
namespace {

constexpr int64_t moment = limits::known_script_ms;

struct Fixture {
    SiteSettings settings;
    SiteRoot site{.settings = &settings};
    SiteRoot other_site{.settings = &settings};
    KnownScripts known;

    // A script of so many characters, and what is behind it.
    void keep(std::string_view target, uint16_t number, int64_t now) {
        Decision decision;
        decision.path = target;
        decision.script_name = slice(target, 0, number);
        decision.path_info = slice(target, number);
        known.keep(site, target, decision, now);
    }
    void keep_found(std::string_view path, std::string_view script) {
        Decision decision;
        decision.path = path;
        decision.script_name = script;
        known.keep(site, path, decision, 5000);
    }
    void finds(std::string_view target, uint16_t number, int64_t now) {
        const ScriptMemo* const memo = known.find(site, target, now);
        assert_non_null(memo);
        assert_true(memo->kind == ScriptMemo::Kind::path);
        assert_int_equal(memo->number, number);
    }
    void knows_nothing_of(std::string_view target, int64_t now) { assert_null(known.find(site, target, now)); }
};

void for_a_moment_a_target_leads_to_the_same_script(void**) {
    Fixture fixture;
    fixture.knows_nothing_of("/a.php", 5000);
    fixture.keep("/a.php", 6, 5000);
    fixture.finds("/a.php", 6, 5000);
    fixture.finds("/a.php", 6, 5000 + moment - 1);
    fixture.knows_nothing_of("/a.php", 5000 + moment);
    fixture.keep("/a.php", 6, 9000);
    fixture.finds("/a.php", 6, 9000 + moment - 1);
}

void only_the_very_target_of_the_site_is_known(void**) {
    Fixture fixture;
    fixture.keep("/a.php", 6, 5000);
    fixture.knows_nothing_of("/b.php", 5000);
    fixture.knows_nothing_of("/a.ph", 5000);
    fixture.knows_nothing_of("/a.php/", 5000);
    fixture.knows_nothing_of("", 5000);
    assert_null(fixture.known.find(fixture.other_site, "/a.php", 5000));
    fixture.known.forget();
    fixture.knows_nothing_of("/a.php", 5000);
}

void what_was_found_last_counts(void**) {
    Fixture fixture;
    fixture.keep("/a", 1, 5000);
    fixture.keep("/b", 1, 5000);
    fixture.keep("/a", 2, 5000 + moment);
    fixture.finds("/a", 2, 5000 + moment);
    fixture.knows_nothing_of("/b", 5000 + moment);
}

void the_one_found_longest_ago_makes_room(void**) {
    Fixture fixture;
    Text<16> target;
    const auto name = [&target](size_t number) {
        target.clear();
        target.append("/script").append_number(number);
        return target.view();
    };
    static_assert(limits::known_scripts < 10);
    for (size_t i = 0; i < limits::known_scripts; ++i) {
        fixture.keep(name(i), static_cast<uint16_t>(i), 5000 + static_cast<int64_t>(i));
    }
    fixture.keep(name(0), 0, 5100);
    fixture.keep("/new", 4, 5101);
    fixture.finds("/new", 4, 5101);
    fixture.knows_nothing_of(name(1), 5101);
    fixture.finds(name(0), 0, 5101);
    for (size_t i = 2; i < limits::known_scripts; ++i) {
        fixture.finds(name(i), static_cast<uint16_t>(i), 5101);
    }
}

void a_script_in_the_place_of_something_else_is_not_kept(void**) {
    Fixture fixture;
    assert_true(fixture.settings.index.push_back("start.php"));
    assert_true(fixture.settings.index.push_back("index.php"));
    fixture.settings.front_controller = "/front.php";
    fixture.keep_found("/picture.jpg", "/front.php");
    fixture.keep_found("/front.phpx", "/front.php");
    fixture.keep_found("/folder/", "/folder/index.php");
    fixture.keep_found("/other/", "/start.php");
    for (const std::string_view target : {"/picture.jpg", "/front.phpx", "/folder/", "/other/"}) {
        fixture.knows_nothing_of(target, 5000);
    }
    fixture.keep_found("/folder/", "/folder/start.php");
    const ScriptMemo* const memo = fixture.known.find(fixture.site, "/folder/", 5000);
    assert_non_null(memo);
    assert_true(memo->kind == ScriptMemo::Kind::index);
    assert_int_equal(memo->number, 0);
    // By either name it is the same script.
    fixture.settings.front_controller = "/start.php";
    fixture.keep_found("/", "/start.php");
    assert_non_null(fixture.known.find(fixture.site, "/", 5000));
}

void a_target_that_is_too_long_is_not_kept(void**) {
    Fixture fixture;
    std::array<char, limits::known_target + 1> text{};
    text.fill('x');
    const std::string_view longest(text.data(), limits::known_target);
    fixture.keep(longest, 1, 5000);
    fixture.keep({text.data(), text.size()}, 2, 5000);
    fixture.finds(longest, 1, 5000);
    fixture.knows_nothing_of({text.data(), text.size()}, 5000);
}

}  // namespace
}  // namespace fcgate::route

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(fcgate::route::for_a_moment_a_target_leads_to_the_same_script),
        cmocka_unit_test(fcgate::route::only_the_very_target_of_the_site_is_known),
        cmocka_unit_test(fcgate::route::what_was_found_last_counts),
        cmocka_unit_test(fcgate::route::the_one_found_longest_ago_makes_room),
        cmocka_unit_test(fcgate::route::a_script_in_the_place_of_something_else_is_not_kept),
        cmocka_unit_test(fcgate::route::a_target_that_is_too_long_is_not_kept),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
