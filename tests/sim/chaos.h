/* A small random world with everything that can go wrong: what there is is drawn in chaos.c, what
 * happens in trouble.c. The world's invariants hold throughout. */
#pragma once

#include "sim_test.h"

#define CHAOS_VISITORS 10
#define CHAOS_FILES    10

struct chaos {
    struct scene scene;
    struct sim_tracker *tracker, *bad_tracker; /* NULL: there is none */
    /* Traits, each drawn for itself. */
    bool churn;     /* some come later, many go and come back, some stay away */
    bool parts;     /* the network falls apart in two, and heals */
    bool full;      /* some disks have no room for all */
    bool all_nat;   /* nobody but the first can be dialled */
    bool strangers; /* nobody knows anybody: only trackers and local discovery help */
    bool local;     /* one home network, and local discovery */
    bool stale;     /* some have an old release from an earlier visit */
    struct visitor *visitors[CHAOS_VISITORS]; /* NULL: has not come yet */
    bool gone[CHAOS_VISITORS];                /* for good */
    size_t visitor_count, file_count;
    uint64_t bytes;                        /* of the longest file ever published */
    struct buf old_release, old_signature; /* empty: there has been but one */
    uint64_t part_us, heal_us;
};

/* --- chaos.c */
struct chaos chaos_new(uint64_t seed);
void chaos_free(struct chaos *chaos);
uint64_t chaos_pick(struct chaos *chaos, uint64_t limit);
bool chaos_chance(struct chaos *chaos, unsigned percent);
void chaos_come(struct chaos *chaos, size_t number); /* the visitor's first time */
void chaos_path(const struct chaos *chaos, size_t file, char *ret, size_t size);
void chaos_add_file(struct chaos *chaos, size_t file); /* or another content of it */
void chaos_publish(struct chaos *chaos);
enum zone chaos_zone(struct chaos *chaos);
/* The visitors who are to get everything in the end. */
bool chaos_is_there(const struct chaos *chaos, size_t number);

/* --- trouble.c */
void trouble(struct chaos *chaos); /* one thing happens */
void trouble_limit(struct chaos *chaos, struct visitor *visitor);
void trouble_is_over(struct chaos *chaos);
