/* What daemon_cache.c (the cache's work) and daemon_cache_api.c (the visitor's requests) share.
 * Layer: app; private to them. */
#pragma once

#include "app/daemon_impl.h"
#include "core/cache.h"

/* Held for a while. */
struct lease {
    uint8_t root[HASH_LENGTH];
    uint64_t until_ms;
    bool given;       /* to somebody */
    bool fresh;       /* reserved, and perhaps nothing of it came */
    unsigned streams; /* pages that read it: as long as there are any, it stays */
    struct list link; /* in by_age */
    UT_hash_handle hh;
};

/* A stream of the gateway. */
struct reading {
    uint64_t stream;
    uint8_t root[HASH_LENGTH];
    UT_hash_handle hh;
};

/* Out of the books, still on the disk. */
struct going {
    uint8_t root[HASH_LENGTH];
    UT_hash_handle hh;
};

struct daemon_cache {
    struct daemon *daemon;
    struct cache *books;
    struct loop_timer *timer;
    uint64_t wake_ms;                 /* 0: not set */
    uint64_t chosen, standard, quota; /* the visitor's (0: none); without one; with the floor */
    struct store_disk disk;           /* as it was at looked_ms */
    uint64_t looked_ms;
    struct lease *leases;
    struct list by_age; /* leases, the next to end first */
    struct reading *streams;
    struct going *going;
    unsigned swept;                    /* folders of the content */
    uint8_t changed[512][HASH_LENGTH]; /* whose owner is to be recorded */
    size_t changed_count;
};

uint64_t cache_quota_chosen(const struct daemon_cache *cache); /* or the standard one */
/* Those that no page reads. */
void cache_end_idle_leases(struct daemon_cache *cache);
