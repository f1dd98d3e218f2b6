#include "auth/verifier.hpp"

#include <crypt.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/clock.hpp"
#include "base/descriptor.hpp"
#include "base/http_date.hpp"
#include "base/thread.hpp"

namespace fcgate::auth {

namespace {

// What a page needs at once goes before a password that somebody tries.
constexpr int niceness = 5;

// Takes as long wherever they differ.
bool is_equal(std::string_view a, std::string_view b) {
    unsigned char difference = a.size() == b.size() ? 0 : 1;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
    }
    return difference == 0;
}

// Of numbers that are counted up and begin again.
bool is_before(uint32_t a, uint32_t b) {
    return static_cast<int32_t>(a - b) < 0;
}

}  // namespace

struct Verifier::Room {
    Verifier verifier;
    crypt_data scratch;  // tens of KiB with some C libraries
};

size_t Verifier::memory_size() {
    return sizeof(Room);
}

Verifier* Verifier::make(std::span<char> memory) {
    static_assert(alignof(Room) <= alignof(max_align_t));
    auto* const room = new (memory.data()) Room;
    room->verifier.crypt_ = &room->scratch;
    return &room->verifier;
}

Status Verifier::start(const Bell& bell) {
    bell_ = bell;
    errno = start_thread(thread_, &Verifier::thread_main, this);
    is_running_ = errno == 0;
    return is_running_ ? Status::ok : Status::exhausted;
}

void Verifier::finish() {
    if (is_running_) {
        {
            const Lock lock(&mutex_);
            is_ending_ = true;
            pthread_cond_signal(&asked_);
        }
        pthread_join(thread_, nullptr);
        is_running_ = false;
    }
}

bool Verifier::knows(std::string_view file, const Credentials& credentials, int64_t now) {
    const Lock lock(&mutex_);
    return find_known(fingerprint(file, credentials), file, now);
}

Result<uint8_t> Verifier::ask(const Question& question, int64_t now) {
    const Lock lock(&mutex_);
    Slot* free = nullptr;
    size_t of_client = 0;
    uint32_t turn = turn_;
    for (Slot& slot : slots_) {
        const bool is_of_client = slot.order != 0 && slot.client_key == question.client_key;
        if (slot.stage != Stage::free) {
            of_client += is_of_client ? 1 : 0;
        } else if (free == nullptr || is_before(slot.order, free->order)) {
            free = &slot;
        }
        // Behind one that is over as well: who asks again at once has had his turn.
        if (is_of_client && is_before(turn, slot.turn + 1)) {
            turn = slot.turn + 1;
        }
    }
    if (free == nullptr || of_client >= limits::password_questions_per_client) {
        return Status::exhausted;
    }
    free->stage = Stage::waiting;
    free->is_left = false;
    free->worker = question.worker;
    free->turn = turn;
    free->order = ++order_;
    free->client_key = question.client_key;
    free->since = now;
    free->owner = question.owner;
    free->file = question.file;
    free->credentials = question.credentials;
    free->answer = Answer();
    pthread_cond_signal(&asked_);
    return static_cast<uint8_t>(free - slots_.data());
}

Answer Verifier::look(uint8_t number) {
    const Lock lock(&mutex_);
    return slots_[number].answer;
}

void Verifier::give_back(uint8_t number) {
    const Lock lock(&mutex_);
    Slot& slot = slots_[number];
    if (slot.stage == Stage::working) {
        slot.is_left = true;
    } else {
        slot.stage = Stage::free;
    }
    slot.owner = nullptr;
    slot.credentials.wipe();
}

void* Verifier::next_answered(uint32_t worker) {
    const Lock lock(&mutex_);
    for (Slot& slot : slots_) {
        if (slot.stage == Stage::answered && slot.worker == worker) {
            slot.stage = Stage::told;
            return slot.owner;
        }
    }
    return nullptr;
}

void* Verifier::thread_main(void* verifier) {
    static_cast<Verifier*>(verifier)->run();
    return nullptr;
}

void Verifier::run() {
    // On Linux it is this thread's own.
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + niceness);
    const Lock lock(&mutex_);
    while (!is_ending_) {
        Slot* const slot = next_waiting();
        if (slot != nullptr) {
            answer(*slot);
        } else {
            pthread_cond_wait(&asked_, &mutex_);
        }
    }
}

