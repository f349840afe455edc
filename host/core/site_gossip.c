/* What neighbours tell each other of a site's releases (PROTOCOL.md 4.8). */
#include "core/peer_impl.h"
#include "core/site_learn.h"
#include "core/strikes.h"

#include <string.h>

#define ASK_AGAIN_MS 2000  /* a neighbour that did not answer: another one is asked */
#define GIVEN_MS     60000 /* the same release to the same neighbour */
#define HAVE_COST    4     /* of LIMIT_CHATTER */
#define ASK_COST     16
#define WHOLE_COST   128

/* --- telling neighbours */

static void send_release(struct peer *peer, enum fringe_release_kind kind, uint64_t seq,
                         struct span json, struct span signature)
{
    struct fringe_release msg = {.kind = kind, .seq = seq, .json = json, .signature = signature};
    struct buf payload;

    msg.hosts = (uint32_t)site_count_hosts(peer->swarm->site);
    memcpy(msg.site_mark, peer->swarm->site->learn.mark, FRINGE_SITE_MARK);
    buf_init(&payload, LIMIT_PEER_EXTENDED);
    fringe_release_encode(&msg, &payload);
    peer_send_extension(peer, EXTENSION_FRINGE_RELEASE, &payload);
    buf_done(&payload);
}

static void send_short(struct peer *peer, enum fringe_release_kind kind, uint64_t seq)
{
    send_release(peer, kind, seq, (struct span){NULL, 0}, (struct span){NULL, 0});
}

static void send_whole(struct peer *peer)
{
    struct site *site = peer->swarm->site;
    const struct site_learn *learn = &site->learn;
    bool pushed = learn->seq > 0 && learn->seq == site_learn_seq(site);
    const struct buf *json = pushed ? &learn->json : &site->json;
    const struct buf *signature = pushed ? &learn->signature : &site->signature;

    if (json->length == 0 || signature->length == 0)
        return;
    send_release(peer, FRINGE_RELEASE_WHOLE, site_learn_seq(site),
                 span_of(json->data, json->length), span_of(signature->data, signature->length));
    peer->release.given = site_learn_seq(site);
    peer->release.given_ms = peer->node->now_ms;
}

void peer_tell_release(struct peer *peer)
{
    struct site *site = peer->swarm->site;
    uint64_t seq = site_learn_seq(site);

    if (peer->speaks[EXTENSION_FRINGE_RELEASE] == 0 || seq <= peer->release.told ||
        !site_may_share(site))
        return;
    peer->release.told = seq;
    if (peer->release.heard < seq) /* who has it need not be told */
        send_short(peer, FRINGE_RELEASE_HAVE, seq);
}

static void each_peer(struct site *site, void (*tell)(struct peer *peer))
{
    list_for_each(swarm_link, next_swarm, &site->swarms)
    {
        struct swarm *swarm = list_entry(swarm_link, struct swarm, in_site);
        list_for_each(link, next, &swarm->peers) tell(list_entry(link, struct peer, in_swarm));
    }
}

void site_learn_tell(struct site *site)
{
    each_peer(site, peer_tell_release);
}

void site_learn_tell_the_end(struct site *site, uint64_t seq)
{
    struct site_learn *learn = &site->learn;

    site_learn_forget(learn);
    buf_put(&learn->json, site->json.data, site->json.length);
    buf_put(&learn->signature, site->signature.data, site->signature.length);
    learn->seq = seq;
    if (site_may_share(site))
        each_peer(site, send_whole);
}

/* --- hearing */

/* Asks one neighbour that has more than we; false: there is none left. */
static bool ask_somebody(struct site *site)
{
    struct site_learn *learn = &site->learn;

    list_for_each(swarm_link, next_swarm, &site->swarms)
    {
        struct swarm *swarm = list_entry(swarm_link, struct swarm, in_site);
        list_for_each(link, next, &swarm->peers)
        {
            struct peer *peer = list_entry(link, struct peer, in_swarm);
            uint64_t heard = peer->release.heard;
            if (heard <= site_learn_seq(site) || heard <= peer->release.asked ||
                peer->speaks[EXTENSION_FRINGE_RELEASE] == 0)
                continue;
            peer->release.asked = heard;
            learn->asked_ms = site->node->now_ms;
            send_short(peer, FRINGE_RELEASE_ASK, site_learn_seq(site) + 1);
            return true;
        }
    }
    return false;
}

static bool is_asking(const struct site *site)
{
    return site->learn.asked_ms > 0 && site->node->now_ms < site->learn.asked_ms + ASK_AGAIN_MS;
}

