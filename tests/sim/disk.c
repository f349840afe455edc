#include "disk.h"

#include "base/mem.h"
#include "core/swarm.h"
#include "patches.h"
#include "publisher.h"
#include "visitor.h"

#include <string.h>

#define STORE_MAX                                                                                  \
    (2 * STORING_MAX) /* half of it may have been under way when peers were stopped                \
                       */

/* An operation under way: its event comes when the disk is that far. */
struct job {
    uint64_t number, op;
    enum event_kind kind;
    enum err result;
    struct buf torrent;
    struct bitfield have;
    /* a piece to store, or to read */
    uint8_t *data, *leaves;
    uint32_t length, piece_length, piece;
    uint64_t file_length;
    uint8_t root[HASH_LENGTH], expected[HASH_LENGTH];
    uint8_t old[HASH_LENGTH], patch[HASH_LENGTH]; /* to rebuild: `data` is the pieces' hashes */
    uint32_t old_piece_length, patch_piece_length;
    UT_hash_handle hh;
};

struct disk *disk_new(struct visitor *visitor)
{
    struct disk *disk = mem_zalloc(sizeof *disk);
    disk->visitor = visitor;
    disk->rate = 200000000;
    disk->delay_us = 100;
    return disk;
}

static void job_over(struct disk *disk, struct job *job)
{
    HASH_DEL(disk->jobs, job);
    disk->waiting -= job->data != NULL ? job->length : 0;
}

static void job_free(struct job *job)
{
    bitfield_done(&job->have);
    buf_done(&job->torrent);
    mem_free(job->data);
    mem_free(job->leaves);
    mem_free(job);
}

void disk_stop(struct disk *disk)
{
    struct job *job, *next;
    HASH_ITER(hh, disk->jobs, job, next)
    {
        job_over(disk, job);
        job_free(job);
    }
    disk->free_us = 0;
}

void disk_free(struct disk *disk)
{
    struct disk_content *content, *next_content;
    struct disk_torrent *torrent, *next_torrent;
    struct disk_site *site, *next_site;

    disk_stop(disk);
    HASH_ITER(hh, disk->contents, content, next_content)
    {
        HASH_DEL(disk->contents, content);
        bitfield_done(&content->have);
        bitfield_done(&content->damaged);
        mem_free(content);
    }
    HASH_ITER(hh, disk->torrents, torrent, next_torrent)
    {
        HASH_DEL(disk->torrents, torrent);
        buf_done(&torrent->bytes);
        mem_free(torrent);
    }
    HASH_ITER(hh, disk->sites, site, next_site)
    {
        HASH_DEL(disk->sites, site);
        buf_done(&site->release);
        buf_done(&site->signature);
        mem_free(site->site);
        mem_free(site);
    }
    mem_free(disk);
}

/* --- content */

static struct disk_key make_key(const uint8_t *root, uint32_t piece_length)
{
    struct disk_key key;
    memcpy(key.root, root, HASH_LENGTH);
    key.piece_length = piece_length;
    return key;
}

static struct disk_content *find_content(const struct disk *disk, const uint8_t *root,
                                         uint32_t piece_length)
{
    struct disk_content *content;
    struct disk_key key = make_key(root, piece_length);
    HASH_FIND(hh, disk->contents, &key, sizeof key, content);
    return content;
}

static bool is_complete(const struct disk *disk, const uint8_t *root)
{
    for (const struct disk_content *c = disk->contents; c != NULL; c = c->hh.next)
        if (memcmp(c->key.root, root, HASH_LENGTH) == 0 && bitfield_full(&c->have))
            return true;
    return false;
}

static struct disk_content *make_content(struct disk *disk, const struct job *job)
{
    struct disk_content *content = find_content(disk, job->root, job->piece_length);

