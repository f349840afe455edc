/* One peer connection: the wire protocol's state (BEP 3, 6, 10, 52). Layer: core (pure).
 *
 *   peer.c            birth, death, bytes, time
 *   peer_handshake.c  which swarm, and whether we want this connection
 *   peer_messages.c   each message to whom it concerns
 *   peer_state.c      what we tell: have, choke (whom: choker.h), interest
 *   peer_requests.c   what we ask for, and the answers
 *   peer_upload.c     what is asked of us
 *   upload_order.c    whose turn it is; a super-node's: supernode.c
 *   peer_extension.c  BEP 10, and the way to each extension
 *   swarm_pex.c       peers that it knows (BEP 11)
 *   peer_fast.c       what may be asked for while choked (BEP 6)
 *   peer_early.c      while the torrent is not known
 *   peer_metadata.c   the info dictionary (BEP 9)
 *   peer_hashes.c     hashes that it asks for (BEP 52)
 *
 * A peer without a swarm has not told its info-hash yet. peer_close frees; every function that
 * may close says so by returning false, and then the peer must not be touched. */
#pragma once

#include "core/flood.h"
#include "core/swarm.h"

#define PEER_UPLOAD_QUEUE LIMIT_PEER_REQUESTS_IN

/* Extensions (BEP 10), and the numbers under which we want them: the receiver chooses. */
enum extension {
    EXTENSION_HANDSHAKE = 0,
    EXTENSION_FRINGE_CLAIM = 1,
    EXTENSION_UT_METADATA = 2,
    EXTENSION_LT_DONTHAVE = 3,
    EXTENSION_UT_PEX = 4,
    EXTENSION_UPLOAD_ONLY = 5,
    EXTENSION_FRINGE_RELEASE = 6,
    EXTENSION_COUNT_
};

struct peer_request {
    uint32_t piece, begin, length;
    bool head; /* asked of us: what a page reads first */
    uint64_t sent_ms;
};

/* A queue of requests, oldest first; grows to its limit. */
struct request_queue {
    struct peer_request *items;
    uint32_t first, count, capacity;
};

/* What a peer said before we knew the torrent (peer_early.c). */
struct peer_early {
    bool said, all;   /* a bitfield, HAVE_ALL or HAVE_NONE; which */
    struct buf bits;  /* a bitfield, as it came */
    struct buf haves; /* a bit for each HAVE, as far as they went */
};

struct peer {
    struct node *node;
    struct swarm *swarm;
    struct list in_swarm;
    uint64_t conn;
    struct address remote;
    struct address dialable; /* where it listens; port 0: not known */
    bool is_candidate;       /* an incoming one whose candidate counts as connected */
    struct pex *pex;         /* NULL: neither named peers yet, nor wants to hear of any */
    bool incoming, opened, sent_handshake, handshaken;
    bool fast, extended, have_known, settled;
    bool am_choking, am_interested, peer_choking, peer_interested;
    bool is_self;          /* the other end is this host */
    bool upload_only;      /* says that it wants nothing (BEP 21) */
    uint64_t redundant_ms; /* when it goes, because neither can give anything; UINT64_MAX: stays */
    bool suspect;          /* gave some of a bad piece (blame_cases.c) */
    bool is_supernode;     /* the release names it, and we have dialled it */
    bool snubbed;          /* answered nothing for long: asked for one block at a time */
    bool told_all;         /* a super-node has everything: what it has not yet it gets */
    bool told_have;        /* knows what we have: not in zone fetch */
    uint32_t later[16];    /* pieces that it has as well: it hears with the next message that ... */
    uint32_t later_count;  /* ... we have them now, */
    uint64_t later_ms;     /* or then (peer_state.c) */
    bool said_extended;    /* our extended handshake has gone */
    uint8_t id[PEER_ID_LENGTH];
    uint32_t reqq;                    /* requests that it queues; 0: not said */
    uint8_t speaks[EXTENSION_COUNT_]; /* its numbers for extensions; 0: it does not speak it */
    uint32_t swarm_size;              /* as its tracker counts it; 0: not said */
    uint64_t size_ms;                 /* when it said so */
    bool in_crowd;                    /* speaks fringe_claim, and is counted */
    bool wanting;                     /* speaks fringe_claim and wants files of this swarm itself */
    uint64_t claims_heard, claims_since_ms; /* a bucket of LIMIT_CLAIM_RATE (swarm_claim.c) */
    struct buf in;                          /* an incomplete message */
    struct bitfield have;
    uint64_t opened_ms, in_ms, out_ms, block_ms;
    uint64_t quiet_until_ms; /* it has refused: not asked again before */
    /* download */
    struct request_queue asked;
    struct piece *piece; /* whose blocks are being asked for */
    uint32_t target;     /* blocks to have outstanding */
    bool slow_start;
    uint64_t rate_bytes, rate_since_ms, rate, best_rate;
    uint32_t strikes;   /* shares in bad pieces */
    uint32_t strays;    /* blocks that nobody asked for */
    uint32_t cancelled; /* requests taken back, whose blocks may be on their way */
    /* upload */
    struct request_queue wanted; /* upload_order.h */
    uint32_t wanted_heads;       /* of those */
    size_t send_queued;          /* blocks at the socket */
    bool has_backlog;            /* it has been told: */
    size_t backlog;              /* behind the socket, in front of the uplink */
    size_t unreported;           /* given to the socket since then */
    uint64_t queue_moved_ms;     /* when that last shrank, or began */
    struct list in_asking, in_cold;
    struct request_queue cold; /* of a super-node: what is still to come from the site */
    uint8_t suggest_in;        /* so many pieces on, more are suggested to it */
    uint64_t served;           /* the node's blocks_served when it last got one */
    uint64_t turn_ms, given;   /* choker.h: when it was last unchoked; bytes since the last turn */
    /* what it asks besides blocks */
    struct list hash_jobs;
    uint32_t hash_job_count, hash_file; /* hash_file: of its last hash request */
    uint32_t metadata_asked[LIMIT_METADATA_QUEUE], metadata_count;
    struct peer_early *early; /* NULL: the torrent is known */
    uint32_t metadata_size;   /* as it says; 0: not said */
    bool gives_no_info, gives_no_layers;
    uint32_t layers_asked;
    uint32_t allowed[LIMIT_ALLOWED_FAST], allowed_count;  /* while it chokes us (BEP 6) */
    uint32_t suggested[LIMIT_SUGGESTED], suggested_count; /* ever; the newest are kept */
    bool told_gifts;                                      /* and what it may ask while we do */
    uint32_t gift_blocks;
    struct {
        uint64_t told, heard, asked, given; /* numbers (site_learn.h) */
        uint64_t given_ms;
    } release;
    bool gave_blocks;     /* that may still turn out wrong */
    struct flood chatter; /* messages that lead to nothing */
    struct flood hash_work, metadata_work;
    UT_hash_handle hh;
};

