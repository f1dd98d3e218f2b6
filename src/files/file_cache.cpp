#include "files/file_cache.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "files/coding.hpp"

namespace fcgate::files {

namespace {

// Which way the choice between a file and its coded siblings goes for a client, whichever of them there are.
constexpr uint8_t any_wish = 0xff;

uint8_t wish_of(const RequestHead& head) {
    const auto [brotli, gzip, identity] = wishes_of(head);
    return static_cast<uint8_t>((brotli > 0 && brotli >= identity ? 1U : 0U) |
                                (gzip > 0 && gzip >= identity ? 2U : 0U) | (gzip > brotli ? 4U : 0U));
}

bool read_whole(int fd, std::span<char> out) {
    size_t done = 0;
    while (done < out.size()) {
        const ssize_t count = pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(done));
        if (count <= 0) {
            return false;
        }
        done += static_cast<size_t>(count);
    }
    return true;
}

}  // namespace

bool FileCache::Entry::is_of(const struct stat& status) const {
    // Where a file system knows no time of change there is that of the content.
    return std::cmp_equal(size, status.st_size) && modified.tv_sec == status.st_mtim.tv_sec &&
           modified.tv_nsec == status.st_mtim.tv_nsec && file == route::identity_of(status);
}

bool FileCache::Entry::is_open_as(int fd) const {
    struct stat status;
    return fstat(fd, &status) == 0 && is_of(status);
}

void FileCache::init(std::span<Entry> entries, std::span<char> memory) {
    entries_ = entries;
    memory_ = memory.first(memory.size() / block * block);
    buckets_.fill(end_of_list);
    touched_ = 0;
}

FileCache::Entry* FileCache::look_up(const CacheKey& key, uint32_t hash) {
    int wish = -1;
    for (uint32_t at = first_of(hash); at != end_of_list; at = entries_[at].next) {
        Entry& entry = entries_[at];
        if (entry.hash != hash || entry.site != key.site || entry.target != key.target) {
            continue;
        }
        if (entry.wish != any_wish && wish < 0) {
            wish = wish_of(*key.head);
        }
        if (entry.wish == any_wish || entry.wish == wish) {
            return &entry;
        }
    }
    return nullptr;
}

const FileCache::Entry* FileCache::find(const CacheKey& key, int64_t now) {
    Entry* const entry = look_up(key, hash_of(key.target));
    if (entry == nullptr || now - entry->looked_at >= limits::file_cache_ms) {
        return nullptr;
    }
    entry->used_at = now;
    return entry;
}

const FileCache::Entry* FileCache::keep(const CacheKey& key, const Candidate& file, int64_t now, int64_t wall) {
    const struct stat& status = *file.status;
    const uint32_t hash = hash_of(key.target);
    Entry* entry = look_up(key, hash);
    if (entry != nullptr && entry->is_of(status) && entry->path == file.path && entry->coding == file.coding &&
        entry->varies == file.varies && entry->etag == file.etag && entry->last_modified == file.last_modified) {
        entry->looked_at = entry->used_at = now;
        return entry;
    }
    if (entry != nullptr) {
        drop(*entry);
    }
    const size_t texts = key.target.size() + file.path.size() + file.etag.size() + file.last_modified.size();
    const auto size = static_cast<uint64_t>(status.st_size);
    const bool is_large = size > limits::cached_file;
    if (may_change_unseen(status.st_ctim.tv_sec, wall)) {
        return nullptr;
    }
    if (is_large) {
        make_room_among_large();
    }
    const size_t blocks = ((is_large ? 0 : static_cast<size_t>(size)) + texts + block - 1) / block;
    entry = make_room(blocks);
    if (entry == nullptr) {
        return nullptr;
    }
    entry->hash = hash;
    entry->next = first_of(hash);
    first_of(hash) = static_cast<uint32_t>(entry - entries_.data());
    entry->size = size;
    if (!fill(*entry, key, file)) {
        drop(*entry);
        return nullptr;
    }
    entry->looked_at = entry->used_at = now;
    return entry;
}

