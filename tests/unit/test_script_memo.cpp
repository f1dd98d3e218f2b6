// What is kept of the decision for a script while its request waits, and worked out of it again.
#include "route/script_memo.hpp"
#include "route_fixture.hpp"

namespace fcgate::route {
namespace {

struct Fixture : test::RouteFixture {
    Fixture() {
        tree.file("a.php");
        tree.folder("dir");
        tree.file("dir/index.php");
        tree.folder("deep");
        tree.folder("deep/er");
        tree.file("deep/er/main.php");
        tree.file("front.php");
        settings.script_suffix = ".php";
        assert_true(settings.index.push_back("main.php"));
    }
    // The decision, and the one that is recalled for the same target by the memo alone.
    void comes_back(std::string_view raw_target, ScriptMemo::Kind kind) {
        Target target;
        test::check_status(split_target(raw_target, target), Status::ok);
        const Decision first = ask(raw_target);
        check_kind(first, Decision::Kind::script, raw_target, __FILE__, __LINE__);
        const ScriptMemo memo = ScriptMemo::unpack(remember(settings, first).pack());
        assert_true(memo.kind == kind);
        std::array<char, decision_buffer> other{};
        Decision again;
        test::check_status(recall(settings, memo, target, other, again), Status::ok);
        assert_true(again.kind == Decision::Kind::script);
        test::check_text(again.script_name, first.script_name);
        test::check_text(again.path_info, first.path_info);
        test::check_text(again.path, first.path);
        test::check_text(again.query, first.query);
        assert_true(again.has_query == first.has_query);
    }
};

void every_kind_of_script_comes_back(void**) {
    Fixture site;
    using Kind = ScriptMemo::Kind;
    site.comes_back("/a.php", Kind::path);
    site.comes_back("/a.php?x=%20y", Kind::path);
    site.comes_back("/./x/../a.php/more/%69nfo?", Kind::path);
    site.comes_back("/dir/", Kind::index);
    site.comes_back("/dir/?q", Kind::index);
    site.comes_back("/deep/er/", Kind::index);
    site.settings.front_controller = "/front.php";
    site.comes_back("/", Kind::front_controller);
    site.comes_back("/some/page?x", Kind::front_controller);
    site.comes_back("/front.php", Kind::path);
    site.comes_back("/dir/", Kind::index);
}

void another_target_is_not_answered(void**) {
    const Fixture site;
    Target target;
    target.path = "/../outside";
    std::array<char, decision_buffer> buffer{};
    Decision decision;
    test::check_status(recall(site.settings, {ScriptMemo::Kind::path, 3}, target, buffer, decision), Status::refused);
}

}  // namespace
}  // namespace fcgate::route

int main() {
    using namespace fcgate::route;
    const CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_script_comes_back),
        cmocka_unit_test(another_target_is_not_answered),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
