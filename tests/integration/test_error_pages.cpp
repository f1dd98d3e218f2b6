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
          "403 /errors/none.html", "510 /t.php", "451 /.hidden", "404 405 /errors/never.html"}) {
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
        {"Status: 510 More\r\n\r\nthe script", 510, "510: the page /t.php cannot be sent"},
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

// As above, with a script for 404, 405 and 410, and one that is not there.
void start_with_script(Scene& scene) {
    scene.tree.folder("errors");
    scene.tree.file("errors/page.php");
    scene.set("site.error_page", "404 405 410 413 /errors/page.php");
    scene.set("site.error_page", "403 416 /errors/none.php");
    scene.set("site.header", "X-Site yes");
    scene.set("site.intercept_errors", "yes");
    scene.set("site.max_body", "1k");
    scene.start();
}

void a_script_makes_the_page(Scene& scene) {
    start_with_script(scene);
    Client& client = ask(scene, "GET /a%20b/c?d=e", "X-Own: 1\r\n");
    PhpConnection& php = scene.take();
    check_text(php.param("SCRIPT_NAME"), "/errors/page.php");
    Buffer file;
    check_text(php.param("SCRIPT_FILENAME"), file.append(scene.tree.path()).append("/errors/page.php").view());
    check_text(php.param("REDIRECT_STATUS"), "404");
    check_text(php.param("REQUEST_URI"), "/a%20b/c?d=e");
    check_text(php.param("QUERY_STRING"), "d=e");
    check_text(php.param("REQUEST_METHOD"), "GET");
    check_text(php.param("HTTP_X_OWN"), "1");
    assert_false(php.has_param("PATH_INFO"));
    assert_true(php.answer("Content-Type: text/x-page\r\nX-Page: 1\r\n\r\nnot here"));
    expect_reply(client, 404, "not here");
    check_text(client.reply().field("Content-Type"), "text/x-page");
    check_text(client.reply().field("X-Page"), "1");
    assert_int_equal(client.reply().count("X-Site"), 1);
    // The connection goes on, and the next script is asked as ever.
    assert_true(client.send(get_script));
    PhpConnection& next = scene.take();
    check_text(next.param("REDIRECT_STATUS"), "200");
    assert_true(next.answer(hello));
    expect_reply(client, 200, "hello");
    // A HEAD has its head.
    Client& head = ask(scene, "HEAD /nothing");
    PhpConnection& third = scene.take();
    check_text(third.param("REQUEST_METHOD"), "HEAD");
    assert_true(third.answer("Content-Length: 8\r\n\r\n"));
    assert_true(head.read(true));
    assert_int_equal(head.reply().status, 404);
    assert_int_equal(head.reply().length, 8);
}

void the_status_stays_whatever_the_script_says(Scene& scene) {
    start_with_script(scene);
    // Nor does an error of its own lead to it again.
    for (const char* const answer :
         {"Status: 200 OK\r\n\r\npage", "Status: 410 Gone\r\n\r\npage", "Location: /elsewhere\r\n\r\npage"}) {
        Client& client = ask(scene, "GET /nothing");
        assert_true(scene.take().answer(answer));
        expect_reply(client, 404, "page");
    }
    // Where it fails the page is fcgate's own.
    Client& client = ask(scene, "GET /nothing");
    scene.take().close();
    scene.take().close();  // a GET on a kept connection is tried again
    expect_status(client, 404);
    assert_true(client.reply().body.view().find("<h1") != std::string_view::npos);
    assert_int_equal(client.reply().count("X-Site"), 1);
    assert_true(scene.log.has("GET /nothing: 502: backend "));
}

void a_scripts_error_has_its_page_by_another(Scene& scene) {
    start_with_script(scene);
    Client& client = ask(scene, "GET /t.php/x");
    PhpConnection& php = scene.take();
    assert_true(php.out("Status: 410 Gone\r\nX-First: 1\r\n\r\nsome of"));
    PhpConnection& second = scene.accept();
    assert_true(second.read_request());
    check_text(second.param("REDIRECT_STATUS"), "410");
    check_text(second.param("SCRIPT_NAME"), "/errors/page.php");
    assert_true(php.out(" its body") && php.end());
    assert_true(second.answer("X-Page: 1\r\n\r\npage"));
    expect_reply(client, 410, "page");
    assert_int_equal(client.reply().count("X-First"), 0);
    scene.expect_served();
}

void not_every_request_asks_a_script(Scene& scene) {
    scene.set("site.deny", "127.0.0.9");
    scene.set("site.no_scripts", "/static");
    start_with_script(scene);
    // Who is not let in reaches no PHP; nor does a body that would have to be read first, or what is no question for a page.
    Client& denied = scene.client("127.0.0.9");
    assert_true(denied.send("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    expect_status(denied, 403);
    expect_status(ask(scene, "DELETE /static.txt"), 405);
    expect_status(ask(scene, "GET /nothing", "Content-Length: 1\r\n", "x"), 404);
    expect_status(ask(scene, "POST /t.php", "Content-Length: 100000\r\n", "x"), 413);
    assert_false(scene.php.has_caller());
    assert_int_equal(scene.log.count("[error-page]"), 0);
    // One that is not there is told of.
    expect_status(ask(scene, "GET /static.txt", "Range: bytes=99-\r\n"), 416);
    assert_true(scene.log.has("416: the page /errors/none.php cannot be sent (see `error_page`) [error-page]"));
}

void a_page_by_a_script_waits_at_the_gate(Scene& scene) {
    scene.set("backend.workers", "1");
    start_with_script(scene);
    Client& first = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Client& second = ask(scene, "GET /nothing");
    Client& third = ask(scene, "GET /nothing/either");
    scene.settle();
    third.close();
    assert_true(php.answer(hello));
    expect_reply(first, 200, "hello");
    assert_true(scene.take().answer("X: y\r\n\r\npage"));
    expect_reply(second, 404, "page");
    scene.expect_served();
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
        FCGATE_CASE(a_script_makes_the_page),
        FCGATE_CASE(the_status_stays_whatever_the_script_says),
        FCGATE_CASE(a_scripts_error_has_its_page_by_another),
        FCGATE_CASE(not_every_request_asks_a_script),
        FCGATE_CASE(a_page_by_a_script_waits_at_the_gate),
    };
    static constexpr Variant variants[] = {{.name = "one thread"}, {.name = "TCP", .php_over_tcp = true}};
    return play("error_pages", cases, variants);
}
