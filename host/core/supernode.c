/* A super-node: what it fetches, what it keeps for later, whom it gives to. */
#include "core/supernode.h"

#include "base/mem.h"
#include "core/site_catalog.h"
#include "core/upload_order.h"

#include <stdio.h>
#include <string.h>

#define TAKE_MS       200   /* between two looks whether more of a catalog can be taken */
#define TICK_MS       250   /* peers' deadlines are minutes */
#define POLL_MS       10000 /* the site, for a new release; and up to so much more, by lot */
#define POLL_TIME_MS  8000
#define FILES_AT_ONCE 32 /* fetched in the background */
#define FILES_FAILING (LIMIT_SUPERNODE_FILES / 2)
#define ROUND_MS      30000    /* between two rounds over what the site did not give */
#define FAILING_MS    2000     /* what the site gives no sooner than that is refused */
#define PEER_MAX      KIB(512) /* unsent, for one peer */
#define PEER_SOME     KIB(64)  /* when there are many such */
#define SUGGEST       8        /* pieces at a time, and after so many the next */
#define SUGGEST_LOOK  256      /* pieces, to find those */

/* --- which sites */

bool supernode_serves(const struct node *node, const char *site)
{
    for (size_t i = 0; i < node->config.site_count; i++)
        if (strcmp(node->config.sites[i], site) == 0)
            return true;
    return false;
}

uint64_t supernode_next_tick_ms(const struct node *node)
{
    return node->config.supernode && node->ticked_ms > 0 ? node->ticked_ms + TICK_MS : 0;
}

uint64_t supernode_tick(struct node *node)
{
    for (size_t i = 0; i < node->config.site_count; i++)
        if (site_get(node, node->config.sites[i], true) == NULL)
            return node->now_ms + POLL_MS; /* no room: LIMIT_SITES others were restored */
    return UINT64_MAX;
}

/* --- new releases */

struct supernode_site {
    struct site *site;
    struct download fingerprint; /* the signature: small, and different for each release */
    uint64_t poll_ms;
};

static void poll_later(struct supernode_site *super)
{
    struct node *node = super->site->node;

    super->poll_ms = node->now_ms + POLL_MS + rng_below(&node->rng, POLL_MS);
    node_wake(node, super->poll_ms);
}

static void fingerprint_came(void *owner, struct download *download, enum err result, int status,
                             uint32_t retry_after_s)
{
    struct supernode_site *super = owner;
    struct site *site = super->site;

    (void)status;
    poll_later(super);
    if (retry_after_s > 0)
        super->poll_ms += retry_after_s * UINT64_C(1000);
    if (result == ERR_OK && !span_equal(span_of(download->body.data, download->body.length),
                                        span_of(site->signature.data, site->signature.length)))
        site_fetch_again(site);
}

static void poll_site(struct supernode_site *super)
{
    struct site *site = super->site;
    char url[LIMIT_SITE + 64];

    poll_later(super);
    if (site->current == NULL || site->blocked) {
        site_need(site, 0);
        return;
    }
    site_start_swarms(site); /* those that failed try again */
    snprintf(url, sizeof url, "%s/.well-known/fringe/release.json.minisig", site->name);
    if (super->fingerprint.op == 0 && !site->fetching)
        download_start(site->node, &super->fingerprint, url, LIMIT_SIGNATURE, POLL_TIME_MS);
}

uint64_t supernode_site_tick(struct site *site)
{
    if (!site->served || site->node->draining)
        return UINT64_MAX;
    if (site->super == NULL) {
        site->super = mem_zalloc(sizeof *site->super);
        site->super->site = site;
        site->super->fingerprint.owner = site->super;
        site->super->fingerprint.done = fingerprint_came;
    }
    uint64_t now = site->node->now_ms;
    if (now >= site->super->poll_ms)
        poll_site(site->super);
    uint64_t wake = site->super->poll_ms;
    if (site_is_live(site) && site_catalog_take_all(site) && now + TAKE_MS < wake)
        wake = now + TAKE_MS;
    return wake;
}

void supernode_site_done(struct site *site)
{
    if (site->super == NULL)
        return;
    download_cancel(site->node, &site->super->fingerprint);
    download_done(&site->super->fingerprint);
    mem_free(site->super);
    site->super = NULL;
}

/* --- everything of the current release */

static bool is_current(const struct swarm *swarm)
{
    const struct site_release *current = swarm->site->current;

    for (size_t i = 0; current != NULL && i < current->swarm_count; i++)
        if (current->swarms[i] == swarm)
            return true;
    return false;
}

static bool is_failing(const struct want *want)
{
    return want->fetch == NULL && want->origin_failures > 0 &&
           want->origin_retry_ms > want->swarm->node->now_ms + FAILING_MS;
}

