/* A new version of a file comes as a patch, where that is worth it; and whatever is wrong with the
 * patch, the old file or the disk, the page gets its file. */
#include "core/node_impl.h"
#include "patches.h"
#include "sim_test.h"
#include "wire/delta.h"

#define BIG      MIB(1)
#define BIG_PATH "/static/c.bin"

/* --- one visitor who has version 1, and version 2 with a patch for c.bin */

struct update_scene {
    struct scene scene;
    struct visitor *visitor;
    struct publisher_file *patch;
    uint8_t old_root[HASH_LENGTH];
    uint64_t origin_before;
};

static struct visitor *old_visitor(struct scene *scene, const char *name, const struct host *peer)
{
    struct visitor *visitor = scene_visitor(scene, name, ZONE_SHARE, peer);
    scene_load_all(scene, visitor);
    return visitor;
}

/* Version 2 is not published yet. */
static struct update_scene update_new(uint64_t seed, uint64_t changed)
{
    struct update_scene u = {.scene = scene_with_files(seed)};

    u.visitor = old_visitor(&u.scene, "v", NULL);
    memcpy(u.old_root, publisher_lookup(u.scene.site, 1, BIG_PATH)->root, HASH_LENGTH);
    u.patch = patches_change(u.scene.site, "c.bin", 100000, changed);
    return u;
}

static void publish(struct update_scene *u)
{
    publisher_publish(u->scene.site);
    u->origin_before = scene_origin_bytes(&u->scene);
}

static struct fetch *load_2(struct visitor *visitor, const char *path)
{
    struct fetch *fetch = fetch_begin(visitor, SITE, 2, path, "page-2");

    fetch_wait(fetch, 120000);
    if (fetch->state != FETCH_DONE)
        world_fail(visitor->world, "%s did not get %s: %s %d %s", visitor->host->name, path,
                   fetch_state_name(fetch->state), fetch->status, fetch->reason);
    return fetch;
}

static uint64_t origin_since(const struct update_scene *u)
{
    return scene_origin_bytes(&u->scene) - u->origin_before;
}

static uint64_t patch_bytes(const struct update_scene *u)
{
    return server_sent_below(u->scene.site->server, DELTA_BASE);
}

static struct resource *patch_resource(const struct update_scene *u)
{
    char *path = mem_printf(DELTA_BASE "%s", u->patch->path);
    struct resource *resource = server_get(u->scene.site->server, path);
    mem_free(path);
    ck_assert_ptr_nonnull(resource);
    return resource;
}

static void check_patched(struct update_scene *u)
{
    ck_assert_uint_eq(origin_since(u), 0);
    ck_assert_uint_eq(u->visitor->disk->rebuilt, 1);
}

static void check_whole(struct update_scene *u)
{
    ck_assert_uint_ge(origin_since(u), BIG);
    ck_assert_uint_eq(u->visitor->disk->rebuilt, 0);
}

/* --- */

START_TEST(a_new_version_comes_as_a_patch)
{
    struct update_scene u = update_new(1, 3000);

    publish(&u);
    struct fetch *fetch = load_2(u.visitor, BIG_PATH);
    check_patched(&u);
    ck_assert_uint_eq(patch_bytes(&u), u.patch->length);
    ck_assert_uint_lt(u.patch->length, 5000);
    ck_assert_uint_lt(scene_ms(fetch), 1500);
    ck_assert_uint_eq(scene_count(u.visitor, "page-2", "page.cache"), BIG);
    ck_assert_uint_eq(scene_count(u.visitor, "page-2", "page.origin"), u.patch->length);
    load_2(u.visitor, "/static/b.wasm"); /* as it was */
    check_patched(&u);
    scene_free(&u.scene);
}
END_TEST

START_TEST(the_patch_and_the_file_are_shared)
{
    struct update_scene u = update_new(2, 3000);
    struct visitor *second = old_visitor(&u.scene, "second", u.visitor->host);
    struct visitor *third = scene_visitor(&u.scene, "third", ZONE_SHARE, u.visitor->host);

    publish(&u);
    load_2(u.visitor, BIG_PATH);
    load_2(second, BIG_PATH);
    ck_assert_uint_eq(second->disk->rebuilt, 1);
    load_2(third, BIG_PATH); /* never had the old one */
    ck_assert_uint_eq(third->disk->rebuild_tries, 0);
    check_patched(&u);
    ck_assert_uint_eq(patch_bytes(&u), u.patch->length);
    scene_free(&u.scene);
}
END_TEST

