#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"
#include "server/spool.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

namespace fcgate::server {
namespace {

struct Fixture {
    explicit Fixture(uint64_t most = 4096) { spool.init(bodies, total, most); }

    SpooledBody& open() {
        const Result<Handle> opened = spool.open(tree.path());
        test::check_status(opened.status(), Status::ok);
        SpooledBody* const body = spool.find(opened.value());
        assert_non_null(body);
        return *body;
    }
    static Status append(Spool& spool, SpooledBody& body, size_t size) {
        static char bytes[8192];
        return spool.append(body, {bytes, size});
    }

    test::TempTree tree;
    std::array<SpooledBody, 2> bodies{};
    std::atomic<uint32_t> total{0};
    Spool spool;
};

void bytes_come_back_in_order(void**) {
    Fixture fixture;
    SpooledBody& body = fixture.open();
    test::check_status(fixture.spool.append(body, {"hello ", 6}), Status::ok);
    test::check_status(fixture.spool.append(body, {"world", 5}), Status::ok);
    assert_int_equal(body.size, 11);
    char room[8];
    Result<size_t> count = Spool::read(body, room);
    test::check_text({room, count.value()}, "hello wo");
    body.sent += count.value();
    count = Spool::read(body, room);
    test::check_text({room, count.value()}, "rld");
    body.sent += count.value();
    assert_int_equal(Spool::read(body, room).value(), 0);
    fixture.spool.close(body);
}

void a_file_has_no_name(void**) {
    Fixture fixture;
    SpooledBody& body = fixture.open();
    assert_int_equal(rmdir(fixture.tree.path()), 0);  // it is empty
    assert_int_equal(mkdir(fixture.tree.path(), 0700), 0);
    fixture.spool.close(body);
}

void where_files_must_have_names_they_lose_them(void**) {
    Fixture fixture;
    const int fd = open_and_unlink(fixture.tree.path());
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(rmdir(fixture.tree.path()), 0);
    assert_int_equal(mkdir(fixture.tree.path(), 0700), 0);
    close(fd);
}

void what_all_take_is_bounded_and_given_back(void**) {
    Fixture fixture(4096);
    SpooledBody& first = fixture.open();
    SpooledBody& second = fixture.open();
    test::check_status(Fixture::append(fixture.spool, first, 2048), Status::ok);
    test::check_status(Fixture::append(fixture.spool, second, 2048), Status::ok);
    test::check_status(Fixture::append(fixture.spool, second, 1), Status::exhausted);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(second.size, 2048);
    fixture.spool.close(first);
    assert_int_equal(fixture.total.load(), 2);
    test::check_status(Fixture::append(fixture.spool, second, 2048), Status::ok);
    fixture.spool.close(second);
    assert_int_equal(fixture.total.load(), 0);
}

void small_pieces_are_not_counted_as_whole_blocks(void**) {
    Fixture fixture(1024);
    SpooledBody& body = fixture.open();
    for (size_t i = 0; i < 1024; ++i) {
        test::check_status(Fixture::append(fixture.spool, body, 1), Status::ok);
    }
    test::check_status(Fixture::append(fixture.spool, body, 1), Status::exhausted);
    fixture.spool.close(body);
}

void a_folder_that_is_not_there_is_told(void**) {
    Fixture fixture;
    Text<128> folder(fixture.tree.path());
    folder.append("/nowhere/at/all");
    test::check_status(fixture.spool.open(folder.view()).status(), Status::io);
    assert_int_equal(errno, ENOENT);
    test::check_status(fixture.spool.open("/proc").status(), Status::io);
}

void a_closed_body_is_not_found(void**) {
    Fixture fixture;
    const Handle handle = fixture.spool.open(fixture.tree.path()).value();
    fixture.spool.close(*fixture.spool.find(handle));
    assert_null(fixture.spool.find(handle));
}

}  // namespace
}  // namespace fcgate::server

int main() {
    using namespace fcgate::server;
    const CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back_in_order),
        cmocka_unit_test(a_file_has_no_name),
        cmocka_unit_test(where_files_must_have_names_they_lose_them),
        cmocka_unit_test(what_all_take_is_bounded_and_given_back),
        cmocka_unit_test(small_pieces_are_not_counted_as_whole_blocks),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
        cmocka_unit_test(a_closed_body_is_not_found),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
