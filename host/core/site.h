/* A site: the visitor's choice, the pinned key, its releases and swarms. Layer: core (pure).
 *
 *   site.c         the site itself, and the visitor's zone
 *   site_life.c    its releases: which is current, which older ones stay, when sharing ends
 *   site_fetch.c   a release from the origin, and the judgement of it
 *   site_learn.h   hearing of the next one: when the site is asked, and site_gossip.c
 *   site_update.c  what it has changed, in the background
 *   site_catalog.h where the files of a large site lie
 *
 * unknown -> fetching -> current <-> updating; current -> expired or blocked. A site that hears of
 * a newer release fetches it while the old one stays in use for the pages that belong to it. */
#pragma once

#include "core/node_impl.h"
#include "core/site_learn.h"
#include "wire/release.h"

#define SITE_RELEASES_KEPT 3
#define RELEASE_STAYS_MS   600000 /* an older one that no open page belongs to */

struct swarm;

/* One verified release. Its swarms belong to the site and may be shared between releases. */
struct site_release {
    struct release *release;
    struct swarm **swarms; /* per bundle, NULL: not needed yet; then those of its catalog in use */
    size_t swarm_count;
    char **firsts; /* per bundle of its catalog that is in use: the first path of it */
    struct site_catalog *catalog; /* site_catalog.h; NULL: not needed yet */
    uint64_t used_ms;             /* an older one: when a page last needed it */
    struct site_release *older;
};

/* A request that cannot be answered yet. */
/* A client's question that has no answer yet: in site.waiting, or in want.askers. */
struct waiting {
    struct list in_site;
    uint64_t client, deadline_ms;
    struct api_request request;
};

struct site {
    struct node *node;
    char name[LIMIT_SITE + 1];
    char token[33];           /* the gateway's, for this run */
    enum zone zone;           /* as chosen; ZONE_DEFAULT: not chosen */
    bool has_key, key_is_new; /* new: fetched, not yet proven by a release */
    struct minisign_key key;
    uint64_t seq;               /* highest accepted */
    struct buf json, signature; /* of the current release, for the store */
    bool fetching, old_asked;   /* old_asked: whether the old key has signed, too */
    bool blocked;               /* the key changed: nothing is shared until it is right again */
    bool was_live;              /* at the last tick */
    const char *reason;         /* why the last fetch failed; NULL: it did not */
    uint64_t tried_seq, retry_ms;
    struct site_learn learn;
    bool checking; /* fetching: the signature first, and all of it only when that is another */
    int shown;     /* the status that came with the signature */
    struct download get_json, get_signature, get_key, get_old; /* get_old: by the old key */
    struct site_release *current;                              /* newest first */
    struct list waiting, swarms;
    uint32_t waiting_count;
    uint32_t asker_count; /* of all wants */
    uint32_t origin_active;         /* asset fetches under way */
    uint64_t origin_not_before_ms;  /* Retry-After */
    uint64_t pieces_not_before_ms;  /* origin_trust.c */
    uint32_t origin_changed;        /* files in a row that are not the release's */
    uint32_t origin_hangs;          /* in a row */
    bool origin_tried, clock_heard; /* health.h, in this run */
    enum err origin_error;          /* of the last answer, or why there was none */
    int64_t clock_off_s;            /* how far we are ahead of its clock */
    uint64_t wasted;                /* bytes that came in vain: twice, or with another hash */
    uint64_t bytes[SOURCE_COUNT_], uploaded;
    uint64_t releases;            /* accepted in this run */
    bool served;                  /* by this super-node */
    struct supernode_site *super; /* what that needs; NULL: nothing yet */
    UT_hash_handle hh;
};

struct site *site_get(struct node *node, const char *name, bool create);
struct site *site_by_token(struct node *node, const char *token);
void site_free(struct site *site);

