#include <algorithm>
#include <array>

#include "fastcgi/request_stream.hpp"
#include "random.hpp"
#include "test_support.hpp"

using fcgate::Page;
using fcgate::PagePool;
using fcgate::fastcgi::header_size;
using fcgate::fastcgi::RecordType;
using fcgate::fastcgi::RequestStream;
using fcgate::test::Random;

namespace {

constexpr size_t largest_body = size_t{300} * 1024;
constexpr size_t largest_head = 4000;
constexpr size_t pool_pages = 24;

// What the client sends: a byte tells its offset.
char byte_of_body(size_t offset) {
    return static_cast<char>((offset * 13 + (offset >> 8U) * 5 + (offset >> 16U)) & 0xffU);
}

struct Fixed {
    Fixed() {
        for (size_t i = 0; i < body.size(); ++i) {
            body[i] = byte_of_body(i);
        }
        head.fill(0xaa);
        pool.init(pages, 0);
    }
    std::array<char, largest_body> body;
    std::array<uint8_t, largest_head> head;
    std::array<char, 2 * largest_body> wire;  // what PHP gets
    std::array<Page, pool_pages> pages;
    PagePool pool;
};

Fixed& fixed() {
    static Fixed one;
    return one;
}

// One request on its way, driven as the upstream does it: a client that offers bytes, a socket that takes some.
class Run {
  public:
    Run(Random& random, size_t head_size, size_t body_size)
        : random_(random), head_size_(head_size), body_size_(body_size) {
        stream_.init(fixed().pool, body_size);
    }

