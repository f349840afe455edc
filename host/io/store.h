/* The shared cache on disk: an SQLite index (WAL) and one content file per pieces root.
 * Layer: io. Synchronous; used from the loop's thread only (workers get file descriptors).
 *
 *   DIR/lock            flock'ed while a daemon runs
 *   DIR/index.sqlite    schema in store_schema.h, user_version = its number
 *   DIR/content/ab/abcd...   content, named by the 64 hex digits of the pieces root
 *
 * Crash safety: a piece's bytes are verified and written before its bit is recorded, and bits are
 * recorded in batches, so a kill loses at most unrecorded pieces. Page cache can be lost with
 * power: a row remembers the boot it was written in and whether it was synced since; an unsynced
 * file of another boot, or one whose size or mtime is not what the row says, is verified again
 * before a byte of it is used; a complete one is looked at each time it is given out, also while
 * it stays open.
 *
 * fsync: content is synced by a thread of the store's own, 30 s after it was recorded and at most
 * every 30 s, and the index's log moves into the index there too, so that no flush waits for the
 * disk; the rest at store_close. */
#pragma once

#include "base/bitfield.h"
#include "base/bytes.h"
#include "base/err.h"
#include "wire/api.h"
#include "wire/metainfo.h"
#include "wire/minisign.h"

struct store;

/* ERR_BUSY: another daemon holds the lock. ERR_UNSUPPORTED: a newer schema. A corrupt index is
 * moved aside (index.sqlite.corrupt) and a new one begun; content is then found again by
 * verification. Creates DIR with mode 0700. */
enum err store_open(const char *dir, struct store **ret);
/* A disk that is full or read-only is no reason not to open: what can be read is read, nothing is
 * kept. ERR_OK, or why. It stays so until the store is opened again. */
enum err store_trouble(const struct store *store);
/* Could something be written now? ERR_OK, ERR_NO_SPACE, ERR_READ_ONLY, ERR_IO. Tries with as much
 * room as was refused last. */
enum err store_probe(struct store *store);
void store_close(struct store *store); /* records and syncs what is open */

/* --- sites and releases */
struct store_site {
    const char *site;
    enum zone zone;                 /* ZONE_DEFAULT: never chosen */
    bool has_key, blocked;          /* blocked: it has shown another key since */
    struct minisign_key key;        /* pinned */
    uint64_t seq;                   /* highest accepted; 0: none */
    struct span release, signature; /* the current release, {NULL, 0} when none */
};
/* Calls each for every site, most recently used first; everything borrowed for the call. */
enum err store_each_site(struct store *store,
                         void (*each)(void *user, const struct store_site *site), void *user);
/* Inserts or replaces. Over LIMIT_SITES the least recently used go, those with a choice last.
 * ERR_RANGE: longer than the caps. */
enum err store_save_site(struct store *store, const struct store_site *site);
enum err store_save_torrent(struct store *store, const uint8_t infohash[HASH_LENGTH],
                            struct span torrent);
enum err store_load_torrent(struct store *store, const uint8_t infohash[HASH_LENGTH],
                            struct buf *ret_torrent); /* ERR_NOT_FOUND */

/* --- settings: numbers by name */
struct store_setting {
    const char *name;
    uint64_t value; /* up to 2^63 - 1 */
};
enum err store_each_setting(struct store *store,
                            void (*each)(void *user, const struct store_setting *setting),
                            void *user);
/* All of them or none. */
enum err store_save_settings(struct store *store, const struct store_setting *settings,
                             size_t count);

/* --- the cache's books (core/cache.h) */
struct store_cached {
    const uint8_t *root; /* borrowed for the call, as `site` is */
    const char *site;    /* "": not known */
    uint64_t length, used_s;
    bool old; /* only releases that are over have it */
};
/* Every file of the index, least recently used first. */
enum err store_each_cached(struct store *store,
                           void (*each)(void *user, const struct store_cached *file), void *user);
