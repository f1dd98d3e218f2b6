#include "fastcgi/gate.hpp"

#include <algorithm>

#include "base/lock.hpp"

namespace fcgate::fastcgi {

namespace {

// How often a waiter lets another of its client go first, and among how many.
constexpr uint8_t most_passed_over = 2;
constexpr size_t nearest_waiters = 4;

}  // namespace

// Its lock.
class Gate::Hold : public Lock {
  public:
    [[gnu::noinline]] explicit Hold(Gate& gate) : Lock(gate.parking_.size() > 1 ? &gate.mutex_ : nullptr) {}
};

void Gate::init(uint32_t workers, std::span<Place> queue, std::span<Parking> parking) {
    capacity_.set(workers);
    most_waiting_ = queue.size();
    queue_.init(queue);
    parking_ = parking;
}

void Gate::clear() {
    queue_.clear();
    servers_.clear();
}

void Gate::resize(uint32_t workers, size_t waiting) {
    const Hold hold(*this);
    capacity_.set(workers);
    most_waiting_ = std::min(waiting, queue_.capacity());
}

Gate::Released Gate::grant_free() {
    const Hold hold(*this);
    return release(no_slot);
}

// A place that is free goes to whoever is next.
Gate::Released Gate::release(uint32_t worker) {
    Released released;
    if (has_free() && grant_next(worker, released.next)) {
        released.passed_on = true;
        in_use_.add();
    }
    return released;
}

void Gate::finish() {
    pthread_mutex_destroy(&mutex_);
}

[[gnu::noinline]] uint32_t Gate::parked_total() const {
    uint32_t total = 0;
    for (const Parking& parking : parking_) {
        total += parking.count.get();
    }
    return total;
}

[[gnu::noinline]] bool Gate::has_free() const {
    return in_use_.get() + parked_total() < capacity_.get();
}

bool Gate::stream_fits() const {
    return streams_.get() + 1 < capacity_.get();
}

// One upload may have the last place, be there one only or streams in the others: these stay for as long as they like, while it has to keep a
// pace that suits whoever waits.
bool Gate::fits(Use use) const {
    return use != Use::upload || uploads_.get() == 0 || streams_.get() + uploads_.get() + 1 < capacity_.get();
}

// Of those who wait.
Gate::Place* Gate::next_in_turn() const {
    Place* at = first_;
    while (at != nullptr && !fits(at->waiter.use)) {
        at = at->next;
    }
    return at;
}

void Gate::count(const Waiter& granted) {
    served_.add();
    uploads_.add(granted.use == Use::upload ? 1 : 0);
}

Gate::Answer Gate::enter(const Waiter& waiter, uint64_t client_key) {
    const Hold hold(*this);
    Answer answer{};
    // Waiting streams count as well: a queue of them would hold the places one after the other.
    const uint32_t streams = waiter.use == Use::stream ? 1 : 0;
    if (streams > 0 && !stream_fits()) {
        answer.entry = Entry::no_stream;
        return answer;
    }
    Gauge& parked = parking_[waiter.worker].count;
    const bool has_parked = parked.get() > 0;
    // While others wait nobody overtakes them, even if a place is free for a moment.
    if (next_in_turn() == nullptr && fits(waiter.use) && (has_parked || has_free())) {
        parked.subtract(has_parked ? 1 : 0);
        in_use_.add();
        streams_.add(streams);
        count(waiter);
        answer.entry = has_parked ? Entry::granted_parked : Entry::granted;
        return answer;
    }
    const bool may_wait = waiter.use != Use::upload || waiting_uploads_.get() < (most_waiting_ + 1) / 2;
    const Place* place = may_wait ? enqueue(waiter, client_key) : nullptr;
    if (place == nullptr && make_room(client_key, !may_wait, answer.evicted)) {
        place = enqueue(waiter, client_key);
    }
    if (place == nullptr) {
        answer.entry = Entry::full;
        return answer;
    }
    streams_.add(streams);
    answer.entry = Entry::queued;
    answer.ticket = SlotPool<Place>::handle(*place);
    answer.yield_worker = ask_to_yield();
    return answer;
}

// Whose parked connection is to make way for a waiter; each is asked for once.
uint32_t Gate::ask_to_yield() {
    for (uint32_t worker = 0; worker < parking_.size(); ++worker) {
        Parking& parking = parking_[worker];
        if (parking.count.get() > parking.asked) {
            ++parking.asked;
            return worker;
        }
    }
    return no_slot;
}

void Gate::nothing_to_yield(uint32_t worker) {
    const Hold hold(*this);
    --parking_[worker].asked;
}

// A client's first waiter gets the turn after the one being served, its second the turn behind that, and so on; the queue is ordered
// by turn. So each turn is a finite set once it is being served, and nobody who comes later can hold back whoever is in it.
Gate::Place* Gate::enqueue(const Waiter& waiter, uint64_t client_key) {
    uint64_t turn = turn_ + 1;
    // From behind, for one client with many requests finds itself at once; turns of a client grow along the queue.
    for (Place* at = last_; at != nullptr; at = at->previous) {
        if (at->client_key == client_key) {
            turn = std::max(turn_, at->turn) + 1;  // one that is passed over may have an old one
            break;
        }
    }
    Place* const place = queue_.live() < most_waiting_ ? queue_.take() : nullptr;
    if (place == nullptr) {
        return nullptr;
    }
    place->waiter = waiter;
    place->client_key = client_key;
    place->turn = turn;
    Place* before = last_;
    while (before != nullptr && before->turn > turn) {
        before = before->previous;
    }
    place->passed_over = 0;
    put_behind(*place, before);
    waiting_uploads_.add(waiter.use == Use::upload ? 1 : 0);
    return place;
}

// Behind another; nullptr: in front of all.
void Gate::put_behind(Place& place, Place* before) {
    place.previous = before;
    place.next = before == nullptr ? first_ : before->next;
    (place.previous == nullptr ? first_ : place.previous->next) = &place;
    (place.next == nullptr ? last_ : place.next->previous) = &place;
}

// Of the uploads alone, or of all who wait.
size_t Gate::held_by(uint64_t client_key, bool of_uploads) const {
    size_t count = 0;
    for (const Place* at = first_; at != nullptr; at = at->next) {
        const bool is_meant = !of_uploads || at->waiter.use == Use::upload;
        count += is_meant && at->client_key == client_key ? 1U : 0U;
    }
    return count;
}

// The last waiter of the client that holds most of the queue, or of the part of it that is for uploads, if it holds more than the newcomer's
// client would with the newcomer.
Gate::Place* Gate::last_of_largest(uint64_t client_key, bool of_uploads) {
    Place* found = nullptr;
    size_t most = held_by(client_key, of_uploads) + 1;
    for (Place* at = last_; at != nullptr; at = at->previous) {
        const bool is_meant = !of_uploads || at->waiter.use == Use::upload;
        const size_t held = is_meant ? held_by(at->client_key, of_uploads) : 0;
        if (held > most) {
            most = held;
            found = at;
        }
    }
    return found;
}

bool Gate::make_room(uint64_t client_key, bool of_uploads, Waiter& evicted) {
    Place* const place = last_of_largest(client_key, of_uploads);
    if (place == nullptr) {
        return false;
    }
    evicted = place->waiter;
    drop(*place);
    return true;
}

void Gate::take_out(const Place& place) {
    (place.previous == nullptr ? first_ : place.previous->next) = place.next;
    (place.next == nullptr ? last_ : place.next->previous) = place.previous;
}

void Gate::unlink(Place& place) {
    waiting_uploads_.subtract(place.waiter.use == Use::upload ? 1 : 0);
    take_out(place);
    queue_.give_back(place);
}

// One that waits for nothing any more.
void Gate::drop(Place& place) {
    if (place.waiter.use == Use::stream) {
        streams_.subtract();
    }
    unlink(place);
}

bool Gate::cancel(Handle ticket) {
    const Hold hold(*this);
    Place* const place = queue_.find(ticket);
    if (place == nullptr) {
        return false;
    }
    drop(*place);
    return true;
}

// Who is first; or of the same client one who waits on the thread that gives, just behind: then place and connection need not go to another
// thread. The two change places, so that no other client loses a turn by it.
bool Gate::grant_next(uint32_t worker, Waiter& next) {
    Place* const next_place = next_in_turn();
    if (next_place == nullptr) {
        return false;
    }
    Place& first = *next_place;
    turn_ = std::max(turn_, first.turn);
    Place* chosen = &first;
    Place* at = first.passed_over < most_passed_over ? &first : nullptr;
    for (size_t i = 0; i < nearest_waiters && at != nullptr; ++i, at = at->next) {
        if (at->waiter.worker == worker && at->client_key == first.client_key && fits(at->waiter.use)) {
            chosen = at;
            break;
        }
    }
    next = chosen->waiter;
    count(next);
    if (chosen != &first) {
        ++first.passed_over;
        first.turn = chosen->turn;
        Place* const before = chosen->previous;
        if (before != &first) {
            take_out(first);
            put_behind(first, before);
        }
    }
    unlink(*chosen);
    return true;
}

Gate::Released Gate::leave(uint32_t worker, Use use, bool may_park) {
    const Hold hold(*this);
    streams_.subtract(use == Use::stream ? 1 : 0);
    uploads_.subtract(use == Use::upload ? 1 : 0);
    in_use_.subtract();
    Released released = release(worker);
    if (released.passed_on) {
        return released;
    }
    // One PHP worker is always left to other clients of the same pool. Where nobody may wait, no other worker's request could ask for this one's
    // parked connection.
    const bool can_be_asked_for = most_waiting_ > 0 || parking_.size() == 1;
    if (may_park && can_be_asked_for && first_ == nullptr && parked_total() + 1 < capacity_.get() && has_free()) {
        parking_[worker].count.add();
        released.parked = true;
    }
    return released;
}

Gate::Released Gate::finish_upload(uint32_t worker) {
    const Hold hold(*this);
    uploads_.subtract();
    return release(worker);
}

Gate::Released Gate::unpark(uint32_t worker, bool asked) {
    const Hold hold(*this);
    Parking& parking = parking_[worker];
    parking.count.subtract();
    parking.asked -= asked ? 1 : 0;
    return release(worker);
}

// An upload that waits for others of its kind gains nothing by a page's place.
bool Gate::is_wanted(Use of_holder) const {
    const bool is_for_uploads = of_holder == Use::upload || fits(Use::upload);
    return queue_.live() > (is_for_uploads ? 0 : waiting_uploads_.get());
}

bool Gate::become_stream() {
    const Hold hold(*this);
    if (!stream_fits()) {
        return false;
    }
    streams_.add();
    return true;
}

Gate::Counts Gate::counts() {
    const Hold hold(*this);
    return glance();
}

Gate::Counts Gate::glance() const {
    return {capacity_.get(), in_use_.get(), parked_total(), streams_.get(), static_cast<uint32_t>(queue_.live()),
            served_.get()};
}

}  // namespace fcgate::fastcgi
