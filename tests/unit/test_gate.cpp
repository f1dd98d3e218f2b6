#include <algorithm>
#include <array>

#include "fastcgi/gate.hpp"
#include "gate_world.hpp"
#include "random.hpp"
#include "test_support.hpp"

using fcgate::no_slot;
using fcgate::fastcgi::Gate;
using fcgate::fastcgi::Use;
using fcgate::test::GateWorld;
using fcgate::test::Random;
using fcgate::test::Request;
using Entry = Gate::Entry;
using State = Request::State;

namespace {

constexpr uint64_t alice = 1;
constexpr uint64_t bob = 2;
constexpr uint64_t carol = 3;

void as_many_pass_as_php_has_workers(void** /*state*/) {
    GateWorld<1, 3, 2, 8> world;
    for (uint32_t i = 0; i < 3; ++i) {
        assert_true(world.enter(i, 0, alice) == Entry::granted);
    }
    assert_true(world.enter(3, 0, alice) == Entry::queued);
    assert_true(world.enter(4, 0, alice) == Entry::queued);
    assert_true(world.enter(5, 0, alice) == Entry::full);
    assert_int_equal(world.leave(0), 3);
    assert_int_equal(world.leave(1), 4);
    assert_int_equal(world.leave(2), no_slot);
    world.drain();
}

// A gate whose size changes, which the world's model does not know.
struct Resized {
    std::array<Gate::Place, 4> queue;
    std::array<Gate::Parking, 1> parking;
    Gate gate;

    explicit Resized(uint32_t workers) { gate.init(workers, queue, parking); }
    ~Resized() { gate.finish(); }
    Resized(const Resized&) = delete;
    Resized& operator=(const Resized&) = delete;