START_TEST(who_never_had_the_old_file_asks_for_no_patch)
{
    struct update_scene u = update_new(3, 3000);
    struct visitor *newcomer = scene_visitor(&u.scene, "new", ZONE_SHARE, NULL);

    publish(&u);
    load_2(newcomer, BIG_PATH);
    ck_assert_uint_eq(newcomer->disk->rebuild_tries, 0);
    ck_assert_uint_eq(patch_bytes(&u), 0);
    scene_free(&u.scene);
}
END_TEST

START_TEST(a_patch_that_saves_little_is_not_fetched)
{
    struct update_scene u = update_new(4, 700000);

    publish(&u);
    load_2(u.visitor, BIG_PATH);
    check_whole(&u);
    ck_assert_uint_eq(patch_bytes(&u), 0);
    scene_free(&u.scene);
}
END_TEST

START_TEST(a_patch_that_is_missing_costs_little_time)
{
    struct update_scene u = update_new(5, 3000);

    publish(&u);
    patch_resource(&u)->fault.status = 404;
    struct fetch *fetch = load_2(u.visitor, BIG_PATH);
    check_whole(&u);
    ck_assert_uint_lt(scene_ms(fetch), 3000);
    scene_free(&u.scene);
}
END_TEST

START_TEST(the_torrent_of_patches_may_be_missing)
{
    struct update_scene u = update_new(6, 3000);

    publish(&u);
    char *path = publisher_torrent_path(u.scene.site, 1);
    server_remove(u.scene.site->server, path);
    mem_free(path);
    load_2(u.visitor, BIG_PATH);
    check_whole(&u);
    scene_free(&u.scene);
}
END_TEST

START_TEST(a_patch_that_stalls_is_given_up)
{
    struct update_scene u = update_new(7, 3000);

    publish(&u);
    patch_resource(&u)->fault.stall_at = 1000;
    struct fetch *fetch = load_2(u.visitor, BIG_PATH);
    check_whole(&u);
    ck_assert_uint_lt(scene_ms(fetch), 10000);
    scene_free(&u.scene);
}
END_TEST

/* Signed by the publisher, and yet it gives something else. */
static void spoil(struct update_scene *u)
{
    for (uint64_t i = 200; i < u->patch->length - 20; i += 3)
        u->patch->data[i] ^= 0x55;
}

START_TEST(a_patch_that_is_wrong_is_tried_once)
{
    struct update_scene u = update_new(8, 3000);

    spoil(&u);
    publish(&u);
    server_get(u.scene.site->server, BIG_PATH)->fault.status = 404;
    struct fetch *fetch = fetch_begin(u.visitor, SITE, 2, BIG_PATH, "page-2");
    fetch_wait(fetch, 60000);
    ck_assert_int_eq(fetch->state, FETCH_FAILED);
    ck_assert_uint_eq(u.visitor->disk->rebuild_tries, 1);
    server_get(u.scene.site->server, BIG_PATH)->fault.status = 0;
    world_run(u.scene.world, 60000);
    load_2(u.visitor, BIG_PATH);
    ck_assert_uint_eq(u.visitor->disk->rebuild_tries, 1);
    check_whole(&u);
    scene_free(&u.scene);
}
END_TEST

/* Who has sent it is not to blame: its bytes were what the torrent says. */
START_TEST(a_wrong_patch_bans_nobody)
{
    struct update_scene u = update_new(9, 3000);
    struct visitor *second = old_visitor(&u.scene, "second", u.visitor->host);

    spoil(&u);
    publish(&u);
    load_2(u.visitor, BIG_PATH);
    uint64_t before = scene_origin_bytes(&u.scene);
    load_2(second, BIG_PATH);
    ck_assert_uint_eq(second->disk->rebuild_tries, 1);
    ck_assert_uint_eq(second->disk->rebuilt, 0);
    /* The first one gave it, but for a piece that the page would not wait for. */
    ck_assert_uint_le(scene_origin_bytes(&u.scene), before + KIB(64));
    scene_free(&u.scene);
}
END_TEST

START_TEST(an_old_file_that_is_damaged_is_found_out)
{
    struct update_scene u = update_new(10, 3000);

    publish(&u);
    disk_damage(u.visitor->disk, u.old_root, 3);
    load_2(u.visitor, BIG_PATH);
    check_whole(&u);
    ck_assert(u.visitor->disk->lost);
    scene_free(&u.scene);
}
END_TEST

