#include <fcgate/fcgate.h>

#include "base/limits.hpp"
#include "server/metrics.hpp"
#include "server/status.hpp"
#include "test_support.hpp"

using fcgate::slice;
using fcgate::Text;
using fcgate::TextBuffer;
using fcgate::server::choose_form;
using fcgate::server::Snapshot;
using fcgate::server::status_policy;
using fcgate::server::StatusForm;
using fcgate::server::write_status;
using fcgate::test::check_text;
using fcgate::test::GuardedBytes;

namespace {

constexpr StatusForm forms[] = {StatusForm::html, StatusForm::json, StatusForm::prometheus};
constexpr std::string_view nasty = "unix:/run/<b>\"&'\\\n\t\x7f\xff\xc3\xa4</script>";

// Whatever lies before or behind it is not read.
struct Page {
    explicit Page(const Snapshot& snapshot, StatusForm form) {
        write_status(snapshot, form, text);
        assert_true(text.ok());
    }
    [[nodiscard]] bool has(std::string_view part) const { return text.view().find(part) != std::string_view::npos; }
    void shows(std::string_view part) const {
        if (!has(part)) {
            print_error("%s\nmissing: %.*s\n", text.c_str(), static_cast<int>(part.size()), part.data());
            _fail(__FILE__, __LINE__);
        }
    }

    std::array<char, FCGATE_STATUS_MAX> room{};
    TextBuffer text{room};
};

// JSON (RFC 8259), as strict as fcgate's own may be: no space, no escape but \" and \\, printable ASCII alone.
class Json {
  public:
    explicit Json(std::string_view text) : text_(text) {}

    [[nodiscard]] bool is_whole() { return value() && next('\n') && text_.empty(); }

  private:
    [[nodiscard]] bool next(char c) {
        if (text_.empty() || text_.front() != c) {
            return false;
        }
        text_ = slice(text_, 1);
        return true;
    }
    [[nodiscard]] bool value() {
        if (next('{')) {
            return next('}') || (member() && more([this] { return member(); }) && next('}'));
        }
        if (next('[')) {
            return next(']') || (value() && more([this] { return value(); }) && next(']'));
        }
        return text_.starts_with('"') ? string() : number();
    }
    template <typename Part>
    [[nodiscard]] bool more(Part part) {
        while (next(',')) {
            if (!part()) {
                return false;
            }
        }
        return true;
    }
    [[nodiscard]] bool member() { return string() && next(':') && value(); }
    [[nodiscard]] bool string() {
        if (!next('"')) {
            return false;
        }
        while (!text_.empty() && text_.front() != '"') {
            if (text_.front() < ' ' || text_.front() > '~' ||
                (next('\\') && text_.front() != '"' && text_.front() != '\\')) {
                return false;
            }
            text_ = slice(text_, 1);
        }
        return next('"');
    }
    [[nodiscard]] bool digits() {
        size_t count = 0;
        while (!text_.empty() && fcgate::is_digit(text_.front())) {
            text_ = slice(text_, 1);
            ++count;
        }
        return count > 0;
    }
    [[nodiscard]] bool number() {
        const bool has_leading_zero = text_.size() > 1 && text_[0] == '0' && fcgate::is_digit(text_[1]);
        return !has_leading_zero && digits() && (!next('.') || digits());
    }

