#include "doctor/doctor.hpp"

#include <new>

#include "base/arena.hpp"
#include "base/features.hpp"
#include "doctor/examination.hpp"

namespace fcgate::doctor {

namespace {

void examine_all(Examination& examination, const Change& change) {
    examine_library(examination);
    examine_clock(examination);
    examine_memory(examination);
    examine_ports(examination);
    examine_files(examination);
    if constexpr (features::tls) {
        examine_certificate(examination);
    }
    examine_php(examination);
    if (change.call != nullptr) {
        const bool is_changed = change.call(change.context) == 0;
        examination.report.add(is_changed ? Found::user_good : Found::user_denied, examination.settings.server.user);
    }
    examine_sockets(examination);
    examine_folders(examination);
    examine_names(examination);
    if constexpr (features::tls) {
        examine_reload_of_key(examination);
    }
}

// In a mapping of its own: the stack is the host's.
void examine_machine(Settings& settings, Report& report, const Change& change) {
    Arena memory;
    if (memory.init(sizeof(Examination)) != Status::ok) {
        report.add(Found::no_memory, "");
        return;
    }
    auto* const examination =
        new (memory.take(sizeof(Examination), alignof(Examination)).data()) Examination{settings, report};
    examine_all(*examination, change);
    if constexpr (features::spawn) {
        examination->spawner.finish();
    }
    memory.finish();
}

}  // namespace

Verdict examine(Settings& settings, bool is_json, const Change& change, TextBuffer& out) {
    Report report(out, is_json);
    ConfigError wrong;
    Status status = spawn::resolve_automatic(settings, wrong);
    if (status == Status::ok) {
        status = settings.check(wrong);
        if (status != Status::ok) {
            settings.locate(wrong);
        }
    }
    if (status != Status::ok) {
        report.add(Found::configuration_wrong, "", {wrong.text.view()});
    } else {
        report.add(Found::configuration_good, "");
        examine_machine(settings, report, change);
    }
    report.finish();
    if (report.count(Level::fault) > 0) {
        return Verdict::faulty;
    }
    return report.count(Level::warning) > 0 ? Verdict::warned : Verdict::healthy;
}

}  // namespace fcgate::doctor
