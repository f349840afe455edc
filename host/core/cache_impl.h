/* What cache.c (the books: files, sites, quotas) and cache_evict.c (queues, ghosts, who goes next)
 * share. Layer: core (pure); private to them. */
#pragma once

#include "core/cache.h"

#include "base/list.h"

#include <uthash.h>

#define CACHE_USES_MAX   3
#define CACHE_SMALL_PART 10 /* the small queue's share of the quota: one in so many */

enum queue { QUEUE_SMALL, QUEUE_MAIN, QUEUE_OLD, QUEUE_COUNT };

struct cache_site {
    UT_hash_handle hh;
    char *name;
    uint64_t quota; /* 0: none */
    bool keep;
    uint64_t files, bytes, movable; /* movable: bytes of files that are in a queue */
    uint64_t used_s;                /* when a file of it was used last */
    struct list old, current;
};

struct cache_file {
    UT_hash_handle hh;
    uint8_t root[HASH_LENGTH];
    uint64_t length;
    struct cache_site *site;
    struct list link;    /* in its queue, when queued */
    struct list of_site; /* in site.old or site.current */
    enum queue queue;
    bool queued;
    uint8_t uses;
    unsigned holds;
};

struct ghost {
    UT_hash_handle hh;
    uint8_t root[HASH_LENGTH];
    uint64_t length;
};

struct cache {
    uint64_t quota;
    cache_gone gone;
    void *user;
    struct cache_file *files;
    struct cache_site *sites;
    struct ghost *ghosts; /* uthash keeps the order of insertion */
    uint64_t ghost_bytes;
    struct cache_totals totals;
    uint64_t movable;
    struct list queues[QUEUE_COUNT];
    uint64_t queue_bytes[QUEUE_COUNT];
};

/* --- cache_evict.c */
void cache_leave_queue(struct cache *cache, struct cache_file *file);
/* Unless it may not go. */
void cache_enter_queue(struct cache *cache, struct cache_file *file);
void cache_change_queue(struct cache *cache, struct cache_file *file, enum queue queue);
bool cache_take_ghost(struct cache *cache, const uint8_t root[HASH_LENGTH]);
void cache_trim_ghosts(struct cache *cache);
void cache_forget_ghosts(struct cache *cache);
/* Evicts until that much more fits, which the caller has made sure is possible. */
void cache_make_room(struct cache *cache, struct cache_site *site, uint64_t length);

/* --- cache.c */
void cache_forget(struct cache *cache, struct cache_file *file);
void cache_tidy_site(struct cache *cache, struct cache_site *site);
