#include "config/settings.hpp"
#include "test_support.hpp"

using fcgate::ConfigError;
using fcgate::Settings;
using fcgate::Status;
using fcgate::Text;
using fcgate::test::check_status;
using fcgate::test::check_text;

namespace {

void must_set(Settings& settings, std::string_view name, std::string_view value) {
    ConfigError error;
    check_status(settings.set(name, value, error), Status::ok);
}

void must_be(const Settings& settings, std::string_view name, std::string_view value) {
    Text<64> out;
    check_status(settings.get(name, out), Status::ok);
    check_text(out.view(), value);
}

void must_pass(Settings& settings) {
    ConfigError error;
    check_status(settings.check(error), Status::ok);
}

void make_servable(Settings& settings) {
    must_set(settings, "server.listen", ":80");
    must_set(settings, "site.root", "/www");
}

void a_profile_gives_what_is_not_set(void** /*state*/) {
    Settings settings;
    make_servable(settings);
    must_set(settings, "server.profile", "tiny");
    must_pass(settings);
    must_be(settings, "server.max_connections", "16");
    must_be(settings, "server.connection_memory", "8k");
    must_be(settings, "server.exchanges", "6");
    must_be(settings, "server.memory_ceiling", "1m");
    must_be(settings, "server.header_timeout", "10s");
}

void keys_that_are_set_win_wherever_they_stand(void** /*state*/) {
    Settings settings;
    make_servable(settings);
    must_set(settings, "server.max_connections", "20");
    must_set(settings, "server.profile", "tiny");
    must_set(settings, "server.memory_ceiling", "2m");
    must_pass(settings);
    must_be(settings, "server.max_connections", "20");
    must_be(settings, "server.memory_ceiling", "2m");
    must_be(settings, "server.connection_memory", "8k");
}

void the_last_profile_holds_alone(void** /*state*/) {
    Settings settings;
    make_servable(settings);
    must_set(settings, "server.profile", "full");
    must_pass(settings);
    must_be(settings, "server.max_connections", "256");
    must_set(settings, "server.profile", "small");
    must_pass(settings);
    must_be(settings, "server.max_connections", "64");
    must_be(settings, "server.memory_ceiling", "4m");
    must_set(settings, "server.profile", "");
    must_pass(settings);
    must_be(settings, "server.max_connections", "64");
    must_be(settings, "server.memory_ceiling", "0");
}

void a_value_that_was_refused_is_not_set(void** /*state*/) {
    Settings settings;
    make_servable(settings);
    ConfigError error;
    check_status(settings.set("server.max_connections", "many", error), Status::malformed);
    check_status(settings.set("server.profile", "large", error), Status::malformed);
    check_text(error.text.view(), "[server] profile: \"large\" is not right; write tiny, small or full");
    must_set(settings, "server.profile", "tiny");
    must_pass(settings);
    must_be(settings, "server.max_connections", "16");
}

void pages_follow_the_number_of_exchanges(void** /*state*/) {
    Settings settings;
    make_servable(settings);
    must_pass(settings);
    must_be(settings, "server.response_memory", "640k");
    must_set(settings, "server.exchanges", "64");
    must_pass(settings);
    must_be(settings, "server.response_memory", "1280k");
    must_set(settings, "server.exchanges", "1");
    must_pass(settings);
    must_be(settings, "server.response_memory", "64k");
    must_set(settings, "server.response_buffer", "1m");
    must_pass(settings);
    must_be(settings, "server.response_memory", "1m");
    must_set(settings, "server.response_memory", "2m");
    must_pass(settings);
    must_be(settings, "server.response_memory", "2m");
}

void values_are_those_in_effect_before_any_check(void** /*state*/) {
    Settings settings;
    must_set(settings, "server.profile", "tiny");
    must_be(settings, "server.max_connections", "16");
    must_be(settings, "server.memory_ceiling", "1m");
    must_set(settings, "server.exchanges", "16");
    must_set(settings, "server.profile", "");
    must_be(settings, "server.max_connections", "64");
    must_be(settings, "server.response_memory", "320k");
    ConfigError error;
    check_status(settings.set("server.response_buffer", "3", error), Status::malformed);
    must_be(settings, "server.response_memory", "320k");
}

void what_is_kept_at_a_reload_is_moved_by_no_profile(void** /*state*/) {
    Settings running;
    Settings next;
    ConfigError error;
    must_set(running, "server.profile", "tiny");
    must_set(running, "server.response_buffer", "512k");
    must_set(next, "server.profile", "full");
    must_set(next, "server.exchanges", "100");
    Text<256> changed;
    check_status(next.keep_start_keys(running, changed, error), Status::ok);
    check_text(changed.view(),
               "profile, memory_ceiling, max_connections, connection_memory, exchanges, response_memory, "
               "response_buffer, file_cache");
    must_be(next, "server.profile", "tiny");
    must_be(next, "server.exchanges", "6");
    must_be(next, "server.response_memory", "512k");
    must_be(next, "server.response_buffer", "512k");
    must_be(next, "server.file_cache", "0");
    must_be(next, "server.max_connections_per_client", "32");
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_gives_what_is_not_set),
        cmocka_unit_test(keys_that_are_set_win_wherever_they_stand),
        cmocka_unit_test(the_last_profile_holds_alone),
        cmocka_unit_test(a_value_that_was_refused_is_not_set),
        cmocka_unit_test(pages_follow_the_number_of_exchanges),
        cmocka_unit_test(values_are_those_in_effect_before_any_check),
        cmocka_unit_test(what_is_kept_at_a_reload_is_moved_by_no_profile),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