START_TEST(a_full_disk_sends_the_page_to_the_site)
{
    struct update_scene u = update_new(11, 3000);

    publish(&u);
    load_2(u.visitor, "/static/b.wasm");
    u.visitor->disk->fail_with = ERR_NO_SPACE;
    u.visitor->disk->fail_times = UINT32_MAX;
    struct fetch *fetch = fetch_begin(u.visitor, SITE, 2, BIG_PATH, "page-2");
    fetch_wait(fetch, 60000);
    ck_assert_int_ne(fetch->state, FETCH_DONE);
    u.visitor->disk->fail_times = 0;
    world_run(u.scene.world, 60000);
    load_2(u.visitor, BIG_PATH);
    scene_free(&u.scene);
}
END_TEST

/* The patch is there; then there is no room for the file that it makes. */
START_TEST(no_room_for_the_new_file)
{
    struct update_scene u = update_new(12, 3000);

    publish(&u);
    u.visitor->disk->space = disk_reserved(u.visitor->disk) + BIG / 2;
    struct fetch *fetch = fetch_begin(u.visitor, SITE, 2, BIG_PATH, "page-2");
    fetch_wait(fetch, 60000);
    ck_assert_int_eq(fetch->state, FETCH_FAILED);
    ck_assert_uint_eq(fetch->status, 503);
    u.visitor->disk->space = 0;
    world_run(u.scene.world, 60000);
    load_2(u.visitor, BIG_PATH);
    check_patched(&u);
    scene_free(&u.scene);
}
END_TEST

START_TEST(after_a_new_start_the_old_file_still_counts)
{
    struct update_scene u = update_new(13, 3000);

    world_run(u.scene.world, 5000);
    visitor_kill(u.visitor);
    publish(&u);
    visitor_start(u.visitor);
    load_2(u.visitor, BIG_PATH);
    check_patched(&u);
    scene_free(&u.scene);
}
END_TEST

START_TEST(who_only_fetches_takes_patches_too)
{
    struct update_scene u = update_new(14, 3000);

    visitor_set_zone(u.visitor, SITE, ZONE_FETCH);
    world_run(u.scene.world, 5000);
    visitor_kill(u.visitor);
    publish(&u);
    visitor_start(u.visitor);
    load_2(u.visitor, BIG_PATH);
    check_patched(&u);
    scene_free(&u.scene);
}
END_TEST

static bool is_rebuilding(void *arg)
{
    return ((struct visitor *)arg)->node->rebuilding > 0;
}

static struct fetch *begin_rebuilding(struct update_scene *u)
{
    u->visitor->disk->rate = 1000000; /* it takes a second */
    publish(u);
    struct fetch *fetch = fetch_begin(u->visitor, SITE, 2, BIG_PATH, "page-2");
    ck_assert(world_run_until(u->scene.world, is_rebuilding, u->visitor, 20000));
    return fetch;
}

START_TEST(killed_while_it_rebuilds)
{
    struct update_scene u = update_new(15, 3000);

    begin_rebuilding(&u);
    visitor_kill(u.visitor);
    visitor_start(u.visitor);
    load_2(u.visitor, BIG_PATH); /* it remembers one release only, and that is the new one now */
    check_whole(&u);
    scene_free(&u.scene);
}
END_TEST

START_TEST(switched_off_while_it_rebuilds)
{
    struct update_scene u = update_new(16, 3000);

    struct fetch *fetch = begin_rebuilding(&u);
    visitor_set_zone(u.visitor, SITE, ZONE_OFF);
    fetch_wait(fetch, 60000);
    ck_assert_int_eq(fetch->state, FETCH_FAILED);
    ck_assert_uint_eq(u.visitor->node->rebuilding, 0);
    world_run(u.scene.world, 10000);
    visitor_set_zone(u.visitor, SITE, ZONE_SHARE);
    load_2(u.visitor, BIG_PATH);
    scene_free(&u.scene);
}
END_TEST

START_TEST(a_file_with_another_name_is_found_by_its_content)
{
    struct update_scene u = update_new(17, 3000);
    struct publisher_file *file = publisher_file(&u.scene.site->bundles[0], "c.bin");

    mem_free(file->path);
    file->path = mem_strdup("c.4f2a.bin");
    publish(&u);
    load_2(u.visitor, "/static/c.4f2a.bin");
    check_patched(&u);
    scene_free(&u.scene);
}
END_TEST

