/* io/hasher: a queue of jobs that a few of libuv's workers drain. One work item drains many jobs,
 * so a job costs a lock and not a trip through libuv; results come back one by one. */
#include "io/hasher.h"

#include "base/list.h"
#include "base/mem.h"
#include "io/file_bytes.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* Of libuv's four workers some are left for others, and a drain ends now and then so that what
 * else waits for a worker gets its turn. */
#define WORKERS_MAX  3
#define JOBS_A_DRAIN 64

struct job {
    struct list link;
    struct hasher_job job;
    uint8_t *leaves;
    enum err result;
};

struct hasher {
    struct loop *loop;
    void (*done)(void *user, const struct hasher_result *result);
    void *user;
    size_t pending;           /* submitted, not yet told */
    unsigned drains, workers; /* under way; at most */
    unsigned handles;         /* drains and the async handle: the last one frees the struct */
    bool freed;
    uv_async_t finished;
    uv_mutex_t mutex; /* guards all below */
    uv_cond_t drained;
    struct list waiting, ready;
    unsigned draining; /* drains whose worker has not left the queue */
    atomic_bool stop;
};

/* --- on a worker */

static void hash_blocks(struct job *job)
{
    job->leaves = mem_alloc((size_t)merkle_blocks(job->job.length) * HASH_LENGTH);
    merkle_leaves(job->job.data, job->job.length, job->leaves);
}

static enum err read_piece(struct job *entry)
{
    struct hasher_job *job = &entry->job;
    uint64_t span = job->file_length > job->piece_length ? job->piece_length : job->file_length;
    uint8_t root[HASH_LENGTH];

    job->data = mem_alloc(job->length);
    if (file_bytes_read(job->fd, job->data, job->length, job->offset) != ERR_OK)
        return ERR_IO;
    hash_blocks(entry);
    merkle_root(entry->leaves, merkle_blocks(job->length),
                (size_t)1 << merkle_height(merkle_blocks(span)), 0, root);
    return memcmp(root, job->expected, HASH_LENGTH) == 0 ? ERR_OK : ERR_BAD_HASH;
}

static enum err run(struct job *entry, const atomic_bool *stop)
{
    const struct hasher_job *job = &entry->job;
    uint8_t hash[HASH_LENGTH];

    if (job->rebuild != NULL)
        return rebuild_run(job->rebuild, stop);
    if (job->length == 0 || job->length > job->piece_length)
        return ERR_BAD_HASH;
    if (job->data == NULL)
        return read_piece(entry);
    merkle_piece(job->data, job->length, job->file_length, job->piece_length, hash);
    if (memcmp(hash, job->expected, HASH_LENGTH) != 0) {
        hash_blocks(entry); /* so that it can be told which are wrong */
        return ERR_BAD_HASH;
    }
    return job->fd < 0 ? ERR_OK : file_bytes_write(job->fd, job->data, job->length, job->offset);
}

/* The next job, or NULL; hands in the finished one under the same lock. */
static struct job *swap_job(struct hasher *hasher, struct job *finished)
{
    struct job *next = NULL;
    bool tell;

    uv_mutex_lock(&hasher->mutex);
    if (finished != NULL)
        list_push_back(&hasher->ready, &finished->link);
    tell = finished != NULL && !hasher->stop;
    if (!list_empty(&hasher->waiting) && !hasher->stop) {
        next = list_entry(hasher->waiting.next, struct job, link);
        list_remove(&next->link);
    }
    uv_mutex_unlock(&hasher->mutex);
    if (tell)
        uv_async_send(&hasher->finished); /* the handle lives as long as a drain does */
    return next;
}

static void drain(uv_work_t *work)
{
    struct hasher *hasher = work->data;
    struct job *job = swap_job(hasher, NULL);

    for (int i = 1; job != NULL; i++) {
        job->result = run(job, &hasher->stop);
        if (job->result != ERR_BAD_HASH) {
            mem_free(job->job.data);
            job->job.data = NULL;
        }
        if (i == JOBS_A_DRAIN)
            break;
        job = swap_job(hasher, job);
    }
    uv_mutex_lock(&hasher->mutex);
    if (job != NULL)
        list_push_back(&hasher->ready, &job->link);
    hasher->draining--;
    uv_cond_signal(&hasher->drained);
    uv_mutex_unlock(&hasher->mutex);
}

/* --- on the loop */

static void free_job(struct job *job)
{
    mem_free(job->job.data);
    rebuild_free(job->job.rebuild);
    mem_free(job->leaves);
    mem_free(job);
}

static void free_jobs(struct list *jobs)
{
    while (!list_empty(jobs)) {
        struct job *job = list_entry(jobs->next, struct job, link);

        list_remove(&job->link);
        free_job(job);
    }
}

