/* A swarm: one bundle, its pieces, its peers, and what is wanted of it. Layer: core (pure).
 *
 *   swarm.c         life: torrent -> content -> ready; pieces stored; HAVE to all
 *   getting.c       the torrent from peers, when the site does not give it
 *   swarm_lost.c    pieces that the store has no more, no_room.c those it would not take
 *   swarm_want.c    wanted files, their streams, failure
 *   swarm_fetch.c   pieces from peers: requests, blocks, end-game
 *   swarm_blame.c   who sent what does not have its hash, blame_cases.c when that is not clear
 *   swarm_origin.c  pieces from the origin: when, and how much
 *   origin_trust.c  what it did wrong, and what follows
 *   swarm_crowd.c   who of a crowd asks the origin for what (crowd.h), swarm_claim.c its claims,
 *                   crowd_tell.c what we say of ours
 *   find.h          finding peers, in the files that it names
 *   swarm_supernode.c  a visitor's connection to a super-node; supernode.h is the other side
 *   picker.c        which piece next
 *   delta.h         a new version of a file from the old one and a patch
 *   peer.c          one connection's wire protocol */
#pragma once

#include "core/site.h"
#include "wire/tracker.h"

/* Bytes handed to the store that the disk has not taken yet: over this, no more are asked for. */
#define STORING_MAX MIB(16)
/* For peers to connect and say what they have, before the origin is asked. */
#define SWARM_SETTLE_MS 300
/* Without a want, before neighbours are told so. */
#define SWARM_IDLE_MS 1000

enum swarm_state { SWARM_LOADING, SWARM_READY, SWARM_FAILED };

/* --- a piece on its way: from peers block by block, or being verified and stored */
struct block {
    bool received, by_supernode;
    uint16_t requests; /* outstanding, over all peers */
    uint64_t from;     /* the connection that sent it */
};

struct piece {
    uint32_t number, length, block_count, received;
    bool storing;   /* handed to the store; data is NULL */
    uint64_t alone; /* the connection that alone is asked for it; 0: anybody */
    bool judged;    /* all is here, some of it is wrong, and it is being found out what */
    uint8_t shifts; /* how often it went to another peer (swarm_shift.c) */
    bool hurried;   /* a page waits for it, and a second peer is asked (swarm_hurry.c) */
    enum source source;
    uint64_t op;
    uint64_t started_ms, moved_ms;
    uint8_t *data;
    struct block *blocks;
    struct swarm *swarm;
    UT_hash_handle hh;
};

/* --- an origin request for a run of pieces of one file, arriving in order */
struct origin_fetch {
    uint64_t op;
    struct want *want;
    uint32_t piece, end;          /* next to complete; one past the last */
    bool whole;                   /* the server ignores Range: what passes by is taken */
    uint64_t skip;                /* bytes of it that are there already */
    uint64_t got;                 /* bytes of the body */
    uint64_t watched_ms, watched; /* how many those were, then (origin_watch) */
    uint8_t *data;
    uint32_t fill;
    bool headed;
    bool claimed; /* neighbours have been told */
    uint64_t started_ms, claimed_until_ms, body_ms;
};

struct delta;

/* --- a file that somebody waits for */
struct want {
    struct list in_swarm;
    struct swarm *swarm;
    uint32_t file;
    uint32_t head;   /* its first piece that is not stored */
    uint64_t before; /* pieces of the files that were wanted before it (swarm.wanted) */
    uint64_t created_ms, moved_ms, used_ms;
    struct list streams;
    struct list askers; /* clients that wait for its bytes (asker.h) */
    struct origin_fetch *fetch;
    uint64_t origin_retry_ms, origin_failed_ms;
    uint32_t origin_failures; /* in a row; 0: not failing */
    bool background;          /* no page has asked for it (site_update.c) */
    uint64_t *docs;           /* serials of the documents that wait */
    size_t doc_count;
    struct delta
        *delta;        /* it is held, to be rebuilt from an older file (delta.h); NULL: it is not */
    UT_hash_handle hh; /* swarm.wanted_files */
};

/* --- the gateway's request */
struct stream {
    uint64_t number;
    struct node *node;
    struct want *want; /* NULL: the file is complete */
    struct list in_want;
    bool head_sent, head_only;
    int status;
    uint64_t first, end, ready, length;
    uint64_t waits_ms; /* since when for the byte at `ready` */
    char *content_type;
    struct swarm *swarm;
    uint32_t file;
    UT_hash_handle hh;
};