struct wants_count {
    uint32_t all, failing;
    struct want *oldest_failing;
};

static struct wants_count count_wants(const struct swarm *swarm)
{
    struct wants_count count = {0};

    list_for_each(link, next, &swarm->wants)
    {
        struct want *want = list_entry(link, struct want, in_swarm);
        count.all++;
        if (!is_failing(want))
            continue;
        if (count.failing++ == 0)
            count.oldest_failing = want;
    }
    list_for_each(link, next, &swarm->held) count.all++;
    return count;
}

/* The next file of which something is missing; false: the round is over. */
static bool fill_next(struct swarm *swarm)
{
    uint32_t end = swarm->meta->piece_count;
    uint32_t piece =
        swarm->filled < end ? bitfield_next_zero(&swarm->have, swarm->filled, end) : BITFIELD_NONE;

    if (piece == BITFIELD_NONE)
        return false;
    uint32_t number = metainfo_file_of_piece(swarm->meta, piece);
    const struct metainfo_file *file = &swarm->meta->files[number];
    swarm->filled = file->first_piece + file->pieces;
    if (swarm_find_want(swarm, number) == NULL)
        want_get(swarm, number);
    return true;
}

uint64_t supernode_fill(struct swarm *swarm)
{
    uint64_t now = swarm->node->now_ms;

    if (!swarm->node->config.supernode || swarm->state != SWARM_READY ||
        !site_may_share(swarm->site) || swarm->node->draining || !is_current(swarm) ||
        bitfield_full(&swarm->have))
        return UINT64_MAX;
    if (now < swarm->fill_ms)
        return swarm->fill_ms;
    struct wants_count count = count_wants(swarm);
    while (count.all - count.failing < FILES_AT_ONCE && count.all < LIMIT_SUPERNODE_FILES) {
        if (!fill_next(swarm)) {
            swarm->filled = 0;
            swarm->fill_ms = now + ROUND_MS;
            return swarm->fill_ms;
        }
        count = count_wants(swarm);
    }
    return UINT64_MAX; /* what comes, or fails, makes room */
}

/* --- what is asked for before it is there */

bool supernode_keep(struct peer *peer, const struct peer_request *request)
{
    struct swarm *swarm = peer->swarm;

    if (!peer->node->config.supernode)
        return false;
    uint32_t file = metainfo_file_of_piece(swarm->meta, request->piece);
    struct want *want = swarm_find_want(swarm, file);
    if (want == NULL) {
        if (count_wants(swarm).all >= LIMIT_SUPERNODE_FILES)
            return false;
        want = want_get(swarm, file);
        if (want->delta == NULL) { /* somebody waits: before what nobody has asked for */
            list_remove(&want->in_swarm);
            list_push_front(&swarm->wants, &want->in_swarm);
        }
    }
    if (is_failing(want))
        return false;
    request_queue_push(&peer->cold, request);
    if (list_empty(&peer->in_cold))
        list_push_back(&swarm->cold, &peer->in_cold);
    return true;
}

bool supernode_unkeep(struct peer *peer, uint32_t piece, uint32_t begin)
{
    uint32_t place = request_queue_find(&peer->cold, piece, begin);

    if (place == UINT32_MAX)
        return false;
    request_queue_remove(&peer->cold, place);
    if (peer->cold.count == 0)
        list_remove(&peer->in_cold);
    return true;
}

/* Takes the peer's kept requests for those pieces: they are queued, or refused. */
static void take_kept(struct peer *peer, uint32_t first, uint32_t end, bool there)
{
    for (uint32_t i = 0; i < peer->cold.count;) {
        uint32_t piece = request_queue_at(&peer->cold, i)->piece;
        if (piece < first || piece >= end) {
            i++;
            continue;
        }
        struct peer_request request = request_queue_remove(&peer->cold, i);
        if (there)
            upload_queue(peer, &request);
        else
            peer_reject(peer, request.piece, request.begin, request.length);
    }
    if (peer->cold.count == 0)
        list_remove(&peer->in_cold);
    supernode_asks(peer);
}

static void take_all_kept(struct swarm *swarm, uint32_t first, uint32_t end, bool there)
{
    list_for_each(link, next, &swarm->cold)
        take_kept(list_entry(link, struct peer, in_cold), first, end, there);
}

void supernode_piece_arrived(struct swarm *swarm, uint32_t piece)
{
    if (list_empty(&swarm->cold))
        return;
    take_all_kept(swarm, piece, piece + 1, true);
    supernode_serve(swarm->node);
}

/* Who waits is told that it will not come: it has other sources. The file is tried again in the
 * next round; of many that fail the oldest is forgotten till then. */
