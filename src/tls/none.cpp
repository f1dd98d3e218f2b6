// A build without TLS: what is called is here, and does nothing.
#include "tls/certificate.hpp"

namespace fcgate::tls {

Status Certificate::load(const char* /*chain_path*/, const char* /*key_path*/, TextBuffer& /*why*/) {
    return Status::refused;
}

void Certificate::share(const Certificate& /*other*/) {}

void Certificate::clear() {}

int64_t Certificate::valid_from() const {
    return 0;
}

int64_t Certificate::valid_until() const {
    return 0;
}

}  // namespace fcgate::tls
