/* What was done, the order in which to upload it, and what comes next. */
#include "app/cmd.h"
#include "app/publish.h"
#include "app/write_file.h"
#include "base/mem.h"
#include "wire/delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHOWN 6 /* names of a step on the terminal; the lists hold all */

#define LIST_MAX MIB(512)

/* The steps of an upload; each is complete before the next begins. */
enum { STEP_FILES, STEP_TORRENTS, STEP_RELEASE, STEP_OLD, STEPS };

static const char *const step_names[STEPS] = {"files", "torrents", "release", "old"};

struct steps {
    struct buf lists[STEPS]; /* paths below WEBROOT, a line each */
    size_t counts[STEPS];
};

/* --- what belongs to which step */

/* rsync takes lines that begin with '#' or ';' for comments. */
static void put_path(struct steps *steps, int step, const char *folder, const char *name)
{
    const char *safe = folder[0] == '#' || folder[0] == ';' ? "./" : "";
    buf_printf(&steps->lists[step], "%s%s%s\n", safe, folder, name);
    steps->counts[step]++;
}

static bool is_new(const struct publish_file *file, const struct metainfo *before)
{
    if (before == NULL)
        return true;
    uint32_t number = metainfo_find_path(before, file->path, strlen(file->path));
    if (number == UINT32_MAX)
        return true;
    const struct metainfo_file *old = &before->files[number];
    return old->length != (uint64_t)file->info.st_size ||
           (old->length > 0 && memcmp(old->root, file->root, HASH_LENGTH) != 0);
}

static int find_by_path(const void *key, const void *item)
{
    return strcmp(key, ((const struct publish_file *)item)->path);
}

static void list_files(struct steps *steps, const struct publish_options *options,
                       const struct publish_plan *plan, const struct publish_files *files)
{
    const struct metainfo *before = plan->own_before;
    for (size_t i = 0; i < files->count; i++) {
        if (is_new(&files->items[i], before))
            put_path(steps, STEP_FILES, options->base + 1, files->items[i].path);
    }
    for (uint32_t i = 0; before != NULL && i < before->file_count; i++) {
        const char *path = before->files[i].path;
        if (files->count == 0 ||
            bsearch(path, files->items, files->count, sizeof *files->items, find_by_path) == NULL)
            put_path(steps, STEP_OLD, options->base + 1, path);
    }
}

static const char folder[] = ".well-known/fringe/";

static void put_torrent(struct steps *steps, const struct release_bundle *bundle)
{
    char hex[HEX_LENGTH(HASH_LENGTH)], name[HEX_LENGTH(HASH_LENGTH) + sizeof ".torrent"];
    hex_encode(hex, bundle->infohash, HASH_LENGTH);
    snprintf(name, sizeof name, "%s.torrent", hex);
    put_path(steps, STEP_TORRENTS, folder, name);
}

static void list_steps(struct steps *steps, const struct publish_options *options,
                       const struct publish_plan *plan, const struct publish_files *files)
{
    const struct publish_past *past = &plan->past;
    if (options->base != NULL)
        list_files(steps, options, plan, files);
    for (size_t i = 0; i < plan->patches.count; i++) {
        if (is_new(&plan->patches.items[i], plan->patches_before))
            put_path(steps, STEP_FILES, &DELTA_BASE[1], plan->patches.items[i].path);
    }
    if (plan->torrent.length > 0)
        put_torrent(steps, &plan->release.bundles[plan->own]);
    if (plan->patches.count > 0)
        put_torrent(steps, &plan->release.bundles[plan->own + 1]);
    for (size_t i = 0; i < plan->catalog.slice_count; i++)
        put_torrent(steps, &plan->catalog.slices[i].bundle);
    for (size_t i = 0; i < plan->catalog.page_count; i++)
        put_path(steps, STEP_TORRENTS, folder, plan->catalog.pages[i].name);
    put_path(steps, STEP_TORRENTS, folder, "enter.html");
    if (plan->has_key)
        put_path(steps, STEP_RELEASE, folder, "key.pub");
    put_path(steps, STEP_RELEASE, folder, "release.json");
    put_path(steps, STEP_RELEASE, folder, "release.json.minisig");
    put_path(steps, STEP_RELEASE, "", "fringe-sw.js");
    for (size_t i = 0; i < past->old.count; i++)
        put_path(steps, STEP_OLD, folder, past->old.items[i]);
}

