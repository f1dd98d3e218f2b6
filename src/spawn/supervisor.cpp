#include "spawn/supervisor.hpp"

#include <algorithm>
#include <cerrno>

namespace fcgate::spawn {

namespace {

// Between the end of a PHP that failed and the next start: doubled with every failure in a row.
constexpr int32_t first_pause_ms = 100;
constexpr int32_t longest_pause_ms = 5000;
// A run that lasted as long, or has answered a request, is no failure in a row any more.
constexpr int32_t good_run_ms = 10'000;
// One that hangs while it starts is ended after response_timeout, but not before a busy machine has had this long: it would never come up there.
constexpr int64_t shortest_start_ms = 10'000;
// How often an idle PHP is looked at, in parts of idle_stop.
constexpr int32_t idle_looks = 4;

[[nodiscard]] int32_t pause_after(uint32_t failures) {
    return std::min(first_pause_ms << std::min(failures - 1, 6U), longest_pause_ms);
}

// Whoever writes to standard error has a reason to; php-fpm alone says there that all is well, and marks it.
[[nodiscard]] LogLevel level_of(std::string_view line) {
    for (const std::string_view word : {"] NOTICE: ", "] DEBUG: "}) {
        if (line.find(word) != std::string_view::npos) {
            return LogLevel::debug;
        }
    }
    return LogLevel::warning;
}

}  // namespace

void Supervisor::init(const Setup& setup) {
    setup_ = setup;
    timer_.kind = static_cast<uint8_t>(TimerKind::php);
    for (uint32_t backend = 0; backend < php_.size(); ++backend) {
        php_[backend].backend = backend;
    }
}

fastcgi::Readiness Supervisor::want(uint32_t backend, TextBuffer& path) {
    Php& php = php_[backend];
    const Phase phase = php.shared_phase.load(std::memory_order_acquire);
    if (phase == Phase::running) {
        print_socket_path(*setup_.plan, backend, php.run.get(), path);
        return fastcgi::Readiness::ready;
    }
    if (phase == Phase::broken) {
        return fastcgi::Readiness::broken;
    }
    if (phase != Phase::starting && !php.wanted.get()) {
        php.wanted.set(true);
        setup_.ring(setup_.context);
    }
    return fastcgi::Readiness::starting;
}

void Supervisor::lost(uint32_t backend) {
    php_[backend].lost.set(true);
    php_[backend].wanted.set(true);
    setup_.ring(setup_.context);
}

void Supervisor::silent(uint32_t backend) {
    Php& php = php_[backend];
    if (php.silences.fetch_add(1, std::memory_order_relaxed) >= setup_.backends->of(backend).workers) {
        php.silences.store(0, std::memory_order_relaxed);
        php.hangs.set(true);
        lost(backend);
    }
}

Supervisor::Life Supervisor::look(uint32_t backend) const {
    static constexpr const char* names[] = {"stopped", "starting", "running", "stopping", "broken"};
    const Php& php = php_[backend];
    const Phase phase = php.phase();
    return {names[static_cast<size_t>(phase)], phase == Phase::running, php.starts.get(), php.deaths.get()};
}

void Supervisor::on_wanted(Timers& timers) {
    start_wanted(monotonic_ms());
    arm(timers);
}

[[gnu::noinline]] Status Supervisor::tell(const Php& php, Order::Kind kind) const {
    const BackendSettings* const settings = setup_.backends->find(php.backend);
    return setup_.spawner->send({kind, php.backend, settings != nullptr ? settings->largest_body : 0});
}

void Supervisor::start_wanted(int64_t now) {
    for (Php& php : all()) {
        if (php.lost.get()) {
            php.lost.set(false);
            if (php.is(Phase::running)) {
                give_up(php, now);
            }
        }
        if (php.wanted.get() && php.is(Phase::stopped) && php.not_before <= now) {
            start(php, now);
        }
    }
}

// When it has died already, its end is reported all the same.
void Supervisor::give_up(Php& php, int64_t now) {
    // Nobody can come to it any more, but those who were there before are served; unless they are why it is ended.
    const bool hangs = php.hangs.get();
    if (end(php, hangs ? Order::Kind::stop : Order::Kind::finish,
            hangs ? "all PHP workers hang: PHP is started again (see `response_timeout`)"_p
                  : "nobody answers at PHP's socket: PHP is started again"_p)) {
        php.hangs.set(false);
    } else {
        php.lost.set(true);
        php.not_before = now + first_pause_ms;
    }
}

// Nobody else would end it. Those who wait for it go on to wait for the next.
void Supervisor::give_up_start(Php& php, int64_t now) {
    if (!end(php, Order::Kind::stop, "PHP hangs while it starts: it is ended (see `response_timeout`)"_p)) {
        php.ready_by = now + first_pause_ms;
    }
}

// False: not now.
bool Supervisor::end(Php& php, Order::Kind kind, Packed why) {
    if (tell(php, kind) == Status::again) {
        return false;
    }
    php.enter(Phase::stopping);
    php.is_given_up = true;
    setup_.log->write(LogLevel::warning, why);
    return true;
}

void Supervisor::start(Php& php, int64_t now) {
    php.wanted.set(false);
    php.is_given_up = false;
    php.is_well.set(false);
    php.enter(Phase::starting);
    php.starts.add();
    php.started_at = now;
    php.ready_by = now + start_limit_of(php);
    const Status sent = tell(php, Order::Kind::start);
    if (sent == Status::again) {
        setup_.log->write<"PHP cannot be started: the spawner cannot be told to: %">(LogLevel::error,
                                                                                     SystemError{errno});
        failed(php, now);
        spread(php);
    } else if (sent != Status::ok) {
        spawner_gone();
    }
}

void Supervisor::failed(Php& php, int64_t now) {
    ++php.failures;
    php.not_before = now + pause_after(php.failures);
    php.enter(Phase::broken);
}

void Supervisor::on_reports(Timers& timers) {
    const int64_t now = monotonic_ms();
    Report report{};
    for (;;) {
        const Status status = setup_.spawner->receive(report);
        if (status != Status::ok) {
            if (status != Status::again) {
                spawner_gone();
            }
            break;
        }
        report.text[sizeof report.text - 1] = '\0';
        if (report.backend < setup_.gates.size()) {
            take(report, now);
        }
    }
    start_wanted(now);
    arm(timers);
}

void Supervisor::take(const Report& report, int64_t now) {
    Php& php = php_[report.backend];
    switch (report.kind) {
        case Report::Kind::line:
            setup_.log->write<"php: %">(level_of(report.text), Escaped{report.text});
            return;
        case Report::Kind::ready:
            if (!php.is(Phase::starting)) {
                return;  // it has just been given up
            }
            php.run.set(report.run);
            // Of the run before: nobody knew the socket of this one.
            php.lost.set(false);
            php.silences.store(0, std::memory_order_relaxed);
            php.hangs.set(false);
            php.idle_since = now;
            php.enter(Phase::running);
            setup_.log->write<"PHP is ready, % ms after it was wanted">(LogLevel::info,
                                                                        static_cast<unsigned>(now - php.started_at));
            break;
        case Report::Kind::failed:
            setup_.log->write<"PHP cannot be started: %: %">(LogLevel::error, static_cast<const char*>(report.text),
                                                             SystemError{report.value});
            failed(php, now);
            break;
        case Report::Kind::exited:
            exited(php, report, now);
            break;
    }
    spread(php);
}

void Supervisor::exited(Php& php, const Report& report, int64_t now) {
    const Phase before = php.phase();
    if (before == Phase::stopping && !php.is_given_up) {
        setup_.log->write(LogLevel::info, "PHP has been stopped"_p);
        php.failures = 0;
        php.enter(Phase::stopped);
        return;
    }
    php.deaths.add();
    LogLine line(*setup_.log, LogLevel::error);
    line.text().append(before == Phase::starting ? "PHP did not start: it "_p : "PHP "_p);
    report.print_end(line.text());
    line.send();
    php.failures = php.is_well.get() || now - php.started_at >= good_run_ms ? 0 : php.failures + 1;
    // Not more often than it would be tried in vain.
    php.not_before = php.failures == 0 ? php.started_at + first_pause_ms : now + pause_after(php.failures);
    // One that runs and dies is started again for whoever waits; one that does not start has told why, and waiting would not help.
    php.enter(before == Phase::starting ? Phase::broken : Phase::stopped);
}

void Supervisor::on_timer(Timers& timers, int64_t now) {
    for (Php& php : all()) {
        if (php.is(Phase::broken) && php.not_before <= now && !gone_) {
            php.enter(Phase::stopped);
        } else if (php.is(Phase::starting) && php.ready_by <= now) {
            give_up_start(php, now);
        } else if (php.is(Phase::running)) {
            look_for_idle(php, now);
        }
    }
    start_wanted(now);
    arm(timers);
}

// PHP that no backend names any more is stopped as soon as it is idle.
int64_t Supervisor::idle_stop_of(const Php& php) const {
    const BackendSettings* const settings = setup_.backends->find(php.backend);
    return settings != nullptr ? settings->idle_stop_ms : 1;
}

int64_t Supervisor::start_limit_of(const Php& php) const {
    const BackendSettings* const settings = setup_.backends->find(php.backend);
    return settings != nullptr ? std::max(settings->response_timeout_ms, shortest_start_ms) : shortest_start_ms;
}

void Supervisor::look_for_idle(Php& php, int64_t now) {
    const int64_t idle_stop = idle_stop_of(php);
    fastcgi::Gate& gate = setup_.gates[php.backend];
    const fastcgi::Gate::Counts counts = gate.counts();
    if (counts.in_use > 0 || counts.served != php.served) {
        php.served = counts.served;
        php.idle_since = now;
        return;
    }
    if (idle_stop == 0 || now - php.idle_since < idle_stop) {
        return;
    }
    // Without a request nobody wants it; what was said by one that came to a stop called off, or to a run before, would start it again.
    php.wanted.set(false);
    // Said first, looked at again then: a request that has found it running holds a place by now, and the gate's lock orders the two.
    php.enter(Phase::stopping);
    if (gate.counts().in_use > 0 || tell(php, Order::Kind::stop) != Status::ok) {
        php.enter(Phase::running);
        spread(php);
    }
}

void Supervisor::arm(Timers& timers) {
    const int64_t now = monotonic_ms();
    int32_t left = INT32_MAX;  // milliseconds
    for (const Php& php : all()) {
        const auto idle_stop = static_cast<int32_t>(idle_stop_of(php));
        const int32_t until_start = php.not_before > now ? static_cast<int32_t>(php.not_before - now) : 0;
        if ((php.is(Phase::broken) && !gone_) || (php.is(Phase::stopped) && php.wanted.get())) {
            left = std::min(left, until_start);
        } else if (php.is(Phase::starting)) {
            left = std::min(left, std::max(static_cast<int32_t>(php.ready_by - now), 1));
        } else if (php.is(Phase::running) && php.lost.get()) {
            left = std::min(left, std::max(until_start, 1));
        } else if (php.is(Phase::running) && idle_stop > 0) {
            left = std::min(left, std::max(idle_stop / idle_looks, 1));
        }
    }
    if (left != INT32_MAX && timer_.due > now + left) {
        timers.set(timer_, now + left);
    }
}

// Nothing can be started any more: fcgate has given up the right to.
void Supervisor::spawner_gone() {
    if (!gone_) {
        setup_.log->write(LogLevel::error, "the spawner has ended: PHP cannot be started until fcgate is restarted"_p);
        // Its socket would be an event for ever.
        setup_.spawner->finish();
    }
    gone_ = true;
    for (Php& php : all()) {
        php.enter(Phase::broken);
        spread(php);
    }
}

}  // namespace fcgate::spawn
