/* A swarm's beginning: its torrent from the store, the site or its peers, then what of its content
 * is in the store. */
#include "base/mem.h"
#include "core/delta.h"
#include "core/getting.h"
#include "core/peer.h"
#include "core/supernode.h"
#include "core/swarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS        30000
#define TORRENT_TIME_MS 30000
#define GETTING_MS      1000 /* without an answer from the site: peers are asked as well */

static void swarm_fail(struct swarm *swarm, const char *reason, const char *text)
{
    char hash[HEX_LENGTH(HASH_LENGTH)];

    hex_encode(hash, swarm->infohash, HASH_LENGTH);
    swarm->state = SWARM_FAILED;
    swarm->reason = reason;
    swarm->retry_ms = swarm->node->now_ms + RETRY_MS;
    node_log_once(swarm->node, span_of(swarm->infohash, HASH_LENGTH),
                  "%s: the torrent %s is refused: %s", swarm->site->name, hash, text);
    site_answer_waiting(swarm->site);
}

/* The name must be the folder under which the site serves the files (BEP 19). */
static bool name_fits_base(const struct metainfo *meta, const char *base)
{
    size_t base_length = strlen(base), length = strlen(meta->name);

    if (base_length == 1) /* the whole site: the name says nothing */
        return true;
    return base_length >= length + 2 &&
           memcmp(base + base_length - 1 - length, meta->name, length) == 0 &&
           base[base_length - 2 - length] == '/';
}

/* Files of the same content are stored once and arrive together: a ring joins them. */
static void find_twins(struct swarm *swarm)
{
    uint32_t count = swarm->meta->file_count;
    uint32_t *order = mem_calloc(count, sizeof *order);
    uint32_t *twins = mem_calloc(count, sizeof *twins);
    bool any = false;

    for (uint32_t i = 0; i < count; i++)
        order[i] = twins[i] = i;
    qsort_r(order, count, sizeof *order, metainfo_by_root, swarm->meta->files);
    for (uint32_t i = 0; i + 1 < count; i++) {
        if (metainfo_by_root(&order[i], &order[i + 1], swarm->meta->files) != 0)
            continue;
        if (swarm->meta->files[order[i]].pieces == 0)
            continue;
        uint32_t next = twins[order[i]];
        twins[order[i]] = order[i + 1];
        twins[order[i + 1]] = next;
        any = true;
    }
    mem_free(order);
    if (any)
        swarm->twins = twins;
    else
        mem_free(twins);
}

void swarm_switched_off(struct swarm *swarm)
{
    swarm->state = SWARM_FAILED;
    swarm->reason = "zone-off";
    swarm->retry_ms = 0; /* at once when it is switched on again */
}

static enum err parse_torrent(struct swarm *swarm, struct span bytes)
{
    struct metainfo *meta = NULL;
    enum err err = metainfo_parse(bytes.data, bytes.length, &meta);

    if (err == ERR_OK && memcmp(meta->infohash, swarm->infohash, HASH_LENGTH) != 0)
        err = ERR_BAD_HASH;
    if (err == ERR_OK && !name_fits_base(meta, swarm->base))
        err = ERR_MISMATCH;
    if (err != ERR_OK) {
        metainfo_free(meta);
        return err;
    }
    swarm->meta = meta;
    find_twins(swarm);
    return ERR_OK;
}

static void load_content(struct swarm *swarm)
{
    swarm->load_op = node_op_begin(swarm->node, OP_CONTENT, swarm);
    struct effect *effect = update_add(swarm->node->update, EFFECT_LOAD_CONTENT, 0);
    effect->store.op = swarm->load_op;
    effect->store.site = swarm->site->name;
    effect->store.meta = swarm->meta;
}

void swarm_refuse_torrent(struct swarm *swarm, enum err err)
{
    download_cancel(swarm->node, &swarm->get_torrent);
    swarm_fail(swarm, "bad-torrent", err_text(err));
}

bool swarm_take_torrent(struct swarm *swarm, struct buf *torrent)
{
    enum err err = parse_torrent(swarm, span_of(torrent->data, torrent->length));

    if (err != ERR_OK) {
        swarm_refuse_torrent(swarm, err);
        return false;
    }
    download_cancel(swarm->node, &swarm->get_torrent);
    getting_stop(swarm);
    swarm->state = SWARM_LOADING;
    struct effect *effect = update_add(swarm->node->update, EFFECT_SAVE_TORRENT, LIMIT_TORRENT);
    memcpy(effect->store.infohash, swarm->infohash, HASH_LENGTH);
    effect->text.data = buf_take(torrent, &effect->text.length);
    effect->text.capacity = effect->text.length;
    load_content(swarm);
    return true;
}

