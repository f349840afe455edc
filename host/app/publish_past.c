/* Which files belong to the last releases. A visitor may hold a page of the release before and
 * still need its torrents; those of older ones go. Only files that a release of ours named are
 * ever removed. */
#include "app/cmd.h"
#include "app/key_file.h"
#include "app/publish.h"
#include "app/write_file.h"
#include "base/mem.h"
#include "wire/delta.h"
#include "wire/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HISTORY_MAX MIB(16)

static char *history_path(const struct publish_options *options)
{
    return mem_printf("%s/.well-known/fringe/history.json", options->out);
}

/* --- lists of names */

#define PATCH "delta/"

/* "<64 hex>.torrent", a page of a catalog or a patch: whatever history.json says, nothing else is
 * removed. */
static bool name_ok(const char *name)
{
    uint8_t hash[HASH_LENGTH];
    uint8_t mark[DELTA_MARK], old[DELTA_MARK];
    const char *dot = strchr(name, '.');
    if (strncmp(name, PATCH, strlen(PATCH)) == 0)
        return delta_name_parse(name + strlen(PATCH), mark, old);
    return dot != NULL && hex_decode(hash, sizeof hash, name, (size_t)(dot - name)) &&
           (strcmp(dot, ".torrent") == 0 || strcmp(dot, ".catalog") == 0);
}

static bool has_name(const struct publish_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0)
            return true;
    }
    return false;
}

static void add_name(struct publish_names *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity > 0 ? 2 * names->capacity : 8;
        names->items = mem_realloc(names->items, names->capacity * sizeof *names->items);
    }
    names->items[names->count++] = mem_strdup(name);
}

static void free_names(struct publish_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->items[i]);
    mem_free(names->items);
    *names = (struct publish_names){0};
}

/* --- reading */

static struct publish_past_release *add_release(struct publish_past *past, uint64_t seq)
{
    past->releases = mem_realloc(past->releases, (past->count + 1) * sizeof *past->releases);
    past->releases[past->count] = (struct publish_past_release){.seq = seq};
    return &past->releases[past->count++];
}

static void add_torrent(struct publish_names *names, const uint8_t infohash[HASH_LENGTH])
{
    char name[HEX_LENGTH(HASH_LENGTH) + sizeof ".torrent"], hex[HEX_LENGTH(HASH_LENGTH)];

    hex_encode(hex, infohash, HASH_LENGTH);
    snprintf(name, sizeof name, "%s.torrent", hex);
    add_name(names, name);
}

static void add_bundles(struct publish_past *past, const struct release *release)
{
    struct publish_past_release *entry = add_release(past, release->seq);
    for (size_t i = 0; i < release->bundle_count; i++)
        add_torrent(&entry->files, release->bundles[i].infohash);
}

/* Of the newest release; one that stays as it was has what the release before had. */
static void add_catalog(struct publish_past *past, const struct publish_plan *plan)
{
    struct publish_names *files = &past->releases[past->count - 1].files;
    const struct publish_catalog *catalog = &plan->catalog;

    for (size_t i = 0; i < catalog->slice_count; i++)
        add_torrent(files, catalog->slices[i].bundle.infohash);
    for (size_t i = 0; i < catalog->page_count; i++)
        add_name(files, catalog->pages[i].name);
    if (catalog->slice_count > 0 || plan->release.catalog.base == NULL || past->count < 2)
        return;
    const struct publish_names *before = &past->releases[past->count - 2].files;
    for (size_t i = 0; i < before->count; i++)
        if (strchr(before->items[i], '/') == NULL && !has_name(files, before->items[i]))
            add_name(files, before->items[i]);
}

/* Of the newest release. */
static void add_patches(struct publish_past *past, const struct publish_files *patches)
{
    for (size_t i = 0; i < patches->count; i++) {
        char *name = mem_printf(PATCH "%s", patches->items[i].path);
        add_name(&past->releases[past->count - 1].files, name);
        mem_free(name);
    }
}

static bool read_release(const json_t *object, struct publish_past *past)
{
    const json_t *files = json_object_get(object, "files");
    const char *name;
    uint64_t seq;
    if (json_get_integer(object, "seq", 1, JSON_INTEGER_MAX, &seq) != ERR_OK ||
        !json_is_array(files) || (past->count > 0 && seq <= past->releases[past->count - 1].seq))
        return false;
    struct publish_past_release *entry = add_release(past, seq);
    for (size_t i = 0; i < json_array_size(files); i++) {
        if (json_text_of(json_array_get(files, i), LIMIT_PATH, &name) != ERR_OK || !name_ok(name))
            return false;
        add_name(&entry->files, name);
    }
    return true;
}

