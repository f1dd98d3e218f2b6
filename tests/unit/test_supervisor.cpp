// When PHP is started and ended; what another thread says a moment too late is of a PHP that has ended since.
#include <poll.h>
#include <sys/ioctl.h>

#include <array>
#include <cstring>

#include "spawn/supervisor.hpp"
#include "temp_tree.hpp"

namespace fcgate::spawn {
namespace {

// A supervisor of one PHP, whose worker is driven by hand.
class Supervised {
  public:
    // `then`: what PHP does once it is ready.
    explicit Supervised(const char* then = "exec sleep 1000\n", const char* idle_stop = "40ms") {
        Text<128> program("#!/bin/sh\necho ready to handle connections >&2\n");
        tree_.file("php-fpm", program.append(then).view(), 0755);
        set("backend.address", "spawn");
        set("backend.workers", "2");
        set("backend.response_timeout", "1s");
        set("backend.idle_stop", idle_stop);
        set_path("backend.command", "/php-fpm");
        set_path("server.runtime_dir", "/run");
        Text<512> error;
        test::check_status(make_plan(settings_, plan_, error), Status::ok);
        test::check_status(spawner_.start(plan_, settings_), Status::ok);
        gates_[0].init(1, places_, parkings_);
        backends_.set(0, &settings_.backends[0]);
        timers_.init(heap_);
        log_.set_sink(
            [](void* self, LogLevel, const char* line) {
                auto& php = *static_cast<Supervised*>(self);
                php.last_line_.clear();
                php.last_line_.append(line);
                php.heard_last_words_ = php.heard_last_words_ || php.has_said("last words");
            },
            this);
        supervisor.init({.backends = &backends_,
                         .log = &log_,
                         .gates = gates_,
                         .plan = &plan_,
                         .spawner = &spawner_,
                         .ring = [](void*) {},
                         .news = [](void*, uint32_t) {}});
    }
    ~Supervised() {
        spawner_.finish();
        gates_[0].finish();
    }
    Supervised(const Supervised&) = delete;
    Supervised& operator=(const Supervised&) = delete;

    void want() {
        Text<limits::path> path;
        assert_true(supervisor.want(0, path) == fastcgi::Readiness::starting);
        supervisor.on_wanted(timers_);
    }
    [[nodiscard]] bool is(const char* phase) const { return strcmp(supervisor.look(0).phase, phase) == 0; }
    // The worker goes on until PHP is so.
    void reach(const char* phase) {
        const int64_t deadline = monotonic_ms() + 10'000;
        while (!is(phase)) {
            assert_true(monotonic_ms() < deadline);
            pollfd reports{supervisor.fd(), POLLIN, 0};
            if (poll(&reports, 1, 5) == 1) {
                supervisor.on_reports(timers_);
            }
            if (timers_.pop(monotonic_ms()) != nullptr) {
                supervisor.on_timer(timers_, monotonic_ms());
            }
        }
    }
    // So many are there to be taken at once.
    void await_reports(size_t count) const {
        const int64_t deadline = monotonic_ms() + 10'000;
        int unread = 0;
        while (ioctl(supervisor.fd(), FIONREAD, &unread) == 0 && static_cast<size_t>(unread) < count * sizeof(Report)) {
            assert_true(monotonic_ms() < deadline);
            (void)poll(nullptr, 0, 1);
        }
    }
    // As if so much time had gone by, over several looks.
    void let_pass(int64_t ms) {
        const int64_t now = monotonic_ms();
        for (int64_t at = 0; at <= ms; at += 10) {
            supervisor.on_timer(timers_, now + at);
        }
    }
    void lose() {
        supervisor.lost(0);
        supervisor.on_wanted(timers_);
    }
    // So many requests in a row have had no answer.
    void be_silent(size_t times) {
        for (size_t i = 0; i < times; ++i) {
            supervisor.silent(0);
        }
        supervisor.on_wanted(timers_);
    }
    [[nodiscard]] Timers& timers() { return timers_; }
    [[nodiscard]] fastcgi::Gate& gate() { return gates_[0]; }
    [[nodiscard]] bool has_said(std::string_view words) const {
        return last_line_.view().find(words) != std::string_view::npos;
    }
    [[nodiscard]] bool heard_last_words() const { return heard_last_words_; }
    [[nodiscard]] uint64_t starts() const { return supervisor.look(0).starts; }

