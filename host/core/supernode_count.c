/* What a super-node counts, for its metrics. */
#include "core/supernode.h"

#include <string.h>

void node_metrics(const struct node *node, struct node_metrics *ret)
{
    *ret = node->counts;
    ret->unsent = node->send_queued;
    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next) {
        ret->peers += peer->handshaken;
        ret->websocket_peers += peer->handshaken && (peer->conn & CONN_WEBSOCKET) != 0;
    }
}

static void count_release(const struct site *site, struct node_site_metrics *metrics)
{
    const struct release *release = site->current->release;

    metrics->seq = release->seq;
    metrics->expires = release->expires;
    for (size_t i = 0; i < release->bundle_count; i++) {
        const struct swarm *swarm = site->current->swarms[i];
        metrics->release_bytes += release->bundles[i].bytes;
        if (swarm == NULL || swarm->state != SWARM_READY)
            continue;
        uint64_t held = (uint64_t)swarm->have.count * swarm->meta->piece_length;
        bool all = swarm_complete(swarm) || held > release->bundles[i].bytes;
        metrics->held_bytes += all ? release->bundles[i].bytes : held;
    }
}

void node_each_site_metrics(const struct node *node,
                            void (*each)(void *user, const struct node_site_metrics *metrics),
                            void *user)
{
    for (const struct site *site = node->sites; site != NULL; site = site->hh.next) {
        struct node_site_metrics metrics = {.site = site->name,
                                            .uploaded = site->uploaded,
                                            .wasted = site->wasted,
                                            .releases = site->releases,
                                            .peers = site_peer_count(site)};
        if (!site->served)
            continue;
        site_spared(site, &metrics.asked, &metrics.shared);
        memcpy(metrics.bytes, site->bytes, sizeof metrics.bytes);
        if (site->current != NULL)
            count_release(site, &metrics);
        each(user, &metrics);
    }
}
