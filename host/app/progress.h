/* A progress bar on stderr, when that is a terminal. Layer: app. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "hashing" */
    uint64_t total, start_ms, last_ms;
    bool shown; /* a bar stands on the terminal */
};

void progress_init(struct progress *progress, const char *what, uint64_t total);
/* Draws at most ten times a second, and nothing in the first half second. */
void progress_show(struct progress *progress, uint64_t done);
/* Takes the bar away, so that what comes next begins on a clean line. */
void progress_end(struct progress *progress);
