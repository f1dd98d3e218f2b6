#include <array>

#include "files/listing.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

namespace fcgate::files {
namespace {

struct Folder {
    Folder() {
        settings.script_suffix = ".php";
        settings.listing = true;
    }

    std::string_view show(std::string_view path, size_t memory_size = sizeof memory, size_t page_size = sizeof room) {
        TextBuffer page(std::span<char>(room).first(page_size));
        test::check_status(list_folder(site(), path, std::span<char>(memory).first(memory_size), page), Status::ok);
        return {page.c_str(), page.size()};
    }
    void shows(std::string_view path, std::string_view part, bool expected = true) {
        const std::string_view page = show(path);
        if ((page.find(part) != std::string_view::npos) != expected) {
            print_error("%.*s\n%s: %.*s\n", static_cast<int>(page.size()), page.data(), expected ? "missing" : "shown",
                        static_cast<int>(part.size()), part.data());
            _fail(__FILE__, __LINE__);
        }
    }
    [[nodiscard]] route::SiteRoot site() const { return {.settings = &settings, .fd = tree.fd()}; }

    test::TempTree tree;
    SiteSettings settings;
    alignas(8) std::array<char, 16384> memory{};
    std::array<char, 65536> room{};
};

void folders_come_first_then_files_by_name(void**) {
    Folder folder;
    for (const char* const name : {"b.txt", "a.txt", "c.txt"}) {
        folder.tree.file(name);
    }
    folder.tree.folder("z");
    folder.tree.folder("y");
    const std::string_view page = folder.show("/");
    size_t at = 0;
    for (const std::string_view name :
         {"<a href=\"./y/\">y/</a>", "./z/", "./a.txt\">a.txt</a>", "./b.txt", "./c.txt"}) {
        at = page.find(name, at);
        assert_true(at != std::string_view::npos);
    }
    folder.shows("/", "../", false);
    folder.shows("/z/", "<a href=\"../\">");
    folder.shows("/z/", "This folder is empty.");
    folder.shows("/z/", "<title>/z/</title>");
}

void sizes_and_times_are_told(void**) {
    Folder folder;
    static char content[1500 * 1024];
    folder.tree.file("small", "12345");
    folder.tree.file("middle", {content, 1434});
    folder.tree.file("large", {content, sizeof content});
    folder.tree.modified("small", 86400);
    folder.shows("/", "<span>5 B</span><time>1970-01-0");
    folder.shows("/", "<span>1.4 KiB</span>");
    folder.shows("/", "<span>1.4 MiB</span>");
}

void names_are_escaped(void**) {
    Folder folder;
    folder.tree.file("<b>&\"' #?%.txt");
    folder.tree.file("javascript:alert(1)");
    folder.shows("/", ">&#60;b&#62;&#38;&#34;&#39; #?%.txt</a>");
    folder.shows("/", "href=\"./%3Cb%3E&%22%27%20%23%3F%25.txt\"");
    folder.shows("/", "href=\"./javascript:alert(1)\"");
}

void names_do_not_turn_the_writing_round(void**) {
    Folder folder;
    folder.tree.file("photo\u202egpj.exe");
    folder.tree.file("1\u202a2\u202b3\u202c4\u202d5\u20666\u20677\u20688\u20699");
    folder.tree.file("\u05d0\u2029\u202f\u2065\u206a\xe2\x80");
    folder.shows("/", ">photo?gpj.exe</a>");
    folder.shows("/", "href=\"./photo%E2%80%AEgpj.exe\"");
    folder.shows("/", ">1?2?3?4?5?6?7?8?9</a>");
    folder.shows("/", ">\u05d0\u2029\u202f\u2065\u206a\xe2\x80</a>");
}

void what_would_be_refused_is_left_out(void**) {
    Folder folder;
    folder.tree.file(".htpasswd");
    folder.tree.file("config.php.bak");
    folder.tree.file("index.php");
    folder.tree.folder("secret");
    folder.tree.fifo("pipe");
    for (const char* const name : {"line\nbreak", "line\x7fgone", "line\\back", "line\x1f"}) {
        folder.tree.file(name);
    }
    folder.tree.link("/etc/passwd", "out");
    folder.tree.link("gone", "dangling");
    folder.tree.link("index.php", "inside");
    assert_true(folder.settings.internal.push_back("/secret/"));
    for (const std::string_view part : {".htpasswd", "config", "secret", "pipe", ">out", "dangling", "line"}) {
        folder.shows("/", part, false);
    }
    folder.shows("/", "./index.php");
    folder.shows("/", ">inside</a>");
}

void more_than_fits_is_said(void**) {
    Folder folder;
    for (size_t i = 0; i < 40; ++i) {
        Text<16> name("file");
        name.append_number(i);
        folder.tree.file(name.c_str());
    }
    constexpr std::string_view more = "There is more in this folder";
    folder.shows("/", more, false);
    assert_true(folder.show("/", 1024).find(more) != std::string_view::npos);
    const std::string_view page = folder.show("/", sizeof folder.memory, 4096);
    assert_true(page.find(more) != std::string_view::npos);
    assert_true(fcgate::ends_with(page, "</html>\n"));
}

void what_is_no_folder_cannot_be_listed(void**) {
    Folder folder;
    folder.tree.file("a.txt");
    Text<4096> page;
    test::check_status(list_folder(folder.site(), "/none/", folder.memory, page), Status::not_found);
    test::check_status(list_folder(folder.site(), "/a.txt", folder.memory, page), Status::io);
}

}  // namespace
}  // namespace fcgate::files

int main() {
    using namespace fcgate::files;
    const CMUnitTest tests[] = {
        cmocka_unit_test(folders_come_first_then_files_by_name),
        cmocka_unit_test(sizes_and_times_are_told),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(names_do_not_turn_the_writing_round),
        cmocka_unit_test(what_would_be_refused_is_left_out),
        cmocka_unit_test(more_than_fits_is_said),
        cmocka_unit_test(what_is_no_folder_cannot_be_listed),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
