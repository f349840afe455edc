#include "app/metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SITES LIMIT_SUPERNODE_SITES

struct sites {
    struct node_site_metrics items[SITES];
    size_t count;
};

static void add_site(void *user, const struct node_site_metrics *site)
{
    struct sites *sites = user;

    if (sites->count < SITES)
        sites->items[sites->count++] = *site;
}

__attribute__((format(printf, 2, 3))) static void put(struct buf *out, const char *format, ...)
{
    char line[LIMIT_SITE + 256];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length > 0 && (size_t)length < sizeof line)
        buf_put(out, line, (size_t)length);
}

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    put(out, "# HELP fringe_%s %s\n# TYPE fringe_%s %s\n", name, help, name, type);
}

static void put_one(struct buf *out, const char *name, const char *type, const char *help,
                    uint64_t value)
{
    put_head(out, name, type, help);
    put(out, "fringe_%s %llu\n", name, (unsigned long long)value);
}

/* A site's name has no character that a label's value would have to escape (site_check). */
static void put_sites(struct buf *out, const struct sites *sites, const char *name,
                      const char *type, const char *help,
                      uint64_t (*value)(const struct node_site_metrics *site))
{
    put_head(out, name, type, help);
    for (size_t i = 0; i < sites->count; i++)
        put(out, "fringe_%s{site=\"%s\"} %llu\n", name, sites->items[i].site,
            (unsigned long long)value(&sites->items[i]));
}

static uint64_t peers_of(const struct node_site_metrics *site)
{
    return site->peers;
}

static uint64_t seq_of(const struct node_site_metrics *site)
{
    return site->seq;
}

static uint64_t expires_of(const struct node_site_metrics *site)
{
    return site->expires;
}

static uint64_t releases_of(const struct node_site_metrics *site)
{
    return site->releases;
}

static uint64_t bytes_of(const struct node_site_metrics *site)
{
    return site->release_bytes;
}

static uint64_t held_of(const struct node_site_metrics *site)
{
    return site->held_bytes;
}

static uint64_t given_of(const struct node_site_metrics *site)
{
    return site->uploaded;
}

static uint64_t spared_of(const struct node_site_metrics *site)
{
    return site->shared;
}

static uint64_t wasted_of(const struct node_site_metrics *site)
{
    return site->wasted;
}

static void put_sources(struct buf *out, const struct sites *sites, bool has_folder)
{
    put_head(out, "received_bytes_total", "counter",
             "Bytes of files taken, by where they came from.");
    for (size_t i = 0; i < sites->count; i++)
        put(out, "fringe_received_bytes_total{site=\"%s\",source=\"%s\"} %llu\n",
            sites->items[i].site, has_folder ? "folder" : "origin",
            (unsigned long long)sites->items[i].bytes[SOURCE_ORIGIN]);
}

static void put_copies(struct buf *out, const struct sites *sites)
{
    put_head(out, "copies_saved_total", "counter",
             "How many times all files of the current release the site need not send.");
    for (size_t i = 0; i < sites->count; i++) {
        const struct node_site_metrics *site = &sites->items[i];
        double copies =
            site->release_bytes > 0 ? (double)site->shared / (double)site->release_bytes : 0;
        put(out, "fringe_copies_saved_total{site=\"%s\"} %.6f\n", site->site, copies);
    }
}

static void put_errors(struct buf *out, const struct node_metrics *node)
{
    const struct {
        const char *kind;
        uint64_t count;
    } errors[] = {{"malformed", node->malformed},
                  {"bad_piece", node->bad_pieces},
                  {"origin", node->origin_failures},
                  {"store", node->store_errors}};

    put_head(
        out, "errors_total", "counter",
        "What went wrong: connections ended for what came over them, pieces with a wrong hash, "
        "requests to the site, writes to the disk.");
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        put(out, "fringe_errors_total{kind=\"%s\"} %llu\n", errors[i].kind,
            (unsigned long long)errors[i].count);
}

static void put_peers(struct buf *out, const struct node_metrics *node)
{
    put_head(out, "peers", "gauge", "Visitors connected, by transport.");
    put(out, "fringe_peers{transport=\"tcp\"} %u\n",
        (unsigned)(node->peers - node->websocket_peers));
    put(out, "fringe_peers{transport=\"websocket\"} %u\n", (unsigned)node->websocket_peers);
    put_one(out, "refused_total", "counter",
            "Connections not taken: no place left, banned, or for what is not served here.",
            node->refused);
    put_one(out, "unsent_bytes", "gauge", "Bytes of blocks that wait at sockets.", node->unsent);
}

void metrics_write(const struct node *node, bool has_folder, struct buf *out)
{
    struct sites sites = {.count = 0};
    struct node_metrics all;

    node_metrics(node, &all);
    node_each_site_metrics(node, add_site, &sites);
    put_peers(out, &all);
    put_errors(out, &all);
    put_sites(out, &sites, "site_peers", "gauge", "Visitors connected, by site.", peers_of);
    put_sites(out, &sites, "release_seq", "gauge", "Number of the current release; 0: none yet.",
              seq_of);
    put_sites(out, &sites, "release_expires_seconds", "gauge",
              "When the current release expires, in seconds since 1970.", expires_of);
    put_sites(out, &sites, "releases_total", "counter", "Releases taken up in this run.",
              releases_of);
    put_sites(out, &sites, "release_bytes", "gauge", "All files of the current release.", bytes_of);
    put_sites(out, &sites, "held_bytes", "gauge", "Of them, what is held here.", held_of);
    put_sources(out, &sites, has_folder);
    put_sites(out, &sites, "sent_bytes_total", "counter", "Bytes of files given to visitors.",
              given_of);
    put_sites(out, &sites, "spared_bytes_total", "counter",
              "Bytes given to visitors that the site did not have to send.", spared_of);
    put_copies(out, &sites);
    put_sites(out, &sites, "wasted_bytes_total", "counter",
              "Bytes taken in vain: twice, or with another hash.", wasted_of);
}
