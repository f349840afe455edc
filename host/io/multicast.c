#include "io/multicast.h"

#include "base/limits.h"
#include "base/mem.h"
#include "io/sockaddr.h"
#include "wire/lsd.h"

#include <stdio.h>
#include <string.h>

struct group {
    struct multicast *multicast;
    uv_udp_t uv;
    struct sockaddr_storage to;
    char address[ADDRESS_TEXT]; /* without the port */
    uint8_t family;
    bool is_open;
};

struct multicast {
    struct loop *loop;
    struct multicast_events events;
    struct group groups[2];
    unsigned handles; /* not yet closed: the last one frees the struct */
    bool freed;
    uint8_t buffer[LIMIT_LSD_MESSAGE];
};

/* --- hearing */

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct group *group = handle->data;

    (void)suggested;
    *ret_buf = uv_buf_init((char *)group->multicast->buffer, LIMIT_LSD_MESSAGE);
}

static void has_heard(uv_udp_t *socket, ssize_t length, const uv_buf_t *buf,
                      const struct sockaddr *from, unsigned flags)
{
    struct group *group = socket->data;
    struct multicast *multicast = group->multicast;
    struct sockaddr_storage storage = {0};
    struct address address;

    if (multicast->freed || length <= 0 || from == NULL || (flags & UV_UDP_PARTIAL) != 0)
        return;
    memcpy(&storage, from,
           from->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    if (sockaddr_to_address(&storage, &address))
        multicast->events.heard(multicast->events.user, &address, (const uint8_t *)buf->base,
                                (size_t)length);
}

/* --- networks: each interface but loopback */

/* An interface as libuv wants it named: its IPv4 address, or "::%name". */
static bool name_interface(const struct group *group, const uv_interface_address_t *interface,
                           char ret[64])
{
    bool six = interface->address.address4.sin_family == AF_INET6;

    if (interface->is_internal || six != (group->family == 6))
        return false;
    if (six)
        return snprintf(ret, 64, "::%%%s", interface->name) < 64;
    return uv_ip4_name(&interface->address.address4, ret, 64) == 0;
}

static void each_interface(struct group *group,
                           void (*call)(struct group *, const char *, const uv_buf_t *),
                           const uv_buf_t *data)
{
    uv_interface_address_t *interfaces;
    char name[64];
    int count;

    if (uv_interface_addresses(&interfaces, &count) != 0)
        return;
    for (int i = 0; i < count; i++)
        if (name_interface(group, &interfaces[i], name))
            call(group, name, data);
    uv_free_interface_addresses(interfaces, count);
}

/* It may be a member already; or the interface does no multicast. */
static void join(struct group *group, const char *interface, const uv_buf_t *unused)
{
    (void)unused;
    uv_udp_set_membership(&group->uv, group->address, interface, UV_JOIN_GROUP);
}

static void send_there(struct group *group, const char *interface, const uv_buf_t *data)
{
    if (uv_udp_set_multicast_interface(&group->uv, interface) == 0)
        uv_udp_try_send(&group->uv, data, 1, (const struct sockaddr *)&group->to);
}

/* --- birth and end */

static void socket_closed(uv_handle_t *handle)
{
    struct group *group = handle->data;
    struct multicast *multicast = group->multicast;

    if (--multicast->handles == 0 && multicast->freed)
        mem_free(multicast);
}

static void open_group(struct multicast *multicast, struct group *group, const char *text)
{
    struct address address;

    group->multicast = multicast;
    if (address_parse(text, &address) != ERR_OK)
        return;
    group->family = address.family;
    sockaddr_from_address(&address, &group->to);
    uv_inet_ntop(address.family == 4 ? AF_INET : AF_INET6, address.ip, group->address,
                 sizeof group->address);
    if (uv_udp_init(&multicast->loop->uv, &group->uv) != 0)
        return;
    group->uv.data = group;
    multicast->handles++;
    if (uv_udp_bind(&group->uv, (const struct sockaddr *)&group->to, UV_UDP_REUSEADDR) == 0 &&
        uv_udp_recv_start(&group->uv, give_buffer, has_heard) == 0) {
        group->is_open = true;
        uv_udp_set_multicast_ttl(&group->uv, 1);
        each_interface(group, join, NULL);
        return;
    }
    uv_close((uv_handle_t *)&group->uv, socket_closed);
}

enum err multicast_new(struct loop *loop, const struct multicast_events *events,
                       struct multicast **ret)
{
    struct multicast *multicast = mem_zalloc(sizeof *multicast);

    multicast->loop = loop;
    multicast->events = *events;
    open_group(multicast, &multicast->groups[0], LSD_GROUP_4);
    open_group(multicast, &multicast->groups[1], LSD_GROUP_6);
    if (!multicast->groups[0].is_open && !multicast->groups[1].is_open) {
        multicast_free(multicast);
        return ERR_NETWORK;
    }
    *ret = multicast;
    return ERR_OK;
}

void multicast_send(struct multicast *multicast, uint8_t family, const void *data, size_t length)
{
    struct group *group = &multicast->groups[family == 6];
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)length);

    if (!group->is_open)
        return;
    each_interface(group, join, NULL); /* there may be new ones */
    each_interface(group, send_there, &buf);
}

void multicast_free(struct multicast *multicast)
{
    if (multicast == NULL)
        return;
    multicast->freed = true;
    for (int i = 0; i < 2; i++)
        if (multicast->groups[i].is_open)
            uv_close((uv_handle_t *)&multicast->groups[i].uv, socket_closed);
    if (multicast->handles == 0)
        mem_free(multicast);
}
