#include "core/site_learn.h"

#include "core/crowd.h"
#include "core/peer_impl.h"
#include "core/strikes.h"

#include <string.h>

#define POLL_MS         3600000  /* a site whose pages are read, ... */
#define POLL_SELDOM_MS  21600000 /* ... and one whose pages nobody has read for USED_MS */
#define POLL_MAX_MS     86400000 /* whatever Cache-Control says */
#define USED_MS         86400000
#define CONFIRM_EACH_MS 10    /* a hundred hosts a second ask the site, ... */
#define CONFIRM_MAX_MS  45000 /* ... until there are too many to be done within a minute */
#define AGAIN_MS        15000 /* the site did not show it: later, and then longer */
#define AGAIN_DOUBLINGS 8
#define ASK_AGAIN_MS    2000 /* a neighbour that did not answer: another one is asked */
#define HOSTS_HOLD_MS   600000
#define HINT_MS         600000
#define GIVEN_MS        60000 /* the same release to the same neighbour */
#define HAVE_COST       4     /* of LIMIT_CHATTER */
#define ASK_COST        16
#define WHOLE_COST      128

/* --- life */

void site_learn_init(struct site *site)
{
    struct site_learn *learn = &site->learn;

    fringe_release_mark(site->name, learn->mark);
    buf_init(&learn->json, LIMIT_RELEASE);
    buf_init(&learn->signature, LIMIT_SIGNATURE);
    learn->confirm_ms = UINT64_MAX;
}

void site_learn_done(struct site *site)
{
    buf_done(&site->learn.json);
    buf_done(&site->learn.signature);
}

static void forget_push(struct site_learn *learn)
{
    buf_done(&learn->json);
    buf_done(&learn->signature);
    learn->seq = 0;
    learn->confirm_ms = UINT64_MAX;
}

/* The highest number that we could give. */
static uint64_t known_seq(const struct site *site)
{
    uint64_t seq = site->current != NULL ? site->current->release->seq : 0;
    return site->learn.seq > seq ? site->learn.seq : seq;
}

/* --- when to ask the site */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* As many hosts as there may be, as far as we know: with nobody who counts them, the neighbours of
 * our neighbours. */
uint64_t site_count_hosts(const struct site *site)
{
    bool holds = site->node->now_ms < site->learn.hosts_ms + HOSTS_HOLD_MS;
    uint64_t most = holds ? site->learn.hosts : 0;

    list_for_each(link, next, &site->swarms)
    {
        const struct swarm *swarm = list_entry(link, struct swarm, in_site);
        uint64_t peers = swarm->speakers, size = crowd_size(swarm);
        most = size > most ? size : most;
        most = peers * peers > most ? peers * peers : most;
    }
    return most;
}

static uint64_t spread_ms(const struct site *site)
{
    uint64_t window = earlier(site_count_hosts(site) * CONFIRM_EACH_MS, CONFIRM_MAX_MS);
    return window > 0 ? rng_below(&site->node->rng, (uint32_t)window) : 0;
}

/* Three quarters to five quarters of it. */
static uint64_t jittered(const struct site *site, uint64_t ms)
{
    return ms - ms / 4 + rng_below(&site->node->rng, (uint32_t)(ms / 2));
}

static uint64_t poll_after_ms(const struct site *site)
{
    const struct site_learn *learn = &site->learn;
    bool used = learn->used && site->node->now_ms < learn->used_ms + USED_MS;
    uint64_t wait = used ? POLL_MS : POLL_SELDOM_MS;
    uint64_t fresh = site->get_signature.max_age_s * UINT64_C(1000);

    wait = fresh > wait ? fresh : wait;
    return jittered(site, earlier(wait, POLL_MAX_MS));
}

static uint64_t again_after_ms(const struct site *site)
{
    uint32_t doublings =
        site->learn.failures < AGAIN_DOUBLINGS ? site->learn.failures : AGAIN_DOUBLINGS;
    return jittered(site, (uint64_t)AGAIN_MS << doublings);
}

void site_learn_used(struct site *site)
{
    struct site_learn *learn = &site->learn;

    learn->used = true;
    learn->used_ms = site->node->now_ms;
    /* It was left alone for long, and is to be asked soon again. */
    if (learn->poll_ms > site->node->now_ms + POLL_MS + POLL_MS / 4)
        learn->poll_ms = site->node->now_ms + jittered(site, POLL_MS);
}

bool site_learn_confirm_now(struct site *site, uint64_t seq)
{
    struct site_learn *learn = &site->learn;

    if (learn->seq == 0 || learn->seq != seq || learn->failures > 0)
        return false;
    learn->confirm_ms = site->node->now_ms;
    return site_look(site);
}