    if (content != NULL)
        return content;
    content = mem_zalloc(sizeof *content);
    content->key = make_key(job->root, job->piece_length);
    content->length = job->file_length;
    uint64_t pieces = (job->file_length + job->piece_length - 1) / job->piece_length;
    bitfield_init(&content->have, (uint32_t)pieces);
    bitfield_init(&content->damaged, (uint32_t)pieces);
    content->content = library_find(disk->visitor->world, job->root);
    HASH_ADD(hh, disk->contents, key, sizeof content->key, content);
    return content;
}

bool disk_has(const struct disk *disk, const uint8_t root[HASH_LENGTH], uint32_t piece_length,
              uint64_t first, uint64_t end)
{
    const struct disk_content *content = find_content(disk, root, piece_length);

    if (first >= end)
        return true;
    if (content == NULL)
        return is_complete(disk, root);
    if (end > content->length)
        return false;
    for (uint64_t piece = first / piece_length; piece * piece_length < end; piece++)
        if (!bitfield_get(&content->have, (uint32_t)piece))
            return is_complete(disk, root);
    return true;
}

uint64_t disk_bytes(const struct disk *disk)
{
    uint64_t bytes = 0;

    for (const struct disk_content *c = disk->contents; c != NULL; c = c->hh.next) {
        if (c->have.count == 0)
            continue;
        uint64_t whole = (uint64_t)c->have.count * c->key.piece_length;
        bool has_last = bitfield_get(&c->have, c->have.bits - 1);
        bytes +=
            has_last ? whole - ((uint64_t)c->have.bits * c->key.piece_length - c->length) : whole;
    }
    return bytes;
}

uint64_t disk_reserved(const struct disk *disk)
{
    uint64_t bytes = 0;

    for (const struct disk_content *c = disk->contents; c != NULL; c = c->hh.next)
        bytes += c->length;
    return bytes;
}

/* As host/io/store does it: room for all of a file, or none of it is written. */
static bool has_room(const struct disk *disk, const struct job *job)
{
    return disk->space == 0 || find_content(disk, job->root, job->piece_length) != NULL ||
           disk_reserved(disk) + job->file_length <= disk->space;
}

static void tell_totals(struct disk *disk)
{
    uint64_t files = HASH_COUNT(disk->contents);
    node_set_cache_totals(disk->visitor->node, files, disk_bytes(disk));
}

/* --- storing */

/* The bytes that the publisher published there have the hash that the publisher's torrent says: it
 * is computed once, however many visitors store them. */
static bool is_right(const struct disk *disk, const struct job *job)
{
    struct content *content = library_find(disk->visitor->world, job->root);
    uint64_t offset = (uint64_t)job->piece * job->piece_length;
    uint8_t hash[HASH_LENGTH];

    if (content != NULL && content->length == job->file_length &&
        offset + job->length <= content->length &&
        memcmp(content->data + offset, job->data, job->length) == 0)
        return memcmp(content_hash(content, job->piece_length, job->piece), job->expected,
                      HASH_LENGTH) == 0;
    merkle_piece(job->data, job->length, job->file_length, job->piece_length, hash);
    return memcmp(hash, job->expected, HASH_LENGTH) == 0;
}

/* The node says which hash the bytes must have: that must be the publisher's. */
static void check_expected(struct disk *disk, const struct job *job)
{
    struct world *world = disk->visitor->world;
    const struct content *content = library_find(world, job->root);
    uint64_t offset = (uint64_t)job->piece * job->piece_length;

    if (content == NULL || content->length != job->file_length ||
        offset + job->length > content->length)
        world_fail(world, "%s stores a piece of no published file", disk->visitor->host->name);
    if (memcmp(content->data + offset, job->data, job->length) != 0)
        world_fail(world, "%s stores bytes that nobody published", disk->visitor->host->name);
}