/* A neighbour's word that it is fetching a piece from the origin (PROTOCOL.md 4.7). */
struct claim {
    uint32_t piece;
    uint64_t since_ms, expires_ms;
    struct claimer *by; /* NULL: gone, or already found out */
    UT_hash_handle hh;
};

struct tracker;
struct changed_file;

enum candidate_source {
    CANDIDATE_EXPLICIT, /* the visitor named it */
    CANDIDATE_TRACKER,
    CANDIDATE_PEX,   /* another peer did */
    CANDIDATE_LOCAL, /* it was heard on our own network */
    CANDIDATE_ITSELF /* it has connected, and said where it listens */
};

struct candidate {
    struct address address;
    enum candidate_source source;
    uint64_t from; /* CANDIDATE_PEX: the connection */
    bool connected, is_self;
    bool met;            /* a handshake has worked */
    bool seed;           /* had everything when we last met */
    bool tells_releases; /* spoke fringe_release then */
    uint32_t failures;
    uint64_t ended_ms; /* when the last connection, or try, ended */
    UT_hash_handle hh;
};

struct swarm {
    struct node *node;
    struct site *site;
    struct list in_site;
    enum swarm_state state;
    const char *reason; /* failed: why, in the words of PROTOCOL.md */
    uint64_t retry_ms;
    uint8_t infohash[HASH_LENGTH];
    char *base; /* "/static/" */
    struct download get_torrent;
    uint64_t load_op;
    struct getting *getting; /* the torrent from peers (getting.h); NULL: no need */
    uint64_t getting_ms;     /* when that begins, if the site has not answered */
    bool patient;            /* no page waits: peers are asked first, ... */
    uint64_t patient_ms;     /* ... and the site only then; 0: it is not that time */
    struct metainfo *meta;
    /* The info dictionary's bytes, for peers that ask (peer_metadata.c): kept a short while. */
    struct buf info;
    uint64_t info_op, info_until_ms;
    struct bitfield have;
    uint32_t *twins; /* file -> next file of the same content, a ring; NULL: none are equal */
    struct bitfield doubted;      /* what we had when the store began to look again */
    bool doubt;                   /* and shall look once more */
    struct bitfield taken;        /* have, and on its way: what nobody need ask for */
    struct bitfield storing;      /* handed to the store, no answer yet */
    struct piece *pieces;         /* on their way */
    uint32_t asked;               /* blocks asked for, over all peers */
    uint32_t loose;               /* blocks of pieces on their way that nobody has been asked for */
    struct list wants, held;      /* held: struct delta */
    struct want *wanted_files;    /* both, by file: a page wants thousands */
    struct bitfield bad_patches;  /* files of a bundle of patches; no bits: none */
    struct changed_file *changed; /* those that the site's server has otherwise */
    uint64_t used_ms;             /* last want */
    uint64_t streamed_ms;         /* last bytes for any stream */
    uint64_t wanted;              /* pieces of all files wanted since nothing was */

    uint8_t peer_id[PEER_ID_LENGTH];
    struct list inquiries; /* who sent what (swarm_blame.c) */
    uint32_t inquiry_count;
    struct list cases; /* of which nobody could say that (blame_cases.c) */
    uint32_t case_count;
    struct left_peer *left; /* of those who gave blocks and went: a ring */
    uint32_t left_next;
    struct list peers;      /* handshake done */
    uint32_t connections;   /* those, and dials and handshakes under way */
    uint32_t settling;      /* those of them that have not said yet what they have */
    uint64_t settle_ms;     /* since when there are such, or a tracker is asked */
    uint16_t *availability; /* per piece, NULL before the first peer */
    struct candidate *candidates;
    uint64_t dialled_ms;       /* the last time */
    uint64_t shown_ms;         /* local discovery: not again before */
    uint32_t swarm_size;       /* as the tracker counts it, ourselves included; 0: not known */
    struct tracker **trackers; /* of the release trackers_seq; 0: none taken yet */
    size_t tracker_count;
    uint64_t trackers_seq;
    uint64_t ready_ms; /* when it became ready */
    uint64_t block_ms; /* last block from any peer */
    uint64_t piece_ms; /* how long a piece takes from peers, moving average */
    uint64_t gap_ms;   /* between two blocks of peers: the longest lately, slowly forgotten */
    uint64_t rate_bytes, rate_since_ms, rate; /* from all peers, bytes a second */

