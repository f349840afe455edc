/* io/natpmp: the router's answer over NAT-PMP (RFC 6886) with libnatpmp.
 *
 * libnatpmp talks to the default route's gateway over a connected socket, sends again after 250,
 * 500, 1000, ... ms, and checks the version and the result in a reply; it checks neither a
 * datagram's length nor that the reply is for what was asked. */
#include "io/router.h"

#include "io/loop.h"

#include <natpmp.h>
#include <poll.h>
#include <string.h>

#define REPLY_MS 4000 /* RFC 6886 would go on for a minute; a router on the LAN is quicker */

static bool open_gateway(natpmp_t *natpmp, struct address *ret_gateway)
{
    memset(natpmp, 0, sizeof *natpmp);
    natpmp->s = -1;
    if (initnatpmp(natpmp, 0, 0) != 0) {
        if (natpmp->s >= 0)
            closenatpmp(natpmp);
        return false;
    }
    *ret_gateway = (struct address){.family = 4};
    memcpy(ret_gateway->ip, &natpmp->gateway, 4);
    return true;
}

bool router_gateway(struct address *ret)
{
    natpmp_t natpmp;

    if (!open_gateway(&natpmp, ret))
        return false;
    closenatpmp(&natpmp);
    return true;
}

/* libnatpmp's result for the request under way: 0, or a negative reason. */
static int wait_reply(natpmp_t *natpmp, int type, natpmpresp_t *ret)
{
    uint64_t end_ms = uv_hrtime() / 1000000 + REPLY_MS;

    while (uv_hrtime() / 1000000 < end_ms) {
        struct timeval left;
        struct pollfd readable = {.fd = natpmp->s, .events = POLLIN};
        if (getnatpmprequesttimeout(natpmp, &left) != 0)
            return NATPMP_ERR_NOPENDINGREQ;
        long ms = left.tv_sec * 1000 + left.tv_usec / 1000;
        poll(&readable, 1, ms < 0 ? 0 : ms > REPLY_MS ? REPLY_MS : (int)ms);
        int result = readnatpmpresponseorretry(natpmp, ret);
        if (result == 0 && ret->type != type)
            return NATPMP_ERR_UNDEFINEDERROR;
        if (result != NATPMP_TRYAGAIN)
            return result;
    }
    return NATPMP_ERR_NOGATEWAYSUPPORT;
}

/* What the router says no with is a refusal; all else is as if nobody were there. */
static enum router_result failure(int result)
{
    switch (result) {
    case NATPMP_ERR_NOTAUTHORIZED:
    case NATPMP_ERR_NETWORKFAILURE:
    case NATPMP_ERR_OUTOFRESOURCES:
        return ROUTER_REFUSED;
    default:
        return ROUTER_NONE;
    }
}

static bool ask_address(natpmp_t *natpmp, struct router_answer *ret)
{
    natpmpresp_t reply = {0};

    if (sendpublicaddressrequest(natpmp) < 0)
        return false;
    int result = wait_reply(natpmp, NATPMP_RESPTYPE_PUBLICADDRESS, &reply);
    if (result != 0) {
        ret->result = failure(result);
        return false;
    }
    ret->external = (struct address){.family = 4};
    memcpy(ret->external.ip, &reply.pnu.publicaddress.addr, 4);
    return router_check_external(&ret->external, ret);
}

static void ask_mapping(natpmp_t *natpmp, const struct router_question *question,
                        struct router_answer *ret)
{
    uint16_t wanted = question->external != 0 ? question->external : question->port;
    natpmpresp_t reply = {0};

    if (sendnewportmappingrequest(natpmp, NATPMP_PROTOCOL_TCP, question->port,
                                  question->remove ? 0 : wanted,
                                  question->remove ? 0 : question->lease_s) < 0)
        return;
    int result = wait_reply(natpmp, NATPMP_RESPTYPE_TCPPORTMAPPING, &reply);
    if (result == 0 && reply.pnu.newportmapping.privateport != question->port)
        result = NATPMP_ERR_UNDEFINEDERROR;
    uint32_t lease_s = reply.pnu.newportmapping.lifetime;
    ret->external.port = reply.pnu.newportmapping.mappedpublicport;
    if (result != 0)
        ret->result = failure(result);
    else if (question->remove)
        ret->result = ROUTER_REMOVED;
    else if (ret->external.port == 0 || lease_s < LIMIT_ROUTER_LEASE_MIN_S)
        ret->result = ROUTER_REFUSED;
    else
        ret->result = ROUTER_MAPPED;
    ret->lease_s = lease_s < LIMIT_ROUTER_LEASE_MAX_S ? lease_s : LIMIT_ROUTER_LEASE_MAX_S;
}

void natpmp_ask(const struct router_question *question, struct router_answer *ret)
{
    struct address gateway;
    natpmp_t natpmp;

    *ret = (struct router_answer){.result = ROUTER_NONE};
    if (!open_gateway(&natpmp, &gateway))
        return;
    /* A gateway on the internet itself is a provider's: there is no NAT between us. */
    if (router_is_near(&gateway) && !address_is_public(&gateway)) {
        if (question->remove || ask_address(&natpmp, ret))
            ask_mapping(&natpmp, question, ret);
    }
    closenatpmp(&natpmp);
}
