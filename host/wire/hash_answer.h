/* Answers BEP 52 hash requests from a parsed torrent. Layer: wire (pure).
 *
 * The torrent holds every piece layer, so hashes of that level and above need nothing else.
 * Below it (the 16 KiB blocks of a piece, asked for when the piece turned out bad) the leaves of
 * that one piece are needed: the caller reads the piece and hashes it (merkle_leaves). */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "wire/metainfo.h"
#include "wire/peer_msg.h"

struct hash_plan {
    uint32_t file;
    uint32_t piece;  /* of the torrent; UINT32_MAX when no leaves are needed */
    uint32_t uncles; /* that follow the hashes */
};

/* What an answer to this request takes; an error means a hash reject.
 *   ERR_NOT_FOUND  no file has that root
 *   ERR_RANGE      numbers that fit no such tree, or a file of one block, which has no tree
 *   ERR_TOO_LARGE  more than LIMIT_HASHES_COUNT, or blocks of more than one piece
 * near: a file that is looked at first, such as that of the last request. Else all files are
 * walked through: limit how often a peer may ask. */
enum err hash_answer_plan(const struct metainfo *meta, const struct peer_hashes *request,
                          uint32_t near, struct hash_plan *ret);
/* Appends the hashes and their uncles. leaves: those of plan->piece, real blocks only (NULL when
 * none are needed); they must be right, that is, of a piece that has been verified. */
void hash_answer(const struct metainfo *meta, const struct peer_hashes *request,
                 const struct hash_plan *plan, const uint8_t *leaves, struct buf *out);
