#include "doctor.hpp"

#include "exit_code.hpp"
#include "privileges.hpp"
#include "report.hpp"

namespace fcgate::daemon {

int examine(const Options& options, fcgate_settings* settings) {
    char* const printed = room_to_print();
    Identity identity;
    int code = identify(settings, identity);
    if (code != exit_ok) {
        return code;
    }
    keep_capabilities_from_children();
    const auto change = [](void* context) { return become(*static_cast<const Identity*>(context)); };
    const int diagnosis = fcgate_doctor(settings, options.doctor_form, change, &identity, printed, printed_max);
    if (diagnosis < 0) {
        say<"this build has no doctor (-Ddoctor=disabled), or there is too much to tell">();
        return exit_failure;
    }
    code = print_all({printed});
    if (code != exit_ok) {
        return code;
    }
    if (diagnosis == FCGATE_HEALTHY) {
        return exit_ok;
    }
    return diagnosis == FCGATE_WARNED ? exit_warned : exit_configuration;
}

}  // namespace fcgate::daemon
