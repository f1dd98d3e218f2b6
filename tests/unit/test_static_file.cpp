#include <sys/resource.h>

#include <array>

#include "files/static_file.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

namespace fcgate::files {
namespace {

using test::check_text;
using test::TempTree;

constexpr int64_t modified = 784'111'777;
constexpr int64_t now = 1'700'000'000;

// One request at a time, for files with known times.
struct Fixture {
    Fixture() {
        tree.file("a.txt", "0123456789");
        tree.modified("a.txt", modified, 5);
    }
    ~Fixture() { forget(); }

    unsigned ask(std::string_view path, std::string_view method = "GET", std::span<const Field> fields = {},
                 int64_t at = now) {
        forget();
        text.clear();
        RequestHead head;
        head.method = method;
        head.fields = fields;
        serve({.settings = &settings, .fd = tree.fd()}, path, head, mime, text, reply, at);
        return reply.status;
    }
    unsigned ask_with(std::string_view name, std::string_view value) {
        const std::array fields = {Field{name, value}};
        return ask("/a.txt", "GET", fields);
    }
    void forget() {
        if (reply.fd >= 0) {
            close(reply.fd);
        }
        reply = Reply();
    }
    [[nodiscard]] std::string_view field(std::string_view name) const {
        for (const Field& one : reply.fields()) {
            if (one.name == name) {
                return one.value;
            }
        }
        return "(none)";
    }
    void check_no_body() const {
        assert_true(reply.body == Reply::Body::none);
        assert_int_equal(reply.fd, -1);
    }

