/* A site's owner: seeded files in bundles, published as host/PROTOCOL.md 1 says on a web server of
 * the world. The world remembers every file ever published, so it can tell right bytes from wrong.
 */
#pragma once

#include "server.h"
#include "wire/metainfo.h"
#include "wire/minisign.h"
#include "wire/release.h"

#define PUBLISHER_BUNDLES 64

/* A published file, by pieces root. */
struct content {
    uint8_t root[HASH_LENGTH];
    uint64_t length;
    uint8_t *data;
    uint8_t *hashes; /* of its pieces of that length; NULL: not asked for yet */
    uint32_t hashes_piece_length;
    UT_hash_handle hh;
};

struct torrent {
    uint8_t key[20]; /* of the info-hash */
    struct metainfo *meta;
    struct publisher *publisher;
    UT_hash_handle hh;
};

struct publisher_file {
    char *path; /* relative to the base */
    uint8_t *data;
    uint64_t length;
};

struct publisher_bundle {
    char *base;
    uint32_t piece_length;
    struct publisher_file *files;
    size_t count, capacity;
    uint8_t infohash[HASH_LENGTH]; /* as last published */
};

/* What a path was in a release. */
struct published {
    uint64_t seq;
    char *path; /* raw, with the base */
    uint8_t root[HASH_LENGTH];
    uint64_t length;
    uint32_t piece_length;
};

struct publisher {
    struct world *world;
    char *site;
    struct server *server;
    struct minisign_secret secret;
    struct minisign_key key;
    uint64_t seq; /* of the last release */
    uint64_t lifetime_s;
    char *trackers[4];
    size_t tracker_count;
    char *supernodes[4];
    size_t supernode_count;
    bool supernodes_only;
    const char *next_key;
    struct publisher_bundle bundles[PUBLISHER_BUNDLES];
    size_t bundle_count;
    bool has_catalog; /* the bundles from `listed` on, all of one base and rising by path */
    size_t listed;
    struct published *published;
    size_t published_count, published_capacity;
    struct buf json, signature; /* of the last release */
    struct publisher *next;
};

/* With one empty bundle, "/static/", pieces of 64 KiB; link NULL: LINK_FAST. */
struct publisher *publisher_new(struct world *world, const char *site, const struct link *link);
void publishers_free(struct world *world);
struct publisher *publisher_find(struct world *world, const char *site);
size_t publisher_add_bundle(struct publisher *publisher, const char *base, uint32_t piece_length);
/* Adds or replaces a file; its content depends on content_seed and length only. */
void publisher_add(struct publisher *publisher, size_t bundle, const char *path, uint64_t length,
                   uint64_t content_seed);
/* Visitors of the next release are told of a super-node there: "tcp", "wss". */
void publisher_add_supernode(struct publisher *publisher, const char *scheme,
                             const struct host *host);
/* The file of that path; an empty one is made when there is none. */
struct publisher_file *publisher_file(struct publisher_bundle *bundle, const char *path);
/* Its torrent's entry; the layer is the caller's. */
void publisher_hash(const struct publisher_file *file, uint32_t piece_length,
                    struct metainfo_entry *ret);
/* Makes torrents, release and signature of what there is, with the next seq, and puts all of it
 * on the server. */
void publisher_publish(struct publisher *publisher);
/* A new key pair, for the next release. */
void publisher_new_key(struct publisher *publisher, uint64_t seed);
/* Signs any JSON as if it were a release of that number and puts both on the server. */
void publisher_put_release(struct publisher *publisher, const char *json, size_t length,
                           const char *comment_site, uint64_t seq, uint64_t expires);
char *publisher_torrent_path(const struct publisher *publisher, size_t bundle); /* owned */

const struct published *publisher_lookup(const struct publisher *publisher, uint64_t seq,
                                         const char *path);
struct content *library_find(struct world *world, const uint8_t root[HASH_LENGTH]);
/* The hash of a piece; whoever asks for pieces of one length all the time has it computed once. */
const uint8_t *content_hash(struct content *content, uint32_t piece_length, uint32_t piece);
struct torrent *library_torrent(struct world *world, const uint8_t infohash[20]);
