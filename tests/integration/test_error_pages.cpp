// Errors that the site has pages of its own for: fcgate's, and with intercept_errors those of scripts.
#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view missing = "<p>it is not here</p>\n";
constexpr std::string_view refused = "<p>no</p>\n";
constexpr std::string_view broken = "<p>later</p>\n";

void start(Scene& scene) {
    scene.tree.folder("errors");
    scene.tree.file("errors/missing.html", missing);
    scene.tree.file("errors/refused.html", refused);
    scene.tree.file("errors/broken.html", broken);
    for (const char* const page :
         {"404 /errors/missing.html", "405 413 /errors/refused.html", "500 502 503 /errors/broken.html",
          "403 /errors/none.html", "410 /t.php", "451 /.hidden", "404 405 /errors/never.html"}) {
        scene.set("site.error_page", page);
    }
    scene.set("site.header", "X-Site yes");
    scene.set("site.max_body", "1k");
    scene.set("site.intercept_errors", "yes");
    scene.set("site.internal", "/inside");
    scene.start();
}

Client& ask(Scene& scene, std::string_view head, std::string_view fields = {}, std::string_view body = {}) {
    Buffer request;
    request.append(head).append(" HTTP/1.1\r\nHost: localhost\r\n").append(fields).append("\r\n").append(body);
    return scene.client_with(request.view());
}

// The site's page, told as a page and not as the file that it comes from.
void expect_page(Client& client, unsigned status, std::string_view page) {
    expect_reply(client, status, page);
    const HttpReply& reply = client.reply();
    check_text(reply.field("Content-Type"), "text/html; charset=utf-8");
    check_text(reply.field("X-Site"), "yes");
    assert_int_equal(reply.count("Content-Type"), 1);
    assert_int_equal(reply.count("ETag") + reply.count("Last-Modified") + reply.count("Accept-Ranges"), 0);
}

void what_is_refused_has_the_pages_of_the_site(Scene& scene) {
    start(scene);
    expect_page(ask(scene, "GET /nothing"), 404, missing);
    expect_page(ask(scene, "GET /nothing", "If-None-Match: *\r\nRange: bytes=0-3\r\n"), 404, missing);
    Client& deleted = ask(scene, "DELETE /static.txt");
    expect_page(deleted, 405, refused);
    check_text(deleted.reply().field("Allow"), "GET, HEAD, OPTIONS");
    Client& large = ask(scene, "POST /t.php", "Content-Length: 100000\r\n", "x");
    expect_page(large, 413, refused);
    assert_true(large.reply().closes());
    // Before a site is known there are no pages of one.
    Client& nowhere = ask(scene, "GET /nothing HTTP/1.1\r\nHost: a b\r\nX: y\r\n\r\nGET /");
    expect_status(nowhere, 400);
    assert_true(nowhere.reply().body.view().find(missing) == std::string_view::npos);
}

void head_is_told_the_length_of_the_page(Scene& scene) {
    start(scene);
    Client& client = ask(scene, "HEAD /nothing");
    assert_true(client.read(true));
    assert_int_equal(client.reply().status, 404);
    assert_int_equal(client.reply().length, missing.size());
    // The connection is in step.
    assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    expect_reply(client, 200, "static");
}

void a_page_that_cannot_be_sent_is_told_of(Scene& scene) {
    start(scene);
    Client& client = ask(scene, "GET /inside/x");
    expect_page(client, 404, missing);
    constexpr struct {
        std::string_view answer;
        unsigned status;
        std::string_view words;
    } pages[] = {
        {"Status: 403 No\r\n\r\nthe script", 403, "403: the page /errors/none.html cannot be sent"},
        {"Status: 410 Gone\r\n\r\nthe script", 410, "410: the page /t.php cannot be sent"},
        {"Status: 451 No\r\n\r\nthe script", 451, "451: the page /.hidden cannot be sent"},
    };
    for (const auto& page : pages) {
        Client& other = ask(scene, "GET /t.php");
        assert_true(scene.take().answer(page.answer));
        expect_status(other, page.status);
        assert_true(other.reply().body.view().find("the script") == std::string_view::npos);
        assert_true(scene.log.has(page.words));
    }
    assert_int_equal(scene.log.count("[error-page]"), 3);
}

void errors_of_scripts_are_intercepted(Scene& scene) {
    start(scene);
    Client& client = ask(scene, "GET /t.php");
    PhpConnection& php = scene.take();
    assert_true(
        php.answer("Status: 503 Busy\r\nContent-Type: text/x-script\r\nContent-Language: en\r\n"
                   "ETag: \"script\"\r\nX-Sendfile: no\r\nX-Accel-Buffering: no\r\nX-Script: here\r\n"
                   "Retry-After: 77\r\nCache-Control: private\r\n\r\nthe script"));
    expect_page(client, 503, broken);
    check_text(client.reply().field("X-Script"), "here");
    // What the script says of it goes, and goes alone.
    check_text(client.reply().field("Retry-After"), "77");
    check_text(client.reply().field("Cache-Control"), "private");
    assert_int_equal(client.reply().count("Retry-After") + client.reply().count("Cache-Control"), 2);
    assert_int_equal(client.reply().count("Content-Language") + client.reply().count("X-Accel-Buffering"), 0);
    // A status without a page is the script's own, and so is what is no error.
    for (const unsigned status : {418U, 200U}) {
        Client& other = ask(scene, "GET /t.php");
        assert_true(
            scene.take().answer(status == 418 ? "Status: 418 Tea\r\n\r\nthe script" : "X: y\r\n\r\nthe script"));
        expect_reply(other, status, "the script");
    }
}

// ... and are let go on: their workers are theirs until they have ended.
void an_intercepted_script_ends_by_itself(Scene& scene) {
    start(scene);
    Client& client = ask(scene, "GET /t.php");
    PhpConnection& php = scene.take();
    assert_true(php.out("Status: 404 None\r\n\r\nsome of"));
    expect_page(client, 404, missing);
    assert_true(php.out(" its body") && php.end());
    scene.expect_served();
}

void without_intercept_errors_scripts_have_their_own(Scene& scene) {
    scene.tree.file("missing.html", missing);
    scene.set("site.error_page", "404 502 /missing.html");
    scene.start();
    Client& client = ask(scene, "GET /t.php");
    assert_true(scene.take().answer("Status: 404 None\r\n\r\nthe script's"));
    expect_reply(client, 404, "the script's");
    // What a script does wrong is fcgate's error.
    Client& other = ask(scene, "GET /t.php");
    assert_true(scene.take().raw("nonsense"));
    expect_reply(other, 502, missing);
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(what_is_refused_has_the_pages_of_the_site),
        FCGATE_CASE(head_is_told_the_length_of_the_page),
        FCGATE_CASE(a_page_that_cannot_be_sent_is_told_of),
        FCGATE_CASE(errors_of_scripts_are_intercepted),
        FCGATE_CASE(an_intercepted_script_ends_by_itself),
        FCGATE_CASE(without_intercept_errors_scripts_have_their_own),
    };
    static constexpr Variant variants[] = {{.name = "one thread"}};
    return play("error_pages", cases, variants);
}