    std::string_view text_;
};

// As many backends as there can be, and every number as large as it may become.
void fill(Snapshot& snapshot) {
    constexpr uint64_t most = (uint64_t{1} << 56U) - 1;
    constexpr std::string_view name = "backend-with-a-name-of-32-letters";
    constexpr std::string_view address =
        "unix:/run/"
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (size_t metric_number = 0; metric_number < fcgate::server::metric_count(); ++metric_number) {
        const fcgate::server::Metric metric = fcgate::server::metric_at(metric_number);
        for (size_t item = 0; item < snapshot.backends.size(); ++item) {
            const bool is_pool = metric.place.scope == fcgate::server::Metric::Scope::pool;
            for (size_t i = 0; i < label_count(metric.place.labels); ++i) {
                const uint64_t* const number =
                    numbers_of(snapshot, metric, is_pool ? item % snapshot.pools.size() : item);
                const_cast<uint64_t*>(number)[i] =
                    metric.place.type == fcgate::server::Metric::Type::histogram ? most / 10 : most;
            }
        }
    }
    for (size_t i = 0; i < snapshot.backends.size(); ++i) {
        static fcgate::BackendSettings backend;
        backend.name = slice(name, 0, fcgate::limits::section_name);
        backend.address = address;
        backend.other_servers.clear();
        while (backend.server_count() < 4) {
            (void)backend.other_servers.push_back(backend);
        }
        snapshot.names[i] = {&backend, "starting", 4, {}};
        snapshot.names[i].servers.fill({true, most});
        snapshot.backends[i].waited_ms = most;
    }
    snapshot.backend_count = snapshot.backends.size();
    for (size_t i = 0; i < snapshot.history.size(); ++i) {
        snapshot.history[i] = {static_cast<uint32_t>(1'000'000 + i), 1000};
    }
}

void the_largest_fits(void** /*state*/) {
    static Snapshot snapshot;
    fill(snapshot);
    for (const StatusForm form : forms) {
        const Page page(snapshot, form);
        assert_true(page.text.size() < fcgate::limits::status_page(snapshot.backend_count));
    }
    snapshot.backend_count = 1;
    for (const StatusForm form : forms) {
        const Page page(snapshot, form);
        assert_true(page.text.size() < fcgate::limits::status_page(1));
    }
}

void what_has_no_room_is_not_written_at_all(void** /*state*/) {
    static Snapshot snapshot;
    fill(snapshot);
    GuardedBytes bytes(4096);
    for (const StatusForm form : forms) {
        for (const size_t size : {size_t{1}, size_t{100}, size_t{4000}}) {
            TextBuffer text(bytes.room(size));
            write_status(snapshot, form, text);
            assert_false(text.ok());
        }
    }
}

void json_is_json(void** /*state*/) {
    static Snapshot snapshot;
    assert_true(Json(Page(snapshot, StatusForm::json).text.view()).is_whole());
    fill(snapshot);
    assert_true(Json(Page(snapshot, StatusForm::json).text.view()).is_whole());
    static fcgate::BackendSettings backend;
    backend.name = nasty;
    backend.address = nasty;
    (void)backend.other_servers.push_back(backend);
    snapshot.names[1] = {&backend, "running", 2, {{{true, 1}, {false, 2}}}};
    assert_true(Json(Page(snapshot, StatusForm::json).text.view()).is_whole());
    // The reader of the test is no yes-man.
    for (const std::string_view wrong :
         {"{}", "{\"a\":}\n", "{\"a\":1,}\n", "{\"a\":01}\n", "[1 ]\n", "{\"a\":\"\t\"}\n", "[1.]\n"}) {
        assert_false(Json(wrong).is_whole());
    }
}

void numbers_stand_where_they_belong(void** /*state*/) {
    static Snapshot snapshot;
    snapshot.totals.uptime_ms = 90'061'042;
    snapshot.totals.connections[1] = 3;
    snapshot.totals.answers[2] = 12;
    snapshot.totals.pages[fcgate::http::page_number(404)] = 5;
    snapshot.totals.sent = 3 * 1024 * 1024 + 512 * 1024;
    snapshot.backend_count = 1;
    Snapshot::Backend& backend = snapshot.backends[0];
    backend.places = 4;
    backend.in_use = 3;
    backend.opened = {8, 2};
    backend.waits[0] = 6;
    backend.waits[2] = 3;
    backend.waits.back() = 1;
    backend.waited_ms = 12'345;
    backend.faults[static_cast<size_t>(fcgate::fastcgi::Fault::queue_full)] = 7;
    static fcgate::BackendSettings settings;
    settings.address = "unix:/run/php.sock";
    snapshot.names[0].settings = &settings;

    const Page json(snapshot, StatusForm::json);
    for (const std::string_view part :
         {"\"uptime_seconds\":90061.042,", "\"head\":3,", "\"2xx\":12,", "\"refusals\":{\"404\":5},", "\"name\":\"\",",
          "\"address\":\"unix:/run/php.sock\",", "\"places\":4,", "\"kept\":8,\"fresh\":2}",
          "\"failures\":{\"queue-full\":7}", "\"0.000\":6,\"0.005\":0,\"0.020\":3,", "\"+Inf\":1}",
          "\"waited_seconds\":12.345}"}) {
        json.shows(part);
    }
    const Page prometheus(snapshot, StatusForm::prometheus);
    for (const std::string_view part :
         {"\nfcgate_uptime_seconds 90061.042\n", "\nfcgate_connections{state=\"head\"} 3\n",
          "# TYPE fcgate_responses_total counter\n", "\nfcgate_responses_total{class=\"2xx\"} 12\n",
          "\nfcgate_backend_places{backend=\"(default)\"} 4\n",
          "\nfcgate_backend_wait_seconds_bucket{backend=\"(default)\",le=\"0.020\"} 9\n",
          "\nfcgate_backend_wait_seconds_bucket{backend=\"(default)\",le=\"10.000\"} 9\n",
          "\nfcgate_backend_wait_seconds_bucket{backend=\"(default)\",le=\"+Inf\"} 10\n",
          "\nfcgate_backend_wait_seconds_sum{backend=\"(default)\"} 12.345\n",
          "\nfcgate_backend_wait_seconds_count{backend=\"(default)\"} 10\n",
          "\nfcgate_backend_failures_total{backend=\"(default)\",reason=\"queue-full\"} 7\n"}) {
        prometheus.shows(part);
    }
    assert_false(prometheus.has("reason=\"queue-timeout\""));
    const Page html(snapshot, StatusForm::html);
    for (const std::string_view part :
         {"up for 1 d 1 h<", "3 of 4 PHP places in use", "404 Not Found<td>5", "Sent<td>3.5 MiB",
          "Waited up to 20 ms<td>3", "Waited longer than 10000 ms<td>1", "queue-full<td>7", "Ceiling<td>none<"}) {
        html.shows(part);
    }
}

void each_of_several_servers_is_shown(void** /*state*/) {
    static Snapshot snapshot;
    snapshot.backend_count = 1;
    snapshot.names[0].server_count = 2;
    static fcgate::BackendSettings backend;
    backend.address = "10.0.0.2:9000";
    (void)backend.other_servers.push_back(backend);
    backend.address = "unix:/run/a.sock";
    snapshot.names[0].settings = &backend;
    snapshot.names[0].servers[0] = {false, 0};
    snapshot.names[0].servers[1] = {true, 3};
    Page(snapshot, StatusForm::json)
        .shows(
            "\"servers\":[{\"address\":\"unix:/run/a.sock\",\"up\":0,\"connections\":0},"
            "{\"address\":\"10.0.0.2:9000\",\"up\":1,\"connections\":3}]}");
    Page(snapshot, StatusForm::prometheus)
        .shows(
            "# TYPE fcgate_backend_server_up gauge\n"
            "fcgate_backend_server_up{backend=\"(default)\",server=\"unix:/run/a.sock\"} 0\n"
            "fcgate_backend_server_up{backend=\"(default)\",server=\"10.0.0.2:9000\"} 1\n");
    Page(snapshot, StatusForm::html).shows("<tr><th>unix:/run/a.sock<td>down, 0<tr><th>10.0.0.2:9000<td>up, 3");
}

void what_is_configured_is_escaped(void** /*state*/) {
    static Snapshot snapshot;
    snapshot.backend_count = 1;
    static fcgate::BackendSettings backend;
    backend.name = nasty;
    backend.address = nasty;
    snapshot.names[0] = {&backend, "running", 0, {}};
    const Page html(snapshot, StatusForm::html);
    assert_false(html.has("<b>\""));
    assert_false(html.has("</script>"));
    html.shows(
        "unix:/run/&#60;b&#62;&#34;&#38;&#39;\\?"
        "?"
        "?\xff\xc3\xa4&#60;/script&#62;");
    Page(snapshot, StatusForm::prometheus)
        .shows(
            "backend=\"unix:/run/<b>\\\"&'\\\\?"
            "?"
            "?"
            "?"
            "?"
            "?</script>\"");
}

void the_page_loads_nothing_and_runs_nothing(void** /*state*/) {
    static Snapshot snapshot;
    fill(snapshot);
    const Page html(snapshot, StatusForm::html);
    for (const std::string_view part :
         {"http://", "https://", "<script", " src=", "url(", "@import", " style=", " on"}) {
        assert_int_equal(html.has(part), part == " on");  // a word
    }
    assert_true(status_policy().find("default-src 'none'") != std::string_view::npos);
    assert_true(status_policy().find("unsafe") == std::string_view::npos);
}

void the_form_is_that_asked_for(void** /*state*/) {
    constexpr struct {
        std::string_view query;
        std::string_view accept;
        StatusForm form;
    } wishes[] = {
        {"", "text/html,application/xhtml+xml,*/*;q=0.8", StatusForm::html},
        {"", "application/json", StatusForm::json},
        {"", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
         StatusForm::prometheus},
        {"", "*/*", StatusForm::prometheus},
        {"", "", StatusForm::prometheus},
        {"json", "text/html", StatusForm::json},
        {"html", "application/json", StatusForm::html},
        {"prometheus", "text/html", StatusForm::prometheus},
    };
    for (const auto& wish : wishes) {
        assert_true(choose_form(wish.query, wish.accept) == wish.form);
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(what_has_no_room_is_not_written_at_all),
        cmocka_unit_test(json_is_json),
        cmocka_unit_test(numbers_stand_where_they_belong),
        cmocka_unit_test(each_of_several_servers_is_shown),
        cmocka_unit_test(what_is_configured_is_escaped),
        cmocka_unit_test(the_page_loads_nothing_and_runs_nothing),
        cmocka_unit_test(the_form_is_that_asked_for),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
