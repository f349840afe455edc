/* The half of io/confine that is Landlock. libc has no functions for it, and Debian's header knows
 * only its second version. */
#include "io/confine.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As in linux/landlock.h. */
struct ruleset {
    uint64_t files, network, scoped;
};
struct path_rule {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));
#define ASK_VERSION 1U
#define RULE_PATH   1

enum right {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    REMOVE_DIR = 1 << 4,
    REMOVE_FILE = 1 << 5,
    MAKE_DIR = 1 << 7,
    MAKE_REG = 1 << 8,
    MAKE_SOCK = 1 << 9,
    ALL_FIRST = (1 << 13) - 1,
    REFER = 1 << 13,     /* since version 2: to another folder */
    TRUNCATE = 1 << 14,  /* 3 */
    IOCTL_DEV = 1 << 15, /* 5 */
};
#define SCOPE_VERSION 6
#define SCOPE_ALL     3 /* abstract Unix sockets and signals */

#define TO_READ (READ_FILE | READ_DIR)
#define TO_WRITE                                                                                   \
    (TO_READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | REFER |   \
     TRUNCATE)
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)

/* What libraries read: themselves (some are loaded late), resolvers, certificates, time zones, the
 * number of processors. Whole folders where a file is renewed by putting another in its place. */
static const char *const system_places[] = {
    "/etc",      "/usr",         "/lib",        "/lib64",   "/nix/store", "/sys/devices/system/cpu",
    "/proc/sys", "/dev/urandom", "/dev/random", "/dev/zero"};

static uint64_t rights_of(int version)
{
    return (uint64_t)ALL_FIRST | (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0) |
           (version >= 5 ? IOCTL_DEV : 0);
}

struct rules {
    int fd;
    uint64_t handled;
};

/* False with errno: it is not there. */
static bool allow(const struct rules *rules, const char *path, uint64_t allowed)
{
    struct path_rule rule = {.allowed = allowed & rules->handled,
                             .parent = open(path, O_PATH | O_CLOEXEC)};
    struct stat info;
    bool good = rule.parent >= 0 && fstat(rule.parent, &info) == 0;

    if (good && !S_ISDIR(info.st_mode))
        rule.allowed &= OF_FILES;
    good = good && syscall(SYS_landlock_add_rule, rules->fd, RULE_PATH, &rule, 0) == 0;
    int why = errno;
    if (rule.parent >= 0)
        close(rule.parent);
    errno = why;
    return good;
}

static void allow_folder(const struct rules *rules, const char *path)
{
    char at[PATH_MAX];
    size_t length = (size_t)snprintf(at, sizeof at, "%s", path);

    while (!allow(rules, at, TO_WRITE)) {
        char *slash = strrchr(at, '/');
        if (errno != ENOENT || slash == NULL)
            return;                /* whoever needs it says so */
        slash[slash == at] = '\0'; /* "/x" becomes "/" */
    }
    if (strlen(at) < length)
        log_warning("%s is not there: all below %s can be reached", path, at);
}

/* The resolver's file is often a link to where another service writes it anew. */
static void allow_resolver(const struct rules *rules)
{
    char at[PATH_MAX];

    if (realpath("/etc/resolv.conf", at) == NULL)
        return;
    char *slash = strrchr(at, '/');
    if (slash != at) {
        *slash = '\0';
        allow(rules, at, TO_READ);
    }
}

/* The first object is the program itself, and names the loader that the kernel starts with it. */
static int allow_loader(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_INTERP)
            allow(user, (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
                  EXECUTE | READ_FILE);
    }
    return 1;
}

static void allow_all(struct rules *rules, const struct confine_plan *plan)
{
    for (size_t i = 0; i < sizeof system_places / sizeof system_places[0]; i++)
        allow(rules, system_places[i], TO_READ);
    allow(rules, "/dev/null", READ_FILE | WRITE_FILE);
    allow_resolver(rules);
    /* What it starts has another /proc/self, and asks there for the way to the router. */
    allow(rules, plan->starts_itself ? "/proc" : "/proc/self", TO_READ);
    if (plan->starts_itself) {
        allow(rules, "/proc/self/exe", EXECUTE | READ_FILE);
        dl_iterate_phdr(allow_loader, rules);
    }
    for (size_t i = 0; i < CONFINE_PLACES; i++) {
        if (plan->writable[i] != NULL)
            allow_folder(rules, plan->writable[i]);
        if (plan->readable[i] != NULL)
            allow(rules, plan->readable[i], TO_READ);
    }
}

int confine_files(const struct confine_plan *plan)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
    if (version <= 0)
        return 0;
    /* An older kernel takes the longer struct when the rest of it is zero. */
    struct ruleset set = {.files = rights_of((int)version),
                          .scoped = version >= SCOPE_VERSION ? SCOPE_ALL : 0};
    struct rules rules = {.fd = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof set, 0),
                          .handled = set.files};

    if (rules.fd < 0)
        return 0;
    allow_all(&rules, plan);
    bool good = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                syscall(SYS_landlock_restrict_self, rules.fd, 0) == 0;
    if (!good)
        log_info("Landlock: %s", strerror(errno));
    close(rules.fd);
    return good ? (int)version : 0;
}
