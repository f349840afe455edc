#include "core/strikes.h"

#include "base/limits.h"
#include "base/mem.h"
#include "core/node_impl.h"

#include <string.h>

static struct strikes *find(const struct node *node, struct span who)
{
    uint8_t name[HASH_LENGTH];
    struct strikes *found;

    if (node->strikes == NULL)
        return NULL;
    sha256(who.data, who.length, name);
    HASH_FIND(hh, node->strikes, name, HASH_LENGTH, found);
    return found;
}

static void forget(struct node *node, struct strikes *entry)
{
    HASH_DEL(node->strikes, entry);
    mem_free(entry);
}

static struct strikes *make(struct node *node, struct span who)
{
    struct strikes *entry = mem_zalloc(sizeof *entry);

    if (HASH_COUNT(node->strikes) >= LIMIT_STRIKES)
        forget(node, node->strikes); /* uthash keeps the order of insertion */
    sha256(who.data, who.length, entry->name);
    entry->at_ms = node->now_ms;
    HASH_ADD(hh, node->strikes, name, HASH_LENGTH, entry);
    return entry;
}

bool strikes_add(struct node *node, struct span who, unsigned strike)
{
    struct strikes *entry = find(node, who);

    if (entry == NULL)
        entry = make(node, who);
    uint64_t forgotten = (node->now_ms - entry->at_ms) * STRIKES_BAN * 1000 / STRIKES_BAN_MS;
    entry->points -= forgotten < entry->points ? forgotten : entry->points;
    entry->points += strike * 1000;
    entry->at_ms = node->now_ms;
    if (entry->points >= STRIKES_BAN * 1000)
        entry->banned_until_ms = node->now_ms + STRIKES_BAN_MS;
    return node->now_ms < entry->banned_until_ms;
}

bool strikes_ban(struct node *node, struct span who)
{
    const struct strikes *entry = find(node, who);
    return entry != NULL && node->now_ms < entry->banned_until_ms;
}

struct span strikes_name(const struct address *address, struct address *buffer)
{
    *buffer = address_plain(address);
    if (!address_is_loopback(address))
        buffer->port = 0;
    return span_of(buffer, sizeof *buffer);
}

bool strikes_ban_address(struct node *node, const struct address *address)
{
    struct address buffer;

    return strikes_ban(node, strikes_name(address, &buffer));
}

void strikes_done(struct node *node)
{
    struct strikes *entry, *next;

    HASH_ITER(hh, node->strikes, entry, next)
    forget(node, entry);
}
