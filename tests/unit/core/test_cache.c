/* core/cache: what stays and what goes, by example; then a long random run against a plain model.
 * CACHE_SEED=n runs that seed alone. */
#include "check_main.h"
#include "core/cache.h"
#include "core/rng.h"

#include <stdio.h>

#define A "https://a.example"
#define B "https://b.example"

static uint32_t went[4096];
static size_t went_count;

static void gone(void *user, const uint8_t root[HASH_LENGTH], uint64_t length)
{
    uint32_t file;

    (void)user, (void)length;
    memcpy(&file, root, sizeof file);
    if (went_count < sizeof went / sizeof went[0])
        went[went_count++] = file;
}

static const uint8_t *root_of(uint32_t file)
{
    static uint8_t root[HASH_LENGTH];

    memcpy(root, &file, sizeof file);
    return root;
}

static struct cache *make(uint64_t quota)
{
    went_count = 0;
    return cache_new(quota, gone, NULL);
}

static void put(struct cache *cache, uint32_t file, const char *site, uint64_t length)
{
    ck_assert_int_eq(cache_reserve(cache, root_of(file), site, length), CACHE_RESERVED);
    cache_release(cache, root_of(file));
}

START_TEST(what_was_used_twice_outlives_a_scan)
{
    struct cache *cache = make(100);

    put(cache, 1, A, 10);
    cache_use(cache, root_of(1), 1);
    cache_use(cache, root_of(1), 1);
    for (uint32_t file = 100; file < 150; file++)
        put(cache, file, A, 10);
    ck_assert(cache_has(cache, root_of(1)));
    ck_assert(!cache_has(cache, root_of(100)));
    ck_assert_uint_eq(cache_totals(cache).bytes, 100);
    cache_free(cache);
}
END_TEST

START_TEST(a_ghost_comes_back_into_the_main_queue)
{
    struct cache *cache = make(100);

    for (uint32_t file = 1; file <= 11; file++)
        put(cache, file, A, 10);
    ck_assert(!cache_has(cache, root_of(1)));
    put(cache, 1, A, 10);
    for (uint32_t file = 100; file < 130; file++)
        put(cache, file, A, 10);
    ck_assert(cache_has(cache, root_of(1))); /* it was seen before: the new ones go first */
    cache_free(cache);
}
END_TEST

START_TEST(old_releases_go_first)
{
    struct cache *cache = make(100);

    for (uint32_t file = 1; file <= 10; file++)
        put(cache, file, A, 10);
    for (int i = 0; i < 3; i++)
        cache_use(cache, root_of(7), 1);
    cache_set_old(cache, root_of(7), true);
    put(cache, 11, A, 10);
    ck_assert_uint_eq(went_count, 1);
    ck_assert_uint_eq(went[0], 7);
    cache_free(cache);
}
END_TEST

START_TEST(held_and_kept_files_do_not_go)
{
    struct cache *cache = make(30);

    put(cache, 1, A, 10);
    put(cache, 2, B, 10);
    put(cache, 3, B, 10);
    ck_assert(cache_hold(cache, root_of(2)));
    cache_set_keep(cache, A, true);
    ck_assert_int_eq(cache_reserve(cache, root_of(4), B, 11), CACHE_OVER_QUOTA);
    ck_assert_uint_eq(went_count, 0); /* a file that is refused costs nobody a place */
    put(cache, 4, B, 10);
    ck_assert(went_count == 1 && went[0] == 3);
    cache_release(cache, root_of(2));
    cache_set_keep(cache, A, false);
    put(cache, 5, B, 30);
    ck_assert_uint_eq(cache_totals(cache).files, 1);
    cache_free(cache);
}
END_TEST

