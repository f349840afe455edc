/* The extension protocol (BEP 10): our handshake and theirs, and the way to each extension. */
#include "core/crowd.h"
#include "core/peer_impl.h"

#include "base/limits.h"

#include <string.h>

/* --- sending */

static void send_payload(struct peer *peer, uint8_t id, const struct buf *payload)
{
    struct peer_msg msg = {.kind = PEER_EXTENDED, .extended_id = id};

    msg.payload = span_of(payload->data, payload->length);
    peer_send(peer, &msg);
}

void peer_send_extension(struct peer *peer, enum extension extension, const struct buf *payload)
{
    if (peer->speaks[extension] != 0)
        send_payload(peer, peer->speaks[extension], payload);
}

/* upload_only (BEP 21) is said only to who speaks fringe_claim: libtorrent would leave us, and we
 * may want something again at any moment. */
void peer_send_extended(struct peer *peer)
{
    struct peer_extended extended = {.reqq = LIMIT_PEER_REQUESTS_IN,
                                     .port = node_port_for(peer->node, &peer->remote)};
    struct buf payload;

    if (site_may_share(peer->swarm->site))
        extended.fringe_claim = EXTENSION_FRINGE_CLAIM;
    extended.upload_only =
        peer->speaks[EXTENSION_FRINGE_CLAIM] != 0 && list_empty(&peer->swarm->wants);
    strcpy(extended.version, "fringe/" FRINGE_VERSION);
    buf_init(&payload, KIB(1));
    peer_extended_encode(&extended, &payload);
    send_payload(peer, 0, &payload);
    buf_done(&payload);
}

/* --- receiving */

static bool handle_handshake(struct peer *peer, struct span payload)
{
    struct peer_extended said;

    if (peer_extended_decode(payload, &said) != ERR_OK)
        return peer_refuse(peer, "sent a malformed extended handshake");
    if (said.reqq > 0) /* it may be sent again, and then adds to what was said (BEP 10) */
        peer->reqq = said.reqq;
    uint8_t *claims = &peer->speaks[EXTENSION_FRINGE_CLAIM];
    bool is_new = *claims == 0 && said.fringe_claim != 0;
    if (said.fringe_claim != 0)
        *claims = said.fringe_claim;
    peer->upload_only = said.upload_only;
    peer_check_redundant(peer);
    peer->wanting = *claims != 0 && !said.upload_only;
    if (is_new)
        crowd_peer_joined(peer);
    return true;
}

static bool handle_claim(struct peer *peer, struct span payload)
{
    crowd_claim_heard(peer, payload);
    return true;
}

/* By our numbers. False: the peer has been closed. */
static bool (*const handlers[EXTENSION_COUNT_])(struct peer *peer, struct span payload) = {
    [EXTENSION_HANDSHAKE] = handle_handshake,
    [EXTENSION_FRINGE_CLAIM] = handle_claim,
};

bool peer_handle_extended(struct peer *peer, const struct peer_msg *msg)
{
    if (msg->extended_id >= EXTENSION_COUNT_)
        return true; /* we offered no such thing */
    return handlers[msg->extended_id](peer, msg->payload);
}
