/* The users and groups of the static daemon (cross/musl-accounts.c), from files of the test's. */
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* It needs some of these. */
#include <cmocka.h>

static const char* passwd_text;
static const char* group_text;

/* A pipe that holds the whole file. */
static int open_text(const char* path, int flags) {
    const char* const text = strcmp(path, "/etc/passwd") == 0 ? passwd_text : group_text;
    int ends[2];
    (void)flags;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    return ends[0];
}

#define open open_text
#define getpwnam small_getpwnam
#define getpwuid small_getpwuid
#define getgrnam small_getgrnam
#define getgrgid small_getgrgid
#define getgrouplist small_getgrouplist
struct passwd* getpwnam(const char* name);
struct passwd* getpwuid(uid_t wanted);
struct group* getgrnam(const char* name);
struct group* getgrgid(gid_t wanted);
int getgrouplist(const char* user, gid_t group, gid_t* listed, int* count);
#include "../../cross/musl-accounts.c"

static void use_files(void) {
    passwd_text =
        "root:x:0:0:root:/root:/bin/sh\n"
        "+::::::\n"
        "broken:x:many:1::/:\n"
        "panel:x:1001:1002::/:/bin/false\n"
        "last:x:4294967294:4294967294::/:";
    group_text =
        "root:x:0:\n"
        "dialout:x:20:other,panel\n"
        "video:x:44:panelist,pane\n"
        "panel:x:1002:panel\n"
        "usb:x:85:panel";
}

static void test_users_and_groups(void** state) {
    (void)state;
    use_files();
    const struct passwd* const user = getpwnam("panel");
    assert_non_null(user);
    assert_int_equal(user->pw_uid, 1001);
    assert_int_equal(user->pw_gid, 1002);
    assert_string_equal(getpwuid(4294967294U)->pw_name, "last");
    assert_null(getpwnam("broken"));
    assert_null(getpwnam("+"));
    assert_null(getpwnam(""));
    assert_null(getpwuid(7));
    assert_int_equal(getgrnam("usb")->gr_gid, 85);
    assert_string_equal(getgrgid(44)->gr_name, "video");
    assert_null(getgrnam("other"));
}

static void test_groups_of_a_user(void** state) {
    (void)state;
    use_files();
    gid_t listed[4];
    int count = 4;
    assert_int_equal(getgrouplist("panel", 1002, listed, &count), 3);
    assert_int_equal(count, 3);
    assert_int_equal(listed[0], 1002);
    assert_int_equal(listed[1], 20);
    assert_int_equal(listed[2], 85);
    count = 2;
    assert_int_equal(getgrouplist("panel", 1002, listed, &count), -1);
    assert_int_equal(count, 3);
}

/* As with every C library: what is known of a user is overwritten by a search for another user alone. */
static void test_a_user_outlasts_a_search_for_groups(void** state) {
    (void)state;
    use_files();
    const struct passwd* const user = getpwnam("panel");
    assert_non_null(user);
    assert_non_null(getgrnam("video"));
    assert_string_equal(user->pw_name, "panel");
    gid_t listed[4];
    int count = 4;
    assert_int_equal(getgrouplist(user->pw_name, user->pw_gid, listed, &count), 3);
    assert_int_equal(listed[1], 20);
    assert_int_equal(listed[2], 85);
    assert_string_equal(user->pw_name, "panel");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_and_groups),
        cmocka_unit_test(test_groups_of_a_user),
        cmocka_unit_test(test_a_user_outlasts_a_search_for_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
