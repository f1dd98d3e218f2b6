#include "http/ready.hpp"

#include <microhttpd.h>

namespace fcgate::http {

bool ReadyReplies::keep(uint64_t name, MHD_Response* response) {
    if (count_ == 0) {
        return false;
    }
    Slot& slot = slots_[place_of(name)];
    if (slot.response != nullptr) {
        MHD_destroy_response(slot.response);
    }
    slot = {name, response};
    return true;
}

void ReadyReplies::clear() {
    for (Slot& slot : slots_) {
        if (slot.response != nullptr) {
            MHD_destroy_response(slot.response);
        }
        slot = Slot();
    }
}

}  // namespace fcgate::http