/* Every content file in one of the 256 folders, whether the index knows it or not: a crash, or an
 * index that was begun anew, leaves some that it does not. */
void store_each_content(struct store *store, unsigned folder,
                        void (*each)(void *user, const struct store_cached *file), void *user);
struct store_owner {
    uint8_t root[HASH_LENGTH];
    const char *site;
    bool old;
};
/* All of them or none. */
enum err store_save_owners(struct store *store, const struct store_owner *owners, size_t count);
struct store_choice {
    const char *site;
    uint64_t quota; /* bytes of its files; 0: no limit of its own */
    bool keep;      /* they stay when others go */
};
enum err store_each_choice(struct store *store,
                           void (*each)(void *user, const struct store_choice *choice), void *user);
enum err store_save_choice(struct store *store, const struct store_choice *choice);
struct store_shared {
    const char *site;
    uint64_t down, up; /* bytes, at most JSON_INTEGER_MAX: from others, and to others */
};
/* Those of sites that are forgotten go first. */
enum err store_each_shared(struct store *store,
                           void (*each)(void *user, const struct store_shared *shared), void *user);
/* All of them or none. */
enum err store_save_shared(struct store *store, const struct store_shared *list, size_t count);
enum err store_forget_shared(struct store *store, const char *site); /* NULL: of all sites */
/* The content and all that is known of it. Not in the middle of carrying out effects: who asked for
 * the file would get an empty one. ERR_BUSY: it is pinned. */
enum err store_remove(struct store *store, const uint8_t root[HASH_LENGTH]);
struct store_disk {
    uint64_t free, size; /* bytes; free: for us */
};
enum err store_disk(const struct store *store, struct store_disk *ret);

/* --- content */
/* Sets in ret_have (piece_count bits, initialised here) every piece of the torrent that is in the
 * store. Files that must be verified again (see above) are verified here, piece by piece, which
 * takes a second for 1.5 GB. A file that cannot be read is as one that is absent: ERR_OK. */
enum err store_load_have(struct store *store, const struct metainfo *meta,
                         struct bitfield *ret_have);
/* A descriptor for reading/writing the file's content; created with its full length reserved
 * when absent. Borrowed; kept open at least until the next loop turn, or while pinned. Only root
 * and length of the file are used. ERR_NO_SPACE: it was not made. ERR_MISMATCH: the root belongs
 * to a file of another length, or is in use with other pieces; or the content is no longer what
 * was recorded: its pieces are forgotten, and it stays unusable until store_load_have has looked
 * at it. */
enum err store_fd(struct store *store, const struct metainfo_file *file, uint32_t piece_length,
                  int *ret_fd);
void store_pin(struct store *store, const uint8_t root[HASH_LENGTH]); /* keep fd open: counts */
void store_unpin(struct store *store, const uint8_t root[HASH_LENGTH]);
/* The piece's bytes are in the file: remember it. Recorded with the next batch (of 128 files, or
 * at store_flush). The file is pinned from store_fd until here. */
void store_mark_piece(struct store *store, const struct metainfo_file *file, uint32_t piece_length,
                      uint32_t piece_in_file);
/* Is anything of the file here; is all of it? */
bool store_has_content(const struct store *store, const uint8_t root[HASH_LENGTH]);
bool store_is_whole(const struct store *store, const uint8_t root[HASH_LENGTH]); /* in memory */
/* The content is not what it should be: its pieces are forgotten, and it is unusable until
 * store_load_have has looked at it. */
void store_doubt(struct store *store, const uint8_t root[HASH_LENGTH]);
/* Writes the batch. Call it every second or so and when idle. When it fails nothing is lost but
 * time: the next one tries again. A broken index is begun anew here. */
enum err store_flush(struct store *store);
/* Something is recorded and not on the disk for sure: store_flush is to be called again within a
 * minute, even when nothing else happens. */
bool store_waits_for_sync(const struct store *store);
struct store_totals {
    uint64_t files, bytes; /* complete files; verified bytes, those of parts too */
};
struct store_totals store_totals(const struct store *store);
