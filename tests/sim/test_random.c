/* Many small worlds with everything that can go wrong, one after the other from their seeds. The
 * world's invariants hold throughout; when the trouble is over, every file that somebody wants
 * comes within FINISH_MS, because one honest source lives: the origin, or a visitor that has
 * everything. SIM_SEED=n runs that seed alone, SIM_RUNS=n so many from SIM_FROM on; with SIM_TIMES
 * each tells that it begins. */
#include "sim_test.h"

#define RUNS         60
#define TROUBLE_MS   20000
#define FINISH_MS    60000
#define VISITORS_MAX 8
#define FILES_MAX    10
#define RETRIES      30

struct chaos {
    struct scene scene;
    struct sim_tracker *tracker;
    struct visitor *visitors[VISITORS_MAX];
    size_t visitor_count, file_count;
    struct visitor *seed; /* has everything and is left alone; NULL: the origin is */
};

static uint64_t pick(struct chaos *chaos, uint64_t limit)
{
    return world_below(chaos->scene.world, limit);
}

static bool chance(struct chaos *chaos, unsigned percent)
{
    return world_chance(chaos->scene.world, percent);
}

/* --- a world */

static uint64_t random_length(struct chaos *chaos)
{
    static const uint64_t edges[] = {0, 1, 16383, 16384, 16385, 65535, 65536, 65537, 131072};

    if (chance(chaos, 40))
        return edges[pick(chaos, sizeof edges / sizeof edges[0])];
    return chance(chaos, 70) ? pick(chaos, 200000) : pick(chaos, 1500000);
}

/* With two bundles every other file is in the second. */
static size_t bundle_of(const struct chaos *chaos, size_t file)
{
    return chaos->scene.site->bundle_count > 1 ? file % 2 : 0;
}

static void put_path(const struct chaos *chaos, size_t file, char *ret, size_t size)
{
    snprintf(ret, size, "%sf%zu.bin", chaos->scene.site->bundles[bundle_of(chaos, file)].base,
             file);
}

static void add_file(struct chaos *chaos, size_t file)
{
    char name[32];
    snprintf(name, sizeof name, "f%zu.bin", file);
    /* Some are twins. */
    publisher_add(chaos->scene.site, bundle_of(chaos, file), name,
                  chance(chaos, 20) ? 100000 : random_length(chaos),
                  chance(chaos, 20) ? 1 : pick(chaos, 1000));
}

static void make_site(struct chaos *chaos)
{
    struct publisher *site = chaos->scene.site;

    site->server->host->link.up = 1000000 + pick(chaos, 11000000);
    site->server->host->link.latency_us = 500 + (uint32_t)pick(chaos, 60000);
    site->bundles[0].piece_length = KIB(16) << pick(chaos, 4);
    if (chance(chaos, 30))
        publisher_add_bundle(site, "/media/", KIB(16) << pick(chaos, 4));
    chaos->file_count = 2 + pick(chaos, FILES_MAX - 1);
    for (size_t i = 0; i < chaos->file_count; i++)
        add_file(chaos, i);
    if (chance(chaos, 60)) {
        chaos->tracker = sim_tracker_new(chaos->scene.world, "https://tracker.example");
        site->trackers[site->tracker_count++] = mem_strdup("https://tracker.example/announce");
    }
    publisher_publish(site);
}

static struct link random_link(struct chaos *chaos)
{
    struct link link = {.up = 20000 + pick(chaos, 3000000),
                        .down = 100000 + pick(chaos, 5000000),
                        .latency_us = (uint32_t)(500 + pick(chaos, 80000)),
                        .nat = chance(chaos, 20)};
    return link;
}

static enum zone random_zone(struct chaos *chaos)
{
    uint64_t n = pick(chaos, 10);
    return n < 7 ? ZONE_SHARE : n < 9 ? ZONE_FETCH : ZONE_OFF;
}

static void random_limit(struct chaos *chaos, struct visitor *visitor)
{
    uint64_t rate = LIMIT_RATE_MIN << pick(chaos, 8);

    rate = chance(chaos, 30) ? 0 : rate + pick(chaos, rate);
    switch (pick(chaos, 6)) {
    case 0:
        visitor_set(visitor, SETTING_UPLOAD_RATE, rate);
        break;
    case 1:
        visitor_set(visitor, SETTING_DOWNLOAD_RATE, rate);
        break;
    case 2:
        visitor_set(visitor, SETTING_MONTHLY_CAP, pick(chaos, 4) * pick(chaos, 1000000));
        break;
    case 3:
        visitor_set(visitor, SETTING_SLOTS, 1 + pick(chaos, 4));
        break;
    case 4:
        visitor_pause(visitor, pick(chaos, 2));
        break;
    case 5:
        visitor_resume(visitor);
        break;
    }
}

