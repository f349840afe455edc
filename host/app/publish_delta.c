/* Patches from older versions (wire/delta.h): making them on all cores, and the bundle that they
 * are. Patches of the release before stay as long as they still lead to a file
 * of this one. */
#include "app/cmd.h"
#include "app/publish_pairs.h"
#include "app/workers.h"
#include "app/write_file.h"
#include "base/mem.h"
#include "wire/delta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATCH_WORKERS 4 /* each holds two versions of a file */

struct job {
    const char *dir;
    char *folder; /* where patches go */
    struct workers workers;
    struct publish_pairs pairs;
    size_t next;
    atomic_bool failed;
    char message[1024];
};

static char *patch_folder(const struct publish_options *options)
{
    return mem_printf("%s%.*s", options->out, (int)strlen(DELTA_BASE) - 1, DELTA_BASE);
}

/* --- making */

static void fail(struct job *job, const char *dir, const char *path, const char *why)
{
    pthread_mutex_lock(&job->workers.lock);
    if (!job->failed)
        snprintf(job->message, sizeof job->message, "%s/%s %s", dir, path, why);
    job->failed = true;
    pthread_mutex_unlock(&job->workers.lock);
}

/* The bytes that were hashed, or NULL after fail. */
static uint8_t *read_version(struct job *job, const char *dir, const struct publish_file *file)
{
    size_t length = (size_t)file->info.st_size, have = 0;
    char *path = mem_printf("%s/%s", dir, file->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *data = mem_alloc(length), root[HASH_LENGTH];
    ssize_t got = fd >= 0 ? 1 : -1;
    while (have < length && got > 0) {
        got = pread(fd, data + have, length - have, (off_t)have);
        have += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        fail(job, dir, file->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    mem_free(path);
    bool good = have == length;
    if (good) {
        merkle_data_root(data, length, root);
        good = memcmp(root, file->root, HASH_LENGTH) == 0;
    }
    if (!good) {
        fail(job, dir, file->path, "changed while patches were made: publish again");
        mem_free(data);
        return NULL;
    }
    return data;
}

struct counting {
    struct job *job;
    uint64_t counted;
};

static bool count(void *user, uint64_t done)
{
    struct counting *counting = user;
    workers_add(&counting->job->workers, done - counting->counted);
    counting->counted = done;
    return !counting->job->failed;
}

static void write_patch(struct job *job, struct publish_pair *pair, const struct buf *patch)
{
    char *path = mem_printf("%s/%s", job->folder, pair->name);
    pair->made = write_file(path, patch->data, patch->length, 0644);
    if (!pair->made)
        fail(job, job->folder, pair->name, "could not be written");
    mem_free(path);
}

static void make_patch(struct job *job, struct publish_pair *pair)
{
    size_t length = (size_t)pair->file->info.st_size;
    struct counting counting = {.job = job};
    uint8_t *old = read_version(job, pair->old_dir, pair->old);
    uint8_t *data = old != NULL ? read_version(job, job->dir, pair->file) : NULL;
    if (data != NULL) {
        struct buf patch;
        buf_init(&patch, (size_t)delta_patch_max(length));
        enum err err = delta_make(span_of(old, (size_t)pair->old->info.st_size),
                                  span_of(data, length), &patch, count, &counting);
        if (err == ERR_OK)
            write_patch(job, pair, &patch);
        else if (err == ERR_BUSY)
            fail(job, job->dir, pair->file->path, "has no patch: there is not enough memory");
        buf_done(&patch);
    }
    workers_add(&job->workers, length - counting.counted);
    mem_free(old);
    mem_free(data);
}

static void run_worker(void *user)
{
    struct job *job = user;
    for (;;) {
        pthread_mutex_lock(&job->workers.lock);
        size_t next = job->failed ? job->pairs.count : job->next++;
        pthread_mutex_unlock(&job->workers.lock);
        if (next >= job->pairs.count)
            return;
        make_patch(job, &job->pairs.items[next]);
    }
}

static bool make_patches(struct job *job)
{
    uint64_t total = 0;
    for (size_t i = 0; i < job->pairs.count; i++)
        total += (uint64_t)job->pairs.items[i].file->info.st_size;
    if (job->pairs.count > 0 && !write_folders(job->folder))
        return false;
    workers_init(&job->workers, run_worker, job);
    workers_run(&job->workers, PATCH_WORKERS, "making patches", total);
    workers_done(&job->workers);
    if (job->failed)
        cmd_fail("%s", job->message);
    return !job->failed;
}

/* --- the bundle */

static void add_patch(struct publish_files *patches, const char *folder, const char *name)
{
    struct stat info;
    char *path = mem_printf("%s/%s", folder, name);
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode))
        publish_files_add(patches, name, &info);
    mem_free(path);
}

/* The first bytes of all roots of the release, sorted. */
struct marks {
    uint8_t (*items)[DELTA_MARK];
    size_t count, capacity;
};

static int by_mark(const void *a, const void *b)
{
    return memcmp(a, b, DELTA_MARK);
}

static void add_mark(struct marks *marks, const uint8_t *root)
{
    if (marks->count == marks->capacity) {
        marks->capacity = marks->capacity > 0 ? 2 * marks->capacity : 256;
        marks->items = mem_realloc(marks->items, marks->capacity * sizeof *marks->items);
    }
    memcpy(marks->items[marks->count++], root, DELTA_MARK);
}

static void collect_marks(struct marks *marks, const struct publish_options *options,
                          const struct publish_files *files, const struct publish_plan *plan)
{
    for (size_t i = 0; i < files->count; i++)
        add_mark(marks, files->items[i].root);
    for (size_t i = 0; i < plan->own; i++) {
        struct metainfo *meta = publish_read_torrent(options, &plan->release.bundles[i]);
        for (uint32_t k = 0; meta != NULL && k < meta->file_count; k++)
            add_mark(marks, meta->files[k].root);
        metainfo_free(meta);
    }
    if (marks->count > 0)
        qsort(marks->items, marks->count, DELTA_MARK, by_mark);
}

/* Patches of the release before that still lead to a file of this one. */
static void keep_patches(const struct publish_options *options, const struct publish_files *files,
                         struct publish_plan *plan, const char *folder)
{
    struct marks marks = {0};
    uint8_t mark[DELTA_MARK], old[DELTA_MARK];
    const struct metainfo *before = plan->patches_before;
    if (before == NULL)
        return;
    collect_marks(&marks, options, files, plan);
    for (uint32_t i = 0; i < before->file_count; i++) {
        const char *name = before->files[i].path;
        if (delta_name_parse(name, mark, old) && marks.count > 0 &&
            bsearch(mark, marks.items, marks.count, DELTA_MARK, by_mark) != NULL)
            add_patch(&plan->patches, folder, name);
    }
    mem_free(marks.items);
}

static void count_made(struct job *job, struct publish_plan *plan)
{
    for (size_t i = 0; i < job->pairs.count; i++) {
        if (!job->pairs.items[i].made)
            continue;
        plan->patched_files++;
        plan->patched_bytes += (uint64_t)job->pairs.items[i].file->info.st_size;
        add_patch(&plan->patches, job->folder, job->pairs.items[i].name);
    }
}

static bool was_made(const struct job *job, const char *name)
{
    for (size_t i = 0; i < job->pairs.count; i++) {
        if (job->pairs.items[i].made && strcmp(job->pairs.items[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Those that were kept must still be what the release before says. */
static void drop_damaged(const struct job *job, struct publish_plan *plan)
{
    struct publish_files *patches = &plan->patches;
    const struct metainfo *before = plan->patches_before;
    size_t kept = 0;
    for (size_t i = 0; i < patches->count; i++) {
        struct publish_file *patch = &patches->items[i];
        uint32_t number = before != NULL && !was_made(job, patch->path)
                              ? metainfo_find_path(before, patch->path, strlen(patch->path))
                              : UINT32_MAX;
        if (number == UINT32_MAX ||
            memcmp(before->files[number].root, patch->root, HASH_LENGTH) == 0) {
            patches->items[kept++] = *patch;
            continue;
        }
        cmd_warn("%s/%s is damaged and is left out: --previous makes it anew", job->folder,
                 patch->path);
        patches->bytes -= (uint64_t)patch->info.st_size;
        mem_free(patch->path);
        mem_free(patch->layer);
    }
    patches->count = kept;
}

static bool make_bundle(const struct publish_options *options, const struct publish_files *files,
                        struct job *job, struct publish_plan *plan)
{
    struct publish_files *patches = &plan->patches;
    count_made(job, plan);
    keep_patches(options, files, plan, job->folder);
    publish_files_sort(patches);
    plan->patch_piece_length = publish_piece_length(patches->bytes);
    if (patches->count > 0 && !publish_hash(job->folder, patches, plan->patch_piece_length))
        return false;
    drop_damaged(job, plan);
    return true;
}

/* --- the whole */

static bool is_same_folder(const char *one, const char *two)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(two, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool read_previous(const struct publish_options *options, const char *dir,
                          struct publish_files *ret)
{
    if (is_same_folder(dir, options->dir))
        return cmd_fail("--previous %s is the folder that is published: give a copy of it as it "
                        "was in the release before",
                        dir) == CMD_OK;
    return publish_scan(dir, options->base, ret) &&
           publish_hash(dir, ret, publish_piece_length(ret->bytes));
}

bool publish_patches(const struct publish_options *options, const struct publish_files *files,
                     struct publish_plan *plan)
{
    struct publish_files before[PUBLISH_PREVIOUS] = {0};
    struct job job = {.dir = options->dir, .folder = patch_folder(options)};
    bool good = true;
    for (size_t i = 0; good && i < options->previous_count; i++) {
        good = read_previous(options, options->previous[i], &before[i]);
        if (good)
            publish_find_pairs(&job.pairs, files, options->previous[i], &before[i]);
    }
    good = good && make_patches(&job) && make_bundle(options, files, &job, plan);
    for (size_t i = 0; i < options->previous_count; i++)
        publish_files_done(&before[i]);
    mem_free(job.pairs.items);
    mem_free(job.folder);
    return good;
}