struct peer *peer_dial(struct swarm *swarm, const struct address *to);
/* A super-node (PROTOCOL.md 1.1): "tcp://", "wss://" or "ws://". */
struct peer *peer_dial_url(struct swarm *swarm, const char *url, bool public_only);
void peer_accepted(struct node *node, uint64_t conn, const struct address *remote);
void peer_opened(struct peer *peer, const struct address *remote);
void peer_bytes(struct peer *peer, struct span data);
void peer_sent(struct peer *peer, const struct event *event);
void peer_close(struct peer *peer, bool ban); /* we end it; ban: for good reason (strikes.h) */
bool peer_strike(struct peer *peer, unsigned strike); /* true: it is banned now */
void peer_closed(struct peer *peer);                  /* it has ended */
uint64_t peer_tick(struct peer *peer);                /* may free; returns the next deadline */
/* Have both everything? Then it goes a little later, in peer_tick; true: now. */
bool peer_check_redundant(struct peer *peer);

void peer_have(struct peer *peer, uint32_t piece);      /* we have it now */
void peer_send_later(struct peer *peer);                /* what was put off of that goes out */
void peer_dont_have(struct peer *peer, uint32_t piece); /* any more */
void peer_update_interest(struct peer *peer);
void peer_update_choke(struct peer *peer);
void peer_set_choking(struct peer *peer, bool choking); /* says so when that is new */
void peer_request(struct peer *peer, uint32_t piece, uint32_t begin, uint32_t length);
struct peer_request peer_take_asked(struct peer *peer, uint32_t place); /* it is no longer */
void peer_cancel(struct peer *peer, uint32_t piece, uint32_t begin, uint32_t length);
void peer_drop_requests(struct peer *peer, bool cancel); /* gives all asked blocks back */

/* upload side (peer_upload.c) */
bool peer_wants_block(struct peer *peer, const struct peer_msg *msg); /* false: closed */
void peer_unwants_block(struct peer *peer, const struct peer_msg *msg);
void peer_reject(struct peer *peer, uint32_t piece, uint32_t begin, uint32_t length);
/* Sends what may be sent now, to whom has waited longest. */
void peer_serve_all(struct node *node);
void peer_serve(struct peer *peer); /* its next block, whatever is queued */
void peer_refuse_all(struct peer *peer);

/* request queues */
void request_queue_push(struct request_queue *queue, const struct peer_request *request);
/* The place of that block in the queue, or UINT32_MAX. */
uint32_t request_queue_find(const struct request_queue *queue, uint32_t piece, uint32_t begin);
struct peer_request request_queue_remove(struct request_queue *queue, uint32_t place);
struct peer_request *request_queue_at(const struct request_queue *queue, uint32_t place);
void request_queue_done(struct request_queue *queue);
bool peer_allows(const struct peer *peer, uint32_t piece); /* while it chokes us */
bool peer_suggests(const struct peer *peer, uint32_t piece);
uint32_t peer_pick_allowed(const struct peer *peer);     /* UINT32_MAX: none that is wanted */
bool peer_takes_gift(struct peer *peer, uint32_t piece); /* may it ask for it while choked? */
void peer_ask_info(struct peer *peer, uint32_t piece);   /* ut_metadata */
void peer_send_extended(struct peer *peer); /* the BEP 10 handshake, as things stand now */
void peer_send(struct peer *peer, const struct peer_msg *msg);
/* Only to who speaks it. */
void peer_send_extension(struct peer *peer, enum extension extension, const struct buf *payload);
