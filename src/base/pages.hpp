// Owns: the pool of buffer pages of one worker, and chains of them: what PHP has sent and the client has not taken yet, and the
// part of a request body that waits for PHP.
// Must not touch: sockets; who fills and empties a chain knows where the bytes come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/count.hpp"
#include "base/limits.hpp"

namespace fcgate {

struct Page {
    Page* next;
    uint32_t begin;  // of the bytes not read yet
    uint32_t end;
    char bytes[limits::page - 16];
};
static_assert(sizeof(Page) <= limits::page);

// One page is set aside for each exchange that may live, so that an answer always gets on; the rest is shared.
class PagePool {
  public:
    void init(std::span<Page> pages, size_t reserved);

    // `guaranteed`: the one page an exchange always gets. nullptr when the shared part is used up.
    [[nodiscard]] Page* take(bool guaranteed);
    void give_back(Page* page, bool guaranteed);

    // A guaranteed page that is out becomes a shared one, so that its guarantee can serve another. False: there is none to spare.
    [[nodiscard]] bool share();

    // How many pages take(false) would still give.
    [[nodiscard]] size_t shared_left() const {
        return free_count_.get() > reserved_ ? free_count_.get() - reserved_ : 0;
    }
    // Any thread, once init() is done.
    [[nodiscard]] size_t capacity() const { return capacity_; }
    [[nodiscard]] size_t live() const { return capacity_ - free_count_.get(); }
    [[nodiscard]] size_t most() const { return most_.get(); }  // that ever were out at once

  private:
    Page* free_ = nullptr;
    std::span<Page> untouched_;
    Gauge free_count_;
    Gauge most_;
    size_t reserved_ = 0;  // guaranteed pages not handed out at present
    size_t capacity_ = 0;
};

// Bytes in a queue of pages. With a guarantee its first page cannot be refused.
class PageChain {
  public:
    void init(PagePool& pool, bool guaranteed, size_t limit_bytes) {
        pool_ = &pool;
        guaranteed_ = guaranteed;
        limit_pages_ = limit_bytes / sizeof(Page::bytes) + 1;
    }

    // Appends as much as there is room for; returns that count.
    [[nodiscard]] size_t append(std::span<const char> bytes);
    // How much append() would take now.
    [[nodiscard]] size_t room() const;

    // The oldest bytes in one piece; empty when there are none.
    [[nodiscard]] std::span<const char> front() const;
    // Fills `out` with the first pieces; returns how many.
    size_t pieces(std::span<std::span<const char>> out) const;
    void drop(size_t count);
    size_t read(std::span<char> out);
    void clear() { drop(size_); }

    // Gives its guarantee back and all its pages to `to`, which is empty; grows no more. False, and nothing has changed, when the
    // pool has no shared page to spare for it.
    [[nodiscard]] bool move_to(PageChain& to);

    [[nodiscard]] size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }

  private:
    [[nodiscard]] Page* add_page();
    void drop_page();

    PagePool* pool_ = nullptr;
    Page* head_ = nullptr;
    Page* tail_ = nullptr;
    size_t size_ = 0;
    size_t pages_ = 0;
    size_t limit_pages_ = 0;
    bool guaranteed_ = false;
    bool holds_guaranteed_ = false;
};

}  // namespace fcgate
