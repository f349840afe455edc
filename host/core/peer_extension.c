/* The extension protocol (BEP 10): our handshake and theirs, and the way to each extension. */
#include "core/crowd.h"
#include "core/peer_impl.h"
#include "core/strikes.h"

#include "base/limits.h"
#include "wire/lt_donthave.h"

#include <stddef.h>
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

/* upload_only (BEP 21) is said only where both speak fringe_claim: others, and libtorrent, would
 * leave us, and we may want something again at any moment. */
void peer_send_extended(struct peer *peer)
{
    struct peer_extended extended = {.reqq = LIMIT_PEER_REQUESTS_IN,
                                     .port = node_port_for(peer->node, &peer->remote)};
    struct buf payload;

    if (site_may_share(peer->swarm->site)) {
        extended.fringe_claim = EXTENSION_FRINGE_CLAIM;
        extended.swarm_size = crowd_size(peer->swarm);
        extended.ut_metadata = EXTENSION_UT_METADATA;
        if (peer->early == NULL)
            extended.metadata_size = peer->swarm->meta->info_length;
    }
    if (peer->early != NULL) /* to be given it */
        extended.ut_metadata = EXTENSION_UT_METADATA;
    if (peer->said_extended) /* what we share no more is taken back */
        extended.named = PEER_NAMES_FRINGE_CLAIM | PEER_NAMES_UT_METADATA;
    peer->said_extended = true;
    extended.fringe_release = EXTENSION_FRINGE_RELEASE;
    extended.lt_donthave = EXTENSION_LT_DONTHAVE;
    if (!site_has_supernodes_only(peer->swarm->site))
        extended.ut_pex = EXTENSION_UT_PEX;
    extended.upload_only_id = EXTENSION_UPLOAD_ONLY;
    extended.your_ip = address_plain(&peer->remote);
    extended.upload_only = peer->speaks[EXTENSION_FRINGE_CLAIM] != 0 &&
                           extended.fringe_claim != 0 && swarm_is_idle(peer->swarm);
    if (peer->node->config.supernode)
        extended.upload_only = true; /* nobody need wait for what it would fetch for itself */
    strcpy(extended.version, "fringe/" FRINGE_VERSION);
    buf_init(&payload, KIB(1));
    peer_extended_encode(&extended, &payload);
    send_payload(peer, 0, &payload);
    buf_done(&payload);
}

/* --- receiving */

/* Where each extension's number stands in a handshake. */
static const struct {
    size_t offset;
    uint8_t name;
} offered[EXTENSION_COUNT_] = {
    [EXTENSION_FRINGE_CLAIM] = {offsetof(struct peer_extended, fringe_claim),
                                PEER_NAMES_FRINGE_CLAIM},
    [EXTENSION_UT_METADATA] = {offsetof(struct peer_extended, ut_metadata), PEER_NAMES_UT_METADATA},
    [EXTENSION_LT_DONTHAVE] = {offsetof(struct peer_extended, lt_donthave), PEER_NAMES_LT_DONTHAVE},
    [EXTENSION_UT_PEX] = {offsetof(struct peer_extended, ut_pex), PEER_NAMES_UT_PEX},
    [EXTENSION_UPLOAD_ONLY] = {offsetof(struct peer_extended, upload_only_id),
                               PEER_NAMES_UPLOAD_ONLY},
    [EXTENSION_FRINGE_RELEASE] = {offsetof(struct peer_extended, fringe_release),
                                  PEER_NAMES_FRINGE_RELEASE},
};

/* A handshake may come again, and then adds to what was said: what it does not name stays, and an
 * id of 0 takes an extension back (BEP 10). */
static void take_ids(struct peer *peer, const struct peer_extended *said)
{
    for (size_t i = EXTENSION_HANDSHAKE + 1; i < EXTENSION_COUNT_; i++)
        if ((said->named & offered[i].name) != 0)
            peer->speaks[i] = ((const uint8_t *)said)[offered[i].offset];
}

