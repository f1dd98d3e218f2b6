#include "http/footprint.hpp"

#include <algorithm>

namespace fcgate::http {

namespace {

[[nodiscard]] size_t field_footprint(size_t name_size, size_t value_size) {
    constexpr size_t structure = 64;
    return heap_block(structure) + heap_block(name_size + 1) + heap_block(value_size + 1);
}

}  // namespace

size_t connection_footprint(const ServerSettings& server) {
    constexpr size_t structure = 640;
    constexpr size_t pool_structure = 64;
    constexpr size_t mapped_from = size_t{32} * 1024;  // then whole pages
    constexpr size_t page = 4096;
    const auto memory = static_cast<size_t>(server.connection_memory);
    const size_t pool = memory > mapped_from ? (memory + page - 1) / page * page : heap_block(memory);
    return heap_block(structure) + heap_block(pool_structure) + pool;
}

FieldsSize size_of(FieldCursor fields) {
    FieldsSize size;
    for (Field field; fields.next(field);) {
        size.text += field.name.size() + field.value.size() + 4;
        size.memory += field_footprint(field.name.size(), field.value.size());
    }
    return size;
}

size_t guaranteed_fields(const Settings& settings) {
    size_t most = 0;
    for (const SiteSettings& site : settings.sites) {
        size_t added = 0;
        for (const Pair& header : site.headers) {
            added += field_footprint(header.name.size(), header.value.size());
        }
        most = std::max(most, added);
    }
    return limits::reply_fields_memory + most;
}

size_t shared_fields(const Settings& settings) {
    // As many fields as there can be, with as many bytes as Engine::queue() lets pass.
    const auto room = static_cast<size_t>(settings.server.connection_memory) / 2;
    const size_t largest = limits::script_fields(room) * (field_footprint(0, 0) + 2 * heap_block(0)) + room;
    return std::min<size_t>(limits::large_reply_heads, std::max(1U, settings.server.exchanges / 4)) * largest;
}

size_t shared_lists(const Settings& settings) {
    const bool has_lists = std::ranges::any_of(settings.sites, [](const SiteSettings& site) { return site.listing; });
    const bool has_status = settings.server.status_path != "off";
    return (has_lists ? heap_block(limits::listing_page) : 0) +
           (has_status ? heap_block(limits::status_page(settings.backends.size())) : 0);
}

}  // namespace fcgate::http