START_TEST(several_files_one_after_the_other)
{
    struct update_scene u = update_new(18, 3000);

    patches_change(u.scene.site, "b.wasm", 5000, 300);
    publish(&u);
    u.visitor->disk->rate = 1000000;
    struct fetch *one = fetch_begin(u.visitor, SITE, 2, BIG_PATH, "page-2");
    struct fetch *two = fetch_begin(u.visitor, SITE, 2, "/static/b.wasm", "page-2");
    fetch_wait(one, 60000);
    fetch_wait(two, 60000);
    ck_assert_uint_eq(u.visitor->disk->rebuilding_most, 1);
    ck_assert_uint_eq(u.visitor->disk->rebuilt, 2);
    ck_assert_uint_eq(origin_since(&u), 0);
    scene_free(&u.scene);
}
END_TEST

START_TEST(two_readers_of_a_held_file)
{
    struct update_scene u = update_new(19, 3000);

    publish(&u);
    struct fetch *one = fetch_begin(u.visitor, SITE, 2, BIG_PATH, "page-2");
    struct fetch *two =
        fetch_begin_range(u.visitor, SITE, 2, BIG_PATH, "page-3", "bytes=900000-900099", false);
    fetch_wait(one, 60000);
    fetch_wait(two, 60000);
    ck_assert_int_eq(one->state, FETCH_DONE);
    ck_assert_int_eq(two->state, FETCH_DONE);
    check_patched(&u);
    scene_free(&u.scene);
}
END_TEST

START_TEST(a_page_that_leaves_ends_it)
{
    struct update_scene u = update_new(20, 3000);

    publish(&u);
    patch_resource(&u)->fault.delay_ms = 2000;
    struct fetch *fetch = fetch_begin(u.visitor, SITE, 2, BIG_PATH, "page-2");
    world_run(u.scene.world, 1500);
    fetch_leave(fetch);
    world_run(u.scene.world, 120000);
    ck_assert_uint_eq(u.visitor->node->rebuilding, 0);
    load_2(u.visitor, BIG_PATH);
    ck_assert_uint_eq(origin_since(&u), 0);
    scene_free(&u.scene);
}
END_TEST

/* --- in the background: a page has shown the release, and asks for nothing that has changed */

static bool has_big(void *arg)
{
    const struct update_scene *u = arg;
    const struct published *file = publisher_lookup(u->scene.site, 2, BIG_PATH);
    return disk_has(u->visitor->disk, file->root, file->piece_length, 0, file->length);
}

START_TEST(the_patch_comes_in_the_background)
{
    struct update_scene u = update_new(21, 3000);

    publish(&u);
    load_2(u.visitor, "/static/a.js");
    ck_assert(world_run_until(u.scene.world, has_big, &u, 60000));
    check_patched(&u);
    ck_assert_uint_eq(patch_bytes(&u), u.patch->length);
    scene_free(&u.scene);
}
END_TEST

START_TEST(what_has_no_patch_comes_however_slowly)
{
    struct update_scene u = update_new(22, 700000);

    publish(&u);
    visitor_set(u.visitor, SETTING_DOWNLOAD_RATE, 15000); /* a minute and more */
    load_2(u.visitor, "/static/a.js");
    ck_assert(world_run_until(u.scene.world, has_big, &u, 300000));
    check_whole(&u);
    scene_free(&u.scene);
}
END_TEST

START_TEST(a_slow_patch_comes_all_the_same)
{
    struct update_scene u = update_new(23, 350000);

    publish(&u);
    visitor_set(u.visitor, SETTING_DOWNLOAD_RATE, 8000);
    load_2(u.visitor, "/static/a.js");
    ck_assert(world_run_until(u.scene.world, has_big, &u, 300000));
    check_patched(&u);
    scene_free(&u.scene);
}
END_TEST

START_TEST(a_page_asks_for_what_comes_in_the_background)
{
    struct update_scene u = update_new(24, 3000);

    publish(&u);
    patch_resource(&u)->fault.delay_ms = 9000;
    load_2(u.visitor, "/static/a.js");
    world_run(u.scene.world, 7000);
    load_2(u.visitor, BIG_PATH);
    check_patched(&u);
    scene_free(&u.scene);
}
END_TEST

/* --- random worlds: some have the old files, the patch, the site or the disks are troubled for
 * twenty seconds; in the end everybody has version 2, right to the last byte */

#define VISITORS 5

