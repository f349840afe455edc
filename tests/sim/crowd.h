/* A crowd for the benches: visitors of one site on the links of the lab, who all want the same of
 * it; and what that cost the origin and them. */
#pragma once

#include "world.h"

struct crowd_plan {
    uint32_t visitors;
    uint64_t bytes;       /* of all files together */
    uint32_t files;       /* 0: one */
    uint64_t origin_rate; /* bytes a second; 0: 4,000,000 */
    uint64_t every_ms;    /* one after the other; 0: all at once */
    unsigned vanish;      /* percent of them leave after 5 s */
    bool deep;            /* their systems take all that is sent (link.h) */
    bool series;          /* a line to stderr each second of the world's time */
    uint64_t seed;
    uint64_t most_ms; /* of the world's time; 0: ten minutes */
};

struct crowd_result {
    bool finished;                 /* everybody who stayed has everything */
    double copies;                 /* bytes of files that left the origin, by those of one copy */
    double t50_s, t100_s, bound_s; /* from asking to having; at best, with one copy */
    double head_s;                 /* of one file: the first tenth, in order, the worst visitor */
    double wasted;                 /* bytes that came in vain, by those that all of them have */
    uint64_t steps;                /* of all nodes */
};

struct crowd_result crowd_play(const struct crowd_plan *plan);
