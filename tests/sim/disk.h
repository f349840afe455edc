/* A visitor's store. It hashes what it is given like host/io/hasher and keeps only bits: whatever
 * has the right hash is the publisher's file, and the world has that (publisher.h). It survives
 * visitor_kill. */
#pragma once

#include "base/bitfield.h"
#include "core/update.h"
#include "world.h"

struct disk_key {
    uint8_t root[HASH_LENGTH];
    uint32_t piece_length; /* of the bits; a complete file fits every torrent that has it */
};

struct disk_content {
    struct disk_key key;
    uint64_t length;
    struct bitfield have;
    const struct content *content;
    struct bitfield damaged;
    UT_hash_handle hh;
};

struct disk_torrent {
    uint8_t infohash[HASH_LENGTH];
    struct buf bytes;
    UT_hash_handle hh;
};

struct disk_site {
    char *site;
    struct site_record record;
    struct buf release, signature;
    UT_hash_handle hh;
};

struct disk {
    struct visitor *visitor;
    struct disk_content *contents;
    struct disk_torrent *torrents;
    struct disk_site *sites;
    struct settings_record settings;
    bool has_settings;
    uint64_t rate;      /* bytes a second, hashing and writing */
    uint32_t delay_us;  /* of every operation */
    uint32_t jitter_us; /* up to so much more, at random: operations overtake each other */
    uint64_t free_us;
    enum err fail_with;  /* the next writes fail like this */
    uint32_t fail_times; /* how many; UINT32_MAX: all */
    uint64_t space;      /* for content: a file takes all of its length with its first piece;
                          * 0: without end */
    bool saves_nothing;  /* no site, torrent or setting: as on a disk that is full to the last */
    struct job *jobs;
    uint64_t waiting, waited_most; /* bytes handed over and not yet written: now, and ever */
    uint64_t stored, refused;      /* pieces */
    uint32_t rebuild_tries, rebuilt, rebuilding_most; /* files; at once */
    bool lost;                                        /* something that it had */
};

struct disk *disk_new(struct visitor *visitor);
void disk_free(struct disk *disk);
/* The machine stops: nothing that is under way ends. */
void disk_stop(struct disk *disk);

void disk_load_torrent(struct disk *disk, const struct effect *effect);
void disk_load_content(struct disk *disk, const struct effect *effect);
void disk_store_piece(struct disk *disk, struct effect *effect); /* takes the data */
void disk_load_leaves(struct disk *disk, const struct effect *effect);
void disk_rebuild(struct disk *disk, struct effect *effect); /* takes the text */
/* One byte of it is no longer what it was; nobody has noticed yet. */
void disk_damage(struct disk *disk, const uint8_t root[HASH_LENGTH], uint32_t piece);
void disk_save_site(struct disk *disk, const struct effect *effect);
void disk_save_settings(struct disk *disk, const struct effect *effect);
void disk_save_torrent(struct disk *disk, const struct effect *effect);
/* As after an earlier visit: the site's release and torrents are there, and no content. */
void disk_know(struct disk *disk, const struct publisher *publisher);
/* The same, with every file of it; before the visitor starts. */
void disk_hold(struct disk *disk, const struct publisher *publisher);
void disk_restore(struct disk *disk); /* EVENT_SETTINGS, EVENT_RESTORED for every site */

/* Is [first, end) of that file there? */
bool disk_has(const struct disk *disk, const uint8_t root[HASH_LENGTH], uint32_t piece_length,
              uint64_t first, uint64_t end);
uint64_t disk_bytes(const struct disk *disk);
uint64_t disk_reserved(const struct disk *disk); /* what its files take, whole */
