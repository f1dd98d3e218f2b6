#include <fcntl.h>

#include <array>
#include <ctime>
#include <utility>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "base/limits.hpp"
#include "files/file_cache.hpp"
#include "files/static_file.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

namespace fcgate::files {
namespace {

using test::check_text;
using test::TempTree;

constexpr int64_t modified = 784'111'777;
constexpr int64_t later = int64_t{1} << 40U;  // of the wall clock: no file has changed just now

struct Fixture {
    explicit Fixture(size_t size = size_t{64} * 1024) {
        cache.init(entries, std::span(memory).first(size));
        tree.file("a.txt", "0123456789");
        tree.modified("a.txt", modified);
    }

    const FileCache::Entry* keep(const char* name, std::string_view target, int64_t now, int64_t wall = later) {
        const int fd = openat(tree.fd(), name, O_RDONLY | O_CLOEXEC);
        struct stat status {};
        assert_int_equal(fstat(fd, &status), 0);
        const FileCache::Entry* const entry = cache.keep(
            {0, target, &head},
            {.fd = fd, .status = &status, .path = "/a.txt", .coding = coding, .varies = varies, .etag = "\"e\""}, now,
            wall);
        close(fd);
        return entry;
    }
    const FileCache::Entry* find(std::string_view target, int64_t now, size_t site = 0) {
        return cache.find({site, target, &head}, now);
    }
    void accept(std::string_view encodings) {
        accepted = {Field{"Accept-Encoding", encodings}};
        head.fields = accepted;
    }

