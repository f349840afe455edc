#include "app/workers.h"

#include "app/progress.h"

#include <time.h>
#include <unistd.h>

void workers_init(struct workers *workers, void (*work)(void *user), void *user)
{
    *workers = (struct workers){.work = work, .user = user};
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->changed, NULL);
}

void workers_done(struct workers *workers)
{
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->lock);
}

void workers_add(struct workers *workers, uint64_t done)
{
    pthread_mutex_lock(&workers->lock);
    workers->done += done;
    pthread_mutex_unlock(&workers->lock);
}

static void *run_worker(void *argument)
{
    struct workers *workers = argument;
    workers->work(workers->user);
    pthread_mutex_lock(&workers->lock);
    workers->running--;
    pthread_cond_signal(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

static void wait_for_all(struct workers *workers, const char *what, uint64_t total)
{
    struct progress progress;
    progress_init(&progress, what, total);
    pthread_mutex_lock(&workers->lock);
    while (workers->running > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100 * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&workers->changed, &workers->lock, &until);
        progress_show(&progress, workers->done);
    }
    pthread_mutex_unlock(&workers->lock);
    progress_end(&progress);
}

static unsigned count_workers(unsigned max)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned most = max < WORKERS_MAX ? max : WORKERS_MAX;
    return cores < 1 ? 1 : cores > (long)most ? most : (unsigned)cores;
}

void workers_run(struct workers *workers, unsigned max, const char *what, uint64_t total)
{
    pthread_t threads[WORKERS_MAX];
    unsigned started = 0, wanted = count_workers(max);
    workers->running = wanted;
    while (started < wanted && pthread_create(&threads[started], NULL, run_worker, workers) == 0)
        started++;
    if (started == 0) {
        workers->running = 1;
        run_worker(workers);
    } else if (started < wanted) {
        pthread_mutex_lock(&workers->lock);
        workers->running -= wanted - started;
        pthread_mutex_unlock(&workers->lock);
    }
    wait_for_all(workers, what, total);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}
