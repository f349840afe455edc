/* What a daemon gives up for good before it speaks with anybody: files, programs and parts of the
 * kernel that it has no use for.
 *
 *   Landlock   files: all but its own folders, what it is told to read, and what the libraries need
 * of the system (below /etc and /usr, the lists of resolvers and certificates among them). It can
 * start no program but its own. Processes outside get no signal from it, and their sockets without
 * a name no connection. seccomp    system calls: no namespaces, mounts, tracing, modules, keys,
 * clocks, users; sockets of the Internet, Unix and netlink (which tells the machine's addresses)
 * only; without `starts_itself` no programs and processes at all.
 *
 * Both hold for threads and programs that it starts later, so it is called before there is a
 * thread. Layer: io. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CONFINE_PLACES 4

struct confine_plan {
    const char *writable[CONFINE_PLACES]; /* folders; one that cannot be made counts as the one
                                             above it. NULL: none */
    const char *readable[CONFINE_PLACES]; /* files or folders */
    bool starts_itself;                   /* may run its own program */
};

/* What the kernel gave; what it did not is in the log, once. */
struct confinement {
    int landlock; /* the version of its interface, 0: none */
    bool seccomp;
};

struct confinement confine(const struct confine_plan *plan);

/* The two halves; 0 and false when the kernel has none. For confine() and its tests. */
int confine_files(const struct confine_plan *plan);
bool confine_calls(bool starts_itself);
