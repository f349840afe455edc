/* The inside of a peer: what the peer_*.c share (peer.h names them). Layer: core (pure); private.
 *
 * A function that returns bool says with false that the peer has been closed and freed. */
#pragma once

#include "core/peer.h"

#define PEER_TARGET_START 16   /* blocks outstanding, before a rate is known */
#define PEER_SNUB_MS      5000 /* asked and no block for so long: its requests go to others */

/* What messages cost of LIMIT_CHATTER: what each makes us do or say. */
#define PEER_HANDSHAKE_COST 16
#define PEER_HASHES_COST    16

/* peer.c */
void peer_join_swarm(struct peer *peer, struct swarm *swarm);
/* It has said what it has, or it never will: nobody need wait for it any more. */
void peer_settle(struct peer *peer);
void peer_send_simple(struct peer *peer, enum peer_msg_kind kind);
/* Closes it, and says why in the log; "it " and then why. Always false. strike: strikes.h, or 0. */
bool peer_refuse(struct peer *peer, unsigned strike, const char *why);

/* peer_handshake.c */
void peer_send_handshake(struct peer *peer);
bool peer_handle_handshake(struct peer *peer, const struct peer_handshake *handshake);

/* peer_messages.c */
bool peer_handle_message(struct peer *peer, const struct peer_msg *msg);
/* What leads to nothing may be said now and then: LIMIT_CHATTER. */
bool peer_allow_chatter(struct peer *peer, unsigned cost);

/* peer_state.c */
void peer_send_have(struct peer *peer); /* all that we have, once, after the handshake */

/* peer_requests.c */
bool peer_handle_choke(struct peer *peer, const struct peer_msg *msg);
bool peer_handle_piece(struct peer *peer, const struct peer_msg *msg);
bool peer_handle_reject(struct peer *peer, const struct peer_msg *msg);
void peer_give_back(struct peer *peer, uint32_t piece); /* what was asked of that piece */

/* peer_extension.c */
bool peer_handle_extended(struct peer *peer, const struct peer_msg *msg);

/* peer_fast.c */
void peer_send_gifts(struct peer *peer);
bool peer_handle_allowed(struct peer *peer, uint32_t piece);
bool peer_handle_suggest(struct peer *peer, uint32_t piece);

/* peer_early.c */
void peer_early_begin(struct peer *peer);
void peer_early_done(struct peer *peer);

/* peer_metadata.c */
bool peer_handle_metadata(struct peer *peer, struct span payload);

/* peer_hashes.c */
bool peer_handle_hash_request(struct peer *peer, const struct peer_hashes *request);
void peer_hashes_done(struct peer *peer);

/* site_learn.c */
bool peer_handle_release(struct peer *peer, struct span payload);

/* swarm_pex.c */
bool peer_handle_pex(struct peer *peer, struct span payload);
void peer_begin_pex(struct peer *peer); /* it offers ut_pex */
