/* Our BEP 10 message `fringe_release`: what release of the site somebody has, and the release
 * itself (host/PROTOCOL.md 4.8). Layer: wire (pure).
 *
 * Only a hint, whoever sends it: a release counts after release_verify and after the site itself
 * has shown the same signature. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define FRINGE_SITE_MARK 8

enum fringe_release_kind {
    FRINGE_RELEASE_HAVE = 0,    /* "I have number seq" */
    FRINGE_RELEASE_ASK = 1,     /* "send me yours if its number is at least seq" */
    FRINGE_RELEASE_WHOLE = 2,   /* number seq itself */
    FRINGE_RELEASE_UNKNOWN = 3, /* of a later revision: to be ignored */
};

struct fringe_release {
    enum fringe_release_kind kind;
    uint8_t site_mark[FRINGE_SITE_MARK]; /* which site: one bundle may belong to several */
    uint64_t seq;                        /* 1 .. 2^53 - 1 */
    uint32_t hosts;                      /* that the sender knows of, to the nearest ten below */
    struct span json, signature;         /* WHOLE: borrowed; release.json and its .minisig */
};

/* The first bytes of SHA-256 of the site ("https://game.example"): who does not know the site
 * already does not learn it. */
void fringe_release_mark(const char *site, uint8_t ret_mark[FRINGE_SITE_MARK]);
/* ERR_UNSUPPORTED: of a later version, to be ignored. Else ERR_TRUNCATED, ERR_RANGE (seq, an empty
 * part), ERR_TOO_LARGE (over LIMIT_RELEASE or LIMIT_SIGNATURE). */
enum err fringe_release_decode(struct span payload, struct fringe_release *ret);
void fringe_release_encode(const struct fringe_release *msg, struct buf *out);
