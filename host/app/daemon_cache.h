/* The cache's books and the store: who may write a file, what goes when there is no room, what the
 * visitor chose for each site. The only owner of core/cache. Layer: app; private to the daemon.
 *
 * A file is held (it cannot go) while a page reads it, while it is coming, and for CACHE_LEASE_MS
 * after a part of it was given to somebody. What has to go leaves the
 * books at once and the disk a little later, in small steps and never in the middle of carrying out
 * effects; then the node hears of it (EVENT_FILE_GONE) and tells its peers. */
#pragma once

#include "core/update.h"
#include "io/store.h"

struct daemon;
struct daemon_cache;

#define CACHE_LEASE_MS 30000

/* NULL only when the store knows nothing and can learn nothing. */
void daemon_cache_open(struct daemon *daemon);
void daemon_cache_close(struct daemon *daemon); /* before the store */
/* Before a byte is written. ERR_QUOTA: the visitor's limits leave no room; ERR_NO_SPACE: the disk.
 */
enum err daemon_cache_reserve(struct daemon *daemon, const struct metainfo_file *file,
                              const char *site);
/* ERR_NO_SPACE: less of the disk is free than must be. */
enum err daemon_cache_room(struct daemon *daemon);
/* A part of it is read here; is given to somebody; is stored: it stays for a while. */
void daemon_cache_used(struct daemon *daemon, const uint8_t root[HASH_LENGTH]);
void daemon_cache_given(struct daemon *daemon, const uint8_t root[HASH_LENGTH]);
void daemon_cache_stored(struct daemon *daemon, const uint8_t root[HASH_LENGTH]);
/* A page reads it, until the stream is closed (an unknown one: nothing). */
void daemon_cache_stream(struct daemon *daemon, uint64_t stream, const uint8_t root[HASH_LENGTH]);
void daemon_cache_stream_closed(struct daemon *daemon, uint64_t stream);
/* All of the torrent's files are that site's, and of a release that is in use. */
void daemon_cache_current(struct daemon *daemon, const struct metainfo *meta, const char *site);
void daemon_cache_old(struct daemon *daemon, struct span roots);
/* With the store's batch. */
void daemon_cache_flush(struct daemon *daemon);
/* The visitor's own quota (0: the default). */
void daemon_cache_set_quota(struct daemon *daemon, uint64_t quota);
/* cache, cache.clear, cache.keep, cache.quota (PROTOCOL.md 2). */
void daemon_cache_request(struct daemon *daemon, uint64_t client,
                          const struct api_request *request);
