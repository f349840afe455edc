/* The release before and the one to come. Publishing again for another base keeps the other
 * bundles of the release before; everything else stands as this command line says. */
#include "app/cmd.h"
#include "app/key_file.h"
#include "app/publish.h"
#include "base/mem.h"
#include "wire/delta.h"
#include "wire/release_rules.h"
#include "wire/url.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_S 86400

uint32_t publish_piece_length(uint64_t bytes)
{
    uint32_t length = KIB(64);
    while (length < LIMIT_PIECE_LENGTH && bytes / length >= 1u << 17)
        length *= 2;
    return length;
}

char *publish_read_site(const char *text)
{
    char *site = NULL, *path = NULL;
    if (url_split(text, &site, &path) != ERR_OK || strcmp(path, "/") != 0) {
        cmd_fail("--site %s: write it as https://game.example (plain http only for localhost)",
                 text);
        mem_free(site);
        site = NULL;
    }
    mem_free(path);
    return site;
}

static char *well_known(const struct publish_options *options, const char *name)
{
    return mem_printf("%s/.well-known/fringe/%s", options->out, name);
}

/* --- the release before */

static bool load_before(const struct publish_options *options, struct publish_plan *plan)
{
    struct buf file;
    struct reason reason;
    char *path = well_known(options, "release.json");
    bool good = true;
    if (access(path, F_OK) == 0) {
        good = file_read(path, LIMIT_RELEASE, &file);
        if (good && release_parse(file.data, file.length, &plan->before, &reason) != ERR_OK) {
            cmd_fail("%s is damaged (%s): put the last good one back, or move it away", path,
                     reason.text);
            good = false;
        } else if (good && strcmp(plan->before->site, options->site) != 0) {
            cmd_fail("%s is a release of %s, not of %s: give another --out or --site", path,
                     plan->before->site, options->site);
            good = false;
        }
        buf_done(&file);
    }
    mem_free(path);
    return good;
}

/* Hosts pin the first key that they see: another one stops sharing until the site has announced
 * it with --next-key. */
static bool key_ok(const struct publish_options *options, const struct publish_plan *plan)
{
    struct buf file;
    struct minisign_key old;
    char text[57];
    char *path = well_known(options, "key.pub");
    bool good = true;
    minisign_key_base64(&plan->key, text);
    if (plan->before != NULL && !options->new_key && access(path, F_OK) == 0 &&
        (plan->before->next_key == NULL || strcmp(plan->before->next_key, text) != 0)) {
        good = file_read(path, LIMIT_PUBLIC_KEY, &file);
        if (good && (minisign_key_parse(file.data, file.length, &old) != ERR_OK ||
                     memcmp(&old, &plan->key, sizeof old) != 0))
            good = cmd_fail("the release before was signed with the key in %s, and %s is another: "
                            "visitors' hosts would stop sharing. Sign with the old key and "
                            "--next-key first, or say --new-key",
                            path, options->key) == CMD_OK;
        buf_done(&file);
    }
    mem_free(path);
    return good;
}

static bool read_public_key(const char *path, struct minisign_key *ret)
{
    struct buf file;
    bool good = file_read(path, LIMIT_PUBLIC_KEY, &file);
    if (good && minisign_key_parse(file.data, file.length, ret) != ERR_OK)
        good = cmd_fail("%s is not a minisign public key: the one that `fringe keygen` or "
                        "`minisign -G` wrote as .pub is wanted here",
                        path) == CMD_OK;
    buf_done(&file);
    return good;
}

/* With a key on another machine its public half may be here. */
static bool load_key(const struct publish_options *options, const struct minisign_secret *secret,
                     struct publish_plan *plan)
{
    plan->has_key = options->key != NULL;
    if (secret != NULL)
        minisign_secret_public(secret, &plan->key);
    return secret != NULL || !plan->has_key || read_public_key(options->key, &plan->key);
}

static bool load_next_key(const struct publish_options *options, struct publish_plan *plan)
{
    struct minisign_key next;
    if (options->next_key_file == NULL)
        return true;
    if (!read_public_key(options->next_key_file, &next))
        return false;
    if (plan->has_key && memcmp(&next, &plan->key, sizeof next) == 0)
        return cmd_fail("--next-key %s is the key that signs this release: give the public key "
                        "of the new pair",
                        options->next_key_file) == CMD_OK;
    minisign_key_base64(&next, plan->next_key);
    return true;
}

