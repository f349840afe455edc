#include "publisher.h"

#include "base/limits.h"
#include "base/mem.h"
#include "wire/catalog.h"
#include "wire/url.h"

#include <stdio.h>
#include <string.h>

struct content *library_find(struct world *world, const uint8_t root[HASH_LENGTH])
{
    struct content *content;
    HASH_FIND(hh, world->library, root, HASH_LENGTH, content);
    return content;
}

const uint8_t *content_hash(struct content *content, uint32_t piece_length, uint32_t piece)
{
    uint64_t pieces = (content->length + piece_length - 1) / piece_length;

    if (content->hashes_piece_length != piece_length) {
        mem_free(content->hashes);
        content->hashes = mem_alloc((size_t)pieces * HASH_LENGTH);
        content->hashes_piece_length = piece_length;
        for (uint64_t p = 0; p < pieces; p++) {
            uint64_t at = p * piece_length, left = content->length - at;
            merkle_piece(content->data + at, left < piece_length ? (size_t)left : piece_length,
                         content->length, piece_length, content->hashes + p * HASH_LENGTH);
        }
    }
    return content->hashes + (size_t)piece * HASH_LENGTH;
}

struct torrent *library_torrent(struct world *world, const uint8_t infohash[20])
{
    struct torrent *torrent;
    HASH_FIND(hh, world->torrents, infohash, 20, torrent);
    return torrent;
}

static void library_add(struct world *world, const uint8_t *root, const uint8_t *data,
                        uint64_t length)
{
    if (length == 0 || library_find(world, root) != NULL)
        return;
    struct content *content = mem_zalloc(sizeof *content);
    memcpy(content->root, root, HASH_LENGTH);
    content->length = length;
    content->data = mem_dup(data, (size_t)length);
    HASH_ADD(hh, world->library, root, HASH_LENGTH, content);
}

/* --- life */

static void make_key(struct publisher *publisher, uint64_t seed)
{
    uint8_t random[40];
    world_fill(seed, random, sizeof random);
    minisign_keypair(random, &publisher->secret, &publisher->key);
}

static void put_key(struct publisher *publisher)
{
    struct buf text;
    buf_init(&text, KIB(2));
    minisign_key_write(&publisher->key, &text);
    server_put(publisher->server, "/.well-known/fringe/key.pub", text.data, text.length);
    buf_done(&text);
}

void publisher_new_key(struct publisher *publisher, uint64_t seed)
{
    make_key(publisher, seed);
}

struct publisher *publisher_new(struct world *world, const char *site, const struct link *link)
{
    struct publisher *publisher = mem_zalloc(sizeof *publisher);

    publisher->world = world;
    publisher->site = mem_strdup(site);
    publisher->server = server_new(world, site, link != NULL ? link : &LINK_FAST);
    publisher->lifetime_s = 30 * 86400;
    buf_init(&publisher->json, LIMIT_RELEASE + 1);
    buf_init(&publisher->signature, LIMIT_SIGNATURE);
    make_key(publisher, strlen(site));
    publisher_add_bundle(publisher, "/static/", KIB(64));
    publisher->next = world->publishers;
    world->publishers = publisher;
    return publisher;
}

struct publisher *publisher_find(struct world *world, const char *site)
{
    for (struct publisher *p = world->publishers; p != NULL; p = p->next)
        if (strcmp(p->site, site) == 0)
            return p;
    return NULL;
}

static void publisher_free(struct publisher *publisher)
{
    for (size_t b = 0; b < publisher->bundle_count; b++) {
        struct publisher_bundle *bundle = &publisher->bundles[b];
        for (size_t i = 0; i < bundle->count; i++) {
            mem_free(bundle->files[i].path);
            mem_free(bundle->files[i].data);
        }
        mem_free(bundle->files);
        mem_free(bundle->base);
    }
    for (size_t i = 0; i < publisher->published_count; i++)
        mem_free(publisher->published[i].path);
    for (size_t i = 0; i < publisher->tracker_count; i++)
        mem_free(publisher->trackers[i]);
    for (size_t i = 0; i < publisher->supernode_count; i++)
        mem_free(publisher->supernodes[i]);
    mem_free(publisher->published);
    mem_free(publisher->site);
    buf_done(&publisher->json);
    buf_done(&publisher->signature);
    mem_free(publisher);
}

