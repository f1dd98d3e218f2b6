#include "http/reason.hpp"

#include "base/text_table.hpp"

namespace fcgate::http {

namespace {

constexpr auto statuses = pack_column<reasons, &Reason::status>();

}  // namespace

Packed code_of(uint16_t status) {
    for (size_t i = 0; i < statuses.size(); ++i) {
        if (statuses[i] == status && status != 0) {
            return codes[i];
        }
    }
    return reason_code("refused");
}

}  // namespace fcgate::http