    TempTree tree;
    SiteSettings settings;
    MimeTable mime;
    Text<field_text> text;
    Reply reply;
};

// The same again as long as none has been lost.
[[nodiscard]] int next_descriptor(const Fixture& site) {
    const int fd = dup(site.tree.fd());
    close(fd);
    return fd;
}

void a_file_comes_with_its_fields(void**) {
    Fixture site;
    assert_int_equal(site.ask("/a.txt"), 200);
    assert_true(site.reply.body == Reply::Body::file);
    assert_true(site.reply.fd >= 0);
    assert_int_equal(site.reply.offset, 0);
    assert_int_equal(site.reply.length, 10);
    assert_true(site.reply.length_known);
    assert_int_equal(site.reply.fields().size(), 5);
    check_text(site.field("Content-Type"), "text/plain; charset=utf-8");
    check_text(site.field("Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
    check_text(site.field("ETag"), "\"a-ae1b981bc490a05\"");
    check_text(site.field("Accept-Ranges"), "bytes");
    check_text(site.field("X-Content-Type-Options"), "nosniff");
    char bytes[16];
    assert_int_equal(read(site.reply.fd, bytes, sizeof bytes), 10);
    check_text({bytes, 10}, "0123456789");
}

void head_has_the_length_and_no_body(void**) {
    Fixture site;
    assert_int_equal(site.ask("/a.txt", "HEAD"), 200);
    site.check_no_body();
    assert_int_equal(site.reply.length, 10);
    assert_true(site.reply.length_known);
    assert_int_equal(site.reply.fields().size(), 5);
    const std::array range = {Field{"Range", "bytes=0-1"}};
    assert_int_equal(site.ask("/a.txt", "HEAD", range), 200);
    assert_int_equal(site.reply.length, 10);
}

void an_empty_file_is_a_file(void**) {
    Fixture site;
    site.tree.file("empty", "");
    assert_int_equal(site.ask("/empty"), 200);
    assert_int_equal(site.reply.length, 0);
    assert_true(site.reply.fd >= 0);
    check_text(site.field("Content-Type"), "application/octet-stream");
}

void a_part_says_which(void**) {
    Fixture site;
    assert_int_equal(site.ask_with("Range", "bytes=2-4"), 206);
    assert_true(site.reply.body == Reply::Body::file);
    assert_int_equal(site.reply.offset, 2);
    assert_int_equal(site.reply.length, 3);
    check_text(site.field("Content-Range"), "bytes 2-4/10");
    check_text(site.field("Content-Type"), "text/plain; charset=utf-8");
    assert_int_equal(site.reply.fields().size(), 6);
    assert_int_equal(site.ask_with("Range", "bytes=-3"), 206);
    check_text(site.field("Content-Range"), "bytes 7-9/10");
    assert_int_equal(site.ask_with("Range", "bytes=0-0,2-2"), 200);
    check_text(site.field("Content-Range"), "(none)");
}

void a_range_behind_the_end_is_416(void**) {
    Fixture site;
    assert_int_equal(site.ask_with("Range", "bytes=10-"), 416);
    site.check_no_body();
    assert_int_equal(site.reply.length, 0);
    check_text(site.field("Content-Range"), "bytes */10");
    check_text(site.field("Content-Type"), "(none)");
}

void what_the_client_has_is_304(void**) {
    Fixture site;
    site.ask("/a.txt");
    Text<64> etag(site.field("ETag"));
    assert_int_equal(site.ask_with("If-None-Match", etag.view()), 304);
    site.check_no_body();
    assert_int_equal(site.reply.length, 10);
    check_text(site.field("ETag"), etag.view());
    check_text(site.field("Content-Type"), "(none)");
    assert_int_equal(site.ask_with("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"), 304);
    site.tree.modified("a.txt", modified, 6);
    assert_int_equal(site.ask_with("If-None-Match", etag.view()), 200);
}

void a_failed_condition_is_412(void**) {
    Fixture site;
    assert_int_equal(site.ask_with("If-Match", "\"other\""), 412);
    site.check_no_body();
    assert_int_equal(site.reply.fields().size(), 0);
}

void a_file_of_tomorrow_was_modified_now(void**) {
    Fixture site;
    site.tree.modified("a.txt", now + 86'400);
    assert_int_equal(site.ask("/a.txt"), 200);
    check_text(site.field("Last-Modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
    const std::array fields = {Field{"If-Modified-Since", "Tue, 14 Nov 2023 22:13:20 GMT"}};
    assert_int_equal(site.ask("/a.txt", "GET", fields, now), 304);
    assert_int_equal(site.ask("/a.txt", "GET", fields, now + 1), 200);
    // Since when it has not changed is known all the same.
    assert_int_equal(site.ask_with("If-Modified-Since", "Wed, 15 Nov 2023 22:13:19 GMT"), 200);
    assert_int_equal(site.ask_with("If-Modified-Since", "Wed, 15 Nov 2023 22:13:20 GMT"), 304);
    assert_int_equal(site.ask_with("If-Unmodified-Since", "Wed, 15 Nov 2023 22:13:19 GMT"), 412);
    assert_int_equal(site.ask_with("If-Unmodified-Since", "Wed, 15 Nov 2023 22:13:20 GMT"), 200);
}

void other_methods_are_not_allowed(void**) {
    Fixture site;
    for (const std::string_view method : {"POST", "PUT", "DELETE", "PATCH", "get", "PROPFIND", ""}) {
        assert_int_equal(site.ask("/a.txt", method), 405);
        site.check_no_body();
        check_text(site.field("Allow"), "GET, HEAD, OPTIONS");
    }
}

void options_tell_the_methods(void**) {
    Fixture site;
    for (const std::string_view path : {"/a.txt", "*", "/none"}) {
        assert_int_equal(site.ask(path, "OPTIONS"), 204);
        site.check_no_body();
        check_text(site.field("Allow"), "GET, HEAD, OPTIONS");
    }
}

void what_is_gone_is_404(void**) {
    Fixture site;
    assert_int_equal(site.ask("/none"), 404);
    site.check_no_body();
    assert_int_equal(site.ask("/a.txt/b"), 404);
}

void what_is_no_regular_file_is_403(void**) {
    Fixture site;
    site.tree.folder("folder");
    site.tree.fifo("fifo");
    site.tree.socket("socket");
    site.tree.link("/dev/zero", "device");
    const int before = next_descriptor(site);
    for (const std::string_view path : {"/folder", "/", "/fifo", "/socket", "/device"}) {
        assert_int_equal(site.ask(path), 403);
        site.check_no_body();
    }
    assert_int_equal(next_descriptor(site), before);
}

// Each file that was opened and not chosen is closed again.
void the_coded_file_is_chosen_and_the_others_are_closed(void**) {
    Fixture site;
    site.settings.precompressed = true;
    for (const char* const name : {"a.txt.br", "a.txt.gz"}) {
        site.tree.file(name);
        site.tree.modified(name, modified, 5);
    }
    const int before = next_descriptor(site);
    static constexpr std::string_view cases[][2] = {
        {"br, gzip", "br"}, {"gzip;q=0.5, br", "br"}, {"gzip, br;q=0.5", "gzip"}, {"br;q=0, gzip;q=0", "(none)"},
        {"gzip", "gzip"},   {"", "(none)"},
    };
    for (const auto& [accepted, chosen] : cases) {
        assert_int_equal(site.ask_with("Accept-Encoding", accepted), 200);
        check_text(site.field("Content-Encoding"), chosen);
        check_text(site.field("Vary"), "Accept-Encoding");
        site.forget();
        assert_int_equal(next_descriptor(site), before);
    }
    // Of another file, which has been changed since.
    site.tree.modified("a.txt.br", modified, 4);
    assert_int_equal(site.ask_with("Accept-Encoding", "br, gzip"), 200);
    check_text(site.field("Content-Encoding"), "gzip");
    site.forget();
    assert_int_equal(next_descriptor(site), before);
}

void a_link_out_of_the_root_is_403(void**) {
    TempTree outside;
    outside.file("secret");
    Fixture site;
    Text<64> target(outside.path());
    site.tree.link(target.append("/secret").c_str(), "link");
    site.tree.link("a.txt", "inside");
    assert_int_equal(site.ask("/link"), 403);
    site.check_no_body();
    assert_int_equal(site.ask("/inside"), 200);
}

void what_may_not_be_read_is_403(void**) {
    if (getuid() != 0) {
        print_message("not root: nobody else's files to be had, nothing was tried\n");
        _skip(__FILE__, __LINE__);
    }
    Fixture site;
    site.tree.file("mine", "x", 0600);
    const int answer = test::without_rights([&site] {
        const bool right = site.ask("/mine") == 403 && site.ask("/mine", "HEAD") == 403 && site.ask("/a.txt") == 200;
        return right ? 0 : 1;
    });
    assert_int_equal(answer, 0);
}

void no_descriptor_left_is_503(void**) {
    Fixture site;
    const int answer = test::without_rights([&site] {
        const rlimit none{.rlim_cur = 0, .rlim_max = 0};
        return setrlimit(RLIMIT_NOFILE, &none) == 0 && site.ask("/a.txt") == 503 ? 0 : 1;
    });
    assert_int_equal(answer, 0);
}

void no_room_for_the_fields_is_500_and_no_descriptor_is_lost(void**) {
    Fixture site;
    const int before = next_descriptor(site);
    std::array<char, 40> room{};
    TextBuffer small(room);
    RequestHead head;
    head.method = "GET";
    Reply reply;
    serve({.settings = &site.settings, .fd = site.tree.fd()}, "/a.txt", head, site.mime, small, reply, now);
    assert_int_equal(reply.status, 500);
    assert_int_equal(reply.fd, -1);
    assert_int_equal(reply.fields().size(), 0);
    assert_int_equal(next_descriptor(site), before);
}

void the_largest_fields_fit_their_room(void**) {
    Fixture site;
    const int fd = openat(site.tree.fd(), "large", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    constexpr off_t large = off_t{1} << 40U;
    if (ftruncate(fd, large) != 0) {
        close(fd);
        print_message("the file system holds no file of a terabyte\n");
        _skip(__FILE__, __LINE__);
    }
    close(fd);
    const std::array fields = {Field{"Range", "bytes=1099511627000-"}};
    assert_int_equal(site.ask("/large", "GET", fields), 206);
    check_text(site.field("Content-Range"), "bytes 1099511627000-1099511627775/1099511627776");
    assert_int_equal(site.reply.offset, 1'099'511'627'000);
    assert_int_equal(site.reply.length, 776);
}

void the_wall_clock_is_the_default(void**) {
    Fixture site;
    site.forget();
    RequestHead head;
    head.method = "GET";
    serve({.settings = &site.settings, .fd = site.tree.fd()}, "/a.txt", head, site.mime, site.text, site.reply);
    assert_int_equal(site.reply.status, 200);
    check_text(site.field("Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace fcgate::files

int main() {
    using namespace fcgate::files;
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_with_its_fields),
        cmocka_unit_test(head_has_the_length_and_no_body),
        cmocka_unit_test(an_empty_file_is_a_file),
        cmocka_unit_test(a_part_says_which),
        cmocka_unit_test(a_range_behind_the_end_is_416),
        cmocka_unit_test(what_the_client_has_is_304),
        cmocka_unit_test(a_failed_condition_is_412),
        cmocka_unit_test(a_file_of_tomorrow_was_modified_now),
        cmocka_unit_test(other_methods_are_not_allowed),
        cmocka_unit_test(options_tell_the_methods),
        cmocka_unit_test(what_is_gone_is_404),
        cmocka_unit_test(what_is_no_regular_file_is_403),
        cmocka_unit_test(the_coded_file_is_chosen_and_the_others_are_closed),
        cmocka_unit_test(a_link_out_of_the_root_is_403),
        cmocka_unit_test(what_may_not_be_read_is_403),
        cmocka_unit_test(no_descriptor_left_is_503),
        cmocka_unit_test(no_room_for_the_fields_is_500_and_no_descriptor_is_lost),
        cmocka_unit_test(the_largest_fields_fit_their_room),
        cmocka_unit_test(the_wall_clock_is_the_default),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
