// The part of a configuration that secure listeners need.
#include <cerrno>
#include <ctime>

#include "http/library.hpp"
#include "server/certificate_names.hpp"
#include "server/configuration.hpp"
#include "tls/self_signed.hpp"

namespace fcgate::server {

namespace {

constexpr int64_t day = int64_t{24} * 60 * 60;

[[nodiscard]] Status make_own(const Settings& settings, std::string_view machine_name, const Log& log,
                              const tls::SelfSigned& wanted, ServerError& error) {
    tls::Names names;
    collect_names(settings, machine_name, names);
    Text<384> why;
    const Result<tls::Renewal> renewal = tls::renew(wanted, names, why);
    if (!renewal.ok()) {
        return explain<"tls_self_signed: cannot write %">(error, renewal.status(), why.view());
    }
    if (renewal.value() == tls::Renewal::made) {
        log.write<"a certificate was made for this device: % (%)">(LogLevel::info, wanted.certificate_path, why.view());
    } else if (renewal.value() == tls::Renewal::foreign) {
        log.write<"% was not made by fcgate: tls_self_signed leaves it alone">(LogLevel::warning,
                                                                               wanted.certificate_path);
    }
    return Status::ok;
}

void tell_validity(const tls::Certificate& certificate, int64_t now, int64_t made, const Log& log) {
    if (now < made) {
        log.write(LogLevel::warning, "the clock is not set: nobody can tell whether the certificate is valid"_p);
    } else if (certificate.valid_until() < now) {
        log.write(LogLevel::error, "the certificate has expired (see `tls_certificate`)"_p);
    } else if (certificate.valid_until() < now + 14 * day) {
        log.write(LogLevel::warning, "the certificate ends within two weeks (see `tls_certificate`)"_p);
    } else if (certificate.valid_from() > now) {
        log.write(LogLevel::warning, "the certificate is not valid yet (see `tls_certificate`)"_p);
    }
}

[[nodiscard]] bool has_same_files(const ServerSettings& a, const ServerSettings& b) {
    return a.tls_certificate == b.tls_certificate && a.tls_key == b.tls_key;
}

}  // namespace

Status Configuration::open_certificate(const Log& log, Configuration* before, ServerError& error) {
    certificate.clear();
    const ServerSettings& server = settings->server;
    if (!server.wants_tls()) {
        return Status::ok;
    }
    if (!http::speaks_tls()) {
        return explain(error, Status::refused, "libmicrohttpd was built without TLS"_p);
    }
    if (before != nullptr && before->presented() == nullptr) {
        return explain(error, Status::refused, "listen: tls where there was none: that needs a restart"_p);
    }
    const Text<limits::path> chain_path(server.tls_certificate);
    const Text<limits::path> key_path(server.tls_key);
    const auto now = static_cast<int64_t>(time(nullptr));
    constexpr int64_t made = FCGATE_RELEASE_TIME;
    if (server.tls_self_signed) {
        const tls::SelfSigned wanted{
            .certificate_path = chain_path.c_str(), .key_path = key_path.c_str(), .now = now, .made = made};
        const Status own = make_own(*settings, machine_name.view(), log, wanted, error);
        if (own != Status::ok && before == nullptr) {
            return own;
        }
        if (own != Status::ok) {
            // What is there goes on: a reload changes more than that.
            log.write<"%">(LogLevel::warning, error.view());
            error.clear();
        }
    }
    Text<384> why;
    const Status status = certificate.load(chain_path.c_str(), key_path.c_str(), why);
    if (status == Status::denied && before != nullptr && has_same_files(server, before->settings->server)) {
        log.write<"%: the certificate from before stays in force; a restart reads it">(LogLevel::warning, why.view());
        certificate.share(before->certificate);
        return Status::ok;
    }
    if (status != Status::ok) {
        return explain<"tls_certificate and tls_key: %">(error, status, why.view());
    }
    tell_validity(certificate, now, made, log);
    return Status::ok;
}

}  // namespace fcgate::server
