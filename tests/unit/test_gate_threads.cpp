// The gate under four workers at once, each with requests of its own.
#include <pthread.h>
#include <sched.h>

#include <array>
#include <atomic>

#include "fastcgi/gate.hpp"
#include "random.hpp"
#include "test_support.hpp"

using fcgate::Handle;
using fcgate::no_slot;
using fcgate::fastcgi::Gate;
using fcgate::fastcgi::Use;
using fcgate::test::Random;
using Entry = Gate::Entry;

namespace {

constexpr uint32_t workers = 4;
constexpr uint32_t capacity = 3;
constexpr uint32_t queue_places = 6;
constexpr uint32_t requests_each = 8;
constexpr uint64_t served_each = 3'000;

enum class State : uint8_t { away, waiting, granted, evicted, holding };

// Touched by its own worker; `state` alone also by whoever passes a place on or evicts.
struct Request {
    std::atomic<State> state{State::away};
    Use use = Use::page;
    Handle ticket;
};

struct Yard;

struct Worker {
    Yard* yard = nullptr;
    uint32_t number = 0;
    uint32_t parked = 0;
    std::atomic<uint32_t> yields{0};
    std::array<Request, requests_each> requests;
    uint64_t served = 0;
};

struct Yard {
    Gate gate;
    std::array<Gate::Place, queue_places> places{};
    std::array<Gate::Parking, workers> parking{};
    std::array<Worker, workers> worker;
    std::atomic<uint32_t> holding{0};
    std::atomic<uint32_t> faults{0};  // a check of cmocka's may fail on the main thread only

    void expect(bool good) { faults += good ? 0U : 1U; }
    Request& request(const fcgate::fastcgi::Waiter& waiter) {
        return worker[waiter.worker].requests[waiter.exchange.slot];
    }
    void pass_on(const Gate::Released& released) {
        if (released.passed_on) {
            expect(request(released.next).state.exchange(State::granted) == State::waiting);
        }
    }
    void hold(Worker& self, Request& request) {
        request.state = State::holding;
        expect(holding.fetch_add(1) < capacity);
        ++self.served;
    }
    void leave(const Worker& self, Request& request, bool may_park, uint32_t& parked) {
        holding.fetch_sub(1);
        request.state = State::away;
        const Gate::Released released = gate.leave(self.number, request.use, may_park);
        parked += released.parked ? 1U : 0U;
        pass_on(released);
    }
    void enter(Worker& self, uint32_t slot, Random& random) {
        Request& request = self.requests[slot];
        request.use = random.one_in(5) ? Use::stream : (random.one_in(3) ? Use::upload : Use::page);
        // From here on a grant may come, even before enter() has returned.
        request.state = State::waiting;
        const Gate::Answer answer =
            gate.enter({{slot, 0}, self.number, request.use}, self.number * 2 + random.below(2));
        if (answer.evicted.exchange.slot != no_slot) {
            expect(this->request(answer.evicted).state.exchange(State::evicted) == State::waiting);
        }
        switch (answer.entry) {
            case Entry::granted_parked:
                expect(self.parked > 0);
                --self.parked;
                hold(self, request);
                break;
            case Entry::granted:
                hold(self, request);
                break;
            case Entry::queued:
                request.ticket = answer.ticket;
                if (answer.yield_worker != no_slot) {
                    worker[answer.yield_worker].yields.fetch_add(1);
                }
                break;
            case Entry::full:
            case Entry::no_stream:
                request.state = State::away;
                break;
        }
    }
    // What has come from other workers.
    void look(Worker& self) {
        for (Request& request : self.requests) {
            if (request.state == State::granted) {
                hold(self, request);
            } else if (request.state == State::evicted) {
                request.state = State::away;
            }
        }
        for (uint32_t count = self.yields.exchange(0); count > 0; --count) {
            if (self.parked > 0) {
                --self.parked;
                pass_on(gate.unpark(self.number, true));
            } else {
                gate.nothing_to_yield(self.number);
            }
        }
    }
    void step(Worker& self, Random& random) {
        const uint32_t slot = random.below(requests_each);
        Request& request = self.requests[slot];
        switch (request.state.load()) {
            case State::away:
                enter(self, slot, random);
                break;
            case State::waiting:
                if (random.one_in(4) && gate.cancel(request.ticket)) {
                    request.state = State::away;
                }
                break;
            case State::holding:
                if (request.use == Use::upload && random.one_in(2)) {
                    request.use = Use::page;
                    pass_on(gate.finish_upload(self.number));
                }
                if (request.use == Use::page && random.one_in(8) && gate.become_stream()) {
                    request.use = Use::stream;
                }
                leave(self, request, random.one_in(2), self.parked);
                break;
            case State::granted:
            case State::evicted:
                break;
        }
        if (self.parked > 0 && random.one_in(16)) {
            --self.parked;
            pass_on(gate.unpark(self.number, false));
        }
        const Gate::Counts counts = gate.counts();
        expect(counts.in_use + counts.parked <= capacity && counts.streams < capacity && counts.parked < capacity);
    }
    // Until nothing of this worker's is under way.
    void go_home(Worker& self) {
        for (bool any = true; any; sched_yield()) {
            any = false;
            look(self);
            for (Request& request : self.requests) {
                if (request.state == State::holding) {
                    leave(self, request, false, self.parked);
                } else if (request.state == State::waiting && gate.cancel(request.ticket)) {
                    request.state = State::away;
                }
                any = any || request.state != State::away;
            }
        }
        for (; self.parked > 0; --self.parked) {
            pass_on(gate.unpark(self.number, false));
        }
    }
};

void* work(void* argument) {
    auto* const self = static_cast<Worker*>(argument);
    Random random(self->number + 100);
    while (self->served < served_each) {
        self->yard->step(*self, random);
        self->yard->look(*self);
        // A worker that is not on a core keeps the places it was granted: let it have one.
        sched_yield();
    }
    self->yard->go_home(*self);
    return nullptr;
}

void four_workers_at_once_neither_lose_nor_double_a_place(void** /*state*/) {
    static Yard yard;
    yard.gate.init(capacity, yard.places, yard.parking);
    std::array<pthread_t, workers> threads{};
    for (uint32_t i = 0; i < workers; ++i) {
        yard.worker[i].yard = &yard;
        yard.worker[i].number = i;
        assert_int_equal(pthread_create(&threads[i], nullptr, &work, &yard.worker[i]), 0);
    }
    for (const pthread_t thread : threads) {
        assert_int_equal(pthread_join(thread, nullptr), 0);
    }
    assert_int_equal(yard.faults, 0);
    assert_int_equal(yard.holding, 0);
    const Gate::Counts counts = yard.gate.counts();
    assert_int_equal(counts.in_use, 0);
    assert_int_equal(counts.parked, 0);
    assert_int_equal(counts.streams, 0);
    assert_int_equal(counts.waiting, 0);
    yard.gate.finish();
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(four_workers_at_once_neither_lose_nor_double_a_place),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
