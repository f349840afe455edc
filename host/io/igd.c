/* io/igd: the router's answer over UPnP (Internet Gateway Device, WANIPConnection and
 * WANPPPConnection) with libminiupnpc.
 *
 * Anybody on the LAN may answer the search, and what answers names the URLs that the library then
 * fetches from and posts to. So its UPNP_GetValidIGD, which posts to whatever a description names,
 * is not used: both URLs must be of one host, near us, and the default gateway comes first. */
#include "io/router.h"

#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SEARCH_MS       2000 /* a kind of device; also the time that they may take to answer */
#define TTL             2    /* UPnP Device Architecture 1.1 */
#define PORTS_TRIED     3
#define FIRST_FREE_PORT 49152
#define ONLY_PERMANENT  725 /* OnlyPermanentLeasesSupported */
#define DESCRIPTION     "Fringe"
#define ADDRESS_4_TEXT  16
#define PORT_TEXT       6
#define LEASE_TEXT      12

/* A WAN connection of a device. */
struct igd {
    const char *control, *service;
    char client[ADDRESS_4_TEXT]; /* ours, as it sees us */
};

/* --- commands */

static bool find_external(const struct igd *igd, struct router_answer *ret)
{
    char text[ADDRESS_4_TEXT] = "";

    ret->external = (struct address){.family = 4};
    if (UPNP_GetExternalIPAddress(igd->control, igd->service, text) != UPNPCOMMAND_SUCCESS ||
        inet_pton(AF_INET, text, ret->external.ip) != 1) {
        ret->result = ROUTER_REFUSED;
        return false;
    }
    return router_check_external(&ret->external, ret);
}

static int add(const struct igd *igd, uint16_t port, uint16_t external, uint32_t lease_s)
{
    char inside[PORT_TEXT], outside[PORT_TEXT], lease[LEASE_TEXT];

    snprintf(inside, sizeof inside, "%u", (unsigned)port);
    snprintf(outside, sizeof outside, "%u", (unsigned)external);
    snprintf(lease, sizeof lease, "%lu", (unsigned long)lease_s);
    return UPNP_AddPortMapping(igd->control, igd->service, outside, inside, igd->client,
                               DESCRIPTION, "TCP", NULL, lease);
}

static void add_mapping(const struct igd *igd, const struct router_question *question,
                        struct router_answer *ret)
{
    uint16_t external = question->external != 0 ? question->external : question->port;

    if (!find_external(igd, ret))
        return;
    for (int i = 0; i < PORTS_TRIED; i++) {
        int code = add(igd, question->port, external, question->lease_s);
        if (code == ONLY_PERMANENT)
            code = add(igd, question->port, external, 0);
        if (code == UPNPCOMMAND_SUCCESS) {
            ret->result = ROUTER_MAPPED;
            ret->external.port = external;
            ret->lease_s = question->lease_s; /* IGD:1 does not tell which it has given */
            return;
        }
        if (code < 0) /* no answer, or none that is understood */
            break;
        /* Taken by somebody else, most likely: any other is as good. */
        external = (uint16_t)(FIRST_FREE_PORT + randombytes_uniform(65536 - FIRST_FREE_PORT));
    }
    ret->result = ROUTER_REFUSED;
}

static void remove_mapping(const struct igd *igd, const struct router_question *question,
                           struct router_answer *ret)
{
    char outside[PORT_TEXT];

    snprintf(outside, sizeof outside, "%u", (unsigned)question->external);
    int code = UPNP_DeletePortMapping(igd->control, igd->service, outside, "TCP", NULL);
    ret->result = code == UPNPCOMMAND_SUCCESS ? ROUTER_REMOVED : ROUTER_REFUSED;
}

/* --- one device */

static bool is_same_host(const char *url, const struct address *host)
{
    struct address other;

    return url != NULL && router_url_parse(url, &other) && address_same_ip(&other, host);
}

