/* Which files the cache keeps, and who may add one: bookkeeping alone, the content is the
 * caller's. Layer: core (pure).
 *
 * Eviction is S3-FIFO by file, sized in bytes: a new file waits in a small queue (a tenth); used
 * twice there it moves to the main queue, else it goes and is remembered as a ghost; a ghost that
 * comes back begins in the main queue. Files of old releases go before all others. A file that is
 * held (written, or given to a peer) or whose site is kept is in no queue and cannot go.
 *
 * Space is reserved before the first byte is written and for the whole file, so that the sum of
 * all that was reserved never passes a quota. */
#pragma once

#include "base/limits.h"
#include "wire/merkle.h"

#include <stdbool.h>
#include <stdint.h>

#define CACHE_GHOSTS_MAX 65536 /* a flood of tiny files must not fill memory */

enum cache_answer {
    CACHE_RESERVED, /* and held: cache_release it when it is whole, cache_drop it when it failed */
    CACHE_OVER_QUOTA,
    CACHE_OVER_SITE_QUOTA,
    CACHE_OTHER_LENGTH /* the root is here with another length */
};

struct cache;
struct cache_totals {
    uint64_t files, bytes;
};
/* This file has left the books; its content is to be removed. It must not call the cache. */
typedef void (*cache_gone)(void *user, const uint8_t root[HASH_LENGTH], uint64_t length);

struct cache *cache_new(uint64_t quota, cache_gone gone, void *user);
void cache_free(struct cache *cache);

/* What is over a lowered quota goes with cache_shrink. */
void cache_set_quota(struct cache *cache, uint64_t quota);
void cache_set_site_quota(struct cache *cache, const char *site, uint64_t quota); /* 0: none */
void cache_set_keep(struct cache *cache, const char *site, bool keep);
/* Removes at most `most` files; true: there is more to do. What is held goes when it is released
 * and this is called again. */
bool cache_shrink(struct cache *cache, unsigned most);

/* At start: what is on the disk, least recently used first, whatever the quota says. */
struct cache_record {
    const uint8_t *root;
    const char *site; /* "": not known */
    uint64_t length, used_s;
    bool old;
};
void cache_load(struct cache *cache, const struct cache_record *record);

/* A root that is here already is counted once, for the site that brought it. Nothing is evicted
 * for a file that is refused. */
enum cache_answer cache_reserve(struct cache *cache, const uint8_t root[HASH_LENGTH],
                                const char *site, uint64_t length);
/* Each counts; false: no such file. */
bool cache_hold(struct cache *cache, const uint8_t root[HASH_LENGTH]);
void cache_release(struct cache *cache, const uint8_t root[HASH_LENGTH]);
void cache_use(struct cache *cache, const uint8_t root[HASH_LENGTH], uint64_t now_s);
/* A file of the site came. */
void cache_site_used(struct cache *cache, const char *site, uint64_t now_s);
/* True: it was not so before. */
bool cache_set_old(struct cache *cache, const uint8_t root[HASH_LENGTH], bool old);
/* A file that was found without its site belongs to the first that names it; false: it has one, or
 * there is no such file. */
bool cache_adopt(struct cache *cache, const uint8_t root[HASH_LENGTH], const char *site);
/* Forgets it whatever holds it, without a ghost and without calling gone. */
void cache_drop(struct cache *cache, const uint8_t root[HASH_LENGTH]);
/* Removes all files of the site (NULL: of all) that are not held, kept ones too; gone is called
 * for each. */
struct cache_totals cache_clear(struct cache *cache, const char *site);

bool cache_has(const struct cache *cache, const uint8_t root[HASH_LENGTH]);
struct cache_totals cache_totals(const struct cache *cache);
struct cache_totals cache_site_totals(const struct cache *cache, const char *site);

struct cache_site_view {
    const char *site; /* "": of files whose site is not known */
    struct cache_totals totals;
    uint64_t quota, used_s; /* 0: none; not known */
    bool keep;
};
struct cache_site_view cache_view_site(const struct cache *cache, const char *site);
/* Whose it is, borrowed until the cache changes; NULL: no such file. */
const char *cache_owner(const struct cache *cache, const uint8_t root[HASH_LENGTH], bool *ret_old);
void cache_each_site(const struct cache *cache,
                     void (*each)(void *user, const struct cache_site_view *view), void *user);

/* Without a choice: the smaller of 5 GB, which holds the sites of many months, and a tenth of what
 * is free, so that a small disk is not filled for others' sake. */
uint64_t cache_quota_default(uint64_t disk_free);
/* What the quota is while the disk must keep `floor` bytes free. */
uint64_t cache_quota_now(uint64_t quota, uint64_t used, uint64_t disk_free, uint64_t floor);
