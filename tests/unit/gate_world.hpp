// A gate, and a simple model of what it should do: lists that are searched from end to end.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "fastcgi/gate.hpp"
#include "random.hpp"
#include "test_support.hpp"

namespace fcgate::test {

// One request; its number is the slot of its exchange.
struct Request {
    enum class State : uint8_t { away, waiting, holding };

    State state = State::away;
    fastcgi::Use use = fastcgi::Use::page;
    uint32_t worker = 0;
    uint64_t client = 0;
    uint64_t turn = 0;     // while waiting
    uint64_t arrival = 0;  // while waiting
    int passed_over = 0;   // while waiting
    Handle ticket;
};

template <uint32_t Workers, uint32_t Capacity, uint32_t Queue, uint32_t Requests>
struct GateWorld {
    using Gate = fastcgi::Gate;
    using State = Request::State;
    using Use = fastcgi::Use;

    GateWorld() { gate.init(Capacity, places, parking); }
    ~GateWorld() { gate.finish(); }
    GateWorld(const GateWorld&) = delete;
    GateWorld& operator=(const GateWorld&) = delete;

    [[nodiscard]] uint32_t count(State state) const {
        uint32_t total = 0;
        for (const Request& one : requests) {
            total += one.state == state ? 1U : 0U;
        }
        return total;
    }
    [[nodiscard]] uint32_t streams() const {
        uint32_t total = 0;
        for (const Request& one : requests) {
            total += one.state != State::away && one.use == Use::stream ? 1U : 0U;
        }
        return total;
    }
    // An upload may have a place, next to those that have one.
    [[nodiscard]] bool fits(const Request& request) const {
        uint32_t uploads = 0;
        for (const Request& one : requests) {
            uploads += one.state == State::holding && one.use == Use::upload ? 1U : 0U;
        }
        return request.use != Use::upload || uploads == 0 || streams() + uploads + 1 < Capacity;
    }
    [[nodiscard]] uint32_t waiting_uploads() const {
        uint32_t total = 0;
        for (const Request& one : requests) {
            total += one.state == State::waiting && one.use == Use::upload ? 1U : 0U;
        }
        return total;
    }
    [[nodiscard]] uint32_t parked_total() const {
        uint32_t total = 0;
        for (const uint32_t one : parked) {
            total += one;
        }
        return total;
    }
    [[nodiscard]] static bool waits(const Request& one, uint64_t client, bool as_upload) {
        return one.state == State::waiting && one.client == client && (!as_upload || one.use == Use::upload);
    }
    [[nodiscard]] uint32_t waiting_of(uint64_t client, bool as_upload = false) const {
        uint32_t total = 0;
        for (const Request& one : requests) {
            total += waits(one, client, as_upload) ? 1U : 0U;
        }
        return total;
    }
    // Who is behind another one, or first of all; nullptr: nobody.
    [[nodiscard]] Request* behind(const Request* before) {
        const auto is_earlier = [](const Request& a, const Request& b) {
            return a.turn < b.turn || (a.turn == b.turn && a.arrival < b.arrival);
        };
        Request* found = nullptr;
        for (Request& one : requests) {
            const bool follows = one.state == State::waiting && (before == nullptr || is_earlier(*before, one));
            if (follows && (found == nullptr || is_earlier(one, *found))) {
                found = &one;
            }
        }
        return found;
    }
    // Of those who may have a place.
    [[nodiscard]] Request* first() {
        Request* one = behind(nullptr);
        while (one != nullptr && !fits(*one)) {
            one = behind(one);
        }
        return one;
    }
    // Who gets what `worker` gives: of the first four one of its own, of the first one's client, which then has the other's turn.
    [[nodiscard]] Request* next_for(uint32_t worker) {
        Request* const head = first();
        if (head == nullptr || head->passed_over == 2) {
            return head;
        }
        Request* one = head;
        for (int i = 0; i < 4 && one != nullptr; ++i, one = behind(one)) {
            if (one->worker == worker && one->client == head->client && fits(*one)) {
                if (one != head) {
                    std::swap(one->turn, head->turn);
                    std::swap(one->arrival, head->arrival);
                    ++head->passed_over;
                }
                return one;
            }
        }
        return head;
    }
    [[nodiscard]] Request* last_of(uint64_t client, bool as_upload = false) {
        Request* found = nullptr;
        for (Request& one : requests) {
            if (waits(one, client, as_upload) && (found == nullptr || one.turn > found->turn)) {
                found = &one;
            }
        }
        return found;
    }

