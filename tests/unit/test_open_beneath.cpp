#include <array>

#include "files/open_beneath.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

namespace fcgate::files {
namespace {

using test::check_status;
using test::TempTree;

using Open = Result<int> (*)(int root, std::string_view path, Folders beyond);

// The kernel's way and ours have to agree.
constexpr Open both[] = {open_beneath, open_beneath_by_name};

void check_opens(const TempTree& tree, std::string_view path, std::string_view content,
                 const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    for (const Open open_file : both) {
        const Result<int> fd = open_file(tree.fd(), path, {});
        check_status(fd.status(), Status::ok, file, line);
        char bytes[64];
        const ssize_t size = read(fd.value(), bytes, sizeof bytes);
        test::check_text({bytes, size < 0 ? 0 : static_cast<size_t>(size)}, content, file, line);
        const bool closes_on_exec = (fcntl(fd.value(), F_GETFD) & FD_CLOEXEC) != 0;
        close(fd.value());
        if (!closes_on_exec) {
            _fail(file, line);
        }
    }
}

void check_fails(const TempTree& tree, std::string_view path, Status expected, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
    for (const Open open_file : both) {
        check_status(open_file(tree.fd(), path, {}).status(), expected, file, line);
    }
}

void files_below_the_root_are_opened(void**) {
    TempTree tree;
    tree.file("a.txt", "one");
    tree.folder("b");
    tree.file("b/c d", "two");
    check_opens(tree, "/a.txt", "one");
    check_opens(tree, "/b/c d", "two");
    check_fails(tree, "/none", Status::not_found);
    check_fails(tree, "/none/a", Status::not_found);
    check_fails(tree, "/a.txt/", Status::not_found);
    check_fails(tree, "/a.txt/b", Status::not_found);
}

void links_that_stay_inside_are_followed(void**) {
    TempTree tree;
    tree.folder("b");
    tree.file("b/a.txt", "one");
    tree.link("b/a.txt", "relative");
    tree.link("b", "folder");
    tree.link("../b/a.txt", "b/up");
    Text<64> target(tree.path());
    target.append("/b/a.txt");
    tree.link(target.c_str(), "absolute");
    check_opens(tree, "/relative", "one");
    check_opens(tree, "/folder/a.txt", "one");
    check_opens(tree, "/b/up", "one");
    check_opens(tree, "/absolute", "one");
}

void links_that_lead_out_are_denied(void**) {
    TempTree outside;
    outside.file("secret", "secret");
    TempTree tree;
    tree.folder("b");
    Text<64> target(outside.path());
    tree.link(target.c_str(), "folder");
    target.append("/secret");
    tree.link(target.c_str(), "file");
    Text<64> relative("../../../");
    relative.append(slice(target.view(), 1));
    tree.link(relative.c_str(), "b/up");
    tree.link("file", "chain");
    for (const std::string_view path : {"/folder/secret", "/file", "/b/up", "/chain"}) {
        check_fails(tree, path, Status::denied);
    }
}

void links_may_lead_to_the_folders_that_are_named(void**) {
    TempTree outside;
    outside.folder("open");
    outside.file("open/a.txt", "one");
    outside.folder("open-not");
    outside.file("open-not/secret", "secret");
    TempTree tree;
    tree.file("own", "own");
    Text<64> target(outside.path());
    tree.link(target.c_str(), "all");
    target.append("/open");
    tree.link(target.c_str(), "folder");
    Text<65> with_slash(target.view());
    with_slash.append("/");
    for (const std::string_view folder : {target.view(), with_slash.view()}) {
        const std::array<std::string_view, 2> beyond = {"/nowhere", folder};
        for (const Open open_file : both) {
            for (const std::string_view path : {"/folder/a.txt", "/all/open/a.txt", "/folder", "/own"}) {
                const Result<int> fd = open_file(tree.fd(), path, beyond);
                check_status(fd.status(), Status::ok);
                close(fd.value());
            }
            check_status(open_file(tree.fd(), "/all/open-not/secret", beyond).status(), Status::denied);
            check_status(open_file(tree.fd(), "/all", beyond).status(), Status::denied);
            check_status(open_file(tree.fd(), "/folder/none", beyond).status(), Status::not_found);
        }
    }
}

void a_root_whose_name_begins_another_is_no_way_in(void**) {
    TempTree tree;
    tree.folder("www");
    tree.folder("www-private");
    tree.file("www-private/secret");
    tree.link("../www-private/secret", "www/link");
    const int root = openat(tree.fd(), "www", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const Open open_file : both) {
        check_status(open_file(root, "/link", {}).status(), Status::denied);
    }
    close(root);
}

void broken_links_and_loops_are_not_found(void**) {
    TempTree tree;
    tree.link("none", "broken");
    tree.link("loop", "loop");
    check_fails(tree, "/broken", Status::not_found);
    check_fails(tree, "/loop", Status::not_found);
}

void the_whole_file_system_can_be_the_root(void**) {
    TempTree tree;
    tree.file("a.txt", "one");
    Text<64> path(tree.path());
    path.append("/a.txt");
    const int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const Open open_file : both) {
        const Result<int> fd = open_file(root, path.view(), {});
        check_status(fd.status(), Status::ok);
        close(fd.value());
    }
    close(root);
}

void the_root_itself_is_a_folder_below_it(void**) {
    TempTree tree;
    tree.folder("b");
    tree.link("..", "b/up");
    for (const Open open_file : both) {
        for (const std::string_view path : {"/", "/b/up", "/b/"}) {
            const Result<int> fd = open_file(tree.fd(), path, {});
            check_status(fd.status(), Status::ok);
            struct stat status;
            assert_int_equal(fstat(fd.value(), &status), 0);
            assert_true(S_ISDIR(status.st_mode));
            close(fd.value());
        }
    }
}

void nothing_waits_for_a_fifo(void**) {
    TempTree tree;
    tree.fifo("fifo");
    tree.socket("socket");
    const Result<int> fd = open_beneath(tree.fd(), "/fifo");  // would block for ever
    if (fd.ok()) {
        close(fd.value());
    }
    check_status(open_beneath_by_name(tree.fd(), "/fifo").status(), Status::denied);
    check_fails(tree, "/socket", Status::denied);
}

void a_long_name_is_told(void**) {
    TempTree tree;
    std::array<char, 5000> path{};
    memset(path.data(), 'a', path.size());
    path[0] = '/';
    check_fails(tree, {path.data(), path.size()}, Status::too_large);
    check_fails(tree, {path.data(), 4000}, Status::too_large);
}

void no_rights_no_descriptor(void**) {
    if (getuid() != 0) {
        print_message("not root: nobody else's files to be had, nothing was tried\n");
        _skip(__FILE__, __LINE__);
    }
    TempTree tree;
    tree.file("mine", "x", 0600);
    tree.file("yours", "x", 0644);
    tree.folder("closed", 0700);
    tree.file("closed/a");
    Text<64> target(tree.path());
    target.append("/yours");
    tree.link(target.c_str(), "absolute");
    const int answer = test::without_rights([&tree] {
        for (const Open open_file : both) {
            if (open_file(tree.fd(), "/mine", {}).status() != Status::denied) {
                return 1;
            }
            if (open_file(tree.fd(), "/closed/a", {}).status() != Status::denied) {
                return 2;
            }
            // /proc has to answer to a process that gave up its rights, too.
            if (!open_file(tree.fd(), "/yours", {}).ok() || !open_file(tree.fd(), "/absolute", {}).ok()) {
                return 3;
            }
        }
        return 0;
    });
    assert_int_equal(answer, 0);
}

void no_descriptor_is_lost(void**) {
    TempTree tree;
    tree.file("a.txt");
    tree.link("/etc", "out");
    const int before = dup(tree.fd());
    close(before);
    for (const Open open_file : both) {
        for (const std::string_view path : {"/none", "/out/passwd", "/a.txt"}) {
            const Result<int> fd = open_file(tree.fd(), path, {});
            if (fd.ok()) {
                close(fd.value());
            }
        }
    }
    const int after = dup(tree.fd());
    close(after);
    assert_int_equal(after, before);
}

}  // namespace
}  // namespace fcgate::files

int main() {
    using namespace fcgate::files;
    const CMUnitTest tests[] = {
        cmocka_unit_test(files_below_the_root_are_opened),
        cmocka_unit_test(links_that_stay_inside_are_followed),
        cmocka_unit_test(links_that_lead_out_are_denied),
        cmocka_unit_test(links_may_lead_to_the_folders_that_are_named),
        cmocka_unit_test(a_root_whose_name_begins_another_is_no_way_in),
        cmocka_unit_test(broken_links_and_loops_are_not_found),
        cmocka_unit_test(the_whole_file_system_can_be_the_root),
        cmocka_unit_test(the_root_itself_is_a_folder_below_it),
        cmocka_unit_test(nothing_waits_for_a_fifo),
        cmocka_unit_test(a_long_name_is_told),
        cmocka_unit_test(no_rights_no_descriptor),
        cmocka_unit_test(no_descriptor_is_lost),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
