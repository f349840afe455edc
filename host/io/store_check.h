/* A look at a store from outside: takes no lock and changes nothing, so it may be done while a
 * daemon runs. Layer: io. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct store_check {
    bool there;                   /* is there an index? */
    int schema;                   /* its number */
    int schema_known;             /* the highest that this program knows */
    char trouble[256];            /* what SQLite finds wrong with it; empty: nothing */
    uint64_t files, bytes;        /* that it names; of those bytes that are verified */
    uint64_t missing;             /* that it names and that are not there */
    uint64_t strays, stray_bytes; /* that are there for a minute and that it does not name */
    bool all_seen;                /* false: there were too many files to look at each */
    bool put_aside;               /* a broken index lies beside it */
};

/* ERR_OK when an answer could be had, be it bad. ERR_BUSY, ERR_READ_ONLY (SQLite could not even
 * read), ERR_IO. */
enum err store_check(const char *dir, struct store_check *ret);