bool FileCache::fill(Entry& entry, const CacheKey& key, const Candidate& file) {
    const std::span<char> room = memory_.subspan(entry.block * block, entry.blocks * block);
    const std::span<char> bytes = room.first(entry.is_large() ? 0 : static_cast<size_t>(entry.size));
    char* at = bytes.data() + bytes.size();
    const auto copy = [&at](std::string_view text) {
        at = std::copy(text.begin(), text.end(), at);  // of what is not there memcpy() takes no null pointer
        return std::string_view(at - text.size(), text.size());
    };
    constexpr uint64_t places = limits::ready_replies / 2;  // for the file, and that it has not changed
    entry.filling = ++fillings_ * places + static_cast<size_t>(&entry - entries_.data()) % places;
    entry.bytes = bytes;
    entry.target = copy(key.target);
    entry.path = copy(file.path);
    entry.etag = copy(file.etag);
    entry.last_modified = copy(file.last_modified);
    entry.coding = file.coding;
    entry.varies = file.varies;
    entry.site = static_cast<uint8_t>(key.site);
    entry.wish = file.varies ? wish_of(*key.head) : any_wish;
    entry.file = route::identity_of(*file.status);
    entry.modified = file.status->st_mtim;
    // It may have been written to since it was looked at.
    return entry.is_large() || (read_whole(file.fd, bytes) && entry.is_open_as(file.fd));
}

// However many there are, small ones do not have to go for them.
void FileCache::make_room_among_large() {
    Entry* oldest = nullptr;
    size_t count = 0;
    for (Entry& entry : entries_.first(touched_)) {
        if (entry.blocks > 0 && entry.is_large()) {
            ++count;
            oldest = oldest == nullptr || entry.used_at < oldest->used_at ? &entry : oldest;
        }
    }
    if (count >= limits::known_large_files) {
        drop(*oldest);
    }
}

// An entry with so many blocks; whoever was used least lately makes room.
FileCache::Entry* FileCache::make_room(size_t blocks) {
    // For what can never lie here nobody has to go.
    while (blocks * block <= memory_.size()) {
        Entry* free = nullptr;
        Entry* oldest = nullptr;
        for (Entry& entry : entries_.first(touched_)) {
            if (entry.blocks == 0) {
                free = &entry;
            } else if (entry.users == 0 && (oldest == nullptr || entry.used_at < oldest->used_at)) {
                oldest = &entry;
            }
        }
        const uint32_t first = find_blocks(blocks);
        if (first != UINT32_MAX && free == nullptr && touched_ < entries_.size()) {
            free = &entries_[touched_++];
        }
        if (first != UINT32_MAX && free != nullptr) {
            return new (free) Entry{.block = first, .blocks = static_cast<uint32_t>(blocks)};
        }
        if (oldest == nullptr) {
            break;
        }
        drop(*oldest);
    }
    return nullptr;
}

// The first gap that is large enough; UINT32_MAX: there is none.
uint32_t FileCache::find_blocks(size_t blocks) const {
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (const Entry& entry : entries_.first(touched_)) {
            if (entry.blocks > 0 && at < entry.block + entry.blocks && entry.block < at + blocks) {
                at = entry.block + entry.blocks;
                moved = true;
            }
        }
    }
    return (at + blocks) * block <= memory_.size() ? static_cast<uint32_t>(at) : UINT32_MAX;
}

uint32_t FileCache::hold(const Entry& entry) {
    const auto number = static_cast<uint32_t>(&entry - entries_.data());
    ++entries_[number].users;
    return number;
}

void FileCache::release(uint32_t number) {
    Entry& entry = entries_[number];
    --entry.users;
    if (entry.is_gone && entry.users == 0) {
        entry.blocks = 0;
    }
}

void FileCache::drop(Entry& entry) {
    uint32_t* at = &first_of(entry.hash);
    while (*at != end_of_list && &entries_[*at] != &entry) {
        at = &entries_[*at].next;
    }
    if (*at != end_of_list) {
        *at = entry.next;
    }
    entry.is_gone = true;
    if (entry.users == 0) {
        entry.blocks = 0;
    }
}

void FileCache::clear() {
    for (Entry& entry : entries_.first(touched_)) {
        if (entry.blocks > 0 && !entry.is_gone) {
            drop(entry);
        }
    }
}

}  // namespace fcgate::files
