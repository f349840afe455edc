/* What the tests of tests/sim share: failures of the world become Check's, and a small site with
 * one or two visitors in a line each. */
#pragma once

#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "fetch.h"
#include "publisher.h"
#include "replay.h"
#include "script.h"
#include "server.h"
#include "visitor.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

#define SITE "https://game.example"

/* Check's assertions, which all end here, say how to see it again before they end the test. */
#undef ck_assert_msg
#define ck_assert_msg(expr, ...)                                                                   \
    ((expr)                                                                                        \
         ? _mark_point(__FILE__, __LINE__)                                                         \
         : (replay_trace(), replay_print(),                                                        \
            _ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", ##__VA_ARGS__)))

__attribute__((constructor)) static void watch(void)
{
    replay_watch();
}

/* A world with a site on a fast server. */
struct scene {
    struct world *world;
    struct publisher *site;
};

void scene_on_failure(const char *text); /* becomes a failure of the test */
struct scene scene_new(uint64_t seed);
/* The same with three files published: a.js 20000, b.wasm 300000, c.bin 1 MiB. */
struct scene scene_with_files(uint64_t seed);
void scene_free(struct scene *scene);

struct visitor *scene_visitor(struct scene *scene, const char *name, enum zone zone,
                              const struct host *peer);
struct script *scene_script(struct scene *scene, const struct script_flags *flags);
/* Asks for it and waits until it is over. */
struct fetch *scene_fetch(struct visitor *visitor, const char *path);
/* The same, and it must have come whole. */
struct fetch *scene_load(struct visitor *visitor, const char *path);
void scene_load_all(struct scene *scene, struct visitor *visitor);
/* Bytes of a document or of a site by source: site.status's page.* and total.* */
uint64_t scene_count(struct visitor *visitor, const char *doc, const char *field);
/* Body bytes of assets that left the site's server. */
uint64_t scene_origin_bytes(const struct scene *scene);
uint64_t scene_bundle_bytes(const struct scene *scene, size_t bundle);
uint64_t scene_ms(const struct fetch *fetch); /* from asking to having */
