/* Trackers and super-nodes: is somebody there? Only warnings: visitors get on without them. */
#include "app/verify.h"
#include "base/mem.h"
#include "wire/host_name.h"
#include "wire/tracker.h"
#include "wire/udp_tracker.h"

#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 4000

static const char look[] = "start it, or publish without it: visitors lose time with it";

static void warn(struct verify *verify, const char *what, const char *url, const char *seen)
{
    verify_add(&verify->report, VERIFY_WARNING, what, url, look, "%s", seen);
}

/* --- over HTTP */

/* An announce of somebody who has everything and leaves: it changes nothing there. */
static void announce_of_nobody(const struct verify *verify, struct tracker_announce *ret)
{
    *ret = (struct tracker_announce){.port = 9, .event = TRACKER_STOPPED};
    if (verify->release->bundle_count > 0)
        memcpy(ret->infohash, verify->release->bundles[0].infohash, sizeof ret->infohash);
    randombytes_buf(ret->peer_id, sizeof ret->peer_id);
    memcpy(ret->peer_id, "-FR0000-", 8);
}

static void judge_reply(struct verify *verify, const char *url, const struct verify_reply *reply)
{
    struct tracker_reply parsed;
    char seen[200];
    enum err err = tracker_reply_parse(reply->body.data, reply->body.length, &parsed);
    snprintf(seen, sizeof seen, "status %ld", reply->status);
    if (reply->status == 200 && err == ERR_OK && parsed.failure[0] != '\0')
        snprintf(seen, sizeof seen, "it refuses this site: %s", parsed.failure);
    if (reply->status != 200 || (err == ERR_OK && parsed.failure[0] != '\0'))
        warn(verify, "tracker", url, seen);
    else if (err != ERR_OK)
        warn(verify, "tracker", url, "what answers there is no tracker");
    if (err == ERR_OK)
        tracker_reply_done(&parsed);
}

static void got_reply(struct verify *verify, void *user, const struct verify_reply *reply)
{
    const char *url = user;
    if (reply->error[0] != '\0')
        warn(verify, "tracker", url, reply->error);
    else
        judge_reply(verify, url, reply);
}

static bool next_announce(struct verify *verify, void *user, struct verify_request *ret)
{
    (void)verify;
    (void)user;
    ret->path = verify->announce;
    ret->max = LIMIT_TRACKER_REPLY;
    verify->announce = NULL;
    return ret->path != NULL;
}

static void ask_http(struct verify *verify, const char *url)
{
    struct tracker_announce announce;
    struct buf full;
    announce_of_nobody(verify, &announce);
    buf_init(&full, 2 * LIMIT_URL);
    if (tracker_announce_url(url, &announce, &full) == ERR_OK) {
        buf_put_u8(&full, 0);
        verify->announce = (const char *)full.data;
        verify_get_all(verify, next_announce, got_reply, (void *)url);
    }
    buf_done(&full);
    verify->lost = 0; /* a tracker that is gone is not the site */
    verify->gone = false;
}

/* --- sockets */

/* Connected to the first address that takes it, or -1. */
static int dial(const char *host, uint16_t port, int type)
{
    char service[8];
    struct addrinfo hints = {.ai_socktype = type}, *all = NULL;
    int fd = -1;
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &all) != 0)
        return -1;
    for (struct addrinfo *one = all; one != NULL && fd < 0; one = one->ai_next) {
        struct pollfd wait = {.events = POLLOUT};
        int error = 1;
        socklen_t length = sizeof error;
        fd = socket(one->ai_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        wait.fd = fd;
        if (fd >= 0)
            (void)connect(fd, one->ai_addr, one->ai_addrlen);
        if (fd >= 0 && (poll(&wait, 1, WAIT_MS) != 1 ||
                        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    return fd;
}

static bool udp_answers(int fd)
{
    struct buf packet;
    struct udp_tracker_reply reply;
    uint8_t data[LIMIT_UDP_TRACKER_REPLY];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint32_t transaction = randombytes_random();
    bool good = false;
    buf_init(&packet, 64);
    udp_tracker_put_connect(transaction, &packet);
    for (int try = 0; try < 2 && !good; try++) {
        if (send(fd, packet.data, packet.length, 0) < 0 || poll(&wait, 1, WAIT_MS / 2) != 1)
            continue;
        ssize_t got = recv(fd, data, sizeof data, 0);
        if (got > 0 && udp_tracker_decode(data, (size_t)got, 4, &reply) == ERR_OK) {
            good = reply.action == UDP_TRACKER_CONNECT && reply.transaction == transaction;
            udp_tracker_reply_done(&reply);
        }
    }
    buf_done(&packet);
    return good;
}

static void ask_udp(struct verify *verify, const char *url)
{
    char host[UDP_TRACKER_HOST];
    uint16_t port;
    if (udp_tracker_url(url, host, &port) != ERR_OK)
        return;
    int fd = dial(host, port, SOCK_DGRAM);
    if (fd < 0 || !udp_answers(fd))
        warn(verify, "tracker", url, "no answer");
    if (fd >= 0)
        close(fd);
}

/* "host:port" or "[v6]:port", then perhaps a path. */
static bool split(const char *text, char host[UDP_TRACKER_HOST], uint16_t *ret_port)
{
    char *url = mem_printf("udp://%s", text);
    bool good = udp_tracker_url(url, host, ret_port) == ERR_OK;
    mem_free(url);
    return good;
}

static void reach_tcp(struct verify *verify, const char *url)
{
    char host[UDP_TRACKER_HOST];
    uint16_t port;
    int fd = split(url + strlen("tcp://"), host, &port) ? dial(host, port, SOCK_STREAM) : -1;
    if (fd < 0)
        warn(verify, "supernode", url, "no connection");
    else
        close(fd);
}

/* The TLS handshake is enough. */
static void reach_wss(struct verify *verify, const char *url)
{
    char error[CURL_ERROR_SIZE] = "", *https = mem_printf("https%s", url + strlen("wss"));
    CURL *easy = curl_easy_init();
    if (easy != NULL) {
        curl_easy_setopt(easy, CURLOPT_URL, https);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)WAIT_MS);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
        if (verify->options->ca_file != NULL)
            curl_easy_setopt(easy, CURLOPT_CAINFO, verify->options->ca_file);
        CURLcode code = curl_easy_perform(easy);
        if (code != CURLE_OK)
            warn(verify, "supernode", url, error[0] != '\0' ? error : curl_easy_strerror(code));
    }
    curl_easy_cleanup(easy);
    mem_free(https);
}

void verify_reach(struct verify *verify)
{
    const struct release *release = verify->release;
    for (size_t i = 0; i < release->tracker_count; i++) {
        if (strncmp(release->trackers[i], "udp:", 4) == 0)
            ask_udp(verify, release->trackers[i]);
        else
            ask_http(verify, release->trackers[i]);
    }
    for (size_t i = 0; i < release->supernode_count; i++) {
        if (strncmp(release->supernodes[i], "tcp:", 4) == 0)
            reach_tcp(verify, release->supernodes[i]);
        else
            reach_wss(verify, release->supernodes[i]);
    }
}