static enum err write_piece(struct disk *disk, struct job *job)
{
    if (!is_right(disk, job)) {
        disk->refused++;
        job->leaves = mem_alloc((size_t)merkle_blocks(job->length) * HASH_LENGTH);
        merkle_leaves(job->data, job->length, job->leaves);
        return ERR_BAD_HASH;
    }
    check_expected(disk, job);
    if (disk->fail_times > 0) {
        disk->fail_times -= disk->fail_times != UINT32_MAX;
        return disk->fail_with;
    }
    if (!has_room(disk, job))
        return ERR_NO_SPACE;
    bitfield_set(&make_content(disk, job)->have, job->piece);
    bitfield_unset(&make_content(disk, job)->damaged, job->piece);
    disk->stored++;
    tell_totals(disk);
    return ERR_OK;
}

/* --- reading */

/* As host/io does it: what is damaged is found when it is read, and then is as if it were not. */
static enum err read_piece(struct disk *disk, struct job *job)
{
    struct disk_content *content = find_content(disk, job->root, job->piece_length);
    const struct content *file = library_find(disk->visitor->world, job->root);
    uint64_t offset = (uint64_t)job->piece * job->piece_length;

    if (!disk_has(disk, job->root, job->piece_length, offset, offset + job->length))
        world_fail(disk->visitor->world, "%s reads a piece that it has not",
                   disk->visitor->host->name);
    if (content != NULL && bitfield_get(&content->damaged, job->piece)) {
        bitfield_unset(&content->have, job->piece);
        bitfield_unset(&content->damaged, job->piece);
        disk->lost = true;
        return ERR_BAD_HASH;
    }
    job->leaves = mem_alloc((size_t)merkle_blocks(job->length) * HASH_LENGTH);
    merkle_leaves(file->data + offset, job->length, job->leaves);
    return ERR_OK;
}

/* --- rebuilding */

static bool whole(const struct disk *disk, const uint8_t *root, uint32_t piece_length)
{
    return disk_has(disk, root, piece_length, 0, library_find(disk->visitor->world, root)->length);
}

/* Finds what is damaged: then the file is as if it were not. */
static bool find_damage(struct disk *disk, const uint8_t *root)
{
    bool found = false;

    for (struct disk_content *c = disk->contents; c != NULL; c = c->hh.next) {
        if (memcmp(c->key.root, root, HASH_LENGTH) != 0 || c->damaged.count == 0)
            continue;
        for (uint32_t i = 0; i < c->damaged.bits; i++)
            if (bitfield_unset(&c->damaged, i))
                bitfield_unset(&c->have, i);
        found = disk->lost = true;
    }
    return found;
}

static void keep_rebuilt(struct disk *disk, const struct job *job)
{
    struct disk_content *content = make_content(disk, job);

    for (uint32_t i = 0; i < job->have.bits; i++) {
        if (!bitfield_get(&job->have, i))
            continue;
        if (memcmp(
                content_hash(library_find(disk->visitor->world, job->root), job->piece_length, i),
                job->data + (size_t)i * HASH_LENGTH, HASH_LENGTH) != 0)
            world_fail(disk->visitor->world, "%s rebuilds what nobody published",
                       disk->visitor->host->name);
        bitfield_set(&content->have, i);
        bitfield_unset(&content->damaged, i);
    }
    tell_totals(disk);
}

static enum err rebuild(struct disk *disk, struct job *job)
{
    struct world *world = disk->visitor->world;
    enum err err;

    if (!whole(disk, job->old, job->old_piece_length) ||
        !whole(disk, job->patch, job->patch_piece_length))
        return ERR_NOT_FOUND;
    if (find_damage(disk, job->old))
        return ERR_NOT_FOUND;
    if (disk->fail_times > 0) {
        disk->fail_times -= disk->fail_times != UINT32_MAX;
        return disk->fail_with;
    }
    if (!has_room(disk, job))
        return ERR_NO_SPACE;
    disk->rebuild_tries++;
    err = patches_apply(library_find(world, job->old), library_find(world, job->patch),
                        job->file_length, job->piece_length, job->data, &job->have);
    keep_rebuilt(disk, job);
    disk->rebuilt += err == ERR_OK;
    return err;
}

