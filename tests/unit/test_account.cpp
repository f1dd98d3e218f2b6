#include <grp.h>

#include "base/account.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

using fcgate::Text;
using fcgate::test::check_text;
using fcgate::test::TempTree;

namespace {

// What the two files say about the number.
void expect_name(std::string_view content, unsigned number, std::string_view name) {
    TempTree tree;
    tree.file("accounts", content);
    Text<64> path;
    path.append(tree.path()).append("/accounts");
    Text<128> user;
    fcgate::append_user_name(number, user, path.c_str());
    check_text(user.view(), name);
    Text<128> group;
    fcgate::append_group_name(number, group, path.c_str());
    check_text(group.view(), name);
}

void a_number_has_the_name_of_its_line(void** /*state*/) {
    constexpr std::string_view passwd =
        "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\nfcgate:x:999:998::/:/bin/false\n";
    expect_name(passwd, 0, "root");
    expect_name(passwd, 33, "www-data");
    expect_name(passwd, 999, "fcgate");
    // The group of a user is no user.
    expect_name(passwd, 998, "998");
    expect_name("root:x:0:\nwww-data:x:33:fcgate,lighttpd\n", 33, "www-data");
}

void the_first_line_counts(void** /*state*/) {
    expect_name("a:x:5:\nb:x:5:\n", 5, "a");
}

void lines_that_are_none_are_passed_over(void** /*state*/) {
    expect_name("\n#comment\nx\n::\na:b\nno:x:five:\nno:x::\nno:x:5\nno:x:+5:\nyes:x:5:\n", 5, "yes");
    expect_name("no:x:99999999999999999999999:\nyes:x:1:", 1, "yes");
    expect_name("", 1, "1");
    // A name that would be cut could be another's.
    Text<256> longest;
    for (int i = 0; i < 70; ++i) {
        longest.append('n');
    }
    longest.append(":x:5:\nshort:x:5:\n");
    expect_name(longest.view(), 5, "short");
}

void a_line_may_lie_anywhere_in_the_file(void** /*state*/) {
    Text<8192> content;
    for (unsigned i = 1000; i < 1200; ++i) {
        content.append("user").append_number(i).append(":x:").append_number(i).append(":0::/:\n");
    }
    for (unsigned i = 1000; i < 1200; i += 7) {
        Text<16> name("user");
        name.append_number(i);
        expect_name(content.view(), i, name.view());
    }
}

void names_do_not_reach_the_log_raw(void** /*state*/) {
    expect_name("a\x1b[2J:x:5:\n", 5, "a\\x1b[2J");
}

void without_the_file_there_is_the_number(void** /*state*/) {
    Text<128> name;
    fcgate::append_user_name(4000000000U, name, "/nonexistent/passwd");
    check_text(name.view(), "4000000000");
}

void a_process_is_in_its_groups(void** /*state*/) {
    assert_true(fcgate::is_in_group(getegid()));
    assert_int_equal(fcgate::test::without_rights([] {
                         // Nobody has given up its other groups, and root's was one of them.
                         return fcgate::is_in_group(getegid()) && !fcgate::is_in_group(54321) ? 0 : 1;
                     }),
                     0);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_number_has_the_name_of_its_line),   cmocka_unit_test(the_first_line_counts),
        cmocka_unit_test(lines_that_are_none_are_passed_over), cmocka_unit_test(a_line_may_lie_anywhere_in_the_file),
        cmocka_unit_test(names_do_not_reach_the_log_raw),      cmocka_unit_test(without_the_file_there_is_the_number),
        cmocka_unit_test(a_process_is_in_its_groups),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