    // Bytes that come before PHP is there. Returns false when nothing more was taken.
    bool put_by(size_t size) {
        const std::span<const char> bytes = offer(size);
        const size_t taken = stream_.put_by(bytes);
        assert_true(taken <= bytes.size());
        offered_ += taken;
        assert_int_equal(stream_.has_whole_body(), offered_ == body_size_);
        assert_true(taken == bytes.size() || stream_.is_full());
        return taken > 0;
    }
    // One write to PHP, which takes at most `limit` bytes. `direct`: how much the client offers at that moment. Returns what went.
    size_t write(size_t direct, size_t limit) {
        const std::span<const char> bytes = offer(direct);
        RequestStream::Pieces pieces;
        stream_.gather({fixed().head.data(), head_size_}, bytes, pieces);
        size_t written = 0;
        for (const iovec& piece : pieces) {
            assert_true(piece.iov_len > 0);
            const size_t size = std::min(piece.iov_len, limit - written);
            assert_true(size <= fixed().wire.size() - wire_size_);
            memcpy(fixed().wire.data() + wire_size_, piece.iov_base, size);
            wire_size_ += size;
            written += size;
        }
        const size_t from_direct = stream_.advance(written, head_size_, bytes.size());
        assert_true(from_direct <= bytes.size());
        offered_ += from_direct;
        assert_int_equal(stream_.nothing_sent(), wire_size_ == 0);
        assert_int_equal(stream_.head_sent(), wire_size_ >= head_size_);
        return written;
    }
    void rewind() {
        assert_true(stream_.can_rewind());
        stream_.rewind();
        wire_size_ = 0;
        assert_true(stream_.nothing_sent());
        assert_false(stream_.head_sent());
    }
    // Everything until the end, in pieces of any size.
    void complete() {
        for (int idle = 0; !stream_.is_finished(); ++idle) {
            assert_true(idle < 1000);
            const bool starved = stream_.is_starved();
            const size_t direct = starved || random_.one_in(2) ? 1 + random_.below(100'000) : 0;
            const size_t limit = random_.one_in(3) ? SIZE_MAX : 1 + random_.below(random_.one_in(2) ? 20 : 40'000);
            if (write(direct, limit) > 0) {
                idle = 0;
            } else {
                // Nothing goes only while the client owes bytes.
                assert_true(direct == 0 && starved);
            }
        }
        assert_int_equal(write(0, SIZE_MAX), 0);
        assert_false(stream_.is_starved());
    }
    // The head, STDIN records that make up the body, and the empty one.
    void check_wire() const {
        const auto* at = reinterpret_cast<const uint8_t*>(fixed().wire.data());
        const uint8_t* const end = at + wire_size_;
        assert_true(wire_size_ >= head_size_ + header_size);
        assert_memory_equal(at, fixed().head.data(), head_size_);
        at += head_size_;
        size_t body = 0;
        for (bool last = false; !last;) {
            assert_true(static_cast<size_t>(end - at) >= header_size);
            const size_t length = fcgate::load_be16(at + 4);
            assert_int_equal(at[0], 1);
            assert_int_equal(at[1], static_cast<int>(RecordType::standard_input));
            assert_int_equal(fcgate::load_be16(at + 2), 1);
            assert_int_equal(at[6], 0);
            at += header_size;
            last = length == 0;
            assert_true(length <= static_cast<size_t>(end - at) && length <= body_size_ - body);
            assert_memory_equal(at, fixed().body.data() + body, length);
            at += length;
            body += length;
        }
        assert_int_equal(body, body_size_);
        assert_ptr_equal(at, end);
    }
    void finish() {
        stream_.finish();
        assert_int_equal(fixed().pool.shared_left(), pool_pages);
    }
    [[nodiscard]] RequestStream& stream() { return stream_; }

  private:
    [[nodiscard]] std::span<const char> offer(size_t size) const {
        return {fixed().body.data() + offered_, std::min(size, body_size_ - offered_)};
    }

    Random& random_;
    RequestStream stream_;
    size_t head_size_;
    size_t body_size_;
    size_t offered_ = 0;  // bytes of the body that were taken from the client
    size_t wire_size_ = 0;
};

void a_request_without_a_body_goes_in_one_write(void** /*state*/) {
    Random random(8);
    Run run(random, 100, 0);
    assert_true(run.stream().has_whole_body());
    assert_int_equal(run.write(0, SIZE_MAX), 100 + header_size);
    assert_true(run.stream().is_finished());
    run.check_wire();
    run.finish();
}

void a_small_body_that_is_there_goes_with_the_head(void** /*state*/) {
    Random random(9);
    Run run(random, 100, 5000);
    assert_true(run.put_by(5000));
    assert_int_equal(run.write(0, SIZE_MAX), 100 + header_size + 5000 + header_size);
    assert_true(run.stream().is_finished());
    run.check_wire();
    run.finish();
}

void a_write_may_stop_at_every_byte(void** /*state*/) {
    Random random(10);
    for (size_t cut = 0; cut <= 50 + header_size + 30 + header_size; ++cut) {
        Run run(random, 50, 30);
        (void)run.put_by(10);
        (void)run.write(20, cut);
        run.complete();
        run.check_wire();
        run.finish();
    }
}

void sizes_at_the_edge_of_a_record_are_cut_right(void** /*state*/) {
    Random random(11);
    for (const size_t edge : {size_t{1}, size_t{65528}, size_t{65535}, size_t{65536}, size_t{2} * 65528}) {
        for (size_t size = edge - 1; size <= edge + 1; ++size) {
            Run run(random, 16, size);
            run.complete();
            run.check_wire();
            run.finish();
        }
    }
}

void what_arrives_is_the_body_however_it_was_cut(void** /*state*/) {
    Random random(12);
    for (int round = 0; round < 400; ++round) {
        const size_t size = random.below(random.one_in(2) ? 3000 : largest_body);
        Run run(random, 16 + random.below(largest_head - 16), size);
        // Some of it before PHP is there, perhaps until the buffer is full.
        for (uint32_t pieces = random.below(20); pieces > 0; --pieces) {
            (void)run.put_by(1 + random.below(30'000));
        }
        run.complete();
        run.check_wire();
        run.finish();
    }
}

void it_takes_no_more_than_its_buffer_before_php_is_there(void** /*state*/) {
    Random random(13);
    Run run(random, 16, largest_body);
    while (run.put_by(10'000)) {}
    assert_true(run.stream().is_full());
    assert_true(fixed().pool.shared_left() >= pool_pages - fcgate::limits::body_buffer / sizeof(Page::bytes) - 1);
    run.complete();
    run.check_wire();
    run.finish();
}

void a_pool_that_is_used_up_only_slows_it_down(void** /*state*/) {
    Random random(14);
    fcgate::PageChain greedy;
    greedy.init(fixed().pool, false, SIZE_MAX / 2);
    while (greedy.append(fixed().body) > 0) {}
    Run run(random, 16, 100'000);
    assert_false(run.put_by(1));
    assert_true(run.stream().is_full());
    run.complete();
    run.check_wire();
    greedy.clear();
    run.finish();
}

void a_second_try_says_the_same_again(void** /*state*/) {
    Random random(15);
    int rewound = 0;
    for (int round = 0; round < 300; ++round) {
        Run run(random, 16 + random.below(100), random.below(500));
        (void)run.put_by(random.below(500));
        for (int tries = 0; tries < 3; ++tries) {
            (void)run.write(random.below(100), random.below(200));
            if (run.stream().can_rewind()) {
                run.rewind();
                ++rewound;
            }
        }
        run.complete();
        run.check_wire();
        run.finish();
    }
    assert_true(rewound > 100);
}

void once_a_byte_of_the_body_has_gone_there_is_no_second_try(void** /*state*/) {
    Random random(16);
    Run run(random, 20, 10);
    (void)run.put_by(10);
    (void)run.write(0, 20 + header_size);
    assert_true(run.stream().can_rewind());
    (void)run.write(0, 1);
    assert_false(run.stream().can_rewind());
    run.finish();
}

void a_head_that_was_begun_must_stay_as_long_as_it_is(void** /*state*/) {
    Random random(18);
    Run run(random, 100, 0);
    assert_true(run.stream().accepts_head(90));
    assert_true(run.stream().accepts_head(100));
    (void)run.write(0, 60);
    assert_true(run.stream().accepts_head(100));
    assert_false(run.stream().accepts_head(50));
    assert_false(run.stream().accepts_head(101));
    // On another connection it begins anew.
    run.rewind();
    assert_true(run.stream().accepts_head(50));
    run.finish();
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_request_without_a_body_goes_in_one_write),
        cmocka_unit_test(a_small_body_that_is_there_goes_with_the_head),
        cmocka_unit_test(a_write_may_stop_at_every_byte),
        cmocka_unit_test(sizes_at_the_edge_of_a_record_are_cut_right),
        cmocka_unit_test(what_arrives_is_the_body_however_it_was_cut),
        cmocka_unit_test(it_takes_no_more_than_its_buffer_before_php_is_there),
        cmocka_unit_test(a_pool_that_is_used_up_only_slows_it_down),
        cmocka_unit_test(a_second_try_says_the_same_again),
        cmocka_unit_test(a_head_that_was_begun_must_stay_as_long_as_it_is),
        cmocka_unit_test(once_a_byte_of_the_body_has_gone_there_is_no_second_try),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
