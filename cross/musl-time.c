/* Dates, in the place of musl's functions of these names. Written for fcgate, which asks for the time of its logs and of files: what no date that it
   writes needs (the day of the year, the name of the zone) is left empty, as are times before the year 1 and after 9999.

   As with musl, TZ is a rule as POSIX has it, or the name of a file of zoneinfo; without it the zone is that of /etc/localtime. It is read once. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { minute = 60, hour = 60 * minute, day_length = 24 * hour };

/* Days from 0000-03-01, where years begin whose last day is the one that is added, to 1970-01-01. */
enum { days_before_1970 = 719468 };

/* To the first of a month; the 13th is the next January. */
static int days_to(int year, int month) {
    if (month < 3) {
        month += 12;
        --year;
    }
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5;
}

static struct tm* set_date(time_t time, struct tm* date) {
    static const time_t first = -62135596800;
    static const time_t last = 253402300799;
    if (time < first || time > last) {
        errno = EOVERFLOW;
        return NULL;
    }
    const uint64_t seconds = (uint64_t)time + (uint64_t)days_before_1970 * day_length;
    /* A day is 675 times 128 seconds, and of those there are never 2^32: a division of 64 bits would take 200 instructions. */
    const uint32_t parts = (uint32_t)(seconds >> 7);
    const int days = (int)(parts / 675);
    const int second = (int)(parts % 675 * 128 + (seconds & 127));
    /* Years of 365.2425 days: the guess is right, or one more. */
    int year = (int)((unsigned)days * 25 / 9131 + 1);
    while (days_to(year, 3) > days) {
        --year;
    }
    const int day = days - days_to(year, 3);
    const int month = (5 * day + 2) / 153 + 3;
    memset(date, 0, sizeof *date);
    date->tm_year = year - 1900 + month / 13;
    date->tm_mon = (month - 1) % 12;
    date->tm_mday = days - days_to(year, month) + 1;
    date->tm_wday = (days + 3) % 7;
    date->tm_hour = second / hour;
    date->tm_min = second / minute % 60;
    date->tm_sec = second % minute;
    return date;
}

struct tm* gmtime_r(const time_t* restrict time, struct tm* restrict date) {
    return set_date(*time, date);
}

static struct {
    int is_read;
    const unsigned char* times; /* at which something changes, 8 bytes each */
    size_t time_count;
    const unsigned char* changes; /* to which state, a byte each */
    const unsigned char*
        states; /* the seconds east of Greenwich in 4 bytes, whether it is summer, and what nobody asks for */
    size_t state_count;
    const char* rule; /* for what is after the last time */
    pthread_mutex_t mutex;
} zone = {.rule = "", .mutex = PTHREAD_MUTEX_INITIALIZER};

static uint32_t number_at(const unsigned char* bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* RFC 9636: a head with six counts and what they count, with times of 4 bytes; the same with times of 8; and a line with the rule. */
static void use_file(const unsigned char* file, size_t size) {
    enum { head_size = 44, counts_at = 20, times_at = counts_at + 12, states_at = times_at + 4 };
    static const unsigned char sizes[2][6] = {{1, 1, 8, 5, 6, 1}, {1, 1, 12, 9, 6, 1}};
    const unsigned char* const end = file + size;
    const unsigned char* head = file;
    const unsigned char* next = file;
    for (int part = 0; part < 2; ++part) {
        const size_t rest = (size_t)(end - next);
        if (rest < head_size || memcmp(next, "TZif", 4) != 0 || next[4] < '2') {
            return;
        }
        head = next;
        next += head_size;
        for (int i = 0; i < 6; ++i) {
            const size_t count = number_at(head + counts_at + 4 * i);
            if (count > (size_t)(end - next) / sizes[part][i]) {
                return;
            }
            next += count * sizes[part][i];
        }
    }
    if (end - next < 2 || end[-1] != '\n') {
        return;
    }
    zone.rule = (const char*)next + 1;
    zone.time_count = number_at(head + times_at);
    zone.state_count = number_at(head + states_at);
    zone.times = head + head_size;
    zone.changes = zone.times + 8 * zone.time_count;
    zone.states = zone.changes + zone.time_count;
}

static void map_file(int fd) {
    struct stat status;
    if (fstat(fd, &status) == 0 && status.st_size < 1 << 20) {
        const size_t size = (size_t)status.st_size;
        void* const file = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file != MAP_FAILED) {
            use_file(file, size);
        }
    }
}

/* "CET" or "<+01>" */
static const char* after_name(const char* text) {
    if (*text == '<') {
        while (*text >= ' ' && *text++ != '>') {}
        return text;
    }
    while ((*text | 0x20) >= 'a' && (*text | 0x20) <= 'z') {
        ++text;
    }
    return text;
}