/* --- bundles that stay */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

struct metainfo *publish_read_torrent(const struct publish_options *options,
                                      const struct release_bundle *bundle)
{
    struct buf file;
    struct metainfo *meta = NULL;
    char hex[HEX_LENGTH(HASH_LENGTH)];
    hex_encode(hex, bundle->infohash, HASH_LENGTH);
    char *name = mem_printf("%s.torrent", hex), *path = well_known(options, name);
    if (access(path, R_OK) == 0 && file_read(path, LIMIT_TORRENT, &file)) {
        if (metainfo_parse(file.data, file.length, &meta) == ERR_OK &&
            memcmp(meta->infohash, bundle->infohash, HASH_LENGTH) != 0) {
            metainfo_free(meta);
            meta = NULL;
        }
        buf_done(&file);
    }
    mem_free(name);
    mem_free(path);
    return meta;
}

static struct metainfo *load_torrent(const struct publish_options *options,
                                     const struct release_bundle *bundle)
{
    char hex[HEX_LENGTH(HASH_LENGTH)];
    struct metainfo *meta = publish_read_torrent(options, bundle);
    hex_encode(hex, bundle->infohash, HASH_LENGTH);
    if (meta == NULL)
        cmd_fail("the bundle %s of the release before cannot be kept: %s/.well-known/fringe/%s"
                 ".torrent is missing or damaged. Put it back, or say --only to forget the other "
                 "bundles",
                 bundle->base, options->out, hex);
    return meta;
}

static bool two_files(const char *base, const char *path, const char *other)
{
    cmd_fail("two files would have the URL %s%s: one in this folder, one in the bundle %s of the "
             "release before. Take it out of one of them, or say --only to forget the other "
             "bundles",
             base, path, other);
    return false;
}

/* One base inside the other: the inner one may not hold a URL that the outer one has as well. */
static bool no_overlap(const struct publish_options *options, const struct publish_files *files,
                       const struct release_bundle *kept)
{
    bool good = true;
    struct metainfo *meta = load_torrent(options, kept);
    if (meta == NULL)
        return false;
    if (starts_with(kept->base, options->base)) {
        const char *inner = kept->base + strlen(options->base);
        for (size_t i = 0; good && i < files->count; i++) {
            const char *path = files->items[i].path;
            if (starts_with(path, inner) &&
                metainfo_find_path(meta, path + strlen(inner), strlen(path + strlen(inner))) !=
                    UINT32_MAX)
                good = two_files(options->base, path, kept->base);
        }
    } else if (starts_with(options->base, kept->base)) {
        const char *inner = options->base + strlen(kept->base);
        for (size_t i = 0; good && i < files->count; i++) {
            char *path = mem_printf("%s%s", inner, files->items[i].path);
            if (metainfo_find_path(meta, path, strlen(path)) != UINT32_MAX)
                good = two_files(options->base, files->items[i].path, kept->base);
            mem_free(path);
        }
    }
    metainfo_free(meta);
    return good;
}

/* The catalog of another base stays, if it can. */
static bool choose_catalog(const struct publish_options *options, struct publish_plan *plan)
{
    const struct release *before = plan->before;
    const char *base = before != NULL && !options->only ? before->catalog.base : NULL;
    bool large = plan->catalog.slice_count > 0;

    if (base != NULL && strcmp(base, options->base) != 0) {
        if (large || starts_with(base, options->base) || starts_with(options->base, base))
            return cmd_fail("%s of the release before has very many files, and %s cannot be beside "
                            "it: publish a folder that holds both, or say --only to forget %s",
                            base, options->base, base) == CMD_OK;
        plan->release.catalog = before->catalog;
    }
    if (large)
        plan->release.catalog = (struct release_catalog){.base = options->base};
    return true;
}

