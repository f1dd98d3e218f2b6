#include "auth/password_file.hpp"
#include "base/descriptor.hpp"
#include "temp_tree.hpp"

using fcgate::Descriptor;
using fcgate::Result;
using fcgate::Status;
using fcgate::Text;
using fcgate::auth::Census;
using fcgate::auth::Hash;
using fcgate::auth::HashKind;
using fcgate::test::check_status;
using fcgate::test::check_text;
using fcgate::test::TempTree;

namespace {

struct File {
    explicit File(std::string_view content) { tree.file("users", content); }
    Descriptor open() {
        Text<256> path(tree.path());
        path.append("/users");
        const Result<int> fd = fcgate::auth::open_passwords(path.view());
        check_status(fd.status(), Status::ok);
        return Descriptor(fd.value());
    }
    Status find(std::string_view user) {
        const Descriptor fd = open();
        return fcgate::auth::find_hash(fd.get(), user, hash);
    }

    TempTree tree;
    Hash hash;
};

void a_user_is_found_by_the_whole_name(void** /*state*/) {
    File file(
        "# those who may\n\nanna:$5$a\nann:$5$b\r\nann:$5$later\nbob:$6$c:what follows\n:$5$nobody\nodd\n"
        "#carl:$5$x\nlast:$1$d");
    constexpr struct {
        std::string_view user;
        std::string_view hash;
    } all[] = {{"anna", "$5$a"}, {"ann", "$5$b"}, {"bob", "$6$c"}, {"last", "$1$d"}, {"odd", ""}};
    for (const auto& one : all) {
        check_status(file.find(one.user), Status::ok);
        check_text(file.hash.view(), one.hash);
    }
    for (const std::string_view user : {"", "an", "annab", "ANN", "#carl", "carl", "# those who may", "ann:$5$b"}) {
        check_status(file.find(user), Status::not_found);
        // It takes as long.
        check_text(file.hash.view(), "$5$a");
    }
}

void nobody_stands_in_where_nobody_can_log_in(void** /*state*/) {
    File file("ann:plain\nbob:$y$j9T$x\n");
    check_status(file.find("carl"), Status::not_found);
    check_text(file.hash.view(), "");
    File empty("");
    check_status(empty.find("ann"), Status::not_found);
}

void lines_of_any_length_are_read(void** /*state*/) {
    for (size_t size = 1; size < 1200; size += size < 400 ? 1 : 37) {
        Text<4096> content("long:$5$");
        for (size_t i = 0; i < size; ++i) {
            content.append('x');
        }
        content.append("\nann:$5$b\n");
        File file(content.view());
        check_status(file.find("ann"), Status::ok);
        check_text(file.hash.view(), "$5$b");
    }
}

void a_hash_that_is_too_long_is_no_hash(void** /*state*/) {
    Text<512> content("ann:$5$");
    while (content.size() < 4 + fcgate::limits::password_hash) {
        content.append('x');
    }
    File file(content.view());
    check_status(file.find("ann"), Status::ok);
    assert_false(file.hash.ok());
}

void a_file_is_not_read_for_ever(void** /*state*/) {
    static char content[fcgate::limits::password_file + 2];
    memset(content, '\n', sizeof content);
    File file({content, fcgate::limits::password_file});
    check_status(file.find("ann"), Status::not_found);
    File large({content, fcgate::limits::password_file + 1});
    check_status(large.find("ann"), Status::too_large);
}

void only_a_file_is_opened(void** /*state*/) {
    TempTree tree;
    tree.folder("folder");
    tree.fifo("fifo");
    tree.file("file", "");
    tree.link("file", "link");
    const auto open = [&](const char* name) {
        Text<256> path(tree.path());
        path.append('/').append(name);
        const Result<int> fd = fcgate::auth::open_passwords(path.view());
        const Descriptor closed(fd.ok() ? fd.value() : -1);
        return fd.status();
    };
    check_status(open("file"), Status::ok);
    check_status(open("link"), Status::ok);
    check_status(open("none"), Status::not_found);
    check_status(open("folder"), Status::refused);
    check_status(open("fifo"), Status::refused);
}

void what_takes_memory_or_time_without_a_bound_is_not_taken(void** /*state*/) {
    constexpr struct {
        std::string_view hash;
        HashKind kind;
    } all[] = {
        {"$1$salt$hash", HashKind::good},
        {"$2y$04$salt", HashKind::good},
        {"$2a$12$salt", HashKind::good},
        {"$2b$10$salt", HashKind::good},
        {"$2y$13$salt", HashKind::costly},
        {"$2y$31$salt", HashKind::costly},
        {"$2y$99$salt", HashKind::costly},
        {"$2y$00$salt", HashKind::unknown},
        {"$2y$1$salt", HashKind::unknown},
        {"$2y$-1$salt", HashKind::unknown},
        {"$2y$100$salt", HashKind::unknown},
        {"$2x$10$salt", HashKind::unknown},
        {"$5$salt$hash", HashKind::good},
        {"$6$salt$hash", HashKind::good},
        {"$5$rounds=1000$salt$hash", HashKind::good},
        {"$6$rounds=200000$salt$hash", HashKind::good},
        {"$6$rounds=200001$salt$hash", HashKind::costly},
        {"$5$rounds=999999999$salt$hash", HashKind::costly},
        {"$5$rounds=9999999999$salt$hash", HashKind::unknown},
        {"$5$rounds=$salt$hash", HashKind::unknown},
        {"$5$rounds=x$salt$hash", HashKind::unknown},
        {"$5$rounds=5000", HashKind::good},
        {"$y$j9T$salt$hash", HashKind::unknown},
        {"$7$CU..../....salt$hash", HashKind::unknown},
        {"$gy$j9T$salt$hash", HashKind::unknown},
        {"$apr1$salt$hash", HashKind::unknown},
        {"{SHA}hash", HashKind::unknown},
        {"abJnggxhB/yWI", HashKind::unknown},
        {"secret", HashKind::unknown},
        {"$", HashKind::unknown},
        {"", HashKind::unknown},
    };
    for (const auto& one : all) {
        if (fcgate::auth::kind_of(one.hash) != one.kind) {
            print_error("%s\n", one.hash.data());
            _fail(__FILE__, __LINE__);
        }
    }
}

void users_are_counted(void** /*state*/) {
    File file("# x\nann:$5$a\nbob:$6$b\ncarl:secret\ndora:$2y$20$a\n");
    Census census;
    check_status(fcgate::auth::count_users(file.open().get(), census), Status::ok);
    assert_int_equal(census.users, 2);
    assert_int_equal(census.wrong_line, 4);
    assert_true(census.wrong_kind == HashKind::unknown);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_found_by_the_whole_name),
        cmocka_unit_test(nobody_stands_in_where_nobody_can_log_in),
        cmocka_unit_test(lines_of_any_length_are_read),
        cmocka_unit_test(a_hash_that_is_too_long_is_no_hash),
        cmocka_unit_test(a_file_is_not_read_for_ever),
        cmocka_unit_test(only_a_file_is_opened),
        cmocka_unit_test(what_takes_memory_or_time_without_a_bound_is_not_taken),
        cmocka_unit_test(users_are_counted),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