static void tell(struct hasher *hasher, const struct job *job)
{
    struct hasher_result result = {
        .op = job->job.op, .err = job->result, .rebuild = job->job.rebuild};

    if (job->job.data != NULL)
        result.data = span_of(job->job.data, job->job.length);
    if (job->leaves != NULL)
        result.leaves = span_of(job->leaves, (size_t)merkle_blocks(job->job.length) * HASH_LENGTH);
    hasher->done(hasher->user, &result);
}

static void let_go(struct hasher *hasher)
{
    if (--hasher->handles > 0)
        return;
    free_jobs(&hasher->waiting);
    free_jobs(&hasher->ready);
    uv_cond_destroy(&hasher->drained);
    uv_mutex_destroy(&hasher->mutex);
    mem_free(hasher);
}

static void drain_done(uv_work_t *work, int status);

static bool needs_drain(struct hasher *hasher)
{
    bool needs;

    uv_mutex_lock(&hasher->mutex);
    needs = !list_empty(&hasher->waiting);
    hasher->draining += needs;
    uv_mutex_unlock(&hasher->mutex);
    return needs;
}

static void start_drains(struct hasher *hasher)
{
    while (hasher->drains < hasher->workers && hasher->drains < hasher->pending &&
           needs_drain(hasher)) {
        uv_work_t *work = mem_zalloc(sizeof *work);

        work->data = hasher;
        hasher->drains++;
        hasher->handles++;
        uv_queue_work(&hasher->loop->uv, work, drain, drain_done); /* fails only without a call */
    }
}

static void tell_finished(uv_async_t *async)
{
    struct hasher *hasher = async->data;
    struct list now;

    list_init(&now);
    uv_mutex_lock(&hasher->mutex);
    while (!list_empty(&hasher->ready)) {
        struct list *first = hasher->ready.next;

        list_remove(first);
        list_push_back(&now, first);
    }
    uv_mutex_unlock(&hasher->mutex);
    while (!list_empty(&now)) {
        struct job *job = list_entry(now.next, struct job, link);

        list_remove(&job->link);
        hasher->pending--;
        if (!hasher->freed) /* the owner may free it in here */
            tell(hasher, job);
        free_job(job);
    }
}

static void drain_done(uv_work_t *work, int status)
{
    struct hasher *hasher = work->data;

    (void)status;
    mem_free(work);
    hasher->drains--;
    if (!hasher->freed)
        tell_finished(&hasher->finished); /* the last job of a drain comes without a signal */
    if (!hasher->freed)
        start_drains(hasher);
    let_go(hasher);
}

static void async_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

void hasher_submit(struct hasher *hasher, const struct hasher_job *job)
{
    struct job *entry = mem_zalloc(sizeof *entry);

    entry->job = *job;
    list_init(&entry->link);
    uv_mutex_lock(&hasher->mutex);
    list_push_back(&hasher->waiting, &entry->link);
    uv_mutex_unlock(&hasher->mutex);
    hasher->pending++;
    start_drains(hasher);
}

size_t hasher_pending(const struct hasher *hasher)
{
    return hasher->pending;
}

static unsigned worker_count(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores < 1)
        return 1;
    return cores < WORKERS_MAX ? (unsigned)cores : WORKERS_MAX;
}

struct hasher *hasher_new(struct loop *loop,
                          void (*done)(void *user, const struct hasher_result *result), void *user)
{
    struct hasher *hasher = mem_zalloc(sizeof *hasher);

    hasher->loop = loop;
    hasher->done = done;
    hasher->user = user;
    hasher->workers = worker_count();
    hasher->handles = 1;
    list_init(&hasher->waiting);
    list_init(&hasher->ready);
    uv_mutex_init(&hasher->mutex);
    uv_cond_init(&hasher->drained);
    uv_async_init(&loop->uv, &hasher->finished, tell_finished);
    hasher->finished.data = hasher;
    uv_unref((uv_handle_t *)&hasher->finished); /* jobs keep the loop running, not their lack */
    return hasher;
}

void hasher_free(struct hasher *hasher)
{
    if (hasher == NULL)
        return;
    hasher->freed = true;
    atomic_store(&hasher->stop, true);
    uv_mutex_lock(&hasher->mutex);
    /* Until here a worker may be writing to a descriptor that the caller is about to close. */
    while (hasher->draining > 0)
        uv_cond_wait(&hasher->drained, &hasher->mutex);
    uv_mutex_unlock(&hasher->mutex);
    uv_close((uv_handle_t *)&hasher->finished, async_closed);
}
