#include "base/pages.hpp"

#include <algorithm>
#include <cstring>

namespace fcgate {

void PagePool::init(std::span<Page> pages, size_t reserved) {
    // The list is threaded through pages only as they come back: untouched pages stay untouched memory.
    free_ = nullptr;
    untouched_ = pages;
    capacity_ = pages.size();
    free_count_.set(static_cast<uint32_t>(capacity_));
    most_.set(0);
    reserved_ = reserved;
}

Page* PagePool::take(bool guaranteed) {
    if (free_count_.get() == 0 || (!guaranteed && shared_left() == 0)) {
        return nullptr;
    }
    Page* page = free_;
    if (page != nullptr) {
        free_ = page->next;
    } else {
        page = untouched_.data();
        untouched_ = untouched_.subspan(1);
        most_.add();
    }
    free_count_.subtract();
    if (guaranteed) {
        --reserved_;
    }
    page->next = nullptr;
    page->begin = page->end = 0;
    return page;
}

void PagePool::give_back(Page* page, bool guaranteed) {
    page->next = free_;
    free_ = page;
    free_count_.add();
    if (guaranteed) {
        ++reserved_;
    }
}

bool PagePool::share() {
    if (shared_left() == 0) {
        return false;
    }
    ++reserved_;
    return true;
}

bool PageChain::move_to(PageChain& to) {
    if (holds_guaranteed_ && !pool_->share()) {
        return false;
    }
    to = *this;
    to.guaranteed_ = to.holds_guaranteed_ = false;
    to.limit_pages_ = to.pages_;
    *this = PageChain();
    return true;
}

Page* PageChain::add_page() {
    if (pages_ >= limit_pages_) {
        return nullptr;
    }
    const bool take_guaranteed = guaranteed_ && !holds_guaranteed_;
    Page* const page = pool_->take(take_guaranteed);
    if (page == nullptr) {
        return nullptr;
    }
    holds_guaranteed_ = holds_guaranteed_ || take_guaranteed;
    (tail_ != nullptr ? tail_->next : head_) = page;
    tail_ = page;
    ++pages_;
    return page;
}

void PageChain::drop_page() {
    Page* const page = head_;
    head_ = page->next;
    if (head_ == nullptr) {
        tail_ = nullptr;
    }
    --pages_;
    // The guarantee is a count, not a certain page: the last one to go gives it back.
    const bool give_guaranteed = holds_guaranteed_ && pages_ == 0;
    holds_guaranteed_ = holds_guaranteed_ && !give_guaranteed;
    pool_->give_back(page, give_guaranteed);
}

size_t PageChain::append(std::span<const char> bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
        Page* page = tail_;
        if (page == nullptr || page->end == sizeof page->bytes) {
            page = add_page();
            if (page == nullptr) {
                break;
            }
        }
        const size_t count = std::min(bytes.size() - done, sizeof page->bytes - page->end);
        memcpy(page->bytes + page->end, bytes.data() + done, count);
        page->end += static_cast<uint32_t>(count);
        done += count;
    }
    size_ += done;
    return done;
}

size_t PageChain::room() const {
    const size_t guaranteed = guaranteed_ && !holds_guaranteed_ ? 1 : 0;
    const size_t pages = std::min(limit_pages_ - pages_, pool_->shared_left() + guaranteed);
    const size_t in_tail = tail_ != nullptr ? sizeof tail_->bytes - tail_->end : 0;
    return pages * sizeof(Page::bytes) + in_tail;
}

std::span<const char> PageChain::front() const {
    return head_ == nullptr ? std::span<const char>()
                            : std::span<const char>(head_->bytes + head_->begin, head_->end - head_->begin);
}

size_t PageChain::pieces(std::span<std::span<const char>> out) const {
    size_t count = 0;
    for (const Page* page = head_; page != nullptr && count < out.size(); page = page->next) {
        out[count++] = {page->bytes + page->begin, page->end - page->begin};
    }
    return count;
}

void PageChain::drop(size_t count) {
    size_ -= count;
    while (head_ != nullptr) {
        const size_t held = head_->end - head_->begin;
        if (count < held) {
            head_->begin += static_cast<uint32_t>(count);
            return;
        }
        count -= held;
        drop_page();
    }
}

size_t PageChain::read(std::span<char> out) {
    size_t done = 0;
    while (done < out.size() && !empty()) {
        const std::span<const char> piece = front();
        const size_t count = std::min(piece.size(), out.size() - done);
        memcpy(out.data() + done, piece.data(), count);
        done += count;
        drop(count);
    }
    return done;
}

}  // namespace fcgate