/* --- telling */

static void tell_names(const struct buf *list)
{
    const char *at = (const char *)list->data, *end = at + list->length;
    for (int shown = 0; at < end && shown < SHOWN; shown++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        cmd_print("         %.*s", (int)(line_end - at), at);
        at = line_end + 1;
    }
}

static void tell_step(const struct steps *steps, int step, int number, const char *what)
{
    size_t count = steps->counts[step];
    if (count == 0)
        return;
    cmd_print("    %d. %s", number, what);
    tell_names(&steps->lists[step]);
    if (count > SHOWN)
        cmd_print("         and %zu more", count - SHOWN);
}

static void tell_label(uint64_t seq)
{
    cmd_print("         Link: </.well-known/fringe/release.json>; rel=\"fringe\"; seq=%llu",
              (unsigned long long)seq);
    cmd_print("       or, where headers cannot be set:");
    cmd_print("         <link rel=\"fringe\" href=\"/.well-known/fringe/release.json\" "
              "data-seq=\"%llu\">",
              (unsigned long long)seq);
}

static void tell_order(const struct steps *steps, const struct publish_options *options,
                       const struct publish_plan *plan)
{
    bool shares = !release_is_empty(&plan->release);
    cmd_print("  - upload in this order, each step after the one before it, so that no visitor "
              "meets half");
    cmd_print("    a release (all of it is in %s, as long as your files are):", options->out);
    tell_step(steps, STEP_FILES, 1, "files that are new or changed");
    tell_step(steps, STEP_TORRENTS, 2, "what the release will name");
    tell_step(steps, STEP_RELEASE, 3, "the release, in this order");
    cmd_print("    4. the pages, each with its label%s", shares ? ":" : " as it was");
    if (shares)
        tell_label(plan->release.seq);
    tell_step(steps, STEP_OLD, 5,
              "then remove what is no longer used (open pages may still need "
              "it for a while)");
}

/* For a shell: "it's" -> 'it'\''s'. */
static char *quoted(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "_./-+=:,@%";
    struct buf out;
    size_t length;
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0')
        return mem_strdup(text);
    buf_init(&out, 4 * strlen(text) + 3);
    buf_put_u8(&out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buf_put_text(&out, "'\\''");
        else
            buf_put_u8(&out, (uint8_t)*text);
    }
    buf_put_text(&out, "'");
    buf_put_u8(&out, 0);
    return (char *)buf_take(&out, &length);
}

static void tell_lists(const struct publish_options *options)
{
    char *plan = quoted(options->plan), *out = quoted(options->out);
    cmd_print("    The same with rsync, and between the last two the pages:");
    for (int i = 0; i < STEP_OLD; i++)
        cmd_print("      rsync -ac %s--files-from=%s.%d-%s %s/ SERVER:FOLDER/",
                  i == STEP_RELEASE ? "--delay-updates " : "", plan, i + 1, step_names[i], out);
    cmd_print("      ssh SERVER 'cd FOLDER && xargs -d \"\\n\" rm -f --' < %s.5-old", plan);
    mem_free(plan);
    mem_free(out);
}

static bool write_lists(const struct steps *steps, const struct publish_options *options)
{
    bool good = true;
    for (int i = 0; good && i < STEPS; i++) {
        char *path =
            mem_printf("%s.%d-%s", options->plan, i == STEP_OLD ? 5 : i + 1, step_names[i]);
        good = write_file(path, steps->lists[i].data, steps->lists[i].length, 0644);
        mem_free(path);
    }
    return good;
}

/* --- the release */

static void tell_bundle(const struct publish_plan *plan, size_t index)
{
    const struct release_bundle *bundle = &plan->release.bundles[index];
    char size[BYTES_TEXT], hex[HEX_LENGTH(HASH_LENGTH)];
    hex_encode(hex, bundle->infohash, HASH_LENGTH);
    cmd_print("  %s   %llu files, %s%s", bundle->base, (unsigned long long)bundle->files,
              cmd_bytes(bundle->bytes, size),
              index == plan->own  ? ""
              : index > plan->own ? ": patches"
                                  : ", kept as it was");
    cmd_print("      infohash %s", hex);
}