static bool hear_have(struct peer *peer, uint64_t seq)
{
    struct site *site = peer->swarm->site;

    if (seq > peer->release.heard)
        peer->release.heard = seq;
    if (seq > site_learn_seq(site)) {
        site->learn.heard = seq > site->learn.heard ? seq : site->learn.heard;
        if (!is_asking(site) && !ask_somebody(site))
            site->learn.heard = 0;
        node_wake(site->node, site->learn.asked_ms + ASK_AGAIN_MS);
    }
    return peer_allow_chatter(peer, HAVE_COST);
}

static bool hear_ask(struct peer *peer, uint64_t seq)
{
    struct site *site = peer->swarm->site;
    bool again = peer->release.given == site_learn_seq(site) &&
                 peer->node->now_ms < peer->release.given_ms + GIVEN_MS;

    if (seq <= site_learn_seq(site) && !again && site_may_share(site))
        send_whole(peer);
    return peer_allow_chatter(peer, ASK_COST);
}

/* By the pinned key, or by the one that our release has named as the next. */
static enum err verify(const struct site *site, const struct fringe_release *msg,
                       struct release **ret)
{
    const char *text = site->current != NULL ? site->current->release->next_key : NULL;
    struct minisign_key next;
    struct reason reason;

    enum err err =
        release_verify(msg->json.data, msg->json.length, msg->signature.data, msg->signature.length,
                       &site->key, site->name, site->node->wall_s, ret, &reason);
    if (err != ERR_WRONG_KEY || text == NULL ||
        minisign_key_parse((const uint8_t *)text, strlen(text), &next) != ERR_OK)
        return err;
    return release_verify(msg->json.data, msg->json.length, msg->signature.data,
                          msg->signature.length, &next, site->name, site->node->wall_s, ret,
                          &reason);
}

static void keep_push(struct site *site, const struct fringe_release *msg)
{
    struct site_learn *learn = &site->learn;

    site_learn_forget(learn);
    buf_put(&learn->json, msg->json.data, msg->json.length);
    buf_put(&learn->signature, msg->signature.data, msg->signature.length);
    learn->seq = msg->seq;
    learn->failures = 0;
    learn->confirm_ms =
        site->node->now_ms + (site_page_waits(site) ? 0 : site_learn_spread_ms(site));
    if (learn->heard <= learn->seq)
        learn->heard = 0;
    node_wake(site->node, learn->confirm_ms);
    site_learn_tell(site);
}

static bool hear_whole(struct peer *peer, const struct fringe_release *msg)
{
    struct site *site = peer->swarm->site;
    struct release *release = NULL;

    if (!site->has_key || site->key_is_new || msg->seq <= site_learn_seq(site))
        return peer_allow_chatter(peer, WHOLE_COST);
    enum err err = verify(site, msg, &release);
    if (err == ERR_OK && release->seq != msg->seq)
        err = ERR_BAD_SIGNATURE; /* it says another number than was signed */
    release_free(release);
    if (err == ERR_BAD_SIGNATURE || err == ERR_MISMATCH)
        return peer_refuse(peer, STRIKE_BAD_PROOF, "sent a forged release");
    if (err == ERR_OK)
        keep_push(site, msg);
    else if (err == ERR_WRONG_KEY)
        site_learn_hint(site);
    return peer_allow_chatter(peer, WHOLE_COST);
}

bool peer_handle_release(struct peer *peer, struct span payload)
{
    struct site *site = peer->swarm->site;
    struct fringe_release msg;
    enum err err = fringe_release_decode(payload, &msg);

    if (err != ERR_OK && err != ERR_UNSUPPORTED)
        return peer_refuse(peer, STRIKE_MALFORMED, "sent a malformed fringe_release");
    if (err == ERR_UNSUPPORTED || msg.kind == FRINGE_RELEASE_UNKNOWN ||
        memcmp(msg.site_mark, site->learn.mark, FRINGE_SITE_MARK) != 0 || !site_may_use_peers(site))
        return peer_allow_chatter(peer, HAVE_COST);
    site_learn_hear_hosts(site, msg.hosts);
    if (msg.kind == FRINGE_RELEASE_HAVE)
        return hear_have(peer, msg.seq);
    return msg.kind == FRINGE_RELEASE_ASK ? hear_ask(peer, msg.seq) : hear_whole(peer, &msg);
}

/* Who told of a newer release may be slow, or gone. */
uint64_t site_learn_ask_tick(struct site *site)
{
    struct site_learn *learn = &site->learn;

    if (learn->heard == 0)
        return UINT64_MAX;
    if (!is_asking(site) && !ask_somebody(site)) {
        learn->heard = 0;
        return UINT64_MAX;
    }
    return learn->asked_ms + ASK_AGAIN_MS;
}
