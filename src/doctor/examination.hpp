// Owns: one examination: what is looked at, what was found out on the way, and how long it may take.
// Borrows: the settings, which have passed check(), and the report.
// Must not touch: anything for good. Sockets are bound and let go, PHP is started and stopped, a probe is written and removed.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"
#include "doctor/report.hpp"
#include "spawn/plan.hpp"
#include "spawn/spawner.hpp"

namespace fcgate::doctor {

// Of all checks together; what has not been asked by then is not asked any more.
constexpr int64_t most_ms = 10'000;
// Of one question.
constexpr int64_t answer_ms = 2000;

struct Examination {
    Settings& settings;
    Report& report;
    int64_t deadline = monotonic_ms() + most_ms;
    uint64_t memory_kib = 0;      // of the machine; 0: not known
    bool serves_already = false;  // an fcgate runs that has a port of these settings
    bool has_read_key = false;    // of the certificate
    std::array<bool, limits::backends> answers{};
    std::array<Text<limits::path>, limits::backends> sockets;  // of unix-domain backends, and of PHP that was started

    spawn::Plan plan;
    spawn::SpawnerLink spawner;

    // When one question asked now must be answered.
    [[nodiscard]] int64_t soon() const {
        const int64_t then = monotonic_ms() + answer_ms;
        return then < deadline ? then : deadline;
    }
};

// Each adds its rows. First what is done with the rights with which fcgate is started, in this order ...
void examine_library(Examination& examination);
void examine_clock(Examination& examination);
void examine_memory(Examination& examination);
void examine_ports(Examination& examination);
void examine_files(Examination& examination);
void examine_certificate(Examination& examination);
void examine_php(
    Examination& examination);  // starts PHP where fcgate would, and leaves it running for examine_sockets()
// ... then what is done by whoever serves.
void examine_sockets(Examination& examination);
void examine_folders(Examination& examination);
void examine_names(Examination& examination);
void examine_reload_of_key(Examination& examination);

// What is known of a version of libmicrohttpd; `accepted`: faulty, but trusted by this build.
void tell_library(Report& report, std::string_view version, std::string_view accepted, bool speaks_enough);

// What PHP makes of the scripts of the sites that use a backend which answers.
void examine_scripts(Examination& examination, size_t backend);

// The script that a request for "/" leads to, as PHP is told it: `folder` by its real path, `script` below it. not_found: the folder is
// not there, or holds none.
[[nodiscard]] Status find_script(const SiteSettings& site, TextBuffer& folder, TextBuffer& script);

}  // namespace fcgate::doctor