static int is_number(char c) {
    return c == '+' || c == '-' || (c >= '0' && c <= '9');
}

static int number(const char** text) {
    int value = 0;
    while (**text >= '0' && **text <= '9' && value < 100000) {
        value = value * 10 + *(*text)++ - '0';
    }
    return value;
}

/* "-1:30:00" in seconds */
static int clock_time(const char** text) {
    const int is_negative = **text == '-';
    if (is_negative || **text == '+') {
        ++*text;
    }
    int value = number(text) * hour;
    for (int unit = minute; unit != 0 && **text == ':'; unit /= minute) {
        ++*text;
        value += number(text) * unit;
    }
    return is_negative ? -value : value;
}

/* ",M3.5.0/2", ",J60" or ",59" of a year: when the zone's own clock shows so, as if that were UTC. */
static time_t change_in(int year, const char** text) {
    const char kind = *++*text;
    int day = days_to(year, 1);
    if (kind == 'M') {
        ++*text;
        const int month = number(text);
        *text += **text == '.';
        const int week = number(text);
        *text += **text == '.';
        day = days_to(year, month);
        day += (number(text) + 11 - day % 7) % 7 + 7 * (week - 1);
        if (day >= days_to(year, month + 1)) {
            day -= 7;
        }
    } else if (kind == 'J') {
        ++*text;
        const int number_of_day = number(text);
        /* 29 February has no number. */
        day += number_of_day - 1 + (number_of_day >= 60 && days_to(year, 3) - day == 60);
    } else {
        day += number(text);
    }
    int second = 2 * hour;
    if (**text == '/') {
        ++*text;
        second = clock_time(text);
    }
    return (time_t)(day - days_before_1970) * day_length + second;
}

/* By "CET-1CEST,M3.5.0,M10.5.0/3". */
static int offset_by_rule(time_t time, int* is_summer) {
    const char* text = after_name(zone.rule);
    const int standard = -clock_time(&text);
    const char* const summer_name = text;
    text = after_name(text);
    int summer = standard + hour;
    if (text != summer_name && is_number(*text)) {
        summer = -clock_time(&text);
    }
    struct tm date;
    if (text == summer_name || *text != ',' || set_date(time + standard, &date) == NULL) {
        return standard;
    }
    const time_t begin = change_in(date.tm_year + 1900, &text) - standard;
    const time_t end = *text == ',' ? change_in(date.tm_year + 1900, &text) - summer : begin;
    /* South of the equator it is summer when the year begins. */
    *is_summer = begin < end ? time >= begin && time < end : time >= begin || time < end;
    return *is_summer ? summer : standard;
}

static time_t change_at(size_t index) {
    const unsigned char* const bytes = zone.times + 8 * index;
    return (time_t)((uint64_t)number_at(bytes) << 32 | number_at(bytes + 4));
}

static int offset_at(time_t time, int* is_summer) {
    size_t count = zone.time_count;
    while (count > 0 && change_at(count - 1) > time) {
        --count;
    }
    if (count == zone.time_count && *zone.rule > '\n') {
        return offset_by_rule(time, is_summer);
    }
    const size_t state = count > 0 ? zone.changes[count - 1] : 0;
    if (state >= zone.state_count) {
        return 0;
    }
    *is_summer = zone.states[6 * state + 4];
    return (int)number_at(zone.states + 6 * state);
}

static void read_zone(void) {
    static const char folders[][24] = {"/usr/share/zoneinfo", "/share/zoneinfo", "/etc/zoneinfo"};
    const char* name = getenv("TZ");
    if (name == NULL) {
        name = "/etc/localtime";
    }
    const char* const behind = after_name(name);
    if (behind != name && is_number(*behind)) {
        zone.rule = name;
        return;
    }
    name += *name == ':';
    int fd = -1;
    for (size_t i = 0; fd < 0 && i < sizeof folders / sizeof *folders; ++i) {
        /* A name from the root on does not ask for the folder. */
        const int folder = open(folders[i], O_PATH | O_CLOEXEC);
        fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
        close(folder);
    }
    if (fd >= 0) {
        map_file(fd);
        close(fd);
    }
}

struct tm* localtime_r(const time_t* restrict time, struct tm* restrict date) {
    pthread_mutex_lock(&zone.mutex);
    if (!zone.is_read) {
        const int error = errno;
        read_zone();
        errno = error;
        zone.is_read = 1;
    }
    pthread_mutex_unlock(&zone.mutex);
    int is_summer = 0;
    if (set_date(*time, date) == NULL) {
        return NULL;
    }
    const int offset = offset_at(*time, &is_summer);
    if (set_date(*time + offset, date) == NULL) {
        return NULL;
    }
    date->tm_isdst = is_summer;
    date->tm_gmtoff = offset;
    return date;
}