void publishers_free(struct world *world)
{
    while (world->publishers != NULL) {
        struct publisher *publisher = world->publishers;
        world->publishers = publisher->next;
        publisher_free(publisher);
    }
    struct content *content, *next_content;
    HASH_ITER(hh, world->library, content, next_content)
    {
        HASH_DEL(world->library, content);
        mem_free(content->data);
        mem_free(content->hashes);
        mem_free(content);
    }
    struct torrent *torrent, *next_torrent;
    HASH_ITER(hh, world->torrents, torrent, next_torrent)
    {
        HASH_DEL(world->torrents, torrent);
        metainfo_free(torrent->meta);
        mem_free(torrent);
    }
}

/* --- files */

size_t publisher_add_bundle(struct publisher *publisher, const char *base, uint32_t piece_length)
{
    struct publisher_bundle *bundle = &publisher->bundles[publisher->bundle_count];
    bundle->base = mem_strdup(base);
    bundle->piece_length = piece_length;
    return publisher->bundle_count++;
}

struct publisher_file *publisher_file(struct publisher_bundle *bundle, const char *path)
{
    for (size_t i = 0; i < bundle->count; i++)
        if (strcmp(bundle->files[i].path, path) == 0)
            return &bundle->files[i];
    if (bundle->count == bundle->capacity) {
        bundle->capacity = bundle->capacity > 0 ? 2 * bundle->capacity : 16;
        bundle->files = mem_realloc(bundle->files, bundle->capacity * sizeof *bundle->files);
    }
    struct publisher_file *file = &bundle->files[bundle->count++];
    *file = (struct publisher_file){.path = mem_strdup(path)};
    return file;
}

void publisher_add(struct publisher *publisher, size_t bundle, const char *path, uint64_t length,
                   uint64_t content_seed)
{
    struct publisher_file *file = publisher_file(&publisher->bundles[bundle], path);

    mem_free(file->data);
    file->length = length;
    file->data = mem_alloc(length > 0 ? (size_t)length : 1);
    world_fill(content_seed * 31 + length, file->data, (size_t)length);
}

/* --- publishing */

void publisher_hash(const struct publisher_file *file, uint32_t piece_length,
                    struct metainfo_entry *ret)
{
    uint32_t pieces = (uint32_t)((file->length + piece_length - 1) / piece_length);
    uint8_t *layer = pieces > 1 ? mem_alloc((size_t)pieces * HASH_LENGTH) : NULL;

    *ret = (struct metainfo_entry){.path = file->path, .length = file->length, .layer = layer};
    for (uint32_t p = 0; p < pieces; p++) {
        uint64_t at = (uint64_t)p * piece_length, left = file->length - at;
        merkle_piece(file->data + at, left < piece_length ? (size_t)left : piece_length,
                     file->length, piece_length,
                     pieces > 1 ? layer + (size_t)p * HASH_LENGTH : ret->root);
    }
    if (pieces > 1)
        merkle_file_root(layer, pieces, piece_length, ret->root);
}

static void remember(struct publisher *publisher, const struct publisher_bundle *bundle,
                     const struct publisher_file *file, const struct metainfo_entry *entry)
{
    if (publisher->published_count == publisher->published_capacity) {
        publisher->published_capacity = 2 * publisher->published_capacity + 16;
        publisher->published = mem_realloc(publisher->published, publisher->published_capacity *
                                                                     sizeof *publisher->published);
    }
    struct published *published = &publisher->published[publisher->published_count++];
    *published = (struct published){.seq = publisher->seq,
                                    .path = mem_printf("%s%s", bundle->base, file->path),
                                    .length = file->length,
                                    .piece_length = bundle->piece_length};
    memcpy(published->root, entry->root, HASH_LENGTH);
    library_add(publisher->world, entry->root, file->data, file->length);

    struct buf url;
    buf_init(&url, LIMIT_URL);
    path_encode(published->path, &url);
    buf_put_u8(&url, 0);
    server_put(publisher->server, (char *)url.data, file->data, (size_t)file->length);
    buf_done(&url);
}

