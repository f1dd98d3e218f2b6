#include "base/timers.hpp"

namespace fcgate {

void Timers::set(Timer& timer, int64_t due) {
    timer.due = due;
    if (timer.position == UINT32_MAX) {
        if (due == never || count_ == heap_.size()) {
            return;
        }
        timer.key = due;
        place(count_++, &timer);
        sift_up(timer.position);
    } else if (due < timer.key) {
        timer.key = due;
        sift_up(timer.position);
    }
}

Timer* Timers::pop(int64_t now) {
    while (count_ > 0 && heap_[0]->key <= now) {
        Timer* const timer = heap_[0];
        if (timer->due > now && timer->due != never) {
            timer->key = timer->due;
            sift_down(0);
            continue;
        }
        const bool is_due = timer->due != never;
        timer->position = UINT32_MAX;
        timer->due = never;
        if (--count_ > 0) {
            place(0, heap_[count_]);
            sift_down(0);
        }
        if (is_due) {
            return timer;
        }
    }
    return nullptr;
}

void Timers::place(size_t position, Timer* timer) {
    heap_[position] = timer;
    timer->position = static_cast<uint32_t>(position);
}

void Timers::sift_up(size_t position) {
    Timer* const timer = heap_[position];
    while (position > 0) {
        const size_t parent = (position - 1) / 2;
        if (heap_[parent]->key <= timer->key) {
            break;
        }
        place(position, heap_[parent]);
        position = parent;
    }
    place(position, timer);
}

void Timers::sift_down(size_t position) {
    Timer* const timer = heap_[position];
    for (;;) {
        size_t child = 2 * position + 1;
        if (child >= count_) {
            break;
        }
        if (child + 1 < count_ && heap_[child + 1]->key < heap_[child]->key) {
            ++child;
        }
        if (timer->key <= heap_[child]->key) {
            break;
        }
        place(position, heap_[child]);
        position = child;
    }
    place(position, timer);
}

}  // namespace fcgate