    Supervisor supervisor;

  private:
    void set(std::string_view name, std::string_view value) {
        ConfigError wrong;
        test::check_status(settings_.set(name, value, wrong), Status::ok);
    }
    void set_path(std::string_view name, std::string_view path) {
        Text<128> value(tree_.path());
        value.append(path);
        set(name, value.view());
    }

    Text<256> last_line_;
    bool heard_last_words_ = false;
    test::TempTree tree_;
    Settings settings_;
    Plan plan_;
    SpawnerLink spawner_;
    std::array<fastcgi::Gate::Place, 4> places_;
    std::array<fastcgi::Gate::Parking, 1> parkings_;
    std::array<fastcgi::Gate, 1> gates_;
    fastcgi::BackendTable backends_;
    std::array<Timer*, 2> heap_{};
    Timers timers_;
    Log log_;
};

void php_that_nobody_wants_is_stopped_and_stays_so(void**) {
    Supervised php;
    php.want();
    php.reach("running");
    php.reach("stopped");
    assert_int_equal(php.starts(), 1);
}

// Another thread has not found the PHP before, and hears only now that there is a next.
void a_loss_that_is_told_late_starts_nothing(void**) {
    Supervised php;
    php.want();
    php.supervisor.lost(0);
    php.want();
    php.reach("running");
    php.reach("stopped");
    assert_int_equal(php.starts(), 1);
}

void a_loss_that_is_told_late_ends_nothing(void**) {
    Supervised php;
    php.want();
    php.supervisor.lost(0);
    php.await_reports(2);  // PHP's own words, and that it is ready
    php.reach("running");
    assert_int_equal(php.supervisor.look(0).deaths, 0);
}

// They may be in the pipe yet when PHP has ended.
void the_last_words_of_php_are_heard(void**) {
    Supervised php("printf '%16000s\\nlast words\\n' x >&2\nexit 3\n", "0");
    php.want();
    php.reach("stopped");
    assert_true(php.heard_last_words());
}

// It is ready a moment after it was given up: the order to end is on its way.
void a_start_that_was_given_up_is_no_start(void**) {
    Supervised php;
    php.want();
    php.await_reports(2);
    php.let_pass(20'000);
    assert_true(php.is("stopping"));
    php.supervisor.on_reports(php.timers());
    assert_false(php.is("running"));  // it may have ended by now
    php.reach("stopped");
}

// However long it takes.
void php_that_serves_is_not_idle(void**) {
    Supervised php;
    php.want();
    php.reach("running");
    const fastcgi::Gate::Answer answer = php.gate().enter({}, 0);
    assert_true(answer.entry == fastcgi::Gate::Entry::granted);
    php.let_pass(1000);
    assert_true(php.is("running"));
    (void)php.gate().leave(0, fastcgi::Use::page, false);
    php.let_pass(2000);
    assert_true(php.is("stopping"));
}

void php_that_has_served_since_it_was_looked_at_is_not_idle(void**) {
    Supervised php;
    php.want();
    php.reach("running");
    (void)php.gate().enter({}, 0);
    (void)php.gate().leave(0, fastcgi::Use::page, false);
    const int64_t now = monotonic_ms();
    php.supervisor.on_timer(php.timers(), now + 1000);
    assert_true(php.is("running"));
    php.supervisor.on_timer(php.timers(), now + 1010);
    assert_true(php.is("running"));
    php.supervisor.on_timer(php.timers(), now + 1040);
    assert_true(php.is("stopping"));
}

void a_stop_behind_a_loss_is_no_death(void**) {
    Supervised php;
    php.want();
    php.reach("running");
    php.lose();
    assert_true(php.is("stopping"));
    assert_true(php.has_said("nobody answers at PHP's socket"));
    php.reach("running");
    php.reach("stopped");
    assert_int_equal(php.starts(), 2);
    assert_int_equal(php.supervisor.look(0).deaths, 1);
}

void silence_counts_from_the_start(void**) {
    Supervised php;
    php.want();
    php.reach("running");
    php.be_silent(2);
    assert_true(php.is("running"));
    php.lose();
    php.reach("running");
    php.be_silent(2);
    assert_true(php.is("running"));
    php.be_silent(1);
    assert_true(php.is("stopping"));
    assert_true(php.has_said("all PHP workers hang"));
}

// The one before is meant.
void a_hang_that_is_told_late_is_not_of_the_next(void**) {
    Supervised php;
    php.want();
    php.reach("running");
    php.reach("stopped");
    php.be_silent(3);
    php.reach("running");
    php.lose();
    assert_true(php.has_said("nobody answers at PHP's socket"));
}

// As long as it starts it has had no request that it could have left without an answer.
void silence_while_it_starts_is_not_its_own(void**) {
    for (const size_t before : {size_t{2}, size_t{3}}) {
        Supervised php;
        php.want();
        php.be_silent(before);
        php.reach("running");
        php.be_silent(2);
        assert_true(php.is("running"));
        php.lose();
        assert_true(php.has_said("nobody answers at PHP's socket"));
    }
}

// One that has answered does not make up for those behind it.
void php_that_dies_in_a_row_is_started_less_and_less_often(void**) {
    Supervised php("exit 3\n", "0");
    php.want();
    php.supervisor.answered(0);
    php.reach("stopped");
    int64_t died = 0;
    for (int i = 0; i < 3; ++i) {
        php.want();
        php.reach("starting");
        died = monotonic_ms();
        php.reach("stopped");
    }
    php.want();
    php.reach("starting");
    assert_true(monotonic_ms() - died >= 400);
}

// Its end is known, and less time has gone by than is between the third failure in a row and the next start.
void expect_back_soon(Supervised& php) {
    php.lose();
    assert_true(php.is("stopping"));
    php.await_reports(1);
    php.supervisor.on_reports(php.timers());
    php.let_pass(350);
    assert_true(php.is("starting"));
    php.reach("running");
}

void php_that_answers_is_started_again_soon(void**) {
    Supervised php;
    php.want();
    php.reach("running");
    for (int i = 0; i < 3; ++i) {
        php.supervisor.answered(0);
        expect_back_soon(php);
    }
}

void a_stop_ends_a_row_of_failures(void**) {
    Supervised php;
    php.want();
    for (int i = 0; i < 3; ++i) {
        php.reach("running");
        php.lose();
    }
    php.reach("running");
    php.reach("stopped");
    php.want();
    php.reach("running");
    expect_back_soon(php);
}

}  // namespace
}  // namespace fcgate::spawn

int main() {
    using namespace fcgate::spawn;
    const CMUnitTest tests[] = {
        cmocka_unit_test(php_that_nobody_wants_is_stopped_and_stays_so),
        cmocka_unit_test(a_loss_that_is_told_late_starts_nothing),
        cmocka_unit_test(a_loss_that_is_told_late_ends_nothing),
        cmocka_unit_test(the_last_words_of_php_are_heard),
        cmocka_unit_test(a_start_that_was_given_up_is_no_start),
        cmocka_unit_test(php_that_serves_is_not_idle),
        cmocka_unit_test(php_that_has_served_since_it_was_looked_at_is_not_idle),
        cmocka_unit_test(a_stop_behind_a_loss_is_no_death),
        cmocka_unit_test(silence_counts_from_the_start),
        cmocka_unit_test(a_hang_that_is_told_late_is_not_of_the_next),
        cmocka_unit_test(silence_while_it_starts_is_not_its_own),
        cmocka_unit_test(php_that_dies_in_a_row_is_started_less_and_less_often),
        cmocka_unit_test(php_that_answers_is_started_again_soon),
        cmocka_unit_test(a_stop_ends_a_row_of_failures),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
