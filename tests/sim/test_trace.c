/* Small worlds whose whole story is written down: every event and effect with its time, compared
 * byte for byte with tests/sim/traces/. Whoever changes the core's behaviour on purpose records
 * anew with SIM_RECORD=1 and reads the difference. */
#include "sim_test.h"

static void compare(struct scene *scene, const char *name)
{
    struct world *world = scene->world;
    char *path = mem_printf("%s/%s.txt", SIM_TRACES, name);
    bool record = getenv("SIM_RECORD") != NULL;
    FILE *file = fopen(path, record ? "w" : "r");
    struct buf expected;

    ck_assert_msg(file != NULL, "%s: there is none; record it with SIM_RECORD=1", path);
    buf_init(&expected, MIB(8));
    if (record)
        fwrite(world->trace.data, 1, world->trace.length, file);
    char block[4096];
    for (size_t n; !record && (n = fread(block, 1, sizeof block, file)) > 0;)
        buf_put(&expected, block, n);
    fclose(file);
    size_t at = 0, line = 1;
    while (!record && at < expected.length && at < world->trace.length &&
           expected.data[at] == world->trace.data[at])
        line += expected.data[at++] == '\n';
    if (!record && (at < expected.length || at < world->trace.length))
        world_fail(world, "%s: another story from line %zu on", name, line);
    buf_done(&expected);
    mem_free(path);
}

/* Numbers come from the seed and nothing else. */
static struct scene small_scene(uint64_t seed)
{
    struct scene scene = scene_new(seed);

    scene.world->keep_trace = true;
    publisher_add(scene.site, 0, "a.js", 20000, 1);
    publisher_add(scene.site, 0, "b.bin", 140000, 2);
    publisher_publish(scene.site);
    return scene;
}

START_TEST(test_one_visitor)
{
    struct scene scene = small_scene(1);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    visitor_site_open(visitor, SITE, 1, "doc");
    scene_load(visitor, "/static/b.bin");
    scene_load(visitor, "/static/a.js");
    scene_load(visitor, "/static/b.bin");
    world_run(scene.world, 60000);
    compare(&scene, "one-visitor");
    scene_free(&scene);
}
END_TEST

START_TEST(test_two_visitors)
{
    struct scene scene = small_scene(2);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    scene_load_all(&scene, first);
    scene_load_all(&scene, second);
    compare(&scene, "two-visitors");
    scene_free(&scene);
}
END_TEST

START_TEST(test_three_visitors_and_a_liar)
{
    struct scene scene = small_scene(3);
    struct script *liar = scene_script(&scene, &(struct script_flags){.flips = true});
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, liar->host);
    struct visitor *third = scene_visitor(&scene, "v3", ZONE_FETCH, second->host);

    second->config.peers[1] = first->host;
    visitor_kill(second);
    visitor_start(second);
    fetch_begin(first, SITE, 1, "/static/b.bin", "doc");
    fetch_begin(second, SITE, 1, "/static/b.bin", "doc");
    fetch_begin(third, SITE, 1, "/static/b.bin", "doc");
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 20000));
    visitor_set_zone(second, SITE, ZONE_OFF);
    world_run(scene.world, 1000);
    compare(&scene, "three-visitors-and-a-liar");
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_trace", TESTS(test_one_visitor, test_two_visitors, test_three_visitors_and_a_liar))
