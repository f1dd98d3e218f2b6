#include "files/release.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

using namespace fcgate;

namespace {

void check_build_id(std::string_view content, std::string_view expected) {
    test::TempTree tree;
    tree.file("os-release", content);
    Text<128> path(tree.path());
    path.append("/os-release");
    Text<64> id;
    files::append_build_id(id, path.c_str());
    test::check_text(id.view(), expected);
}

void the_build_id_is_found(void** /*state*/) {
    check_build_id("NAME=x\nBUILD_ID=r123-abc\nOTHER=y\n", "r123-abc");
    check_build_id("BUILD_ID=\"2026.11.24 nightly\"", "2026.11.24nightly");
    check_build_id("IMAGE_VERSION='7'\n", "7");
    check_build_id("IMAGE_VERSION=7\nBUILD_ID=8\n", "8");
}

void what_is_not_there_adds_nothing(void** /*state*/) {
    check_build_id("", "");
    check_build_id("NAME=x\nMY_BUILD_ID=1\nBUILD_IDX=2\n", "");
    check_build_id("BUILD_ID\n", "");
    Text<64> id;
    files::append_build_id(id, "/nowhere/os-release");
    test::check_text(id.view(), "");
}

void it_is_cut_to_what_an_entity_tag_holds(void** /*state*/) {
    check_build_id(
        "BUILD_ID=a\"b\\c\x01"
        "d",
        "abcd");
    check_build_id("BUILD_ID=0123456789012345678901234567890123456789\n", "01234567890123456789012345678901");
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(the_build_id_is_found),
        cmocka_unit_test(what_is_not_there_adds_nothing),
        cmocka_unit_test(it_is_cut_to_what_an_entity_tag_holds),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
