/* Everything into WEBROOT. A visitor may come at any moment: each file appears whole, and the
 * release that names the others comes last. */
#include "app/cmd.h"
#include "app/key_file.h"
#include "app/publish.h"
#include "app/site_files.h"
#include "app/write_file.h"
#include "base/mem.h"
#include "wire/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CONFIG_START "const CONFIG = "
#define CONFIG_MARK  "written by fringe publish"

/* --- the site worker */

static void put_config(const struct release *release, struct buf *out)
{
    buf_printf(out, CONFIG_START "{\"seq\":%llu,\"bases\":[", (unsigned long long)release->seq);
    for (size_t i = 0; i < release->bundle_count; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        json_put_string(out, release->bundles[i].base);
    }
    if (release->catalog.base != NULL) {
        if (release->bundle_count > 0)
            buf_put_u8(out, ',');
        json_put_string(out, release->catalog.base);
    }
    buf_put_text(out, "]}; // " CONFIG_MARK);
}

bool publish_worker(const struct release *release, struct buf *out)
{
    const char *start = strstr(site_worker, "\n" CONFIG_START);
    const char *end = start != NULL ? strchr(start + 1, '\n') : NULL;
    if (end == NULL)
        return false;
    buf_put(out, site_worker, (size_t)(start + 1 - site_worker));
    put_config(release, out);
    buf_put(out, end, (size_t)(site_worker_end - end));
    return !out->failed;
}

bool publish_worker_is_ours(const struct publish_options *options)
{
    struct buf file;
    char *path = mem_printf("%s/fringe-sw.js", options->out);
    bool exists = access(path, F_OK) == 0;
    bool good = !exists || file_read(path, MIB(1), &file);
    if (exists && good &&
        memmem(file.data, file.length, CONFIG_MARK, strlen(CONFIG_MARK)) == NULL) {
        cmd_fail("%s is there already and not from `fringe publish`: rename it", path);
        good = false;
    }
    if (exists)
        buf_done(&file);
    mem_free(path);
    return good;
}

static bool add_worker(struct write_set *set, const struct publish_options *options,
                       const struct publish_plan *plan)
{
    struct buf worker;
    char *path = mem_printf("%s/fringe-sw.js", options->out);
    buf_init(&worker, MIB(1));
    bool good = publish_worker(&plan->release, &worker);
    if (!good)
        cmd_fail("the site worker that this program was built with has no CONFIG line");
    good = good && write_set_add(set, path, worker.data, worker.length, 0644);
    buf_done(&worker);
    mem_free(path);
    return good;
}

/* --- .well-known/fringe */

static bool add(struct write_set *set, const struct publish_options *options, const char *name,
                const void *data, size_t length)
{
    char *path = mem_printf("%s/.well-known/fringe/%s", options->out, name);
    bool good = write_set_add(set, path, data, length, 0644);
    mem_free(path);
    return good;
}

static bool add_torrent(struct write_set *set, const struct publish_options *options,
                        const struct release_bundle *bundle, const struct buf *torrent)
{
    char hex[HEX_LENGTH(HASH_LENGTH)], name[HEX_LENGTH(HASH_LENGTH) + sizeof ".torrent"];
    hex_encode(hex, bundle->infohash, HASH_LENGTH);
    snprintf(name, sizeof name, "%s.torrent", hex);
    return add(set, options, name, torrent->data, torrent->length);
}

/* Patches, the bundle behind our own, have been written when they were made. */
static bool add_torrents(struct write_set *set, const struct publish_options *options,
                         const struct publish_plan *plan)
{
    const struct release_bundle *own = &plan->release.bundles[plan->own];
    return (plan->torrent.length == 0 || add_torrent(set, options, own, &plan->torrent)) &&
           (plan->patches.count == 0 || add_torrent(set, options, own + 1, &plan->patch_torrent));
}

static bool add_catalog(struct write_set *set, const struct publish_options *options,
                        const struct publish_catalog *catalog)
{
    bool good = true;
    for (size_t i = 0; good && i < catalog->slice_count; i++)
        good = add_torrent(set, options, &catalog->slices[i].bundle, &catalog->slices[i].torrent);
    for (size_t i = 0; good && i < catalog->page_count; i++)
        good = add(set, options, catalog->pages[i].name, catalog->pages[i].data.data,
                   catalog->pages[i].data.length);
    return good;
}

static bool add_key(struct write_set *set, const struct publish_options *options,
                    const struct publish_plan *plan)
{
    struct buf text;
    buf_init(&text, LIMIT_PUBLIC_KEY);
    minisign_key_write(&plan->key, &text);
    bool good = add(set, options, "key.pub", text.data, text.length);
    buf_done(&text);
    return good;
}

static bool add_history(struct write_set *set, const struct publish_options *options,
                        const struct publish_plan *plan)
{
    struct buf text;
    buf_init(&text, MIB(16));
    publish_past_write(&plan->past, &text);
    bool good = add(set, options, "history.json", text.data, text.length);
    buf_done(&text);
    return good;
}

/* In the order in which they appear: what a release names is there before the release is. */
static bool add_all(struct write_set *set, const struct publish_options *options,
                    const struct publish_plan *plan)
{
    return add_history(set, options, plan) && add_torrents(set, options, plan) &&
           add_catalog(set, options, &plan->catalog) &&
           add(set, options, "enter.html", site_enter, site_enter_length()) &&
           add_worker(set, options, plan) && (!plan->has_key || add_key(set, options, plan)) &&
           add(set, options, "release.json", plan->json.data, plan->json.length) &&
           (plan->signature.length == 0 || add(set, options, "release.json.minisig",
                                               plan->signature.data, plan->signature.length));
}

bool publish_write(const struct publish_options *options, const struct publish_plan *plan)
{
    struct write_set set = {0};
    char *folder = mem_printf("%s/.well-known/fringe", options->out);
    bool good = write_folders(folder) && add_all(&set, options, plan) && write_set_commit(&set);
    write_set_done(&set);
    mem_free(folder);
    return good;
}

int publish_lock(const struct publish_options *options)
{
    int lock = open(options->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0) {
        cmd_fail("cannot read the folder %s: %s", options->out, strerror(errno));
    } else if (flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        cmd_fail("another `fringe publish` is writing to %s: try again when it has ended",
                 options->out);
        close(lock);
        lock = -1;
    }
    return lock;
}

/* --- are the files where the site serves them from? */

void publish_check_served(const struct publish_options *options, const struct publish_files *files)
{
    size_t missing = 0;
    const char *example = NULL;
    for (size_t i = 0; i < files->count; i++) {
        struct stat info;
        char *path = mem_printf("%s%s%s", options->out, options->base, files->items[i].path);
        if (stat(path, &info) != 0 || info.st_size != files->items[i].info.st_size) {
            missing++;
            example = files->items[i].path;
        }
        mem_free(path);
    }
    if (missing > 0)
        cmd_warn("%zu of %zu files are not at %s%s (for example %s): the site must serve them at "
                 "%s%s, with exactly these bytes",
                 missing, files->count, options->out, options->base, example, options->site,
                 options->base);
}
