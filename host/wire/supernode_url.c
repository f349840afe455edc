#include "wire/supernode_url.h"

#include "wire/host_name.h"
#include "wire/release_rules.h"

#include <stdio.h>
#include <string.h>

static const char *after_scheme(const char *url, struct supernode_url *ret)
{
    static const struct {
        const char *scheme;
        bool websocket, tls;
        uint16_t port;
    } schemes[] = {
        {"tcp://", false, false, 0}, {"wss://", true, true, 443}, {"ws://", true, false, 80}};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) != 0)
            continue;
        ret->websocket = schemes[i].websocket;
        ret->tls = schemes[i].tls;
        ret->port = schemes[i].port;
        return url + strlen(schemes[i].scheme);
    }
    return NULL;
}

bool supernode_url_parse(const char *url, struct supernode_url *ret)
{
    memset(ret, 0, sizeof *ret);
    if (!release_supernode_ok(url))
        return false;
    const char *text = after_scheme(url, ret);
    if (text == NULL)
        return false;
    size_t host = host_name_length(text, strlen(text)), whole = strcspn(text, "/");
    bool bracketed = text[0] == '[';
    snprintf(ret->host, sizeof ret->host, "%.*s", (int)(host - 2 * bracketed), text + bracketed);
    snprintf(ret->authority, sizeof ret->authority, "%.*s", (int)whole, text);
    if (whole > host)
        ret->port = (uint16_t)host_port_parse(text + host, whole - host);
    ret->path = text[whole] == '/' ? text + whole : "/";
    return ret->port != 0;
}