static bool read_history(const struct buf *file, struct publish_past *past)
{
    json_t *root = NULL;
    if (json_load_object(file->data, file->length, &root) != ERR_OK)
        return false;
    const json_t *releases = json_object_get(root, "releases");
    bool good = json_is_array(releases);
    for (size_t i = 0; good && i < json_array_size(releases); i++)
        good = read_release(json_array_get(releases, i), past);
    json_decref(root);
    return good;
}

void publish_past_load(const struct publish_options *options, struct publish_plan *plan)
{
    struct buf file = {0};
    struct publish_past *past = &plan->past;
    const struct release *before = plan->before;
    char *path = history_path(options);
    if (access(path, F_OK) == 0 &&
        (!file_read(path, HISTORY_MAX, &file) || !read_history(&file, past))) {
        cmd_warn("%s is damaged and is begun anew: torrents of older releases stay where they are",
                 path);
        publish_past_done(past);
    }
    if (before != NULL && (past->count == 0 || past->releases[past->count - 1].seq < before->seq))
        add_bundles(past, before);
    buf_done(&file);
    mem_free(path);
}

/* --- the new release */

static bool is_kept(const struct publish_past *past, size_t first, const char *name)
{
    for (size_t i = first; i < past->count; i++) {
        if (has_name(&past->releases[i].files, name))
            return true;
    }
    return false;
}

void publish_past_add(const struct publish_options *options, struct publish_plan *plan)
{
    struct publish_past *past = &plan->past;
    add_bundles(past, &plan->release);
    add_catalog(past, plan);
    add_patches(past, &plan->patches);
    size_t first = past->count > options->keep ? past->count - (size_t)options->keep : 0;
    for (size_t i = 0; i < first; i++) {
        const struct publish_names *files = &past->releases[i].files;
        for (size_t k = 0; k < files->count; k++) {
            if (!is_kept(past, first, files->items[k]) && !has_name(&past->old, files->items[k]))
                add_name(&past->old, files->items[k]);
        }
    }
}

static void put_release(struct buf *out, const struct publish_past_release *release)
{
    buf_printf(out, "    {\"seq\": %llu, \"files\": [", (unsigned long long)release->seq);
    for (size_t i = 0; i < release->files.count; i++)
        buf_printf(out, "%s\n      \"%s\"", i > 0 ? "," : "", release->files.items[i]);
    buf_put_text(out, "]}");
}

void publish_past_write(const struct publish_past *past, struct buf *out)
{
    buf_put_text(out, "{\n  \"releases\": [\n");
    for (size_t i = 0; i < past->count; i++) {
        put_release(out, &past->releases[i]);
        buf_put_text(out, i + 1 < past->count ? ",\n" : "\n");
    }
    buf_put_text(out, "  ]\n}\n");
}

/* The releases whose files are gone are forgotten. */
static void forget(const struct publish_options *options, struct publish_past *past)
{
    size_t first = past->count > options->keep ? past->count - (size_t)options->keep : 0;
    for (size_t i = 0; i < first; i++)
        free_names(&past->releases[i].files);
    past->count -= first;
    memmove(past->releases, past->releases + first, past->count * sizeof *past->releases);
}

void publish_remove_old(const struct publish_options *options, struct publish_plan *plan)
{
    struct buf text;
    bool all = true;
    for (size_t i = 0; i < plan->past.old.count; i++) {
        char *path = mem_printf("%s/.well-known/fringe/%s", options->out, plan->past.old.items[i]);
        if (unlink(path) != 0 && errno != ENOENT) {
            cmd_warn("cannot remove %s: %s; the next `fringe publish` tries again", path,
                     strerror(errno));
            all = false;
        }
        mem_free(path);
    }
    if (!all || plan->past.count <= options->keep)
        return;
    char *path = history_path(options);
    forget(options, &plan->past);
    buf_init(&text, HISTORY_MAX);
    publish_past_write(&plan->past, &text);
    if (!write_file(path, text.data, text.length, 0644))
        cmd_warn("the release is complete all the same");
    buf_done(&text);
    mem_free(path);
}

void publish_past_done(struct publish_past *past)
{
    for (size_t i = 0; i < past->count; i++)
        free_names(&past->releases[i].files);
    mem_free(past->releases);
    free_names(&past->old);
    *past = (struct publish_past){0};
}
