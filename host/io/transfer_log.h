/* The visitor's log of transfers: what came from whom, and what was given to whom. Layer: io.
 * Synchronous; used from the loop's thread only.
 *
 *   DIR/transfers.sqlite    one table, the newest `most` lines
 *
 * A line is a file in one direction with one other side. What is added is kept in memory, added
 * up by line, and written in batches; a kill loses at most one batch. The file is the visitor's
 * own record and nothing else depends on it: one that is broken or foreign is begun anew. */
#pragma once

#include "base/err.h"
#include "base/limits.h"
#include "wire/api.h"

struct transfer_log;

struct transfer {
    uint64_t id;   /* rises with each line; set by the log */
    uint64_t time; /* seconds since 1970, of its last byte in the batch */
    enum transfer_kind kind;
    uint64_t seq;            /* the release */
    uint64_t bytes, size;    /* that were moved; of the whole file */
    const char *site, *path; /* at most LIMIT_SITE, LIMIT_PATH */
    const char *peer;        /* at most LIMIT_LOG_PEER; "": nobody in particular */
};

struct transfer_filter {
    const char *site; /* NULL: all */
    unsigned kinds;   /* bit (1 << kind) each; 0: all */
    uint64_t before;  /* only lines with smaller ids; 0: from the newest */
    uint64_t limit;   /* 1 .. LIMIT_LOG_PAGE */
};

/* Errors as for a store whose disk fails: the log is then simply not kept. */
enum err transfer_log_open(const char *dir, uint64_t most, struct transfer_log **ret);
void transfer_log_close(struct transfer_log *log); /* writes what is left; NULL: nothing */
/* ERR_RANGE: over a cap. ERR_BUSY: the disk has failed for so long that this line was dropped. */
enum err transfer_log_add(struct transfer_log *log, const struct transfer *transfer);
/* Writes the batch; when it fails the next one tries again. */
enum err transfer_log_flush(struct transfer_log *log);
/* Newest first, what waits for the next batch included (it is written first where possible).
 * Everything is borrowed for the call. ERR_RANGE: a filter out of bounds. */
enum err transfer_log_each(struct transfer_log *log, const struct transfer_filter *filter,
                           void (*each)(void *user, const struct transfer *transfer), void *user);
/* Forgets a site's lines, or all (NULL); overwritten, not only unlinked. */
enum err transfer_log_clear(struct transfer_log *log, const char *site);
