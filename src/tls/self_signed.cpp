#include "tls/self_signed.hpp"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/descriptor.hpp"
#include "tls/certificate.hpp"
#include "tls/parts.hpp"
#include "tls/pem_file.hpp"

namespace fcgate::tls {

namespace {

constexpr int64_t day = int64_t{24} * 60 * 60;
constexpr int64_t lifetime = 800 * day;                      // browsers refuse more than 825
constexpr int64_t lifetime_unset = int64_t{20} * 365 * day;  // a clock that is not set tells nobody when to renew
constexpr char organization[] = "fcgate (made by this device)";

// Frees what GnuTLS has made.
template <typename Thing, void (*deinit)(Thing)>
class Held {
  public:
    Held() = default;
    ~Held() {
        if (thing_ != nullptr) {
            deinit(thing_);
        }
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    [[nodiscard]] Thing* place() { return &thing_; }
    [[nodiscard]] Thing get() const { return thing_; }

  private:
    Thing thing_ = nullptr;
};

using HeldCertificate = Held<gnutls_x509_crt_t, gnutls_x509_crt_deinit>;
using HeldKey = Held<gnutls_x509_privkey_t, gnutls_x509_privkey_deinit>;

[[nodiscard]] Status fail(TextBuffer& why, std::string_view what, std::string_view reason) {
    why.append(what).append(": "_p).append(reason);
    return Status::io;
}

// ---- what is there --------------------------------------------------------------------------------------------------

[[nodiscard]] bool has_name(gnutls_x509_crt_t certificate, gnutls_x509_subject_alt_name_t type, const void* value,
                            size_t size) {
    constexpr size_t longest = 256;
    char found[longest];
    for (unsigned i = 0;; ++i) {
        size_t found_size = sizeof found;
        const int code = gnutls_x509_crt_get_subject_alt_name(certificate, i, found, &found_size, nullptr);
        if (code < 0 && code != GNUTLS_E_SHORT_MEMORY_BUFFER) {
            return false;
        }
        if (code == type && found_size == size && memcmp(found, value, size) == 0) {
            return true;
        }
    }
}

[[nodiscard]] bool covers(gnutls_x509_crt_t certificate, const Names& names) {
    for (size_t i = 0; i < names.name_count(); ++i) {
        const std::string_view name = names.name(i);
        if (!has_name(certificate, GNUTLS_SAN_DNSNAME, name.data(), name.size())) {
            return false;
        }
    }
    return std::all_of(names.addresses().begin(), names.addresses().end(), [certificate](const Address& address) {
        return has_name(certificate, GNUTLS_SAN_IPADDRESS, address.bytes, address.size);
    });
}

[[nodiscard]] bool is_ours(gnutls_x509_crt_t certificate) {
    char found[sizeof organization + 1];
    size_t size = sizeof found;
    return gnutls_x509_crt_get_issuer_dn_by_oid(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, 0, found, &size) ==
               GNUTLS_E_SUCCESS &&
           std::string_view(found, size) == std::string_view(organization);
}

// ---- a new one ------------------------------------------------------------------------------------------------------

[[nodiscard]] int set_names(gnutls_x509_crt_t certificate, const Names& names) {
    int code = GNUTLS_E_SUCCESS;
    for (size_t i = 0; i < names.name_count() && code == GNUTLS_E_SUCCESS; ++i) {
        const std::string_view name = names.name(i);
        code = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, name.data(),
                                                    static_cast<unsigned>(name.size()), GNUTLS_FSAN_APPEND);
    }
    for (const Address& address : names.addresses()) {
        if (code == GNUTLS_E_SUCCESS) {
            code = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, address.bytes, address.size,
                                                        GNUTLS_FSAN_APPEND);
        }
    }
    return code;
}

[[nodiscard]] int fill(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key, const SelfSigned& wanted,
                       const Names& names) {
    unsigned char serial[16];
    int code = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
    serial[0] = static_cast<unsigned char>((serial[0] & 0x7fU) | 0x40U);  // positive, and of one length
    const bool is_set = wanted.now >= wanted.made;
    const int64_t from = is_set ? wanted.now - day : wanted.made;
    const std::string_view name = names.name_count() > 0 ? names.name(0) : std::string_view("localhost");
    const auto set = [&code](int result) { code = code == GNUTLS_E_SUCCESS ? result : code; };
    set(gnutls_x509_crt_set_version(certificate, 3));
    set(gnutls_x509_crt_set_serial(certificate, serial, sizeof serial));
    set(gnutls_x509_crt_set_activation_time(certificate, static_cast<time_t>(from)));
    set(gnutls_x509_crt_set_expiration_time(certificate,
                                            static_cast<time_t>(from + (is_set ? lifetime : lifetime_unset))));
    set(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, organization,
                                      sizeof organization - 1));
    // RFC 5280 appendix A.1: a common name has at most 64 characters.
    const std::string_view common = slice(name, 0, 64);
    set(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, common.data(),
                                      static_cast<unsigned>(common.size())));
    set(gnutls_x509_crt_set_key(certificate, key));
    set(gnutls_x509_crt_set_basic_constraints(certificate, 0, -1));
    set(gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE));
    set(gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0));
    if (code == GNUTLS_E_SUCCESS) {
        set(set_names(certificate, names));
    }
    set(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0));
    return code;
}

using NewPath = Text<limits::path + 8>;

