/* What goes wrong in a random world (chaos.h), one thing at a time, and how it ends. */
#include "chaos.h"
#include "flood.h"

#define RELEASE   "/.well-known/fringe/release.json"
#define SIGNATURE "/.well-known/fringe/release.json.minisig"

/* --- strangers */

static void random_liar(struct chaos *chaos, struct script_flags *flags)
{
    switch (chaos_pick(chaos, 8)) {
    case 0:
        flags->flips = true;
        break;
    case 1:
        flags->flips_one = true;
        break;
    case 2:
        flags->flips_one = flags->lies_of_hashes = flags->extended = true;
        break;
    case 3: /* has nothing of what its bitfield says */
        flags->rejects = true;
        break;
    case 4:
        flags->spare_bit = true;
        break;
    case 5:
        flags->bad_have = true;
        break;
    case 6:
        flags->claims = flags->has_nothing = true;
        break;
    case 7:
        flags->serves_short = true;
        break;
    }
}

static void random_laggard(struct chaos *chaos, struct script_flags *flags)
{
    switch (chaos_pick(chaos, 6)) {
    case 0:
        flags->silent = true;
        break;
    case 1:
        flags->chokes = true;
        break;
    case 2:
        flags->stall_after = 1 + (uint32_t)chaos_pick(chaos, 20);
        break;
    case 3:
        flags->close_after = 1 + (uint32_t)chaos_pick(chaos, 20);
        break;
    case 4:
        flags->delay_us = (uint32_t)chaos_pick(chaos, 5000000);
        break;
    case 5:
        flags->drip_us = 1000 + (uint32_t)chaos_pick(chaos, 1000000);
        break;
    }
}

static void random_oddity(struct chaos *chaos, struct script_flags *flags)
{
    switch (chaos_pick(chaos, 9)) {
    case 0:
        flags->garbage = true;
        break;
    case 1:
        flags->wrong_infohash = true;
        break;
    case 2:
        flags->has_nothing = true, flags->flood = 1 + (uint32_t)chaos_pick(chaos, 3000);
        break;
    case 3:
        flags->serves_unasked = true;
        break;
    case 4:
        flags->lazy_bitfield = true;
        break;
    case 5:
        flags->no_fast = true;
        break;
    case 6:
        flags->huge_message = true;
        break;
    case 7:
        flags->odd_request = true;
        break;
    case 8:
        flags->reflects_id = true;
        break;
    }
}

static void send_a_stranger(struct chaos *chaos, struct visitor *visitor)
{
    struct script_flags flags = {0};
    uint64_t kind = chaos_pick(chaos, 4);

    if (kind == 0)
        random_liar(chaos, &flags);
    else if (kind == 1)
        random_laggard(chaos, &flags);
    else if (kind == 2)
        random_oddity(chaos, &flags);
    else
        flags.extended = flags.has_nothing = true;
    struct script *script = scene_script(&chaos->scene, &flags);
    if (kind == 3)
        flood_begin(script, (enum flood_kind)chaos_pick(chaos, FLOOD_KINDS_));
    if (chaos->tracker != NULL && chaos_chance(chaos, 50))
        sim_tracker_add(chaos->tracker, chaos->scene.site->bundles[0].infohash,
                        &script->host->address);
    script_dial(script, visitor->host);
}

/* --- pages */

static void want_something(struct chaos *chaos, struct visitor *visitor)
{
    char path[40], doc[8], range[60];
    uint64_t seq = chaos->scene.site->seq;

    if (visitor->node == NULL)
        return;
    chaos_path(chaos, chaos_pick(chaos, chaos->file_count), path, sizeof path);
    snprintf(doc, sizeof doc, "d%llu", (unsigned long long)chaos_pick(chaos, 3));
    uint64_t first = chaos_pick(chaos, 200000);
    snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)first,
             (unsigned long long)(first + chaos_pick(chaos, 100000)));
    bool old = seq > 1 && chaos_chance(chaos, chaos->stale ? 40 : 20);
    seq = chaos_chance(chaos, 30) ? 0 : old ? seq - 1 : seq;
    fetch_begin_range(visitor, SITE, seq, path, doc, chaos_chance(chaos, 25) ? range : NULL,
                      chaos_chance(chaos, 5));
}

