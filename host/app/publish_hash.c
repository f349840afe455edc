/* Hashing the files on all cores: each worker takes the next span of a file, reads it into its
 * own buffer and writes the piece hashes where they belong. Reading into a reused buffer that
 * stays in the cache is faster than mapping: no page faults. */
#include "app/cmd.h"
#include "app/publish.h"
#include "app/workers.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SPAN MIB(8) /* what a worker takes at once; small files one by one */
#define READ KIB(512)

struct job {
    const char *dir;
    struct publish_files *files;
    uint32_t piece_length;
    struct workers workers;
    size_t file; /* the next span: this file from this offset */
    uint64_t offset;
    bool failed;
    char message[1024];
};

struct work {
    struct publish_file *file;
    uint64_t offset, length;
};

/* A worker's own: its buffer, and the file that it read last. */
struct worker {
    struct job *job;
    uint8_t *buffer;
    size_t buffer_length;
    const struct publish_file *open_file;
    int fd;
};

static void fail(struct job *job, const char *path, const char *why)
{
    pthread_mutex_lock(&job->workers.lock);
    if (!job->failed)
        snprintf(job->message, sizeof job->message, "%s/%s %s", job->dir, path, why);
    job->failed = true;
    pthread_mutex_unlock(&job->workers.lock);
}

static bool take_work(struct job *job, struct work *ret)
{
    pthread_mutex_lock(&job->workers.lock);
    bool good = !job->failed && job->file < job->files->count;
    if (good) {
        struct publish_file *file = &job->files->items[job->file];
        uint64_t left = (uint64_t)file->info.st_size - job->offset;
        uint64_t span = SPAN > job->piece_length ? SPAN : job->piece_length;
        *ret = (struct work){file, job->offset, left < span ? left : span};
        job->offset += ret->length;
        if (ret->length == left) {
            job->file++;
            job->offset = 0;
        }
    }
    pthread_mutex_unlock(&job->workers.lock);
    return good;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static const char changed[] =
    "changed while it was hashed: publish again when nothing writes to the folder";

static bool open_file(struct worker *worker, const struct publish_file *file)
{
    struct stat info;
    if (worker->open_file == file)
        return true;
    if (worker->fd >= 0)
        close(worker->fd);
    worker->open_file = NULL;
    char *path = mem_printf("%s/%s", worker->job->dir, file->path);
    worker->fd = open(path, O_RDONLY | O_CLOEXEC);
    mem_free(path);
    if (worker->fd < 0 || fstat(worker->fd, &info) != 0) {
        fail(worker->job, file->path, strerror(errno));
        return false;
    }
    if (!same_file(&info, &file->info)) {
        fail(worker->job, file->path, changed);
        return false;
    }
    worker->open_file = file;
    return true;
}

/* Exactly length bytes, or the file is shorter than it was. */
static bool read_span(struct worker *worker, uint64_t offset, size_t length)
{
    size_t have = 0;
    while (have < length) {
        ssize_t got =
            pread(worker->fd, worker->buffer + have, length - have, (off_t)(offset + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            fail(worker->job, worker->open_file->path, got < 0 ? strerror(errno) : changed);
            return false;
        }
        have += (size_t)got;
    }
    return true;
}

static void hash_pieces(const struct worker *worker, struct publish_file *file, uint64_t offset,
                        size_t length)
{
    uint64_t whole = (uint64_t)file->info.st_size;
    uint32_t piece_length = worker->job->piece_length;
    for (size_t at = 0; at < length; at += piece_length) {
        size_t step = length - at < piece_length ? length - at : piece_length;
        uint8_t *out = whole <= piece_length
                           ? file->root
                           : file->layer + (offset + at) / piece_length * HASH_LENGTH;
        merkle_piece(worker->buffer + at, step, whole, piece_length, out);
    }
}

static bool do_work(struct worker *worker, const struct work *work)
{
    if (work->length == 0)
        return true;
    if (!open_file(worker, work->file))
        return false;
    for (uint64_t at = 0; at < work->length;) {
        uint64_t left = work->length - at;
        size_t step = left < worker->buffer_length ? (size_t)left : worker->buffer_length;
        if (!read_span(worker, work->offset + at, step))
            return false;
        hash_pieces(worker, work->file, work->offset + at, step);
        at += step;
    }
    return true;
}

static void run_worker(void *argument)
{
    struct job *job = argument;
    struct worker worker = {.job = job, .fd = -1};
    struct work work;
    worker.buffer_length = READ > job->piece_length ? READ : job->piece_length;
    worker.buffer = mem_alloc(worker.buffer_length);
    while (take_work(job, &work) && do_work(&worker, &work))
        workers_add(&job->workers, work.length);
    if (worker.fd >= 0)
        close(worker.fd);
    mem_free(worker.buffer);
}

static void make_layers(struct publish_files *files, uint32_t piece_length)
{
    for (size_t i = 0; i < files->count; i++) {
        uint64_t length = (uint64_t)files->items[i].info.st_size;
        if (length > piece_length)
            files->items[i].layer =
                mem_calloc((size_t)((length + piece_length - 1) / piece_length), HASH_LENGTH);
    }
}

/* The roots of the long files; and every file is looked at again, so that what was written to
 * after its hash was made is noticed as well. */
static void finish(struct job *job)
{
    for (size_t i = 0; i < job->files->count && !job->failed; i++) {
        struct publish_file *file = &job->files->items[i];
        uint64_t length = (uint64_t)file->info.st_size;
        struct stat info;
        char *path = mem_printf("%s/%s", job->dir, file->path);
        if (stat(path, &info) != 0 || !same_file(&info, &file->info))
            fail(job, file->path, changed);
        mem_free(path);
        if (file->layer != NULL)
            merkle_file_root(file->layer,
                             (uint32_t)((length + job->piece_length - 1) / job->piece_length),
                             job->piece_length, file->root);
    }
}

bool publish_hash(const char *dir, struct publish_files *files, uint32_t piece_length)
{
    struct job job = {.dir = dir, .files = files, .piece_length = piece_length};
    workers_init(&job.workers, run_worker, &job);
    make_layers(files, piece_length);
    workers_run(&job.workers, WORKERS_MAX, "hashing", files->bytes);
    finish(&job);
    workers_done(&job.workers);
    if (job.failed)
        cmd_fail("%s", job.message);
    return !job.failed;
}