void disk_damage(struct disk *disk, const uint8_t root[HASH_LENGTH], uint32_t piece)
{
    for (struct disk_content *c = disk->contents; c != NULL; c = c->hh.next)
        if (memcmp(c->key.root, root, HASH_LENGTH) == 0)
            bitfield_set(&c->damaged, piece);
}

/* --- operations */

static void tell_lost(struct visitor *visitor, const uint8_t root[HASH_LENGTH])
{
    struct event event = {.kind = EVENT_FILE_LOST};

    event.store.root = root;
    world_trace(visitor->world, "%s < lost", visitor->host->name);
    visitor_step(visitor, &event);
}

static const char *job_name(const struct job *job)
{
    switch (job->kind) {
    case EVENT_PIECE_STORED:
        return "stored";
    case EVENT_CONTENT_LOADED:
        return "content";
    case EVENT_LEAVES_LOADED:
        return "leaves";
    case EVENT_REBUILT:
        return "rebuilt";
    default:
        return "torrent";
    }
}

static void fire_done(struct world *world, uint64_t visitor_number, uint64_t number)
{
    struct visitor *visitor = visitor_find(world, visitor_number);
    struct job *job;
    struct event event;

    HASH_FIND(hh, visitor->disk->jobs, &number, sizeof number, job);
    if (job == NULL)
        return;
    memset(&event, 0, sizeof event);
    event.kind = job->kind;
    event.store.op = job->op;
    if (job->kind == EVENT_PIECE_STORED)
        job->result = write_piece(visitor->disk, job);
    if (job->kind == EVENT_LEAVES_LOADED)
        job->result = read_piece(visitor->disk, job);
    if (job->kind == EVENT_REBUILT)
        job->result = rebuild(visitor->disk, job);
    event.store.result = job->result;
    if (job->leaves != NULL)
        event.store.leaves = span_of(job->leaves, (size_t)merkle_blocks(job->length) * HASH_LENGTH);
    if (job->result == ERR_BAD_HASH && job->data != NULL)
        event.store.data = span_of(job->data, job->length);
    event.store.torrent = span_of(job->torrent.data, job->torrent.length);
    bool rebuilt = job->kind == EVENT_REBUILT && job->have.bits > 0;
    event.store.have = job->kind == EVENT_CONTENT_LOADED || rebuilt ? &job->have : NULL;
    world_trace(world, "%s < %s %s", visitor->host->name, job_name(job), err_name(job->result));
    job_over(visitor->disk, job);
    visitor_step(visitor, &event);
    if (job->kind == EVENT_LEAVES_LOADED && job->result != ERR_OK)
        tell_lost(visitor, job->root);
    if (job->kind == EVENT_REBUILT && job->result == ERR_NOT_FOUND)
        tell_lost(visitor, job->old);
    job_free(job);
}

static struct job *job_new(struct disk *disk, const struct effect *effect, enum event_kind kind)
{
    struct job *job = mem_zalloc(sizeof *job);

    job->number = world_number(disk->visitor->world);
    job->op = effect->store.op;
    job->kind = kind;
    buf_init(&job->torrent, LIMIT_TORRENT);
    HASH_ADD(hh, disk->jobs, number, sizeof job->number, job);
    return job;
}

static void job_start(struct disk *disk, struct job *job, uint64_t bytes)
{
    struct world *world = disk->visitor->world;
    uint64_t at_us = disk->free_us > world->now_us ? disk->free_us : world->now_us;

    disk->free_us = at_us + bytes * 1000000 / disk->rate;
    at_us = disk->free_us + disk->delay_us;
    if (disk->jitter_us > 0)
        at_us += world_below(world, disk->jitter_us);
    world_at(world, at_us, fire_done, disk->visitor->number, job->number);
}

