/* The files that `fringe publish` writes to a site beside its release, compiled into the
 * binary from extension/site/ (see app/site_files.cmake). Layer: app. */
#pragma once

#include <stddef.h>

extern const char site_worker[], site_worker_end[]; /* fringe-sw.js, the template */
extern const char site_enter[], site_enter_end[];   /* enter.html */

static inline size_t site_worker_length(void)
{
    return (size_t)(site_worker_end - site_worker);
}

static inline size_t site_enter_length(void)
{
    return (size_t)(site_enter_end - site_enter);
}
