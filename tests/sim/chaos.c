#include "chaos.h"

#define RELEASE   "/.well-known/fringe/release.json"
#define SIGNATURE "/.well-known/fringe/release.json.minisig"

uint64_t chaos_pick(struct chaos *chaos, uint64_t limit)
{
    return world_below(chaos->scene.world, limit);
}

bool chaos_chance(struct chaos *chaos, unsigned percent)
{
    return world_chance(chaos->scene.world, percent);
}

/* --- the site */

static uint64_t random_length(struct chaos *chaos)
{
    static const uint64_t edges[] = {0, 1, 16383, 16384, 16385, 65535, 65536, 65537, 131072};

    if (chaos_chance(chaos, 40))
        return edges[chaos_pick(chaos, sizeof edges / sizeof edges[0])];
    return chaos_chance(chaos, 70) ? chaos_pick(chaos, 200000) : chaos_pick(chaos, 1500000);
}

/* With two bundles every other file is in the second. */
static size_t bundle_of(const struct chaos *chaos, size_t file)
{
    return chaos->scene.site->bundle_count > 1 ? file % 2 : 0;
}

void chaos_path(const struct chaos *chaos, size_t file, char *ret, size_t size)
{
    snprintf(ret, size, "%sf%zu.bin", chaos->scene.site->bundles[bundle_of(chaos, file)].base,
             file);
}

void chaos_add_file(struct chaos *chaos, size_t file)
{
    char name[32];
    /* Some are twins. */
    uint64_t length = chaos_chance(chaos, 20) ? 100000 : random_length(chaos);

    snprintf(name, sizeof name, "f%zu.bin", file);
    publisher_add(chaos->scene.site, bundle_of(chaos, file), name, length,
                  chaos_chance(chaos, 20) ? 1 : chaos_pick(chaos, 1000));
    chaos->bytes = length > chaos->bytes ? length : chaos->bytes;
}

static void keep(struct buf *to, struct server *server, const char *path)
{
    const struct resource *resource = server_get(server, path);

    buf_clear(to);
    if (resource != NULL)
        buf_put(to, resource->data, resource->length);
}

void chaos_publish(struct chaos *chaos)
{
    keep(&chaos->old_release, chaos->scene.site->server, RELEASE);
    keep(&chaos->old_signature, chaos->scene.site->server, SIGNATURE);
    publisher_publish(chaos->scene.site);
}

static void make_site(struct chaos *chaos)
{
    struct publisher *site = chaos->scene.site;

    site->server->host->link.up = 1000000 + chaos_pick(chaos, 11000000);
    site->server->host->link.latency_us = 500 + (uint32_t)chaos_pick(chaos, 60000);
    site->bundles[0].piece_length = KIB(16) << chaos_pick(chaos, 4);
    if (chaos_chance(chaos, 30))
        publisher_add_bundle(site, "/media/", KIB(16) << chaos_pick(chaos, 4));
    chaos->file_count = 2 + chaos_pick(chaos, CHAOS_FILES - 1);
    for (size_t i = 0; i < chaos->file_count; i++)
        chaos_add_file(chaos, i);
}

/* --- trackers */

static struct sim_tracker *add_tracker(struct chaos *chaos, const char *site)
{
    struct publisher *publisher = chaos->scene.site;
    bool is_udp = strncmp(site, "udp:", 4) == 0;

    publisher->trackers[publisher->tracker_count++] =
        mem_printf("%s%s", site, is_udp ? "" : "/announce");
    return sim_tracker_new(chaos->scene.world, site);
}

/* Answers garbage, without end, late or not at all. */
static void spoil(struct chaos *chaos, struct sim_tracker *tracker)
{
    struct fault *fault = &tracker->server->fault;

    switch (chaos_pick(chaos, 6)) {
    case 0:
        tracker->garbage = "d8:intervali-5e5:peers6:abcdefe";
        break;
    case 1:
        fault->endless = true;
        break;
    case 2:
        fault->stall_at = 0;
        break;
    case 3:
        server_set_down(tracker->server, true);
        break;
    case 4:
        tracker->server->host->island = 2;
        break;
    case 5:
        fault->status = 503, fault->retry_after_s = (uint32_t)chaos_pick(chaos, 100000);
        break;
    }
    tracker->server->loss = (unsigned)chaos_pick(chaos, 100);
}

static void make_trackers(struct chaos *chaos)
{
    if (chaos_chance(chaos, 25)) {
        chaos->bad_tracker = add_tracker(chaos, chaos_chance(chaos, 50) ? "https://bad.example"
                                                                        : "udp://bad.example:6969");
        spoil(chaos, chaos->bad_tracker);
    }
    if (!chaos_chance(chaos, 60))
        return;
    bool is_udp = chaos_chance(chaos, 40);
    chaos->tracker =
        add_tracker(chaos, is_udp ? "udp://tracker.example:6969" : "https://tracker.example");
    if (is_udp)
        chaos->tracker->server->loss = (unsigned)chaos_pick(chaos, 40);
    chaos->tracker->random = chaos_chance(chaos, 50);
}

/* --- visitors */

static struct link random_link(struct chaos *chaos)
{
    struct link link = {.up = 20000 + chaos_pick(chaos, 3000000),
                        .down = 100000 + chaos_pick(chaos, 5000000),
                        .latency_us = (uint32_t)(500 + chaos_pick(chaos, 80000)),
                        .nat = chaos_chance(chaos, chaos->all_nat ? 100 : 20)};
    return link;
}

