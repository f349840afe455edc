/* The resolver: which file a page means, and whether the host may give it. Layer: core (pure). */
#pragma once

#include "core/swarm.h"

/* What a path of a page of release `seq` is. Exactly one of: found (swarm and file set), reason
 * set (a word of PROTOCOL.md), or neither: not known yet, wait. */
struct asset {
    struct swarm *swarm;
    struct site_release *release;
    uint32_t file;
    const char *reason;
};

struct asset asset_resolve(struct site *site, uint64_t seq, const char *path);
/* The media type that the release gives this path. Lives as long as the release. */
const char *asset_content_type(const struct asset *asset);
/* Counts the file for the document, once, and lets the want feed the counters. */
void asset_count(struct site *site, const char *doc, struct swarm *swarm, uint32_t file);
