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
    Supervised() {
        tree_.file("php-fpm", "#!/bin/sh\necho ready to handle connections >&2\nexec sleep 1000\n", 0755);
        set("backend.address", "spawn");
        set("backend.idle_stop", "40ms");
        set_path("backend.command", "/php-fpm");
        set_path("server.runtime_dir", "/run");
        Text<512> error;
        test::check_status(make_plan(settings_, plan_, error), Status::ok);
        test::check_status(spawner_.start(plan_, settings_), Status::ok);
        gates_[0].init(1, places_, parkings_);
        backends_.set(0, &settings_.backends[0]);
        timers_.init(heap_);
        log_.set_sink([](void*, LogLevel, const char*) {}, nullptr);
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

}  // namespace
}  // namespace fcgate::spawn

int main() {
    using namespace fcgate::spawn;
    const CMUnitTest tests[] = {
        cmocka_unit_test(php_that_nobody_wants_is_stopped_and_stays_so),
        cmocka_unit_test(a_loss_that_is_told_late_starts_nothing),
        cmocka_unit_test(a_loss_that_is_told_late_ends_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