static void torrent_fetched(void *owner, struct download *download, enum err result, int status,
                            uint32_t retry_after_s)
{
    struct swarm *swarm = owner;

    (void)status;
    (void)retry_after_s;
    if (result == ERR_OK && swarm_take_torrent(swarm, &download->body))
        return;
    if (result != ERR_OK)
        swarm_fail(swarm, "failed", err_text(result));
    getting_start(swarm); /* the page does not wait for it, but the next one may find it */
}

static void fetch_torrent(struct swarm *swarm)
{
    char hash[HEX_LENGTH(HASH_LENGTH)], url[LIMIT_SITE + 128];

    hex_encode(hash, swarm->infohash, HASH_LENGTH);
    snprintf(url, sizeof url, "%s/.well-known/fringe/%s.torrent", swarm->site->name, hash);
    swarm->state = SWARM_LOADING;
    swarm->get_torrent.owner = swarm;
    swarm->get_torrent.done = torrent_fetched;
    download_start(swarm->node, &swarm->get_torrent, url, LIMIT_TORRENT, TORRENT_TIME_MS);
    swarm->getting_ms = swarm->node->now_ms + GETTING_MS;
    node_wake(swarm->node, swarm->getting_ms);
}

/* Only a visitor's wish tries again: a site whose torrent is missing is not polled. */
void swarm_need(struct swarm *swarm)
{
    bool waits = swarm->patient && swarm->patient_ms > 0;

    swarm->patient = false;
    if (waits && swarm->state == SWARM_LOADING && swarm->load_op == 0 &&
        swarm->get_torrent.op == 0 && swarm->meta == NULL)
        fetch_torrent(swarm);
    if (swarm->state == SWARM_FAILED && swarm->node->now_ms >= swarm->retry_ms &&
        swarm->load_op == 0 && site_may_use_peers(swarm->site))
        fetch_torrent(swarm);
}

/* Where no page waits peers come first. */
static void begin_torrent(struct swarm *swarm)
{
    if (!swarm->patient) {
        fetch_torrent(swarm);
        return;
    }
    swarm->patient_ms = swarm->node->now_ms + site_patience_ms(swarm->site);
    getting_start(swarm);
    swarm_follow_older(swarm);
    node_wake(swarm->node, swarm->patient_ms);
}

void swarm_torrent_loaded(struct swarm *swarm, const struct event *event)
{
    swarm->load_op = 0;
    if (event->store.result == ERR_OK && parse_torrent(swarm, event->store.torrent) == ERR_OK)
        load_content(swarm);
    else if (site_zone(swarm->site) != ZONE_OFF)
        begin_torrent(swarm);
    else
        swarm_switched_off(swarm);
}

void swarm_content_loaded(struct swarm *swarm, const struct event *event)
{
    swarm->load_op = 0;
    if (swarm->state == SWARM_READY) {
        if (event->store.result == ERR_OK && event->store.have->bits == swarm->have.bits)
            swarm_looked_again(swarm, event->store.have);
        return;
    }
    bitfield_init(&swarm->have, swarm->meta->piece_count);
    bitfield_init(&swarm->storing, swarm->meta->piece_count);
    const struct bitfield *have = event->store.have;
    if (event->store.result == ERR_OK && have != NULL && have->bits == swarm->have.bits)
        bitfield_load(&swarm->have, have->bytes, bitfield_bytes(have->bits));
    bitfield_init(&swarm->taken, swarm->meta->piece_count);
    bitfield_load(&swarm->taken, swarm->have.bytes, bitfield_bytes(swarm->have.bits));
    swarm->state = SWARM_READY;
    swarm->ready_ms = swarm->used_ms = swarm->node->now_ms;
    list_for_each(link, next, &swarm->peers)
        peer_early_over(list_entry(link, struct peer, in_swarm));
    swarm_find_peers(swarm);
    site_tell_ages(swarm->site);
    site_answer_waiting(swarm->site);
    delta_look_again(swarm);
    supernode_fill(swarm);
}

uint64_t swarm_loading_tick(struct swarm *swarm)
{
    uint64_t now = swarm->node->now_ms;

    if (!site_may_use_peers(swarm->site))
        return UINT64_MAX;
    if (swarm->get_torrent.op != 0 && swarm->getting == NULL) {
        if (now < swarm->getting_ms)
            return swarm->getting_ms;
        getting_start(swarm);
    }
    if (swarm->getting == NULL)
        return UINT64_MAX;
    bool waits = swarm->patient && swarm->get_torrent.op == 0 && swarm->state == SWARM_LOADING;
    if (waits && now >= swarm->patient_ms) {
        swarm->patient = waits = false;
        fetch_torrent(swarm);
    }
    uint64_t peers = swarm_peers_tick(swarm), at = getting_tick(swarm);
    at = peers < at ? peers : at;
    return waits && swarm->patient_ms < at ? swarm->patient_ms : at;
}
