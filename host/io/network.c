#include "io/network.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTLE_MS 500 /* changes come in swarms */

struct network {
    uv_poll_t poll;
    struct loop_timer *settle;
    int fd;
    bool told, online;
    void (*changed)(void *user, bool online);
    void *user;
};

static bool leads_out(const struct ifaddrs *interface)
{
    const unsigned wanted = IFF_UP | IFF_RUNNING;

    if (interface->ifa_addr == NULL || (interface->ifa_flags & IFF_LOOPBACK) != 0 ||
        (interface->ifa_flags & wanted) != wanted)
        return false;
    if (interface->ifa_addr->sa_family == AF_INET) {
        const struct sockaddr_in *in =
            (const struct sockaddr_in *)(const void *)interface->ifa_addr;
        return ntohl(in->sin_addr.s_addr) >> 16 != 0xa9fe; /* 169.254/16 */
    }
    if (interface->ifa_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 =
            (const struct sockaddr_in6 *)(const void *)interface->ifa_addr;
        return !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
    }
    return false;
}

static bool is_online(void)
{
    struct ifaddrs *interfaces;
    bool online = false;

    if (getifaddrs(&interfaces) != 0)
        return true; /* who cannot say says nothing */
    for (const struct ifaddrs *i = interfaces; i != NULL && !online; i = i->ifa_next)
        online = leads_out(i);
    freeifaddrs(interfaces);
    return online;
}

static void settled(void *user)
{
    struct network *network = user;
    bool online = is_online();

    if (network->told && network->online == online)
        return;
    network->told = true;
    network->online = online;
    network->changed(network->user, online);
}

/* What the messages say does not matter: all is looked at anew. Lost ones (ENOBUFS) are none. */
static void readable(uv_poll_t *poll, int status, int events)
{
    struct network *network = poll->data;
    char bytes[8192];
    ssize_t got;

    (void)status;
    (void)events;
    do
        got = recv(network->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    while (got > 0 || (got < 0 && (errno == EINTR || errno == ENOBUFS)));
    loop_timer_set(network->settle, SETTLE_MS);
}

static int listen_to_kernel(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups =
                                      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

enum err network_new(struct loop *loop, void (*changed)(void *user, bool online), void *user,
                     struct network **ret)
{
    int fd = listen_to_kernel();

    if (fd < 0) {
        log_info("rtnetlink: %s", strerror(errno));
        return ERR_IO;
    }
    struct network *network = mem_zalloc(sizeof *network);
    network->fd = fd;
    network->changed = changed;
    network->user = user;
    network->settle = loop_timer_new(loop, settled, network);
    uv_poll_init(&loop->uv, &network->poll, fd);
    network->poll.data = network;
    uv_poll_start(&network->poll, UV_READABLE, readable);
    uv_unref((uv_handle_t *)&network->poll);
    loop_timer_set(network->settle, 0);
    *ret = network;
    return ERR_OK;
}

static void poll_closed(uv_handle_t *handle)
{
    struct network *network = handle->data;

    close(network->fd);
    mem_free(network);
}

void network_free(struct network *network)
{
    if (network == NULL)
        return;
    loop_timer_free(network->settle);
    uv_close((uv_handle_t *)&network->poll, poll_closed);
}
