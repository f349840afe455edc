/* The parts of `fringe publish`. Layer: app.
 *
 *   publish_scan   DIR -> a list of files, refusing what could not be served or shared
 *   publish_hash   the list -> pieces roots and layers, on all cores
 *   publish_delta  patches from older versions, a bundle of their own
 *   publish_catalog  a folder of very many files in bundles, and the list of them
 *   publish_plan   the release before, the bundles that stay, the new release
 *   publish_write  everything into WEBROOT, the signature last
 *   publish_past   which files belong to which of the last releases, and which to none any more
 *   publish_tell   what was done, and in which order to upload it
 *
 * Every function that can fail says on stderr what to do, and answers false. */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"
#include "wire/catalog.h"
#include "wire/metainfo.h"
#include "wire/minisign.h"
#include "wire/release.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define PUBLISH_PREVIOUS 8

struct publish_file {
    char *path;       /* relative to DIR, raw bytes */
    struct stat info; /* as the scan saw it: hashing must see the same */
    uint8_t root[HASH_LENGTH];
    uint8_t *layer; /* NULL when it has at most one piece */
};

struct publish_files {
    struct publish_file *items;
    size_t count, capacity;
    uint64_t bytes;
    size_t hidden; /* names left out because they begin with a dot */
    char hidden_example[256];
};

/* The files below .well-known/fringe/ that belong to one release alone: its torrents and
 * patches. */
struct publish_names {
    char **items;
    size_t count, capacity;
};

struct publish_past {
    struct publish_past_release {
        uint64_t seq;
        struct publish_names files;
    } * releases; /* the oldest first */
    size_t count;
    struct publish_names old; /* files of releases that are no longer kept */
};

struct publish_options {
    const char *dir, *site, *out, *key, *password_file, *version, *sharing, *next_key_file;
    const char *plan;      /* lists of what to upload, one for each step, begin with this name */
    const char *base_text; /* as it was typed */
    char *base;            /* "/static/"; NULL: nothing is shared any more */
    const char *trackers[LIMIT_TRACKERS], *supernodes[LIMIT_SUPERNODES];
    struct release_pair types[LIMIT_RELEASE_TYPES], headers[LIMIT_RELEASE_HEADERS];
    size_t tracker_count, supernode_count, type_count, header_count;
    uint64_t expires_days;
    const char *previous[PUBLISH_PREVIOUS]; /* folders with older versions */
    size_t previous_count;
    uint64_t keep;    /* releases whose torrents stay */
    bool only;        /* forget the other bundles of the release before */
    bool is_unsigned; /* for a key on another machine: `minisign -S` follows */
    bool new_key;     /* sign with another key although hosts will object */
};

/* A large folder, cut into bundles; all of it is empty for others. */
struct publish_catalog {
    struct publish_slice {
        size_t start, count; /* of the files */
        uint64_t bytes;
        struct release_bundle bundle;
        struct buf torrent;
    } * slices;
    size_t slice_count;
    struct publish_page {
        char name[HEX_LENGTH(HASH_LENGTH) + sizeof ".catalog"];
        struct buf data;
    } * pages; /* the index last */
    size_t page_count;
};

/* What is on its way to WEBROOT. */
struct publish_plan {
    struct release *before; /* NULL: the first release */
    struct release release; /* borrows from options and before; bundles is its own */
    size_t own;             /* which of the bundles is DIR, if catalog has no slices */
    struct publish_catalog catalog;
    struct buf torrent, json, signature;
    struct minisign_key key; /* of the signature, also of one that is still to be made */
    bool has_key;
    char next_key[57];
    struct publish_past past;
    struct publish_files patches; /* a bundle of their own when there are any */
    uint32_t patch_piece_length;
    struct buf patch_torrent;
    uint64_t patched_files, patched_bytes; /* that have a new one */
    struct metainfo *patches_before;
    struct metainfo *own_before; /* what the release before had at this base, or NULL */
};

bool publish_scan(const char *dir, const char *base, struct publish_files *ret);
/* Sorts by path; one of the same path stays. */
void publish_files_sort(struct publish_files *files);
void publish_files_add(struct publish_files *files, const char *path, const struct stat *info);
void publish_files_done(struct publish_files *files);
/* 64 KiB, for quick first bytes; doubled, up to 16 MiB, while the bundle would have more than
 * 2^17 pieces (from 8 GiB on): the piece layers, which every host loads, stay below 4 MiB. */
uint32_t publish_piece_length(uint64_t bytes);
bool publish_hash(const char *dir, struct publish_files *files, uint32_t piece_length);

/* "https://Game.Example/" -> "https://game.example"; a site has no path. NULL after a message. */
char *publish_read_site(const char *text);
/* Everything that can be refused before the long work of hashing. */
bool publish_plan_check(const struct publish_options *options, const struct publish_files *files,
                        const struct minisign_secret *secret, struct publish_plan *plan);
/* With the hashes: makes patches from options->previous, and chooses those that stay. */
bool publish_patches(const struct publish_options *options, const struct publish_files *files,
                     struct publish_plan *plan);
/* NULL when it is not there, or not what the release says. */
struct metainfo *publish_read_torrent(const struct publish_options *options,
                                      const struct release_bundle *bundle);
/* So many files that they are cut into bundles of a catalog. */
bool publish_is_large(const struct publish_files *files);
/* Fills in the slices and answers the piece length for all. */
uint32_t publish_catalog_cut(const struct publish_files *files, struct publish_catalog *catalog);
/* With the hashes: the torrents, the pages, and what the release says of them. */
bool publish_catalog_build(const struct publish_options *options, const struct publish_files *files,
                           uint32_t piece_length, struct publish_plan *plan);
void publish_catalog_done(struct publish_catalog *catalog);
/* The torrent of these files, with its info-hash in bundle. */
bool publish_torrent(const struct publish_options *options, const struct publish_files *files,
                     uint32_t piece_length, struct release_bundle *bundle, struct buf *torrent);
/* With the hashes: the torrent, release.json, its signature (not with is_unsigned). */
bool publish_plan_build(const struct publish_options *options, const struct publish_files *files,
                        uint32_t piece_length, const struct minisign_secret *secret,
                        struct publish_plan *plan);
void publish_plan_done(struct publish_plan *plan);

/* One publisher at a time: numbers must not be given twice. The lock to close, or -1. */
int publish_lock(const struct publish_options *options);
/* A worker that the site wrote itself is not overwritten: false when there is one. */
bool publish_worker_is_ours(const struct publish_options *options);
/* The worker with its CONFIG line filled in; false when the template has none. */
bool publish_worker(const struct release *release, struct buf *out);
bool publish_write(const struct publish_options *options, const struct publish_plan *plan);

/* Reads .well-known/fringe/history.json; the release before is in it even if it was not. */
void publish_past_load(const struct publish_options *options, struct publish_plan *plan);
/* Adds the new release, leaves out what is older than the last options->keep, and says in
 * past.old which files nobody needs any more. */
void publish_past_add(const struct publish_options *options, struct publish_plan *plan);
void publish_past_write(const struct publish_past *past, struct buf *out);
void publish_past_done(struct publish_past *past);
/* When the new release is in place. What cannot be removed is told and tried again next time:
 * history.json still names it then. */
void publish_remove_old(const struct publish_options *options, struct publish_plan *plan);

/* Result, order of upload, what comes next. False when the lists could not be written. */
bool publish_tell(const struct publish_options *options, const struct publish_plan *plan,
                  const struct publish_files *files);
/* Warns when the files are not where the site would serve them from. */
void publish_check_served(const struct publish_options *options, const struct publish_files *files);
