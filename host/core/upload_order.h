/* Whose request is answered next, and which of its requests: for the uplink that all peers share
 * (peer_upload.c). Layer: core (pure). */
#pragma once

#include "core/peer.h"

/* At a socket as much as this, a peer has enough to take: others come first. */
#define UPLOAD_ENOUGH KIB(24)

/* The peer who is next among those whose turn it can be, or NULL. */
struct peer *upload_next(struct node *node, bool (*may_serve)(const struct peer *peer));
/* Takes the request of that peer that is to be answered now. */
struct peer_request upload_take(struct peer *peer);

/* What peers want is queued and taken back here only: the order keeps count of it. */
void upload_queue(struct peer *peer, const struct peer_request *request);
struct peer_request upload_unqueue(struct peer *peer, uint32_t place);
