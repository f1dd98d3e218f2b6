// Owns: what a certificate is made of. It brings gnutls.h along: only tls/ and http/callbacks.cpp may include it.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include <atomic>
#include <cstdint>

#include "base/limits.hpp"
#include "tls/certificate.hpp"

namespace fcgate::tls {

struct Certificate::Parts {
    gnutls_pcert_st chain[limits::certificates];
    unsigned count;
    gnutls_privkey_t key;
    gnutls_datum_t ticket_key;  // of sessions that clients may take up again; empty: they may not
    int64_t valid_from;
    int64_t valid_until;
    std::atomic<uint32_t> holders;
};

}  // namespace fcgate::tls
