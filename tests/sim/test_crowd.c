/* A crowd: everybody gets everything in time, and the origin sends little more than one copy to all
 * of them together. The bounds say what must not get worse. */
#include "core/node_impl.h"
#include "core/peer.h"
#include "crowd.h"
#include "sim_test.h"

#define CROWD 16

struct crowd {
    struct scene scene;
    struct sim_tracker *tracker;
    struct visitor *visitors[CROWD];
};

static void crowd_init(struct crowd *crowd, uint64_t seed, uint64_t bytes)
{
    struct link origin = {.up = 4000000, .down = 4000000, .latency_us = 5000};

    crowd->scene = (struct scene){.world = world_new(seed)};
    world_on_failure = scene_on_failure;
    crowd->scene.site = publisher_new(crowd->scene.world, SITE, &origin);
    crowd->tracker = sim_tracker_new(crowd->scene.world, "https://tracker.example");
    crowd->scene.site->trackers[crowd->scene.site->tracker_count++] =
        mem_strdup("https://tracker.example/announce");
    publisher_add(crowd->scene.site, 0, "big.bin", bytes, 1);
    publisher_add(crowd->scene.site, 0, "small.js", 5000, 2);
    publisher_publish(crowd->scene.site);
    for (int i = 0; i < CROWD; i++) {
        char *name = mem_printf("v%d", i);
        crowd->visitors[i] = scene_visitor(&crowd->scene, name, ZONE_SHARE, NULL);
        mem_free(name);
    }
}

static void crowd_done(struct crowd *crowd)
{
    scene_free(&crowd->scene);
    sim_tracker_free(crowd->tracker);
}

static void check_crowd(struct crowd *crowd, const char *what, uint64_t bytes, uint64_t most_ms,
                        double most_copies)
{
    uint64_t slowest_ms = 0;

    for (int i = 0; i < CROWD; i++) {
        ck_assert_uint_ge(disk_bytes(crowd->visitors[i]->disk), bytes);
        list_for_each(link, next, &crowd->visitors[i]->all_fetches)
        {
            const struct fetch *fetch = list_entry(link, struct fetch, in_visitor);
            ck_assert_int_eq(fetch->state, FETCH_DONE);
            if (scene_ms(fetch) > slowest_ms)
                slowest_ms = scene_ms(fetch);
        }
    }
    double copies = (double)scene_origin_bytes(&crowd->scene) / (double)bytes;
    if (getenv("SIM_TIMES") != NULL)
        fprintf(stderr, "%s: %.2f copies, slowest %.1f s\n", what, copies,
                (double)slowest_ms / 1000);
    ck_assert_msg(copies <= most_copies, "%s: %.2f copies", what, copies);
    ck_assert_msg(slowest_ms <= most_ms, "%s: %llu ms", what, (unsigned long long)slowest_ms);
}

/* Until the last visitor's page has the first tenth. */
static void check_heads(struct crowd *crowd, const char *what, uint64_t most_ms)
{
    uint64_t slowest_us = 0;

    for (int i = 0; i < CROWD; i++) {
        list_for_each(link, next, &crowd->visitors[i]->all_fetches)
        {
            const struct fetch *fetch = list_entry(link, struct fetch, in_visitor);
            uint64_t took_us = fetch->tenth_us - fetch->asked_us;
            slowest_us = took_us > slowest_us ? took_us : slowest_us;
        }
    }
    ck_assert_msg(slowest_us <= most_ms * 1000, "%s: a head after %llu ms", what,
                  (unsigned long long)slowest_us / 1000);
}

static void check_at_once(struct crowd *crowd, const char *how)
{
    for (int i = 0; i < CROWD; i++)
        fetch_begin(crowd->visitors[i], SITE, 1, "/static/big.bin", "doc");
    ck_assert(world_run_until(crowd->scene.world, fetches_are_over, crowd->scene.world, 120000));
    check_crowd(crowd, how, MIB(8), 12000, 1.25);
    check_heads(crowd, how, 4500);
}

START_TEST(test_a_crowd_at_once)
{
    struct crowd crowd;

    crowd_init(&crowd, 1, MIB(8));
    check_at_once(&crowd, "at once");
    crowd_done(&crowd);
}
END_TEST

/* As real sockets do: the core has to count what they have taken, or claims and HAVEs come late. */
START_TEST(test_a_crowd_whose_systems_take_everything)
{
    struct crowd crowd;

    crowd_init(&crowd, 1, MIB(8));
    for (int i = 0; i < CROWD; i++)
        crowd.visitors[i]->host->link.deep = true;
    check_at_once(&crowd, "with deep queues");
    crowd_done(&crowd);
}
END_TEST

START_TEST(test_a_crowd_in_a_trickle)
{
    struct crowd crowd;

    crowd_init(&crowd, 2, MIB(8));
    for (int i = 0; i < CROWD; i++) {
        fetch_begin(crowd.visitors[i], SITE, 1, "/static/big.bin", "doc");
        world_run(crowd.scene.world, 2000);
    }
    ck_assert(world_run_until(crowd.scene.world, fetches_are_over, crowd.scene.world, 120000));
    check_crowd(&crowd, "a trickle", MIB(8), 20000, 1.5);
    crowd_done(&crowd);
}
END_TEST

