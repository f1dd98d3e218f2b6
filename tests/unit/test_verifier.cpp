#include <semaphore.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>

#include "auth/verifier.hpp"
#include "base/clock.hpp"
#include "support/basic_auth.hpp"
#include "temp_tree.hpp"

using fcgate::monotonic_ms;
using fcgate::Result;
using fcgate::Status;
using fcgate::Text;
using fcgate::auth::Credentials;
using fcgate::auth::Verdict;
using fcgate::auth::Verifier;
using fcgate::test::check_status;
using fcgate::test::TempTree;
namespace limits = fcgate::limits;

namespace {

Credentials make(std::string_view both) {
    Text<512> value;
    fcgate::test::append_basic(value, both);
    Credentials credentials;
    check_status(credentials.parse(value.view()), Status::ok);
    return credentials;
}

// A verifier in memory of its own, with a file of users; without `starts` questions wait until start().
class Desk {
  public:
    explicit Desk(bool starts = true) {
        tree_.file("users", fcgate::test::users);
        path_.append(tree_.path()).append("/users");
        assert_true(Verifier::memory_size() <= sizeof memory_);
        verifier_ = Verifier::make({memory_, Verifier::memory_size()});
        assert_int_equal(sem_init(&answered_, 0, 0), 0);
        assert_int_equal(sem_init(&goes_on_, 0, 0), 0);
        if (starts) {
            start();
        }
    }
    ~Desk() {
        verifier_->finish();
        sem_destroy(&answered_);
        sem_destroy(&goes_on_);
    }
    Desk(const Desk&) = delete;
    Desk& operator=(const Desk&) = delete;

