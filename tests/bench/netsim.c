/* netsim: the network between the namespaces of a crowd bench, for kernels without sch_netem.
 *
 * Every namespace gets one TUN device, "p0". A packet from i to j waits in i's uplink (a rate, a
 * drop-tail queue), travels for i's delay, waits in j's downlink, and is there.
 *
 * usage: netsim < CONFIG, a line for each namespace:
 *   NAME IPV4 UP_BIT_S DOWN_BIT_S DELAY_US QUEUE_MS        a rate of 0: unlimited
 * Prints "ready" when the devices exist. SIGTERM: prints what went where as one line of JSON, ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define HOSTS_MAX  128
#define PACKET_MAX 65536
#define BATCH      64     /* packets of one host before the next one's turn */
#define GRAIN_NS   500000 /* a shorter sleep costs more than it is worth */
#define SECOND_NS  1000000000LL

/* One direction of a host's link. */
struct link {
    double bits_per_ns; /* 0: unlimited */
    int64_t queue_ns, free_at;
    uint64_t dropped;
};

struct host {
    char name[64], ip_text[INET_ADDRSTRLEN];
    uint32_t ip;
    int fd;
    struct link up, down;
    int64_t delay_ns;
    uint64_t sent, received; /* bytes of IP packets */
};

struct packet {
    int64_t at; /* when it is through with what it is in */
    uint64_t number;
    struct host *from, *to;
    bool in_downlink;
    size_t length;
    uint8_t *data;
};

static struct host hosts[HOSTS_MAX];
static size_t host_count;
static uint64_t delivered[HOSTS_MAX][HOSTS_MAX];
static volatile sig_atomic_t stopped;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* --- packets under way, the earliest first: a binary heap */

static struct packet *heap;
static size_t heap_count, heap_room;
static uint64_t packets_made;

static bool is_before(const struct packet *a, const struct packet *b)
{
    return a->at < b->at || (a->at == b->at && a->number < b->number);
}

