// What keeps other sites' pages, foreign names and crowds behind a proxy away from the panel.
#include <initializer_list>

#include "base/text.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_static = "GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

// ---- foreign names --------------------------------------------------------------------------------------------------

Client& ask_host(Scene& scene, std::string_view method, std::string_view host) {
    Buffer request;
    request.append(method).append(" /static.txt HTTP/1.1\r\nHost: ").append(host).append("\r\n\r\n");
    return scene.client_with(request.view());
}

void a_captive_portal_leads_to_its_own_name(Scene& scene) {
    scene.set("server.unknown_host", "redirect http://router.lan/welcome?x=1");
    scene.set("site.host", "router.lan");
    scene.start();
    for (const std::string_view host : {"connectivity-check.example", "captive.example:80"}) {
        Client& lost = ask_host(scene, "GET", host);
        expect_reply(lost, 302, "");
        check_text(lost.reply().field("Location"), "http://router.lan/welcome?x=1");
        check_text(lost.reply().field("Cache-Control"), "no-store");
        // The same connection goes on.
        assert_true(lost.send("GET /static.txt HTTP/1.1\r\nHost: router.lan\r\n\r\n"));
        expect_reply(lost, 200, "static");
    }
    Client& form = ask_host(scene, "POST", "captive.example");
    expect_status(form, 421);
    Client& address = ask_host(scene, "GET", "192.168.1.1");
    expect_reply(address, 200, "static");
}

// ---- other sites' pages ---------------------------------------------------------------------------------------------

Client& post_from(Scene& scene, std::string_view method, std::string_view field) {
    Buffer request;
    request.append(method).append(" /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n");
    return scene.client_with(request.append(field).append("\r\n\r\nhi").view());
}

void forms_of_other_sites_are_refused(Scene& scene) {
    scene.set("site.origin_check", "yes");
    scene.listen_php();
    scene.responder.start(scene.php, [](const PhpConnection& /*request*/, Buffer& cgi) { cgi.append(hello); });
    scene.start();
    for (const std::string_view field :
         {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.example", "Origin: null"}) {
        Client& foreign = post_from(scene, "POST", field);
        expect_status(foreign, 403);
    }
    assert_int_equal(scene.responder.requests(), 0);
    assert_int_equal(scene.log.count("403: sent by a page of another site (see `origin_check`)"), 4);
    for (const std::string_view field : {"Sec-Fetch-Site: same-origin", "Origin: http://localhost", "X: no browser"}) {
        Client& own = post_from(scene, "POST", field);
        expect_reply(own, 200, "hello");
    }
    Client& link = scene.client_with("GET /t.php HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n");
    expect_reply(link, 200, "hello");
    scene.responder.stop();
}

void without_the_key_forms_come_from_anywhere(Scene& scene) {
    scene.listen_php();
    scene.responder.start(scene.php, [](const PhpConnection& /*request*/, Buffer& cgi) { cgi.append(hello); });
    scene.start();
    Client& foreign = post_from(scene, "POST", "Sec-Fetch-Site: cross-site");
    expect_reply(foreign, 200, "hello");
    scene.responder.stop();
}

// ---- files are what their type says ---------------------------------------------------------------------------------

void files_forbid_sniffing(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_static);
    expect_reply(client, 200, "static");
    check_text(client.reply().field("X-Content-Type-Options"), "nosniff");
    assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-1\r\n\r\n"));
    expect_reply(client, 206, "st");
    check_text(client.reply().field("X-Content-Type-Options"), "nosniff");
    assert_true(client.send(get_script));
    assert_true(scene.take().answer(hello));
    expect_reply(client, 200, "hello");
    assert_int_equal(client.reply().count("X-Content-Type-Options"), 0);
}

// ---- crowds behind a proxy ------------------------------------------------------------------------------------------

Client& ask_through_proxy(Scene& scene, std::string_view address) {
    Buffer request;
    request.append("GET /t.php HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ");
    return scene.client_with(request.append(address).append("\r\n\r\n").view());
}

void who_comes_through_a_proxy_is_counted_too(Scene& scene) {
    scene.set("server.max_connections_per_client", "2");
    scene.set("site.trusted_proxy", "127.0.0.1");
    scene.set("site.trusted_proxy", "unix");
    scene.start();
    Client* clients[3];
    PhpConnection* php[3];
    for (size_t i = 0; i < 2; ++i) {
        clients[i] = &ask_through_proxy(scene, "10.1.1.1");
        php[i] = &scene.take();
    }
    Client& third = ask_through_proxy(scene, "10.1.1.1");
    expect_status(third, 503);
    assert_true(scene.log.has("10.1.1.1: GET /t.php: 503: too many requests through a proxy"));
    // The proxy's connection is kept for others.
    assert_true(third.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.1.1.2\r\n\r\n"));
    expect_reply(third, 200, "static");
    // One who asks for nobody is not counted, nor is anybody twice.
    clients[2] = &ask_through_proxy(scene, "10.1.1.2");
    php[2] = &scene.take();
    for (size_t i = 0; i < 3; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
    for (int i = 0; i < 4; ++i) {
        Client& again = ask_through_proxy(scene, "10.1.1.1");
        assert_true(scene.take().answer(hello));
        expect_reply(again, 200, "hello");
    }
}

// Of a connection's requests each says for itself whose it is, and what is refused before that is of whoever has the connection.
void who_asked_before_is_not_blamed(Scene& scene) {
    scene.set("site.trusted_proxy", "127.0.0.1");
    scene.set("site.trusted_proxy", "unix");
    scene.start();
    Client& client = scene.client_with(
        "GET /static.txt HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.1.1.1\r\n\r\n"
        "GET /static.txt HTTP/1.1\r\nHost: other..example\r\n\r\n");
    expect_reply(client, 200, "static");
    expect_status(client, 400);
    assert_int_equal(scene.log.count("10.1.1.1"), 0);
}

// Nor are those of this machine, who come through a proxy on it.
void loopback_has_no_share_behind_a_proxy_either(Scene& scene) {
    scene.set("server.max_connections_per_client", "1");
    scene.set("site.trusted_proxy", "127.0.0.1");
    scene.set("site.trusted_proxy", "unix");
    scene.start();
    Client* clients[2];
    PhpConnection* php[2];
    for (size_t i = 0; i < 2; ++i) {
        clients[i] = &ask_through_proxy(scene, "127.0.0.9");
        php[i] = &scene.take();
    }
    for (size_t i = 0; i < 2; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
}

void who_claims_a_proxy_is_not_believed(Scene& scene) {
    scene.set("server.max_connections_per_client", "1");
    scene.start();
    Client& first = ask_through_proxy(scene, "10.1.1.1");
    PhpConnection& first_php = scene.take();
    Client& second = ask_through_proxy(scene, "10.1.1.1");
    assert_true(scene.take().answer(hello) && first_php.answer(hello));
    expect_reply(second, 200, "hello");
    expect_reply(first, 200, "hello");
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(a_captive_portal_leads_to_its_own_name),      FCGATE_CASE(forms_of_other_sites_are_refused),
        FCGATE_CASE(without_the_key_forms_come_from_anywhere),    FCGATE_CASE(files_forbid_sniffing),
        FCGATE_CASE(who_comes_through_a_proxy_is_counted_too),    FCGATE_CASE(who_asked_before_is_not_blamed),
        FCGATE_CASE(loopback_has_no_share_behind_a_proxy_either), FCGATE_CASE(who_claims_a_proxy_is_not_believed),
    };
    static constexpr Variant variants[] = {{.name = "TCP"}, {.name = "unix front", .front_is_local = true}};
    return play("defences", cases, variants);
}
