#include "sim_test.h"

void scene_on_failure(const char *text)
{
    ck_abort_msg("%s", text);
}

struct scene scene_new(uint64_t seed)
{
    struct scene scene = {.world = world_new(seed)};

    world_on_failure = scene_on_failure;
    scene.site = publisher_new(scene.world, SITE, NULL);
    return scene;
}

struct scene scene_with_files(uint64_t seed)
{
    struct scene scene = scene_new(seed);

    publisher_add(scene.site, 0, "a.js", 20000, 1);
    publisher_add(scene.site, 0, "b.wasm", 300000, 2);
    publisher_add(scene.site, 0, "c.bin", MIB(1), 3);
    publisher_publish(scene.site);
    return scene;
}

void scene_free(struct scene *scene)
{
    world_free(scene->world);
}

struct visitor *scene_visitor(struct scene *scene, const char *name, enum zone zone,
                              const struct host *peer)
{
    struct visitor_config config = {.name = name, .link = LINK_HOME, .zone = zone, .peers = {peer}};
    return visitor_new(scene->world, &config);
}

struct script *scene_script(struct scene *scene, const struct script_flags *flags)
{
    return script_new(scene->world, "script", &LINK_HOME, script_torrent(scene->site, 0), flags);
}

struct fetch *scene_fetch(struct visitor *visitor, const char *path)
{
    struct fetch *fetch = fetch_begin(visitor, SITE, 0, path, "doc");
    fetch_wait(fetch, 120000);
    return fetch;
}

struct fetch *scene_load(struct visitor *visitor, const char *path)
{
    struct fetch *fetch = scene_fetch(visitor, path);

    if (fetch->state != FETCH_DONE)
        world_fail(visitor->world, "%s did not get %s: %s %d %s", visitor->host->name, path,
                   fetch_state_name(fetch->state), fetch->status, fetch->reason);
    return fetch;
}

void scene_load_all(struct scene *scene, struct visitor *visitor)
{
    const struct publisher_bundle *bundle = &scene->site->bundles[0];
    char path[LIMIT_PATH];

    for (size_t i = 0; i < bundle->count; i++) {
        snprintf(path, sizeof path, "%s%s", bundle->base, bundle->files[i].path);
        scene_load(visitor, path);
    }
}

uint64_t scene_count(struct visitor *visitor, const char *doc, const char *field)
{
    struct ask *ask = visitor_site_status(visitor, SITE, doc);
    ask_wait(visitor, ask, 1000);
    return ask_number(visitor, ask, field);
}

uint64_t scene_origin_bytes(const struct scene *scene)
{
    return server_sent_below(scene->site->server, "/static/");
}

uint64_t scene_bundle_bytes(const struct scene *scene, size_t bundle)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < scene->site->bundles[bundle].count; i++)
        bytes += scene->site->bundles[bundle].files[i].length;
    return bytes;
}

uint64_t scene_ms(const struct fetch *fetch)
{
    return (fetch->done_us - fetch->asked_us) / 1000;
}
