/* Settings through the public header: what is taken, what is given back, and what is said about mistakes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scene.h"

static char printed[FCGATE_PRINTED_MAX];

static int make_settings(void** state) {
    *state = fcgate_settings_create();
    return *state != NULL ? 0 : -1;
}

static int drop_settings(void** state) {
    fcgate_settings_destroy(*state);
    return 0;
}

static void expect_setting(fcgate_settings* settings, const char* name, const char* value) {
    char got[256];
    assert_int_equal(fcgate_get(settings, name, got, sizeof got), FCGATE_OK);
    assert_string_equal(got, value);
}

static void a_value_is_given_back_as_it_was_set(void** state) {
    fcgate_settings* const settings = *state;
    assert_int_equal(fcgate_set(settings, "site.root", "/www", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "site.max_body", "16m", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "server.header_timeout", "2500ms", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "backend.keep_alive", "no", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "site:shop.root", "/shop", NULL), FCGATE_OK);
    expect_setting(settings, "site.root", "/www");
    expect_setting(settings, "site.max_body", "16m");
    expect_setting(settings, "server.header_timeout", "2500ms");
    expect_setting(settings, "backend.keep_alive", "no");
    expect_setting(settings, "site:shop.root", "/shop");
    expect_setting(settings, "server.threads", "1");
    expect_setting(settings, "server.user", "");
}

static void a_repeatable_key_gathers_values_until_it_is_cleared(void** state) {
    fcgate_settings* const settings = *state;
    assert_int_equal(fcgate_set(settings, "server.listen", "127.0.0.1:8080", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "server.listen", "unix:/run/fcgate.sock", NULL), FCGATE_OK);
    expect_setting(settings, "server.listen", "127.0.0.1:8080\nunix:/run/fcgate.sock");
    assert_int_equal(fcgate_set(settings, "server.listen", NULL, NULL), FCGATE_OK);
    expect_setting(settings, "server.listen", "");
    assert_int_equal(fcgate_set(settings, "server.listen", "[::1]:81", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "server.listen", "", NULL), FCGATE_OK);
    expect_setting(settings, "server.listen", "");
}

static void expect_refusal(fcgate_settings* settings, const char* name, const char* value, const char* words) {
    fcgate_error error;
    memset(&error, 'x', sizeof error);
    assert_int_equal(fcgate_set(settings, name, value, &error), FCGATE_INVALID);
    assert_int_equal(error.code, FCGATE_INVALID);
    assert_int_equal(error.line, 0);
    assert_non_null(memchr(error.text, '\0', sizeof error.text));
    assert_null(strchr(error.text, '\n'));
    if (strstr(error.text, words) == NULL) {
        print_error("\"%s\" is not in: %s\n", words, error.text);
        assert_true(false);
    }
    assert_int_equal(fcgate_set(settings, name, value, NULL), FCGATE_INVALID);
}

static void mistakes_are_explained_and_change_nothing(void** state) {
    fcgate_settings* const settings = *state;
    expect_refusal(settings, "site.rot", "/www", "root");
    expect_refusal(settings, "sight.root", "/www", "site");
    expect_refusal(settings, "root", "/www", "SECTION.KEY");
    expect_refusal(settings, "", "/www", "SECTION.KEY");
    expect_refusal(settings, "server.threads", "many", "whole number");
    expect_refusal(settings, "server.threads", "0", "out of range");
    expect_refusal(settings, "server.header_timeout", "10 parsecs", "time");
    expect_refusal(settings, "server.listen", "localhost", "address");
    expect_refusal(settings, "backend.keep_alive", "perhaps", "yes");
    expect_refusal(settings, "site.root", "/www\n[server]", "control character");
    expect_refusal(settings, "site.root", NULL, "");
    expect_refusal(settings, "site:a b.root", "/www", "");
    expect_setting(settings, "server.threads", "1");
    expect_setting(settings, "server.listen", "");
    char value[8];
    assert_int_equal(fcgate_get(settings, "site.root", value, sizeof value), FCGATE_INVALID);
}

static void an_error_is_written_only_on_failure(void** state) {
    fcgate_error error = {12345, 6, "untouched"};
    assert_int_equal(fcgate_set(*state, "site.root", "/www", &error), FCGATE_OK);
    assert_int_equal(error.code, 12345);
    assert_int_equal(error.line, 6);
    assert_string_equal(error.text, "untouched");
}

static void too_much_is_too_large(void** state) {
    fcgate_settings* const settings = *state;
    fcgate_error error;
    char name[64];
    int result = FCGATE_OK;
    int sites = 0;
    for (; result == FCGATE_OK && sites < 1000; ++sites) {
        (void)snprintf(name, sizeof name, "site:n%d.root", sites);
        result = fcgate_set(settings, name, "/www", &error);
    }
    assert_int_equal(result, FCGATE_TOO_LARGE);
    assert_int_equal(error.code, FCGATE_TOO_LARGE);
    assert_true(sites > 8);
    result = FCGATE_OK;
    for (int i = 0; result == FCGATE_OK && i < 1000; ++i) {
        (void)snprintf(name, sizeof name, "127.0.0.1:%d", 1000 + i);
        result = fcgate_set(settings, "server.listen", name, &error);
    }
    assert_int_equal(result, FCGATE_TOO_LARGE);
    char* const text = malloc(100000);
    assert_non_null(text);
    memset(text, 'a', 99999);
    text[99999] = '\0';
    assert_int_equal(fcgate_set(settings, "site.root", text, &error), FCGATE_TOO_LARGE);
    assert_int_not_equal(fcgate_set(settings, text, "/www", &error), FCGATE_OK);
    free(text);
}

static void null_is_refused_where_it_may_not_be(void** state) {
    fcgate_settings* const settings = *state;
    fcgate_error error;
    char value[16];
    assert_int_equal(fcgate_set(NULL, "site.root", "/www", &error), FCGATE_INVALID);
    assert_int_equal(error.code, FCGATE_INVALID);
    assert_int_equal(fcgate_set(settings, NULL, "/www", &error), FCGATE_INVALID);
    assert_int_equal(fcgate_load(NULL, "/dev/null", &error), FCGATE_INVALID);
    assert_int_equal(fcgate_load(settings, NULL, &error), FCGATE_INVALID);
    assert_int_equal(fcgate_check(NULL, &error), FCGATE_INVALID);
    assert_int_equal(fcgate_get(NULL, "site.root", value, sizeof value), FCGATE_INVALID);
    assert_int_equal(fcgate_get(settings, NULL, value, sizeof value), FCGATE_INVALID);
    assert_int_equal(fcgate_get(settings, "server.threads", NULL, sizeof value), FCGATE_INVALID);
    assert_int_equal(fcgate_print(NULL, value, sizeof value), FCGATE_INVALID);
    assert_int_equal(fcgate_print(settings, NULL, sizeof value), FCGATE_INVALID);
    assert_int_equal(fcgate_get(settings, "server.threads", value, 0), FCGATE_INVALID);
    assert_int_equal(fcgate_print(settings, value, 0), FCGATE_INVALID);
    assert_int_equal(fcgate_budget(NULL, FCGATE_BUDGET_TABLE, value, sizeof value), FCGATE_INVALID);
    assert_int_equal(fcgate_budget(settings, FCGATE_BUDGET_TABLE, NULL, sizeof value), FCGATE_INVALID);
    assert_int_equal(fcgate_budget(settings, FCGATE_BUDGET_TABLE, value, 0), FCGATE_INVALID);
    /* Nor is there a budget of what could not be served. */
    assert_int_equal(fcgate_budget(settings, FCGATE_BUDGET_TABLE, value, sizeof value), FCGATE_INVALID);
    assert_string_equal(value, "");
    assert_int_equal(fcgate_doctor(settings, FCGATE_DOCTOR_TABLE, NULL, NULL, NULL, sizeof value), FCGATE_INVALID);
    assert_null(fcgate_create(NULL, &error));
    assert_int_equal(error.code, FCGATE_INVALID);
    assert_null(fcgate_create(NULL, NULL));
    assert_int_equal(fcgate_start(NULL, NULL), FCGATE_INVALID);
    assert_int_equal(fcgate_run(NULL, NULL), FCGATE_INVALID);
    assert_int_equal(fcgate_fd(NULL, NULL), FCGATE_INVALID);
    assert_int_equal(fcgate_timeout_ms(NULL), -1);
    assert_int_equal(fcgate_dispatch(NULL, NULL), FCGATE_INVALID);
    assert_int_equal(fcgate_wait(NULL, 0, NULL), FCGATE_INVALID);
    assert_int_equal(fcgate_ended_fd(NULL), FCGATE_INVALID);
    assert_int_equal(fcgate_handle(NULL, "/", NULL, NULL), FCGATE_INVALID);
    assert_int_equal(fcgate_on_request(NULL, NULL, NULL), FCGATE_INVALID);
    assert_int_equal(fcgate_on_finished(NULL, NULL, NULL), FCGATE_INVALID);
    assert_int_equal(fcgate_reload(NULL, settings, &error), FCGATE_INVALID);
    assert_string_equal(error.text, "fcgate_reload: server and settings may not be NULL");
    assert_int_equal(fcgate_status(NULL, FCGATE_STATUS_JSON, value, sizeof value), FCGATE_INVALID);
    fcgate_log(NULL, FCGATE_LOG_INFO, "nobody hears it");
    fcgate_stop(NULL, 0);
    fcgate_reopen_logs(NULL);
    fcgate_destroy(NULL);
    fcgate_settings_set_log(NULL, NULL, NULL);
    fcgate_settings_destroy(NULL);
}