    TempTree tree;
    RequestHead head;
    std::array<Field, 1> accepted;
    std::string_view coding;
    bool varies = false;
    FileCache cache;
    std::array<FileCache::Entry, 8> entries;
    std::array<FileCache::Entry, 32> many;
    std::array<char, size_t{64} * 1024> memory;
};

[[nodiscard]] std::string_view bytes_of(const FileCache::Entry& entry) {
    return {entry.bytes.data(), entry.bytes.size()};
}

void what_was_kept_is_found_for_a_second(void** /*state*/) {
    Fixture all;
    assert_null(all.find("/a.txt", 0));
    assert_non_null(all.keep("a.txt", "/a.txt", 0));
    const FileCache::Entry* const found = all.find("/a.txt", 999);
    assert_non_null(found);
    check_text(bytes_of(*found), "0123456789");
    check_text(found->path, "/a.txt");
    check_text(found->etag, "\"e\"");
    assert_null(all.find("/a.txt", 1000));
    assert_null(all.find("/b.txt", 0));
    assert_null(all.find("/a.txt", 0, 1));
}

void who_has_the_same_hash_is_another(void** /*state*/) {
    Fixture all;
    static_assert(hash_of("/389db") == hash_of("/77828"));
    const FileCache::Entry* const first = all.keep("a.txt", "/389db", 0);
    assert_null(all.find("/77828", 0));
    const FileCache::Entry* const second = all.keep("a.txt", "/77828", 0);
    assert_ptr_equal(all.find("/389db", 0), first);
    assert_ptr_equal(all.find("/77828", 0), second);
    assert_true(first != second);
}

void what_has_not_changed_is_not_read_again(void** /*state*/) {
    Fixture all;
    const FileCache::Entry* const entry = all.keep("a.txt", "/a.txt", 0);
    assert_ptr_equal(all.keep("a.txt", "/a.txt", 5000), entry);
    assert_ptr_equal(all.find("/a.txt", 5999), entry);
}

void what_has_changed_is_read_anew(void** /*state*/) {
    Fixture all;
    assert_non_null(all.keep("a.txt", "/a.txt", 0));
    all.tree.file("b.txt", "9876543210");
    all.tree.modified("b.txt", modified);
    const FileCache::Entry* const entry = all.keep("b.txt", "/a.txt", 1000);
    assert_non_null(entry);
    check_text(bytes_of(*entry), "9876543210");
    assert_ptr_equal(all.find("/a.txt", 1001), entry);
}

void what_changed_just_now_is_not_kept(void** /*state*/) {
    Fixture all;
    assert_null(all.keep("a.txt", "/a.txt", 0, time(nullptr)));
    assert_non_null(all.keep("a.txt", "/a.txt", 0, time(nullptr) + 5));
    // A device without a clock: the file is of another time.
    assert_non_null(all.keep("a.txt", "/other", 0, 100));
}

void of_large_files_no_bytes_are_kept(void** /*state*/) {
    Fixture all;
    static char large[limits::cached_file + 1];
    all.tree.file("large", {large, sizeof large});
    all.tree.file("largest", {large, limits::cached_file});
    const FileCache::Entry* const entry = all.keep("large", "/large", 0);
    assert_non_null(entry);
    assert_true(entry->is_large());
    assert_true(entry->bytes.empty());
    assert_ptr_equal(all.find("/large", 999), entry);
    assert_null(all.find("/large", 1000));
    assert_false(all.keep("largest", "/largest", 0)->is_large());
}

// As when threads share what is there for one.
void what_can_never_lie_there_makes_nobody_go(void** /*state*/) {
    Fixture all(4096);
    static char bytes[4096];
    all.tree.file("large", {bytes, sizeof bytes});
    assert_non_null(all.keep("a.txt", "/a.txt", 0));
    assert_null(all.keep("large", "/large", 0));
    assert_non_null(all.find("/a.txt", 0));
}

void large_files_make_room_for_each_other(void** /*state*/) {
    Fixture all;
    all.cache.init(all.many, all.memory);
    static char large[limits::cached_file + 1];
    all.tree.file("large", {large, sizeof large});
    assert_non_null(all.keep("a.txt", "/a.txt", 0));
    int64_t now = 0;
    constexpr std::string_view targets = "123456789";
    static_assert(limits::known_large_files == 8);
    for (size_t i = 0; i < targets.size(); ++i) {
        assert_non_null(all.keep("large", slice(targets, i, 1), ++now));
    }
    assert_null(all.find("1", now));
    for (size_t i = 1; i < targets.size(); ++i) {
        assert_non_null(all.find(slice(targets, i, 1), now));
    }
    assert_non_null(all.find("/a.txt", now));
}

void the_least_used_makes_room(void** /*state*/) {
    Fixture all(3 * FileCache::block);
    assert_non_null(all.keep("a.txt", "/1", 0));
    assert_non_null(all.keep("a.txt", "/2", 1));
    assert_non_null(all.keep("a.txt", "/3", 2));
    assert_non_null(all.find("/1", 3));
    assert_non_null(all.keep("a.txt", "/4", 4));
    assert_null(all.find("/2", 5));
    for (const char* target : {"/1", "/3", "/4"}) {
        assert_non_null(all.find(target, 5));
    }
}

void what_is_being_sent_stays(void** /*state*/) {
    Fixture all(FileCache::block);
    const FileCache::Entry* const sent = all.keep("a.txt", "/1", 0);
    const uint32_t number = all.cache.hold(*sent);
    assert_null(all.keep("a.txt", "/2", 1));
    assert_ptr_equal(all.find("/1", 1), sent);
    all.cache.clear();
    assert_null(all.find("/1", 2));
    assert_null(all.keep("a.txt", "/2", 2));
    check_text(bytes_of(*sent), "0123456789");
    all.cache.release(number);
    assert_non_null(all.keep("a.txt", "/2", 3));
}

void without_memory_nothing_is_kept(void** /*state*/) {
    Fixture all(0);
    assert_null(all.keep("a.txt", "/a.txt", 0));
    assert_null(all.find("/a.txt", 0));
}

void clients_of_other_codings_get_other_files(void** /*state*/) {
    Fixture all;
    all.tree.file("a.txt.gz", "packed");
    all.varies = true;
    assert_non_null(all.keep("a.txt", "/a.txt", 0));
    all.accept("gzip");
    assert_null(all.find("/a.txt", 1));
    all.coding = "gzip";
    assert_non_null(all.keep("a.txt.gz", "/a.txt", 1));
    all.accept("gzip, deflate");
    check_text(bytes_of(*all.find("/a.txt", 2)), "packed");
    all.accept("gzip;q=0");
    check_text(bytes_of(*all.find("/a.txt", 2)), "0123456789");
    all.accept("br, gzip");
    assert_null(all.find("/a.txt", 2));
}

// What is not the file that was looked at, in whatever way, is not kept for it.
void every_part_of_a_file_s_state_counts(void** /*state*/) {
    Fixture all;
    const int fd = openat(all.tree.fd(), "a.txt", O_RDONLY | O_CLOEXEC);
    struct stat right {};
    assert_int_equal(fstat(fd, &right), 0);
    constexpr void (*changes[])(struct stat&) = {
        [](struct stat& status) { ++status.st_dev; },          [](struct stat& status) { ++status.st_ino; },
        [](struct stat& status) { --status.st_size; },         [](struct stat& status) { ++status.st_mtim.tv_sec; },
        [](struct stat& status) { ++status.st_mtim.tv_nsec; }, [](struct stat& status) { --status.st_ctim.tv_sec; },
        [](struct stat& status) { ++status.st_ctim.tv_nsec; },
    };
    for (const auto change : changes) {
        assert_non_null(all.keep("a.txt", "/a.txt", 0));
        struct stat status = right;
        change(status);
        // It is another one; and what is read does not agree with what was seen of it.
        assert_null(
            all.cache.keep({0, "/a.txt", &all.head}, {.fd = fd, .status = &status, .path = "/a.txt"}, 1, later));
        assert_null(all.find("/a.txt", 2));
    }
    // Longer than it is: the rest cannot be read.
    struct stat longer = right;
    longer.st_size += 100;
    assert_null(all.cache.keep({0, "/a.txt", &all.head}, {.fd = fd, .status = &longer, .path = "/a.txt"}, 1, later));
    close(fd);
}

void every_text_about_it_counts(void** /*state*/) {
    Fixture all;
    const int fd = openat(all.tree.fd(), "a.txt", O_RDONLY | O_CLOEXEC);
    struct stat status {};
    assert_int_equal(fstat(fd, &status), 0);
    const FileCache::Candidate candidates[] = {
        {.path = "/a.txt", .etag = "1", .last_modified = "then"},
        {.path = "/b.txt", .etag = "1", .last_modified = "then"},
        {.path = "/b.txt", .coding = "gzip", .etag = "1", .last_modified = "then"},
        {.path = "/b.txt", .coding = "gzip", .varies = true, .etag = "1", .last_modified = "then"},
        {.path = "/b.txt", .coding = "gzip", .varies = true, .etag = "2", .last_modified = "then"},
        {.path = "/b.txt", .coding = "gzip", .varies = true, .etag = "2", .last_modified = "now"},
    };
    for (FileCache::Candidate candidate : candidates) {
        candidate.fd = fd;
        candidate.status = &status;
        assert_non_null(all.cache.keep({0, "/x", &all.head}, candidate, 0, later));
        const FileCache::Entry* const entry = all.find("/x", 1);
        assert_non_null(entry);
        check_text(entry->path, candidate.path);
        check_text(entry->coding, candidate.coding);
        check_text(entry->etag, candidate.etag);
        check_text(entry->last_modified, candidate.last_modified);
        assert_true(entry->varies == candidate.varies);
        check_text(bytes_of(*entry), "0123456789");
    }
    close(fd);
}

// Several replies may send the same bytes, and some of them be slow.
void bytes_are_let_go_by_the_last_who_sends_them(void** /*state*/) {
    Fixture all(FileCache::block);
    const FileCache::Entry* const sent = all.keep("a.txt", "/1", 0);
    const uint32_t first = all.cache.hold(*sent);
    const uint32_t second = all.cache.hold(*sent);
    all.cache.clear();
    all.cache.clear();
    all.cache.release(first);
    assert_null(all.keep("a.txt", "/2", 2));
    check_text(bytes_of(*sent), "0123456789");
    all.cache.release(second);
    assert_non_null(all.keep("a.txt", "/2", 3));
    // Who is found and given back stays.
    all.cache.release(all.cache.hold(*all.find("/2", 4)));
    assert_non_null(all.find("/2", 5));
}

// ---- through serve() ------------------------------------------------------------------------------------------------

struct Answer {
    void ask(Fixture& all, const RequestHead& head, FileCache* cache, const FileCache::Entry* entry) {
        text.clear();
        reply = Reply();
        if (entry != nullptr) {
            serve_cached(root(all), *entry, head, select_cached(*entry, head, modified + 100), mime, text, reply);
        } else {
            (void)serve(root(all), "/a.txt", head, mime, text, reply, modified + 100, cache, {0, "/a.txt", &head});
        }
    }
    route::SiteRoot root(Fixture& all) { return {.settings = &settings, .fd = all.tree.fd()}; }