static void trouble_patch(struct update_scene *u)
{
    struct world *world = u->scene.world;
    struct fault *fault = &patch_resource(u)->fault;

    switch (world_below(world, 6)) {
    case 0:
        fault->status = 404;
        break;
    case 1:
        fault->stall_at = world_below(world, u->patch->length);
        break;
    case 2:
        fault->cut_at = world_below(world, u->patch->length);
        break;
    case 3:
        fault->flip_at = world_below(world, u->patch->length);
        break;
    case 4:
        fault->delay_ms = 4000;
        break;
    }
}

static void trouble_visitor(struct update_scene *u, struct visitor *visitor)
{
    struct world *world = u->scene.world;

    visitor->disk->jitter_us = world_chance(world, 50) ? 300000 : 0;
    if (world_chance(world, 30))
        visitor->disk->rate = 500000;
    if (world_chance(world, 20)) {
        visitor->disk->fail_with = world_chance(world, 50) ? ERR_NO_SPACE : ERR_IO;
        visitor->disk->fail_times = (uint32_t)world_below(world, 4);
    }
    if (world_chance(world, 20))
        disk_damage(visitor->disk, u->old_root, (uint32_t)world_below(world, 16));
}

static void visit_for_a_while(struct update_scene *u, struct visitor **visitors)
{
    struct world *world = u->scene.world;

    for (int second = 0; second < 20; second++) {
        struct visitor *visitor = visitors[world_below(world, VISITORS)];
        if (world_chance(world, 15)) {
            visitor_kill(visitor);
            visitor_start(visitor);
        }
        fetch_begin(visitor, SITE, 2, world_chance(world, 70) ? BIG_PATH : "/static/b.wasm", "p");
        world_run(world, world_below(world, 2000));
    }
}

static uint32_t random_update(uint64_t seed)
{
    struct update_scene u = update_new(seed, 1 + seed * 7919 % 400000);
    struct visitor *visitors[VISITORS] = {u.visitor};
    uint32_t rebuilt = 0;

    for (int i = 1; i < VISITORS; i++) {
        visitors[i] = scene_visitor(&u.scene, (const char *[]){"", "b", "c", "d", "e"}[i],
                                    ZONE_SHARE, u.visitor->host);
        if (world_chance(u.scene.world, 70))
            scene_load_all(&u.scene, visitors[i]);
    }
    if (world_chance(u.scene.world, 50))
        patches_change(u.scene.site, "b.wasm", 5000, 300);
    if (world_chance(u.scene.world, 20))
        spoil(&u);
    publish(&u);
    trouble_patch(&u);
    for (int i = 0; i < VISITORS; i++)
        trouble_visitor(&u, visitors[i]);
    visit_for_a_while(&u, visitors);
    patch_resource(&u)->fault = FAULT_NONE;
    for (int i = 0; i < VISITORS; i++)
        visitors[i]->disk->fail_times = 0;
    world_run(u.scene.world, 60000);
    for (int i = 0; i < VISITORS; i++) {
        load_2(visitors[i], BIG_PATH);
        load_2(visitors[i], "/static/b.wasm");
        ck_assert_uint_le(visitors[i]->disk->rebuilding_most, 1);
        rebuilt += visitors[i]->disk->rebuilt;
    }
    scene_free(&u.scene);
    return rebuilt;
}

START_TEST(random_updates_end_well)
{
    uint32_t rebuilt = 0;

    for (uint64_t seed = 1; seed <= 25; seed++)
        rebuilt += random_update(seed);
    ck_assert_uint_ge(rebuilt, 20);
}
END_TEST

TEST_MAIN("sim_delta",
          TESTS(a_new_version_comes_as_a_patch, the_patch_and_the_file_are_shared,
                who_never_had_the_old_file_asks_for_no_patch,
                a_patch_that_saves_little_is_not_fetched, a_patch_that_is_missing_costs_little_time,
                the_torrent_of_patches_may_be_missing, a_patch_that_stalls_is_given_up,
                a_patch_that_is_wrong_is_tried_once, a_wrong_patch_bans_nobody,
                an_old_file_that_is_damaged_is_found_out, a_full_disk_sends_the_page_to_the_site,
                no_room_for_the_new_file, after_a_new_start_the_old_file_still_counts,
                who_only_fetches_takes_patches_too, killed_while_it_rebuilds,
                switched_off_while_it_rebuilds, a_file_with_another_name_is_found_by_its_content,
                several_files_one_after_the_other, two_readers_of_a_held_file,
                a_page_that_leaves_ends_it, the_patch_comes_in_the_background,
                what_has_no_patch_comes_however_slowly, a_slow_patch_comes_all_the_same,
                a_page_asks_for_what_comes_in_the_background, random_updates_end_well))
