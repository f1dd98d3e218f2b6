#include "http/status_page.hpp"

#include <microhttpd.h>

#include "base/html.hpp"
#include "base/text_table.hpp"

namespace fcgate::http {

namespace {

// What is the same in all pages stands once: they lie in flash, in pieces, and go out from there.
constexpr std::string_view before_advice =
    "</title><style>a{display:inline-block;padding:.6rem 0}</style><body style=\"font:1rem/1.5 "
    "system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1.5rem\">"
    "<h1 style=\"font-size:1.4rem;font-weight:600;margin:0 0 .5rem\">";
constexpr std::string_view after_advice = "</h1><p style=\"opacity:.65;margin:0 0 .4rem\">";

constexpr std::string_view page_end = "</p></body></html>\n";
constexpr std::string_view again_and_end = "</p><a href=\"\">Try again</a></body></html>\n";
constexpr std::string_view start_and_end = "</p><a href=\"/\">To the start page</a></body></html>\n";

struct Page {
    uint16_t status;
    std::string_view advice;
    std::string_view end = page_end;
};

constexpr Page pages[] = {
    {400, "The request could not be understood."},
#if FCGATE_WITH_AUTH
    {401, "This needs a user and a password.", again_and_end},
#endif
    {403, "This may not be read.", start_and_end},
    {404, "There is nothing at this address.", start_and_end},
    {405, "This cannot be done here."},
    {408, "The request took too long to arrive.", again_and_end},
    {411, "The request must tell the length of its body."},
    {412, "It has changed meanwhile."},
    {413, "This is more than the device takes."},
    {414, "The address is too long."},
    {416, "There is no such part of it."},
    {417, "The request expects what cannot be done."},
    {421, "This device is not known under this name. Try its address."},
    {431, "The request's head is too large; old cookies may be why."},
    {500, "Something went wrong on the device."},
    {501, "The device cannot do this."},
    {502, "The application behind this page did not answer properly.", again_and_end},
    {503, "The device is busy. Please try again in a moment.", again_and_end},
    {504, "The application behind this page took too long.", again_and_end},
    {505, "The device speaks HTTP/1.1."},
    {507, "There is no room for this on the device."},
};

static_assert(sizeof pages == page_count * sizeof(Page));

constexpr auto texts = pack_texts<pages, &Page::advice, &Page::end>();
constexpr auto statuses = pack_column<pages, &Page::status>();

// "404 ": what stands behind it libmicrohttpd has.
constexpr auto numbers = [] {
    std::array<std::array<char, 4>, page_count> all{};
    for (size_t i = 0; i < page_count; ++i) {
        const unsigned status = pages[i].status;
        all[i] = {static_cast<char>('0' + status / 100), static_cast<char>('0' + status / 10 % 10),
                  static_cast<char>('0' + status % 10), ' '};
    }
    return all;
}();

}  // namespace

size_t page_number(uint16_t status) {
    size_t number = 0;
    while (number < page_count && statuses[number] != status) {
        ++number;
    }
    return number;
}

uint16_t page_status(size_t number) {
    return statuses[number];
}

const char* reason_phrase(uint16_t status) {
    return MHD_get_reason_phrase_for(status);
}

PagePieces status_page(uint16_t status) {
    const size_t page = page_number(status);
    if (page == page_count) {
        return {};
    }
    const std::string_view number(numbers[page].data(), numbers[page].size());
    const std::string_view words = reason_phrase(status);
    return {html_start,   number, words, before_advice,      texts[2 * page],
            after_advice, number, words, texts[2 * page + 1]};
}

void reply_with_status(Reply& reply, uint16_t status) {
    reply.begin(status);
    for (const std::string_view piece : status_page(status)) {
        reply.length += piece.size();
    }
    reply.body = reply.length == 0 ? Reply::Body::none : Reply::Body::page;
    reply.is_refusal = true;
    // Three fields at most: there is room.
    if (reply.body == Reply::Body::page) {
        (void)reply.add_field("Content-Type", "text/html; charset=utf-8");
    }
    (void)reply.add_field("Cache-Control", "no-store");
    if (status == 503) {
        (void)reply.add_field("Retry-After", "2");
    }
}

}  // namespace fcgate::http
