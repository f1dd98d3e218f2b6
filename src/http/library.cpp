#include "http/library.hpp"

#include <microhttpd.h>

#include <cstdint>

namespace fcgate::http {

namespace {

struct Version {
    uint64_t major = 0;
    uint64_t minor = 0;
    uint64_t patch = 0;
};

[[nodiscard]] Version parse(std::string_view text) {
    Version version;
    uint64_t* const parts[] = {&version.major, &version.minor, &version.patch};
    for (uint64_t* const part : parts) {
        std::string_view rest;
        const std::string_view digits = split_first(text, '.', rest);
        const Result<uint64_t> number = parse_decimal(digits);
        *part = number.ok() ? number.value() : 0;
        text = rest;
    }
    return version;
}

}  // namespace

const char* libmicrohttpd_version() {
    return MHD_get_version();
}

bool speaks_tls() {
    return MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES;
}

Status check_libmicrohttpd(TextBuffer& why) {
    static constexpr char accepted[] = FCGATE_ACCEPT_LIBMICROHTTPD;
    return check_version(libmicrohttpd_version(), {accepted, sizeof accepted - 1}, why);
}

Status check_version(std::string_view text, std::string_view accepted, TextBuffer& why) {
    const Version version = parse(text);
    constexpr uint64_t compiled_for = MHD_VERSION >> 24U;
    constexpr uint64_t oldest_patch = 75;
    constexpr uint64_t good_patch = 10;
    why.append("libmicrohttpd "_p).append(text);
    if (version.major != compiled_for) {
        why.append(" is in use, but fcgate was compiled for another generation; compile it again"_p);
        return Status::refused;
    }
    if (version.major == 0 && (version.minor < 9 || (version.minor == 9 && version.patch < oldest_patch))) {
        why.append(" is too old; use 0.9.75 or later, better 1.0.10"_p);
        return Status::refused;
    }
    const bool is_faulty = version.major == 1 && version.minor == 0 && version.patch < good_patch;
    if (is_faulty && text != accepted) {
        why.append(" has faults that a client can reach; use 1.0.10 or later"_p);
        return Status::refused;
    }
    why.clear();
    return Status::ok;
}

}  // namespace fcgate::http