    [[nodiscard]] Entry enter(uint32_t number) { return gate.enter({{number, 0}, 0, Use::page}, alice).entry; }
    // Who has the place now; no_slot: nobody.
    [[nodiscard]] uint32_t leave(bool may_park = false) { return next(gate.leave(0, Use::page, may_park)); }
    [[nodiscard]] uint32_t grant_free() { return next(gate.grant_free()); }
    [[nodiscard]] static uint32_t next(const Gate::Released& released) {
        return released.passed_on ? released.next.exchange.slot : no_slot;
    }
};

void places_that_are_taken_away_go_as_their_holders_leave(void** /*state*/) {
    Resized world(3);
    for (uint32_t i = 0; i < 3; ++i) {
        assert_true(world.enter(i) == Entry::granted);
    }
    assert_true(world.enter(3) == Entry::queued);
    world.gate.resize(1, 4);
    assert_int_equal(world.leave(true), no_slot);
    assert_int_equal(world.gate.counts().parked, 0);
    assert_int_equal(world.leave(), no_slot);
    assert_int_equal(world.leave(), 3);
    assert_int_equal(world.gate.counts().in_use, 1);
    assert_true(world.enter(4) == Entry::queued);
    assert_int_equal(world.leave(), 4);
    assert_int_equal(world.leave(), no_slot);
}

void places_that_are_added_go_to_those_who_wait(void** /*state*/) {
    Resized world(1);
    assert_true(world.enter(0) == Entry::granted);
    assert_true(world.enter(1) == Entry::queued);
    assert_true(world.enter(2) == Entry::queued);
    assert_int_equal(world.grant_free(), no_slot);
    world.gate.resize(2, 4);
    assert_int_equal(world.grant_free(), 1);
    assert_int_equal(world.grant_free(), no_slot);
    assert_int_equal(world.gate.counts().in_use, 2);
    assert_int_equal(world.gate.counts().waiting, 1);
    assert_int_equal(world.leave(), 2);
}

void a_queue_can_be_made_shorter(void** /*state*/) {
    Resized world(1);
    assert_true(world.enter(0) == Entry::granted);
    world.gate.resize(1, 1);
    assert_true(world.enter(1) == Entry::queued);
    assert_true(world.enter(2) == Entry::full);
    world.gate.resize(1, 100);  // no more than there is room for
    for (uint32_t i = 2; i < 5; ++i) {
        assert_true(world.enter(i) == Entry::queued);
    }
    assert_true(world.enter(5) == Entry::full);
}

void a_queue_of_no_places_refuses_at_once(void** /*state*/) {
    GateWorld<1, 1, 0, 3> world;
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    assert_true(world.enter(1, 0, bob) == Entry::full);
    assert_int_equal(world.leave(0), no_slot);
    assert_true(world.enter(1, 0, bob) == Entry::granted);
    world.drain();
}

void clients_are_served_in_turns(void** /*state*/) {
    GateWorld<1, 1, 8, 9> world;
    assert_true(world.enter(0, 0, carol) == Entry::granted);
    for (uint32_t i = 1; i <= 4; ++i) {
        assert_true(world.enter(i, 0, alice) == Entry::queued);
    }
    assert_true(world.enter(5, 0, bob) == Entry::queued);
    assert_true(world.enter(6, 0, bob) == Entry::queued);
    uint32_t holder = 0;
    for (const uint32_t expected : {1U, 5U, 2U, 6U, 3U, 4U}) {
        holder = world.leave(holder);
        assert_int_equal(holder, expected);
    }
    world.drain();
}

// Browsers that ask again as soon as they are answered must not hold back the second request of another one.
void whoever_asks_again_and_again_does_not_starve_a_second_request(void** /*state*/) {
    constexpr uint32_t others = 10;
    GateWorld<1, 2, 32, others + 2> world;
    for (uint32_t i = 0; i < others; ++i) {
        (void)world.enter(i, 0, 100 + i);
    }
    assert_true(world.enter(others, 0, alice) == Entry::queued);
    assert_true(world.enter(others + 1, 0, alice) == Entry::queued);
    for (uint32_t served = 0; world.requests[others + 1].state == State::waiting; ++served) {
        assert_true(served < 3 * others);
        uint32_t holder = 0;
        while (world.requests[holder].state != State::holding) {
            ++holder;
        }
        (void)world.leave(holder);
        if (holder < others) {
            (void)world.enter(holder, 0, 100 + holder);
        }
    }
    world.drain();
}

void a_full_queue_makes_room_at_the_expense_of_whoever_holds_most_of_it(void** /*state*/) {
    GateWorld<2, 1, 4, 12> world;
    assert_true(world.enter(0, 0, carol) == Entry::granted);
    for (uint32_t i = 1; i <= 4; ++i) {
        assert_true(world.enter(i, 1, alice) == Entry::queued);
    }
    assert_true(world.enter(5, 0, bob) == Entry::queued);
    assert_int_equal(world.last_answer.evicted.exchange.slot, 4);
    assert_int_equal(world.last_answer.evicted.worker, 1);
    assert_true(world.enter(6, 0, bob) == Entry::queued);
    assert_int_equal(world.last_answer.evicted.exchange.slot, 3);
    // Two each: nobody holds more than bob would.
    assert_true(world.enter(7, 0, bob) == Entry::full);
    assert_true(world.enter(8, 0, alice) == Entry::full);
    assert_false(world.cancel(4));
    world.drain();
}

void whoever_gives_up_waiting_is_not_served(void** /*state*/) {
    GateWorld<1, 1, 4, 6> world;
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    assert_true(world.enter(1, 0, alice) == Entry::queued);
    assert_true(world.enter(2, 0, bob) == Entry::queued);
    assert_true(world.cancel(1));
    assert_false(world.cancel(1));
    assert_int_equal(world.leave(0), 2);
    // Too late: it is on its way.
    assert_false(world.cancel(2));
    world.drain();
}

void event_streams_leave_one_place_to_others(void** /*state*/) {
    GateWorld<1, 3, 4, 8> world;
    assert_true(world.enter(0, 0, alice, true) == Entry::granted);
    assert_true(world.enter(1, 0, alice, true) == Entry::granted);
    assert_true(world.enter(2, 0, alice, true) == Entry::no_stream);
    assert_true(world.enter(2, 0, alice) == Entry::granted);
    world.become_stream(2);
    assert_true(world.requests[2].use == Use::page);
    (void)world.leave(0);
    world.become_stream(2);
    assert_true(world.requests[2].use == Use::stream);
    world.drain();

    GateWorld<1, 1, 4, 2> single;
    assert_true(single.enter(0, 0, alice, true) == Entry::no_stream);
    single.drain();
}

void a_waiting_event_stream_counts_until_it_goes(void** /*state*/) {
    GateWorld<1, 2, 2, 8> world;
    assert_true(world.enter(0, 0, carol) == Entry::granted);
    assert_true(world.enter(1, 0, carol) == Entry::granted);
    assert_true(world.enter(2, 0, alice, true) == Entry::queued);
    assert_true(world.enter(3, 0, alice, true) == Entry::no_stream);
    assert_true(world.cancel(2));
    assert_true(world.enter(2, 0, alice, true) == Entry::queued);
    assert_int_equal(world.leave(0), 2);
    (void)world.leave(2);
    // Evicted, and refused by the full queue.
    assert_true(world.enter(0, 0, carol) == Entry::granted);
    assert_true(world.enter(2, 0, alice) == Entry::queued);
    assert_true(world.enter(3, 0, alice, true) == Entry::queued);
    assert_true(world.enter(4, 0, bob) == Entry::queued);
    assert_int_equal(world.last_answer.evicted.exchange.slot, 3);
    assert_true(world.enter(5, 0, bob, true) == Entry::full);
    world.drain();
}

void uploads_leave_one_place_to_others(void** /*state*/) {
    GateWorld<1, 3, 4, 8> world;
    assert_true(world.enter(0, 0, alice, Use::upload) == Entry::granted);
    assert_true(world.enter(1, 0, bob, Use::upload) == Entry::granted);
    // A place is free, but not for this one; who comes later has it.
    assert_true(world.enter(2, 0, carol, Use::upload) == Entry::queued);
    assert_true(world.enter(3, 0, alice) == Entry::granted);
    assert_true(world.enter(4, 0, alice) == Entry::queued);
    assert_int_equal(world.leave(3), 4);
    assert_int_equal(world.leave(0), 2);
    world.drain();
}

void uploads_and_streams_together_leave_one_place_to_others(void** /*state*/) {
    GateWorld<1, 4, 4, 8> world;
    assert_true(world.enter(0, 0, alice, Use::stream) == Entry::granted);
    assert_true(world.enter(1, 0, bob, Use::stream) == Entry::granted);
    assert_true(world.enter(2, 0, carol, Use::upload) == Entry::granted);
    assert_true(world.enter(3, 0, alice, Use::upload) == Entry::queued);
    assert_true(world.enter(4, 0, bob) == Entry::granted);
    // The page's place is for another page; what the stream leaves is for the upload.
    assert_int_equal(world.leave(4), no_slot);
    assert_int_equal(world.leave(0), 3);
    assert_true(world.enter(5, 0, bob) == Entry::granted);
    world.drain();
}

void one_upload_has_a_place_beside_all_streams(void** /*state*/) {
    GateWorld<1, 3, 4, 8> world;
    assert_true(world.enter(0, 0, alice, Use::stream) == Entry::granted);
    assert_true(world.enter(1, 0, alice, Use::stream) == Entry::granted);
    assert_true(world.enter(2, 0, bob, Use::upload) == Entry::granted);
    assert_true(world.enter(3, 0, carol, Use::upload) == Entry::queued);
    assert_int_equal(world.finish_upload(2), no_slot);
    assert_int_equal(world.leave(2), 3);
    world.drain();
}

void the_next_upload_begins_when_the_body_of_another_is_there(void** /*state*/) {
    GateWorld<1, 2, 4, 8> world;
    assert_true(world.enter(0, 0, alice, Use::upload) == Entry::granted);
    assert_true(world.enter(1, 0, bob, Use::upload) == Entry::queued);
    assert_true(world.enter(2, 0, carol, Use::upload) == Entry::queued);
    assert_int_equal(world.finish_upload(0), 1);
    assert_int_equal(world.finish_upload(1), no_slot);
    assert_int_equal(world.leave(0), 2);
    world.drain();
}

// While it lets others go first its turn grows old: it must not take time back, nor pass its age on to its client's other requests.
void an_upload_that_is_passed_over_leaves_the_turns_as_they_are(void** /*state*/) {
    GateWorld<1, 2, 8, 12> world;
    assert_true(world.enter(0, 0, carol, Use::upload) == Entry::granted);
    assert_true(world.enter(1, 0, carol) == Entry::granted);
    assert_true(world.enter(2, 0, alice, Use::upload) == Entry::queued);
    for (int i = 0; i < 50; ++i) {
        assert_true(world.enter(3, 0, bob) == Entry::queued);
        assert_int_equal(world.leave(1), 3);
        assert_true(world.enter(1, 0, carol) == Entry::queued);
        assert_int_equal(world.leave(3), 1);
    }
    assert_true(world.enter(4, 0, bob) == Entry::queued);
    assert_true(world.enter(5, 0, alice) == Entry::queued);
    assert_true(world.enter(6, 0, alice) == Entry::queued);
    assert_int_equal(world.leave(1), 4);
    assert_int_equal(world.leave(4), 5);
    assert_true(world.enter(7, 0, bob) == Entry::queued);
    // The upload is granted now; who waited before newcomers is served before them.
    assert_int_equal(world.leave(0), 2);
    assert_true(world.enter(8, 0, carol) == Entry::queued);
    assert_int_equal(world.leave(5), 6);
    assert_int_equal(world.leave(6), 7);
    assert_int_equal(world.leave(7), 8);
    world.drain();
}

void uploads_leave_half_of_the_queue_to_others(void** /*state*/) {
    GateWorld<1, 1, 4, 8> world;
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    assert_true(world.enter(1, 0, alice, Use::upload) == Entry::queued);
    assert_true(world.enter(2, 0, bob, Use::upload) == Entry::queued);
    assert_true(world.enter(3, 0, carol, Use::upload) == Entry::full);
    assert_true(world.enter(3, 0, carol) == Entry::queued);
    assert_true(world.enter(4, 0, carol) == Entry::queued);
    assert_int_equal(world.leave(0), 1);
    assert_true(world.enter(5, 0, alice, Use::upload) == Entry::queued);
    world.drain();
}

// A page of the greediest is no room for them, and who has no more than the newcomer stays.
void uploads_of_the_greediest_make_room_for_another(void** /*state*/) {
    GateWorld<1, 1, 6, 12> world;
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    for (uint32_t i = 1; i <= 3; ++i) {
        assert_true(world.enter(i, 0, alice, Use::upload) == Entry::queued);
    }
    assert_true(world.enter(4, 0, alice) == Entry::queued);
    assert_true(world.enter(5, 0, bob, Use::upload) == Entry::queued);
    assert_int_equal(world.last_answer.evicted.exchange.slot, 3);
    assert_true(world.enter(6, 0, alice, Use::upload) == Entry::full);
    assert_true(world.enter(6, 0, bob, Use::upload) == Entry::full);
    assert_true(world.cancel(2));
    assert_true(world.enter(6, 0, carol, Use::upload) == Entry::queued);
    assert_true(world.enter(7, 0, 4, Use::upload) == Entry::full);
    assert_int_equal(world.leave(0), 1);
    world.drain();
}

void the_only_place_is_an_uploads_too(void** /*state*/) {
    GateWorld<1, 1, 4, 4> world;
    assert_true(world.enter(0, 0, alice, Use::upload) == Entry::granted);
    assert_true(world.enter(1, 0, bob, Use::upload) == Entry::queued);
    assert_true(world.enter(2, 0, carol) == Entry::queued);
    assert_int_equal(world.leave(0), 1);
    assert_int_equal(world.leave(1), 2);
    world.drain();
}

void a_page_makes_no_way_for_an_upload_that_waits_for_another(void** /*state*/) {
    GateWorld<1, 2, 4, 8> world;
    assert_true(world.enter(0, 0, alice, Use::upload) == Entry::granted);
    assert_true(world.enter(1, 0, bob) == Entry::granted);
    assert_false(world.gate.is_wanted(Use::page));
    assert_true(world.enter(2, 0, carol, Use::upload) == Entry::queued);
    assert_false(world.gate.is_wanted(Use::page));
    assert_true(world.gate.is_wanted(Use::upload));
    assert_true(world.enter(3, 0, carol) == Entry::queued);
    assert_true(world.gate.is_wanted(Use::page));
    assert_true(world.cancel(3));
    assert_false(world.gate.is_wanted(Use::page));
    // The body of the other is there: now it is a place that is missing.
    assert_int_equal(world.finish_upload(0), no_slot);
    assert_true(world.gate.is_wanted(Use::page));
    world.drain();
}

void nothing_is_parked_for_a_waiting_upload(void** /*state*/) {
    GateWorld<1, 3, 4, 8> world;
    assert_true(world.enter(0, 0, alice, Use::upload) == Entry::granted);
    assert_true(world.enter(1, 0, alice, Use::upload) == Entry::granted);
    assert_true(world.enter(2, 0, bob, Use::upload) == Entry::queued);
    assert_true(world.enter(3, 0, carol) == Entry::granted);
    assert_int_equal(world.leave(3, true), no_slot);
    assert_int_equal(world.parked_total(), 0);
    assert_int_equal(world.finish_upload(0), 2);
    world.drain();
}

// Another worker could ask for a parked connection only from the queue.
void without_a_queue_workers_park_nothing_for_each_other(void** /*state*/) {
    GateWorld<2, 2, 0, 4> world;
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    assert_int_equal(world.leave(0, true), no_slot);
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    assert_true(world.enter(1, 1, bob) == Entry::granted);
    world.drain();
}

void a_connection_is_parked_only_while_nobody_waits_and_never_the_last(void** /*state*/) {
    GateWorld<2, 2, 4, 8> world;
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    assert_true(world.enter(1, 0, alice) == Entry::granted);
    (void)world.leave(0, true);
    assert_int_equal(world.parked[0], 1);
    (void)world.leave(1, true);
    assert_int_equal(world.parked[0], 1);
    // Another worker cannot use it, and has a place of its own.
    assert_true(world.enter(2, 1, bob) == Entry::granted);
    assert_true(world.enter(3, 1, bob) == Entry::queued);
    assert_int_equal(world.last_answer.yield_worker, 0);
    world.yield(0);
    assert_true(world.requests[3].state == State::holding);
    (void)world.leave(2);
    (void)world.leave(3, true);
    assert_true(world.enter(4, 1, bob) == Entry::granted_parked);
    world.drain();
}

void every_waiter_asks_for_a_parked_connection_of_its_own(void** /*state*/) {
    GateWorld<3, 3, 8, 8> world;
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    assert_true(world.enter(1, 1, alice) == Entry::granted);
    (void)world.leave(0, true);
    (void)world.leave(1, true);
    assert_true(world.enter(2, 2, bob) == Entry::granted);
    for (uint32_t i = 3; i < 6; ++i) {
        assert_true(world.enter(i, 2, bob) == Entry::queued);
    }
    world.yield(0);
    world.yield(1);
    assert_int_equal(world.count(State::waiting), 1);
    world.drain();
}

void nobody_takes_a_parked_connection_that_a_waiter_has_asked_for(void** /*state*/) {
    GateWorld<2, 2, 4, 8> world;
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    (void)world.leave(0, true);
    assert_true(world.enter(1, 1, alice) == Entry::granted);
    assert_true(world.enter(2, 1, bob) == Entry::queued);
    assert_int_equal(world.last_answer.yield_worker, 0);
    assert_true(world.enter(3, 0, carol) == Entry::queued);
    world.yield(0);
    assert_true(world.requests[2].state == State::holding);
    world.drain();
}

// Whether it was given up or had gone before.
void a_worker_that_has_been_asked_can_be_asked_again(void** /*state*/) {
    GateWorld<2, 2, 4, 8> world;
    for (int round = 0; round < 4; ++round) {
        assert_true(world.enter(0, 0, alice) == Entry::granted);
        (void)world.leave(0, true);
        assert_int_equal(world.parked[0], 1);
        assert_true(world.enter(1, 1, alice) == Entry::granted);
        assert_true(world.enter(2, 1, bob) == Entry::queued);
        assert_int_equal(world.last_answer.yield_worker, 0);
        if (round % 2 == 0) {
            (void)world.unpark(0, false);
        }
        world.yield(0);
        world.drain();
    }
}

void a_thread_gives_to_its_own_of_the_same_client_but_not_for_ever(void** /*state*/) {
    GateWorld<2, 1, 16, 16> world;
    assert_true(world.enter(0, 0, alice) == Entry::granted);
    assert_true(world.enter(1, 1, alice) == Entry::queued);  // the first, on another thread
    assert_true(world.enter(2, 0, bob) == Entry::queued);
    for (uint32_t i = 3; i < 7; ++i) {
        assert_true(world.enter(i, 0, alice) == Entry::queued);
    }
    assert_int_equal(world.leave(0), 3);  // in the place of 1
    assert_int_equal(world.leave(3), 2);  // Bob has lost nothing
    assert_int_equal(world.leave(2), 4);  // once more ...
    assert_int_equal(world.leave(4), 1);  // ... and no more
    assert_int_equal(world.leave(1), 5);
    world.drain();
}

void random_use_agrees_with_the_model(void** /*state*/) {
    constexpr uint32_t requests = 24;
    constexpr uint32_t workers = 3;
    for (uint64_t seed = 0; seed < 20; ++seed) {
        GateWorld<workers, 4, 7, requests> world;
        Random random(seed);
        for (int step = 0; step < 3000; ++step) {
            const uint32_t number = random.below(requests);
            const uint32_t worker = random.below(workers);
            const State state = world.requests[number].state;
            if (world.yields[worker] > 0 && random.one_in(4)) {
                world.yield(worker);
            } else if (world.parked[worker] > 0 && random.one_in(8)) {
                (void)world.unpark(worker, false);
            } else if (state == State::away) {
                const Use use = random.one_in(4) ? Use::stream : (random.one_in(3) ? Use::upload : Use::page);
                (void)world.enter(number, worker, random.below(4), use);
            } else if (state == State::waiting && random.one_in(4)) {
                (void)world.cancel(number);
            } else if (state == State::holding && world.requests[number].use == Use::upload && random.one_in(2)) {
                (void)world.finish_upload(number);
            } else if (state == State::holding && world.requests[number].use == Use::page && random.one_in(6)) {
                world.become_stream(number);
            } else if (state == State::holding) {
                (void)world.leave(number, random.one_in(2));
            }
        }
        world.drain();
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(as_many_pass_as_php_has_workers),
        cmocka_unit_test(places_that_are_taken_away_go_as_their_holders_leave),
        cmocka_unit_test(places_that_are_added_go_to_those_who_wait),
        cmocka_unit_test(a_queue_can_be_made_shorter),
        cmocka_unit_test(a_queue_of_no_places_refuses_at_once),
        cmocka_unit_test(clients_are_served_in_turns),
        cmocka_unit_test(whoever_asks_again_and_again_does_not_starve_a_second_request),
        cmocka_unit_test(a_full_queue_makes_room_at_the_expense_of_whoever_holds_most_of_it),
        cmocka_unit_test(whoever_gives_up_waiting_is_not_served),
        cmocka_unit_test(event_streams_leave_one_place_to_others),
        cmocka_unit_test(a_waiting_event_stream_counts_until_it_goes),
        cmocka_unit_test(uploads_leave_one_place_to_others),
        cmocka_unit_test(uploads_and_streams_together_leave_one_place_to_others),
        cmocka_unit_test(one_upload_has_a_place_beside_all_streams),
        cmocka_unit_test(the_next_upload_begins_when_the_body_of_another_is_there),
        cmocka_unit_test(an_upload_that_is_passed_over_leaves_the_turns_as_they_are),
        cmocka_unit_test(uploads_leave_half_of_the_queue_to_others),
        cmocka_unit_test(uploads_of_the_greediest_make_room_for_another),
        cmocka_unit_test(the_only_place_is_an_uploads_too),
        cmocka_unit_test(a_page_makes_no_way_for_an_upload_that_waits_for_another),
        cmocka_unit_test(nothing_is_parked_for_a_waiting_upload),
        cmocka_unit_test(without_a_queue_workers_park_nothing_for_each_other),
        cmocka_unit_test(a_connection_is_parked_only_while_nobody_waits_and_never_the_last),
        cmocka_unit_test(every_waiter_asks_for_a_parked_connection_of_its_own),
        cmocka_unit_test(nobody_takes_a_parked_connection_that_a_waiter_has_asked_for),
        cmocka_unit_test(a_worker_that_has_been_asked_can_be_asked_again),
        cmocka_unit_test(a_thread_gives_to_its_own_of_the_same_client_but_not_for_ever),
        cmocka_unit_test(random_use_agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