void supernode_want_failed(struct want *want)
{
    struct swarm *swarm = want->swarm;
    const struct metainfo_file *file = &swarm->meta->files[want->file];

    if (!swarm->node->config.supernode || !is_failing(want))
        return;
    take_all_kept(swarm, file->first_piece, file->first_piece + file->pieces, false);
    struct wants_count count = count_wants(swarm);
    if (count.failing > FILES_FAILING && count.oldest_failing != want)
        want_free(count.oldest_failing);
    node_wake(swarm->node, swarm->node->now_ms);
}

/* --- to whom which piece (BEP 6) */

/* Those of the file that were suggested least, from a random one on, and are there. */
static uint32_t choose(const struct peer *peer, const struct metainfo_file *file,
                       uint32_t ret[SUGGEST])
{
    const struct swarm *swarm = peer->swarm;
    uint32_t at = rng_below(&peer->node->rng, file->pieces), count = 0;

    for (uint32_t i = 0; i < file->pieces && i < SUGGEST_LOOK; i++) {
        uint32_t piece = file->first_piece + (at + i) % file->pieces, place;
        if (bitfield_get(&peer->have, piece) || !bitfield_get(&swarm->have, piece))
            continue;
        for (place = count; place > 0 && swarm->suggested[ret[place - 1]] > swarm->suggested[piece];
             place--)
            if (place < SUGGEST)
                ret[place] = ret[place - 1];
        if (place == SUGGEST)
            continue;
        ret[place] = piece;
        count += count < SUGGEST;
    }
    return count;
}

void supernode_suggest(struct peer *peer, const struct peer_request *request)
{
    struct swarm *swarm = peer->swarm;
    uint32_t pieces[SUGGEST];

    if (!peer->node->config.supernode || !peer->fast || request->begin > 0 ||
        peer->suggest_in-- > 0)
        return;
    peer->suggest_in = SUGGEST;
    const struct metainfo_file *file =
        &swarm->meta->files[metainfo_file_of_piece(swarm->meta, request->piece)];
    if (file->pieces < 2 * SUGGEST)
        return;
    if (swarm->suggested == NULL)
        swarm->suggested = mem_calloc(swarm->meta->piece_count, sizeof *swarm->suggested);
    uint32_t count = choose(peer, file, pieces);
    for (uint32_t i = 0; i < count; i++) {
        if (swarm->suggested[pieces[i]] < UINT16_MAX)
            swarm->suggested[pieces[i]]++;
        peer_send(peer, &(struct peer_msg){.kind = PEER_SUGGEST, .index = pieces[i]});
    }
}

/* --- giving: a block each, in turn
 *
 * A server's uplink is no home's: nothing is measured or held back, each has as much at its socket
 * as keeps it busy. What all of them together have is capped, so that thousands who take nothing
 * cost no more memory than a block each; and who takes nothing for long goes. */

static size_t peer_max(const struct node *node)
{
    if (node->send_queued < LIMIT_SUPERNODE_QUEUE / 2)
        return PEER_MAX;
    return node->send_queued < LIMIT_SUPERNODE_QUEUE ? PEER_SOME : 1;
}

static bool may_serve(const struct peer *peer)
{
    return peer->wanted.count > 0 && peer->send_queued < peer_max(peer->node) &&
           site_may_share(peer->swarm->site);
}

void supernode_asks(struct peer *peer)
{
    if (peer->node->config.supernode && list_empty(&peer->in_asking) && may_serve(peer))
        list_push_back(&peer->node->asking, &peer->in_asking);
}

void supernode_serve(struct node *node)
{
    while (!list_empty(&node->asking)) {
        struct peer *peer = list_entry(node->asking.next, struct peer, in_asking);
        if (may_serve(peer) && !fair_use_may_send(node, BLOCK_LENGTH))
            return;
        list_remove(&peer->in_asking);
        if (!may_serve(peer))
            continue; /* it has enough at its socket: it comes again when that has gone */
        peer_serve(peer);
        supernode_asks(peer);
    }
}

bool supernode_is_stalled(const struct peer *peer)
{
    return peer->node->config.supernode && peer->send_queued > 0 &&
           peer->node->now_ms >= peer->queue_moved_ms + LIMIT_SUPERNODE_STALL_MS;
}

/* --- the end */

void supernode_drain(struct node *node)
{
    node->draining = true;
    for (struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        if (peer->swarm != NULL && peer->handshaken)
            take_kept(peer, 0, UINT32_MAX, false);
}

bool node_is_drained(const struct node *node)
{
    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        if (peer->wanted.count > 0 || peer->send_queued > 0)
            return false;
    return true;
}
