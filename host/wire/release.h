/* release.json: what a site says of its shareable files (host/PROTOCOL.md 1.1).
 * Layer: wire (pure). Immutable after parsing. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "wire/merkle.h"

#include <stdint.h>

struct release_bundle {
    char *base; /* "/static/" */
    uint8_t infohash[HASH_LENGTH];
    uint64_t files, bytes;
    uint32_t piece_length;
};

/* The bundles of a site that has too many to list them (wire/catalog.h), all of one base. */
struct release_catalog {
    char *base;                  /* NULL: the release has none */
    uint8_t sha256[HASH_LENGTH]; /* of the index page */
    uint32_t bytes;              /* of it */
    uint64_t files;              /* of all the bundles */
};

struct release_pair {
    char *name, *value;
};

struct release {
    char *site, *version, *sharing, *next_key; /* version "" and next_key NULL when absent */
    uint64_t seq, issued, expires;
    size_t bundle_count, type_count, header_count, tracker_count, supernode_count;
    struct release_bundle *bundles;
    struct release_catalog catalog;
    struct release_pair *types, *headers;
    char **trackers, **supernodes;
};

/* A refusal in words: which key is wrong and how. */
struct reason {
    char text[200];
};

enum err release_parse(const uint8_t *data, size_t length, struct release **ret,
                       struct reason *ret_reason);
void release_free(struct release *release);
/* Appends canonical, indented JSON, the same for the same release. ERR_* as parsing would. */
enum err release_write(const struct release *release, struct buf *out, struct reason *ret_reason);
/* Nothing is shared: the publisher's kill switch. */
bool release_is_empty(const struct release *release);
/* The path behind the catalog's base when that is where the path belongs, else NULL. */
const char *release_in_catalog(const struct release *release, const char *path);
/* The bundle that holds an asset path as path_decode gives it (the longest base wins), or NULL;
 * *ret_relative points into path behind the base. */
const struct release_bundle *release_find_bundle(const struct release *release, const char *path,
                                                 const char **ret_relative);
/* The media type of a path: the site's longest matching suffix, else the built-in table. */
const char *release_media_type(const struct release *release, const char *path);

/* The trusted comment (host/PROTOCOL.md 1.2). */
struct release_comment {
    char site[288];
    uint64_t seq, expires;
    uint8_t sha256[HASH_LENGTH];
};
enum err release_comment_parse(const char *text, struct release_comment *ret);
void release_comment_format(const struct release *release, const uint8_t sha256[HASH_LENGTH],
                            struct buf *out);
/* Signature, comment and JSON agree, and are of that site: the one way to accept a release.
 * key: minisign public key. now_s for `expires`. */
struct minisign_key;
enum err release_verify(const uint8_t *json, size_t json_length, const uint8_t *sig,
                        size_t sig_length, const struct minisign_key *key, const char *site,
                        uint64_t now_s, struct release **ret, struct reason *ret_reason);