START_TEST(downloads_under_way_are_counted_before_a_byte_is_there)
{
    struct cache *cache = make(100);

    for (uint32_t file = 1; file <= 4; file++)
        ck_assert_int_eq(cache_reserve(cache, root_of(file), A, 25), CACHE_RESERVED);
    ck_assert_int_eq(cache_reserve(cache, root_of(5), A, 1), CACHE_OVER_QUOTA);
    cache_drop(cache, root_of(3)); /* it failed */
    ck_assert_int_eq(cache_reserve(cache, root_of(5), A, 25), CACHE_RESERVED);
    ck_assert_int_eq(cache_reserve(cache, root_of(5), A, 26), CACHE_OTHER_LENGTH);
    ck_assert_int_eq(cache_reserve(cache, root_of(6), A, UINT64_MAX), CACHE_OVER_QUOTA);
    ck_assert_uint_eq(went_count, 0);
    cache_free(cache);
}
END_TEST

START_TEST(a_root_is_counted_once)
{
    struct cache *cache = make(100);

    put(cache, 1, A, 60);
    put(cache, 1, B, 60);
    ck_assert_uint_eq(cache_totals(cache).bytes, 60);
    ck_assert_uint_eq(cache_site_totals(cache, A).bytes, 60);
    ck_assert_uint_eq(cache_site_totals(cache, B).files, 0);
    cache_free(cache);
}
END_TEST

START_TEST(a_site_over_its_own_quota_costs_no_other)
{
    struct cache *cache = make(100);

    put(cache, 1, B, 10);
    cache_set_site_quota(cache, A, 30);
    for (uint32_t file = 10; file < 16; file++)
        put(cache, file, A, 10);
    ck_assert_uint_eq(cache_site_totals(cache, A).bytes, 30);
    ck_assert(cache_has(cache, root_of(1)));
    ck_assert_int_eq(cache_reserve(cache, root_of(20), A, 31), CACHE_OVER_SITE_QUOTA);
    cache_free(cache);
}
END_TEST

START_TEST(a_lowered_quota_takes_effect_in_small_steps)
{
    struct cache *cache = make(100);

    for (uint32_t file = 1; file <= 10; file++)
        put(cache, file, A, 10);
    cache_set_quota(cache, 45);
    ck_assert(cache_shrink(cache, 4));
    ck_assert_uint_eq(went_count, 4);
    ck_assert(!cache_shrink(cache, 4));
    ck_assert_uint_eq(cache_totals(cache).bytes, 40);
    cache_set_site_quota(cache, A, 15);
    ck_assert(!cache_shrink(cache, 4));
    ck_assert_uint_eq(cache_totals(cache).bytes, 10);
    cache_free(cache);
}
END_TEST

START_TEST(clearing_says_what_was_freed)
{
    struct cache *cache = make(100);

    put(cache, 1, A, 10);
    put(cache, 2, A, 11);
    put(cache, 3, B, 12);
    cache_set_keep(cache, A, true);
    cache_hold(cache, root_of(2));
    struct cache_totals freed = cache_clear(cache, A);
    ck_assert(freed.files == 1 && freed.bytes == 10);
    freed = cache_clear(cache, NULL);
    ck_assert(freed.files == 1 && freed.bytes == 12);
    ck_assert_uint_eq(cache_totals(cache).bytes, 11);
    cache_free(cache);
}
END_TEST

START_TEST(what_was_on_the_disk_is_in_the_books)
{
    struct cache *cache = make(100);
    struct cache_record record = {.site = "", .length = 60, .used_s = 5};

    for (uint32_t file = 1; file <= 3; file++) {
        record.root = root_of(file);
        record.old = file == 3;
        cache_load(cache, &record);
    }
    ck_assert_uint_eq(cache_totals(cache).bytes, 180); /* over the quota, and nothing went */
    ck_assert_uint_eq(went_count, 0);
    ck_assert(cache_adopt(cache, root_of(1), A));
    ck_assert(!cache_adopt(cache, root_of(1), B)); /* it has one */
    ck_assert_uint_eq(cache_site_totals(cache, A).bytes, 60);
    ck_assert_uint_eq(cache_site_totals(cache, "").files, 2);
    ck_assert(!cache_shrink(cache, 10));
    ck_assert_uint_eq(went_count, 2);
    ck_assert_uint_eq(went[0], 3); /* of an old release */
    cache_free(cache);
}
END_TEST

