/* What was shared of each site, in all runs: bytes that came from other visitors and super-nodes,
 * and bytes that were given to them. Kept in memory, written with the store's batch: a kill loses
 * at most one batch. */
#include "app/daemon_impl.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/json.h"

#include <string.h>

#define BATCH 64 /* rows written at once */

struct site_sums {
    uint64_t down, up;
    bool changed;
    UT_hash_handle hh;
    char site[LIMIT_SITE + 1];
};

static struct site_sums *sums_of(struct daemon *daemon, const char *site, bool make)
{
    struct site_sums *sums;

    HASH_FIND_STR(daemon->shared, site, sums);
    if (sums != NULL || !make)
        return sums;
    sums = mem_zalloc(sizeof *sums);
    memcpy(sums->site, site, strlen(site) + 1);
    HASH_ADD_STR(daemon->shared, site, sums);
    return sums;
}

static void take(void *user, const struct store_shared *shared)
{
    struct site_sums *sums = sums_of(user, shared->site, true);

    sums->down = shared->down;
    sums->up = shared->up;
}

void daemon_shared_open(struct daemon *daemon)
{
    enum err err = store_each_shared(daemon->store, take, daemon);

    if (err != ERR_OK)
        log_error("cannot read what was shared: %s", err_text(err));
}

static void add(uint64_t *sum, uint64_t bytes)
{
    *sum = bytes < JSON_INTEGER_MAX - *sum ? *sum + bytes : JSON_INTEGER_MAX;
}

void daemon_shared_count(struct daemon *daemon, const struct effect *effect)
{
    bool up = effect->transfer.shared;
    enum source source = effect->transfer.source;

    if (!up && source != SOURCE_PEERS && source != SOURCE_SUPERNODE)
        return;
    struct site_sums *sums = sums_of(daemon, (const char *)effect->text.data, true);
    add(up ? &sums->up : &sums->down, effect->transfer.bytes);
    sums->changed = true;
    daemon_flush_soon(daemon);
}

struct store_shared daemon_shared_of(struct daemon *daemon, const char *site)
{
    const struct site_sums *sums = sums_of(daemon, site, false);

    return sums != NULL ? (struct store_shared){sums->site, sums->down, sums->up}
                        : (struct store_shared){.site = site};
}

/* Those that could not be written stay changed, and are tried again with the next batch. */
static enum err save(struct daemon *daemon, struct site_sums **batch, size_t count)
{
    struct store_shared rows[BATCH];

    for (size_t i = 0; i < count; i++)
        rows[i] = (struct store_shared){batch[i]->site, batch[i]->down, batch[i]->up};
    enum err err = count > 0 ? store_save_shared(daemon->store, rows, count) : ERR_OK;
    for (size_t i = 0; i < count; i++)
        batch[i]->changed = err != ERR_OK;
    return err;
}

void daemon_shared_flush(struct daemon *daemon)
{
    struct site_sums *sums, *next, *batch[BATCH];
    size_t count = 0;
    enum err err = ERR_OK;

    HASH_ITER(hh, daemon->shared, sums, next)
    {
        if (!sums->changed)
            continue;
        batch[count++] = sums;
        if (count < BATCH)
            continue;
        err = save(daemon, batch, count);
        count = 0;
        if (err != ERR_OK)
            break;
    }
    if (err == ERR_OK)
        err = save(daemon, batch, count);
    if (err != ERR_OK)
        log_warning("what was shared cannot be written: %s", err_text(err));
}

static void drop(struct daemon *daemon, struct site_sums *sums)
{
    HASH_DEL(daemon->shared, sums);
    mem_free(sums);
}

enum err daemon_shared_forget(struct daemon *daemon, const char *site)
{
    struct site_sums *sums, *next;

    HASH_ITER(hh, daemon->shared, sums, next)
    {
        if (site == NULL || strcmp(sums->site, site) == 0)
            drop(daemon, sums);
    }
    return store_forget_shared(daemon->store, site);
}

void daemon_shared_close(struct daemon *daemon)
{
    struct site_sums *sums, *next;

    if (daemon->shared == NULL)
        return;
    daemon_shared_flush(daemon);
    HASH_ITER(hh, daemon->shared, sums, next) drop(daemon, sums);
}