    SiteSettings settings;
    MimeTable mime;
    Text<512> text;
    Reply reply;
};

void a_kept_file_is_answered_as_an_opened_one(void** /*state*/) {
    Fixture all;
    Answer opened;
    Answer filled;
    Answer cached;
    filled.ask(all, {.method = "GET"}, &all.cache, nullptr);
    const FileCache::Entry* const entry = all.find("/a.txt", monotonic_ms());
    assert_non_null(entry);
    check_text(filled.reply.memory, "0123456789");
    opened.ask(all, {.method = "GET"}, nullptr, nullptr);
    close(opened.reply.fd);
    std::string_view tag;
    for (const Field& field : opened.reply.fields()) {
        tag = field.name == "ETag" ? field.value : tag;
    }
    Text<64> etag(tag);
    const Field fields[] = {{"Accept", "*/*"},         {"Range", "bytes=2-4"},   {"Range", "bytes=-3"},
                            {"Range", "bytes=20-"},    {"If-None-Match", "*"},   {"If-None-Match", etag.view()},
                            {"If-Match", "\"other\""}, {"If-Range", "\"other\""}};
    for (const std::string_view method : {"GET", "HEAD", "POST", "OPTIONS"}) {
        for (const Field& field : fields) {
            const RequestHead head{.method = method, .fields = {&field, 1}};
            opened.ask(all, head, nullptr, nullptr);
            cached.ask(all, head, nullptr, entry);
            assert_int_equal(cached.reply.status, opened.reply.status);
            assert_int_equal(cached.reply.length, opened.reply.length);
            assert_int_equal(cached.reply.fields().size(), opened.reply.fields().size());
            for (size_t i = 0; i < cached.reply.fields().size(); ++i) {
                check_text(cached.reply.fields()[i].name, opened.reply.fields()[i].name);
                check_text(cached.reply.fields()[i].value, opened.reply.fields()[i].value);
            }
            char bytes[16];
            std::string_view body;
            if (opened.reply.fd >= 0) {
                const ssize_t count = pread(opened.reply.fd, bytes, static_cast<size_t>(opened.reply.length),
                                            static_cast<off_t>(opened.reply.offset));
                body = {bytes, static_cast<size_t>(count)};
                close(opened.reply.fd);
            }
            assert_int_equal(cached.reply.body == Reply::Body::memory, opened.reply.body == Reply::Body::file);
            check_text(cached.reply.memory, body);
        }
    }
}

// Two requests whose replies have one name get the same bytes; so nothing else may have it.
void what_is_the_same_each_time_has_a_name(void** /*state*/) {
    Fixture all;
    Answer answer;
    const RequestHead get{.method = "GET"};
    answer.ask(all, get, &all.cache, nullptr);
    assert_int_equal(answer.reply.ready_name, 0);
    const FileCache::Entry* entry = all.find("/a.txt", monotonic_ms());
    const auto name_for = [&](std::string_view method, const Field& field) {
        answer.ask(all, {.method = method, .fields = {&field, 1}}, nullptr, entry);
        return answer.reply.ready_name;
    };
    const uint64_t whole = name_for("GET", {"Accept", "*/*"});
    const uint64_t not_modified = name_for("GET", {"If-None-Match", "*"});
    assert_true(whole != 0 && not_modified != 0 && whole != not_modified);
    assert_true(name_for("GET", {"If-None-Match", "\"other\""}) == whole);
    assert_true(name_for("GET", {"Range", "bytes=2-4"}) == 0);
    assert_true(name_for("GET", {"Range", "bytes=20-"}) == 0);
    assert_true(name_for("GET", {"If-Match", "\"other\""}) == 0);
    assert_true(name_for("HEAD", {"Accept", "*/*"}) == 0);
    assert_true(name_for("OPTIONS", {"Accept", "*/*"}) == 0);
    // Without room for its fields it is an error, which is not kept.
    Text<4> narrow;
    assert_true(answer.settings.expires.push_back({"/", "1h"}));
    serve_cached(answer.root(all), *entry, get, {}, answer.mime, narrow, answer.reply);
    assert_int_equal(answer.reply.status, 500);
    assert_true(answer.reply.ready_name == 0);
    answer.settings.expires.clear();
    // Found again it is the same, filled anew another one.
    answer.ask(all, get, &all.cache, nullptr);
    assert_ptr_equal(all.find("/a.txt", monotonic_ms()), entry);
    assert_true(name_for("GET", {"Accept", "*/*"}) == whole);
    all.cache.clear();
    answer.ask(all, get, &all.cache, nullptr);
    entry = all.find("/a.txt", monotonic_ms());
    assert_true(name_for("GET", {"Accept", "*/*"}) > not_modified);
}

// ---- of large files -------------------------------------------------------------------------------------------------

void make_file(Fixture& all, const char* name, int64_t size) {
    const int fd = openat(all.tree.fd(), name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
    all.tree.modified(name, modified);
}

void expect_file(const Answer& answer, int64_t size, std::string_view coding) {
    assert_int_equal(answer.reply.status, 200);
    assert_true(answer.reply.body == Reply::Body::file);
    assert_true(std::cmp_equal(answer.reply.length, size));
    struct stat status {};
    assert_int_equal(fstat(answer.reply.fd, &status), 0);
    assert_true(status.st_size == size);
    close(answer.reply.fd);
    std::string_view found;
    for (const Field& field : answer.reply.fields()) {
        found = field.name == "Content-Encoding" ? field.value : found;
    }
    check_text(found, coding);
}

void a_large_file_has_a_name_while_it_is_the_same(void** /*state*/) {
    constexpr int64_t size = int64_t{5} << 30U;
    Fixture all;
    all.head.method = "GET";
    make_file(all, "a.txt", size);
    Answer first;
    first.ask(all, all.head, &all.cache, nullptr);
    expect_file(first, size, "");
    const FileCache::Entry* const known = all.find("/a.txt", monotonic_ms());
    assert_non_null(known);
    assert_true(known->size == size);
    assert_true(first.reply.ready_name == name_of(*known, all.head, select_cached(*known, all.head)));
    assert_true((first.reply.ready_name & Reply::name_of_file) != 0);
    const int fd = openat(all.tree.fd(), "a.txt", O_RDONLY | O_CLOEXEC);
    assert_true(known->is_open_as(fd));
    Answer again;
    again.ask(all, all.head, &all.cache, nullptr);
    expect_file(again, size, "");
    assert_true(again.reply.ready_name == first.reply.ready_name);
    assert_int_equal(again.reply.fields().size(), first.reply.fields().size());
    for (size_t i = 0; i < again.reply.fields().size(); ++i) {
        check_text(again.reply.fields()[i].name, first.reply.fields()[i].name);
        check_text(again.reply.fields()[i].value, first.reply.fields()[i].value);
    }
    // One that is not there any more is another one, though it can be read still.
    assert_int_equal(unlinkat(all.tree.fd(), "a.txt", 0), 0);
    assert_false(known->is_open_as(fd));
    close(fd);
    make_file(all, "a.txt", size);
    again.ask(all, all.head, &all.cache, nullptr);
    expect_file(again, size, "");
    assert_true(again.reply.ready_name != first.reply.ready_name);
}

void only_a_whole_large_file_has_a_name(void** /*state*/) {
    Fixture all;
    make_file(all, "a.txt", 100'000);
    Answer answer;
    all.head.method = "HEAD";
    answer.ask(all, all.head, &all.cache, nullptr);
    assert_true(answer.reply.ready_name == 0);
    all.head.method = "GET";
    all.accepted = {Field{"Range", "bytes=5-9"}};
    all.head.fields = all.accepted;
    answer.ask(all, all.head, &all.cache, nullptr);
    assert_int_equal(answer.reply.status, 206);
    assert_true(answer.reply.ready_name == 0);
    close(answer.reply.fd);
}

void a_large_coded_file_is_known_as_such(void** /*state*/) {
    Fixture all;
    all.head.method = "GET";
    make_file(all, "a.txt", 200'000);
    make_file(all, "a.txt.gz", 100'000);
    Answer answer;
    for (int i = 0; i < 2; ++i) {
        all.accept("gzip");
        answer.ask(all, all.head, &all.cache, nullptr);
        expect_file(answer, 100'000, "gzip");
        all.accept("identity");
        answer.ask(all, all.head, &all.cache, nullptr);
        expect_file(answer, 200'000, "");
    }
    all.accept("gzip");
    assert_int_equal(unlinkat(all.tree.fd(), "a.txt.gz", 0), 0);
    answer.ask(all, all.head, &all.cache, nullptr);
    expect_file(answer, 200'000, "");
    assert_int_equal(unlinkat(all.tree.fd(), "a.txt", 0), 0);
    answer.ask(all, all.head, &all.cache, nullptr);
    assert_int_equal(answer.reply.status, 404);
}

}  // namespace
}  // namespace fcgate::files

int main() {
    using namespace fcgate::files;
    const CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_found_for_a_second),
        cmocka_unit_test(who_has_the_same_hash_is_another),
        cmocka_unit_test(what_has_not_changed_is_not_read_again),
        cmocka_unit_test(what_has_changed_is_read_anew),
        cmocka_unit_test(what_changed_just_now_is_not_kept),
        cmocka_unit_test(of_large_files_no_bytes_are_kept),
        cmocka_unit_test(what_can_never_lie_there_makes_nobody_go),
        cmocka_unit_test(large_files_make_room_for_each_other),
        cmocka_unit_test(the_least_used_makes_room),
        cmocka_unit_test(what_is_being_sent_stays),
        cmocka_unit_test(without_memory_nothing_is_kept),
        cmocka_unit_test(clients_of_other_codings_get_other_files),
        cmocka_unit_test(every_part_of_a_file_s_state_counts),
        cmocka_unit_test(every_text_about_it_counts),
        cmocka_unit_test(bytes_are_let_go_by_the_last_who_sends_them),
        cmocka_unit_test(a_kept_file_is_answered_as_an_opened_one),
        cmocka_unit_test(what_is_the_same_each_time_has_a_name),
        cmocka_unit_test(a_large_file_has_a_name_while_it_is_the_same),
        cmocka_unit_test(only_a_whole_large_file_has_a_name),
        cmocka_unit_test(a_large_coded_file_is_known_as_such),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