START_TEST(an_old_file_that_is_used_is_current)
{
    struct cache *cache = make(100);
    bool old = false;

    put(cache, 1, A, 50);
    put(cache, 2, A, 50);
    ck_assert(cache_set_old(cache, root_of(1), true));
    ck_assert(!cache_set_old(cache, root_of(1), true));
    cache_use(cache, root_of(1), 77);
    ck_assert_str_eq(cache_owner(cache, root_of(1), &old), A);
    ck_assert(!old);
    ck_assert_uint_eq(cache_view_site(cache, A).used_s, 77);
    ck_assert_ptr_null(cache_owner(cache, root_of(9), &old));
    cache_free(cache);
}
END_TEST

START_TEST(a_quota_fits_the_disk)
{
    ck_assert_uint_eq(cache_quota_default(1000), 100);
    ck_assert_uint_eq(cache_quota_default(UINT64_MAX), UINT64_C(5000000000));
    ck_assert_uint_eq(cache_quota_now(100, 40, 1000, 50), 100);
    ck_assert_uint_eq(cache_quota_now(100, 40, 70, 50), 60);
    ck_assert_uint_eq(cache_quota_now(100, 40, 30, 50), 20); /* some is to be given back */
    ck_assert_uint_eq(cache_quota_now(100, 40, 0, 50), 0);
    ck_assert_uint_eq(cache_quota_now(100, 40, UINT64_MAX, 0), 100);
}
END_TEST

/* --- against a model: an array, and sums that are made anew each time */

enum { FILES = 60, SITES = 3, STEPS = 4000 };

static const char *const sites[SITES] = {A, B, "https://c.example"};

static struct model {
    uint64_t quota, site_quota[SITES];
    bool keep[SITES];
    struct {
        bool here;
        uint64_t length;
        unsigned holds;
        uint32_t site;
    } files[FILES];
} model;

static uint64_t sum(int site, bool fixed_only)
{
    uint64_t bytes = 0;

    for (int i = 0; i < FILES; i++) {
        bool fixed = model.files[i].holds > 0 || model.keep[model.files[i].site];
        if (model.files[i].here && (site < 0 || model.files[i].site == (uint32_t)site) &&
            (fixed || !fixed_only))
            bytes += model.files[i].length;
    }
    return bytes;
}

static void model_gone(void *user, const uint8_t root[HASH_LENGTH], uint64_t length)
{
    const bool *clearing = user;
    uint32_t file;

    memcpy(&file, root, sizeof file);
    ck_assert(file < FILES && model.files[file].here && model.files[file].length == length);
    ck_assert_uint_eq(model.files[file].holds, 0);
    ck_assert(*clearing || !model.keep[model.files[file].site]);
    model.files[file].here = false;
}

static void try_reserve(struct cache *cache, uint32_t file, uint32_t site, uint64_t length)
{
    uint64_t before = sum(-1, false), site_quota = model.site_quota[site];

    if (model.files[file].here)
        length = model.files[file].length;
    bool here = model.files[file].here, fits = sum(-1, true) + length <= model.quota,
         fits_site = site_quota == 0 || sum((int)site, true) + length <= site_quota;
    enum cache_answer answer = cache_reserve(cache, root_of(file), sites[site], length);
    ck_assert_int_eq(answer, here || (fits && fits_site) ? CACHE_RESERVED
                             : !fits                     ? CACHE_OVER_QUOTA
                                                         : CACHE_OVER_SITE_QUOTA);
    if (answer != CACHE_RESERVED || here)
        ck_assert_uint_eq(sum(-1, false), before);
    if (answer != CACHE_RESERVED)
        return;
    model.files[file].holds++;
    if (here)
        return;
    model.files[file].here = true;
    model.files[file].holds = 1;
    model.files[file].length = length;
    model.files[file].site = site;
    ck_assert_uint_le(sum(-1, false), model.quota);
    ck_assert(site_quota == 0 || sum((int)site, false) <= site_quota);
}

