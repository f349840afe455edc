#include "io/sockaddr.h"

#include <netinet/in.h>
#include <string.h>

void sockaddr_from_address(const struct address *address, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (address->family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;

        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->ip, 4);
    } else {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)ret;

        in->sin6_family = AF_INET6;
        in->sin6_port = htons(address->port);
        memcpy(&in->sin6_addr, address->ip, 16);
    }
}

bool sockaddr_to_address(const struct sockaddr_storage *from, struct address *ret)
{
    memset(ret, 0, sizeof *ret);
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;

        ret->family = 4;
        ret->port = ntohs(in->sin_port);
        memcpy(ret->ip, &in->sin_addr, 4);
        return true;
    }
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)from;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in->sin6_addr);

        ret->family = mapped ? 4 : 6;
        ret->port = ntohs(in->sin6_port);
        if (mapped)
            memcpy(ret->ip, in->sin6_addr.s6_addr + 12, 4);
        else
            memcpy(ret->ip, &in->sin6_addr, 16);
        return true;
    }
    return false;
}
