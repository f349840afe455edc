/* What of a connection's bytes under way is not in a wire but in a queue shows in its round trip:
 * it is the part of the time above the shortest that it ever took (as in TCP Vegas). */
#include "io/socket_backlog.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#define DELAY_MIN_US 5000 /* a queue as short as this delays nobody */

static size_t waiting(const struct tcp_info *info)
{
    uint64_t sent = (uint64_t)info->tcpi_unacked + info->tcpi_retrans;
    uint64_t gone = (uint64_t)info->tcpi_sacked + info->tcpi_lost;
    uint64_t flying = (sent > gone ? sent - gone : 0) * info->tcpi_snd_mss;
    uint64_t queued = flying * (info->tcpi_rtt - info->tcpi_min_rtt) / info->tcpi_rtt;

    return (size_t)(queued + info->tcpi_notsent_bytes);
}

struct socket_backlog socket_backlog(int fd)
{
    struct tcp_info info = {0};
    struct socket_backlog backlog = {0};
    socklen_t length = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
        length < offsetof(struct tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt)
        return backlog;
    backlog.under_way = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
    backlog.delayed = info.tcpi_rtt >= info.tcpi_min_rtt + DELAY_MIN_US;
    if (backlog.delayed)
        backlog.bytes = waiting(&info);
    return backlog;
}
