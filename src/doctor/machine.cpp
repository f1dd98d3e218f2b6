// The machine by itself: the library in use, the clock, the memory.
#include <ctime>

#include "base/features.hpp"
#include "doctor/examination.hpp"
#include "doctor/lines.hpp"
#include "http/library.hpp"
#include "server/budget.hpp"

namespace fcgate::doctor {

void tell_library(Report& report, std::string_view version, std::string_view accepted, bool speaks_enough) {
    Text<256> why;
    Found found = Found::library_good;
    if (!speaks_enough) {
        why.append("was built without TLS, and a listener asks for it"_p);
        found = Found::library_refused;
    } else if (http::check_version(version, accepted, why) != Status::ok) {
        found = Found::library_refused;
    } else if (starts_with(version, "0.")) {
        found = Found::library_guarded;
    } else if (version == accepted) {
        found = Found::library_trusted;
    }
    report.add(found, "", {found == Found::library_refused ? why.view() : version});
}

void examine_library(Examination& examination) {
    static constexpr char accepted[] = FCGATE_ACCEPT_LIBMICROHTTPD;
    const bool wants_tls = features::tls && examination.settings.server.wants_tls();
    tell_library(examination.report, http::libmicrohttpd_version(), {accepted, sizeof accepted - 1},
                 !wants_tls || http::speaks_tls());
}

void examine_clock(Examination& examination) {
    constexpr time_t year_2024 = 1'704'067'200;
    examination.report.add(time(nullptr) < year_2024 ? Found::clock_unset : Found::clock_good, "");
}

void examine_memory(Examination& examination) {
    const server::Budget budget(examination.settings);
    const uint64_t most = budget.sum();
    const uint64_t available = memory_kib("MemAvailable:") << 10U;
    examination.memory_kib = memory_kib("MemTotal:");
    const bool is_short = available != 0 && most > available;
    const bool fits = budget.fits();
    const uint64_t limit = fits ? available : examination.settings.server.memory_ceiling;
    const Found found = is_short ? Found::memory_short : Found::memory_good;
    examination.report.add(fits ? found : Found::memory_over_ceiling, "", {Size(most), Size(limit)});
}

}  // namespace fcgate::doctor
