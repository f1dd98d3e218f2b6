/* The users and groups of /etc/passwd and /etc/group, in the place of musl's functions of these names, which bring a protocol for nscd, streams
   and the heap with them: 5 KB of a static program. Written for fcgate: of what they give it is name and numbers that are used, so that
   the other members are empty. For a program that asks from one thread. */
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* A file is read byte by byte: lines are as long as they are. */
struct Source {
    int fd;
    int at;
    int length;
    char bytes[256];
};

struct Row {
    char name[LOGIN_NAME_MAX];
    uint32_t first;  /* the number of the user or group */
    uint32_t second; /* of a user: that of its group */
};

static struct Row found[2]; /* a group, and a user: the name of one outlasts a search for the other */
static char nothing[1];

static int next(struct Source* source) {
    if (source->at == source->length) {
        source->length = (int)read(source->fd, source->bytes, sizeof source->bytes);
        source->at = 0;
        if (source->length <= 0) {
            source->length = 0;
            return -1;
        }
    }
    return (unsigned char)source->bytes[source->at++];
}

/* One field, cut to the room; returns what ended it. */
static int field(struct Source* source, char* text, size_t room, const char* ends) {
    size_t length = 0;
    int c = next(source);
    for (; c > 0 && c != '\n' && strchr(ends, c) == NULL; c = next(source)) {
        if (length + 1 < room) {
            text[length++] = (char)c;
        } else {
            length = 0; /* a longer name than any is no name */
            room = 0;
        }
    }
    text[length] = '\0';
    return c;
}

static int number(struct Source* source, uint32_t* value, int* is_good) {
    char digits[11];
    uint64_t sum = 0;
    const int end = field(source, digits, sizeof digits, ":");
    *is_good &= digits[0] != '\0';
    for (const char* digit = digits; *digit != '\0'; ++digit) {
        *is_good &= *digit >= '0' && *digit <= '9';
        sum = sum * 10 + (uint64_t)(*digit - '0');
    }
    *is_good &= sum < UINT32_MAX;
    *value = (uint32_t)sum;
    return end;
}

static void skip_line(struct Source* source, int* end) {
    while (*end > 0 && *end != '\n') {
        *end = next(source);
    }
}

/* The next line that is as it should be, up to what follows its numbers; 0 at the end of the file. */
static int read_row(struct Source* source, int is_user, int* end) {
    struct Row* const row = &found[is_user];
    do {
        char password[1];
        int is_good = 1;
        *end = field(source, row->name, sizeof row->name, ":");
        if (*end == ':') {
            *end = field(source, password, sizeof password, ":");
        }
        if (*end == ':') {
            *end = number(source, &row->first, &is_good);
        }
        if (*end == ':' && is_user) {
            *end = number(source, &row->second, &is_good);
        }
        if (*end == ':' && is_good && row->name[0] != '\0') {
            return 1;
        }
        skip_line(source, end);
    } while (*end == '\n');
    return 0;
}

/* By name, or by number if there is none. */
static int find(const char* path, int is_user, const char* name, uint32_t wanted) {
    struct Source source = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    const struct Row* const row = &found[is_user];
    int end = 0;
    int is_there = 0;
    while (source.fd >= 0 && !is_there && read_row(&source, is_user, &end)) {
        is_there = name != NULL ? strcmp(row->name, name) == 0 : row->first == wanted;
        skip_line(&source, &end);
    }
    if (source.fd >= 0) {
        close(source.fd);
    }
    return is_there;
}

static struct passwd* find_user(const char* name, uid_t wanted) {
    static struct passwd user = {found[1].name, nothing, 0, 0, nothing, nothing, nothing};
    if (!find("/etc/passwd", 1, name, wanted)) {
        return NULL;
    }
    user.pw_uid = found[1].first;
    user.pw_gid = found[1].second;
    return &user;
}

static struct group* find_group(const char* name, gid_t wanted) {
    static char* no_members[] = {NULL};
    static struct group group = {found[0].name, nothing, 0, no_members};
    if (!find("/etc/group", 0, name, wanted)) {
        return NULL;
    }
    group.gr_gid = found[0].first;
    return &group;
}

struct passwd* getpwnam(const char* name) {
    return find_user(name, 0);
}

struct passwd* getpwuid(uid_t wanted) {
    return find_user(NULL, wanted);
}

struct group* getgrnam(const char* name) {
    return find_group(name, 0);
}

struct group* getgrgid(gid_t wanted) {
    return find_group(NULL, wanted);
}

int getgrouplist(const char* user, gid_t group, gid_t* groups, int* count) {
    struct Source source = {.fd = open("/etc/group", O_RDONLY | O_CLOEXEC)};
    const int room = *count;
    int end = 0;
    *count = 1;
    if (room > 0) {
        groups[0] = group;
    }
    while (source.fd >= 0 && read_row(&source, 0, &end)) {
        int is_member = 0;
        while (end == ':' || end == ',') {
            char member[LOGIN_NAME_MAX];
            end = field(&source, member, sizeof member, ",");
            is_member |= strcmp(member, user) == 0;
        }
        if (is_member && found[0].first != group) {
            if (*count < room) {
                groups[*count] = found[0].first;
            }
            ++*count;
        }
    }
    if (source.fd >= 0) {
        close(source.fd);
    }
    return *count > room ? -1 : *count;
}