static void heap_push(const struct packet *packet)
{
    if (heap_count == heap_room) {
        heap_room = heap_room > 0 ? 2 * heap_room : 1024;
        heap = realloc(heap, heap_room * sizeof *heap);
        if (heap == NULL)
            fail("memory");
    }
    size_t i = heap_count++;
    for (; i > 0 && is_before(packet, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = *packet;
}

static struct packet heap_pop(void)
{
    struct packet first = heap[0], last = heap[--heap_count];
    size_t i = 0;

    for (size_t child; (child = 2 * i + 1) < heap_count; i = child) {
        if (child + 1 < heap_count && is_before(&heap[child + 1], &heap[child]))
            child++;
        if (!is_before(&heap[child], &last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return first;
}

/* --- a packet's way */

/* When a packet that comes at `at` has left the link; -1: dropped, the queue is full. */
static int64_t pass(struct link *link, int64_t at, size_t length)
{
    int64_t start = link->free_at > at ? link->free_at : at;

    if (link->bits_per_ns <= 0)
        return at;
    if (start - at > link->queue_ns) {
        link->dropped++;
        return -1;
    }
    link->free_at = start + (int64_t)((double)length * 8 / link->bits_per_ns);
    return link->free_at;
}

static struct host *find_host(uint32_t ip)
{
    for (size_t i = 0; i < host_count; i++)
        if (hosts[i].ip == ip)
            return &hosts[i];
    return NULL;
}

static void leave_home(struct host *from, const uint8_t *data, size_t length, int64_t now)
{
    struct packet packet = {.from = from, .length = length, .number = packets_made++};
    uint32_t ip;

    if (length < 20 || data[0] >> 4 != 4)
        return;
    memcpy(&ip, data + 16, sizeof ip);
    packet.to = find_host(ip);
    if (packet.to == NULL)
        return;
    packet.at = pass(&from->up, now, length);
    if (packet.at < 0)
        return;
    packet.at += from->delay_ns;
    from->sent += length;
    packet.data = malloc(length);
    if (packet.data == NULL)
        fail("memory");
    memcpy(packet.data, data, length);
    heap_push(&packet);
}

static void arrive(struct packet *packet)
{
    if (!packet->in_downlink) {
        packet->in_downlink = true;
        packet->at = pass(&packet->to->down, packet->at, packet->length);
        if (packet->at >= 0) {
            heap_push(packet);
            return;
        }
    } else if (write(packet->to->fd, packet->data, packet->length) == (ssize_t)packet->length) {
        packet->to->received += packet->length;
        delivered[packet->from - hosts][packet->to - hosts] += packet->length;
    }
    free(packet->data);
}

static void read_host(struct host *host, int64_t now)
{
    static uint8_t data[PACKET_MAX];

    for (int i = 0; i < BATCH; i++) {
        ssize_t length = read(host->fd, data, sizeof data);
        if (length <= 0)
            return;
        leave_home(host, data, (size_t)length, now);
    }
}

/* --- all of it */

static void open_device(struct host *host, int poll)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "p0"};
    struct epoll_event watch = {.events = EPOLLIN, .data.ptr = host};
    char path[96];

    snprintf(path, sizeof path, "/run/netns/%s", host->name);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || setns(namespace, CLONE_NEWNET) != 0)
        fail(path);
    close(namespace);
    host->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (host->fd < 0 || ioctl(host->fd, TUNSETIFF, &request) != 0)
        fail("/dev/net/tun");
    epoll_ctl(poll, EPOLL_CTL_ADD, host->fd, &watch);
}

static void read_config(int poll)
{
    double up, down;
    long long delay_us, queue_ms;

    while (host_count < HOSTS_MAX) {
        struct host *host = &hosts[host_count];
        if (scanf("%63s %15s %lf %lf %lld %lld", host->name, host->ip_text, &up, &down, &delay_us,
                  &queue_ms) != 6)
            return;
        if (inet_pton(AF_INET, host->ip_text, &host->ip) != 1)
            fail(host->ip_text);
        host->up = (struct link){.bits_per_ns = up / SECOND_NS, .queue_ns = queue_ms * 1000000};
        host->down = (struct link){.bits_per_ns = down / SECOND_NS, .queue_ns = queue_ms * 1000000};
        host->delay_ns = delay_us * 1000;
        open_device(host, poll);
        host_count++;
    }
}

static struct timespec until_next(int64_t now)
{
    int64_t wait = heap_count > 0 ? heap[0].at - now : SECOND_NS;

    if (wait > SECOND_NS)
        wait = SECOND_NS;
    if (wait > 0 && wait < GRAIN_NS)
        wait = GRAIN_NS;
    if (wait < 0)
        wait = 0;
    return (struct timespec){wait / SECOND_NS, wait % SECOND_NS};
}

static void run(int poll)
{
    struct epoll_event ready[BATCH];

    while (!stopped) {
        struct timespec wait = until_next(now_ns());
        int count = epoll_pwait2(poll, ready, BATCH, &wait, NULL);
        int64_t now = now_ns();
        for (int i = 0; i < count; i++)
            read_host(ready[i].data.ptr, now);
        while (heap_count > 0 && heap[0].at <= now) {
            struct packet packet = heap_pop();
            arrive(&packet);
        }
    }
}

static void report(void)
{
    printf("{\"hosts\": [");
    for (size_t i = 0; i < host_count; i++) {
        const struct host *host = &hosts[i];
        printf("%s{\"ip\": \"%s\", \"sent\": %llu, \"received\": %llu, \"lost_up\": %llu, "
               "\"lost_down\": %llu, \"from\": [",
               i > 0 ? ", " : "", host->ip_text, (unsigned long long)host->sent,
               (unsigned long long)host->received, (unsigned long long)host->up.dropped,
               (unsigned long long)host->down.dropped);
        for (size_t j = 0; j < host_count; j++)
            printf("%s%llu", j > 0 ? ", " : "", (unsigned long long)delivered[j][i]);
        printf("]}");
    }
    printf("]}\n");
}

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

int main(void)
{
    int poll = epoll_create1(EPOLL_CLOEXEC);

    signal(SIGTERM, stop);
    signal(SIGINT, SIG_IGN); /* a terminal's: the bench says when it is over */
    read_config(poll);
    printf("ready\n");
    fflush(stdout);
    run(poll);
    report();
    return 0;
}
