/* sim_scale VISITORS MIB [EVERY_MS [VANISH]]: one crowd; a line of JSON (tests/bench/sim-scale.py,
 * ablation.py). */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

int main(int argc, char **argv)
{
    struct crowd_plan plan = {.seed = 1};
    struct rusage usage;

    if (argc < 3) {
        fprintf(stderr, "usage: %s VISITORS MIB [EVERY_MS [VANISH]]\n", argv[0]);
        return 2;
    }
    plan.visitors = (uint32_t)strtoul(argv[1], NULL, 10);
    plan.bytes = strtoull(argv[2], NULL, 10) << 20;
    if (argc > 3)
        plan.every_ms = strtoull(argv[3], NULL, 10);
    if (argc > 4)
        plan.vanish = (unsigned)strtoul(argv[4], NULL, 10);
    struct crowd_result result = crowd_play(&plan);
    getrusage(RUSAGE_SELF, &usage);
    printf(
        "{\"visitors\": %u, \"mib\": %llu, \"finished\": %s, \"copies\": %.4f, \"t50_s\": %.2f, "
        "\"t100_s\": %.2f, \"head_s\": %.2f, \"wasted\": %.4f, \"bound_s\": %.2f, \"steps\": %llu, "
        "\"cpu_s\": %.1f, \"rss_mb\": %ld}\n",
        plan.visitors, (unsigned long long)(plan.bytes >> 20), result.finished ? "true" : "false",
        result.copies, result.t50_s, result.t100_s, result.head_s, result.wasted, result.bound_s,
        (unsigned long long)result.steps, (double)clock() / CLOCKS_PER_SEC, usage.ru_maxrss / 1024);
    return result.finished ? 0 : 1;
}
