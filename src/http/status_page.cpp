#include "http/status_page.hpp"

namespace fcgate::http {

namespace {

// One literal for each status: the pages lie in read-only memory and cost no building.
#define FCGATE_PAGE(status, words, advice, link)                                                                    \
    case status:                                                                                                    \
        return "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "                  \
               "content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">" \
               "<link rel=\"icon\" href=\"data:,\"><title>" words                                                   \
               "</title><body style=\"font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;"         \
               "padding:0 1.5rem\"><h1 style=\"font-size:1.4rem;font-weight:600;margin:0 0 .5rem\">" advice         \
               "</h1><p style=\"opacity:.65;margin:0 0 1rem\">" words "</p>" link "</body></html>\n"

#define FCGATE_AGAIN_LINK "<a href=\"\">Try again</a>"
#define FCGATE_START_LINK "<a href=\"/\">To the start page</a>"

[[nodiscard]] std::string_view page(uint16_t status) {
    switch (status) {
        FCGATE_PAGE(400, "400 Bad Request", "The request could not be understood.", "");
        FCGATE_PAGE(403, "403 Forbidden", "This may not be read.", FCGATE_START_LINK);
        FCGATE_PAGE(404, "404 Not Found", "There is nothing at this address.", FCGATE_START_LINK);
        FCGATE_PAGE(405, "405 Method Not Allowed", "This cannot be done here.", "");
        FCGATE_PAGE(408, "408 Request Timeout", "The request took too long to arrive.", FCGATE_AGAIN_LINK);
        FCGATE_PAGE(411, "411 Length Required", "The request must tell the length of its body.", "");
        FCGATE_PAGE(412, "412 Precondition Failed", "It has changed meanwhile.", "");
        FCGATE_PAGE(413, "413 Content Too Large", "This is more than the device takes.", "");
        FCGATE_PAGE(414, "414 URI Too Long", "The address is too long.", "");
        FCGATE_PAGE(416, "416 Range Not Satisfiable", "There is no such part of it.", "");
        FCGATE_PAGE(417, "417 Expectation Failed", "The request expects what cannot be done.", "");
        FCGATE_PAGE(421, "421 Misdirected Request", "This device is not known under this name. Try its address.", "");
        FCGATE_PAGE(431, "431 Request Header Fields Too Large",
                    "The request's head is too large; old cookies may be why.", "");
        FCGATE_PAGE(500, "500 Internal Server Error", "Something went wrong on the device.", "");
        FCGATE_PAGE(501, "501 Not Implemented", "The device cannot do this.", "");
        FCGATE_PAGE(502, "502 Bad Gateway", "The application behind this page did not answer properly.",
                    FCGATE_AGAIN_LINK);
        FCGATE_PAGE(503, "503 Service Unavailable", "The device is busy. Please try again in a moment.",
                    FCGATE_AGAIN_LINK);
        FCGATE_PAGE(504, "504 Gateway Timeout", "The application behind this page took too long.", FCGATE_AGAIN_LINK);
        FCGATE_PAGE(505, "505 HTTP Version Not Supported", "The device speaks HTTP/1.1.", "");
        FCGATE_PAGE(507, "507 Insufficient Storage", "There is no room for this on the device.", "");
        default:
            return {};
    }
}

#undef FCGATE_PAGE
#undef FCGATE_AGAIN_LINK
#undef FCGATE_START_LINK

}  // namespace

void reply_with_status(Reply& reply, uint16_t status) {
    reply = Reply();
    reply.status = status;
    reply.memory = page(status);
    reply.body = reply.memory.empty() ? Reply::Body::none : Reply::Body::memory;
    reply.length = reply.memory.size();
    reply.length_known = true;
    // Three fields at most: there is room.
    if (!reply.memory.empty()) {
        (void)reply.add_field("Content-Type", "text/html; charset=utf-8");
    }
    (void)reply.add_field("Cache-Control", "no-store");
    if (status == 503) {
        (void)reply.add_field("Retry-After", "2");
    }
}

}  // namespace fcgate::http
