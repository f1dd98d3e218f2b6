#include "http/targets.hpp"

#include <cstring>

#include "base/text.hpp"

namespace fcgate::http {

void Targets::init(const Setup& setup) {
    setup_ = setup;
    given_back_ = 0;
    used_.set(0);
    free_count_.set(static_cast<uint32_t>(setup.places.size()));
}

std::string_view Targets::copy(std::string_view target, std::span<char> room) {
    memcpy(room.data(), target.data(), target.size());
    room[target.size()] = '\0';
    return {room.data(), target.size()};
}

KeptTarget Targets::keep(size_t connection, std::string_view target) {
    KeptTarget kept;
    if (target.size() >= setup_.long_size) {
        kept.status = Status::too_large;
    } else if (target.size() >= setup_.short_size && free_count_.get() == 0) {
        kept.status = Status::exhausted;
    }
    if (target.size() < setup_.short_size || kept.status != Status::ok) {
        kept.text = copy(slice(target, 0, setup_.short_size - 1),
                         setup_.short_texts.subspan(connection * setup_.short_size, setup_.short_size));
        return kept;
    }
    free_count_.subtract();
    if (given_back_ > 0) {
        kept.place = setup_.places[--given_back_];
    } else {
        kept.place = used_.get();
        used_.add();
    }
    kept.text = copy(target, setup_.long_texts.subspan(kept.place * setup_.long_size, setup_.long_size));
    return kept;
}

void Targets::drop(KeptTarget& kept) {
    if (kept.place != no_slot) {
        setup_.places[given_back_++] = kept.place;
        free_count_.add();
    }
    kept = KeptTarget();
}

}  // namespace fcgate::http