void disk_load_torrent(struct disk *disk, const struct effect *effect)
{
    struct job *job = job_new(disk, effect, EVENT_TORRENT_LOADED);
    struct disk_torrent *torrent;

    if (disk->saves_nothing)
        return;
    HASH_FIND(hh, disk->torrents, effect->store.infohash, HASH_LENGTH, torrent);
    job->result = torrent != NULL ? ERR_OK : ERR_NOT_FOUND;
    if (torrent != NULL)
        buf_put(&job->torrent, torrent->bytes.data, torrent->bytes.length);
    job_start(disk, job, 0);
}

static bool has_piece(const struct disk *disk, const struct metainfo *meta,
                      const struct metainfo_file *file, uint32_t piece)
{
    uint64_t first = (uint64_t)piece * meta->piece_length, end = first + meta->piece_length;
    return disk_has(disk, file->root, meta->piece_length, first,
                    end < file->length ? end : file->length);
}

void disk_load_content(struct disk *disk, const struct effect *effect)
{
    const struct metainfo *meta = effect->store.meta;
    struct job *job = job_new(disk, effect, EVENT_CONTENT_LOADED);

    bitfield_init(&job->have, meta->piece_count);
    for (uint32_t i = 0; i < meta->file_count; i++) {
        const struct metainfo_file *file = &meta->files[i];
        for (uint32_t p = 0; p < file->pieces; p++)
            if (has_piece(disk, meta, file, p))
                bitfield_set(&job->have, file->first_piece + p);
    }
    job_start(disk, job, 0);
}

static struct job *piece_job(struct disk *disk, const struct effect *effect, enum event_kind kind)
{
    struct job *job = job_new(disk, effect, kind);

    job->length = effect->store.length;
    job->piece_length = effect->store.piece_length;
    job->piece = effect->store.piece;
    job->file_length = effect->store.file.length;
    memcpy(job->root, effect->store.file.root, HASH_LENGTH);
    memcpy(job->expected, effect->store.expected, HASH_LENGTH);
    return job;
}

void disk_store_piece(struct disk *disk, struct effect *effect)
{
    struct job *job = piece_job(disk, effect, EVENT_PIECE_STORED);

    job->data = effect->store.data;
    effect->store.data = NULL;
    disk->waiting += job->length;
    disk->waited_most = disk->waiting > disk->waited_most ? disk->waiting : disk->waited_most;
    if (disk->waiting > STORE_MAX)
        world_fail(disk->visitor->world, "%s has %llu bytes waiting for its disk",
                   disk->visitor->host->name, (unsigned long long)disk->waiting);
    job_start(disk, job, job->length);
}

void disk_load_leaves(struct disk *disk, const struct effect *effect)
{
    struct job *job = piece_job(disk, effect, EVENT_LEAVES_LOADED);

    job_start(disk, job, job->length);
}

static uint32_t count_rebuilds(const struct disk *disk)
{
    uint32_t count = 0;

    for (const struct job *job = disk->jobs; job != NULL; job = job->hh.next)
        count += job->kind == EVENT_REBUILT;
    return count;
}

void disk_rebuild(struct disk *disk, struct effect *effect)
{
    struct job *job = job_new(disk, effect, EVENT_REBUILT);
    size_t length;

    job->op = effect->rebuild.op;
    job->file_length = effect->rebuild.file.length;
    job->piece_length = effect->rebuild.piece_length;
    job->old_piece_length = effect->rebuild.old_piece_length;
    job->patch_piece_length = effect->rebuild.patch_piece_length;
    memcpy(job->root, effect->rebuild.file.root, HASH_LENGTH);
    memcpy(job->old, effect->rebuild.old.root, HASH_LENGTH);
    memcpy(job->patch, effect->rebuild.patch.root, HASH_LENGTH);
    job->data = buf_take(&effect->text, &length);
    if (length != effect->rebuild.file.pieces * (size_t)HASH_LENGTH)
        world_fail(disk->visitor->world, "%s rebuilds without all hashes",
                   disk->visitor->host->name);
    uint32_t now = count_rebuilds(disk);
    disk->rebuilding_most = now > disk->rebuilding_most ? now : disk->rebuilding_most;
    job_start(disk, job, job->file_length);
}