/* Where an incoming peer listens. We know the address, the port is its own word. */
static void take_port(struct peer *peer, uint16_t port)
{
    if (!peer->incoming || port == 0 || peer->dialable.port != 0)
        return;
    peer->dialable = address_plain(&peer->remote);
    peer->dialable.port = port;
    swarm_peer_listens(peer->swarm, peer);
}

static void take_upload_only(struct peer *peer, bool upload_only)
{
    peer->upload_only = upload_only;
    peer_check_redundant(peer);
    crowd_peer_wants(peer, peer->speaks[EXTENSION_FRINGE_CLAIM] != 0 && !upload_only);
}

static bool handle_handshake(struct peer *peer, struct span payload)
{
    struct peer_extended said;
    bool claimed = peer->speaks[EXTENSION_FRINGE_CLAIM] != 0;

    if (peer_extended_decode(payload, &said) != ERR_OK)
        return peer_refuse(peer, STRIKE_MALFORMED, "sent a malformed extended handshake");
    if (said.reqq > 0)
        peer->reqq = said.reqq;
    if (said.metadata_size > 0) { /* perhaps it has just got it itself */
        peer->metadata_size = said.metadata_size;
        peer->gives_no_info = peer->gives_no_layers = false;
    }
    take_ids(peer, &said);
    take_port(peer, said.port);
    if (said.your_ip.family != 0)
        node_seen_as(peer->node, &peer->remote, &said.your_ip);
    if (peer->speaks[EXTENSION_UT_PEX] != 0)
        peer_begin_pex(peer);
    bool claims = peer->speaks[EXTENSION_FRINGE_CLAIM] != 0;
    take_upload_only(peer, said.upload_only); /* of this alone each says how it is now */
    if (said.swarm_size > 0)
        crowd_peer_counts(peer, said.swarm_size);
    if (claims && !claimed)
        crowd_peer_joined(peer);
    else if (claimed && !claims)
        crowd_peer_left(peer);
    if (claims != claimed)
        peer_update_choke(peer); /* our own kind needs no slot */
    peer_tell_release(peer);
    return true;
}

static bool handle_claim(struct peer *peer, struct span payload)
{
    return crowd_claim_heard(peer, payload) ||
           peer_refuse(peer, STRIKE_MALFORMED, "sent a malformed fringe_claim");
}

/* It has evicted the piece, or found it damaged (BEP 54): it is asked of others. */
static bool handle_dont_have(struct peer *peer, struct span payload)
{
    uint32_t piece;

    if (lt_donthave_decode(payload, &piece) != ERR_OK || piece >= peer->have.bits)
        return peer_refuse(peer, STRIKE_MALFORMED, "lost a piece that does not exist");
    if (!bitfield_unset(&peer->have, piece))
        return true;
    swarm_piece_moved(peer->swarm, piece, -1);
    peer_give_back(peer, piece);
    swarm_fill_peers(peer->swarm);
    swarm_consider_origin(peer->swarm);
    return true;
}

/* libtorrent's own message: between two handshakes it has got everything, or wants more. */
static bool handle_upload_only(struct peer *peer, struct span payload)
{
    if (payload.length != 1)
        return peer_refuse(peer, STRIKE_MALFORMED, "sent a malformed upload_only");
    take_upload_only(peer, payload.data[0] != 0);
    return peer_allow_chatter(peer, 1);
}

/* By our numbers. False: the peer has been closed. */
static bool (*const handlers[EXTENSION_COUNT_])(struct peer *peer, struct span payload) = {
    [EXTENSION_HANDSHAKE] = handle_handshake,
    [EXTENSION_FRINGE_CLAIM] = handle_claim,
    [EXTENSION_UT_METADATA] = peer_handle_metadata,
    [EXTENSION_LT_DONTHAVE] = handle_dont_have,
    [EXTENSION_UT_PEX] = peer_handle_pex,
    [EXTENSION_UPLOAD_ONLY] = handle_upload_only,
    [EXTENSION_FRINGE_RELEASE] = peer_handle_release,
};

bool peer_handle_extended(struct peer *peer, const struct peer_msg *msg)
{
    if (msg->extended_id >= EXTENSION_COUNT_)
        return true; /* we offered no such thing */
    return handlers[msg->extended_id](peer, msg->payload);
}