static bool choose_bundles(const struct publish_options *options, const struct publish_files *files,
                           struct publish_plan *plan)
{
    size_t before = plan->before != NULL ? plan->before->bundle_count : 0;
    struct release *release = &plan->release;
    release->bundles = mem_calloc(before + 2, sizeof *release->bundles);
    if (options->base == NULL)
        return true;
    if (!choose_catalog(options, plan))
        return false;
    for (size_t i = 0; i < before; i++) {
        const struct release_bundle *kept = &plan->before->bundles[i];
        if (strcmp(kept->base, options->base) == 0)
            plan->own_before = publish_read_torrent(options, kept);
        bool patches = strcmp(kept->base, DELTA_BASE) == 0;
        if (patches)
            plan->patches_before = publish_read_torrent(options, kept);
        if (options->only || patches || strcmp(kept->base, options->base) == 0)
            continue;
        if (!no_overlap(options, files, kept))
            return false;
        release->bundles[release->bundle_count++] = *kept;
    }
    if (release->bundle_count == LIMIT_BUNDLES && plan->catalog.slice_count == 0) {
        cmd_fail("a release has at most %d bundles: publish a larger folder instead",
                 LIMIT_BUNDLES);
        return false;
    }
    plan->own = release->bundle_count;
    if (plan->catalog.slice_count > 0)
        return true;
    release->bundle_count++;
    release->bundles[plan->own] = (struct release_bundle){.base = options->base};
    return true;
}

/* --- the new release */

/* Numbers are never given twice, even where an older release.json has been put back. */
static uint64_t last_number(const struct publish_plan *plan)
{
    const struct publish_past *past = &plan->past;
    uint64_t last = plan->before != NULL ? plan->before->seq : 0;
    uint64_t known = past->count > 0 ? past->releases[past->count - 1].seq : 0;
    return known > last ? known : last;
}

static void fill_release(const struct publish_options *options, struct publish_plan *plan)
{
    struct release *release = &plan->release;
    release->site = (char *)options->site;
    release->version = (char *)(options->version != NULL ? options->version : "");
    release->sharing = (char *)(options->sharing != NULL ? options->sharing : "peers");
    release->next_key = plan->next_key[0] != '\0' ? plan->next_key : NULL;
    release->seq = last_number(plan) + 1;
    release->issued = (uint64_t)time(NULL);
    release->expires = release->issued + options->expires_days * DAY_S;
    release->types = (struct release_pair *)options->types;
    release->type_count = options->type_count;
    release->headers = (struct release_pair *)options->headers;
    release->header_count = options->header_count;
    release->trackers = (char **)options->trackers;
    release->tracker_count = options->tracker_count;
    release->supernodes = (char **)options->supernodes;
    release->supernode_count = options->supernode_count;
}

/* With a stand-in for the bundle of which only the hash is missing: what release_write refuses
 * is told before the hashing, not after. */
static bool rehearse(const struct publish_files *files, struct publish_plan *plan)
{
    struct buf text;
    struct reason reason;
    if (plan->catalog.slice_count > 0) {
        plan->release.catalog.bytes = LIMIT_CATALOG_PAGE;
        plan->release.catalog.files = files->count;
    } else if (plan->release.bundle_count > 0) {
        struct release_bundle *own = &plan->release.bundles[plan->own];
        memset(own->infohash, 0xff, HASH_LENGTH);
        own->files = files->count;
        own->bytes = files->bytes;
        own->piece_length = publish_piece_length(files->bytes);
    }
    buf_init(&text, LIMIT_RELEASE);
    enum err err = release_write(&plan->release, &text, &reason);
    buf_done(&text);
    if (err != ERR_OK)
        cmd_fail("the release would not be accepted: %s", reason.text);
    return err == ERR_OK;
}

bool publish_plan_check(const struct publish_options *options, const struct publish_files *files,
                        const struct minisign_secret *secret, struct publish_plan *plan)
{
    buf_init(&plan->torrent, LIMIT_TORRENT);
    buf_init(&plan->patch_torrent, LIMIT_TORRENT);
    buf_init(&plan->json, LIMIT_RELEASE);
    buf_init(&plan->signature, LIMIT_SIGNATURE);
    if (!load_before(options, plan) || !load_key(options, secret, plan) ||
        (plan->has_key && !key_ok(options, plan)) || !load_next_key(options, plan) ||
        !choose_bundles(options, files, plan))
        return false;
    publish_past_load(options, plan);
    fill_release(options, plan);
    return rehearse(files, plan);
}