    Gate::Entry enter(uint32_t number, uint32_t worker, uint64_t client, bool is_stream = false) {
        return enter(number, worker, client, is_stream ? Use::stream : Use::page);
    }
    Gate::Entry enter(uint32_t number, uint32_t worker, uint64_t client, Use use) {
        Request& request = requests[number];
        assert_true(request.state == State::away);
        const bool stream_fits = streams() + 1 < Capacity;
        const uint32_t used = count(State::holding) + parked_total();
        request.use = use;
        const bool nobody_waits = first() == nullptr && fits(request);
        const bool full = count(State::waiting) == Queue;
        const bool may_wait = use != Use::upload || waiting_uploads() < (Queue + 1) / 2;

        request.worker = worker;
        request.client = client;
        const Gate::Answer answer = gate.enter({{number, 1}, worker, use}, client);
        last_answer = answer;

        Gate::Entry expected = Gate::Entry::queued;
        if (use == Use::stream && !stream_fits) {
            expected = Gate::Entry::no_stream;
        } else if (nobody_waits && parked[worker] > 0) {
            expected = Gate::Entry::granted_parked;
            --parked[worker];
        } else if (nobody_waits && used < Capacity) {
            expected = Gate::Entry::granted;
        } else if ((full || !may_wait) && !check_eviction(answer, client, !may_wait)) {
            expected = Gate::Entry::full;
        }
        assert_int_equal(static_cast<int>(answer.entry), static_cast<int>(expected));
        if (expected == Gate::Entry::granted || expected == Gate::Entry::granted_parked) {
            request.state = State::holding;
        } else if (expected == Gate::Entry::queued) {
            const Request* const last = last_of(client);
            request.turn = (last != nullptr ? std::max(last->turn, served) : served) + 1;
            request.arrival = ++arrivals;
            request.passed_over = 0;
            request.ticket = answer.ticket;
            request.state = State::waiting;
            check_yield(answer.yield_worker);
        }
        check();
        return answer.entry;
    }
    bool cancel(uint32_t number) {
        const bool done = gate.cancel(requests[number].ticket);
        assert_int_equal(done, requests[number].state == State::waiting);
        if (done) {
            requests[number].state = State::away;
        }
        check();
        return done;
    }
    // Returns the number of whom the place went to, or no_slot.
    uint32_t leave(uint32_t number, bool may_park = false) {
        Request& request = requests[number];
        assert_true(request.state == State::holding);
        request.state = State::away;
        const Gate::Released released = gate.leave(request.worker, request.use, may_park);
        const uint32_t next = check_passed_on(released, request.worker);
        const bool can_be_asked_for = Queue > 0 || Workers == 1;
        assert_int_equal(released.parked, can_be_asked_for && count(State::waiting) == 0 && may_park &&
                                              next == no_slot && parked_total() + 1 < Capacity);
        parked[request.worker] += released.parked ? 1U : 0U;
        check();
        return next;
    }
    // Its body is there. Returns who has a place now.
    uint32_t finish_upload(uint32_t number) {
        Request& request = requests[number];
        request.use = Use::page;
        const Gate::Released released = gate.finish_upload(request.worker);
        const bool has_free = count(State::holding) + parked_total() < Capacity;
        if (!has_free) {
            assert_false(released.passed_on);
            return no_slot;
        }
        const uint32_t next = check_passed_on(released, request.worker);
        check();
        return next;
    }
    // By time, or because the worker was asked to.
    uint32_t unpark(uint32_t worker, bool asked) {
        --parked[worker];
        const uint32_t next = check_passed_on(gate.unpark(worker, asked), worker);
        yields[worker] -= asked ? 1U : 0U;
        check();
        return next;
    }
    // The worker does what it was asked for.
    void yield(uint32_t worker) {
        assert_true(yields[worker] > 0);
        if (parked[worker] > 0) {
            (void)unpark(worker, true);
        } else {
            gate.nothing_to_yield(worker);
            --yields[worker];
        }
    }
    void become_stream(uint32_t number) {
        Request& request = requests[number];
        const bool fits = streams() + 1 < Capacity;
        assert_int_equal(gate.become_stream(), fits);
        request.use = fits ? Use::stream : Use::page;
        check();
    }
    // Everybody goes home.
    void drain() {
        for (uint32_t i = 0; i < Requests; ++i) {
            if (requests[i].state == State::waiting) {
                (void)cancel(i);
            }
        }
        for (uint32_t i = 0; i < Requests; ++i) {
            if (requests[i].state == State::holding) {
                (void)leave(i);
            }
        }
        for (uint32_t worker = 0; worker < Workers; ++worker) {
            while (parked[worker] > 0) {
                (void)unpark(worker, false);
            }
        }
        const Gate::Counts counts = gate.counts();
        assert_int_equal(counts.in_use + counts.parked + counts.streams + counts.waiting, 0);
    }

