/* The index's schema, number 5. Layer: io, private to store.
 *
 * SQLite keeps these statements as they are written, so an index is ours exactly when its schema
 * holds these texts and no others: a foreign file brings no trigger or view of its own. A change
 * gets the next number and a migration.
 *
 *   file     one row for each content file, keyed by the pieces root, whichever torrents hold it
 *     length        of the file
 *     piece_length  that the bits of `have` count
 *     have          bits of BEP 3's order, NULL: complete
 *     bytes         verified ones (what eviction adds up)
 *     boot          /proc/sys/kernel/random/boot_id when the row was written
 *     synced        the content has been on the disk since
 *     size, mtime_ns   of the content file when the row was written
 *     created, last_used   seconds since 1970; last_used is right to an hour
 *   site     one row for each site: the visitor's choice, the pinned key, the current release
 *   torrent  by info-hash, exact bytes; it names its files' roots, so no table links them
 *   setting  the visitor's limits and what belongs to them, a number each; since number 2
 *   blocked  the sites that have shown another key than the pinned one; since number 3
 *   cached   whose each content file is, and whether only old releases of it have it; since
 *            number 4: a file without such a row is of a site that is not known yet
 *   choice   what the visitor chose for a site's files: bytes at most (0: no limit of its own),
 *            and whether they stay; since number 4
 *   shared   bytes of a site's files that came from other visitors and super-nodes (down), and
 *            that were given to them (up), in all runs; since number 5 */
#pragma once

#define STORE_SCHEMA_NUMBER 5

static const char *const store_schema[] = {
    ("CREATE TABLE file (root BLOB NOT NULL PRIMARY KEY, length INTEGER NOT NULL, "
     "piece_length INTEGER NOT NULL, have BLOB, bytes INTEGER NOT NULL, boot BLOB NOT NULL, "
     "synced INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
     "created INTEGER NOT NULL, last_used INTEGER NOT NULL) STRICT, WITHOUT ROWID"),
    "CREATE INDEX file_by_use ON file (last_used)",
    ("CREATE TABLE site (site TEXT NOT NULL PRIMARY KEY, zone INTEGER NOT NULL, "
     "seq INTEGER NOT NULL, last_used INTEGER NOT NULL, key BLOB, release BLOB, "
     "signature BLOB) STRICT"),
    ("CREATE TABLE torrent (infohash BLOB NOT NULL PRIMARY KEY, last_used INTEGER NOT NULL, "
     "data BLOB NOT NULL) STRICT"),
    ("CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, "
     "WITHOUT ROWID"),
    "CREATE TABLE blocked (site TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID",
    ("CREATE TABLE cached (root BLOB NOT NULL PRIMARY KEY, site TEXT NOT NULL, "
     "old INTEGER NOT NULL) STRICT, WITHOUT ROWID"),
    ("CREATE TABLE choice (site TEXT NOT NULL PRIMARY KEY, quota INTEGER NOT NULL, "
     "keep INTEGER NOT NULL) STRICT, WITHOUT ROWID"),
    ("CREATE TABLE shared (site TEXT NOT NULL PRIMARY KEY, down INTEGER NOT NULL, "
     "up INTEGER NOT NULL) STRICT, WITHOUT ROWID"),
};

/* How many of them each number had. */
static const size_t store_schema_counts[STORE_SCHEMA_NUMBER] = {0, 4, 5, 6, 8};
#define STORE_SCHEMA_COUNT (sizeof store_schema / sizeof store_schema[0])
