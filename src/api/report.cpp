#include "api/report.hpp"

namespace fcgate::api {

int result_of(Status status) {
    switch (status) {
        case Status::ok:
            return FCGATE_OK;
        case Status::again:
            return FCGATE_AGAIN;
        case Status::too_large:
            return FCGATE_TOO_LARGE;
        case Status::malformed:
        case Status::not_found:
        case Status::refused:
            return FCGATE_INVALID;
        case Status::denied:
            return FCGATE_DENIED;
        case Status::exhausted:
            return FCGATE_NO_MEMORY;
        case Status::gone:
            return FCGATE_GONE;
        case Status::io:
        case Status::timed_out:
            return FCGATE_ERROR;
    }
    return FCGATE_ERROR;
}

int report(fcgate_error* error, int code, unsigned line, std::string_view text) {
    if (error != nullptr) {
        error->code = code;
        error->line = line;
        TextBuffer out(error->text);
        out.append(slice(text, 0, sizeof error->text - 1));
    }
    return code;
}

int report(fcgate_error* error, int code, Packed text) {
    const Text<sizeof error->text> plain(text);
    return report(error, code, 0, plain.view());
}

int report(fcgate_error* error, Status status, const ConfigError& why) {
    return report(error, result_of(status), why.line, why.text.view());
}

int report(fcgate_error* error, Status status, const server::ServerError& why) {
    return report(error, result_of(status), 0, why.view());
}

int misuse(fcgate_error* error, Packed text) {
    return report(error, FCGATE_INVALID, text);
}

int finish(const TextBuffer& out, char* buffer, int result) {
    if (!out.ok()) {
        *buffer = '\0';
        return FCGATE_TOO_LARGE;
    }
    return result;
}

}  // namespace fcgate::api
