/* Long work on all cores, with a progress bar. Layer: app. */
#pragma once

#include <pthread.h>
#include <stdint.h>

#define WORKERS_MAX 32

struct workers {
    pthread_mutex_t lock; /* for what they share as well */
    pthread_cond_t changed;
    void (*work)(void *user);
    void *user;
    unsigned running;
    uint64_t done;
};

void workers_init(struct workers *workers, void (*work)(void *user), void *user);
/* Runs `work` in as many threads as there are cores, but not over max, until each has returned.
 * `total` is what workers_add adds up to. */
void workers_run(struct workers *workers, unsigned max, const char *what, uint64_t total);
void workers_add(struct workers *workers, uint64_t done);
void workers_done(struct workers *workers);