    // The model and the gate agree, and what must never be is not.
    void check() {
        const Gate::Counts counts = gate.counts();
        assert_int_equal(counts.capacity, Capacity);
        assert_int_equal(counts.in_use, count(State::holding));
        assert_int_equal(counts.parked, parked_total());
        assert_int_equal(counts.streams, streams());
        assert_int_equal(counts.waiting, count(State::waiting));
        assert_true(counts.in_use + counts.parked <= Capacity);
        assert_true(counts.streams < Capacity);
        assert_true(counts.parked < Capacity);
        // A place is never free while somebody waits who may have it.
        assert_true(first() == nullptr || counts.in_use + counts.parked == Capacity);
    }

    Gate gate;
    Gate::Answer last_answer{};
    std::array<Gate::Place, Queue> places{};
    std::array<Gate::Parking, Workers> parking{};
    std::array<Request, Requests> requests{};
    std::array<uint32_t, Workers> parked{};
    std::array<uint32_t, Workers> yields{};  // asked for, not done yet
    uint64_t arrivals = 0;
    uint64_t served = 0;  // turn of whoever was served last

  private:
    // True when the full queue has made room, rightly.
    // Of uploads alone, when there are too many of them.
    bool check_eviction(const Gate::Answer& answer, uint64_t client, bool of_uploads) {
        uint32_t most = 0;
        for (const Request& one : requests) {
            most = one.state == State::waiting ? std::max(most, waiting_of(one.client, of_uploads)) : most;
        }
        const bool expected = most > waiting_of(client, of_uploads) + 1;
        assert_int_equal(answer.evicted.exchange.slot != no_slot, expected);
        if (expected) {
            Request& evicted = requests[answer.evicted.exchange.slot];
            assert_true(evicted.state == State::waiting);
            assert_int_equal(waiting_of(evicted.client, of_uploads), most);
            assert_ptr_equal(&evicted, last_of(evicted.client, of_uploads));
            assert_int_equal(answer.evicted.worker, evicted.worker);
            evicted.state = State::away;
        }
        return expected;
    }
    // As long as a parked connection is left that nobody was asked for, a waiter asks for one.
    void check_yield(uint32_t worker) {
        bool any = false;
        for (uint32_t i = 0; i < Workers; ++i) {
            any = any || parked[i] > yields[i];
        }
        assert_int_equal(worker != no_slot, any);
        if (worker != no_slot) {
            assert_true(parked[worker] > yields[worker]);
            ++yields[worker];
        }
    }
    uint32_t check_passed_on(const Gate::Released& released, uint32_t worker) {
        Request* const expected = next_for(worker);
        assert_int_equal(released.passed_on, expected != nullptr);
        if (expected == nullptr) {
            return no_slot;
        }
        const uint32_t number = released.next.exchange.slot;
        assert_ptr_equal(&requests[number], expected);
        assert_int_equal(released.next.worker, expected->worker);
        assert_true(released.next.use == expected->use);
        expected->state = State::holding;
        served = std::max(served, expected->turn);
        return number;
    }
};

}  // namespace fcgate::test
