/* What delta.c (a held want's life) and delta_choose.c (which patch, if any) share. Layer: core
 * (pure); private to them. */
#pragma once

#include "core/delta.h"

enum delta_state { DELTA_LOADING, DELTA_FETCHING, DELTA_REBUILDING };

struct delta {
    struct want *want;
    enum delta_state state;
    uint8_t patches[HASH_LENGTH]; /* infohash of their bundle */
    uint32_t patch;               /* its file there */
    struct metainfo_file old;     /* a copy (path and layer not valid) */
    uint32_t old_piece_length;
    uint64_t since_ms, op;
};

/* --- delta_choose.c */

/* The newest release with that swarm, and the bundle of its patches; NULL: it has none. */
struct swarm *delta_find_patches(const struct swarm *swarm, struct site_release **ret_entry);
/* The same bundle later; NULL: it has gone. */
struct swarm *delta_patches(const struct delta *delta);
/* Of the patches whose old file is here, and that are worth it, the shortest; false: there is
 * none. */
bool delta_choose(struct delta *delta, const struct swarm *patches);