/* --- sites and torrents */

void disk_save_torrent(struct disk *disk, const struct effect *effect)
{
    struct disk_torrent *torrent;

    HASH_FIND(hh, disk->torrents, effect->store.infohash, HASH_LENGTH, torrent);
    if (torrent == NULL) {
        torrent = mem_zalloc(sizeof *torrent);
        memcpy(torrent->infohash, effect->store.infohash, HASH_LENGTH);
        buf_init(&torrent->bytes, LIMIT_TORRENT);
        HASH_ADD(hh, disk->torrents, infohash, HASH_LENGTH, torrent);
    }
    buf_clear(&torrent->bytes);
    buf_put(&torrent->bytes, effect->text.data, effect->text.length);
}

static void keep_span(struct buf *buf, struct span *span)
{
    buf_clear(buf);
    buf_put(buf, span->data, span->length);
    *span = span_of(buf->data, buf->length);
}

void disk_save_site(struct disk *disk, const struct effect *effect)
{
    struct disk_site *site;

    if (disk->saves_nothing)
        return;
    HASH_FIND_STR(disk->sites, effect->site.site, site);
    if (site == NULL) {
        site = mem_zalloc(sizeof *site);
        site->site = mem_strdup(effect->site.site);
        buf_init(&site->release, LIMIT_RELEASE);
        buf_init(&site->signature, LIMIT_SIGNATURE);
        HASH_ADD_KEYPTR(hh, disk->sites, site->site, strlen(site->site), site);
    }
    site->record = effect->site;
    site->record.site = site->site;
    keep_span(&site->release, &site->record.release);
    keep_span(&site->signature, &site->record.signature);
}

void disk_save_settings(struct disk *disk, const struct effect *effect)
{
    if (disk->saves_nothing)
        return;
    disk->settings = effect->settings;
    disk->has_settings = true;
}

void disk_know(struct disk *disk, const struct publisher *publisher)
{
    struct effect effect;

    memset(&effect, 0, sizeof effect);
    effect.site = (struct site_record){.site = publisher->site,
                                       .zone = ZONE_DEFAULT,
                                       .has_key = true,
                                       .key = publisher->key,
                                       .seq = publisher->seq};
    effect.site.release = span_of(publisher->json.data, publisher->json.length);
    effect.site.signature = span_of(publisher->signature.data, publisher->signature.length);
    disk_save_site(disk, &effect);
    for (size_t i = 0; i < publisher->bundle_count; i++) {
        char *path = publisher_torrent_path(publisher, i);
        struct resource *resource = server_get(publisher->server, path);
        mem_free(path);
        memset(&effect, 0, sizeof effect);
        memcpy(effect.store.infohash, publisher->bundles[i].infohash, HASH_LENGTH);
        effect.text.data = resource->data; /* borrowed for the call */
        effect.text.length = resource->length;
        disk_save_torrent(disk, &effect);
    }
}

void disk_hold(struct disk *disk, const struct publisher *publisher)
{
    for (size_t i = 0; i < publisher->published_count; i++) {
        const struct published *published = &publisher->published[i];
        struct job job = {.file_length = published->length,
                          .piece_length = published->piece_length};
        if (published->seq != publisher->seq || published->length == 0)
            continue;
        memcpy(job.root, published->root, HASH_LENGTH);
        struct disk_content *content = make_content(disk, &job);
        for (uint32_t piece = 0; piece < content->have.bits; piece++)
            bitfield_set(&content->have, piece);
    }
}

void disk_restore(struct disk *disk)
{
    if (disk->has_settings) {
        struct event event = {.kind = EVENT_SETTINGS};
        event.settings = &disk->settings;
        visitor_step(disk->visitor, &event);
    }
    for (struct disk_site *site = disk->sites; site != NULL; site = site->hh.next) {
        struct event event = {.kind = EVENT_RESTORED};
        event.restored = &site->record;
        visitor_step(disk->visitor, &event);
    }
}
