// Files that a script names instead of a body of its own: X-Accel-Redirect and X-Sendfile.
#include "scene.hpp"

namespace {

using namespace fcgate::test;
using fcgate::Text;

constexpr std::string_view large = "0123456789abcdefghij";

void start(Scene& scene) {
    for (const char* const folder : {"root", "root/inside", "downloads", "elsewhere"}) {
        scene.tree.folder(folder);
    }
    for (const char* const file : {"root/inside/a b.bin", "downloads/a.bin", "elsewhere/a.bin", "root/b.bin"}) {
        scene.tree.file(file, large);
    }
    scene.tree.file("root/t.php");
    scene.tree.file("root/static.txt", "static");
    scene.tree.link("../elsewhere/a.bin", "downloads/out");
    scene.tree.link("root", "site");
    Text<96> path(scene.tree.path());
    path.append("/site");
    scene.set("site.root", path.c_str());
    path.clear();
    path.append(scene.tree.path()).append("/downloads");
    scene.set("site.sendfile_root", path.c_str());
    scene.set("site.internal", "/inside");
    scene.start();
}

// "X-Sendfile: PATH", with the tree's own path in the place of a leading "@".
void append_named(Buffer& to, const Scene& scene, std::string_view field, std::string_view path) {
    to.append(field).append(": ");
    if (path.starts_with('@')) {
        to.append(scene.tree.path());
        path.remove_prefix(1);
    }
    to.append(path).append("\r\n");
}

// What becomes of a request when its script answers so.
Client& ask(Scene& scene, std::string_view field, std::string_view path, std::string_view fields = {},
            std::string_view method = "GET", std::string_view php_fields = {}) {
    Buffer request;
    request.append(method).append(" /t.php HTTP/1.1\r\nHost: localhost\r\n").append(fields).append("\r\n");
    Client& client = scene.client_with(request.view());
    Buffer answer;
    append_named(answer, scene, field, path);
    answer.append("ETag: \"script\"\r\nX-Script: here\r\n").append(php_fields).append("\r\nits own body");
    assert_true(scene.take().answer(answer.view()));
    assert_true(client.read(method == "HEAD"));
    return client;
}

constexpr struct {
    std::string_view field;
    std::string_view path;
} ways[] = {
    {"X-Accel-Redirect", "/inside/a%20b.bin"}, {"X-Accel-Redirect", "/inside/./x/../a%20b.bin?ignored"},
    {"X-Sendfile", "@/downloads/a.bin"},       {"X-Sendfile", "@/root/inside/a b.bin"},
    {"X-Sendfile", "@/site/inside/a b.bin"},
};

void the_file_is_sent_in_the_place_of_the_body(Scene& scene) {
    start(scene);
    for (const auto& way : ways) {
        const HttpReply& reply = ask(scene, way.field, way.path, {}, "GET", "Content-Type: a/b\r\n").reply();
        assert_int_equal(reply.status, 200);
        expect_same(reply.body.view(), large);
        check_text(reply.field("Content-Type"), "a/b");
        check_text(reply.field("X-Script"), "here");
        check_text(reply.field("Accept-Ranges"), "bytes");
        assert_true(reply.field("ETag") != "\"script\"" && reply.count("ETag") == 1);
        assert_int_equal(reply.count(way.field), 0);
    }
    // Without a type of the script's the file has its own. A form may be answered so, and HEAD.
    check_text(ask(scene, ways[0].field, ways[0].path).reply().field("Content-Type"), "application/octet-stream");
    const HttpReply& posted = ask(scene, ways[0].field, ways[0].path, "Content-Length: 0\r\n", "POST").reply();
    expect_same(posted.body.view(), large);
    const HttpReply& asked = ask(scene, ways[0].field, ways[0].path, {}, "HEAD").reply();
    assert_int_equal(asked.status, 200);
    assert_int_equal(asked.length, large.size());
    scene.expect_served();
}

// Its own body is none then, and not cut short.
void the_script_may_tell_how_long_the_file_is(Scene& scene) {
    start(scene);
    Client& client = scene.client();
    PhpConnection* php = nullptr;
    for (const auto& way : ways) {
        assert_true(client.send(get_script));
        PhpConnection& asked = scene.take();
        assert_true(php == nullptr || php == &asked);
        php = &asked;
        Buffer answer;
        append_named(answer, scene, way.field, way.path);
        assert_true(php->answer(answer.append("Content-Length: 20\r\n\r\n").view()));
        expect_reply(client, 200, large);
    }
    assert_int_equal(scene.log.count("[body-short]"), 0);
}

void what_the_script_says_itself_is_not_said_twice(Scene& scene) {
    scene.set("site.expires", "/ 7d");
    scene.set("site.precompressed", "yes");
    start(scene);
    const HttpReply& own = ask(scene, "X-Accel-Redirect", "/b.bin", {}, "GET",
                               "Cache-Control: max-age=60\r\nX-Content-Type-Options: nosniff\r\n")
                               .reply();
    assert_int_equal(own.count("Cache-Control"), 1);
    check_text(own.field("Cache-Control"), "max-age=60");
    assert_int_equal(own.count("X-Content-Type-Options"), 1);
    check_text(ask(scene, "X-Accel-Redirect", "/b.bin").reply().field("Cache-Control"), "max-age=604800");
    // What lies outside the root is none of the site's paths.
    assert_int_equal(ask(scene, "X-Sendfile", "@/downloads/a.bin").reply().count("Cache-Control"), 0);
    // Where the answer depends on more than one thing, both are said.
    scene.tree.file("root/static.txt.gz", "coded");
    const HttpReply& coded =
        ask(scene, "X-Accel-Redirect", "/static.txt", "Accept-Encoding: gzip\r\n", "GET", "Vary: Cookie\r\n").reply();
    expect_same(coded.body.view(), "coded");
    check_text(coded.field("Content-Encoding"), "gzip");
    assert_int_equal(coded.count("Vary"), 2);
}

void ranges_and_conditions_are_about_the_file(Scene& scene) {
    start(scene);
    for (const auto& way : ways) {
        const HttpReply& part = ask(scene, way.field, way.path, "Range: bytes=3-5\r\n").reply();
        assert_int_equal(part.status, 206);
        expect_same(part.body.view(), "345");
        check_text(part.field("Content-Range"), "bytes 3-5/20");
        assert_int_equal(ask(scene, way.field, way.path, "If-None-Match: *\r\n").reply().status, 304);
        assert_int_equal(ask(scene, way.field, way.path, "If-Match: \"other\"\r\n").reply().status, 412);
        const HttpReply& none = ask(scene, way.field, way.path, "Range: bytes=99-\r\n").reply();
        assert_int_equal(none.status, 416);
        check_text(none.field("Content-Range"), "bytes */20");
        check_text(none.field("X-Script"), "here");
    }
    scene.expect_served();
}

void nothing_else_is_sent(Scene& scene) {
    start(scene);
    constexpr struct {
        std::string_view field;
        std::string_view path;
        unsigned status = 403;
    } files[] = {
        {"X-Sendfile", "/etc/passwd"},
        {"X-Sendfile", "@/elsewhere/a.bin"},
        {"X-Sendfile", "@/downloads/../elsewhere/a.bin"},
        {"X-Sendfile", "@/downloads/./a.bin"},
        {"X-Sendfile", "@/downloads//a.bin"},
        {"X-Sendfile", "@/downloadsx"},
        {"X-Sendfile", "@/downloads"},
        {"X-Sendfile", "@/downloads/"},
        {"X-Sendfile", "@/downloads/out"},
        {"X-Sendfile", "@/root/../elsewhere/a.bin"},
        {"X-Sendfile", "@/root/t.php"},
        {"X-Sendfile", "a.bin"},
        {"X-Sendfile", "@/downloads/none", 404},
        {"X-Accel-Redirect", "/../etc/passwd"},
        {"X-Accel-Redirect", "/t.php"},
        {"X-Accel-Redirect", "/.env"},
        {"X-Accel-Redirect", "/t.php.bak"},
        {"X-Accel-Redirect", "/TPHP~1.BAK"},
        {"X-Accel-Redirect", "/inside/"},
        {"X-Accel-Redirect", "/inside"},
        {"X-Accel-Redirect", "/%00"},
        {"X-Accel-Redirect", "http://elsewhere/"},
        {"X-Accel-Redirect", "/inside/none", 404},
    };
    for (const auto& file : files) {
        scene.about = file.path.data();
        scene.log.clear();
        const HttpReply& reply = ask(scene, file.field, file.path).reply();
        assert_int_equal(reply.status, file.status);
        assert_true(reply.body.view().find("its own") == std::string_view::npos);
        assert_int_equal(reply.count("X-Script"), 0);
        assert_true(scene.log.has(file.status == 404 ? ": 404: the script's file " : ": 403: the script's file "));
        assert_int_equal(scene.log.count("[file-not-sent]"), 1);
    }
    scene.expect_served();
}

// Without sendfile_root, the root is the only folder there is.
void without_a_folder_of_its_own(Scene& scene) {
    scene.start();
    expect_same(ask(scene, "X-Sendfile", "@/static.txt").reply().body.view(), "static");
    assert_int_equal(ask(scene, "X-Sendfile", "/etc/passwd").reply().status, 403);
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(the_file_is_sent_in_the_place_of_the_body),
        FCGATE_CASE(the_script_may_tell_how_long_the_file_is),
        FCGATE_CASE(what_the_script_says_itself_is_not_said_twice),
        FCGATE_CASE(ranges_and_conditions_are_about_the_file),
        FCGATE_CASE(nothing_else_is_sent),
        FCGATE_CASE(without_a_folder_of_its_own),
    };
    static constexpr Variant variants[] = {{.name = "one thread"}};
    return play("sendfile", cases, variants);
}
