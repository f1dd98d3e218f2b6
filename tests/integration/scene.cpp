#include "scene.hpp"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/text.hpp"

namespace fcgate::test {

// ---- the log --------------------------------------------------------------------------------------------------------

void LogLines::callback(void* self, fcgate_log_level level, const char* message) {
    static constexpr const char* names[] = {"error: ", "warning: ", "info: ", "debug: "};
    auto& log = *static_cast<LogLines*>(self);
    pthread_mutex_lock(&log.mutex_);
    log.lines_.append(names[level]).append(message).append('\n');
    pthread_cond_broadcast(&log.news_);
    pthread_mutex_unlock(&log.mutex_);
}

size_t LogLines::count(std::string_view text, std::string_view end) {
    pthread_mutex_lock(&mutex_);
    size_t found = 0;
    std::string_view rest = lines_.view();
    while (!rest.empty()) {
        const std::string_view line = slice(rest, 0, rest.find('\n') + 1);
        rest = slice(rest, line.size());
        found += line.find(text) != std::string_view::npos && ends_with(line, end) ? 1U : 0U;
    }
    pthread_mutex_unlock(&mutex_);
    return found;
}

void LogLines::clear() {
    pthread_mutex_lock(&mutex_);
    lines_.clear();
    pthread_mutex_unlock(&mutex_);
}

template <typename Condition>
bool LogLines::wait_for(Condition is_met, int64_t deadline) {
    timespec until{};
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (deadline - monotonic_ms()) / 1000 + 1;
    pthread_mutex_lock(&mutex_);
    bool met = is_met(lines_.view());
    while (!met && pthread_cond_timedwait(&news_, &mutex_, &until) == 0) {
        met = is_met(lines_.view());
    }
    pthread_mutex_unlock(&mutex_);
    return met;
}

bool LogLines::has(std::string_view text, int64_t deadline) {
    return wait_for([text](std::string_view all) { return all.find(text) != std::string_view::npos; }, deadline);
}

bool LogLines::grows_to(size_t lines, int64_t deadline) {
    const auto enough = [lines](std::string_view all) {
        return static_cast<size_t>(std::count(all.begin(), all.end(), '\n')) >= lines;
    };
    return wait_for(enough, deadline);
}

void LogLines::print() {
    pthread_mutex_lock(&mutex_);
    std::string_view rest = lines_.view();
    while (!rest.empty()) {
        const std::string_view line = split_first(rest, '\n', rest);
        print_error("  log: %.*s\n", static_cast<int>(line.size()), line.data());
    }
    pthread_mutex_unlock(&mutex_);
}

// ---- the scene ------------------------------------------------------------------------------------------------------

size_t open_descriptors() {
    DIR* const folder = opendir("/proc/self/fd");
    size_t count = 0;
    while (folder != nullptr && readdir(folder) != nullptr) {
        ++count;
    }
    closedir(folder);
    return count;
}

Scene::Scene(const Variant* variant) : variant_(*variant) {
    tree.file("t.php");
    tree.file("static.txt", "static");
    settings = fcgate_settings_create();
    fcgate_settings_set_log(settings, &LogLines::callback, &log);
    set("server.threads", variant_.threads);
    set("site.root", tree.path());
    set("backend.workers", "4");
    // Whoever is waited for until it is over has been forgotten: end_part() looks for that, on machines that stand still for seconds too.
    set("server.stop_timeout", "30s");
    listen_front();
}

Scene::~Scene() {
    for (size_t i = 0; i < client_count_; ++i) {
        destroy(clients_[i]);
    }
    responder.stop();
    if (server == nullptr && front_listener_ >= 0) {
        close(front_listener_);
    }
    end();
    fcgate_settings_destroy(settings);
}

void Scene::set(const char* name, const char* value, const char* file, int line) {
    fcgate_error error{};
    if (fcgate_set(settings, name, value, &error) != FCGATE_OK) {
        print_error("%s = %s: %s\n", name, value, error.text);
        _fail(file, line);
    }
}

void Scene::listen_front() {
    Text<128> listen;
    if (variant_.front_is_local) {
        Text<96> path;
        path.append(tree.path()).append("/front.sock");
        front = local_address(path.view());
        listen.append("unix:").append(path.view());
    } else {
        // The system chooses the port, and no other program can have it in between.
        front_listener_ = listen_on(tcp_address("127.0.0.1", 0), 512);
        front = bound_address(front_listener_);
        listen.append("fd:").append_number(static_cast<unsigned>(front_listener_));
    }
    set("server.listen", listen.c_str());
}

void Scene::listen_nowhere() {
    fcgate_error error{};
    assert_int_equal(fcgate_set(settings, "server.listen", nullptr, &error), FCGATE_OK);
    if (front_listener_ >= 0) {
        close(front_listener_);
        front_listener_ = -1;
    }
}

void Scene::listen_php(int backlog) {
    Text<96> path;
    path.append(tree.path()).append("/php.sock");
    const Address address = variant_.php_over_tcp ? tcp_address("127.0.0.1", 0) : local_address(path.view());
    if (!php.listen(address, backlog)) {
        _fail(__FILE__, __LINE__);
    }
    php_path.append(path.view());
    if (variant_.php_over_tcp) {
        Text<32> text;
        text.append("127.0.0.1:").append_number(php.address().port());
        php_address.append(text.view());
    } else {
        php_address.append("unix:").append(path.view());
    }
    set("backend.address", php_address.c_str());
}

void Scene::make(const char* file, int line) {
    if (php.listener() < 0) {
        listen_php();
    }
    fcgate_error error{};
    server = fcgate_create(settings, &error);
    if (server == nullptr) {
        print_error("fcgate_create: %s\n", error.text);
        _fail(file, line);
    }
    settings = nullptr;
}

void Scene::start(const char* file, int line) {
    if (server == nullptr) {
        make(file, line);
    }
    fcgate_error error{};
    if (fcgate_start(server, &error) != FCGATE_OK) {
        print_error("fcgate_start: %s\n", error.text);
        _fail(file, line);
    }
}

void Scene::end() {
    fcgate_destroy(server);
    server = nullptr;
    front_listener_ = -1;
}

Client& Scene::client(std::string_view source, int receive_buffer, const char* file, int line) {
    if (client_count_ == clients_.size()) {
        print_error("a scene has no more than %zu clients\n", clients_.size());
        _fail(file, line);
    }
    Client* const made = create<Client>();
    clients_[client_count_++] = made;
    if (!made->connect(front, source, receive_buffer)) {
        print_error("a client cannot connect: %s\n", strerror(errno));
        _fail(file, line);
    }
    return *made;
}

Client& Scene::client_with(std::string_view request, const char* file, int line) {
    Client& made = client({}, 0, file, line);
    if (!made.send(request)) {
        print_error("the server does not take the request\n");
        _fail(file, line);
    }
    return made;
}

PhpConnection& Scene::accept(const char* file, int line) {
    PhpConnection* const connection = php.accept();
    if (connection == nullptr) {
        print_error("the server does not connect to the backend\n");
        _fail(file, line);
    }
    return *connection;
}

PhpConnection& Scene::take(const char* file, int line) {
    PhpConnection* const connection = php.next_request();
    if (connection == nullptr) {
        print_error("no whole request comes to the backend\n");
        _fail(file, line);
    }
    return *connection;
}

void Scene::settle(const char* file, int line) {
    Client& other = client({}, 0, file, line);
    for (int i = 0; i < 2; ++i) {
        (void)other.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
        expect_reply(other, 200, "static", file, line);
    }
    other.close();
}

void Scene::expect_lingering(Client& client, std::string_view part) {
    for (int i = 0; i < 4; ++i) {
        assert_true(client.send(part));
        settle();
    }
}

int Scene::reload(fcgate_settings* changed, fcgate_error& error) {
    fcgate_settings_set_log(changed, &LogLines::callback, &log);
    int result = FCGATE_AGAIN;
    for (const int64_t deadline = soon(); result == FCGATE_AGAIN && monotonic_ms() < deadline;) {
        result = fcgate_reload(server, changed, &error);
        (void)usleep(result == FCGATE_AGAIN ? 1000 : 0);
    }
    if (result != FCGATE_OK) {
        fcgate_settings_destroy(changed);
    }
    return result;
}

void Scene::expect_served(const char* file, int line) {
    Client& other =
        client_with("GET /t.php?canary HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", file, line);
    PhpConnection& connection = take(file, line);
    if (connection.param("QUERY_STRING") != "canary" || !connection.answer(hello)) {
        print_error("PHP is asked for '%.*s', or takes no answer\n",
                    static_cast<int>(connection.param("QUERY_STRING").size()), connection.param("QUERY_STRING").data());
        _fail(file, line);
    }
    expect_reply(other, 200, "hello", file, line);
    connection.close();
}

// ---- checks ---------------------------------------------------------------------------------------------------------

Client& begin_upload(Scene& scene, size_t size) {
    Text<24> length;
    length.append_number(size);
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: ")
        .append(length.view())
        .append("\r\n\r\n");
    return scene.client_with(request.append_pattern(66000).view());
}

void ask_without_descriptors(Client& client) {
    rlimit before{};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{1, before.rlim_max};  // poll() would not look at a descriptor with 0
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const bool sent = client.send(get_script);
    const bool read = client.read();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(sent && read);
    assert_int_equal(client.reply().status, 503);
}

void expect_reply(Client& client, unsigned status, std::string_view body, const char* file, int line) {
    expect_status(client, status, file, line);
    expect_same(client.reply().body.view(), body, file, line);
}

void expect_status(Client& client, unsigned status, const char* file, int line) {
    const bool whole = client.read();
    const HttpReply& reply = client.reply();
    if (!whole || reply.status != status) {
        print_error("status %u is not %u, or the reply is not whole (%s%zu bytes of body)\n", reply.status, status,
                    reply.malformed ? "malformed, " : "", reply.body.size());
        _fail(file, line);
    }
}

void expect_same(std::string_view actual, std::string_view expected, const char* file, int line) {
    size_t same = 0;
    while (same < actual.size() && same < expected.size() && actual[same] == expected[same]) {
        ++same;
    }
    if (same < actual.size() || same < expected.size()) {
        print_error("%zu bytes are not the %zu expected: they differ from byte %zu on\n", actual.size(),
                    expected.size(), same);
        check_text(slice(actual, same, 80), slice(expected, same, 80), file, line);
        _fail(file, line);
    }
}

// ---- playing --------------------------------------------------------------------------------------------------------

namespace {

struct Part {
    const Case* play;
    const Variant* variant;
    Scene* scene;
    size_t descriptors;
};

int begin_part(void** state) {
    auto* const part = static_cast<Part*>(*state);
    part->descriptors = open_descriptors();
    part->scene = create<Scene>(part->variant);
    return 0;
}

void play_part(void** state) {
    const auto* const part = static_cast<const Part*>(*state);
    part->play->play(*part->scene);
    part->scene->passed = true;
}

int end_part(void** state) {
    auto* const part = static_cast<Part*>(*state);
    const bool passed = part->scene->passed;
    if (!passed) {
        print_error("%s%s%s\n", part->play->name, part->scene->about != nullptr ? ": " : "",
                    part->scene->about != nullptr ? part->scene->about : "");
        part->scene->log.print();
    }
    const int64_t begun = monotonic_ms();
    destroy(part->scene);
    const int64_t took = monotonic_ms() - begun;
    if (passed && took > patience_ms) {
        print_error("%s: ending the server took %ld ms\n", part->play->name, static_cast<long>(took));
        return -1;
    }
    const size_t left = open_descriptors();
    if (passed && left != part->descriptors) {
        print_error("%zu descriptors were open before, %zu are now\n", part->descriptors, left);
        return -1;
    }
    return 0;
}

}  // namespace

int play(const char* group, std::span<const Case> cases, std::span<const Variant> variants) {
    constexpr size_t most = 128;
    static Part parts[most];
    static CMUnitTest tests[most];
    static char names[most][96];
    size_t count = 0;
    for (const Variant& variant : variants) {
        for (const Case& one : cases) {
            TextBuffer name(names[count]);
            name.append(one.name).append(*variant.name != '\0' ? ", " : "").append(variant.name);
            parts[count] = {&one, &variant, nullptr, 0};
            tests[count] = {name.c_str(), &play_part, &begin_part, &end_part, &parts[count]};
            ++count;
        }
    }
    return _cmocka_run_group_tests(group, tests, count, nullptr, nullptr);
}

}  // namespace fcgate::test