void site_learn_looked(struct site *site, enum site_showed showed)
{
    struct site_learn *learn = &site->learn;
    uint64_t now = site->node->now_ms;

    if (learn->seq > 0 && learn->seq <= site->seq)
        forget_push(learn);
    if (learn->heard <= known_seq(site))
        learn->heard = 0;
    bool waits = learn->seq > 0;
    learn->failures = waits || showed == SITE_SHOWED_NOTHING ? learn->failures + 1 : 0;
    learn->poll_ms = now + poll_after_ms(site);
    if (waits)
        learn->confirm_ms = now + again_after_ms(site);
    else if (showed == SITE_SHOWED_NOTHING)
        learn->poll_ms = earlier(learn->poll_ms, now + again_after_ms(site));
    node_wake(site->node, earlier(learn->poll_ms, learn->confirm_ms));
}

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
    bool pushed = learn->seq > 0 && learn->seq == known_seq(site);
    const struct buf *json = pushed ? &learn->json : &site->json;
    const struct buf *signature = pushed ? &learn->signature : &site->signature;

    if (json->length == 0 || signature->length == 0)
        return;
    send_release(peer, FRINGE_RELEASE_WHOLE, known_seq(site), span_of(json->data, json->length),
                 span_of(signature->data, signature->length));
    peer->release.given = known_seq(site);
    peer->release.given_ms = peer->node->now_ms;
}

void peer_tell_release(struct peer *peer)
{
    struct site *site = peer->swarm->site;
    uint64_t seq = known_seq(site);

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

    forget_push(learn);
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
            if (heard <= known_seq(site) || heard <= peer->release.asked ||
                peer->speaks[EXTENSION_FRINGE_RELEASE] == 0)
                continue;
            peer->release.asked = heard;
            learn->asked_ms = site->node->now_ms;
            send_short(peer, FRINGE_RELEASE_ASK, known_seq(site) + 1);
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
    if (seq > known_seq(site)) {
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
    bool again = peer->release.given == known_seq(site) &&
                 peer->node->now_ms < peer->release.given_ms + GIVEN_MS;

    if (seq <= known_seq(site) && !again && site_may_share(site))
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

    forget_push(learn);
    buf_put(&learn->json, msg->json.data, msg->json.length);
    buf_put(&learn->signature, msg->signature.data, msg->signature.length);
    learn->seq = msg->seq;
    learn->failures = 0;
    learn->confirm_ms = site->node->now_ms + (site_page_waits(site) ? 0 : spread_ms(site));
    if (learn->heard <= learn->seq)
        learn->heard = 0;
    node_wake(site->node, learn->confirm_ms);
    site_learn_tell(site);
}

/* Of a key that we do not know: perhaps it takes over from ours, which the site can show. */
static void take_hint(struct site *site)
{
    struct site_learn *learn = &site->learn;
    uint64_t now = site->node->now_ms;

    if (learn->hinted_ms > 0 && now < learn->hinted_ms + HINT_MS)
        return;
    learn->hinted_ms = now;
    learn->poll_ms = earlier(learn->poll_ms, now + spread_ms(site));
    node_wake(site->node, learn->poll_ms);
}

static bool hear_whole(struct peer *peer, const struct fringe_release *msg)
{
    struct site *site = peer->swarm->site;
    struct release *release = NULL;

    if (!site->has_key || site->key_is_new || msg->seq <= known_seq(site))
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
        take_hint(site);
    return peer_allow_chatter(peer, WHOLE_COST);
}

/* A tracker's count is old in a wave: the highest travels with it. A liar gains little, as nobody
 * waits longer than CONFIRM_MAX_MS. */
static void hear_hosts(struct site *site, uint32_t hosts)
{
    struct site_learn *learn = &site->learn;
    bool holds = site->node->now_ms < learn->hosts_ms + HOSTS_HOLD_MS;

    if (holds && hosts <= learn->hosts)
        return;
    learn->hosts = hosts < LIMIT_SWARM_SIZE ? hosts : LIMIT_SWARM_SIZE;
    learn->hosts_ms = site->node->now_ms;
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
    hear_hosts(site, msg.hosts);
    if (msg.kind == FRINGE_RELEASE_HAVE)
        return hear_have(peer, msg.seq);
    return msg.kind == FRINGE_RELEASE_ASK ? hear_ask(peer, msg.seq) : hear_whole(peer, &msg);
}

/* --- time */

/* Who told of a newer release may be slow, or gone. */
static uint64_t ask_tick(struct site *site)
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

uint64_t site_learn_tick(struct site *site)
{
    struct site_learn *learn = &site->learn;
    uint64_t now = site->node->now_ms;

    if (site_zone(site) == ZONE_OFF || !site->has_key || site->key_is_new || site->seq == 0)
        return UINT64_MAX;
    if (learn->poll_ms == 0)
        learn->poll_ms = now + poll_after_ms(site);
    uint64_t ask = ask_tick(site);
    if (site->fetching)
        return ask;
    uint64_t due = earlier(learn->poll_ms, learn->confirm_ms);
    due = due > site->origin_not_before_ms ? due : site->origin_not_before_ms;
    if (now < due)
        return earlier(due, ask);
    site_look(site);
    return ask;
}
