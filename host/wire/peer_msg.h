/* The peer wire: handshake and messages of BEP 3, 6, 10 and 52 as structs. Layer: wire (pure).
 *
 * The decoder is a cursor over bytes that have arrived: it takes one whole message at a time and
 * says ERR_MORE when it needs more. Payloads are borrowed from the input. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/merkle.h"

#include <stdbool.h>

#define PEER_ID_LENGTH    20
#define SHORT_HASH_LENGTH 20 /* an info-hash truncated as the handshake and trackers want it */
#define HANDSHAKE_LENGTH  68

struct peer_handshake {
    bool extended, fast; /* reserved bits of BEP 10 and BEP 6 */
    uint8_t infohash[SHORT_HASH_LENGTH];
    uint8_t peer_id[PEER_ID_LENGTH];
};

/* ERR_MORE below 68 bytes (but ERR_SYNTAX as soon as the first bytes are wrong). */
enum err peer_handshake_decode(const uint8_t *data, size_t length, struct peer_handshake *ret);
void peer_handshake_encode(const struct peer_handshake *handshake, struct buf *out);

enum peer_msg_kind {
    PEER_CHOKE = 0,
    PEER_UNCHOKE = 1,
    PEER_INTERESTED = 2,
    PEER_NOT_INTERESTED = 3,
    PEER_HAVE = 4,
    PEER_BITFIELD = 5,
    PEER_REQUEST = 6,
    PEER_PIECE = 7,
    PEER_CANCEL = 8,
    PEER_PORT = 9,
    PEER_SUGGEST = 13,
    PEER_HAVE_ALL = 14,
    PEER_HAVE_NONE = 15,
    PEER_REJECT = 16,
    PEER_ALLOWED_FAST = 17,
    PEER_EXTENDED = 20,
    PEER_HASH_REQUEST = 21,
    PEER_HASHES = 22,
    PEER_HASH_REJECT = 23,
    PEER_KEEP_ALIVE = 256, /* length 0 */
    PEER_UNKNOWN = 257,    /* a valid frame with an id we do not know: ignored */
};

struct peer_hashes {
    uint8_t root[HASH_LENGTH];
    uint32_t base, index, count, proof_layers;
    struct span hashes; /* PEER_HASHES only: whole 32-byte hashes */
};

/* Is the one about what the other is about? The hashes themselves are not compared. */
bool peer_hashes_match(const struct peer_hashes *a, const struct peer_hashes *b);

struct peer_msg {
    enum peer_msg_kind kind;
    uint32_t index, begin, length; /* have, request, cancel, reject, piece, suggest, .. */
    struct span payload;           /* bitfield; piece: the data; extended: after the id byte */
    uint8_t extended_id;           /* 0 is the handshake */
    uint16_t port;
    struct peer_hashes hash; /* 21, 22, 23 */
};

/* Takes one message from data. ERR_OK: *ret is filled and *ret_used is its whole length.
 * ERR_MORE: not complete. ERR_TOO_LARGE, ERR_SYNTAX (wrong length for its kind): close. */
enum err peer_msg_decode(const uint8_t *data, size_t length, struct peer_msg *ret,
                         size_t *ret_used);
/* Appends the message. For PEER_PIECE only the 13 bytes before the data are written, with the
 * frame length counting payload.length: the data follows from the store without a copy. */
void peer_msg_encode(const struct peer_msg *msg, struct buf *out);

/* The BEP 10 extended handshake (ext-id 0), as far as we use it. It may come again; then it adds to
 * what was said, and an id of 0 takes an extension back: so `named` tells 0 from not named. */
enum {
    PEER_NAMES_FRINGE_CLAIM = 1,
    PEER_NAMES_FRINGE_RELEASE = 2,
    PEER_NAMES_LT_DONTHAVE = 4,
    PEER_NAMES_UT_METADATA = 8,
    PEER_NAMES_UT_PEX = 16,
    PEER_NAMES_UPLOAD_ONLY = 32,
};

struct peer_extended {
    uint8_t ut_metadata, ut_pex, lt_donthave, fringe_claim, fringe_release; /* 0: not offered */
    uint8_t upload_only_id;             /* libtorrent's message of that name */
    uint8_t named;                      /* encoding: these are written even with the id 0 */
    uint32_t swarm_size;                /* ours: as the sender's tracker counts it; 0: not said */
    uint32_t reqq;                      /* 0: not said */
    uint32_t metadata_size;             /* 0: not said */
    uint16_t port;                      /* 0: not said */
    bool upload_only, says_upload_only; /* says: 0 is written too */
    struct address your_ip; /* the receiver's, as the sender sees it; family 0: not said */
    char version[64];       /* printable ASCII, cut */
};

enum err peer_extended_decode(struct span payload, struct peer_extended *ret);
void peer_extended_encode(const struct peer_extended *extended, struct buf *out);