static void lift_limits(struct visitor *visitor)
{
    visitor_resume(visitor);
    visitor_set(visitor, SETTING_UPLOAD_RATE, 0);
    visitor_set(visitor, SETTING_DOWNLOAD_RATE, 0);
    visitor_set(visitor, SETTING_MONTHLY_CAP, 0);
}

static void make_visitors(struct chaos *chaos)
{
    static const char *const names[] = {"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"};

    chaos->visitor_count = 2 + pick(chaos, VISITORS_MAX - 1);
    for (size_t i = 0; i < chaos->visitor_count; i++) {
        struct visitor_config config = {.name = names[i],
                                        .link = random_link(chaos),
                                        .zone = i == 0 ? ZONE_SHARE : random_zone(chaos),
                                        .deaf = i > 0 && chance(chaos, 10)};
        size_t peers = 0;
        if (i > 0) /* everybody knows the first */
            config.peers[peers++] = chaos->visitors[0]->host;
        if (i > 1 && chance(chaos, 50))
            config.peers[peers++] = chaos->visitors[1 + pick(chaos, i - 1)]->host;
        if (i == 0)
            config.link.nat = false;
        chaos->visitors[i] = visitor_new(chaos->scene.world, &config);
        for (uint64_t n = pick(chaos, 4); i > 0 && n > 1; n--)
            random_limit(chaos, chaos->visitors[i]);
        chaos->visitors[i]->disk->delay_us = (uint32_t)pick(chaos, 20000);
        chaos->visitors[i]->disk->jitter_us = (uint32_t)pick(chaos, 20000);
    }
}

static struct script_flags random_flags(struct chaos *chaos)
{
    struct script_flags flags = {0};

    switch (pick(chaos, 14)) {
    case 0:
        flags.silent = true;
        break;
    case 1:
        flags.garbage = true;
        break;
    case 2:
        flags.wrong_infohash = true;
        break;
    case 3:
        flags.flips = true;
        break;
    case 4:
        flags.flips_one = true;
        break;
    case 5:
        flags.chokes = true;
        break;
    case 6:
        flags.rejects = true;
        break;
    case 7:
        flags.stall_after = 1 + (uint32_t)pick(chaos, 20);
        break;
    case 8:
        flags.close_after = 1 + (uint32_t)pick(chaos, 20);
        break;
    case 9:
        flags.has_nothing = true, flags.flood = 1 + (uint32_t)pick(chaos, 3000);
        break;
    case 10:
        flags.serves_unasked = true;
        break;
    case 11:
        flags.delay_us = (uint32_t)pick(chaos, 5000000);
        break;
    case 12:
        flags.lazy_bitfield = true;
        break;
    case 13:
        flags.no_fast = true;
        break;
    }
    return flags;
}

/* --- trouble */

static void want_something(struct chaos *chaos, struct visitor *visitor)
{
    char path[40], doc[8], range[60];

    if (visitor->node == NULL)
        return;
    put_path(chaos, pick(chaos, chaos->file_count), path, sizeof path);
    snprintf(doc, sizeof doc, "d%llu", (unsigned long long)pick(chaos, 3));
    uint64_t first = pick(chaos, 200000);
    snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)first,
             (unsigned long long)(first + pick(chaos, 100000)));
    uint64_t seq = chaos->scene.site->seq;
    seq = chance(chaos, 30) ? 0 : seq > 1 && chance(chaos, 20) ? seq - 1 : seq;
    fetch_begin_range(visitor, SITE, seq, path, doc, chance(chaos, 25) ? range : NULL,
                      chance(chaos, 5));
}

static void leave_something(struct chaos *chaos, struct visitor *visitor)
{
    list_for_each(link, next, &visitor->all_fetches) if (chance(chaos, 30))
        fetch_leave(list_entry(link, struct fetch, in_visitor));
}

