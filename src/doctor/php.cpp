// Whether PHP answers: at its socket, or started as fcgate would start it.
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/features.hpp"
#include "base/log.hpp"
#include "doctor/examination.hpp"
#include "doctor/pool.hpp"
#include "fastcgi/inquiry.hpp"

namespace fcgate::doctor {

namespace {

using Kind = BackendSettings::Kind;

constexpr int64_t start_ms = 5000;  // of PHP, on a slow machine

void explain_no_answer(Report& report, std::string_view address, Status status, int error_number, const Pool& pool) {
    char words[96] = "";
    const std::string_view there = pool.another.view();
    std::string_view word;
    Found found = Found::backend_foreign;
    if (status == Status::not_found || status == Status::refused) {
        found = there.empty() ? Found::backend_absent : Found::backend_elsewhere;
        word = there.starts_with('/') ? "unix:" : "";
    } else if (status == Status::exhausted || status == Status::timed_out) {
        found = Found::backend_silent;
    } else if (status == Status::io) {
        found = Found::backend_unreachable;
        word = describe_error(error_number, words);
    }
    report.add(found, address, {word, there});
}

void append_user(uid_t id, TextBuffer& out) {
    const passwd* const entry = getpwuid(id);
    if (entry != nullptr) {
        out.append(entry->pw_name);
    } else {
        out.append_number(id);
    }
}

// Whom a socket belongs to, and so who may connect.
void explain_denied(Report& report, const BackendAddress& backend, std::string_view path) {
    struct stat status {};
    Text<64> me;
    append_user(geteuid(), me);
    if (stat(Text<limits::path>(path).c_str(), &status) != 0) {
        report.add(Found::socket_folder_denied, backend.address, {me.view()});
        return;
    }
    Text<64> owner;
    Text<64> group;
    Text<8> mode;
    append_user(status.st_uid, owner);
    const struct group* const entry = getgrgid(status.st_gid);
    if (entry != nullptr) {
        group.append(entry->gr_name);
    } else {
        group.append_number(status.st_gid);
    }
    for (int shift = 6; shift >= 0; shift -= 3) {
        mode.append(static_cast<char>('0' + ((status.st_mode >> shift) & 7U)));
    }
    report.add(Found::socket_denied, backend.address, {me.view(), owner.view(), group.view(), mode.view()});
}

void examine_pool(Report& report, const BackendSettings& backend, const Pool& pool) {
    Found found = Found::pool_good;
    if (pool.children == 0) {
        found = Found::pool_unknown;
    } else if (pool.children != backend.workers) {
        found = pool.children < backend.workers ? Found::pool_small : Found::pool_large;
    }
    report.add(found, backend.address, {Number(backend.workers), Number(pool.children), pool.file.view()});
}

// One server of the backend; adds what is known of its pool.
[[nodiscard]] bool reach(Examination& examination, const BackendAddress& server, Pool& pool) {
    find_pool(server, pool);
    const Status status = fastcgi::ask_values(server, server.path, examination.soon());
    const int failure = errno;
    if (status == Status::denied) {
        explain_denied(examination.report, server, server.path);
    } else if (status != Status::ok) {
        explain_no_answer(examination.report, server.address, status, failure, pool);
    } else {
        examination.report.add(Found::backend_good, server.address);
    }
    return status == Status::ok;
}

// Scripts are tried at the first. `workers` are those of all servers.
void reach_all(Examination& examination, size_t number) {
    const BackendSettings& backend = examination.settings.backends[number];
    examination.sockets[number].append(backend.path);
    Pool all;
    examination.answers[number] = reach(examination, backend, all);
    bool is_known = examination.answers[number] || all.is_found;
    bool is_counted = all.children > 0;
    for (const BackendAddress& server : backend.other_servers) {
        Pool pool;
        const bool answers = reach(examination, server, pool);
        is_known = is_known && (answers || pool.is_found);
        is_counted = is_counted && pool.children > 0;
        all.children += pool.children;
    }
    if (is_known) {
        all.children = is_counted ? all.children : 0;
        examine_pool(examination.report, backend, all);
    }
}

// False when PHP cannot be planned for.
[[nodiscard]] bool start_spawner(Examination& examination) {
    Text<512> why;
    if (spawn::make_plan(examination.settings, examination.plan, why) == Status::ok) {
        return examination.spawner.start(examination.plan, examination.settings) == Status::ok;
    }
    const bool is_missing = why.view().find("neither") != std::string_view::npos;
    examination.report.add(is_missing ? Found::spawn_missing_php : Found::spawn_wrong, "", {why.view()});
    return false;
}

// Of PHP that has said nothing, or has not ended: then its last words are no reason.
void tell_end(const spawn::Report& news, TextBuffer& out) {
    if (news.kind == spawn::Report::Kind::exited) {
        out.append("it "_p);
        news.print_end(out);
    } else {
        out.append<"it takes longer than % ms">(static_cast<uint64_t>(start_ms));
    }
}

void start_php(Examination& examination, size_t number) {
    const std::string_view program = examination.plan.php[number].program.view();
    const int64_t begun = monotonic_ms();
    const int64_t deadline = std::min(begun + start_ms, examination.deadline);
    Report& report = examination.report;
    spawn::Report news{};
    Text<spawn::Report::text_size + 96> last_words;
    (void)examination.spawner.send(
        {spawn::Order::Kind::start, static_cast<uint32_t>(number), examination.settings.backends[number].largest_body});
    while (fastcgi::wait_for_input(examination.spawner.fd(), deadline) == Status::ok &&
           examination.spawner.receive(news) == Status::ok) {
        news.text[sizeof news.text - 1] = '\0';
        if (news.kind == spawn::Report::Kind::line) {
            last_words.clear();
            last_words.append(news.text);
            continue;
        }
        if (news.kind != spawn::Report::Kind::ready) {
            break;
        }
        spawn::print_socket_path(examination.plan, number, news.run, examination.sockets[number]);
        examination.answers[number] = true;
        report.add(Found::spawn_starts, "spawn", {program, Number(static_cast<uint64_t>(monotonic_ms() - begun))});
        return;
    }
    bool is_run = true;
    if (news.kind == spawn::Report::Kind::failed) {
        char words[96] = "";
        last_words.clear();
        last_words.append<"%: %">(static_cast<const char*>(news.text), describe_error(news.value, words));
        is_run = last_words.view().find("runtime_dir") == std::string_view::npos;
    } else if (last_words.size() == 0 || news.kind != spawn::Report::Kind::exited) {
        last_words.clear();
        tell_end(news, last_words);
    }
    report.add(is_run ? Found::spawn_fails : Found::spawn_wrong, "spawn",
               {is_run ? program : last_words.view(), last_words.view()});
}

void examine_socket(Examination& examination, const BackendAddress& server, std::string_view path) {
    Descriptor fd;
    const Status status = fastcgi::connect_by(server, path, examination.soon(), fd);
    if (status == Status::denied) {
        explain_denied(examination.report, server, path);
    } else if (status == Status::ok) {
        examination.report.add(Found::socket_good, server.address);
    }
}

}  // namespace

void examine_php(Examination& examination) {
    bool can_start = false;
    if constexpr (features::spawn) {
        if (spawn::needs_plan(examination.settings)) {
            if (examination.serves_already) {
                examination.report.add(Found::spawn_beside, "spawn");
            } else {
                can_start = start_spawner(examination);
            }
        }
    }
    for (size_t number = 0; number < examination.settings.backends.size(); ++number) {
        if (examination.settings.backends[number].kind != Kind::spawn) {
            reach_all(examination, number);
        } else if constexpr (features::spawn) {
            if (can_start) {
                start_php(examination, number);
            }
        }
        if (examination.answers[number]) {
            examine_scripts(examination, number);
        }
    }
}

// Whoever serves may have fewer rights than whoever has asked so far.
void examine_sockets(Examination& examination) {
    for (size_t number = 0; number < examination.settings.backends.size(); ++number) {
        const BackendSettings& backend = examination.settings.backends[number];
        if (!examination.answers[number]) {
            continue;
        }
        if (backend.kind != Kind::tcp) {
            examine_socket(examination, backend, examination.sockets[number].view());
        }
        for (const BackendAddress& server : backend.other_servers) {
            if (server.kind != Kind::tcp) {
                examine_socket(examination, server, server.path);
            }
        }
    }
}

}  // namespace fcgate::doctor