static void tell_catalog(const struct publish_plan *plan, const struct publish_files *files)
{
    const struct publish_catalog *catalog = &plan->catalog;
    const struct release_catalog *said = &plan->release.catalog;
    char size[BYTES_TEXT];

    if (catalog->slice_count > 0)
        cmd_print("  %s   %zu files, %s, in %zu bundles that a catalog of %zu pages names",
                  said->base, files->count, cmd_bytes(files->bytes, size), catalog->slice_count,
                  catalog->page_count);
    else if (said->base != NULL)
        cmd_print("  %s   %llu files in the bundles of a catalog, kept as it was", said->base,
                  (unsigned long long)said->files);
}

static void tell_signing(const struct publish_options *options, const struct publish_plan *plan)
{
    struct buf comment;
    uint8_t hash[HASH_LENGTH];
    char *file = mem_printf("%s/.well-known/fringe/release.json", options->out);
    char *path = quoted(file);
    sha256(plan->json.data, plan->json.length, hash);
    buf_init(&comment, LIMIT_SIGNATURE);
    release_comment_format(&plan->release, hash, &comment);
    buf_put_u8(&comment, 0);
    cmd_print("Not signed yet, so not to be uploaded yet. Where the key is:");
    cmd_print("  minisign -S -s KEY -m %s -t '%s'", path, (char *)comment.data);
    cmd_print("That writes release.json.minisig beside it%s. `fringe verify %s` checks it all.",
              plan->has_key ? "" : "; the public key belongs there as key.pub", options->out);
    mem_free(file);
    mem_free(path);
    buf_done(&comment);
}

static void tell_patches(const struct publish_options *options, const struct publish_plan *plan)
{
    char size[BYTES_TEXT];
    if (plan->patched_files > 0)
        cmd_print("  patches: from older versions to %llu files of %s together",
                  (unsigned long long)plan->patched_files, cmd_bytes(plan->patched_bytes, size));
    else if (options->previous_count > 0)
        cmd_print("  no new patches: no file over 64 KiB has changed by less than half");
}

static bool has_patches(const struct publish_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strchr(names->items[i], '/') != NULL)
            return true;
    }
    return false;
}

static void tell_release(const struct publish_options *options, const struct publish_plan *plan,
                         const struct publish_files *files)
{
    const struct release *release = &plan->release;
    cmd_print("release %llu of %s", (unsigned long long)release->seq, release->site);
    for (size_t i = 0; i < release->bundle_count; i++)
        tell_bundle(plan, i);
    tell_catalog(plan, files);
    tell_patches(options, plan);
    if (files->hidden > 0)
        cmd_print("  left out: %zu hidden, for example %s", files->hidden, files->hidden_example);
    if (files->count == 1)
        cmd_print("  note: with a single file, stock BitTorrent clients cannot use the site as a "
                  "web seed; Fringe can");
    if (plan->past.old.count > 0)
        cmd_print("  removed: %zu torrents%s of releases before the last %llu",
                  plan->past.old.count, has_patches(&plan->past.old) ? " and patches" : "",
                  (unsigned long long)options->keep);
}

bool publish_tell(const struct publish_options *options, const struct publish_plan *plan,
                  const struct publish_files *files)
{
    struct steps steps = {0};
    char date[32];
    time_t expires = (time_t)plan->release.expires;
    for (int i = 0; i < STEPS; i++)
        buf_init(&steps.lists[i], LIST_MAX);
    list_steps(&steps, options, plan, files);
    bool good = options->plan == NULL || write_lists(&steps, options);
    tell_release(options, plan, files);
    if (plan->signature.length == 0)
        tell_signing(options, plan);
    cmd_print("Next:");
    tell_order(&steps, options, plan);
    if (options->plan != NULL)
        tell_lists(options);
    cmd_print("  - `fringe snippet nginx %s` (or apache) prints what the web server has to say",
              options->out);
    cmd_print("  - `fringe verify %s/` looks at the result as a stranger would",
              plan->release.site);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&expires));
    if (!release_is_empty(&plan->release))
        cmd_print("  - publish again whenever a file changes, and before %s", date);
    else
        cmd_print("  - nothing of the site is shared any more; `fringe publish` begins anew");
    for (int i = 0; i < STEPS; i++)
        buf_done(&steps.lists[i]);
    return good;
}
