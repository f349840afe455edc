/* What the adapter may ask the node, and tell it, between two events. */
#include "core/node.h"

#include "core/node_impl.h"
#include "core/site.h"

void node_add_totals(struct byte_totals *totals, const struct site *site)
{
    for (int i = 0; i < SOURCE_COUNT_; i++)
        totals->bytes[i] += site->bytes[i];
    totals->uploaded += site->uploaded;
}

struct byte_totals node_ever(const struct node *node)
{
    struct byte_totals totals = node->before;

    for (const struct site *site = node->sites; site != NULL; site = site->hh.next)
        node_add_totals(&totals, site);
    return totals;
}

struct settings_record node_settings(const struct node *node)
{
    return fair_use_record(node);
}

void node_set_cache_totals(struct node *node, uint64_t files, uint64_t bytes)
{
    node->cache_files = files;
    node->cache_bytes = bytes;
}

enum err node_store_error(const struct node *node)
{
    return node->store_error;
}

enum zone node_default_zone(const struct node *node)
{
    uint64_t chosen = node->fair.settings[SETTING_DEFAULT_ZONE];
    return chosen != 0 ? (enum zone)(chosen - 1) : node->config.default_zone;
}

bool node_uses_peers(const struct node *node)
{
    for (const struct site *site = node->sites; site != NULL; site = site->hh.next)
        if (site_may_use_peers(site))
            return true;
    return false;
}

bool node_is_busy(const struct node *node)
{
    return node->streams != NULL;
}