    /* --- the crowd (swarm_claim.c) */
    struct claim *claims;          /* by piece */
    struct claimer *claimers;      /* by peer id, oldest first */
    uint32_t claim_serial;         /* of our own */
    uint32_t size_said, size_told; /* what neighbours say of that; what they were told */
    uint64_t size_said_ms;
    uint32_t speakers, wanting; /* neighbours that speak fringe_claim; those that want something */
    uint16_t *ranks;            /* ours for each extent, by its first piece; NULL: to be counted */
    uint32_t origin_fetches;    /* under way */
    uint64_t joined_ms;         /* since when we could ask the origin */
    uint16_t *given;            /* in a big crowd: how often we gave each piece; NULL: none yet */
    uint64_t piece_at_ms;       /* the last piece that came, from anywhere */
    uint64_t crowd_ms;          /* not before: look again for something to fetch */
    uint64_t free_ms;           /* when our last request to the origin was over */
    uint64_t extent_ms;         /* what one extent takes us, moving average */
    uint64_t assist_bytes;      /* fetched although neighbours have it */
    uint64_t rescue_ms;         /* when nothing had come and the origin was asked */
    uint32_t rescues;           /* in a row, without a block from any peer in between */
    /* --- a super-node's (supernode.c) */
    struct list cold;    /* peers that have asked for what is still to come */
    uint32_t filled;     /* pieces below it are there, or have been tried in this round */
    uint64_t fill_ms;    /* when the next round may begin */
    bool fill_failed;    /* of this round something */
    uint16_t *suggested; /* how often each piece was; NULL: none yet */
    /* --- a visitor's (swarm_supernode.c) */
    uint64_t supernode;          /* the connection to one; 0: none */
    uint32_t supernode_failures; /* in a row, over all that there are */
    uint64_t supernode_due_ms;
    /* --- what the last release had in another version (site_update.c) */
    bool compared;
    uint32_t *outdated, outdated_count, outdated_next; /* files; next: those before have begun */

    struct no_room *no_room; /* files that the cache has refused (no_room.c); NULL: none */

    bool told_idle;   /* neighbours believe that we want nothing */
    uint64_t idle_ms; /* since when we want nothing, if we do not */
};

/* --- life */
struct swarm *swarm_new(struct site *site, const struct release_bundle *bundle);
void swarm_free(struct swarm *swarm);
/* Is it looking for peers, or at home for them? */
static inline bool swarm_is_open(const struct swarm *swarm)
{
    return swarm->state == SWARM_READY || swarm->getting != NULL;
}
void swarm_zone_changed(struct swarm *swarm);
/* Giving has been forbidden or allowed again, or all use of peers has. */
void swarm_fair_use_changed(struct swarm *swarm);
uint64_t swarm_tick(struct swarm *swarm);
bool swarm_complete(const struct swarm *swarm);
/* Wants nothing, and has not for a while: a page that asks for one small file after the other is
 * not idle in between, and nobody need hear of each. */
bool swarm_is_idle(const struct swarm *swarm);

/* --- swarm_load.c: torrent and content */
void swarm_need(struct swarm *swarm); /* somebody asks: a failed one may try again */
void swarm_torrent_loaded(struct swarm *swarm, const struct event *event);
void swarm_content_loaded(struct swarm *swarm, const struct event *event);
/* A whole torrent, from wherever; takes the bytes. */
bool swarm_take_torrent(struct swarm *swarm, struct buf *torrent); /* false: refused */
void swarm_refuse_torrent(struct swarm *swarm, enum err err);
void swarm_switched_off(struct swarm *swarm); /* while it was being fetched */
uint64_t swarm_loading_tick(struct swarm *swarm);

/* --- pieces */
static inline uint32_t swarm_piece_offset(const struct swarm *swarm, uint32_t file, uint32_t piece)
{
    return piece - swarm->meta->files[file].first_piece;
}
struct piece *swarm_find_piece(struct swarm *swarm, uint32_t number);
struct piece *swarm_add_piece(struct swarm *swarm, uint32_t number);
void swarm_drop_piece(struct swarm *swarm, struct piece *piece);
/* Asks the store for something about one piece; `store` is filled but for data. */
struct effect *swarm_piece_effect(struct swarm *swarm, enum effect_kind kind, uint32_t number,
                                  uint64_t op);