// One of each client in a turn, the oldest first: however many wait, another client is kept from its first by no more than one of each.
Verifier::Slot* Verifier::next_waiting() {
    Slot* next = nullptr;
    for (Slot& slot : slots_) {
        if (slot.stage != Stage::waiting) {
            continue;
        }
        if (next == nullptr ||
            (slot.turn == next->turn ? is_before(slot.order, next->order) : is_before(slot.turn, next->turn))) {
            next = &slot;
        }
    }
    return next;
}

// The mutex is held, but not while the thread computes or rings.
void Verifier::answer(Slot& slot) {
    // A machine that has just started may know nothing random yet: then nothing is remembered.
    has_key_ = has_key_ || getrandom(&key_, sizeof key_, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof key_);
    const Credentials credentials = slot.credentials;
    const Fingerprint print = fingerprint(slot.file, credentials);
    const uint32_t worker = slot.worker;
    const int64_t now = monotonic_ms();
    path_.clear();
    path_.append(slot.file);
    turn_ = slot.turn;
    slot.stage = Stage::working;
    Answer answer;
    if (find_known(print, path_.view(), now)) {
        answer.verdict = Verdict::granted;  // the same was asked a moment ago
    } else if (now - slot.since > limits::password_wait_ms) {
        answer.verdict = Verdict::late;
    } else {
        route::FileIdentity identity;
        pthread_mutex_unlock(&mutex_);
        answer = judge(path_.view(), credentials, identity);
        pthread_mutex_lock(&mutex_);
        if (answer.verdict == Verdict::granted && has_key_ && identity != route::FileIdentity()) {
            remember(print, identity, now);
        }
    }
    slot.answer = answer;
    slot.stage = slot.is_left ? Stage::free : Stage::answered;
    if (!slot.is_left) {
        pthread_mutex_unlock(&mutex_);
        bell_.ring(bell_.context, worker);
        pthread_mutex_lock(&mutex_);
    }
}

Answer Verifier::judge(std::string_view file, const Credentials& credentials, route::FileIdentity& identity) {
    const Result<int> opened = open_passwords(file);
    const Descriptor fd(opened.ok() ? opened.value() : -1);
    struct stat status {};
    if (!fd.valid() || fstat(fd.get(), &status) != 0) {
        return {Verdict::unreadable, opened.status() == Status::refused ? EISDIR : errno};
    }
    // Before it is read: the check may take longer than until it counts as settled.
    const route::FileIdentity present = route::identity_of(status);
    identity = may_change_unseen(present.changed_s, wall_clock()) ? route::FileIdentity() : present;
    const Status found = find_hash(fd.get(), credentials.user(), hash_);
    if (found != Status::ok && found != Status::not_found) {
        return {Verdict::unreadable, found == Status::too_large ? EFBIG : errno};
    }
    if (!hash_.ok() || kind_of(hash_.view()) != HashKind::good) {
        return {found == Status::ok ? Verdict::unusable : Verdict::denied, 0};
    }
    // For who is not there it takes as long as for who is.
    const char* const made = crypt_r(credentials.password().data(), hash_.c_str(), crypt_);
    const std::string_view result = made != nullptr ? made : "";
    Verdict verdict = Verdict::denied;
    if (found == Status::ok && !starts_with(result, slice(hash_.view(), 0, 3))) {
        verdict = Verdict::unusable;
    } else if (found == Status::ok && is_equal(result, hash_.view())) {
        verdict = Verdict::granted;
    }
    explicit_bzero(crypt_, sizeof *crypt_);
    return {verdict, 0};
}

Fingerprint Verifier::fingerprint(std::string_view file, const Credentials& credentials) const {
    return fingerprint_of(key_, file, credentials.both());
}

bool Verifier::find_known(const Fingerprint& fingerprint, std::string_view file, int64_t now) {
    const auto known =
        std::ranges::find_if(known_, [&](const Known& one) { return one.is_used && one.fingerprint == fingerprint; });
    if (known == known_.end()) {
        return false;
    }
    if (now - known->looked_at >= limits::passwords_known_ms) {
        struct stat status {};
        const Text<limits::path> path(file);
        known->is_used = stat(path.c_str(), &status) == 0 && route::identity_of(status) == known->file;
        known->looked_at = now;
    }
    known->used_at = now;
    return known->is_used;
}

// In the place of what has not been used for longest.
void Verifier::remember(const Fingerprint& fingerprint, const route::FileIdentity& identity, int64_t now) {
    Known* place = known_.data();
    for (Known& one : known_) {
        if (!one.is_used) {
            place = &one;
            break;
        }
        place = one.used_at < place->used_at ? &one : place;
    }
    *place = {fingerprint, identity, now, now, true};
}

}  // namespace fcgate::auth
