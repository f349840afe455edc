/* The Fast extension's small gifts (BEP 6): a few pieces may be asked for while choked. We name
 * some to a stranger that wants something and has to wait for a slot; and what a peer names to us
 * is asked for at once. What it suggests comes first of what is equal to the picker: where a page's
 * order decides, that counts for more. */
#include "core/peer_impl.h"
#include "core/strikes.h"

#define GIFTS 4 /* pieces for one peer; each of its blocks is served twice at most */

/* The same for all addresses of a network, so that nobody gets more by connecting again. */
static uint32_t gift(const struct peer *peer, uint32_t number)
{
    uint8_t seed[HASH_LENGTH + 16 + 1] = {0}, hash[HASH_LENGTH];

    memcpy(seed, peer->swarm->infohash, HASH_LENGTH);
    memcpy(seed + HASH_LENGTH, peer->remote.ip, peer->remote.family == 4 ? 3 : 6);
    seed[sizeof seed - 1] = (uint8_t)number;
    sha256(seed, sizeof seed, hash);
    return load_u32be(hash) % peer->swarm->meta->piece_count;
}

void peer_send_gifts(struct peer *peer)
{
    if (!peer->fast || peer->told_gifts || !peer->told_have || !peer->am_choking ||
        peer->swarm->meta->piece_count == 0)
        return;
    peer->told_gifts = true;
    for (uint32_t i = 0; i < GIFTS; i++)
        if (bitfield_get(&peer->swarm->have, gift(peer, i)))
            peer_send(peer, &(struct peer_msg){.kind = PEER_ALLOWED_FAST, .index = gift(peer, i)});
}

bool peer_takes_gift(struct peer *peer, uint32_t piece)
{
    uint32_t blocks = peer->swarm->meta->piece_length / BLOCK_LENGTH;

    if (!peer->told_gifts || peer->gift_blocks >= 2 * GIFTS * blocks)
        return false;
    for (uint32_t i = 0; i < GIFTS; i++)
        if (gift(peer, i) == piece) {
            peer->gift_blocks++;
            return true;
        }
    return false;
}

/* --- what we are given */

bool peer_handle_allowed(struct peer *peer, uint32_t piece)
{
    if (piece >= peer->have.bits)
        return peer_refuse(peer, STRIKE_MALFORMED, "names a piece that does not exist");
    if (peer_allows(peer, piece) || peer->allowed_count == LIMIT_ALLOWED_FAST)
        return peer_allow_chatter(peer, 1);
    peer->allowed[peer->allowed_count++] = piece;
    swarm_fill_peer(peer->swarm, peer);
    return true;
}

bool peer_handle_suggest(struct peer *peer, uint32_t piece)
{
    if (piece >= peer->have.bits)
        return peer_refuse(peer, STRIKE_MALFORMED, "names a piece that does not exist");
    if (!peer_suggests(peer, piece)) /* the newest in place of the oldest */
        peer->suggested[peer->suggested_count++ % LIMIT_SUGGESTED] = piece;
    return peer_allow_chatter(peer, 1);
}

bool peer_suggests(const struct peer *peer, uint32_t piece)
{
    for (uint32_t i = 0; i < peer->suggested_count && i < LIMIT_SUGGESTED; i++)
        if (peer->suggested[i] == piece)
            return true;
    return false;
}

bool peer_allows(const struct peer *peer, uint32_t piece)
{
    for (uint32_t i = 0; i < peer->allowed_count; i++)
        if (peer->allowed[i] == piece)
            return true;
    return false;
}

static bool is_wanted(const struct swarm *swarm, uint32_t piece)
{
    list_for_each(link, next, &swarm->wants)
    {
        const struct want *want = list_entry(link, struct want, in_swarm);
        const struct metainfo_file *file = &swarm->meta->files[want->file];
        if (piece >= want->head && piece < file->first_piece + file->pieces &&
            !origin_brings(want, piece))
            return true;
    }
    return false;
}

uint32_t peer_pick_allowed(const struct peer *peer)
{
    for (uint32_t i = 0; i < peer->allowed_count; i++) {
        uint32_t piece = peer->allowed[i];
        if (bitfield_get(&peer->have, piece) && !bitfield_get(&peer->swarm->taken, piece) &&
            is_wanted(peer->swarm, piece))
            return piece;
    }
    return UINT32_MAX;
}
