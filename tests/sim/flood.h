/* A script that says too much of one thing, every few milliseconds, on all its connections. */
#pragma once

#include "script.h"

enum flood_kind {
    FLOOD_NAMES,         /* peers that there are not (BEP 11), far too often */
    FLOOD_NAMES_SLOWLY,  /* as often as is allowed */
    FLOOD_CLAIMS,        /* of pieces, by visitors that there are not */
    FLOOD_HASH_REQUESTS, /* BEP 52 */
    FLOOD_HASHES,        /* that nobody asked for, and that do not prove */
    FLOOD_INFO_REQUESTS, /* BEP 9 */
    FLOOD_HAVES,         /* gained and lost */
    FLOOD_WORDS,         /* messages that nobody knows */
    FLOOD_KINDS_
};

/* Its flags must say `extended`. It goes on until script->flooding is set to false. */
void flood_begin(struct script *script, enum flood_kind kind);
