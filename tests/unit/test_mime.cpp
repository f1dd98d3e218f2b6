#include <fcntl.h>
#include <sys/stat.h>

#include "base/descriptor.hpp"
#include "base/limits.hpp"
#include "files/mime.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

namespace fcgate::files {
namespace {

using test::check_text;
using test::GuardedBytes;

constexpr std::string_view unknown = "application/octet-stream";

std::string_view lookup(std::string_view path, const MimeTable& table = MimeTable()) {
    static Text<64> room;
    room.clear();
    GuardedBytes input(path);
    return table.lookup(input.view(), room);
}

void panels_types_are_known(void**) {
    check_text(lookup("/index.html"), "text/html; charset=utf-8");
    check_text(lookup("/a/b.css"), "text/css; charset=utf-8");
    check_text(lookup("/a.js"), "text/javascript; charset=utf-8");
    check_text(lookup("/a.mjs"), "text/javascript; charset=utf-8");
    check_text(lookup("/a.json"), "application/json");
    check_text(lookup("/a.css.map"), "application/json");
    check_text(lookup("/a.svg"), "image/svg+xml");
    check_text(lookup("/a.png"), "image/png");
    check_text(lookup("/a.jpeg"), "image/jpeg");
    check_text(lookup("/a.webp"), "image/webp");
    check_text(lookup("/a.avif"), "image/avif");
    check_text(lookup("/favicon.ico"), "image/x-icon");
    check_text(lookup("/a.woff"), "font/woff");
    check_text(lookup("/a.woff2"), "font/woff2");
    check_text(lookup("/a.wasm"), "application/wasm");
    check_text(lookup("/a.webmanifest"), "application/manifest+json");
    check_text(lookup("/a.tar.gz"), "application/gzip");
    check_text(lookup("/firmware.bin"), unknown);
    check_text(lookup("/a.7z"), "application/x-7z-compressed");
    check_text(lookup("/a.zst"), "application/zstd");
}

// ---- mime_types -----------------------------------------------------------------------------------------------------

void types_of_a_file_come_first(void**) {
    static char storage[1024];
    MimeTable table;
    table.begin(storage);
    for (const char* line : {"# a comment", "", "  \t", "text/x-log LOG log2", "application/x-firmware bin img\r",
                             "image/png", "application/first twice", "application/last twice # and a comment"}) {
        test::check_status(table.add_line(line), Status::ok);
    }
    check_text(lookup("/a.log", table), "text/x-log; charset=utf-8");
    check_text(lookup("/a.LOG2", table), "text/x-log; charset=utf-8");
    check_text(lookup("/a.bin", table), "application/x-firmware");
    check_text(lookup("/a.img", table), "application/x-firmware");
    check_text(lookup("/a.twice", table), "application/last");
    check_text(lookup("/a.png", table), "image/png");
    check_text(lookup("/a.html", table), "text/html; charset=utf-8");
    check_text(lookup("/a.zzz", table), unknown);
}

void what_is_no_type_is_refused(void**) {
    static char storage[1024];
    MimeTable table;
    table.begin(storage);
    for (const char* line :
         {"png", "image png", "/png png", "image/ png", "image/p/ng png", "ima\x01ge/png png", "image/png; a=b png"}) {
        test::check_status(table.add_line(line), Status::malformed);
    }
}

void room_for_types_is_bounded(void**) {
    static char storage[200];
    MimeTable table;
    table.begin(storage);
    size_t taken = 0;
    Status status = Status::ok;
    while (status == Status::ok) {
        Text<64> line("a/b x");
        line.append_number(taken);
        status = table.add_line(line.view());
        taken += status == Status::ok ? 1 : 0;
    }
    test::check_status(status, Status::too_large);
    assert_in_range(taken, 8, 20);
    check_text(lookup("/f.x0", table), "a/b");
    check_text(lookup("/f.x7", table), "a/b");
}

// Reads a file of this content; what is wrong with it is told behind its path.
Status read_file(std::string_view content, MimeTable& table, std::string_view words) {
    static char storage[4096];
    test::TempTree tree;
    tree.file("types", content);
    Text<64> path(tree.path());
    path.append("/types");
    Text<256> why;
    const Status status = table.read(path.c_str(), storage, why);
    check_text(slice(why.view(), path.size()), words);
    return status;
}

void a_file_of_types_is_read(void**) {
    MimeTable table;
    // The last line need not have an end.
    test::check_status(read_file("# ours\r\napplication/x-firmware\timg BIN\r\n\nimage/png\ntext/x-log log", table, ""),
                       Status::ok);
    check_text(lookup("/a.img", table), "application/x-firmware");
    check_text(lookup("/a.bin", table), "application/x-firmware");
    check_text(lookup("/a.log", table), "text/x-log; charset=utf-8");
    check_text(lookup("/a.png", table), "image/png");
    test::check_status(read_file("", table, ""), Status::ok);
}

void a_fifo_in_the_place_of_the_file_is_not_waited_for(void**) {
    static char storage[1024];
    MimeTable table;
    test::TempTree tree;
    Text<64> path(tree.path());
    path.append("/types");
    assert_int_equal(mkfifo(path.c_str(), 0600), 0);
    Text<256> why;
    test::check_status(table.read(path.c_str(), storage, why), Status::ok);
    const Descriptor writer(open(path.c_str(), O_RDWR | O_CLOEXEC));
    assert_true(writer.valid());
    why.clear();
    test::check_status(table.read(path.c_str(), storage, why), Status::io);
    check_text(slice(why.view(), path.size()), ": Resource temporarily unavailable");
}

void mistakes_in_a_file_of_types_are_told_with_their_line(void**) {
    MimeTable table;
    constexpr std::string_view no_type = ": not a media type with its extensions, as in: image/png png";
    Text<128> words(":2");
    words.append(no_type);
    test::check_status(read_file("image/png png\nnonsense here\n", table, words.view()), Status::malformed);
    static char content[3 * limits::config_line];
    // No line is so long.
    memset(content, 'x', sizeof content);
    content[9] = '\n';
    content[0] = '#';
    words.clear();
    words.append(":2").append(no_type);
    test::check_status(read_file({content, sizeof content}, table, words.view()), Status::malformed);
    for (size_t i = 0; i + 16 <= sizeof content; i += 16) {
        TextBuffer line(std::span<char>(content + i, 16));
        line.append("a/b").append_padded(i, 5).append(" x").append_padded(i / 16, 4);
        content[i + 14] = ' ';
        content[i + 15] = '\n';
    }
    Text<256> why;
    test::TempTree tree;
    tree.file("types", {content, sizeof content});
    Text<64> path(tree.path());
    path.append("/types");
    static char little[512];
    test::check_status(table.read(path.c_str(), little, why), Status::too_large);
    assert_true(why.view().ends_with(": more types than there is room for"));
    path.clear();
    path.append(tree.path()).append("/none");
    why.clear();
    test::check_status(table.read(path.c_str(), little, why), Status::not_found);
    assert_true(why.view().ends_with(": No such file or directory"));
    why.clear();
    test::check_status(table.read(tree.path(), little, why), Status::io);
    assert_true(why.view().ends_with(": Is a directory"));
    assert_int_equal(fchmodat(tree.fd(), "types", 0, 0), 0);
    assert_int_equal(test::without_rights([&] {
                         path.clear();
                         path.append(tree.path()).append("/types");
                         return table.read(path.c_str(), little, why) == Status::denied ? 0 : 1;
                     }),
                     0);
}

void case_does_not_matter(void**) {
    check_text(lookup("/LOGO.PNG"), "image/png");
    check_text(lookup("/a.Html"), "text/html; charset=utf-8");
}

void what_is_unknown_is_bytes(void**) {
    for (const std::string_view path :
         {"", "/", "/a", "/a.", "/a.unknown", "/html", "/.html", "/a/.html", "/a.html/b", "/a.html/", "/a.html ",
          "/a.htmlx", "/a.ht", "/a.h", "/a.extremelylongextension", "/a.seventeenletters", "/a.zzz", "/a.0"}) {
        check_text(lookup(path), unknown);
    }
}

void a_name_without_folder_will_do(void**) {
    check_text(lookup("a.txt"), "text/plain; charset=utf-8");
    check_text(lookup(".txt"), unknown);
}

}  // namespace
}  // namespace fcgate::files

int main() {
    using namespace fcgate::files;
    const CMUnitTest tests[] = {
        cmocka_unit_test(types_of_a_file_come_first),
        cmocka_unit_test(what_is_no_type_is_refused),
        cmocka_unit_test(room_for_types_is_bounded),
        cmocka_unit_test(panels_types_are_known),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(what_is_unknown_is_bytes),
        cmocka_unit_test(a_name_without_folder_will_do),
        cmocka_unit_test(a_file_of_types_is_read),
        cmocka_unit_test(a_fifo_in_the_place_of_the_file_is_not_waited_for),
        cmocka_unit_test(mistakes_in_a_file_of_types_are_told_with_their_line),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
