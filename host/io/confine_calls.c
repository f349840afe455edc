/* The half of io/confine that is seccomp. What is refused fails as if the user had no right to it.
 */
#include "io/confine.h"

#include "base/log.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* A list of what is refused, not of what is allowed: libraries and kernels of tomorrow make calls
 * that nobody has heard of today, and a host that dies of its next libc protects nobody. */
static const char *const never[] = {"acct",
                                    "add_key",
                                    "adjtimex",
                                    "bpf",
                                    "capset",
                                    "chroot",
                                    "clock_adjtime",
                                    "clock_settime",
                                    "delete_module",
                                    "fanotify_init",
                                    "finit_module",
                                    "fsconfig",
                                    "fsmount",
                                    "fsopen",
                                    "fspick",
                                    "init_module",
                                    "io_uring_enter",
                                    "io_uring_register",
                                    "io_uring_setup",
                                    "ioperm",
                                    "iopl",
                                    "kcmp",
                                    "kexec_file_load",
                                    "kexec_load",
                                    "keyctl",
                                    "lookup_dcookie",
                                    "mount",
                                    "mount_setattr",
                                    "move_mount",
                                    "name_to_handle_at",
                                    "open_by_handle_at",
                                    "open_tree",
                                    "perf_event_open",
                                    "personality",
                                    "pidfd_getfd",
                                    "pivot_root",
                                    "process_madvise",
                                    "process_vm_readv",
                                    "process_vm_writev",
                                    "quotactl",
                                    "quotactl_fd",
                                    "reboot",
                                    "request_key",
                                    "setdomainname",
                                    "setfsgid",
                                    "setfsuid",
                                    "setgid",
                                    "setgroups",
                                    "sethostname",
                                    "setns",
                                    "setregid",
                                    "setresgid",
                                    "setresuid",
                                    "setreuid",
                                    "settimeofday",
                                    "setuid",
                                    "swapoff",
                                    "swapon",
                                    "syslog",
                                    "umount2",
                                    "unshare",
                                    "userfaultfd",
                                    "vhangup"};

/* LeakSanitizer looks at the program from a process of its own. */
#ifndef __SANITIZE_ADDRESS__
static const char *const tracing[] = {"ptrace"};
static const char *const programs[] = {"execve", "execveat", "fork", "vfork"};
#else
static const char *const tracing[] = {""};
static const char *const programs[] = {"execve", "execveat"};
#endif

#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof((ARRAY)[0]))

/* Other machines have other calls: a name that means nothing here is left out. */
static bool refuse(scmp_filter_ctx filter, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number != __NR_SCMP_ERROR &&
            seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) != 0)
            return false;
    }
    return true;
}

static bool refuse_sockets(scmp_filter_ctx filter)
{
    static const int used[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    bool good = true;

    for (int family = 0; family <= AF_NETLINK; family++) {
        bool wanted = false;
        for (size_t i = 0; i < COUNT(used); i++)
            wanted = wanted || used[i] == family;
        if (!wanted)
            good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
                                            1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0)) == 0;
    }
    return good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                    SCMP_A0(SCMP_CMP_GT, AF_NETLINK, 0)) == 0;
}

/* A new thread is a clone too, so its flags are looked at; those of clone3 cannot be, and libc does
 * without it. */
static bool refuse_clones(scmp_filter_ctx filter, bool starts_itself)
{
    static const uint64_t flags[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWNET,   CLONE_NEWPID,
                                     CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
    bool good = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;

    for (size_t i = 0; i < COUNT(flags); i++)
        good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                        SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i])) == 0;
#ifndef __SANITIZE_ADDRESS__
    if (!starts_itself)
        good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0;
#else
    (void)starts_itself;
#endif
    return good;
}

bool confine_calls(bool starts_itself)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = -ENOMEM;

    if (filter != NULL && refuse(filter, never, COUNT(never)) &&
        refuse(filter, tracing, COUNT(tracing)) &&
        (starts_itself || refuse(filter, programs, COUNT(programs))) && refuse_sockets(filter) &&
        refuse_clones(filter, starts_itself))
        result = seccomp_load(filter);
    if (result != 0)
        log_info("seccomp: %s", strerror(-result));
    seccomp_release(filter);
    return result == 0;
}
