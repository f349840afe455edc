/* One question to the home router: may TCP peers come in through a port of yours? Layer: io.
 *
 * igd_ask speaks UPnP IGD (libminiupnpc), natpmp_ask NAT-PMP (RFC 6886, libnatpmp). Both block, and
 * libminiupnpc bounds neither the length of a reply nor how long it takes to come; so they run only
 * in a process of their own, `fringe port-map`, which may be killed at any time (io/portmap_run.h).
 *
 * The router is a stranger: its LAN address must be in a network of ours, its address on the
 * internet a public one (else there is another NAT behind it, and the mapping leads nowhere). */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "wire/address.h"

enum router_method { ROUTER_NATPMP, ROUTER_UPNP, ROUTER_METHODS_ };

struct router_question {
    enum router_method method;
    bool remove;                    /* take the mapping away again */
    uint16_t port;                  /* ours */
    uint16_t external;              /* the router's that we would like; 0: the same as ours */
    uint32_t lease_s;               /* how long we want it */
    struct address client;          /* ours on the LAN; family 0: the one that reaches the router */
    char url[LIMIT_ROUTER_URL + 1]; /* UPnP: where it was found last time; "": search */
};

enum router_result {
    ROUTER_MAPPED,
    ROUTER_REMOVED,
    ROUTER_NONE, /* nobody answers, or in no way that we understand */
    ROUTER_REFUSED,
    ROUTER_DOUBLE_NAT,
};

struct router_answer {
    enum router_result result;
    struct address external;        /* mapped; double NAT: the address that is not public, port 0 */
    uint32_t lease_s;               /* mapped */
    char url[LIMIT_ROUTER_URL + 1]; /* UPnP, mapped: where the router was found */
};

void igd_ask(const struct router_question *question, struct router_answer *ret);
void natpmp_ask(const struct router_question *question, struct router_answer *ret);

const char *router_method_name(enum router_method method); /* "nat-pmp", "upnp" */
bool router_method_parse(const char *text, enum router_method *ret);
const char *router_result_name(enum router_result result); /* "mapped", "no-router", ... */

/* An answer as one line of text, from `fringe port-map` to the daemon:
 *
 *   mapped ADDR:PORT SECONDS [URL] | double-nat ADDR:0 | removed | no-router | refused */
void router_answer_encode(const struct router_answer *answer, struct buf *out);
enum err router_answer_decode(struct span line, struct router_answer *ret);

/* "http://A.B.C.D[:PORT]/...", printable, no longer than LIMIT_ROUTER_URL. */
bool router_url_parse(const char *url, struct address *ret_host);
/* Is the IPv4 address in the network of one of our interfaces, and not our own? */
bool router_is_near(const struct address *address);
/* The default route's; false: there is none (natpmp.c). */
bool router_gateway(struct address *ret);
/* Fills in what follows from the router's own address on the internet. */
bool router_check_external(const struct address *external, struct router_answer *ret);