START_TEST(test_a_crowd_that_knows_the_first)
{
    struct crowd crowd;

    crowd_init(&crowd, 3, MIB(8));
    fetch_begin(crowd.visitors[0], SITE, 1, "/static/big.bin", "doc");
    ck_assert(world_run_until(crowd.scene.world, fetches_are_over, crowd.scene.world, 60000));
    for (int i = 1; i < CROWD; i++)
        fetch_begin(crowd.visitors[i], SITE, 1, "/static/big.bin", "doc");
    ck_assert(world_run_until(crowd.scene.world, fetches_are_over, crowd.scene.world, 180000));
    check_crowd(&crowd, "behind a seed", MIB(8), 20000, 1.5);
    crowd_done(&crowd);
}
END_TEST

/* A neighbour that promises everything and brings nothing costs the time of its first promises. */
START_TEST(test_a_liar_who_claims_everything)
{
    struct crowd crowd;

    crowd_init(&crowd, 4, MIB(2));
    struct script *liar =
        scene_script(&crowd.scene, &(struct script_flags){.claims = true, .has_nothing = true});
    sim_tracker_add(crowd.tracker, crowd.scene.site->bundles[0].infohash, &liar->host->address);
    for (int i = 0; i < CROWD; i++)
        fetch_begin(crowd.visitors[i], SITE, 1, "/static/big.bin", "doc");
    ck_assert(world_run_until(crowd.scene.world, fetches_are_over, crowd.scene.world, 120000));
    check_crowd(&crowd, "with a liar", MIB(2), 30000, 3);
    crowd_done(&crowd);
}
END_TEST

/* --- a page of thousands of tiny files */

#define TINY    3000
#define READERS 4

/* All that is said about so many is no flood: nothing of it is left unheard, nobody is struck. */
static void check_patience(const struct visitor *visitor)
{
    const struct node *node = visitor->node;

    ck_assert_ptr_null(node->strikes);
    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next) {
        ck_assert_uint_lt(peer->claims_heard, LIMIT_CLAIM_BURST);
        ck_assert_uint_lt(peer->chatter.level / 1000, LIMIT_CHATTER);
    }
}

START_TEST(test_thousands_of_tiny_files)
{
    struct scene scene = scene_new(5);
    struct visitor *readers[READERS];
    char path[32];

    for (unsigned i = 0; i < TINY; i++) {
        snprintf(path, sizeof path, "f%u.js", i);
        publisher_add(scene.site, 0, path, 200 + i % 1500, i + 1);
    }
    publisher_publish(scene.site);
    for (unsigned v = 0; v < READERS; v++) {
        struct visitor_config config = {.name = "v", .link = LINK_FAST, .zone = ZONE_SHARE};
        for (unsigned i = 0; i < v; i++)
            config.peers[i] = readers[i]->host;
        readers[v] = visitor_new(scene.world, &config);
        visitor_site_open(readers[v], SITE, 1, "doc");
    }
    world_run(scene.world, 1000);
    for (unsigned i = 0; i < TINY * READERS; i++) {
        snprintf(path, sizeof path, "/static/f%u.js", i / READERS);
        fetch_begin(readers[i % READERS], SITE, 1, path, "doc");
    }
    for (unsigned turn = 0; turn < 1200 && scene.world->open_fetches > 0; turn++) {
        world_run(scene.world, 100);
        for (unsigned v = 0; v < READERS; v++)
            check_patience(readers[v]);
    }
    for (unsigned v = 0; v < READERS; v++) {
        ck_assert_uint_eq(disk_bytes(readers[v]->disk), scene_bundle_bytes(&scene, 0));
        ck_assert_uint_eq(HASH_COUNT(readers[v]->sockets), READERS - 1);
    }
    if (getenv("SIM_TIMES") != NULL)
        fprintf(stderr, "tiny: %.2f copies, %.1f s\n",
                (double)scene_origin_bytes(&scene) / (double)scene_bundle_bytes(&scene, 0),
                (double)world_elapsed_us(scene.world) / 1e6);
    ck_assert_uint_le(scene_origin_bytes(&scene), scene_bundle_bytes(&scene, 0) * 3 / 2);
    scene_free(&scene);
}
END_TEST

/* So many that nobody knows all: the first to come leaves the rest of the file to others, and what
 * they fetch is spread before it is given to everybody. */
START_TEST(test_a_big_crowd)
{
    struct crowd_plan plan = {.visitors = 100, .bytes = MIB(2), .seed = 1};
    struct crowd_result result = crowd_play(&plan);

    ck_assert(result.finished);
    ck_assert_double_le(result.copies, 1.5);
    ck_assert_double_le(result.t100_s, 4 * result.bound_s);
    ck_assert_double_le(result.wasted, 0.2);
}
END_TEST

TEST_MAIN("sim_crowd",
          TESTS(test_a_big_crowd, test_a_crowd_at_once, test_a_crowd_whose_systems_take_everything,
                test_a_crowd_in_a_trickle, test_a_crowd_that_knows_the_first,
                test_a_liar_who_claims_everything, test_thousands_of_tiny_files))
