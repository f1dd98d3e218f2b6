#include "http/ready.hpp"

#include <microhttpd.h>

namespace fcgate::http {

MHD_Response* ReadyReplies::find(uint64_t name) const {
    const Slot& slot = slots_[place_of(name)];
    return slot.name == name ? slot.response : nullptr;
}

void ReadyReplies::keep(uint64_t name, MHD_Response* response, int fd) {
    const std::span<Slot> place = std::span(slots_).subspan(place_of(name), 1);
    drop(place);
    place.front() = {name, response, fd};
}

void ReadyReplies::drop(std::span<Slot> slots) {
    for (Slot& slot : slots) {
        if (slot.response != nullptr) {
            MHD_destroy_response(slot.response);
        }
        slot = Slot();
    }
}

}  // namespace fcgate::http