static void a_small_buffer_is_told_and_left_empty(void** state) {
    fcgate_settings* const settings = *state;
    char value[8] = "filled!";
    assert_int_equal(fcgate_set(settings, "site.root", "/folder", NULL), FCGATE_OK);
    assert_int_equal(fcgate_get(settings, "site.root", value, 8), FCGATE_OK);
    assert_string_equal(value, "/folder");
    assert_int_equal(fcgate_get(settings, "site.root", value, 7), FCGATE_TOO_LARGE);
    assert_string_equal(value, "");
    value[0] = 'x';
    assert_int_equal(fcgate_get(settings, "site.root", value, 1), FCGATE_TOO_LARGE);
    assert_string_equal(value, "");
    assert_int_not_equal(fcgate_get(settings, "site.root", value, 0), FCGATE_OK);
    value[0] = 'x';
    assert_int_equal(fcgate_print(settings, value, sizeof value), FCGATE_TOO_LARGE);
    assert_string_equal(value, "");
    assert_int_equal(fcgate_print(settings, printed, sizeof printed), FCGATE_OK);
    const size_t size = strlen(printed) + 1;
    assert_int_equal(fcgate_print(settings, printed, size), FCGATE_OK);
    assert_int_equal(fcgate_print(settings, printed, size - 1), FCGATE_TOO_LARGE);
}

