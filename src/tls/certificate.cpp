#include "tls/certificate.hpp"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <netinet/in.h>

#include <cstring>

#include "tls/parts.hpp"
#include "tls/pem_file.hpp"

namespace fcgate::tls {

namespace {

[[nodiscard]] Status explain(TextBuffer& why, const char* path, const char* what, int code) {
    why.append(path).append(": "_p).append(what);
    if (code != GNUTLS_E_SUCCESS) {
        why.append(": "_p).append(gnutls_strerror(code));
    }
    return code == GNUTLS_E_MEMORY_ERROR ? Status::exhausted : Status::malformed;
}

[[nodiscard]] bool belong_together(const Certificate::Parts& parts) {
    constexpr size_t longest_id = 64;
    unsigned char of_key[longest_id];
    unsigned char of_certificate[longest_id];
    size_t key_size = sizeof of_key;
    size_t certificate_size = sizeof of_certificate;
    gnutls_pubkey_t key = nullptr;
    bool same = false;
    if (gnutls_pubkey_init(&key) == GNUTLS_E_SUCCESS) {
        same = gnutls_pubkey_import_privkey(key, parts.key, 0, 0) == GNUTLS_E_SUCCESS &&
               gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) == GNUTLS_E_SUCCESS &&
               gnutls_pubkey_get_key_id(parts.chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, of_certificate,
                                        &certificate_size) == GNUTLS_E_SUCCESS &&
               key_size == certificate_size && memcmp(of_key, of_certificate, key_size) == 0;
        gnutls_pubkey_deinit(key);
    }
    return same;
}

// The first of the chain, taken apart; nullptr: that cannot be done.
[[nodiscard]] gnutls_x509_crt_t open_first(const Certificate::Parts& parts) {
    gnutls_x509_crt_t certificate = nullptr;
    if (gnutls_x509_crt_init(&certificate) == GNUTLS_E_SUCCESS &&
        gnutls_x509_crt_import(certificate, &parts.chain[0].cert, GNUTLS_X509_FMT_DER) != GNUTLS_E_SUCCESS) {
        gnutls_x509_crt_deinit(certificate);
        certificate = nullptr;
    }
    return certificate;
}

void read_validity(Certificate::Parts& parts) {
    auto* const certificate = open_first(parts);
    if (certificate != nullptr) {
        parts.valid_from = gnutls_x509_crt_get_activation_time(certificate);
        parts.valid_until = gnutls_x509_crt_get_expiration_time(certificate);
        gnutls_x509_crt_deinit(certificate);
    }
}

// GnuTLS takes the subject's common name where there is none; browsers do not look at that (RFC 9525 section 2).
[[nodiscard]] bool has_dns_names(gnutls_x509_crt_t certificate) {
    int type = 0;
    for (unsigned i = 0; type >= 0 || type == GNUTLS_E_SHORT_MEMORY_BUFFER; ++i) {
        char name[256];
        size_t size = sizeof name;
        type = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &size, nullptr);
        if (type == GNUTLS_SAN_DNSNAME) {
            return true;
        }
    }
    return false;
}

[[nodiscard]] bool is_address(const char* host) {
    in6_addr bytes{};
    return inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1;
}

}  // namespace

Status Certificate::load(const char* chain_path, const char* key_path, TextBuffer& why) {
    clear();
    PemFile chain;
    PemFile key;
    Status status = chain.read(chain_path, why);
    if (status == Status::ok) {
        status = key.read(key_path, why);
    }
    if (status != Status::ok) {
        return status;
    }
    parts_ = static_cast<Parts*>(gnutls_calloc(1, sizeof(Parts)));
    if (parts_ == nullptr) {
        return explain(why, chain_path, "no memory", GNUTLS_E_MEMORY_ERROR);
    }
    parts_->holders.store(1);
    unsigned count = limits::certificates;
    int code = gnutls_pcert_list_import_x509_raw(parts_->chain, &count, chain.data(), GNUTLS_X509_FMT_PEM,
                                                 GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (code == GNUTLS_E_SHORT_MEMORY_BUFFER) {
        static_assert(limits::certificates == 8);
        status = explain(why, chain_path, "has more than 8 certificates", GNUTLS_E_SUCCESS);
        clear();
        return status;
    }
    if (code != GNUTLS_E_SUCCESS) {
        status = explain(why, chain_path, "no chain of certificates in PEM", code);
        clear();
        return status;
    }
    parts_->count = count;
    code = gnutls_privkey_init(&parts_->key);
    if (code == GNUTLS_E_SUCCESS) {
        code = gnutls_privkey_import_x509_raw(parts_->key, key.data(), GNUTLS_X509_FMT_PEM, nullptr, 0);
    }
    if (code != GNUTLS_E_SUCCESS) {
        status = explain(why, key_path, "no private key in PEM (without a password)", code);
        clear();
        return status;
    }
    if (!belong_together(*parts_)) {
        status = explain(why, key_path, "is not the key of tls_certificate's first certificate", GNUTLS_E_SUCCESS);
        clear();
        return status;
    }
    read_validity(*parts_);
    // 3.6.4 to 3.6.13 seal tickets with a key of zeros until they have made the next one (CVE-2020-13777).
    if (gnutls_check_version("3.6.14") != nullptr) {
        code = gnutls_session_ticket_key_generate(&parts_->ticket_key);
    }
    if (code != GNUTLS_E_SUCCESS) {
        status = explain(why, key_path, "no key for tickets can be made", code);
        clear();
    }
    return status;
}

void Certificate::share(const Certificate& other) {
    clear();
    parts_ = other.parts_;
    if (parts_ != nullptr) {
        parts_->holders.fetch_add(1);
    }
}

void Certificate::clear() {
    Parts* const parts = parts_;
    parts_ = nullptr;
    if (parts == nullptr || parts->holders.fetch_sub(1) > 1) {
        return;
    }
    for (unsigned i = 0; i < parts->count; ++i) {
        gnutls_pcert_deinit(&parts->chain[i]);
    }
    if (parts->key != nullptr) {
        gnutls_privkey_deinit(parts->key);
    }
    if (parts->ticket_key.data != nullptr) {
        gnutls_memset(parts->ticket_key.data, 0, parts->ticket_key.size);
        gnutls_free(parts->ticket_key.data);
    }
    gnutls_free(parts);
}

int64_t Certificate::valid_from() const {
    return parts_ != nullptr ? parts_->valid_from : 0;
}

int64_t Certificate::valid_until() const {
    return parts_ != nullptr ? parts_->valid_until : 0;
}

bool Certificate::is_for(const char* host) const {
    auto* const certificate = parts_ != nullptr ? open_first(*parts_) : nullptr;
    if (certificate == nullptr) {
        return false;
    }
    const bool is_named =
        gnutls_x509_crt_check_hostname(certificate, host) != 0 && (is_address(host) || has_dns_names(certificate));
    gnutls_x509_crt_deinit(certificate);
    return is_named;
}

}  // namespace fcgate::tls
