// Owns: how each spawned PHP is: stopped, starting, running; when it is started again, and when it is idle enough to be stopped.
// Borrows: backend settings, gates and log of the server.
// Must not touch: exchanges. One worker's thread runs it; the others read the phase and say that they want PHP.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/log.hpp"
#include "base/timers.hpp"
#include "fastcgi/gate.hpp"
#include "fastcgi/upstream.hpp"
#include "spawn/plan.hpp"
#include "spawn/spawner.hpp"

namespace fcgate::spawn {

class Supervisor {
  public:
    struct Setup {
        const fastcgi::BackendTable* backends = nullptr;
        const Log* log = nullptr;
        std::span<fastcgi::Gate> gates;
        const Plan* plan = nullptr;
        SpawnerLink* spawner = nullptr;
        void* context = nullptr;
        void (*ring)(void* context) = nullptr;                    // wakes the worker that runs this one
        void (*news)(void* context, uint32_t backend) = nullptr;  // tells every worker that a phase has changed
    };
    void init(const Setup& setup);
    [[nodiscard]] bool is_used() const { return setup_.spawner != nullptr; }

    // ---- any worker ----

    // Wants PHP: starts it when it is stopped. `path` becomes its socket when it is ready.
    [[nodiscard]] fastcgi::Readiness want(uint32_t backend, TextBuffer& path);
    // Nobody answers at the socket of a PHP that is said to run: it has just died, or the path has been removed.
    void lost(uint32_t backend);
    // A request got no answer within response_timeout, or one got all of it. When one more in a row than there are PHP workers got none, all of
    // them hang, and nobody but us can end them.
    void silent(uint32_t backend);
    void answered(uint32_t backend) {
        php_[backend].silences.store(0, std::memory_order_relaxed);
        php_[backend].is_well.set(true);
    }

    struct Life {
        const char* phase;
        bool is_running;
        uint64_t starts;
        uint64_t deaths;  // that were not asked for
    };
    [[nodiscard]] Life look(uint32_t backend) const;

    // ---- the worker that runs it ----

    [[nodiscard]] int fd() const { return setup_.spawner->fd(); }
    // Both arm the timer.
    void on_reports(Timers& timers);
    void on_wanted(Timers& timers);
    void on_timer(Timers& timers, int64_t now);

  private:
    enum class Phase : uint8_t { stopped, starting, running, stopping, broken };

    // What any worker may set or look at. Nothing is ordered by it.
    class Flag {
      public:
        [[nodiscard]] bool get() const { return value_.load(std::memory_order_relaxed); }
        void set(bool value) { value_.store(value, std::memory_order_relaxed); }

      private:
        std::atomic<bool> value_{false};
    };

    struct Php {
        // Of the worker that runs this one alone; the others see with a phase what was so before.
        [[nodiscard]] Phase phase() const { return shared_phase.load(std::memory_order_relaxed); }
        void enter(Phase phase) { shared_phase.store(phase, std::memory_order_release); }
        [[nodiscard]] bool is(Phase phase) const { return this->phase() == phase; }

        uint32_t backend = 0;
        std::atomic<Phase> shared_phase{Phase::stopped};
        Flag wanted;
        Flag lost;
        Flag hangs;
        Flag is_well;                       // has answered in this run
        std::atomic<uint32_t> silences{0};  // in a row
        Gauge run;
        bool is_given_up = false;  // it is ended because nobody answered at its socket, or it did not become ready
        uint32_t failures = 0;     // in a row
        Count starts;
        Count deaths;
        int64_t not_before = 0;  // of the next start
        int64_t started_at = 0;
        int64_t ready_by = 0;  // while it is starting
        int64_t idle_since = 0;
        uint64_t served = 0;  // of the gate, when it was looked at last
    };

    [[nodiscard]] std::span<Php> all() { return std::span(php_).first(setup_.gates.size()); }
    void arm(Timers& timers);
    void start_wanted(int64_t now);
    void give_up(Php& php, int64_t now);
    void give_up_start(Php& php, int64_t now);
    [[nodiscard]] bool end(Php& php, Order::Kind kind, Packed why);
    void failed(Php& php, int64_t now);
    void start(Php& php, int64_t now);
    void take(const Report& report, int64_t now);
    void exited(Php& php, const Report& report, int64_t now);
    void look_for_idle(Php& php, int64_t now);
    [[nodiscard]] int64_t idle_stop_of(const Php& php) const;
    [[nodiscard]] int64_t start_limit_of(const Php& php) const;
    [[nodiscard]] Status tell(const Php& php, Order::Kind kind) const;
    void spread(const Php& php) const { setup_.news(setup_.context, php.backend); }
    void spawner_gone();

    Setup setup_;
    std::array<Php, limits::backends> php_;
    Timer timer_;
    bool gone_ = false;
};

}  // namespace fcgate::spawn
