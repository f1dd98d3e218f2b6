// Whether browsers will be content with HTTPS: certificate and key, dates, names.
#include "tls/certificate.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/account.hpp"
#include "base/log.hpp"
#include "base/machine.hpp"
#include "base/wall_time.hpp"
#include "doctor/examination.hpp"
#include "server/certificate_names.hpp"
#include "tls/self_signed.hpp"

namespace fcgate::doctor {

namespace {

constexpr int64_t made = FCGATE_RELEASE_TIME;
constexpr int64_t two_weeks = int64_t{14} * 24 * 60 * 60;

// A date among Words: lives as long as the statement.
class Date {
  public:
    explicit Date(int64_t seconds) {
        const auto time = static_cast<time_t>(seconds);
        tm parts{};
        (void)gmtime_r(&time, &parts);
        append_date(text_, parts);
    }
    operator std::string_view() const { return text_.view(); }  // NOLINT(google-explicit-constructor): that is its use

  private:
    Text<16> text_;
};

struct Files {
    Text<limits::path> certificate;
    Text<limits::path> key;
    Text<64> reader;
    int64_t now = time(nullptr);

    explicit Files(const ServerSettings& server) : certificate(server.tls_certificate), key(server.tls_key) {
        append_user_name(geteuid(), reader);
    }
};

// 0, or an errno.
[[nodiscard]] int try_folder_of(const Text<limits::path>& file) {
    const Text<limits::path> folder(slice(file.view(), 0, file.view().rfind('/') + 1));
    return access(folder.c_str(), W_OK | X_OK) == 0 ? 0 : errno;
}

// What will become of one that the device makes.
[[nodiscard]] tls::Renewal foresee(Examination& examination, const Files& files) {
    Text<128> machine;
    append_machine_name(machine);
    tls::Names names;
    server::collect_names(examination.settings, machine.view(), names);
    Text<384> why;
    const tls::Renewal renewal =
        tls::foresee({files.certificate.c_str(), files.key.c_str(), files.now, made}, names, why);
    if (renewal == tls::Renewal::foreign) {
        examination.report.add(Found::certificate_foreign, files.certificate.view());
    } else if (renewal == tls::Renewal::made) {
        char words[96] = "";
        int failure = try_folder_of(files.key);
        failure = failure == 0 ? try_folder_of(files.certificate) : failure;
        examination.report.add(failure == 0 ? Found::certificate_due : Found::certificate_unmade,
                               files.certificate.view(),
                               {failure == 0 ? why.view() : describe_error(failure, words), files.reader.view()});
    }
    return renewal;
}

// "PATH: what is wrong": the path is told apart already.
void explain(Report& report, const Files& files, Status status, std::string_view why) {
    const bool is_key = starts_with(why, files.key.view()) && slice(why, files.key.size()).starts_with(':');
    const std::string_view about = is_key ? files.key.view() : files.certificate.view();
    if (status == Status::not_found) {
        report.add(Found::certificate_absent, about);
    } else if (status == Status::denied) {
        report.add(Found::certificate_denied, about, {files.reader.view()});
    } else {
        report.add(Found::certificate_wrong, about, {slice(why, about.size() + 2)});
    }
}

void examine_dates(Report& report, const Files& files, const tls::Certificate& certificate) {
    const int64_t until = certificate.valid_until();
    const int64_t from = certificate.valid_from();
    Found found = Found::certificate_good;
    if (files.now < made) {
        found = Found::certificate_clock;
    } else if (until < files.now) {
        found = Found::certificate_expired;
    } else if (from > files.now) {
        found = Found::certificate_early;
    } else if (until < files.now + two_weeks) {
        found = Found::certificate_ends;
    }
    report.add(found, files.certificate.view(), {Date(until), Date(from), Date(files.now)});
}

void examine_host(Report& report, const Files& files, const tls::Certificate& certificate, std::string_view host) {
    const Text<limits::path> name(host);
    if (!certificate.is_for(name.c_str())) {
        report.add(Found::certificate_names, files.certificate.view(), {name.view()});
    }
}

// Where sites have no names, visitors come by the listeners' addresses.
void examine_hosts(Examination& examination, const Files& files, const tls::Certificate& certificate) {
    bool has_names = false;
    for (const SiteSettings& site : examination.settings.sites) {
        for (const std::string_view host : site.hosts) {
            if (host != "*") {
                has_names = true;
                examine_host(examination.report, files, certificate, host);
            }
        }
    }
    for (const ListenSettings& listen : examination.settings.server.listen) {
        const std::span<const uint8_t> bytes = listen.endpoint.bytes();
        const bool is_one = std::any_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0; });
        if (!has_names && listen.tls && listen.kind == ListenSettings::Kind::tcp && is_one) {
            Text<64> address;
            listen.endpoint.print_address(address);
            examine_host(examination.report, files, certificate, address.view());
        }
    }
}

}  // namespace

void examine_certificate(Examination& examination) {
    const ServerSettings& server = examination.settings.server;
    if (!server.wants_tls()) {
        return;
    }
    const Files files(server);
    const tls::Renewal renewal = server.tls_self_signed ? foresee(examination, files) : tls::Renewal::foreign;
    if (renewal == tls::Renewal::made) {
        return;
    }
    tls::Certificate certificate;
    Text<2 * limits::path> why;
    const Status status = certificate.load(files.certificate.c_str(), files.key.c_str(), why);
    if (status != Status::ok) {
        explain(examination.report, files, status, why.view());
        return;
    }
    if (renewal == tls::Renewal::none) {
        examination.report.add(Found::certificate_own, files.certificate.view(),
                               {Date(certificate.valid_until() - tls::renewed_before_end)});
        return;
    }
    examination.has_read_key = true;
    examine_dates(examination.report, files, certificate);
    examine_hosts(examination, files, certificate);
    struct stat key {};
    if (stat(files.key.c_str(), &key) == 0 && (key.st_mode & S_IROTH) != 0) {
        examination.report.add(Found::certificate_key_open, files.key.view(), {files.key.view()});
    }
}

void examine_reload_of_key(Examination& examination) {
    const Files files(examination.settings.server);
    if (examination.has_read_key && access(files.key.c_str(), R_OK) != 0) {
        examination.report.add(Found::certificate_restart, files.key.view(), {files.reader.view()});
    }
}

}  // namespace fcgate::doctor