    void start() {
        check_status(verifier_->start({this,
                                       [](void* self, uint32_t worker) {
                                           assert_int_equal(worker, 7);
                                           auto* const desk = static_cast<Desk*>(self);
                                           sem_post(&desk->answered_);
                                           if (desk->waits_) {
                                               sem_wait(&desk->goes_on_);
                                           }
                                       }}),
                     Status::ok);
    }
    Result<uint8_t> ask(std::string_view both, uint64_t client = 1, int64_t since = monotonic_ms(),
                        void* owner = nullptr) {
        return verifier_->ask({path_.view(), make(both), client, 7, owner}, since);
    }
    // From start() on no further question is answered until go_on().
    void step() { waits_ = true; }
    void go_on() { sem_post(&goes_on_); }
    // Until another question has its answer.
    void wait() {
        timespec deadline{};
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += 60;
        assert_int_equal(sem_timedwait(&answered_, &deadline), 0);
    }
    Verdict verdict_on(std::string_view both) {
        const Result<uint8_t> question = ask(both);
        check_status(question.status(), Status::ok);
        wait();
        const Verdict verdict = verifier_->look(question.value()).verdict;
        verifier_->give_back(question.value());
        return verdict;
    }
    [[nodiscard]] bool knows(std::string_view both) {
        return verifier_->knows(path_.view(), make(both), monotonic_ms());
    }
    // What has changed a moment ago is not remembered.
    void learn(std::string_view both) {
        for (const int64_t deadline = monotonic_ms() + 60'000; !knows(both);) {
            assert_true(monotonic_ms() < deadline);
            assert_true(verdict_on(both) == Verdict::granted);
            (void)usleep(50'000);
        }
    }
    Verifier& verifier() { return *verifier_; }
    TempTree& tree() { return tree_; }
    [[nodiscard]] const char* path() const { return path_.c_str(); }

  private:
    alignas(max_align_t) char memory_[size_t{256} * 1024]{};
    TempTree tree_;
    Text<256> path_;
    sem_t answered_{};
    sem_t goes_on_{};
    bool waits_ = false;
    Verifier* verifier_ = nullptr;
};

void passwords_are_judged(void** /*state*/) {
    Desk desk;
    constexpr struct {
        std::string_view both;
        Verdict verdict;
    } all[] = {
        {"ann:Hello world!", Verdict::granted},
        {"ann:Hello world", Verdict::denied},
        {"ann:", Verdict::denied},
        {"bob:U*U", Verdict::granted},
        {"bob:U*U*", Verdict::denied},
        {"bob:Hello world!", Verdict::denied},
        {"carl:Hello world!", Verdict::denied},
        {"odd:x", Verdict::unusable},
        {"plain:secret", Verdict::unusable},
        {"An:Hello world!", Verdict::denied},
        {"slow:x", Verdict::denied},
    };
    for (const auto& one : all) {
        if (desk.verdict_on(one.both) != one.verdict) {
            print_error("%s\n", one.both.data());
            _fail(__FILE__, __LINE__);
        }
    }
}

void what_was_right_is_known_until_the_file_changes(void** /*state*/) {
    Desk desk;
    assert_false(desk.knows("ann:Hello world!"));
    desk.learn("ann:Hello world!");
    assert_false(desk.knows("ann:Hello world?"));
    assert_false(desk.knows("bob:Hello world!"));
    Text<256> other(desk.tree().path());
    other.append("/others");
    assert_false(desk.verifier().knows(other.view(), make("ann:Hello world!"), monotonic_ms()));
    // Not looked at again before its time.
    desk.tree().file("new", "ann:$5$x\n");
    assert_int_equal(renameat(desk.tree().fd(), "new", desk.tree().fd(), "users"), 0);
    const int64_t later = monotonic_ms() + limits::passwords_known_ms;
    assert_false(desk.verifier().knows(desk.path(), make("ann:Hello world!"), later));
    assert_false(desk.knows("ann:Hello world!"));
}

// The seconds of the wall clock since the file was changed.
double age_of(Desk& desk) {
    struct stat status {};
    timespec now{};
    assert_int_equal(stat(desk.path(), &status), 0);
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<double>(now.tv_sec - status.st_ctim.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// What counts is how old the change was when the file was read, not when the password has been checked: the file may have changed in between, within the
// same tick of its clock as before.
void a_file_that_was_new_when_it_was_read_is_not_remembered(void** /*state*/) {
    constexpr double settled = 2;
    constexpr double before = 0.03;  // less than the hash takes
    bool was_remembered = true;
    for (int attempt = 0; attempt < 5 && was_remembered; ++attempt) {
        Desk desk;
        assert_int_equal(unlinkat(desk.tree().fd(), "users", 0), 0);
        desk.tree().file("users",
                         "eve:$6$rounds=200000$saltsalt$"
                         "TIt.9OeA8hZFF2gZCEIVHSgG5iaKfDpL6A65w/hAKBfM4asnbA0xL5MRmLyYx4b42fEYayfhHKSB22ymQBGMe.\n");
        while (age_of(desk) < settled - before) {
            (void)usleep(1000);
        }
        assert_true(desk.verdict_on("eve:apple") == Verdict::granted);
        // Where the thread has not waited for the processor it was read before the two seconds were over, and answered behind them.
        was_remembered = age_of(desk) < settled || desk.knows("eve:apple");
    }
    assert_false(was_remembered);
}

void a_file_that_cannot_be_read_says_so(void** /*state*/) {
    Desk desk;
    const Result<uint8_t> question = [&] {
        Text<256> path(desk.tree().path());
        const Result<uint8_t> asked = desk.verifier().ask({path.view(), make("ann:x"), 1, 7, nullptr}, monotonic_ms());
        desk.wait();
        return asked;
    }();
    assert_true(desk.verifier().look(question.value()).verdict == Verdict::unreadable);
    assert_int_equal(desk.verifier().look(question.value()).error_number, EISDIR);
    desk.verifier().give_back(question.value());
    assert_int_equal(unlinkat(desk.tree().fd(), "users", 0), 0);
    assert_true(desk.verdict_on("ann:Hello world!") == Verdict::unreadable);
}

void one_client_cannot_take_all_places(void** /*state*/) {
    Desk desk(false);
    for (size_t i = 0; i < limits::password_questions_per_client; ++i) {
        check_status(desk.ask("ann:x", 1).status(), Status::ok);
    }
    check_status(desk.ask("ann:x", 1).status(), Status::exhausted);
    for (uint64_t client = 2; client < 2 + limits::password_questions - limits::password_questions_per_client;
         ++client) {
        check_status(desk.ask("ann:x", client).status(), Status::ok);
    }
    check_status(desk.ask("ann:x", 1000).status(), Status::exhausted);
    desk.verifier().give_back(3);
    check_status(desk.ask("ann:x", 1000).status(), Status::ok);
}

// In which order questions of these clients are answered that all wait before the first is.
template <size_t Count>
std::array<size_t, Count> order_of(const std::array<uint64_t, Count>& clients) {
    Desk desk(false);
    std::array<int, Count> owners{};
    for (size_t i = 0; i < Count; ++i) {
        check_status(desk.ask("ann:x", clients[i], monotonic_ms(), &owners[i]).status(), Status::ok);
    }
    desk.step();
    desk.start();
    std::array<size_t, Count> order{};
    for (size_t& next : order) {
        desk.wait();
        const void* const owner = desk.verifier().next_answered(7);
        assert_non_null(owner);
        next = static_cast<size_t>(static_cast<const int*>(owner) - owners.data());
        desk.go_on();
    }
    assert_null(desk.verifier().next_answered(7));
    return order;
}

void clients_take_turns(void** /*state*/) {
    // Four of one client come first, then two of another.
    constexpr std::array<size_t, 6> of_two = {0, 4, 1, 5, 2, 3};
    assert_true(order_of<6>({1, 1, 1, 1, 2, 2}) == of_two);
    // Two that fill their places keep a third from no more than one turn each.
    constexpr std::array<size_t, 7> of_three = {0, 1, 6, 2, 3, 4, 5};
    assert_true(order_of<7>({1, 2, 1, 2, 1, 2, 3}) == of_three);
}

void who_asks_again_does_so_behind_the_others(void** /*state*/) {
    Desk desk(false);
    std::array<int, 4> owners{};
    const auto ask = [&](size_t owner, uint64_t client) {
        return desk.ask("ann:x", client, monotonic_ms(), &owners[owner]).value();
    };
    const uint8_t first = ask(0, 1);
    (void)ask(1, 2);
    desk.step();
    desk.start();
    desk.wait();
    assert_ptr_equal(desk.verifier().next_answered(7), &owners[0]);
    // The third comes before the first has asked again, and the first gives back what it has.
    (void)ask(2, 3);
    desk.verifier().give_back(first);
    (void)ask(3, 1);
    for (size_t next = 1; next < owners.size(); ++next) {
        desk.go_on();
        desk.wait();
        assert_ptr_equal(desk.verifier().next_answered(7), &owners[next]);
    }
    desk.go_on();
}

void who_asks_again_and_again_does_not_go_before_a_second_question(void** /*state*/) {
    Desk desk(false);
    std::array<int, 6> owners{};
    const auto ask = [&](size_t owner, uint64_t client) {
        return desk.ask("ann:x", client, monotonic_ms(), &owners[owner]).value();
    };
    (void)ask(0, 1);
    (void)ask(1, 1);
    uint8_t theirs = ask(2, 2);
    desk.step();
    desk.start();
    desk.wait();
    assert_ptr_equal(desk.verifier().next_answered(7), &owners[0]);
    desk.go_on();
    desk.wait();
    assert_ptr_equal(desk.verifier().next_answered(7), &owners[2]);
    desk.verifier().give_back(theirs);
    theirs = ask(3, 2);
    desk.go_on();
    desk.wait();
    assert_ptr_equal(desk.verifier().next_answered(7), &owners[1]);
    desk.verifier().give_back(theirs);
    desk.go_on();
}

void who_has_waited_too_long_is_not_checked_any_more(void** /*state*/) {
    Desk desk(false);
    const uint8_t late = desk.ask("ann:Hello world!", 1, monotonic_ms() - limits::password_wait_ms - 1000).value();
    const uint8_t right = desk.ask("ann:Hello world!", 2).value();
    desk.start();
    desk.wait();
    desk.wait();
    assert_true(desk.verifier().look(late).verdict == Verdict::late);
    assert_true(desk.verifier().look(right).verdict == Verdict::granted);
}

void a_question_may_be_given_back_at_any_time(void** /*state*/) {
    Desk desk;
    // Waiting, worked at, answered: whatever it is just then.
    for (int i = 0; i < 40; ++i) {
        std::array<uint8_t, 3> questions{};
        for (uint8_t& question : questions) {
            question = desk.ask("slow:x", static_cast<uint64_t>(i)).value();
        }
        (void)usleep(static_cast<useconds_t>(i) * 100);
        for (const uint8_t question : questions) {
            desk.verifier().give_back(question);
        }
    }
    // Nobody is told of them, and in the end there is room for as many as ever.
    assert_null(desk.verifier().next_answered(7));
    for (size_t i = 0; i < limits::password_questions; ++i) {
        Result<uint8_t> question = Status::exhausted;
        for (const int64_t deadline = monotonic_ms() + 60'000; !question.ok();) {
            assert_true(monotonic_ms() < deadline);
            question = desk.ask("ann:x", 100 + i);
        }
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_judged),
        cmocka_unit_test(what_was_right_is_known_until_the_file_changes),
        cmocka_unit_test(a_file_that_was_new_when_it_was_read_is_not_remembered),
        cmocka_unit_test(a_file_that_cannot_be_read_says_so),
        cmocka_unit_test(one_client_cannot_take_all_places),
        cmocka_unit_test(clients_take_turns),
        cmocka_unit_test(who_asks_again_does_so_behind_the_others),
        cmocka_unit_test(who_asks_again_and_again_does_not_go_before_a_second_question),
        cmocka_unit_test(who_has_waited_too_long_is_not_checked_any_more),
        cmocka_unit_test(a_question_may_be_given_back_at_any_time),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