static void write_file(const char* path, const char* text) {
    FILE* const file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void what_is_printed_can_be_loaded(void** state) {
    fcgate_settings* const settings = *state;
    char path[] = "/tmp/fcgate-library-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(fcgate_set(settings, "server.listen", "127.0.0.1:8080", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "site.root", "/www", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "site:b.root", "/b", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "site:b.host", "b.lan c.lan", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "backend:x.address", "unix:/run/x.sock", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "site.index", NULL, NULL), FCGATE_OK);
    assert_int_equal(fcgate_print(settings, printed, sizeof printed), FCGATE_OK);
    write_file(path, printed);
    fcgate_settings* const copy = fcgate_settings_create();
    assert_non_null(copy);
    fcgate_error error;
    assert_int_equal(fcgate_load(copy, path, &error), FCGATE_OK);
    static char again[FCGATE_PRINTED_MAX];
    assert_int_equal(fcgate_print(copy, again, sizeof again), FCGATE_OK);
    assert_string_equal(again, printed);
    fcgate_settings_destroy(copy);
    unlink(path);
}

static void add_values(fcgate_settings* settings, int site, const char* key, const char* value, int count) {
    char name[64];
    (void)snprintf(name, sizeof name, "site:s%d.%s", site, key);
    for (int i = 0; i < count; ++i) {
        assert_int_equal(fcgate_set(settings, name, value, NULL), FCGATE_OK);
    }
}

static void the_largest_configuration_can_be_printed(void** state) {
    enum { sites = 16, values = 16 };
    static const struct {
        const char* key;
        const char* value;
        int count;
    } lists[] = {
        {"root", "/", 1},           {"links_to", "/", values},        {"no_scripts", "/", values},
        {"internal", "/", values},  {"param", "A b", values},         {"header", "A b", values},
        {"allow", "::", values},    {"deny", "::", values},           {"trusted_proxy", "::", 2 * values},
        {"expires", "/ 0", values}, {"error_page", "404 /a", values},
    };
    fcgate_settings* const settings = *state;
    char name[64];
    char path[1500] = "/";
    fcgate_error error;
    memset(path + 1, 'p', sizeof path - 2);
    assert_int_equal(fcgate_set(settings, "server.listen", "127.0.0.1:8080", NULL), FCGATE_OK);
    for (int site = 0; site < sites; ++site) {
        for (size_t i = 0; i < sizeof lists / sizeof *lists; ++i) {
            add_values(settings, site, lists[i].key, lists[i].value, lists[i].count);
        }
        for (int i = 0; i < values; ++i) {
            (void)snprintf(name, sizeof name, "a%d-%d", site, i);
            add_values(settings, site, "host", name, 1);
        }
    }
    /* All room for text is filled too. */
    for (int site = 0; site < sites; ++site) {
        (void)snprintf(name, sizeof name, "site:s%d.front_controller", site);
        while (fcgate_set(settings, name, path, NULL) == FCGATE_TOO_LARGE && strlen(path) > 1) {
            path[strlen(path) - 1] = '\0';
        }
    }
    assert_int_equal(fcgate_check(settings, &error), FCGATE_OK);
    assert_int_equal(fcgate_print(settings, printed, sizeof printed), FCGATE_OK);
    assert_true(strlen(printed) > 65536);
}

static void a_file_comes_on_top_and_its_mistakes_have_a_line(void** state) {
    fcgate_settings* const settings = *state;
    fcgate_error error;
    char path[] = "/tmp/fcgate-library-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(fcgate_set(settings, "server.threads", "2", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "server.max_connections", "32", NULL), FCGATE_OK);
    write_file(path, "[server]\nthreads = 3\n[site]\nroot = /www\n");
    assert_int_equal(fcgate_load(settings, path, &error), FCGATE_OK);
    expect_setting(settings, "server.threads", "3");
    expect_setting(settings, "server.max_connections", "32");
    write_file(path, "[server]\n; well\n\nthreads = three\n");
    assert_int_equal(fcgate_load(settings, path, &error), FCGATE_INVALID);
    assert_int_equal(error.line, 4);
    assert_int_equal(strncmp(error.text, path, strlen(path)), 0);
    assert_int_equal(strncmp(error.text + strlen(path), ":4:", 3), 0);
    assert_int_equal(fcgate_load(settings, path, NULL), FCGATE_INVALID);
    unlink(path);
    assert_int_equal(fcgate_load(settings, path, &error), FCGATE_INVALID);
    assert_int_equal(error.line, 0);
    assert_int_not_equal(fcgate_load(settings, "/tmp", &error), FCGATE_OK);
}

static void expect_unfit(fcgate_settings* settings, const char* words) {
    fcgate_error error;
    assert_int_equal(fcgate_check(settings, &error), FCGATE_INVALID);
    assert_int_equal(error.code, FCGATE_INVALID);
    if (strstr(error.text, words) == NULL) {
        print_error("\"%s\" is not in: %s\n", words, error.text);
        assert_true(false);
    }
    assert_int_equal(fcgate_check(settings, NULL), FCGATE_INVALID);
    assert_null(fcgate_create(settings, &error));
    assert_int_equal(error.code, FCGATE_INVALID);
    assert_non_null(strstr(error.text, words));
}

static void check_says_what_is_missing_until_nothing_is(void** state) {
    fcgate_settings* const settings = *state;
    expect_unfit(settings, "listen");
    assert_int_equal(fcgate_set(settings, "server.listen", "127.0.0.1:8080", NULL), FCGATE_OK);
    expect_unfit(settings, "[site]");
    assert_int_equal(fcgate_set(settings, "site.max_body", "1m", NULL), FCGATE_OK);
    expect_unfit(settings, "root");
    assert_int_equal(fcgate_set(settings, "site.root", "/is/not/looked/at", NULL), FCGATE_OK);
    assert_int_equal(fcgate_check(settings, NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "site.backend", "php", NULL), FCGATE_OK);
    expect_unfit(settings, "php");
    assert_int_equal(fcgate_set(settings, "backend:php.workers", "2", NULL), FCGATE_OK);
    expect_unfit(settings, "address");
    assert_int_equal(fcgate_set(settings, "backend:php.address", "127.0.0.1:9000", NULL), FCGATE_OK);
    assert_int_equal(fcgate_check(settings, NULL), FCGATE_OK);
}

static void the_versions_are_told(void** state) {
    (void)state;
    unsigned parts[3];
    assert_int_equal(sscanf(fcgate_version(), "%u.%u.%u", &parts[0], &parts[1], &parts[2]), 3);
    assert_true(sscanf(fcgate_libmicrohttpd_version(), "%u.%u", &parts[0], &parts[1]) == 2);
}

static int has_become;

static int become_nobody(void* context) {
    (void)context;
    ++has_become;
    return 0;
}

static void the_doctor_says_what_would_not_be_served(void** state) {
    fcgate_settings* const settings = *state;
    static char told[FCGATE_DOCTOR_MAX];
    const int is_built = strstr(fcgate_features(), "doctor") != NULL;
    const int faulty = is_built ? (int)FCGATE_FAULTY : (int)FCGATE_INVALID;
    assert_int_equal(fcgate_doctor(NULL, FCGATE_DOCTOR_TABLE, NULL, NULL, told, sizeof told), FCGATE_INVALID);
    assert_int_equal(fcgate_doctor(settings, FCGATE_DOCTOR_TABLE, NULL, NULL, told, 0), FCGATE_INVALID);
    assert_int_equal(fcgate_doctor(settings, (enum fcgate_doctor_form)2, NULL, NULL, told, sizeof told),
                     FCGATE_INVALID);
    assert_int_equal(fcgate_doctor(settings, FCGATE_DOCTOR_TABLE, NULL, NULL, told, sizeof told), faulty);
    if (!is_built) {
        return;
    }
    assert_non_null(strstr(told, "FAULT    configuration"));
    assert_int_equal(fcgate_set(settings, "server.listen", "127.0.0.1:0", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "site.root", "/no/such/folder", NULL), FCGATE_OK);
    assert_int_equal(fcgate_doctor(settings, FCGATE_DOCTOR_JSON, become_nobody, NULL, told, sizeof told),
                     FCGATE_FAULTY);
    assert_int_equal(has_become, 1);
    assert_non_null(strstr(told, "{\"id\":\"root\",\"level\":\"fault\",\"about\":\"/no/such/folder\""));
    assert_int_equal(fcgate_doctor(settings, FCGATE_DOCTOR_TABLE, NULL, NULL, told, 64), FCGATE_TOO_LARGE);
    assert_string_equal(told, "");
    /* The settings can be served still, if nothing is wrong. */
    assert_int_equal(fcgate_set(settings, "site.root", "/tmp", NULL), FCGATE_OK);
    if (strstr(fcgate_features(), "listing") != NULL) {
        assert_int_equal(fcgate_set(settings, "site.listing", "yes", NULL), FCGATE_OK);
    }
    assert_true(fcgate_doctor(settings, FCGATE_DOCTOR_TABLE, NULL, NULL, told, sizeof told) <= FCGATE_WARNED);
    fcgate_server* const server = fcgate_create(settings, NULL);
    assert_non_null(server);
    fcgate_destroy(server);
    *state = NULL;
}

static void a_build_that_cannot_start_php_says_that_it_found_none(void** state) {
    fcgate_settings* const settings = *state;
    fcgate_error error = {0};
    if (strstr(fcgate_features(), "spawn") != NULL) {
        skip();
    }
    assert_int_equal(fcgate_set(settings, "server.listen", "127.0.0.1:0", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "site.root", "/tmp", NULL), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "backend.address", "auto", NULL), FCGATE_OK);
    fcgate_server* const server = fcgate_create(settings, &error);
    if (server != NULL) {
        *state = NULL;
        fcgate_destroy(server);
        skip(); /* this machine has a php-fpm */
    }
    assert_non_null(strstr(error.text, "[backend] address = auto: no php-fpm was found"));
}

#define WITH_SETTINGS(name) cmocka_unit_test_setup_teardown(name, make_settings, drop_settings)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SETTINGS(a_value_is_given_back_as_it_was_set),
        WITH_SETTINGS(a_repeatable_key_gathers_values_until_it_is_cleared),
        WITH_SETTINGS(mistakes_are_explained_and_change_nothing),
        WITH_SETTINGS(an_error_is_written_only_on_failure),
        WITH_SETTINGS(too_much_is_too_large),
        WITH_SETTINGS(null_is_refused_where_it_may_not_be),
        WITH_SETTINGS(a_small_buffer_is_told_and_left_empty),
        WITH_SETTINGS(what_is_printed_can_be_loaded),
        WITH_SETTINGS(the_largest_configuration_can_be_printed),
        WITH_SETTINGS(a_file_comes_on_top_and_its_mistakes_have_a_line),
        WITH_SETTINGS(check_says_what_is_missing_until_nothing_is),
        WITH_SETTINGS(the_doctor_says_what_would_not_be_served),
        WITH_SETTINGS(a_build_that_cannot_start_php_says_that_it_found_none),
        cmocka_unit_test(the_versions_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