static void kill_or_start(struct chaos *chaos, struct visitor *visitor)
{
    (void)chaos;
    if (visitor->node == NULL)
        visitor_start(visitor);
    else
        visitor_kill(visitor);
}

static void random_fault(struct chaos *chaos)
{
    struct server *server = chaos->scene.site->server;
    struct fault fault = FAULT_NONE;
    char path[40];

    switch (pick(chaos, 8)) {
    case 0:
        fault.status = 404;
        break;
    case 1:
        fault.status = 503, fault.retry_after_s = (uint32_t)pick(chaos, 5);
        break;
    case 2:
        fault.stall_at = pick(chaos, 100000);
        break;
    case 3:
        fault.cut_at = pick(chaos, 100000);
        break;
    case 4:
        fault.flip_at = pick(chaos, 100000);
        break;
    case 5:
        fault.ignore_range = true;
        break;
    case 6:
        fault.no_length = true;
        break;
    case 7:
        fault.delay_ms = (uint32_t)pick(chaos, 3000);
        break;
    }
    fault.times = 1 + (uint32_t)pick(chaos, 3);
    put_path(chaos, pick(chaos, chaos->file_count), path, sizeof path);
    server_get(server, path)->fault = fault;
}

static void break_a_connection(struct chaos *chaos, const struct visitor *visitor)
{
    struct conn *conn =
        visitor->sockets != NULL ? link_find(chaos->scene.world, visitor->sockets->conn) : NULL;
    if (conn != NULL && conn->established)
        link_break(conn);
}

static void send_a_stranger(struct chaos *chaos, struct visitor *visitor)
{
    struct script_flags flags = random_flags(chaos);
    struct script *script = scene_script(&chaos->scene, &flags);

    if (chaos->tracker != NULL && chance(chaos, 50))
        sim_tracker_add(chaos->tracker, chaos->scene.site->bundles[0].infohash,
                        &script->host->address);
    script_dial(script, visitor->host);
}

static void spoil_the_disk(struct chaos *chaos, struct visitor *visitor)
{
    visitor->disk->fail_with = chance(chaos, 50) ? ERR_NO_SPACE : ERR_IO;
    visitor->disk->fail_times = 1 + (uint32_t)pick(chaos, 5);
}

static void publish_anew(struct chaos *chaos)
{
    add_file(chaos, pick(chaos, chaos->file_count));
    publisher_publish(chaos->scene.site);
}

static void trouble(struct chaos *chaos)
{
    struct visitor *visitor = chaos->visitors[pick(chaos, chaos->visitor_count)];
    uint64_t what = pick(chaos, 100);

    if (what < 40)
        want_something(chaos, visitor);
    else if (what < 48)
        leave_something(chaos, visitor);
    else if (what < 58 && visitor != chaos->seed)
        kill_or_start(chaos, visitor);
    else if (what < 66)
        random_fault(chaos);
    else if (what < 72)
        break_a_connection(chaos, visitor);
    else if (what < 82)
        send_a_stranger(chaos, visitor);
    else if (what < 86)
        visitor->host->island = (int)pick(chaos, 2);
    else if (what < 90 && visitor->node != NULL && visitor != chaos->seed)
        visitor_set_zone(visitor, SITE, random_zone(chaos));
    else if (what < 91 && visitor->node != NULL && visitor != chaos->seed)
        random_limit(chaos, visitor);
    else if (what < 93)
        server_set_down(chaos->scene.site->server, chance(chaos, 50));
    else if (what < 96 && visitor != chaos->seed)
        spoil_the_disk(chaos, visitor);
    else if (what < 98)
        publish_anew(chaos);
}

/* --- and then peace */

static void make_peace(struct chaos *chaos)
{
    struct server *server = chaos->scene.site->server;

    server_set_down(server, false);
    for (struct resource *r = server->resources; r != NULL; r = r->hh.next)
        r->fault = FAULT_NONE;
    for (size_t i = 0; i < chaos->visitor_count; i++) {
        struct visitor *visitor = chaos->visitors[i];
        visitor->host->island = 0;
        visitor->disk->fail_times = 0;
        if (visitor->node == NULL)
            visitor_start(visitor);
        lift_limits(visitor);
        if (i > 0 && chance(chaos, 20))
            visitor_set(visitor, SETTING_DOWNLOAD_RATE, 300000 + pick(chaos, 1000000));
        if (i > 0 && chance(chaos, 20))
            visitor_set(visitor, SETTING_UPLOAD_RATE, LIMIT_RATE_MIN + pick(chaos, 1000000));
        visitor_set_zone(visitor, SITE, i == 0 || chance(chaos, 80) ? ZONE_SHARE : ZONE_FETCH);
    }
}