char *publisher_torrent_path(const struct publisher *publisher, size_t bundle)
{
    char hex[HEX_LENGTH(HASH_LENGTH)];
    hex_encode(hex, publisher->bundles[bundle].infohash, HASH_LENGTH);
    return mem_printf("/.well-known/fringe/%s.torrent", hex);
}

static void put_torrent(struct publisher *publisher, size_t number, const struct buf *bytes)
{
    struct publisher_bundle *bundle = &publisher->bundles[number];
    char *path = publisher_torrent_path(publisher, number);

    server_put(publisher->server, path, bytes->data, bytes->length);
    mem_free(path);
    if (library_torrent(publisher->world, bundle->infohash) != NULL)
        return;
    struct torrent *torrent = mem_zalloc(sizeof *torrent);
    memcpy(torrent->key, bundle->infohash, sizeof torrent->key);
    torrent->publisher = publisher;
    if (metainfo_parse(bytes->data, bytes->length, &torrent->meta) != ERR_OK)
        world_fail(publisher->world, "the publisher's own torrent does not parse");
    HASH_ADD(hh, publisher->world->torrents, key, sizeof torrent->key, torrent);
}

/* "/a/static/" -> "static" and "https://site/a/" */
static void make_torrent(struct publisher *publisher, size_t number,
                         const struct metainfo_entry *entries)
{
    struct publisher_bundle *bundle = &publisher->bundles[number];
    char *base = mem_strndup(bundle->base, strlen(bundle->base) - 1);
    char *name = strrchr(base, '/') + 1;
    char *seed = mem_printf("%s%.*s", publisher->site, (int)(name - base), base);
    struct buf bytes;

    buf_init(&bytes, LIMIT_TORRENT);
    enum err err =
        metainfo_write(name, bundle->piece_length, entries, bundle->count,
                       (const char *const *)publisher->trackers, publisher->tracker_count,
                       (const char *const *)&seed, 1, &bytes, bundle->infohash);
    if (err != ERR_OK)
        world_fail(publisher->world, "metainfo_write: %s", err_name(err));
    put_torrent(publisher, number, &bytes);
    buf_done(&bytes);
    mem_free(seed);
    mem_free(base);
}

static void publish_bundle(struct publisher *publisher, size_t number)
{
    struct publisher_bundle *bundle = &publisher->bundles[number];
    struct metainfo_entry *entries = mem_calloc(bundle->count, sizeof *entries);

    for (size_t i = 0; i < bundle->count; i++) {
        publisher_hash(&bundle->files[i], bundle->piece_length, &entries[i]);
        remember(publisher, bundle, &bundle->files[i], &entries[i]);
    }
    make_torrent(publisher, number, entries);
    for (size_t i = 0; i < bundle->count; i++)
        mem_free((void *)entries[i].layer);
    mem_free(entries);
}

static void describe(const struct publisher_bundle *bundle, struct release_bundle *ret)
{
    *ret = (struct release_bundle){
        .base = bundle->base, .files = bundle->count, .piece_length = bundle->piece_length};
    memcpy(ret->infohash, bundle->infohash, HASH_LENGTH);
    for (size_t i = 0; i < bundle->count; i++)
        ret->bytes += bundle->files[i].length;
}

static bool put_page(void *user, const uint8_t hash[HASH_LENGTH], struct span page)
{
    struct publisher *publisher = user;
    char hex[HEX_LENGTH(HASH_LENGTH)];

    hex_encode(hex, hash, HASH_LENGTH);
    char *path = mem_printf("/.well-known/fringe/%s.catalog", hex);
    server_put(publisher->server, path, page.data, page.length);
    mem_free(path);
    return true;
}

/* Of the bundles that the release does not list. */
static void publish_catalog(struct publisher *publisher, const struct release_bundle *bundles,
                            struct release_catalog *ret)
{
    size_t listed = publisher->listed, count = publisher->bundle_count - listed;
    struct catalog_entry entries[PUBLISHER_BUNDLES];
    struct catalog_expect index;