/* "/a/static/" -> name "static", web seed "https://site/a/". Appends to torrent. */
bool publish_torrent(const struct publish_options *options, const struct publish_files *files,
                     uint32_t piece_length, struct release_bundle *bundle, struct buf *torrent)
{
    char *base = mem_strndup(bundle->base, strlen(bundle->base) - 1);
    char *slash = strrchr(base, '/');
    char *seed = mem_printf("%s%.*s/", options->site, (int)(slash - base), base);
    const char *seeds[] = {seed};
    struct metainfo_entry *entries = mem_calloc(files->count, sizeof *entries);
    for (size_t i = 0; i < files->count; i++) {
        entries[i].path = files->items[i].path;
        entries[i].length = (uint64_t)files->items[i].info.st_size;
        entries[i].layer = files->items[i].layer;
        memcpy(entries[i].root, files->items[i].root, HASH_LENGTH);
    }
    enum err err = metainfo_write(slash + 1, piece_length, entries, files->count, options->trackers,
                                  options->tracker_count, seeds, 1, torrent, bundle->infohash);
    if (err == ERR_OK && torrent->failed)
        err = ERR_TOO_LARGE;
    if (err != ERR_OK)
        cmd_fail("the torrent cannot be made: %s", err_text(err));
    mem_free(entries);
    mem_free(seed);
    mem_free(base);
    return err == ERR_OK;
}

static bool add_patches(const struct publish_options *options, struct publish_plan *plan)
{
    const struct publish_files *patches = &plan->patches;
    if (patches->count == 0)
        return true;
    if (plan->release.bundle_count == LIMIT_BUNDLES)
        return cmd_fail("a release has at most %d bundles, and patches would be one more: publish "
                        "a larger folder, or without --previous",
                        LIMIT_BUNDLES) == CMD_OK;
    struct release_bundle *bundle = &plan->release.bundles[plan->release.bundle_count++];
    *bundle = (struct release_bundle){.base = (char *)DELTA_BASE,
                                      .files = patches->count,
                                      .bytes = patches->bytes,
                                      .piece_length = plan->patch_piece_length};
    return publish_torrent(options, patches, bundle->piece_length, bundle, &plan->patch_torrent);
}

static bool check_distinct(const struct publish_plan *plan)
{
    const struct release_bundle *bundles = plan->release.bundles;
    for (size_t i = 0; i < plan->own; i++) {
        if (memcmp(bundles[i].infohash, bundles[plan->own].infohash, HASH_LENGTH) == 0) {
            cmd_fail("%s and %s hold exactly the same files: publish one of them, and let the "
                     "pages use that",
                     bundles[i].base, bundles[plan->own].base);
            return false;
        }
    }
    return true;
}

static void sign(const struct minisign_secret *secret, struct publish_plan *plan)
{
    struct buf comment;
    uint8_t hash[HASH_LENGTH];
    sha256(plan->json.data, plan->json.length, hash);
    buf_init(&comment, LIMIT_SIGNATURE);
    release_comment_format(&plan->release, hash, &comment);
    buf_put_u8(&comment, 0);
    minisign_sign(secret, plan->json.data, plan->json.length, (char *)comment.data,
                  &plan->signature);
    buf_done(&comment);
}

static bool build_bundles(const struct publish_options *options, const struct publish_files *files,
                          uint32_t piece_length, struct publish_plan *plan)
{
    if (plan->catalog.slice_count > 0)
        return publish_catalog_build(options, files, piece_length, plan);
    return publish_torrent(options, files, piece_length, &plan->release.bundles[plan->own],
                           &plan->torrent) &&
           check_distinct(plan) && add_patches(options, plan);
}

bool publish_plan_build(const struct publish_options *options, const struct publish_files *files,
                        uint32_t piece_length, const struct minisign_secret *secret,
                        struct publish_plan *plan)
{
    struct reason reason;
    if (options->base != NULL && !build_bundles(options, files, piece_length, plan))
        return false;
    if (release_write(&plan->release, &plan->json, &reason) != ERR_OK) {
        cmd_fail("the release cannot be made: %s", reason.text);
        return false;
    }
    if (secret != NULL)
        sign(secret, plan);
    publish_past_add(options, plan);
    return true;
}

void publish_plan_done(struct publish_plan *plan)
{
    publish_past_done(&plan->past);
    publish_catalog_done(&plan->catalog);
    metainfo_free(plan->own_before);
    metainfo_free(plan->patches_before);
    publish_files_done(&plan->patches);
    buf_done(&plan->patch_torrent);
    release_free(plan->before);
    mem_free(plan->release.bundles);
    buf_done(&plan->torrent);
    buf_done(&plan->json);
    buf_done(&plan->signature);
}