static void leave_something(struct chaos *chaos, struct visitor *visitor)
{
    list_for_each(link, next, &visitor->all_fetches) if (chaos_chance(chaos, 30))
        fetch_leave(list_entry(link, struct fetch, in_visitor));
}

/* --- visitors */

static void kill_or_start(struct chaos *chaos, size_t number)
{
    struct visitor *visitor = chaos->visitors[number];

    if (chaos->gone[number])
        return;
    if (visitor->node == NULL) {
        visitor_start(visitor);
        return;
    }
    visitor_kill(visitor);
    chaos->gone[number] = chaos->churn && number > 0 && chaos_chance(chaos, 20);
}

void trouble_limit(struct chaos *chaos, struct visitor *visitor)
{
    uint64_t rate = LIMIT_RATE_MIN << chaos_pick(chaos, 8);

    rate = chaos_chance(chaos, 30) ? 0 : rate + chaos_pick(chaos, rate);
    switch (chaos_pick(chaos, 6)) {
    case 0:
        visitor_set(visitor, SETTING_UPLOAD_RATE, rate);
        break;
    case 1:
        visitor_set(visitor, SETTING_DOWNLOAD_RATE, rate);
        break;
    case 2:
        visitor_set(visitor, SETTING_MONTHLY_CAP,
                    chaos_pick(chaos, 4) * chaos_pick(chaos, 1000000));
        break;
    case 3:
        visitor_set(visitor, SETTING_SLOTS, 1 + chaos_pick(chaos, 4));
        break;
    case 4:
        visitor_pause(visitor, chaos_pick(chaos, 2));
        break;
    case 5:
        visitor_resume(visitor);
        break;
    }
}

/* Errors for a while; or no room, and then there is again. */
static void spoil_the_disk(struct chaos *chaos, struct visitor *visitor)
{
    struct disk *disk = visitor->disk;

    if (chaos_chance(chaos, 50)) {
        disk->fail_with = chaos_chance(chaos, 50) ? ERR_NO_SPACE : ERR_IO;
        disk->fail_times = 1 + (uint32_t)chaos_pick(chaos, 5);
    } else {
        disk->space = disk->space > 0 ? 0 : 1 + chaos_pick(chaos, chaos->bytes + 1);
    }
}

static void break_a_connection(struct chaos *chaos, const struct visitor *visitor)
{
    struct conn *conn =
        visitor->sockets != NULL ? link_find(chaos->scene.world, visitor->sockets->conn) : NULL;
    if (conn != NULL && conn->established)
        link_break(conn);
}

/* --- the site */

static void random_fault(struct chaos *chaos)
{
    struct server *server = chaos->scene.site->server;
    struct fault fault = FAULT_NONE;
    char path[40];

    switch (chaos_pick(chaos, 8)) {
    case 0:
        fault.status = 404;
        break;
    case 1:
        fault.status = 503, fault.retry_after_s = (uint32_t)chaos_pick(chaos, 5);
        break;
    case 2:
        fault.stall_at = chaos_pick(chaos, 100000);
        break;
    case 3:
        fault.cut_at = chaos_pick(chaos, 100000);
        break;
    case 4:
        fault.flip_at = chaos_pick(chaos, 100000);
        break;
    case 5:
        fault.ignore_range = true;
        break;
    case 6:
        fault.no_length = true;
        break;
    case 7:
        fault.delay_ms = (uint32_t)chaos_pick(chaos, 3000);
        break;
    }
    fault.times = 1 + (uint32_t)chaos_pick(chaos, 3);
    chaos_path(chaos, chaos_pick(chaos, chaos->file_count), path, sizeof path);
    server_get(server, path)->fault = fault;
}

static void publish_anew(struct chaos *chaos)
{
    chaos_add_file(chaos, chaos_pick(chaos, chaos->file_count));
    chaos_publish(chaos);
}

/* As a cache in front of the site does: it gives the release before this one. */
static void serve_old_release(struct chaos *chaos)
{
    struct server *server = chaos->scene.site->server;

    if (chaos->old_release.length == 0)
        return;
    server_put(server, RELEASE, chaos->old_release.data, chaos->old_release.length);
    server_put(server, SIGNATURE, chaos->old_signature.data, chaos->old_signature.length);
}

