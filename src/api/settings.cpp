// Owns: the C ABI of settings, and of what is told of them: memory, findings of the doctor.
// Borrows: nothing beyond a call.
// Must not touch: servers, signals, other processes, standard output.
#include "api/objects.hpp"
#include "api/report.hpp"
#include "base/features.hpp"
#include "config/keys.hpp"
#include "doctor/doctor.hpp"
#include "http/library.hpp"
#include "server/budget.hpp"

using fcgate::ConfigError;
using fcgate::Status;
using fcgate::TextBuffer;
using fcgate::operator""_p;  // NOLINT(misc-unused-using-decls): clang-tidy 14 does not see who uses it
using fcgate::api::check;
using fcgate::api::create;
using fcgate::api::destroy;
using fcgate::api::finish;
using fcgate::api::misuse;
using fcgate::api::report;
using fcgate::api::result_of;

Status fcgate::api::check(Settings& settings, ConfigError& error) {
    Status status = settings.check(error);
    status = status == Status::ok ? fcgate::server::check_ceiling(settings, error) : status;
    if (status != Status::ok) {
        settings.locate(error);
    }
    return status;
}

const char* fcgate_version(void) {
    return FCGATE_BUILD_VERSION;
}

const char* fcgate_libmicrohttpd_version(void) {
    return fcgate::http::libmicrohttpd_version();
}

const char* fcgate_features(void) {
    return FCGATE_FEATURES;
}

fcgate_settings* fcgate_settings_create(void) {
    return create<fcgate_settings>();
}

void fcgate_settings_destroy(fcgate_settings* settings) {
    destroy(settings);
}

int fcgate_set(fcgate_settings* settings, const char* name, const char* value, fcgate_error* error) {
    if (settings == nullptr || name == nullptr) {
        return misuse(error, "fcgate_set: settings and name may not be NULL"_p);
    }
    ConfigError why;
    const Status status = settings->values.set(name, value == nullptr ? fcgate::Settings::none : value, why);
    return status == Status::ok ? FCGATE_OK : report(error, status, why);
}

int fcgate_load(fcgate_settings* settings, const char* path, fcgate_error* error) {
    if (settings == nullptr || path == nullptr) {
        return misuse(error, "fcgate_load: settings and path may not be NULL"_p);
    }
    ConfigError why;
    const Status status = settings->values.load(path, why);
    return status == Status::ok ? FCGATE_OK : report(error, status, why);
}

int fcgate_check(fcgate_settings* settings, fcgate_error* error) {
    if (settings == nullptr) {
        return misuse(error, "fcgate_check: settings may not be NULL"_p);
    }
    ConfigError why;
    const Status status = check(settings->values, why);
    return status == Status::ok ? FCGATE_OK : report(error, status, why);
}

int fcgate_get(const fcgate_settings* settings, const char* name, char* buffer, size_t size) {
    if (settings == nullptr || name == nullptr || buffer == nullptr || size == 0) {
        return FCGATE_INVALID;
    }
    TextBuffer out({buffer, size});
    const Status status = settings->values.get(name, out);
    if (status != Status::ok || !out.ok()) {
        *buffer = '\0';
        return status != Status::ok ? result_of(status) : FCGATE_TOO_LARGE;
    }
    return FCGATE_OK;
}

static_assert(FCGATE_PRINTED_MAX >= fcgate::config::printed_most);

int fcgate_print(const fcgate_settings* settings, char* buffer, size_t size) {
    if (settings == nullptr || buffer == nullptr || size == 0) {
        return FCGATE_INVALID;
    }
    TextBuffer out({buffer, size});
    (void)settings->values.print(out);
    return finish(out, buffer);
}

int fcgate_budget(fcgate_settings* settings, enum fcgate_budget_form form, char* buffer, size_t size) {
    if (settings == nullptr || buffer == nullptr || size == 0) {
        return FCGATE_INVALID;
    }
    ConfigError why;
    *buffer = '\0';
    if (form < FCGATE_BUDGET_TABLE || form > FCGATE_BUDGET_JSON || settings->values.check(why) != Status::ok) {
        return FCGATE_INVALID;
    }
    TextBuffer out({buffer, size});
    const fcgate::server::Budget budget(settings->values);
    if (form == FCGATE_BUDGET_JSON) {
        budget.print_json(out);
    } else {
        budget.print_table(out);
    }
    return finish(out, buffer);
}

int fcgate_doctor(fcgate_settings* settings, enum fcgate_doctor_form form, fcgate_doctor_become become, void* context,
                  char* buffer, size_t size) {
    if (!fcgate::features::doctor || settings == nullptr || buffer == nullptr || size == 0 ||
        form < FCGATE_DOCTOR_TABLE || form > FCGATE_DOCTOR_JSON) {
        return FCGATE_INVALID;
    }
    TextBuffer out({buffer, size});
    int diagnosis = FCGATE_HEALTHY;
    if constexpr (fcgate::features::doctor) {
        diagnosis = static_cast<int>(
            fcgate::doctor::examine(settings->values, form == FCGATE_DOCTOR_JSON, {become, context}, out));
    }
    return finish(out, buffer, diagnosis);
}

void fcgate_settings_set_log(fcgate_settings* settings, fcgate_log_callback callback, void* context) {
    if (settings != nullptr) {
        settings->log = callback;
        settings->log_context = context;
    }
}

int fcgate_settings_set_room(fcgate_settings* settings, unsigned requests, size_t buffer, size_t params) {
    namespace limits = fcgate::limits;
    if (settings == nullptr || requests > limits::kept_requests || params > limits::params_most ||
        (requests > 0 && (buffer < limits::kept_buffer_least || buffer > limits::kept_buffer_most))) {
        return FCGATE_INVALID;
    }
    settings->values.server.host_room = {requests, static_cast<uint32_t>(buffer), static_cast<uint32_t>(params)};
    return FCGATE_OK;
}
