/* io/router: what both methods share: the rules for addresses, and the answer as a line. */
#include "io/router.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *const method_names[] = {[ROUTER_NATPMP] = "nat-pmp", [ROUTER_UPNP] = "upnp"};

static const char *const result_names[] = {[ROUTER_MAPPED] = "mapped",
                                           [ROUTER_REMOVED] = "removed",
                                           [ROUTER_NONE] = "no-router",
                                           [ROUTER_REFUSED] = "refused",
                                           [ROUTER_DOUBLE_NAT] = "double-nat"};

#define RESULTS (sizeof result_names / sizeof result_names[0])

const char *router_method_name(enum router_method method)
{
    return method_names[method];
}

bool router_method_parse(const char *text, enum router_method *ret)
{
    for (int i = 0; i < ROUTER_METHODS_; i++) {
        if (strcmp(text, method_names[i]) != 0)
            continue;
        *ret = (enum router_method)i;
        return true;
    }
    return false;
}

const char *router_result_name(enum router_result result)
{
    return result_names[result];
}

/* --- addresses */

/* So strict that no two readers can see two hosts in it. */
bool router_url_parse(const char *url, struct address *ret_host)
{
    static const char scheme[] = "http://";
    const char *host = url + sizeof scheme - 1;
    char text[ADDRESS_TEXT];

    if (strncmp(url, scheme, sizeof scheme - 1) != 0 || strlen(url) > LIMIT_ROUTER_URL)
        return false;
    for (const char *c = url; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    size_t length = strcspn(host, "/");
    if (host[length] != '/' || length + sizeof ":80" > sizeof text)
        return false;
    memcpy(text, host, length);
    strcpy(text + length, memchr(host, ':', length) == NULL ? ":80" : "");
    return address_parse(text, ret_host) == ERR_OK && ret_host->family == 4 && ret_host->port != 0;
}

/* getifaddrs aligns them for their own type only, and not for a sockaddr_storage. */
static bool read_4(const struct sockaddr *from, uint32_t *ret_ip)
{
    struct sockaddr_in in;

    if (from == NULL || from->sa_family != AF_INET)
        return false;
    memcpy(&in, from, sizeof in);
    *ret_ip = in.sin_addr.s_addr;
    return true;
}

static bool same_network(const struct ifaddrs *interface, uint32_t ip)
{
    uint32_t own, mask;

    return read_4(interface->ifa_addr, &own) && read_4(interface->ifa_netmask, &mask) &&
           mask != 0 && ((own ^ ip) & mask) == 0 && own != ip;
}

bool router_is_near(const struct address *address)
{
    struct ifaddrs *interfaces;
    bool near = false;
    uint32_t ip;

    memcpy(&ip, address->ip, sizeof ip);
    if (address->family != 4 || getifaddrs(&interfaces) != 0)
        return false;
    for (const struct ifaddrs *i = interfaces; i != NULL && !near; i = i->ifa_next)
        near = (i->ifa_flags & (IFF_UP | IFF_LOOPBACK)) == IFF_UP && same_network(i, ip);
    freeifaddrs(interfaces);
    return near;
}

bool router_check_external(const struct address *external, struct router_answer *ret)
{
    if (address_is_public(external))
        return true;
    ret->result = ROUTER_DOUBLE_NAT;
    ret->external = *external;
    ret->external.port = 0;
    return false;
}

/* --- the line */

void router_answer_encode(const struct router_answer *answer, struct buf *out)
{
    char external[ADDRESS_TEXT];

    address_format(&answer->external, external);
    buf_put_text(out, result_names[answer->result]);
    if (answer->result == ROUTER_MAPPED || answer->result == ROUTER_DOUBLE_NAT)
        buf_printf(out, " %s", external);
    if (answer->result == ROUTER_MAPPED)
        buf_printf(out, " %lu%s%s", (unsigned long)answer->lease_s, answer->url[0] ? " " : "",
                   answer->url);
    buf_put_u8(out, '\n');
}

static bool parse_lease(const char *text, uint32_t *ret)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);

    *ret = (uint32_t)seconds;
    return *text >= '0' && *text <= '9' && *end == '\0' && seconds >= LIMIT_ROUTER_LEASE_MIN_S &&
           seconds <= LIMIT_ROUTER_LEASE_MAX_S;
}

/* words: what follows the name, or NULL. */
static enum err decode_mapped(char *words, struct router_answer *ret)
{
    char *address = strtok_r(words, " ", &words), *lease = strtok_r(NULL, " ", &words);
    char *url = strtok_r(NULL, " ", &words);
    struct address host;

    if (lease == NULL || strtok_r(NULL, " ", &words) != NULL)
        return ERR_SYNTAX;
    if (address_parse(address, &ret->external) != ERR_OK || !parse_lease(lease, &ret->lease_s))
        return ERR_RANGE;
    if (!address_is_public(&ret->external) || ret->external.port == 0)
        return ERR_RANGE;
    if (url != NULL && !router_url_parse(url, &host))
        return ERR_BAD_URL;
    strcpy(ret->url, url != NULL ? url : "");
    return ERR_OK;
}

static enum err decode_words(char *line, struct router_answer *ret)
{
    char *words = strchr(line, ' ');

    if (words != NULL)
        *words++ = '\0';
    for (size_t i = 0; i < RESULTS; i++) {
        if (strcmp(line, result_names[i]) != 0)
            continue;
        ret->result = (enum router_result)i;
        if (ret->result == ROUTER_MAPPED)
            return words != NULL ? decode_mapped(words, ret) : ERR_SYNTAX;
        if (ret->result == ROUTER_DOUBLE_NAT)
            return words != NULL ? address_parse(words, &ret->external) : ERR_SYNTAX;
        return words == NULL ? ERR_OK : ERR_SYNTAX;
    }
    return ERR_SYNTAX;
}

enum err router_answer_decode(struct span line, struct router_answer *ret)
{
    char text[LIMIT_ROUTER_ANSWER + 1];

    memset(ret, 0, sizeof *ret);
    if (line.length > LIMIT_ROUTER_ANSWER)
        return ERR_TOO_LARGE;
    if (line.length == 0 || line.data[line.length - 1] != '\n')
        return ERR_TRUNCATED;
    memcpy(text, line.data, line.length);
    text[line.length - 1] = '\0';
    if (strlen(text) != line.length - 1)
        return ERR_SYNTAX;
    return decode_words(text, ret);
}
