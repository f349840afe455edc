#include "io/webroot.h"

#include "base/limits.h"
#include "base/list.h"
#include "io/table.h"
#include "wire/url.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_LENGTH KIB(256) /* in one turn of the loop */

struct webroot {
    struct loop *loop;
    struct http_events events;
    int folder;
    bool held;
    struct list jobs; /* each has its turn */
    struct job *table;
    struct loop_timer *turn;
    uint8_t buffer[READ_LENGTH];
};

struct job {
    struct list in_jobs;
    uint64_t op;
    char path[LIMIT_PATH + 1]; /* decoded; empty: not such as may be asked for */
    bool has_range, paced, headed;
    uint64_t at, end; /* of the file: what is still to be told */
    uint64_t max;
    int fd;
    UT_hash_handle hh;
};

static void job_free(struct webroot *webroot, struct job *job)
{
    list_remove(&job->in_jobs);
    HASH_DELETE(hh, webroot->table, job);
    if (job->fd >= 0)
        close(job->fd);
    mem_free(job);
}

static void done(struct webroot *webroot, struct job *job, enum err result, int status)
{
    uint64_t op = job->op;

    job_free(webroot, job);
    webroot->events.done(webroot->events.user, op, result, status, 0);
}

/* --- one step of a job: at most one event, and nothing is touched after it */

static enum err open_file(const struct webroot *webroot, struct job *job, uint64_t *ret_length)
{
    struct stat info;

    if (job->path[0] == '\0')
        return ERR_NOT_FOUND;
    job->fd = openat(webroot->folder, job->path + 1, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (job->fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? ERR_NOT_FOUND : ERR_IO;
    if (fstat(job->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ERR_NOT_FOUND;
    *ret_length = (uint64_t)info.st_size;
    return ERR_OK;
}

static void begin(struct webroot *webroot, struct job *job)
{
    struct http_head head = {.status = 200, .has_length = true};
    uint64_t length = 0;
    enum err err = open_file(webroot, job, &length);

    if (err != ERR_OK) {
        done(webroot, job, ERR_OK, err == ERR_NOT_FOUND ? 404 : 403);
        return;
    }
    if (job->has_range && job->at >= length) {
        done(webroot, job, ERR_OK, 416);
        return;
    }
    job->headed = true;
    if (!job->has_range || job->end > length)
        job->end = length;
    if (job->end - job->at > job->max) {
        done(webroot, job, ERR_TOO_LARGE, 200);
        return;
    }
    head.length = job->end - job->at;
    if (job->has_range) {
        head.status = 206;
        head.has_range = true;
        head.first = job->at;
        head.last = job->end - 1;
        head.total = length;
    }
    webroot->events.head(webroot->events.user, job->op, &head);
}

static void go_on(struct webroot *webroot, struct job *job)
{
    size_t wanted = job->end - job->at < READ_LENGTH ? (size_t)(job->end - job->at) : READ_LENGTH;

    if (wanted == 0) {
        done(webroot, job, ERR_OK, job->has_range ? 206 : 200);
        return;
    }
    ssize_t got = pread(job->fd, webroot->buffer, wanted, (off_t)job->at);
    if (got <= 0) { /* it has been cut meanwhile */
        done(webroot, job, ERR_NETWORK, 200);
        return;
    }
    job->at += (uint64_t)got;
    webroot->events.body(webroot->events.user, job->op, webroot->buffer, (size_t)got);
}

static struct job *next_job(struct webroot *webroot)
{
    list_for_each(link, next, &webroot->jobs)
    {
        struct job *job = list_entry(link, struct job, in_jobs);
        if (!webroot->held || !job->paced || !job->headed)
            return job;
    }
    return NULL;
}

static void take_turn(void *user)
{
    struct webroot *webroot = user;
    struct job *job = next_job(webroot);

    if (job == NULL)
        return; /* webroot_get or webroot_receive begins again */
    loop_timer_set(webroot->turn, 0);
    list_remove(&job->in_jobs);
    list_push_back(&webroot->jobs, &job->in_jobs);
    if (job->headed)
        go_on(webroot, job);
    else
        begin(webroot, job);
}

/* --- the public calls */

static void set_path(struct job *job, const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

    if (path == NULL || path_decode(path, strlen(path), job->path) != ERR_OK)
        job->path[0] = '\0';
}

void webroot_get(struct webroot *webroot, const struct http_request *request)
{
    struct job *job = mem_zalloc(sizeof *job);

    job->op = request->op;
    job->has_range = request->has_range;
    job->at = request->has_range ? request->first : 0;
    job->end = request->has_range ? request->last + 1 : UINT64_MAX;
    job->max = request->max;
    job->paced = request->paced;
    job->fd = -1;
    set_path(job, request->url);
    HASH_ADD(hh, webroot->table, op, sizeof job->op, job);
    list_push_back(&webroot->jobs, &job->in_jobs);
    loop_timer_set(webroot->turn, 0);
}

void webroot_cancel(struct webroot *webroot, uint64_t op)
{
    struct job *job;

    HASH_FIND(hh, webroot->table, &op, sizeof op, job);
    if (job != NULL)
        job_free(webroot, job);
}

void webroot_receive(struct webroot *webroot, bool held)
{
    webroot->held = held;
    if (!held)
        loop_timer_set(webroot->turn, 0);
}

enum err webroot_new(struct loop *loop, const char *folder, const struct http_events *events,
                     struct webroot **ret)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    struct webroot *webroot = mem_zalloc(sizeof *webroot);
    webroot->loop = loop;
    webroot->events = *events;
    webroot->folder = fd;
    list_init(&webroot->jobs);
    webroot->turn = loop_timer_new(loop, take_turn, webroot);
    *ret = webroot;
    return ERR_OK;
}

void webroot_free(struct webroot *webroot)
{
    if (webroot == NULL)
        return;
    while (webroot->table != NULL)
        job_free(webroot, webroot->table);
    close(webroot->folder);
    loop_timer_free(webroot->turn);
    mem_free(webroot);
}