static bool find_client(const struct router_question *question, const char *seen,
                        char ret[ADDRESS_4_TEXT])
{
    uint8_t ip[4];

    if (question->client.family == 4)
        return inet_ntop(AF_INET, question->client.ip, ret, ADDRESS_4_TEXT) != NULL;
    return inet_pton(AF_INET, seen, ip) == 1 && inet_ntop(AF_INET, ip, ret, ADDRESS_4_TEXT) != NULL;
}

static void ask_service(const struct igd *igd, const struct router_question *question,
                        struct router_answer *ret)
{
    if (question->remove)
        remove_mapping(igd, question, ret);
    else
        add_mapping(igd, question, ret);
}

/* A device may have two WAN connections: the second is asked when the first gives nothing. */
static void ask_services(struct IGDdatas *data, const char *url, const struct address *host,
                         const char *seen, const struct router_question *question,
                         struct router_answer *ret)
{
    for (int i = 0; i < 2 && data->first.servicetype[0] != '\0'; i++) {
        struct UPNPUrls urls = {0};
        struct igd igd = {.service = data->first.servicetype};
        GetUPNPUrls(&urls, data, url, 0);
        igd.control = urls.controlURL;
        if (is_same_host(urls.controlURL, host) && find_client(question, seen, igd.client))
            ask_service(&igd, question, ret);
        FreeUPNPUrls(&urls);
        if (ret->result == ROUTER_MAPPED || ret->result == ROUTER_REMOVED)
            return;
        data->first = data->second;
        data->second.servicetype[0] = '\0';
    }
}

static void ask_device(const char *url, const struct router_question *question,
                       struct router_answer *ret)
{
    struct address host;
    struct IGDdatas data;
    struct UPNPUrls urls;
    char seen[64] = ""; /* our address, as getnameinfo writes it */

    if (!router_url_parse(url, &host) || !router_is_near(&host))
        return;
    memset(&data, 0, sizeof data);
    if (UPNP_GetIGDFromUrl(url, &urls, &data, seen, sizeof seen) != 1)
        return;
    FreeUPNPUrls(&urls);
    ask_services(&data, url, &host, seen, question, ret);
    if (ret->result == ROUTER_MAPPED)
        strcpy(ret->url, url);
}

/* --- the search */

static bool is_gateway(const char *url)
{
    struct address gateway;

    return router_gateway(&gateway) && is_same_host(url, &gateway);
}

static struct UPNPDev *search(const struct router_question *question)
{
    static const char *const kinds[] = {"urn:schemas-upnp-org:device:InternetGatewayDevice:1",
                                        "urn:schemas-upnp-org:service:WANIPConnection:1",
                                        "urn:schemas-upnp-org:service:WANPPPConnection:1", NULL};
    char from[ADDRESS_4_TEXT];
    bool has_from = question->client.family == 4 && find_client(question, "", from);
    int error;

    /* "": what a MiniSSDPd has collected is not asked; it is one more party to trust. */
    return upnpDiscoverDevices(kinds, SEARCH_MS, has_from ? from : NULL, "", UPNP_LOCAL_PORT_ANY, 0,
                               TTL, &error, 0);
}

/* A refusal says more than silence: of several devices the first that says anything counts. */
static void ask_found(const struct UPNPDev *devices, bool gateway,
                      const struct router_question *question, struct router_answer *ret)
{
    int seen = 0;

    for (const struct UPNPDev *device = devices; device != NULL; device = device->pNext) {
        if (ret->result != ROUTER_NONE || ++seen > (int)LIMIT_ROUTER_DEVICES)
            return;
        if (is_gateway(device->descURL) == gateway)
            ask_device(device->descURL, question, ret);
    }
}

void igd_ask(const struct router_question *question, struct router_answer *ret)
{
    *ret = (struct router_answer){.result = ROUTER_NONE};
    if (question->url[0] != '\0') {
        ask_device(question->url, question, ret);
        return;
    }
    struct UPNPDev *devices = search(question);
    ask_found(devices, true, question, ret);
    ask_found(devices, false, question, ret);
    freeUPNPDevlist(devices);
}
