/* The dates of the static daemon (cross/musl-time.c), compared with those of the machine's C library. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* It needs some of these. */
#include <cmocka.h>

static struct tm* (*const library_local)(const time_t*, struct tm*) = localtime_r;
static struct tm* (*const library_utc)(const time_t*, struct tm*) = gmtime_r;

#define gmtime_r small_gmtime_r
#define localtime_r small_localtime_r
struct tm* gmtime_r(const time_t* restrict time, struct tm* restrict date);
struct tm* localtime_r(const time_t* restrict time, struct tm* restrict date);
#include "../../cross/musl-time.c"

static const time_t year_of_seconds = 31556952;

/* Elsewhere the library may be what is tested, and read the zone once. */
#ifdef __GLIBC__
static const bool library_follows = true;
#else
static const bool library_follows = false;
#endif

static void use_zone(const char* name) {
    zone.is_read = 0;
    zone.time_count = zone.state_count = 0;
    zone.rule = "";
    if (name != NULL) {
        setenv("TZ", name, 1);
    } else {
        unsetenv("TZ");
    }
    tzset();
}

static void assert_same(const struct tm* date, const struct tm* expected) {
    assert_int_equal(date->tm_year, expected->tm_year);
    assert_int_equal(date->tm_mon, expected->tm_mon);
    assert_int_equal(date->tm_mday, expected->tm_mday);
    assert_int_equal(date->tm_wday, expected->tm_wday);
    assert_int_equal(date->tm_hour, expected->tm_hour);
    assert_int_equal(date->tm_min, expected->tm_min);
    assert_int_equal(date->tm_sec, expected->tm_sec);
    assert_int_equal(date->tm_gmtoff, expected->tm_gmtoff);
    assert_int_equal(date->tm_isdst != 0, expected->tm_isdst != 0);
}

/* Each 9 hours and some minutes for `years` from `first` on. */
static void compare(time_t first, int years) {
    struct tm date;
    struct tm expected;
    for (time_t now = first; now < first + years * year_of_seconds; now += 33331) {
        assert_non_null(library_local(&now, &expected));
        assert_non_null(localtime_r(&now, &date));
        assert_same(&date, &expected);
    }
}

static void test_utc(void** state) {
    (void)state;
    struct tm date;
    struct tm expected;
    for (time_t now = -62135596800; now <= 253402300799; now += 86400 * 29 + 12345) {
        assert_non_null(library_utc(&now, &expected));
        assert_non_null(gmtime_r(&now, &date));
        assert_same(&date, &expected);
    }
    for (time_t now = 4107542400 - 86400 * 3; now < 4107542400 + 86400 * 3; now += 3599) { /* 2100-03-01 */
        assert_non_null(library_utc(&now, &expected));
        assert_non_null(gmtime_r(&now, &date));
        assert_same(&date, &expected);
    }
    const time_t none[] = {-62135596801, 253402300800, INT64_MAX, INT64_MIN};
    use_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    for (size_t i = 0; i < sizeof none / sizeof *none; ++i) {
        errno = 0;
        assert_null(gmtime_r(&none[i], &date));
        assert_int_equal(errno, EOVERFLOW);
        assert_null(localtime_r(&none[i], &date));
    }
}

/* The GNU library knows no summer before 1970. */
static void test_rules(void** state) {
    static const char* const rules[] = {
        "UTC0",
        "WGT3",
        "<+0330>-3:30",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT,M3.2.0,M11.1.0",
        "AEST-10AEDT,M10.1.0,M4.1.0/3",
        "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
        "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
        "IST-2IDT,M3.4.4/26,M10.5.0",
        "XXX-1YYY,J60,J300/1",
        "XXX5YYY-6:30:10,59/3,300",
    };
    (void)state;
    if (!library_follows) {
        skip();
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; ++i) {
        use_zone(rules[i]);
        compare(year_of_seconds, 60);
        compare(4000000000, 10);
    }
}

/* The last three are no zones: that is UTC. */
static void test_files(void** state) {
    static const char* const names[] = {
        NULL,
        "Europe/Berlin",
        ":America/New_York",
        "/usr/share/zoneinfo/Africa/Casablanca",
        "Asia/Tehran",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Europe/Dublin",
        "",
        "No/Such",
        "/etc/passwd",
    };
    (void)state;
    if (!library_follows) {
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        use_zone(names[i]);
        compare(-3000000000, 250);
    }
}

/* Whatever the bytes are: it ends, and reads nothing but them (the next page is nobody's). */
static void test_damaged_files(void** state) {
    (void)state;
    const int fd = open("/usr/share/zoneinfo/Europe/Berlin", O_RDONLY);
    if (fd < 0) {
        skip();
    }
    static unsigned char good[4096];
    const size_t size = (size_t)read(fd, good, sizeof good);
    close(fd);
    unsigned char* const pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
    uint32_t number = 1;
    for (int i = 0; i < 50000; ++i) {
        number = number * 1664525 + 1013904223;
        const size_t length = i % 3 == 0 ? (number >> 8) % size + 1 : size;
        unsigned char* const file = pages + 4096 - length;
        memcpy(file, good, length);
        for (uint32_t damage = number % 4; damage != 0; --damage) {
            number = number * 1664525 + 1013904223;
            file[(number >> 8) % (number % 2 == 0 && length > 44 ? 44 : length)] = (unsigned char)(number >> 24);
        }
        file[length - 1] = '\n';
        use_zone("");
        use_file(file, length);
        zone.is_read = 1;
        for (time_t now = -3000000000; now < 6000000000; now += 999999999) {
            struct tm date;
            (void)localtime_r(&now, &date);
        }
    }
    use_zone(NULL);
    munmap(pages, 8192);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utc),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_damaged_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