/* What a page does: it asks, and goes to the origin itself when it must; here it asks again. */
static void load_at_last(struct chaos *chaos, struct visitor *visitor, size_t file, bool head_only)
{
    struct world *world = chaos->scene.world;
    uint64_t end_us = world->now_us + FINISH_MS * 1000;
    char path[40];

    put_path(chaos, file, path, sizeof path);
    for (int i = 0; i < RETRIES; i++) {
        struct fetch *fetch =
            fetch_begin_range(visitor, SITE, chaos->scene.site->seq, path, "end", NULL, head_only);
        fetch_wait(fetch, FINISH_MS);
        if (fetch->state == FETCH_DONE)
            return;
        if (world->now_us > end_us)
            break;
        world_run(world, 3000);
    }
    world_fail(world, "%s does not get %s though all is well", visitor->host->name, path);
}

/* The first visitor gets it all, the others learn what there is; then the origin goes. */
static void leave_one_source(struct chaos *chaos)
{
    for (size_t f = 0; f < chaos->file_count; f++)
        load_at_last(chaos, chaos->visitors[0], f, false);
    for (size_t i = 1; i < chaos->visitor_count; i++)
        for (size_t f = 0; f < 2; f++) /* of each bundle one */
            load_at_last(chaos, chaos->visitors[i], f, true);
    server_set_down(chaos->scene.site->server, true);
}

static void check_end(struct chaos *chaos)
{
    for (size_t i = 0; i < chaos->visitor_count; i++) {
        struct visitor *visitor = chaos->visitors[i];
        /* It comes to rest: no more than keep-alives and announces. */
        ck_assert_uint_le(HASH_COUNT(visitor->sockets), LIMIT_PEERS_PER_SWARM);
    }
    uint64_t steps = 0, later = 0;
    for (size_t i = 0; i < chaos->visitor_count; i++)
        steps += chaos->visitors[i]->counts.steps;
    world_run(chaos->scene.world, 300000);
    for (size_t i = 0; i < chaos->visitor_count; i++)
        later += chaos->visitors[i]->counts.steps;
    if (later - steps > 20000 * chaos->visitor_count)
        world_fail(chaos->scene.world, "no rest: %llu steps in five quiet minutes",
                   (unsigned long long)(later - steps));
}

static uint64_t run(uint64_t seed)
{
    struct chaos chaos = {.scene = scene_new(seed)};
    struct world *world = chaos.scene.world;

    make_site(&chaos);
    make_visitors(&chaos);
    while (world_elapsed_us(world) < TROUBLE_MS * 1000) {
        trouble(&chaos);
        world_run(world, pick(&chaos, 400));
    }
    make_peace(&chaos);
    if (chance(&chaos, 40))
        leave_one_source(&chaos);
    world_run(world, 15000);
    for (size_t i = 0; i < chaos.visitor_count; i++)
        for (size_t f = 0; f < chaos.file_count; f++)
            load_at_last(&chaos, chaos.visitors[i], f, false);
    check_end(&chaos);
    uint64_t hash = world->trace_hash;
    scene_free(&chaos.scene);
    if (chaos.tracker != NULL)
        sim_tracker_free(chaos.tracker);
    return hash;
}

START_TEST(test_chaos)
{
    const char *runs = getenv("SIM_RUNS"), *first = getenv("SIM_FROM");
    uint64_t from = first != NULL ? strtoull(first, NULL, 10) : 1;
    uint64_t count = getenv("SIM_SEED") != NULL ? 1
                     : runs != NULL             ? strtoull(runs, NULL, 10)
                                                : RUNS;

    replay_limit_time();
    for (uint64_t seed = from; seed < from + count; seed++) {
        if (getenv("SIM_TIMES") != NULL)
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        run(seed);
    }
}
END_TEST

START_TEST(test_chaos_is_the_same_again)
{
    for (uint64_t seed = 1; seed <= 3; seed++)
        ck_assert_uint_eq(run(seed), run(seed));
}
END_TEST

TEST_MAIN("sim_random", TESTS(test_chaos, test_chaos_is_the_same_again))