    ret->base = bundles[listed].base;
    for (size_t i = 0; i < count; i++) {
        const struct release_bundle *bundle = &bundles[listed + i];
        entries[i] = (struct catalog_entry){.first = publisher->bundles[listed + i].files[0].path,
                                            .bytes = bundle->bytes,
                                            .files = (uint32_t)bundle->files,
                                            .piece_length = bundle->piece_length};
        memcpy(entries[i].hash, bundle->infohash, HASH_LENGTH);
        ret->files += bundle->files;
    }
    enum err err = catalog_write(entries, count, put_page, publisher, &index);
    if (err != ERR_OK)
        world_fail(publisher->world, "catalog_write: %s", err_name(err));
    memcpy(ret->sha256, index.hash, HASH_LENGTH);
    ret->bytes = (uint32_t)index.bytes;
}

static uint64_t wall_s(const struct world *world)
{
    return WORLD_WALL_S + world_elapsed_us(world) / 1000000;
}

void publisher_add_supernode(struct publisher *publisher, const char *scheme,
                             const struct host *host)
{
    char address[ADDRESS_TEXT];

    address_format(&host->address, address);
    publisher->supernodes[publisher->supernode_count++] = mem_printf("%s://%s", scheme, address);
}

void publisher_publish(struct publisher *publisher)
{
    struct release_bundle bundles[PUBLISHER_BUNDLES];
    struct reason reason;
    char version[] = "sim", peers[] = "peers", supernodes[] = "supernode-only";

    publisher->seq++;
    for (size_t i = 0; i < publisher->bundle_count; i++) {
        publish_bundle(publisher, i);
        describe(&publisher->bundles[i], &bundles[i]);
    }
    struct release release = {.site = publisher->site,
                              .version = version,
                              .sharing = publisher->supernodes_only ? supernodes : peers,
                              .next_key = (char *)publisher->next_key,
                              .seq = publisher->seq,
                              .issued = wall_s(publisher->world),
                              .expires = wall_s(publisher->world) + publisher->lifetime_s,
                              .bundle_count = publisher->bundle_count,
                              .bundles = bundles,
                              .trackers = publisher->trackers,
                              .tracker_count = publisher->tracker_count,
                              .supernodes = publisher->supernodes,
                              .supernode_count = publisher->supernode_count};
    if (publisher->listed < publisher->bundle_count && publisher->has_catalog) {
        publish_catalog(publisher, bundles, &release.catalog);
        release.bundle_count = publisher->listed;
    }
    buf_clear(&publisher->json);
    enum err err = release_write(&release, &publisher->json, &reason);
    if (err != ERR_OK)
        world_fail(publisher->world, "release_write: %s", reason.text);
    put_key(publisher);
    publisher_put_release(publisher, (char *)publisher->json.data, publisher->json.length,
                          publisher->site, release.seq, release.expires);
    world_trace(publisher->world, "%s publishes %llu", publisher->site,
                (unsigned long long)publisher->seq);
}

void publisher_put_release(struct publisher *publisher, const char *json, size_t length,
                           const char *comment_site, uint64_t seq, uint64_t expires)
{
    uint8_t hash[HASH_LENGTH];
    char hex[HEX_LENGTH(HASH_LENGTH)];

    sha256(json, length, hash);
    hex_encode(hex, hash, HASH_LENGTH);
    char *comment = mem_printf("fringe=1 site=%s seq=%llu expires=%llu sha256=%s", comment_site,
                               (unsigned long long)seq, (unsigned long long)expires, hex);
    buf_clear(&publisher->signature);
    minisign_sign(&publisher->secret, json, length, comment, &publisher->signature);
    server_put(publisher->server, "/.well-known/fringe/release.json", json, length);
    server_put(publisher->server, "/.well-known/fringe/release.json.minisig",
               publisher->signature.data, publisher->signature.length);
    mem_free(comment);
}

const struct published *publisher_lookup(const struct publisher *publisher, uint64_t seq,
                                         const char *path)
{
    char raw[LIMIT_PATH + 1];

    if (path_decode(path, strlen(path), raw) != ERR_OK)
        return NULL;
    for (size_t i = publisher->published_count; i-- > 0;)
        if (publisher->published[i].seq == seq && strcmp(publisher->published[i].path, raw) == 0)
            return &publisher->published[i];
    return NULL;
}
