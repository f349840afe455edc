#include "io/confine.h"

#include "base/log.h"

#include <sys/prctl.h>

struct confinement confine(const struct confine_plan *plan)
{
    struct confinement got = {0};

    /* Neither half is to be had without giving this up too: setuid programs get no rights from us.
     */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
        got.landlock = confine_files(plan);
        got.seccomp = confine_calls(plan->starts_itself);
    }
    if (got.landlock == 0)
        log_warning("this kernel has no Landlock: any file of the user's could be read");
    if (!got.seccomp)
        log_warning("this kernel has no seccomp: any system call could be made");
    log_info("confined: Landlock %d, seccomp %s", got.landlock, got.seccomp ? "yes" : "no");
    return got;
}