enum zone site_zone(const struct site *site); /* the choice, or the default */
void site_set_zone(struct site *site, enum zone zone);
void site_zone_changed(struct site *site); /* site_zone answers something else than before */
void site_apply_zone(struct site *site);   /* what may be used of it has changed */
bool site_may_use_peers(const struct site *site);
bool site_may_share(const struct site *site); /* now: fair use may forbid it for a while */
/* Does the publisher want visitors to be connected to super-nodes only, and to nobody else? */
bool site_has_supernodes_only(const struct site *site); /* swarm_supernode.c */
/* Has so little come in vain yet that something may be asked for twice? */
bool site_may_waste(const struct site *site);

/* --- site_fetch.c */
/* Sees to it that the release with that number (0: any) is there or on its way. */
void site_need(struct site *site, uint64_t seq);
void site_fetch_again(struct site *site); /* whatever is there; the caller sees to the pace */
/* Asks the site whether it has another release than ours; false: it is not the time for that. */
bool site_look(struct site *site);
void site_fetch_cancel(struct site *site);
void site_fetch_done(struct site *site);

/* --- site_life.c */
enum site_life {
    LIFE_UNKNOWN,
    LIFE_FETCHING,
    LIFE_CURRENT,
    LIFE_UPDATING, /* a newer release, or what it has changed, is on its way */
    LIFE_EXPIRED,
    LIFE_BLOCKED, /* for good, until the site shows another release */
};
enum site_life site_life(const struct site *site);
const char *site_life_name(enum site_life life);
const char *site_blocked_reason(const struct site *site); /* NULL: it is not */
bool site_is_live(const struct site *site);               /* may anything of it be used at all? */
/* The release for a page of that number (0: the current one), or NULL with *ret_reason (NULL:
 * wait). */
struct site_release *site_find_release(struct site *site, uint64_t seq, const char **ret_reason);
/* A verified release becomes the current one; takes it. */
void site_add_release(struct site *site, struct release *release);
/* A torrent of the current release is here, or an older release is about to go. */
void site_tell_ages(const struct site *site);
/* A document of that release is open, or has just been closed. */
void site_release_used(struct site *site, uint64_t seq);
void site_restore(struct node *node, const struct site_record *record);
struct swarm *site_find_swarm(struct site *site, const uint8_t infohash[HASH_LENGTH]);
/* The bundle's swarm, begun when it was not. */
struct swarm *site_release_swarm(struct site *site, struct site_release *release, size_t bundle);
void site_start_swarms(struct site *site);   /* of the current release, for a page */
void site_follow_release(struct site *site); /* the same when no page needs them yet */
/* At start, and when sharing goes on: what no page has asked for yet is given all the same. */
#define SITES_SHARED_AGAIN 64
void site_share_again(struct site *site);
void site_free_releases(struct site *site);
uint64_t site_life_tick(struct site *site);

/* --- site_update.c */
bool site_is_updating(const struct site *site); /* there must be a release */
/* How long to leave it to others to ask the site for what is new. */
uint64_t site_patience_ms(const struct site *site);
/* A new bundle: who has been a neighbour in the last version of it is known. */
void swarm_follow_older(struct swarm *swarm);
uint64_t site_update_tick(struct site *site);

void site_wait(struct site *site, uint64_t client, const struct api_request *request);
/* Does a page wait for a release that is not there? */
bool site_page_waits(const struct site *site);
/* Something changed: answers what can be answered now. */
void site_answer_waiting(struct site *site);
/* Answers asset.want; false: not known yet. */
bool site_answer_want(struct site *site, uint64_t client, const struct api_request *request);
void site_save(struct site *site);
/* Bytes that were asked for, and those of them that did not come from the site itself. At a
 * visitor: by its pages. At a super-node: by its visitors. */
void site_spared(const struct site *site, uint64_t *ret_asked, uint64_t *ret_shared);
uint32_t site_peer_count(const struct site *site);
uint64_t site_tick(struct site *site); /* does what is due; returns when to be woken next */
