#include "http/status_page.hpp"

#include "base/html.hpp"
#include "base/text_table.hpp"

namespace fcgate::http {

namespace {

// What is the same in all pages stands once: they lie in flash, in pieces, and go out from there.
constexpr std::string_view before_advice =
    "</title><body style=\"font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1.5rem\">"
    "<h1 style=\"font-size:1.4rem;font-weight:600;margin:0 0 .5rem\">";
constexpr std::string_view after_advice = "</h1><p style=\"opacity:.65;margin:0 0 1rem\">";

constexpr std::string_view page_end = "</p></body></html>\n";
constexpr std::string_view again_and_end = "</p><a href=\"\">Try again</a></body></html>\n";
constexpr std::string_view start_and_end = "</p><a href=\"/\">To the start page</a></body></html>\n";

struct Page {
    uint16_t status;
    std::string_view words;
    std::string_view advice;
    std::string_view end = page_end;
};

constexpr Page pages[] = {
    {400, "400 Bad Request", "The request could not be understood."},
    {403, "403 Forbidden", "This may not be read.", start_and_end},
    {404, "404 Not Found", "There is nothing at this address.", start_and_end},
    {405, "405 Method Not Allowed", "This cannot be done here."},
    {408, "408 Request Timeout", "The request took too long to arrive.", again_and_end},
    {411, "411 Length Required", "The request must tell the length of its body."},
    {412, "412 Precondition Failed", "It has changed meanwhile."},
    {413, "413 Content Too Large", "This is more than the device takes."},
    {414, "414 URI Too Long", "The address is too long."},
    {416, "416 Range Not Satisfiable", "There is no such part of it."},
    {417, "417 Expectation Failed", "The request expects what cannot be done."},
    {421, "421 Misdirected Request", "This device is not known under this name. Try its address."},
    {431, "431 Request Header Fields Too Large", "The request's head is too large; old cookies may be why."},
    {500, "500 Internal Server Error", "Something went wrong on the device."},
    {501, "501 Not Implemented", "The device cannot do this."},
    {502, "502 Bad Gateway", "The application behind this page did not answer properly.", again_and_end},
    {503, "503 Service Unavailable", "The device is busy. Please try again in a moment.", again_and_end},
    {504, "504 Gateway Timeout", "The application behind this page took too long.", again_and_end},
    {505, "505 HTTP Version Not Supported", "The device speaks HTTP/1.1."},
    {507, "507 Insufficient Storage", "There is no room for this on the device."},
};

static_assert(sizeof pages == page_count * sizeof(Page));

constexpr auto texts = pack_texts<pages, &Page::words, &Page::advice, &Page::end>();
constexpr auto statuses = pack_column<pages, &Page::status>();

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

std::string_view page_words(size_t number) {
    return texts[3 * number];
}

PagePieces status_page(uint16_t status) {
    const size_t number = page_number(status);
    if (number == page_count) {
        return {};
    }
    const std::string_view words = texts[3 * number];
    return {html_start, words, before_advice, texts[3 * number + 1], after_advice, words, texts[3 * number + 2]};
}

void reply_with_status(Reply& reply, uint16_t status) {
    reply.begin(status);
    for (const std::string_view piece : status_page(status)) {
        reply.length += piece.size();
    }
    reply.body = reply.length == 0 ? Reply::Body::none : Reply::Body::page;
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