static void shrink(struct cache *cache)
{
    while (cache_shrink(cache, 2))
        ;
    ck_assert(sum(-1, false) <= model.quota || sum(-1, false) == sum(-1, true));
    for (int i = 0; i < SITES; i++)
        ck_assert(model.site_quota[i] == 0 || sum(i, false) <= model.site_quota[i] ||
                  sum(i, false) == sum(i, true));
}

static void one_step(struct cache *cache, struct rng *rng, bool *clearing)
{
    uint32_t what = rng_below(rng, 100), file = rng_below(rng, FILES), site = rng_below(rng, SITES);

    if (what < 40) {
        try_reserve(cache, file, site, rng_below(rng, 300));
    } else if (what < 70) {
        cache_release(cache, root_of(file));
        if (model.files[file].here && model.files[file].holds > 0)
            model.files[file].holds--;
    } else if (what < 80) {
        cache_use(cache, root_of(file), 1);
    } else if (what < 84) {
        ck_assert(cache_hold(cache, root_of(file)) == model.files[file].here);
        model.files[file].holds += model.files[file].here;
    } else if (what < 88) {
        cache_set_old(cache, root_of(file), rng_below(rng, 2) == 0);
    } else if (what < 91) {
        cache_drop(cache, root_of(file));
        model.files[file].here = false;
    } else if (what < 94) {
        model.keep[site] = rng_below(rng, 3) == 0;
        cache_set_keep(cache, sites[site], model.keep[site]);
    } else if (what < 97) {
        model.site_quota[site] = rng_below(rng, 2) == 0 ? 0 : 1 + rng_below(rng, 1500);
        cache_set_site_quota(cache, sites[site], model.site_quota[site]);
    } else if (what < 99) {
        model.quota = rng_below(rng, 4000);
        cache_set_quota(cache, model.quota);
        shrink(cache);
    } else {
        *clearing = true;
        uint64_t before = sum(-1, false);
        uint64_t freed = cache_clear(cache, rng_below(rng, 2) == 0 ? NULL : sites[site]).bytes;
        ck_assert_uint_eq(sum(-1, false), before - freed);
        *clearing = false;
    }
}

static void run(uint64_t number)
{
    uint8_t seed[32] = {0};
    struct rng rng;
    bool clearing = false;

    printf("# CACHE_SEED=%llu\n", (unsigned long long)number);
    fflush(stdout);
    memcpy(seed, &number, sizeof number);
    rng_init(&rng, seed);
    model = (struct model){.quota = 2000};
    struct cache *cache = cache_new(model.quota, model_gone, &clearing);
    for (int step = 0; step < STEPS; step++) {
        one_step(cache, &rng, &clearing);
        ck_assert_uint_eq(cache_totals(cache).bytes, sum(-1, false));
        for (int i = 0; i < SITES; i++)
            ck_assert_uint_eq(cache_site_totals(cache, sites[i]).bytes, sum(i, false));
    }
    cache_free(cache);
}

START_TEST(it_does_what_the_model_does)
{
    const char *given = getenv("CACHE_SEED");

    for (uint64_t seed = 1; given == NULL && seed <= 20; seed++)
        run(seed);
    if (given != NULL)
        run(strtoull(given, NULL, 10));
}
END_TEST

TEST_MAIN("cache",
          TESTS(what_was_used_twice_outlives_a_scan, a_ghost_comes_back_into_the_main_queue,
                old_releases_go_first, held_and_kept_files_do_not_go,
                downloads_under_way_are_counted_before_a_byte_is_there, a_root_is_counted_once,
                a_site_over_its_own_quota_costs_no_other,
                a_lowered_quota_takes_effect_in_small_steps, clearing_says_what_was_freed,
                what_was_on_the_disk_is_in_the_books, an_old_file_that_is_used_is_current,
                a_quota_fits_the_disk, it_does_what_the_model_does))