/* Hands whole bytes to be verified and stored; takes data. */
void swarm_store_piece(struct swarm *swarm, struct piece *piece, uint8_t *data, enum source source);
void swarm_piece_stored(struct piece *piece, const struct event *event);
/* It is here, and in its twins: everyone who could care is told. */
void swarm_piece_arrived(struct swarm *swarm, uint32_t number, enum source source);
/* The disk refuses a piece. */
void swarm_cannot_store(struct swarm *swarm, uint32_t number, enum err result);
/* Is there room for a file that is wanted? */
void swarm_expect(struct swarm *swarm, uint32_t file);
/* There is none. */
void swarm_refused(struct node *node, const uint8_t root[HASH_LENGTH], enum err why);
/* The cache's quota leaves no room for it; and was that so a moment ago? */
void swarm_no_room(struct swarm *swarm, uint32_t file);
bool swarm_has_no_room(const struct swarm *swarm, uint32_t file);
/* The cache has let go of that content: in all swarms. */
void swarm_file_gone(struct node *node, const uint8_t root[HASH_LENGTH]);
/* For the cache (site_tell_ages): its files are old, but for what is said after it. */
void swarm_tell_old(const struct swarm *swarm);
void swarm_tell_current(const struct swarm *swarm);
/* The store no longer has what it had of that content: in all swarms. */
void swarm_file_lost(struct node *node, const uint8_t root[HASH_LENGTH]);
void swarm_looked_again(struct swarm *swarm, const struct bitfield *have);
bool swarm_has_file(const struct swarm *swarm, uint32_t file);
/* What other releases of the site have of the same file is here as well. */
void swarm_adopt_file(struct swarm *swarm, uint32_t file);

/* --- wants */
struct want *swarm_find_want(struct swarm *swarm, uint32_t file); /* NULL: nobody wants it */
/* What a page reads first is the head: of each file the first HEAD_SHARE-th, at least a piece. */
#define HEAD_SHARE 10
static inline uint32_t swarm_head_pieces(uint64_t pieces)
{
    return (uint32_t)((pieces + HEAD_SHARE - 1) / HEAD_SHARE);
}
bool swarm_is_head(const struct swarm *swarm, uint32_t piece);

struct want *want_get(struct swarm *swarm, uint32_t file); /* made when there is none */
/* For no page: it comes after all that pages wait for. */
struct want *want_get_background(struct swarm *swarm, uint32_t file);
void want_free(struct want *want);
/* It is held no longer. */
void want_go_on(struct want *want);
void want_piece_stored(struct want *want, uint32_t piece, uint32_t length, enum source source,
                       bool twin);
void want_add_doc(struct want *want, uint64_t serial);
/* Nobody can give the next bytes: tells the streams and ends the want. */
void want_check_failed(struct want *want);
uint32_t want_next_missing(const struct want *want, uint32_t from); /* UINT32_MAX: none */
uint64_t want_tick(struct want *want);                              /* may free the want */

/* --- streams */
void stream_open(struct node *node, const struct event *event);
void stream_closed(struct node *node, uint64_t number);
void stream_advance(struct stream *stream);
void stream_fail(struct stream *stream, int status); /* tells the gateway, frees */

/* --- from peers */
void swarm_fill_peers(struct swarm *swarm);
/* Asks this peer for what waits in the queue of another; false: there is no such thing. */
bool swarm_take_over(struct swarm *swarm, struct peer *peer);
/* How long until it has answered all that it is asked for. */
uint64_t swarm_busy_ms(const struct peer *peer);
void swarm_request_block(struct peer *peer, struct piece *piece, uint32_t block);
/* What a page waits for now, and is late, is asked of a second peer; when to look again. */
uint64_t swarm_hurry(const struct want *want);
void swarm_hurry_soon(
    const struct swarm *swarm);         /* a piece has been begun: looks before it is late */
void swarm_fill_all(struct node *node); /* all swarms' peers */
void swarm_fill_peer(struct swarm *swarm, struct peer *peer);
void swarm_fill_after_have(struct swarm *swarm, struct peer *peer, uint32_t piece);
void swarm_block(struct swarm *swarm, struct peer *peer, uint32_t number, uint32_t begin,
                 struct span data);
