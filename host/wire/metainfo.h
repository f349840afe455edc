/* BEP 52 metainfo, v2 only: parse and write. Layer: wire (pure).
 *
 * Nothing outside `info` is authenticated, so trackers and web seeds are not read here. A parsed
 * metainfo is complete and proven in itself: every piece layer has been hashed up to its root,
 * every name is a plain path segment, and the pieces are counted. Immutable after parsing. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "wire/merkle.h"

#include <stdbool.h>

struct metainfo_file {
    const char *path; /* relative, '/' between segments, raw bytes as in the file tree */
    uint64_t length;  /* 0: no root, no pieces */
    uint8_t root[HASH_LENGTH];
    uint32_t first_piece; /* number of its first piece in the torrent */
    uint32_t pieces;      /* ceil(length / piece_length) */
    const uint8_t *layer; /* pieces * 32 bytes; NULL when pieces <= 1 (the root is the hash) */
};

struct metainfo {
    uint8_t infohash[HASH_LENGTH]; /* SHA-256 of the exact info dictionary */
    char *name;
    uint32_t piece_length;
    uint32_t file_count, piece_count;
    uint64_t length;             /* of all files */
    struct metainfo_file *files; /* in file tree order: raw-byte order of each segment */
    uint32_t *by_path;           /* file numbers sorted by strcmp of path */
    uint32_t info_length;        /* of the info dictionary, for BEP 9; metainfo_find_info */
    char *paths;                 /* the memory behind files[].path and files[].layer */
    uint8_t *layers;
};

/* Parses a .torrent. *ret is set only on ERR_OK; metainfo_free it. Among the refusals:
 *   ERR_UNSUPPORTED   v1 or hybrid, another meta version, symbolic links and pad files
 *   ERR_BAD_NAME      a name that is no plain path segment
 *   ERR_TOO_LARGE     over LIMIT_TORRENT*, LIMIT_FILE_LENGTH, LIMIT_PATH, LIMIT_PIECE_LENGTH
 *   ERR_MISSING       no info, name, file, length, root, or piece layer where one must be
 *   ERR_MISMATCH      a piece layer of the wrong size or that no file needs; one root, two lengths
 *   ERR_BAD_HASH      a piece layer that does not hash up to its file's root */
enum err metainfo_parse(const uint8_t *data, size_t length, struct metainfo **ret);
/* The same of an info dictionary alone: complete but for the piece layers, which are all NULL. */
enum err metainfo_parse_info(const uint8_t *data, size_t length, struct metainfo **ret);
/* The exact bytes of the info dictionary in a .torrent; nothing about it is checked but bencode. */
enum err metainfo_find_info(struct span torrent, struct span *ret_info);
void metainfo_free(struct metainfo *meta);

/* The number of the file with that path, or UINT32_MAX. */
uint32_t metainfo_find_path(const struct metainfo *meta, const char *path, size_t length);
/* The number of the file that holds that piece; piece < piece_count. */
uint32_t metainfo_file_of_piece(const struct metainfo *meta, uint32_t piece);
/* For qsort_r over numbers of files: those of the same content stand together. */
int metainfo_by_root(const void *a, const void *b, void *files);
/* The piece's length in real bytes, and the hash it must have. */
uint32_t metainfo_piece_bytes(const struct metainfo *meta, uint32_t piece);
const uint8_t *metainfo_piece_hash(const struct metainfo *meta, uint32_t piece);

/* What a publisher says of one file; layer as above (NULL when it has at most one piece). */
struct metainfo_entry {
    const char *path;
    uint64_t length;
    uint8_t root[HASH_LENGTH];
    const uint8_t *layer;
};

/* Writes a v2-only torrent. Entries in any order; ERR_DUPLICATE, ERR_BAD_NAME, ERR_RANGE when
 * they cannot be one. trackers and web_seeds may be empty. Canonical bencode; equal input gives
 * equal bytes. Appends to out. */
enum err metainfo_write(const char *name, uint32_t piece_length,
                        const struct metainfo_entry *entries, size_t count,
                        const char *const *trackers, size_t tracker_count,
                        const char *const *web_seeds, size_t web_seed_count, struct buf *out,
                        uint8_t ret_infohash[HASH_LENGTH]);
