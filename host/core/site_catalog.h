/* Where the files of a large site lie (wire/catalog.h, PROTOCOL.md 1.6): a release with a catalog
 * names its bundles by one hash. Here the index, the page for a path, and the bundle's swarm are
 * had when somebody first needs them, each once however many ask. Layer: core (pure). */
#pragma once

#include "core/site.h"

/* What is known of one release's catalog. */
struct site_catalog;

/* The swarm of the bundle that covers the path (behind the catalog's base), counted among
 * entry->swarms from now on. NULL: *ret_reason says why not; NULL: wait, site_answer_waiting is
 * called. */
struct swarm *site_catalog_swarm(struct site *site, struct site_release *entry, const char *path,
                                 const char **ret_reason);
/* The release is newer than one whose bundles are in use: the new ones of the same paths come, too.
 * Returns when to try again. */
uint64_t site_catalog_follow(struct site *site);
/* A super-node takes all bundles, some at a time; true: there are more to come. */
bool site_catalog_take_all(struct site *site);
void site_catalog_free(struct site_release *entry);
