// Folders and files without a script: lists, redirects, coded siblings, how long to keep them; and names that no site has.
#include <iterator>

#include "base/features.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;
using fcgate::Text;

Client& ask(Scene& scene, std::string_view head, std::string_view fields = {}, std::string_view host = "localhost") {
    Buffer request;
    request.append(head).append(" HTTP/1.1\r\nHost: ").append(host).append("\r\n").append(fields).append("\r\n");
    Client& client = scene.client_with(request.view());
    assert_true(client.read(fcgate::starts_with(head, "HEAD ")));
    return client;
}

[[nodiscard]] bool has(const HttpReply& reply, std::string_view words) {
    return reply.body.view().find(words) != std::string_view::npos;
}

void make_folders(Scene& scene) {
    scene.tree.folder("shown");
    scene.tree.folder("shown/below");
    scene.tree.file("shown/a&b.txt", "hello");
    scene.tree.file("shown/.hidden");
}

void a_folder_is_listed(Scene& scene) {
    make_folders(scene);
    scene.set("site.listing", "yes");
    scene.start();
    const HttpReply& reply = ask(scene, "GET /shown/").reply();
    assert_int_equal(reply.status, 200);
    check_text(reply.field("Content-Type"), "text/html; charset=utf-8");
    check_text(reply.field("Cache-Control"), "no-cache");
    assert_true(has(reply, "<h1>/shown/</h1>") && has(reply, ">a&#38;b.txt</a>") && has(reply, "./below/"));
    assert_true(!has(reply, ".hidden"));
    Client& asked = ask(scene, "HEAD /shown/");
    assert_int_equal(asked.reply().status, 200);
    assert_int_equal(asked.reply().length, reply.body.size());
    assert_true(asked.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    expect_reply(asked, 200, "static");
    const HttpReply& options = ask(scene, "OPTIONS /shown/").reply();
    assert_int_equal(options.status, 204);
    check_text(options.field("Allow"), "GET, HEAD, OPTIONS");
    assert_int_equal(options.count("Content-Type"), 0);
    assert_int_equal(ask(scene, "DELETE /shown/").reply().status, 405);
    assert_int_equal(ask(scene, "GET /none/").reply().status, 404);
}

// More than a page holds is cut off at an entry, and said.
void a_large_folder_is_listed_as_far_as_it_goes(Scene& scene) {
    scene.tree.folder("many");
    for (unsigned i = 0; i < 720; ++i) {
        Text<256> name("many/");
        name.append_padded(i, 3);
        while (name.size() < 240) {
            name.append("-and-so-on");
        }
        scene.tree.file(name.c_str());
    }
    scene.set("site.listing", "yes");
    scene.start();
    const HttpReply& reply = ask(scene, "GET /many/").reply();
    assert_int_equal(reply.status, 200);
    assert_true(has(reply, "There is more in this folder") && reply.body.view().ends_with("</html>\n"));
    assert_true(reply.body.size() > 100'000);
}

// The memory for lists is carved at the start, or never.
void a_first_list_needs_a_restart(Scene& scene) {
    make_folders(scene);
    scene.start();
    assert_int_equal(ask(scene, "GET /shown/").reply().status, 404);
    fcgate_error error{};
    fcgate_settings* const changed = fcgate_settings_create();
    Text<16> listen("fd:");
    listen.append_number(static_cast<unsigned>(scene.listener()));
    const struct {
        const char* name;
        const char* value;
    } keys[] = {
        {"site.listing", "yes"},
        {"site.root", scene.tree.path()},
        {"server.listen", listen.c_str()},
        {"backend.address", "unix:/nobody"},
    };
    for (const auto& key : keys) {
        assert_int_equal(fcgate_set(changed, key.name, key.value, &error), FCGATE_OK);
    }
    assert_true(fcgate_reload(scene.server, changed, &error) != FCGATE_OK);
    check_text(error.text, "listing = yes where no site had it: that needs a restart");
    fcgate_settings_destroy(changed);
    assert_int_equal(ask(scene, "GET /shown/").reply().status, 404);
}

void a_folder_without_its_slash_is_redirected(Scene& scene) {
    scene.tree.folder("a b");
    scene.start();
    const HttpReply& reply = ask(scene, "GET /a%20b").reply();
    assert_int_equal(reply.status, 308);
    check_text(reply.field("Location"), "/a%20b/");
    check_text(ask(scene, "GET /a%20b?x=y").reply().field("Location"), "/a%20b/?x=y");
}

void times_to_keep_go_by_the_longest_path(Scene& scene) {
    scene.tree.folder("assets");
    scene.tree.folder("assets/now");
    for (const char* const file : {"assets/a.css", "assets/now/a.css", "page.html"}) {
        scene.tree.file(file, "x");
    }
    scene.set("site.expires", "/assets/now 0");
    scene.set("site.expires", "/assets 1h");
    scene.start();
    check_text(ask(scene, "GET /assets/a.css").reply().field("Cache-Control"), "max-age=3600");
    check_text(ask(scene, "GET /assets/now/a.css").reply().field("Cache-Control"), "no-cache");
    assert_int_equal(ask(scene, "GET /page.html").reply().count("Cache-Control"), 0);
}

// The coded file that the client would rather have; none that is older than its original.
void coded_siblings_are_chosen(Scene& scene) {
    constexpr struct {
        const char* name;
        std::string_view content;
        int64_t changed;
    } files[] = {
        {"a.css", "plain", 1000},  {"a.css.gz", "gzip", 1000}, {"a.css.br", "brotli", 2000}, {"b.css", "plain", 1000},
        {"b.css.gz", "gzip", 999}, {"c.css", "plain", 1000},   {"c.css.gz", "gzip", 1000},
    };
    for (const auto& file : files) {
        scene.tree.file(file.name, file.content);
        // Seconds alone do not tell the last two apart.
        scene.tree.modified(file.name, file.changed, std::string_view(file.name) == "c.css" ? 5 : 0);
    }
    scene.tree.folder("b.css.br");
    scene.set("site.precompressed", "yes");
    scene.start();
    constexpr struct {
        std::string_view head;
        std::string_view accepts;
        std::string_view body;
        std::string_view coding;
        bool varies;
    } all[] = {
        {"GET /a.css", "", "plain", "", true},
        {"GET /a.css", "Accept-Encoding: gzip\r\n", "gzip", "gzip", true},
        {"GET /a.css", "Accept-Encoding: gzip, br\r\n", "brotli", "br", true},
        {"GET /a.css", "Accept-Encoding: gzip, br;q=0.5\r\n", "gzip", "gzip", true},
        {"GET /a.css", "Accept-Encoding: identity;q=0.9, gzip;q=0.5\r\n", "plain", "", true},
        {"GET /a.css", "Accept-Encoding: br;q=0\r\n", "plain", "", true},
        {"GET /b.css", "Accept-Encoding: gzip, br\r\n", "plain", "", false},
        {"GET /c.css", "Accept-Encoding: gzip\r\n", "plain", "", false},
    };
    for (const auto& one : all) {
        scene.about = one.accepts.data();
        const HttpReply& reply = ask(scene, one.head, one.accepts).reply();
        assert_int_equal(reply.status, 200);
        expect_same(reply.body.view(), one.body);
        check_text(reply.field("Content-Encoding"), one.coding);
        check_text(reply.field("Vary"), one.varies ? "Accept-Encoding" : "");
    }
}

// While a request waits for PHP others are routed; what it asked for is worked out again when its turn comes.
void who_waits_gets_the_script_that_was_asked_for(Scene& scene) {
    scene.tree.folder("dir");
    for (const char* const script : {"dir/index.php", "front.php"}) {
        scene.tree.file(script);
    }
    scene.set("backend.workers", "1");
    scene.set("site.front_controller", "/front.php");
    scene.start();
    Client& first = scene.client_with(get_script);
    PhpConnection& busy = scene.take();
    constexpr struct {
        std::string_view target;
        std::string_view script;
        std::string_view path_info;
    } all[] = {
        {"/dir/", "/dir/index.php", ""},
        {"/t.php/more/info", "/t.php", "/more/info"},
        {"/some/page", "/front.php", ""},
    };
    Client* clients[std::size(all)];
    for (size_t i = 0; i < std::size(all); ++i) {
        Buffer request;
        request.append("GET ").append(all[i].target).append("?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n");
        clients[i] = &scene.client_with(request.view());
        scene.settle();
    }
    assert_true(busy.answer(hello));
    expect_reply(first, 200, "hello");
    for (size_t i = 0; i < std::size(all); ++i) {
        scene.about = all[i].target.data();
        PhpConnection& php = scene.take();
        check_text(php.param("SCRIPT_NAME"), all[i].script);
        check_text(php.param("PATH_INFO"), all[i].path_info);
        check_text(php.param("QUERY_STRING"), "a=b");
        assert_true(php.answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
}

void a_script_outside_is_not_run(Scene& scene) {
    scene.tree.link("/etc/passwd", "out.php");
    scene.start();
    const HttpReply& reply = ask(scene, "GET /out.php").reply();
    assert_int_equal(reply.status, 403);
    assert_true(scene.log.has("403: a link leads to the script out of the root (see `links_to`) [forbidden]"));
    assert_false(scene.php.has_caller());
}

// A captive portal's way; and without it such a name is refused.
void a_name_of_nobody_is_led_to_the_portal(Scene& scene) {
    scene.set("site.host", "panel.lan");
    scene.set("server.unknown_host", "redirect http://panel.lan/welcome");
    scene.start();
    const HttpReply& reply = ask(scene, "GET /generate_204", {}, "connectivity.example").reply();
    assert_int_equal(reply.status, 302);
    check_text(reply.field("Location"), "http://panel.lan/welcome");
    check_text(reply.field("Cache-Control"), "no-store");
    assert_int_equal(ask(scene, "HEAD /x", {}, "a.example").reply().status, 302);
    assert_int_equal(ask(scene, "DELETE /x", {}, "a.example").reply().status, 421);
    assert_int_equal(ask(scene, "GET /static.txt", {}, "panel.lan").reply().status, 200);
}

}  // namespace

int main() {
    static constexpr Case always[] = {
        FCGATE_CASE(a_folder_without_its_slash_is_redirected),
        FCGATE_CASE(times_to_keep_go_by_the_longest_path),
        FCGATE_CASE(coded_siblings_are_chosen),
        FCGATE_CASE(who_waits_gets_the_script_that_was_asked_for),
        FCGATE_CASE(a_script_outside_is_not_run),
        FCGATE_CASE(a_name_of_nobody_is_led_to_the_portal),
    };
    static constexpr Case listing[] = {
        FCGATE_CASE(a_folder_is_listed),
        FCGATE_CASE(a_large_folder_is_listed_as_far_as_it_goes),
        FCGATE_CASE(a_first_list_needs_a_restart),
    };
    static constexpr Variant variants[] = {{.name = "one thread"}};
    const int failed = play("folders", always, variants);
    return fcgate::features::listing ? failed + play("listing", listing, variants) : failed;
}
