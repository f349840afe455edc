/* Who on our own network shares the same (BEP 14). Only where the visitor has turned it on: it
 * shows everybody there what is shared here. */
#include "core/find.h"
#include "core/flood.h"
#include "wire/lsd.h"

#include <string.h>

#define EVERY_MS  60000  /* between two messages */
#define AGAIN_MS  300000 /* before a swarm is named again */
#define HEARD_S   10     /* messages a second that are listened to, in the long run */
#define HEARD_MAX 100    /* at once */

static bool is_wanted(const struct node *node)
{
    return (node->config.local_discovery || node->fair.settings[SETTING_LOCAL_DISCOVERY] != 0) &&
           node->config.listen.port != 0;
}

static bool is_shown(const struct swarm *swarm)
{
    return swarm->state == SWARM_READY && site_may_share(swarm->site) &&
           !site_has_supernodes_only(swarm->site);
}

/* --- sending */

static void make_cookie(struct node *node)
{
    uint8_t random[8];

    rng_bytes(&node->rng, random, sizeof random);
    hex_encode(node->lsd.cookie, random, sizeof random);
}

static void listen_or_not(struct node *node, bool on)
{
    if (node->lsd.on == on)
        return;
    node->lsd.on = on;
    make_cookie(node);
    update_add(node->update, EFFECT_LSD_LISTEN, 0)->lsd.on = on;
}

/* Those that have not been named for long, as many as fit. *wake: when the next one is to be. */
static void collect(struct node *node, struct lsd *message, uint64_t *wake)
{
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        list_for_each(link, next, &site->swarms)
        {
            struct swarm *swarm = list_entry(link, struct swarm, in_site);
            if (!is_shown(swarm))
                continue;
            if (node->now_ms >= swarm->shown_ms && message->count < LIMIT_LSD_HASHES) {
                memcpy(message->infohash[message->count++], swarm->infohash, SHORT_HASH_LENGTH);
                swarm->shown_ms = node->now_ms + AGAIN_MS;
            }
            *wake = swarm->shown_ms < *wake ? swarm->shown_ms : *wake;
        }
    }
}

static void send_message(struct node *node, const struct lsd *message)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct effect *effect = update_add(node->update, EFFECT_LSD_SEND, LIMIT_LSD_MESSAGE);
        effect->lsd.family = family;
        lsd_format(message, family, &effect->text);
    }
}

uint64_t lsd_tick(struct node *node)
{
    uint64_t wake = UINT64_MAX;
    struct lsd message = {.port = node->config.listen.port};

    listen_or_not(node, is_wanted(node));
    if (!node->lsd.on)
        return wake;
    if (node->now_ms < node->lsd.next_ms)
        return node->lsd.next_ms;
    collect(node, &message, &wake);
    if (message.count > 0) {
        strcpy(message.cookie, node->lsd.cookie);
        send_message(node, &message);
        node->lsd.next_ms = node->now_ms + EVERY_MS;
    }
    return wake != UINT64_MAX && wake < node->lsd.next_ms ? node->lsd.next_ms : wake;
}

/* --- hearing */

static void take(struct swarm *swarm, const struct lsd *heard, const struct address *address)
{
    if (!is_shown(swarm))
        return;
    for (size_t i = 0; i < heard->count; i++) {
        if (memcmp(heard->infohash[i], swarm->infohash, SHORT_HASH_LENGTH) != 0)
            continue;
        find_add(swarm, address, CANDIDATE_LOCAL, 0);
        node_wake(swarm->node, find_dial(swarm));
    }
}

void lsd_heard(struct node *node, const struct event *event)
{
    struct lsd heard;
    struct span data = event->lsd.data;
    struct address address = event->lsd.from;

    if (!node->lsd.on || flood_add(&node->lsd.flood, node->now_ms, HEARD_S, 1) > HEARD_MAX)
        return;
    if (lsd_parse(data.data, data.length, &heard) != ERR_OK ||
        strcmp(heard.cookie, node->lsd.cookie) == 0)
        return;
    address.port = heard.port;
    for (struct site *site = node->sites; site != NULL; site = site->hh.next)
        list_for_each(link, next, &site->swarms)
            take(list_entry(link, struct swarm, in_site), &heard, &address);
}
