// Owns: the bytes of small files that were asked for lately, with what a reply tells of them, in fixed memory; of a few large ones that alone.
// Borrows: the memory it is given.
// Must not touch: which file a request leads to. What is older than limits::file_cache_ms is found, opened and looked at as if it were not here; only
// then it is known to hold still.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "http/message.hpp"
#include "route/router.hpp"

namespace fcgate::files {

// What a request asks for, as far as it decides which file is sent.
struct CacheKey {
    size_t site = 0;
    std::string_view target;            // its path as it came
    const RequestHead* head = nullptr;  // for its Accept-Encoding
};

class FileCache {
  public:
    static constexpr uint32_t end_of_list = UINT32_MAX;

    struct Entry {
        uint32_t users = 0;   // replies under way that send its bytes
        uint32_t block = 0;   // first of its blocks
        uint32_t blocks = 0;  // 0: nothing is here
        uint32_t hash = 0;
        uint32_t next = end_of_list;  // with a hash of the same bucket
        uint8_t site = 0;
        uint8_t wish = 0;      // what Accept-Encoding must say, or any_wish
        bool is_gone = false;  // to be forgotten when nobody uses it
        bool varies = false;   // ... there are others, by Accept-Encoding
        uint64_t size = 0;     // of the file
        uint64_t filling =
            0;  // a number that no other filling of an entry has: those of one entry have the same low bits
        int64_t looked_at = 0;  // when the file was this one, in ms
        int64_t used_at = 0;
        route::FileIdentity file;  // which it is, and which state of it
        timespec modified{};
        std::string_view target;  // of the request
        std::string_view path;    // below the root
        std::string_view coding;  // a static text
        std::string_view etag;
        std::string_view last_modified;
        std::span<const char> bytes;  // behind them lie the texts

        // `bytes` are none of the file's.
        [[nodiscard]] bool is_large() const { return size > limits::cached_file; }
        // The one that `status` is of, as it was.
        [[nodiscard]] bool is_of(const struct stat& status) const;
        // ... that is open here, with all its state as it was.
        [[nodiscard]] bool is_open_as(int fd) const;
    };
    // An opened file that could be kept.
    struct Candidate {
        int fd = -1;
        const struct stat* status = nullptr;
        std::string_view path;
        std::string_view coding;
        bool varies = false;
        std::string_view etag;
        std::string_view last_modified;
    };
    static constexpr size_t block = 512;

    void init(std::span<Entry> entries, std::span<char> memory);
    // How many entries there are for so much memory.
    [[nodiscard]] static size_t entries_for(uint64_t memory) { return static_cast<size_t>(memory / 2048); }

    // nullptr: it is not here, or has to be looked at again. `now` is of the monotonic clock. What is said of a large one holds as long as
    // is_open_as() is true.
    [[nodiscard]] const Entry* find(const CacheKey& key, int64_t now);
    // Keeps what has been found for the key. nullptr when it is not kept: it has changed so lately that its times do not tell whether it changes
    // again (`wall` is of the wall clock, in seconds), or there is no room.
    [[nodiscard]] const Entry* keep(const CacheKey& key, const Candidate& file, int64_t now, int64_t wall);
    // The bytes are being sent until release().
    [[nodiscard]] uint32_t hold(const Entry& entry);
    void release(uint32_t number);
    // Nothing of it is given any more.
    void clear();

  private:
    void make_room_among_large();
    [[nodiscard]] Entry* look_up(const CacheKey& key, uint32_t hash);
    [[nodiscard]] bool fill(Entry& entry, const CacheKey& key, const Candidate& file);
    [[nodiscard]] Entry* make_room(size_t blocks);
    [[nodiscard]] uint32_t find_blocks(size_t blocks) const;
    void drop(Entry& entry);
    [[nodiscard]] uint32_t& first_of(uint32_t hash) { return buckets_[hash % buckets_.size()]; }

    std::span<Entry> entries_;
    std::span<char> memory_;
    std::array<uint32_t, 64> buckets_{};  // first entries of lists, by the hash of the target
    uint64_t fillings_ = 0;
    size_t touched_ = 0;  // entries that have been in use: those behind are untouched memory
};

}  // namespace fcgate::files