static void serve_new_release(struct chaos *chaos)
{
    struct publisher *site = chaos->scene.site;

    server_put(site->server, RELEASE, site->json.data, site->json.length);
    server_put(site->server, SIGNATURE, site->signature.data, site->signature.length);
}

/* --- the network */

static void part_and_heal(struct chaos *chaos)
{
    uint64_t now_us = world_elapsed_us(chaos->scene.world);
    bool apart = now_us >= chaos->part_us && now_us < chaos->heal_us;

    for (size_t i = 0; i < chaos->visitor_count; i++)
        if (chaos->visitors[i] != NULL)
            chaos->visitors[i]->host->island = apart && i % 2 == 1 ? 1 : 0;
}

/* --- one thing */

static void trouble_at_site(struct chaos *chaos, uint64_t what)
{
    if (what < 55)
        random_fault(chaos);
    else if (what < 70)
        server_set_down(chaos->scene.site->server, chaos_chance(chaos, 50));
    else if (what < 85)
        publish_anew(chaos);
    else if (what < 92)
        serve_old_release(chaos);
    else
        serve_new_release(chaos);
}

static void trouble_for(struct chaos *chaos, size_t number, uint64_t what)
{
    struct visitor *visitor = chaos->visitors[number];

    if (what < 45)
        want_something(chaos, visitor);
    else if (what < 54)
        leave_something(chaos, visitor);
    else if (what < (chaos->churn ? 74 : 64))
        kill_or_start(chaos, number);
    else if (what < 80)
        break_a_connection(chaos, visitor);
    else if (what < 88)
        send_a_stranger(chaos, visitor);
    else if (what < 92 && !chaos->parts)
        visitor->host->island = (int)chaos_pick(chaos, 2);
    else if (what < 95 && visitor->node != NULL)
        visitor_set_zone(visitor, SITE, chaos_zone(chaos));
    else if (what < 96 && visitor->node != NULL)
        trouble_limit(chaos, visitor);
    else
        spoil_the_disk(chaos, visitor);
}

void trouble(struct chaos *chaos)
{
    size_t number = chaos_pick(chaos, chaos->visitor_count);

    if (chaos->parts)
        part_and_heal(chaos);
    if (chaos_chance(chaos, 12))
        trouble_at_site(chaos, chaos_pick(chaos, 100));
    else if (chaos->visitors[number] == NULL)
        chaos_come(chaos, number);
    else
        trouble_for(chaos, number, chaos_pick(chaos, 100));
}

/* --- peace */

static void calm_visitor(struct chaos *chaos, size_t number)
{
    struct visitor *visitor = chaos->visitors[number];

    visitor->host->island = 0;
    visitor->disk->fail_times = 0;
    visitor->disk->space = 0;
    if (visitor->node == NULL)
        visitor_start(visitor);
    visitor_resume(visitor);
    visitor_set(visitor, SETTING_UPLOAD_RATE, 0);
    visitor_set(visitor, SETTING_DOWNLOAD_RATE, 0);
    visitor_set(visitor, SETTING_MONTHLY_CAP, 0);
    if (number > 0 && chaos_chance(chaos, 20))
        visitor_set(visitor, SETTING_DOWNLOAD_RATE, 300000 + chaos_pick(chaos, 1000000));
    if (number > 0 && chaos_chance(chaos, 20))
        visitor_set(visitor, SETTING_UPLOAD_RATE, LIMIT_RATE_MIN + chaos_pick(chaos, 1000000));
    visitor_set_zone(visitor, SITE,
                     number == 0 || chaos_chance(chaos, 80) ? ZONE_SHARE : ZONE_FETCH);
}

void trouble_is_over(struct chaos *chaos)
{
    struct server *server = chaos->scene.site->server;
    struct world *world = chaos->scene.world;

    server_set_down(server, false);
    serve_new_release(chaos);
    for (struct resource *r = server->resources; r != NULL; r = r->hh.next)
        r->fault = FAULT_NONE;
    for (struct script *script = world->scripts; script != NULL; script = script->hh.next)
        script->flooding = false;
    for (size_t i = 0; i < chaos->visitor_count; i++)
        if (chaos_is_there(chaos, i))
            calm_visitor(chaos, i);
}
