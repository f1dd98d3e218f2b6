#include "http/reason.hpp"

#include "base/text_table.hpp"

namespace fcgate::http {

namespace {

constexpr auto codes = pack_texts<reasons, &Reason::code>();
constexpr auto statuses = pack_column<reasons, &Reason::status>();

}  // namespace

std::string_view code_of(uint16_t status) {
    for (size_t i = 0; i < statuses.size(); ++i) {
        if (statuses[i] == status && status != 0) {
            return codes[i];
        }
    }
    return "refused";
}

}  // namespace fcgate::http
