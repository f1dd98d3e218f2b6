#include "spawn/supervisor.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

namespace fcgate::spawn {

namespace {

// Between the end of a PHP that failed and the next start: doubled with every failure in a row.
constexpr int64_t first_pause_ms = 100;
constexpr int64_t longest_pause_ms = 5000;
// A run that lasted as long, or has answered a request, is no failure in a row any more.
constexpr int64_t good_run_ms = 10'000;
// How often an idle PHP is looked at, in parts of idle_stop.
constexpr int64_t idle_looks = 4;

[[nodiscard]] int64_t pause_after(uint32_t failures) {
    return std::min(first_pause_ms << std::min(failures - 1, 6U), longest_pause_ms);
}

void add_end(LogLine& line, int status) {
    if (WIFSIGNALED(status)) {
        line.add("was killed by signal "_p).add_number(static_cast<uint64_t>(WTERMSIG(status)));
        line.add(WTERMSIG(status) == SIGKILL ? " (out of memory?)" : "");
    } else {
        line.add("ended with exit code "_p).add_number(static_cast<uint64_t>(WEXITSTATUS(status)));
    }
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
}

fastcgi::Readiness Supervisor::want(uint32_t backend, TextBuffer& path) {
    Php& php = php_[backend];
    const Phase phase = php.phase.load();
    if (phase == Phase::running) {
        print_socket_path(*setup_.plan, backend, php.run.load(), path);
        return fastcgi::Readiness::ready;
    }
    if (phase == Phase::broken) {
        return fastcgi::Readiness::broken;
    }
    if (phase != Phase::starting && !php.wanted.exchange(true)) {
        setup_.ring(setup_.context);
    }
    return fastcgi::Readiness::starting;
}

void Supervisor::lost(uint32_t backend) {
    php_[backend].lost = true;
    php_[backend].wanted = true;
    setup_.ring(setup_.context);
}

void Supervisor::silent(uint32_t backend) {
    Php& php = php_[backend];
    if (php.silences.fetch_add(1) >= setup_.backends->of(backend).workers) {
        php.silences = 0;
        php.hangs = true;
        lost(backend);
    }
}

Supervisor::Life Supervisor::look(uint32_t backend) const {
    constexpr std::string_view names[] = {"stopped", "starting", "running", "stopping", "broken"};
    const Php& php = php_[backend];
    const Phase phase = php.phase.load();
    return {names[static_cast<size_t>(phase)], phase == Phase::running, php.starts.get(), php.deaths.get()};
}

void Supervisor::on_wanted(Timers& timers) {
    start_wanted(monotonic_ms());
    arm(timers);
}

void Supervisor::start_wanted(int64_t now) {
    for (uint32_t backend = 0; backend < setup_.gates.size(); ++backend) {
        Php& php = php_[backend];
        if (php.lost.exchange(false) && php.phase.load() == Phase::running) {
            give_up(backend, now);
        }
        if (php.wanted.load() && php.phase.load() == Phase::stopped && php.not_before <= now) {
            start(backend, now);
        }
    }
}

// When it has died already, its end is reported all the same.
void Supervisor::give_up(uint32_t backend, int64_t now) {
    Php& php = php_[backend];
    // Nobody can come to it any more, but those who were there before are served; unless they are why it is ended.
    const Order::Kind kind = php.hangs.load() ? Order::Kind::stop : Order::Kind::finish;
    if (setup_.spawner->send({kind, static_cast<uint8_t>(backend)}) == Status::again) {
        php.lost = true;
        php.not_before = now + first_pause_ms;
        return;
    }
    php.phase = Phase::stopping;
    php.is_given_up = true;
    LogLine(*setup_.log, LogLevel::warning)
        .add(php.hangs.exchange(false) ? "all PHP workers hang: PHP is started again (see `response_timeout`)"
                                       : "nobody answers at PHP's socket: PHP is started again")
        .send();
}

void Supervisor::start(uint32_t backend, int64_t now) {
    Php& php = php_[backend];
    php.wanted = false;
    php.is_given_up = false;
    php.silences = 0;
    php.hangs = false;
    php.is_well = false;
    php.phase = Phase::starting;
    php.starts.add();
    php.started_at = now;
    const Status sent = setup_.spawner->send({Order::Kind::start, static_cast<uint8_t>(backend)});
    if (sent == Status::again) {
        LogLine(*setup_.log, LogLevel::error)
            .add("PHP cannot be started: the spawner cannot be told to"_p)
            .add_error(errno)
            .send();
        failed(backend, now);
        setup_.news(setup_.context, backend);
    } else if (sent != Status::ok) {
        spawner_gone();
    }
}

void Supervisor::failed(uint32_t backend, int64_t now) {
    Php& php = php_[backend];
    ++php.failures;
    php.not_before = now + pause_after(php.failures);
    php.phase = Phase::broken;
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
            LogLine(*setup_.log, level_of(report.text)).add("php: "_p).add_escaped(report.text).send();
            return;
        case Report::Kind::ready:
            php.run = report.run;
            php.idle_since = now;
            php.phase = Phase::running;
            LogLine(*setup_.log, LogLevel::info)
                .add("PHP is ready, "_p)
                .add_number(static_cast<uint64_t>(now - php.started_at))
                .add(" ms after it was wanted"_p)
                .send();
            break;
        case Report::Kind::failed:
            LogLine(*setup_.log, LogLevel::error)
                .add("PHP cannot be started: "_p)
                .add(report.text)
                .add_error(report.value)
                .send();
            failed(report.backend, now);
            break;
        case Report::Kind::exited:
            exited(report.backend, report, now);
            break;
    }
    setup_.news(setup_.context, report.backend);
}

void Supervisor::exited(uint32_t backend, const Report& report, int64_t now) {
    Php& php = php_[backend];
    const Phase before = php.phase.load();
    if (before == Phase::stopping && !php.is_given_up) {
        LogLine(*setup_.log, LogLevel::info).add("PHP has been stopped"_p).send();
        php.failures = 0;
        php.phase = Phase::stopped;
        return;
    }
    php.deaths.add();
    LogLine line(*setup_.log, LogLevel::error);
    line.add(before == Phase::starting ? "PHP did not start: it " : "PHP ");
    add_end(line, report.value);
    line.send();
    php.failures = php.is_well.load() || now - php.started_at >= good_run_ms ? 0 : php.failures + 1;
    // Not more often than it would be tried in vain.
    php.not_before = php.failures == 0 ? php.started_at + first_pause_ms : now + pause_after(php.failures);
    // One that runs and dies is started again for whoever waits; one that does not start has told why, and waiting would not help.
    php.phase = before == Phase::starting ? Phase::broken : Phase::stopped;
}

void Supervisor::on_timer(Timers& timers, int64_t now) {
    for (uint32_t backend = 0; backend < setup_.gates.size(); ++backend) {
        Php& php = php_[backend];
        const Phase phase = php.phase.load();
        if (phase == Phase::broken && php.not_before <= now && !gone_) {
            php.phase = Phase::stopped;
        } else if (phase == Phase::running) {
            look_for_idle(backend, now);
        }
    }
    start_wanted(now);
    arm(timers);
}

// PHP that no backend names any more is stopped as soon as it is idle.
int64_t Supervisor::idle_stop_of(uint32_t backend) const {
    const BackendSettings* const settings = setup_.backends->find(backend);
    return settings != nullptr ? settings->idle_stop_ms : 1;
}

void Supervisor::look_for_idle(uint32_t backend, int64_t now) {
    const int64_t idle_stop = idle_stop_of(backend);
    Php& php = php_[backend];
    const fastcgi::Gate::Counts counts = setup_.gates[backend].counts();
    if (counts.in_use > 0 || counts.served != php.served) {
        php.served = counts.served;
        php.idle_since = now;
        return;
    }
    if (idle_stop == 0 || now - php.idle_since < idle_stop) {
        return;
    }
    // Said first, looked at again then: a request that has found it running holds a place by now.
    php.phase = Phase::stopping;
    if (setup_.gates[backend].counts().in_use > 0 ||
        setup_.spawner->send({Order::Kind::stop, static_cast<uint8_t>(backend)}) != Status::ok) {
        php.phase = Phase::running;
        setup_.news(setup_.context, backend);
    }
}

void Supervisor::arm(Timers& timers) {
    int64_t due = never;
    for (uint32_t backend = 0; backend < setup_.gates.size(); ++backend) {
        const Php& php = php_[backend];
        const Phase phase = php.phase.load();
        const int64_t idle_stop = idle_stop_of(backend);
        if ((phase == Phase::broken && !gone_) || (phase == Phase::stopped && php.wanted.load())) {
            due = std::min(due, php.not_before);
        } else if (phase == Phase::running && php.lost.load()) {
            due = std::min(due, std::max(php.not_before, monotonic_ms() + 1));
        } else if (phase == Phase::running && idle_stop > 0) {
            due = std::min(due, monotonic_ms() + std::max<int64_t>(idle_stop / idle_looks, 1));
        }
    }
    if (due != never && timer_.due > due) {
        timers.set(timer_, due);
    }
}

// Nothing can be started any more: fcgate has given up the right to.
void Supervisor::spawner_gone() {
    if (!gone_) {
        LogLine(*setup_.log, LogLevel::error)
            .add("the spawner has ended: PHP cannot be started until fcgate is restarted"_p)
            .send();
        // Its socket would be an event for ever.
        setup_.spawner->finish();
    }
    gone_ = true;
    for (uint32_t backend = 0; backend < setup_.gates.size(); ++backend) {
        php_[backend].phase = Phase::broken;
        setup_.news(setup_.context, backend);
    }
}

}  // namespace fcgate::spawn