// Beside where it will be.
[[nodiscard]] Status write_new(const char* path, const gnutls_datum_t& data, mode_t mode, NewPath& temporary,
                               TextBuffer& why) {
    temporary.append(path).append(".new"_p);
    if (!temporary.ok()) {
        return Status::too_large;
    }
    (void)unlink(temporary.c_str());
    const Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    errno = file.valid() ? ENOSPC : errno;  // of a write that is only short
    const bool written = file.valid() && write(file.get(), data.data, data.size) == static_cast<ssize_t>(data.size) &&
                         fsync(file.get()) == 0;
    return written ? Status::ok : fail(why, path, strerror(errno));
}

[[nodiscard]] Status put_in_place(const NewPath& temporary, const char* path, TextBuffer& why) {
    return rename(temporary.c_str(), path) == 0 ? Status::ok : fail(why, path, strerror(errno));
}

// Both are written before either takes the place of what is there: where the second finds no room the first keeps its fellow. The key first: a
// certificate of ours without its key is made again at the next start.
[[nodiscard]] Status write_pair(const SelfSigned& wanted, const gnutls_datum_t& key, const gnutls_datum_t& certificate,
                                TextBuffer& why) {
    NewPath new_key;
    NewPath new_certificate;
    Status status = write_new(wanted.key_path, key, 0600, new_key, why);
    if (status == Status::ok) {
        status = write_new(wanted.certificate_path, certificate, 0644, new_certificate, why);
    }
    if (status == Status::ok) {
        status = put_in_place(new_key, wanted.key_path, why);
    }
    if (status == Status::ok) {
        status = put_in_place(new_certificate, wanted.certificate_path, why);
    }
    if (status != Status::ok) {
        (void)unlink(new_key.c_str());
        (void)unlink(new_certificate.c_str());
    }
    return status;
}

[[nodiscard]] Status make(const SelfSigned& wanted, const Names& names, TextBuffer& why) {
    HeldKey key;
    HeldCertificate certificate;
    gnutls_datum_t key_text{};
    gnutls_datum_t certificate_text{};
    int code = gnutls_x509_privkey_init(key.place());
    if (code == GNUTLS_E_SUCCESS) {
        code = gnutls_x509_privkey_generate(key.get(), GNUTLS_PK_ECDSA,
                                            GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    }
    if (code == GNUTLS_E_SUCCESS) {
        code = gnutls_x509_crt_init(certificate.place());
    }
    if (code == GNUTLS_E_SUCCESS) {
        code = fill(certificate.get(), key.get(), wanted, names);
    }
    if (code == GNUTLS_E_SUCCESS) {
        code = gnutls_x509_privkey_export2(key.get(), GNUTLS_X509_FMT_PEM, &key_text);
    }
    if (code == GNUTLS_E_SUCCESS) {
        code = gnutls_x509_crt_export2(certificate.get(), GNUTLS_X509_FMT_PEM, &certificate_text);
    }
    Status status = Status::ok;
    if (code != GNUTLS_E_SUCCESS) {
        status = fail(why, "a certificate for this device", gnutls_strerror(code));
    }
    if (status == Status::ok) {
        status = write_pair(wanted, key_text, certificate_text, why);
    }
    if (key_text.data != nullptr) {
        gnutls_memset(key_text.data, 0, key_text.size);
    }
    gnutls_free(key_text.data);
    gnutls_free(certificate_text.data);
    return status;
}

}  // namespace

Renewal foresee(const SelfSigned& wanted, const Names& names, TextBuffer& why) {
    if (access(wanted.certificate_path, F_OK) != 0 && errno == ENOENT) {
        why.append("there was none"_p);
        return Renewal::made;
    }
    Certificate present;
    Text<512> fault;
    const Status status = present.load(wanted.certificate_path, wanted.key_path, fault);
    if (status == Status::denied) {
        return Renewal::none;  // after a change of user; whoever loads it hears of that
    }
    if (status != Status::ok) {
        // Whoever made a certificate without the key beside it is to be told, not overwritten; our own are looked into below.
        HeldCertificate alone;
        PemFile file;
        fault.clear();
        const bool readable = file.read(wanted.certificate_path, fault) == Status::ok &&
                              gnutls_x509_crt_init(alone.place()) == GNUTLS_E_SUCCESS &&
                              gnutls_x509_crt_import(alone.get(), file.data(), GNUTLS_X509_FMT_PEM) == GNUTLS_E_SUCCESS;
        if (!readable || !is_ours(alone.get())) {
            return Renewal::foreign;
        }
        why.append("its key was not there, or another's"_p);
        return Renewal::made;
    }
    HeldCertificate certificate;
    if (gnutls_x509_crt_init(certificate.place()) != GNUTLS_E_SUCCESS ||
        gnutls_x509_crt_import(certificate.get(), &present.parts()->chain[0].cert, GNUTLS_X509_FMT_DER) !=
            GNUTLS_E_SUCCESS ||
        !is_ours(certificate.get())) {
        return Renewal::foreign;
    }
    if (!covers(certificate.get(), names)) {
        why.append("names or addresses have changed"_p);
        return Renewal::made;
    }
    if (wanted.now >= wanted.made &&
        (present.valid_until() - renewed_before_end < wanted.now || present.valid_from() > wanted.now)) {
        why.append("the one before ends soon, or has not begun"_p);
        return Renewal::made;
    }
    return Renewal::none;
}

Result<Renewal> renew(const SelfSigned& wanted, const Names& names, TextBuffer& why) {
    const Renewal renewal = foresee(wanted, names, why);
    if (renewal == Renewal::made) {
        Text<512> fault;
        const Status status = make(wanted, names, fault);
        if (status != Status::ok) {
            why.clear();
            why.append(fault.view());
            return status;
        }
    }
    return renewal;
}

}  // namespace fcgate::tls
