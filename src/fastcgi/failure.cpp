// The part of Upstream that decides what a failure means to the client, and says it in the log.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/account.hpp"
#include "fastcgi/upstream.hpp"

namespace fcgate::fastcgi {

namespace {

// What php-fpm says when it does not run the script it was asked for (sapi/fpm/fpm/fpm_main.c, main/fopen_wrappers.c).
struct ScriptComplaint {
    std::string_view begin;
    Fault fault;
    Packed advice;
};

constexpr ScriptComplaint complaints[] = {
    {"Primary script unknown", Fault::script_unknown, {}},
    {"Unable to open primary script", Fault::script_unreadable,
     ": may PHP's user read it, and is it inside open_basedir?"_p},
    {"Access to the script", Fault::script_refused, {}},
};

// What php-fpm and php-cgi answer instead, which is all there is to see with fastcgi.logging = 0.
constexpr std::string_view answers_unknown[] = {"File not found.\n", "No input file specified.\n"};
constexpr size_t answer_end = 2;  // of both

}  // namespace

void Upstream::fail(Exchange& exchange, Fault fault) {
    fail(exchange, fault, "");
}

void Upstream::fail(Exchange& exchange, Fault fault, const char* detail) {
    finish_error_output(exchange);
    log_fault(exchange, fault, detail);
    exchange.failure_status = text_of(fault).status;
    conclude(exchange, Exchange::Phase::failed, false);
}

void Upstream::describe(const Exchange& exchange, TextBuffer& out) {
    if (exchange.is_orphan) {
        out.append("a script that runs on behind its reply"_p);
    } else {
        exchange.start.owner.calls->describe(exchange.start.owner.handler, exchange.start.owner.context, out);
    }
}

// One line that says which request, which backend, what happened and what to do, and names the fault.
void Upstream::log_fault(const Exchange& exchange, Fault fault, const char* detail) const {
    counts_of(exchange).faults[static_cast<size_t>(fault)].add();
    const FaultText text = text_of(fault);
    if (exchange.start.trace != nullptr) {
        exchange.start.trace->code = text.code;
    }
    const bool ours = text.status == 503 || text.status == 431 || fault == Fault::app_status;
    LogLine line(*setup_.log, ours ? LogLevel::warning : LogLevel::error);
    describe(exchange, line.text());
    const bool stands = leaves_answer(fault);
    if (exchange.is_orphan && !stands) {
        line.add(": cut off: "_p);
    } else if (fault == Fault::body_short || (exchange.reply_begun && !stands)) {
        line.add(": reply cut off: "_p);
    } else {
        const ResponseStream& response = exchange.response;
        line.add<": %: ">(stands && response.head_done() ? response.head().status() : text.status);
    }
    explain(exchange, fault, detail, {}, line);
}

// How the backend is, what was wrong, and the name of that.
void Upstream::explain(const Exchange& exchange, Fault fault, const char* detail, Packed state, LogLine& line) const {
    const FaultText text = text_of(fault);
    line.add<"backend %%: %%">(server_of(exchange).address, state, text.words, detail).add_reason(text.code).send();
}

// As fail_over().
bool Upstream::fail_opening(Exchange& exchange, Status status, int error_number) {
    Text<512> why;
    if (status == Status::denied) {
        explain_denial(exchange, why);
        return fail_over(exchange, Fault::backend_denied, why.c_str());
    }
    append_error(error_number, why);
    Fault fault = Fault::backend_unreachable;
    if (status == Status::exhausted || error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM) {
        fault = Fault::connect_shortage;
    } else if (status == Status::not_found) {
        fault = Fault::backend_absent;
    } else if (status == Status::refused) {
        fault = Fault::backend_refused;
    }
    return fail_over(exchange, fault, why.c_str());
}

void Upstream::append_error(int number, TextBuffer& out) {
    if (number != 0) {
        out.append<": %">(SystemError{number});
    }
}

// To write to a unix socket one needs the right to write to its file, and to search the folders above it.
void Upstream::explain_denial(const Exchange& exchange, TextBuffer& out) const {
    const BackendAddress& backend = server_of(exchange);
    const Text<limits::path> path(backend.path);
    Text<80> user;
    append_user_name(geteuid(), user);
    struct stat found {};
    if (backend.kind == BackendSettings::Kind::tcp) {
        out.append<"connect: permission denied (does a packet filter or a sandbox stop user %?)">(user.view());
        return;
    }
    const bool is_spawned = backend.kind == BackendSettings::Kind::spawn;
    out.append<"permission denied on %">(is_spawned ? std::string_view("its socket") : path.view());
    if (is_spawned || stat(path.c_str(), &found) != 0) {
        out.append<": may user % search the folders above it?">(user.view());
        return;
    }
    Text<80> group;
    append_group_name(found.st_gid, group);
    if (is_in_group(found.st_gid)) {
        out.append<": user % is in group %, but that may not write to it (see listen.mode of php-fpm)">(user.view(),
                                                                                                        group.view());
    } else {
        out.append<": is user % in group %? (see listen.group, listen.mode and listen.owner of php-fpm)">(user.view(),
                                                                                                          group.view());
    }
}

// php-fpm sends what scripts write to their error log in pieces and without a final newline; the log gets it line by line.
void Upstream::write_error_output(Exchange& exchange, std::string_view text) {
    for (const char c : text) {
        if (c == '\n') {
            flush_error_line(exchange);
            continue;
        }
        exchange.error_line[exchange.error_line_size++] = c;
        if (exchange.error_line_size == exchange.error_line.size()) {
            flush_error_line(exchange);
        }
    }
}

void Upstream::flush_error_line(Exchange& exchange) {
    const std::string_view text(exchange.error_line.data(), exchange.error_line_size);
    exchange.error_line_size = 0;
    if (text.empty()) {
        return;
    }
    for (const ScriptComplaint& complaint : complaints) {
        if (starts_with(text, complaint.begin) && !exchange.script_noted && !exchange.is_orphan) {
            note_script(exchange, complaint.fault, text, complaint.advice);
            return;
        }
    }
    if (!admit_error_line(exchange)) {
        return;
    }
    LogLine line(*setup_.log, LogLevel::warning);
    describe(exchange, line.text());
    line.add<": PHP: %">(Escaped{text, limits::log_line / 2}).send();
}

// Nothing more of it comes.
void Upstream::finish_error_output(Exchange& exchange) {
    flush_error_line(exchange);
    tell_lost_lines(exchange);
}

// The log takes only so much in a second; one script must not use it up for all others, nor for what is said about itself.
bool Upstream::admit_error_line(Exchange& exchange) const {
    const int64_t second = monotonic_ms() / 1000;
    if (exchange.error_second != second) {
        exchange.error_second = second;
        exchange.error_lines = 0;
    }
    if (exchange.error_lines >= limits::stderr_lines_per_second) {
        ++exchange.error_lines_lost;
        return false;
    }
    ++exchange.error_lines;
    tell_lost_lines(exchange);
    return true;
}

void Upstream::tell_lost_lines(Exchange& exchange) const {
    if (exchange.error_lines_lost > 0) {
        LogLine line(*setup_.log, LogLevel::warning);
        describe(exchange, line.text());
        line.add<": PHP: % further lines were left out">(exchange.error_lines_lost).send();
        exchange.error_lines_lost = 0;
    }
}

// PHP does not run the script, though it is there for us; its answer goes to the client as it is.
void Upstream::note_script(Exchange& exchange, Fault fault, std::string_view text, Packed advice) {
    exchange.script_noted = true;
    Text<2 * limits::log_line> detail;
    const Escaped complaint{text, limits::log_line / 4};
    if (fault == Fault::script_unknown) {
        Text<limits::path> file;
        const ExchangeOwner& owner = exchange.start.owner;
        owner.calls->name_script(owner.handler, owner.context, file);
        detail.append<"%: php-fpm cannot see %: removed? chroot or open_basedir? may its user search the folders?">(
            complaint, Escaped{file.view()});
    } else {
        detail.append<"%%">(complaint, advice);
    }
    log_fault(exchange, fault, detail.c_str());
}

// An answer that is whole may tell of a fault all the same.
void Upstream::note_outcome(Exchange& exchange) {
    finish_error_output(exchange);
    const ResponseStream& response = exchange.response;
    const bool may_be_unknown = response.head().status() == 404 && response.is_whole();
    const std::string_view answer = may_be_unknown ? response.whole() : "";
    for (const std::string_view unknown : answers_unknown) {
        if (answer == unknown && !exchange.script_noted && !exchange.is_orphan) {
            note_script(exchange, Fault::script_unknown, slice(answer, 0, answer.size() - answer_end), {});
        }
    }
    if (response.app_status() != 0) {
        Text<24> number;
        number.append_number(response.app_status());
        log_fault(exchange, Fault::app_status, number.c_str());
    }
}

}  // namespace fcgate::fastcgi
