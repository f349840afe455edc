/* Our own address as others see it. A tracker of the site may tell (BEP 24) and is believed;
 * a peer may tell with `yourip` (BEP 10), and anybody can say anything: what peers say counts when
 * SAYERS of different networks agree, and only where no tracker has told. It is used to order whom
 * we connect to (BEP 40), and for nothing else. */
#include "core/node_impl.h"

#include <string.h>

#define SAYERS 3

/* IPv4 /16, IPv6 /32: one owner hardly has three of them. */
static bool same_network(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 2 : 4) == 0;
}

void node_seen_as(struct node *node, const struct address *by, const struct address *address)
{
    struct address sayer = address_plain(by), said = address_plain(address);
    struct sighting *place = &node->sightings[node->sighting_next % SIGHTINGS];
    unsigned agree = 1;

    said.port = 0;
    if (!address_is_public(&sayer) || !address_is_public(&said))
        return;
    for (unsigned i = 0; i < SIGHTINGS; i++) {
        struct sighting *sighting = &node->sightings[i];
        if (same_network(&sighting->by, &sayer))
            place = sighting; /* its last word counts */
        else
            agree += address_same_ip(&sighting->address, &said);
    }
    if (place == &node->sightings[node->sighting_next % SIGHTINGS])
        node->sighting_next++;
    *place = (struct sighting){sayer, said};
    if (agree >= SAYERS && !node->tracker_saw)
        node->seen_as = said;
}