enum zone chaos_zone(struct chaos *chaos)
{
    uint64_t n = chaos_pick(chaos, 10);
    return n < 7 ? ZONE_SHARE : n < 9 ? ZONE_FETCH : ZONE_OFF;
}

static void name_peers(struct chaos *chaos, size_t number, struct visitor_config *config)
{
    size_t peers = 0;

    if (number == 0 || chaos->strangers)
        return;
    config->peers[peers++] = chaos->visitors[0]->host; /* everybody knows the first */
    size_t other = 1 + chaos_pick(chaos, number);
    if (other < number && chaos->visitors[other] != NULL)
        config->peers[peers++] = chaos->visitors[other]->host;
}

/* All on one network, and behind one router. */
static void move_home(struct visitor *visitor, size_t number)
{
    visitor_kill(visitor);
    link_host_move(visitor->host, (uint8_t[]){192, 168, 1, (uint8_t)(10 + number)});
    visitor_start(visitor);
    visitor_set(visitor, SETTING_LOCAL_DISCOVERY, 1);
}

void chaos_come(struct chaos *chaos, size_t number)
{
    static const char *const names[CHAOS_VISITORS] = {"v0", "v1", "v2", "v3", "v4",
                                                      "v5", "v6", "v7", "v8", "v9"};
    struct visitor_config config = {.name = names[number],
                                    .link = random_link(chaos),
                                    .zone = number == 0 ? ZONE_SHARE : chaos_zone(chaos),
                                    .deaf = number > 0 && chaos_chance(chaos, 10)};

    name_peers(chaos, number, &config);
    if (number == 0)
        config.link.nat = false;
    if (chaos->stale && chaos_chance(chaos, 50))
        config.knows = chaos->scene.site;
    struct visitor *visitor = visitor_new(chaos->scene.world, &config);
    chaos->visitors[number] = visitor;
    if (chaos->local)
        move_home(visitor, number);
    for (uint64_t n = chaos_pick(chaos, 4); number > 0 && n > 1; n--)
        trouble_limit(chaos, visitor);
    if (chaos->full && chaos_chance(chaos, 50))
        visitor->disk->space = 1 + chaos_pick(chaos, chaos->bytes * 2 + 1);
    if (chaos_chance(chaos, 20))
        visitor->disk->rate = 1000000 + chaos_pick(chaos, 3000000);
    visitor->disk->delay_us = (uint32_t)chaos_pick(chaos, 20000);
    visitor->disk->jitter_us = (uint32_t)chaos_pick(chaos, 20000);
}

bool chaos_is_there(const struct chaos *chaos, size_t number)
{
    return chaos->visitors[number] != NULL && !chaos->gone[number];
}

/* Pages of the first release, and then there is another. */
static void grow_old(struct chaos *chaos)
{
    char path[40];

    for (size_t i = 0; i < chaos->visitor_count; i++) {
        if (chaos->visitors[i] == NULL)
            continue;
        chaos_path(chaos, chaos_pick(chaos, chaos->file_count), path, sizeof path);
        fetch_begin(chaos->visitors[i], SITE, 1, path, "old");
    }
    world_run(chaos->scene.world, 3000);
    for (uint64_t n = 1 + chaos_pick(chaos, 3); n > 0; n--)
        chaos_add_file(chaos, chaos_pick(chaos, chaos->file_count));
    chaos_publish(chaos);
}

/* --- life */

static void draw_traits(struct chaos *chaos)
{
    chaos->churn = chaos_chance(chaos, 30);
    chaos->parts = chaos_chance(chaos, 25);
    chaos->full = chaos_chance(chaos, 25);
    chaos->all_nat = chaos_chance(chaos, 15);
    chaos->local = chaos_chance(chaos, 15);
    chaos->stale = chaos_chance(chaos, 25);
    chaos->strangers = (chaos->tracker != NULL || chaos->local) && chaos_chance(chaos, 40);
    chaos->part_us = (2 + chaos_pick(chaos, 6)) * 1000000;
    chaos->heal_us = chaos->part_us + (2 + chaos_pick(chaos, 12)) * 1000000;
    world_trace(chaos->scene.world, "traits:%s%s%s%s%s%s%s", chaos->churn ? " churn" : "",
                chaos->parts ? " parts" : "", chaos->full ? " full" : "",
                chaos->all_nat ? " all-nat" : "", chaos->local ? " local" : "",
                chaos->stale ? " stale" : "", chaos->strangers ? " strangers" : "");
}

struct chaos chaos_new(uint64_t seed)
{
    struct chaos chaos = {.scene = scene_new(seed)};

    buf_init(&chaos.old_release, LIMIT_RELEASE);
    buf_init(&chaos.old_signature, LIMIT_SIGNATURE);
    make_site(&chaos);
    make_trackers(&chaos);
    draw_traits(&chaos);
    publisher_publish(chaos.scene.site);
    chaos.visitor_count = 2 + chaos_pick(&chaos, CHAOS_VISITORS - 1);
    for (size_t i = 0; i < chaos.visitor_count; i++)
        if (i == 0 || !chaos.churn || chaos_chance(&chaos, 50))
            chaos_come(&chaos, i);
    if (chaos.stale)
        grow_old(&chaos);
    return chaos;
}

void chaos_free(struct chaos *chaos)
{
    scene_free(&chaos->scene);
    if (chaos->tracker != NULL)
        sim_tracker_free(chaos->tracker);
    if (chaos->bad_tracker != NULL)
        sim_tracker_free(chaos->bad_tracker);
    buf_done(&chaos->old_release);
    buf_done(&chaos->old_signature);
}
