// Owns: the C ABI of calls, fcgate/call.h.
// Borrows: script and callbacks, as the header says.
// Must not touch: the server's life cycle.
#include "server/calls.hpp"

#include "api/objects.hpp"
#include "api/report.hpp"
#include "fcgate/call.h"

using fcgate::Field;
using fcgate::FieldCursor;
using fcgate::Status;
using fcgate::api::is_variable;
using fcgate::api::result_of;
using fcgate::fastcgi::ResponseHead;
using fcgate::server::CallEvents;
using fcgate::server::Calls;
using fcgate::server::CallStart;
using fcgate::server::Worker;

namespace {

[[nodiscard]] const fcgate_caller& caller_of(const CallEvents& events) {
    return *static_cast<const fcgate_caller*>(events.functions);
}

[[nodiscard]] const ResponseHead& head_of(const fcgate_answer* answer) {
    return *reinterpret_cast<const ResponseHead*>(answer);
}

[[nodiscard]] CallEvents events_of(const fcgate_caller* caller, void* context) {
    CallEvents events{};
    events.head = [](const CallEvents& self, const ResponseHead& head) {
        if (caller_of(self).head != nullptr) {
            caller_of(self).head(self.context, reinterpret_cast<const fcgate_answer*>(&head));
        }
    };
    events.output = [](const CallEvents& self, std::span<const char> bytes) {
        const auto output = caller_of(self).output;
        return output != nullptr ? output(self.context, bytes.data(), bytes.size())
                                 : static_cast<ptrdiff_t>(bytes.size());
    };
    events.ended = [](const CallEvents& self, Status result, uint16_t status) {
        caller_of(self).ended(self.context, result_of(result), status);
    };
    events.functions = caller;
    events.context = context;
    return events;
}

[[nodiscard]] std::string_view text_or(const char* text, std::string_view otherwise) {
    return text != nullptr ? std::string_view(text) : otherwise;
}

[[nodiscard]] bool are_variables(const char* const* variables) {
    for (; variables != nullptr && *variables != nullptr; variables += 2) {
        const std::string_view name = variables[0];
        if (!is_variable(name) || name == "SCRIPT_FILENAME" || name == "REQUEST_METHOD" || variables[1] == nullptr) {
            return false;
        }
    }
    return true;
}

[[nodiscard]] Calls* calls_of(const fcgate_server* server, fcgate_ticket ticket) {
    Worker* const holder = server != nullptr ? server->server.holder_of(ticket) : nullptr;
    return holder != nullptr ? &holder->calls() : nullptr;
}

}  // namespace

int fcgate_settings_set_calls(fcgate_settings* settings, unsigned calls, size_t text) {
    namespace limits = fcgate::limits;
    if (settings == nullptr || calls > limits::calls ||
        (calls > 0 && (text < limits::call_text_least || text > limits::call_text_most))) {
        return FCGATE_INVALID;
    }
    settings->values.server.host_calls = {calls, static_cast<uint32_t>(text),
                                          calls > 0 ? &Worker::call_ops() : nullptr};
    return FCGATE_OK;
}

int fcgate_call(fcgate_server* server, const fcgate_script* script, const fcgate_caller* caller, void* context,
                fcgate_ticket* ticket) {
    if (server == nullptr || script == nullptr || caller == nullptr || caller->ended == nullptr ||
        script->file == nullptr || script->file[0] != '/' || (script->body == nullptr && script->length > 0) ||
        !are_variables(script->variables)) {
        return FCGATE_INVALID;
    }
    CallStart start{};
    start.texts.backend = text_or(script->backend, {});
    start.texts.method = text_or(script->method, script->length > 0 ? "POST" : "GET");
    start.texts.file = script->file;
    start.texts.query = text_or(script->query, {});
    start.texts.content_type = text_or(script->content_type, {});
    start.body = {static_cast<const char*>(script->body), script->length};
    start.variables = script->variables;
    start.events = events_of(caller, context);
    if (!fcgate::is_token(start.texts.method)) {
        return FCGATE_INVALID;
    }
    // Of several workers some hear of it later.
    if (server->server.is_stopping()) {
        return FCGATE_GONE;
    }
    // By turns, and past those that are full.
    const std::span<Worker> workers = server->server.workers();
    Status status = Status::malformed;
    for (size_t left = workers.size(); left > 0; --left) {
        const unsigned number = server->next_call.fetch_add(1, std::memory_order_relaxed);
        status = workers[number % workers.size()].calls().begin(start, ticket);
        if (status != Status::again) {
            break;
        }
    }
    return result_of(status);
}

int fcgate_call_wake(fcgate_server* server, fcgate_ticket ticket) {
    Calls* const calls = calls_of(server, ticket);
    return calls == nullptr ? FCGATE_GONE : result_of(calls->wake(ticket));
}

int fcgate_call_end(fcgate_server* server, fcgate_ticket ticket) {
    Calls* const calls = calls_of(server, ticket);
    return calls == nullptr ? FCGATE_GONE : result_of(calls->end(ticket));
}

unsigned fcgate_answer_status(const fcgate_answer* answer) {
    return head_of(answer).status();
}

const char* fcgate_answer_header(const fcgate_answer* answer, const char* name) {
    return fcgate::find_field(head_of(answer).fields(), name).data();
}

int fcgate_answer_field(const fcgate_answer* answer, size_t index, const char** name, const char** value) {
    FieldCursor fields = head_of(answer).fields();
    Field field;
    while (fields.next(field)) {
        if (index-- == 0) {
            *name = field.name.data();
            *value = field.value.data();
            return FCGATE_OK;
        }
    }
    return FCGATE_GONE;
}

long long fcgate_answer_length(const fcgate_answer* answer) {
    const ResponseHead& head = head_of(answer);
    return head.has_content_length() ? static_cast<long long>(head.content_length()) : FCGATE_UNKNOWN;
}
