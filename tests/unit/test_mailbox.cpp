#include <fcntl.h>
#include <poll.h>
#include <sched.h>

#include <array>

#include "server/mailbox.hpp"
#include "test_support.hpp"

using fcgate::Status;
using fcgate::fastcgi::Grant;
using fcgate::server::Mailbox;
using fcgate::test::check_status;

namespace {

constexpr size_t places = 3;
constexpr size_t notices = 2;

Grant grant_for(uint32_t slot) {
    Grant grant;
    grant.waiter.exchange = {slot, 1};
    return grant;
}

Grant notice_for(uint32_t slot) {
    Grant grant = grant_for(slot);
    grant.backend = fcgate::no_slot;
    return grant;
}

bool is_rung(const Mailbox& mailbox) {
    pollfd descriptor{mailbox.fd(), POLLIN, 0};
    return poll(&descriptor, 1, 0) == 1;
}

// A mailbox with its storage.
struct Box {
    Box() { check_status(mailbox.init(storage, places), Status::ok); }
    ~Box() { mailbox.finish(); }
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;

    // The exchange of the next grant; no_slot when there is none.
    uint32_t take() {
        Grant grant;
        return mailbox.take(grant) ? grant.waiter.exchange.slot : fcgate::no_slot;
    }

    std::array<Grant, places + notices> storage;
    Mailbox mailbox;
};

void what_is_posted_comes_out_in_order(void** /*state*/) {
    Box box;
    uint32_t posted = 0;
    uint32_t taken = 0;
    for (int round = 0; round < 20; ++round) {
        for (size_t i = 0; i < places; ++i) {
            assert_true(box.mailbox.post(grant_for(posted++)));
        }
        while (taken < posted) {
            assert_int_equal(box.take(), taken++);
        }
        assert_int_equal(box.take(), fcgate::no_slot);
    }
}

void a_grant_keeps_all_it_says(void** /*state*/) {
    Box box;
    Grant grant = grant_for(7);
    grant.waiter.worker = 3;
    grant.waiter.use = fcgate::fastcgi::Use::stream;
    grant.backend = 5;
    fcgate::fastcgi::Link link{};
    grant.link = &link;
    assert_true(box.mailbox.post(grant));
    Grant out;
    assert_true(box.mailbox.take(out));
    assert_true(out.waiter.exchange == grant.waiter.exchange);
    assert_int_equal(out.waiter.worker, 3);
    assert_true(out.waiter.use == fcgate::fastcgi::Use::stream);
    assert_int_equal(out.backend, 5);
    assert_ptr_equal(out.link, &link);
    assert_int_equal(out.fd, -1);
}

void every_post_rings_until_it_is_acknowledged(void** /*state*/) {
    Box box;
    assert_false(is_rung(box.mailbox));
    box.mailbox.ring();
    box.mailbox.ring();
    assert_true(is_rung(box.mailbox));
    box.mailbox.acknowledge();
    assert_false(is_rung(box.mailbox));
    box.mailbox.acknowledge();
    assert_true(box.mailbox.post(grant_for(0)));
    assert_true(is_rung(box.mailbox));
    box.mailbox.acknowledge();
    box.mailbox.post_yield(2);
    assert_true(is_rung(box.mailbox));
}

void news_are_taken_once_and_each_for_itself(void** /*state*/) {
    Box box;
    assert_int_equal(box.mailbox.take_news(), 0);
    box.mailbox.post_news(Mailbox::php_news(2));
    box.mailbox.post_news(Mailbox::newcomers);
    box.mailbox.post_news(Mailbox::newcomers);
    assert_true(is_rung(box.mailbox));
    assert_int_equal(box.mailbox.take_news(), Mailbox::php_news(2) | Mailbox::newcomers);
    assert_int_equal(box.mailbox.take_news(), 0);
}

void requests_to_yield_are_counted_by_backend(void** /*state*/) {
    Box box;
    for (int i = 0; i < 3; ++i) {
        box.mailbox.post_yield(1);
    }
    box.mailbox.post_yield(fcgate::limits::backends - 1);
    assert_int_equal(box.mailbox.take_yields(0), 0);
    assert_int_equal(box.mailbox.take_yields(1), 3);
    assert_int_equal(box.mailbox.take_yields(1), 0);
    assert_int_equal(box.mailbox.take_yields(fcgate::limits::backends - 1), 1);
}

void notices_never_take_the_room_of_grants(void** /*state*/) {
    Box box;
    for (uint32_t i = 0; i < 10; ++i) {
        assert_true(box.mailbox.post(notice_for(100 + i)));
    }
    for (uint32_t i = 0; i < places; ++i) {
        assert_true(box.mailbox.post(grant_for(i)));
    }
    for (uint32_t i = 0; i < notices; ++i) {
        assert_int_equal(box.take(), 100 + i);
    }
    for (uint32_t i = 0; i < places; ++i) {
        assert_int_equal(box.take(), i);
    }
    assert_int_equal(box.take(), fcgate::no_slot);
}

void what_comes_after_the_close_is_the_senders_again(void** /*state*/) {
    Box box;
    assert_true(box.mailbox.post(grant_for(1)));
    box.mailbox.close();
    assert_false(box.mailbox.post(grant_for(2)));
    assert_int_equal(box.take(), 1);
    assert_int_equal(box.take(), fcgate::no_slot);
}

void connections_that_nobody_took_are_closed_at_the_end(void** /*state*/) {
    int ends[2] = {-1, -1};
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    {
        Box box;
        Grant grant = grant_for(1);
        grant.fd = ends[1];
        assert_true(box.mailbox.post(grant));
    }
    char byte = 0;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

// ---- threads ----

constexpr uint32_t senders = 4;
constexpr uint32_t posts_each = 20'000;

struct Sender {
    Mailbox* mailbox;
    std::atomic<uint32_t>* under_way;
    uint32_t number;
};

void* send_all(void* argument) {
    const auto* const sender = static_cast<const Sender*>(argument);
    for (uint32_t i = 0; i < posts_each; ++i) {
        // As at the gate: no more grants are under way than there are places.
        uint32_t count = sender->under_way->load();
        while (count >= places || !sender->under_way->compare_exchange_weak(count, count + 1)) {
            sched_yield();
            count = sender->under_way->load();
        }
        Grant grant = grant_for(i);
        grant.waiter.worker = sender->number;
        (void)sender->mailbox->post(grant);
        sender->mailbox->post_yield(sender->number);
    }
    return nullptr;
}

// The worker sleeps in poll() whenever the mailbox looks empty: a wake-up that is lost would end the test by its deadline.
void nothing_is_lost_between_threads(void** /*state*/) {
    Box box;
    std::atomic<uint32_t> under_way{0};
    std::array<Sender, senders> sender{};
    std::array<pthread_t, senders> threads{};
    for (uint32_t i = 0; i < senders; ++i) {
        sender[i] = {&box.mailbox, &under_way, i};
        assert_int_equal(pthread_create(&threads[i], nullptr, &send_all, &sender[i]), 0);
    }
    std::array<uint32_t, senders> taken{};
    std::array<uint32_t, senders> yields{};
    uint32_t total = 0;
    uint32_t yields_total = 0;
    while (total < senders * posts_each || yields_total < senders * posts_each) {
        pollfd descriptor{box.mailbox.fd(), POLLIN, 0};
        assert_int_equal(poll(&descriptor, 1, 10'000), 1);
        box.mailbox.acknowledge();
        Grant grant;
        while (box.mailbox.take(grant)) {
            under_way.fetch_sub(1);
            // In the order of each sender.
            assert_int_equal(grant.waiter.exchange.slot, taken[grant.waiter.worker]++);
            ++total;
        }
        for (uint32_t i = 0; i < senders; ++i) {
            const uint32_t count = box.mailbox.take_yields(i);
            yields[i] += count;
            yields_total += count;
        }
    }
    for (uint32_t i = 0; i < senders; ++i) {
        assert_int_equal(pthread_join(threads[i], nullptr), 0);
        assert_int_equal(taken[i], posts_each);
        assert_int_equal(yields[i], posts_each);
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(what_is_posted_comes_out_in_order),
        cmocka_unit_test(a_grant_keeps_all_it_says),
        cmocka_unit_test(every_post_rings_until_it_is_acknowledged),
        cmocka_unit_test(news_are_taken_once_and_each_for_itself),
        cmocka_unit_test(requests_to_yield_are_counted_by_backend),
        cmocka_unit_test(notices_never_take_the_room_of_grants),
        cmocka_unit_test(what_comes_after_the_close_is_the_senders_again),
        cmocka_unit_test(connections_that_nobody_took_are_closed_at_the_end),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
