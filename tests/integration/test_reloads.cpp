// Reloads that cannot be: each is refused with the reason, and everything goes on as it was.
#include <cstring>

#include "base/features.hpp"
#include "fcgate/fcgate.h"
#include "scene.hpp"
#include "two_threads.hpp"

namespace {

using namespace fcgate::test;
using fcgate::Text;

struct Key {
    const char* name;
    const char* value;
};

void start(Scene& scene) {
    scene.set("backend:other.address", "127.0.0.1:1");
    scene.set("backend:other.address", "127.0.0.1:2");
    scene.set("backend:other.workers", "2");
    scene.start();
}

// The settings as they were at the start, but for these.
int reload(Scene& scene, std::span<const Key> changes, fcgate_error& error) {
    fcgate_settings* const changed = fcgate_settings_create();
    Text<16> listen("fd:");
    listen.append_number(static_cast<unsigned>(scene.listener()));
    const Key keys[] = {
        {"server.listen", listen.c_str()},
        {"site.root", scene.tree.path()},
        {"backend.address", scene.php_address.c_str()},
        {"backend.workers", "4"},
        {"backend:other.address", "127.0.0.1:1"},
        {"backend:other.address", "127.0.0.1:2"},
        {"backend:other.workers", "2"},
    };
    for (const Key& key : keys) {
        assert_int_equal(fcgate_set(changed, key.name, key.value, &error), FCGATE_OK);
    }
    for (const Key& key : changes) {
        if (key.name != nullptr && fcgate_set(changed, key.name, key.value, &error) != FCGATE_OK) {
            print_error("%s\n", error.text);
            _fail(__FILE__, __LINE__);
        }
    }
    return scene.reload(changed, error);
}

void what_needs_a_restart_is_refused(Scene& scene) {
    start(scene);
    constexpr struct {
        Key changes[3];
        const char* words;
    } all[] = {
        {{{"backend.queue", "512"}}, "queue: larger than any was at the start: that needs a restart"},
        {{{"backend.workers", "100"}},
         "workers: more in all, with those that end, than there is room for: that needs a restart"},
        {{{"backend:third.address", "127.0.0.1:3"},
          {"backend:fourth.address", "127.0.0.1:4"},
          {"backend:fifth.address", "127.0.0.1:5"}},
         "too many backends, with those that end: that needs a restart"},
        {{{fcgate::features::spawn ? "backend:third.address" : nullptr, "spawn"}},
         "address = spawn where it was not: that needs a restart"},
        {{{"site.root", "/no/such/folder"}}, "root"},
        {{{"server.listen", "unix:/no/such/folder/x.sock"}}, "listen unix:/no/such/folder/x.sock: bind: "},
        {{{"site:second.root", "/"}}, "[site second] host: not set"},
    };
    for (const auto& one : all) {
        if (one.changes[0].name == nullptr) {
            continue;
        }
        scene.about = one.words;
        fcgate_error error{};
        const size_t descriptors = open_descriptors();
        assert_true(reload(scene, one.changes, error) != FCGATE_OK);
        if (std::string_view(error.text).find(one.words) == std::string_view::npos) {
            check_text(error.text, one.words);
        }
        // Fewer when the server has closed what was served before.
        assert_true(open_descriptors() <= descriptors);
        scene.expect_served();
    }
}

// Capacities and the like are kept as they were, and it is said.
void what_stays_as_it_was_is_told(Scene& scene) {
    start(scene);
    fcgate_error error{};
    constexpr Key changes[] = {
        {"server.max_connections", "10"}, {"server.exchanges", "9"}, {"site.header", "X-Now yes"}};
    assert_int_equal(reload(scene, changes, error), FCGATE_OK);
    assert_true(scene.log.has("warning: these change with a restart only: max_connections, exchanges"));
    Client& client = scene.client_with("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_reply(client, 200, "static");
    check_text(client.reply().field("X-Now"), "yes");
}

// A backend is the same where its name and all its servers are.
void a_backend_that_moves_is_another(Scene& scene) {
    start(scene);
    fcgate_error error{};
    constexpr Key moved[] = {{"backend:other.address", nullptr},
                             {"backend:other.address", "127.0.0.1:1"},
                             {"backend:other.address", "127.0.0.1:3"}};
    assert_int_equal(reload(scene, moved, error), FCGATE_OK);
    scene.expect_served();
    constexpr Key fewer[] = {{"backend:other.address", nullptr}, {"backend:other.address", "127.0.0.1:1"}};
    assert_int_equal(reload(scene, fewer, error), FCGATE_OK);
    scene.expect_served();
    assert_int_equal(scene.log.count("a new configuration is in force"), 2);
}

// Places that end are given on beside the new ones; there is room for the grants of so many.
void workers_of_a_backend_that_ends_count(Scene& scene) {
    start(scene);
    fcgate_error error{};
    constexpr Key more[] = {{"backend:other.workers", "50"}};
    constexpr Key elsewhere[] = {{"backend:other.workers", "50"}, {"backend:other.address", "127.0.0.1:3"}};
    assert_int_equal(reload(scene, more, error), FCGATE_OK);
    scene.expect_served();
    assert_true(reload(scene, elsewhere, error) != FCGATE_OK);
    check_text(error.text, "workers: more in all, with those that end, than there is room for: that needs a restart");
    // Those of one that stays count once.
    assert_int_equal(reload(scene, more, error), FCGATE_OK);
    scene.expect_served();
}

// ... and for twice as many as at the start, however many those were.
void many_workers_may_move(Scene& scene) {
    scene.set("backend:other.address", "127.0.0.1:1");
    scene.set("backend:other.workers", "90");
    scene.start();
    fcgate_error error{};
    constexpr Key elsewhere[] = {{"backend:other.workers", "90"}};
    assert_int_equal(reload(scene, elsewhere, error), FCGATE_OK);
    scene.expect_served();
}

// Its places are there for whichever thread hears of it first.
void a_new_backend_has_its_places_at_once(Scene& scene) {
    TwoThreads::set(scene);
    scene.set("backend:other.address", "127.0.0.1:1");
    scene.make();
    TwoThreads threads(scene);
    threads.hold_first();
    fcgate_error error{};
    const Key moved[] = {{"backend:moved.address", scene.php_address.c_str()}, {"site.backend", "moved"}};
    assert_int_equal(reload(scene, moved, error), FCGATE_OK);
    Client& client = threads.of_second();
    assert_true(client.send("GET /t.php HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"));
    assert_true(scene.take().answer(hello));
    expect_reply(client, 200, "hello");
    threads.let_go();
    threads.stop(0);
    threads.join();
}

// ... also where its gate had another one's queue.
void nothing_has_waited_for_a_new_backend(Scene& scene) {
    static char text[FCGATE_STATUS_MAX];
    start(scene);
    fcgate_error error{};
    const Key moved[] = {{"backend:moved.address", scene.php_address.c_str()},
                         {"backend:moved.workers", "1"},
                         {"site.backend", "moved"}};
    assert_int_equal(reload(scene, moved, error), FCGATE_OK);
    Client& first = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Client& second = scene.client_with(get_script);
    scene.settle();
    assert_true(php.answer(hello));
    expect_reply(first, 200, "hello");
    assert_true(scene.take().answer(hello));
    expect_reply(second, 200, "hello");
    constexpr Key third[] = {{"backend:third.address", "127.0.0.1:3"}};
    assert_int_equal(reload(scene, third, error), FCGATE_OK);
    scene.expect_served();
    constexpr Key fourth[] = {{"backend:fourth.address", "127.0.0.1:4"}};
    assert_int_equal(reload(scene, fourth, error), FCGATE_OK);
    if (fcgate_status(scene.server, FCGATE_STATUS_JSON, text, sizeof text) != FCGATE_OK) {
        return;  // built without it
    }
    const char* const part = strstr(text, "\"fourth\"");
    assert_non_null(part);
    assert_non_null(strstr(part, "\"waiting_most\":0,"));
}

void a_server_that_stops_is_not_reloaded(Scene& scene) {
    start(scene);
    // It has something to end still.
    (void)scene.client_with(get_script);
    PhpConnection& php = scene.take();
    fcgate_stop(scene.server, 60'000);
    fcgate_error error{};
    assert_int_equal(reload(scene, {}, error), FCGATE_GONE);
    check_text(error.text, "the server is being stopped");
    assert_true(php.answer(hello));
}

// The second one lies where that of the start was.
void a_host_that_was_known_is_unknown_after_two_reloads(Scene& scene) {
    scene.set("site.host", "old.lan");
    scene.start();
    constexpr std::string_view request = "GET /static.txt HTTP/1.1\r\nHost: old.lan\r\n\r\n";
    Client& client = scene.client_with(request);
    expect_reply(client, 200, "static");
    fcgate_error error{};
    for (const char* const name : {"old.lan", "new.lan"}) {
        const Key changes[] = {{"site.host", name}};
        assert_int_equal(reload(scene, changes, error), FCGATE_OK);
    }
    assert_true(client.send(request));
    expect_status(client, 421);
}

void whoever_opens_the_front_page_need_not_wonder(Scene& scene) {
    scene.set("site.front_controller", "/app.php");
    scene.start();
    assert_true(scene.log.has("warning: front_controller = /app.php: there is no such file below "));
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(what_needs_a_restart_is_refused),
        FCGATE_CASE(what_stays_as_it_was_is_told),
        FCGATE_CASE(a_backend_that_moves_is_another),
        FCGATE_CASE(workers_of_a_backend_that_ends_count),
        FCGATE_CASE(many_workers_may_move),
        FCGATE_CASE(a_new_backend_has_its_places_at_once),
        FCGATE_CASE(nothing_has_waited_for_a_new_backend),
        FCGATE_CASE(a_server_that_stops_is_not_reloaded),
        FCGATE_CASE(a_host_that_was_known_is_unknown_after_two_reloads),
        FCGATE_CASE(whoever_opens_the_front_page_need_not_wonder),
    };
    static constexpr Variant variants[] = {{.name = "one thread"}};
    return play("reloads", cases, variants);
}