/* Somebody else has brought the piece: takes its requests back and forgets it. */
void swarm_cancel_piece(struct swarm *swarm, struct piece *piece);
/* The block will not come from there: somebody else may be asked. */
void swarm_block_lost(struct swarm *swarm, uint32_t number, uint32_t begin);
/* Bytes from peers that do not have their hash. True: the piece is kept while it is found out which
 * of its blocks are wrong; else it is asked anew. */
bool blame_begin(struct piece *piece, const struct event *event);
/* What a peer answers. False: it has been closed. */
bool blame_hashes(struct peer *peer, const struct peer_hashes *answer);
bool blame_rejected(struct peer *peer, const struct peer_hashes *request);
void blame_peer_left(struct peer *peer);
uint64_t blame_tick(struct swarm *swarm);
void blame_done(struct swarm *swarm);
void swarm_piece_moved(struct swarm *swarm, uint32_t number, int by); /* availability */

/* --- from the origin */
void origin_consider(struct want *want);
void swarm_consider_origin(struct swarm *swarm); /* for all that is wanted */
void origin_asked_again(struct want *want);
void origin_consider_site(struct site *site); /* a place has become free */
void origin_head(struct origin_fetch *fetch, const struct event *event);
void origin_body(struct origin_fetch *fetch, const struct event *event);
void origin_done(struct origin_fetch *fetch, const struct event *event);
void origin_cancel(struct origin_fetch *fetch);
/* A reader has come, jumped or gone: the fetch goes where somebody reads. */
void origin_follow(struct want *want);
void origin_bad_bytes(struct want *want);
/* Will the origin bring this piece within its next few? Then peers need not. */
bool origin_brings(const struct want *want, uint32_t piece);

/* Is the same piece of a file with the same content coming from the origin, or here and being
 * stored? */
bool origin_brings_twin(struct swarm *swarm, uint32_t piece);

/* --- what the origin is worth (origin_trust.c) */
uint64_t origin_ready_ms(const struct site *site); /* not asked for any piece before */
bool origin_is_hopeless(const struct want *want);  /* no use in waiting for it */
void origin_gave(struct want *want);
uint64_t origin_changed_until(struct swarm *swarm, uint32_t file); /* 0: it is as it was */
void origin_trust_done(struct swarm *swarm);
/* Each ends with origin_failed; there must be no fetch any more. */
void origin_has_changed(struct want *want, const char *what);
void origin_malformed(struct want *want, const char *what);
void origin_hung(struct want *want);
void origin_failed(struct want *want, uint64_t delay_ms);
void origin_watch(struct want *want); /* is it too slow? */

/* For swarm_claim.c: pieces [first, end) of the wanted file, now. */
void origin_start(struct want *want, uint32_t first, uint32_t end);

/* --- finding peers */
/* --- transfer_tell.c: for the visitor's log */
struct transfer_tale {
    bool shared;
    enum source source; /* when not shared */
    uint64_t bytes;
    const struct address *peer; /* NULL: none */
};
void transfer_tell(struct swarm *swarm, uint32_t file, const struct transfer_tale *tale);
void transfer_tell_piece(const struct piece *piece); /* it is verified and stored */

void swarm_find_peers(struct swarm *swarm);
/* An incoming peer has said where it listens (peer->dialable). */
void swarm_peer_listens(struct swarm *swarm, struct peer *peer);
/* A newcomer, and no place: is there one with a lower priority? That one is closed (BEP 40). */
bool swarm_make_room(struct swarm *swarm, const struct peer *newcomer);
void swarm_free_candidates(struct swarm *swarm);
void swarm_peer_ended(struct swarm *swarm, const struct peer *peer);
/* Trackers may forget us; whoever is announced to next learns of us anew. */
void swarm_announce_stopped(struct swarm *swarm);
/* What we would say to trackers has changed: says it soon. */
void swarm_announce_again(struct swarm *swarm);
bool swarm_asks_trackers(const struct swarm *swarm); /* now, and waits for the answer */
uint64_t swarm_peers_tick(struct swarm *swarm);

/* --- for node.c: what the store has read for peers (peer_metadata.c, peer_hashes.c) */
void peer_info_loaded(void *owner, const struct event *event);
void peer_leaves_loaded(void *owner, const struct event *event);
uint64_t peer_info_tick(struct swarm *swarm);

/* --- picker */
/* The piece to ask this peer for next, or UINT32_MAX. */
uint32_t picker_pick(struct swarm *swarm, const struct peer *peer);
