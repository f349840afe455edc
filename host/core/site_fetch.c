/* How a site's release is got and judged: three small files from the origin, then every check at
 * once in release_verify, then what only we can know: the pinned key and the highest number. */
#include "base/mem.h"
#include "core/swarm.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MS   30000 /* after a failure */
#define TIMEOUT_MS 8000

static enum site_showed judge(struct site *site);
static void checked(struct site *site);

/* What was refused must not be taken for known when the site says that it has not changed. */
static void looked(struct site *site, enum site_showed showed)
{
    if (site->fetching) /* more is asked for */
        return;
    if (showed == SITE_SHOWED_NOTHING)
        site->get_signature.validator[0] = '\0';
    site_learn_looked(site, showed);
}

/* --- the three files */

static void part_done(void *owner, struct download *download, enum err result, int status,
                      uint32_t retry_after_s)
{
    struct site *site = owner;

    health_tried(site, result);
    health_heard(site, download->date_s);
    if (download == &site->get_signature)
        site->shown = status;
    if (result != ERR_OK)
        buf_clear(&download->body);
    if (retry_after_s > 0)
        site->origin_not_before_ms = site->node->now_ms + retry_after_s * UINT64_C(1000);
    if (site->get_json.op != 0 || site->get_signature.op != 0 || site->get_key.op != 0 ||
        site->get_old.op != 0)
        return;
    site->fetching = false;
    if (site->checking)
        checked(site);
    else
        looked(site, judge(site));
    site_answer_waiting(site);
}

static void get_part(struct site *site, struct download *download, const char *name, size_t max)
{
    char url[LIMIT_SITE + 128];

    snprintf(url, sizeof url, "%s/.well-known/fringe/%s", site->name, name);
    download->owner = site;
    download->done = part_done;
    download_start(site->node, download, url, max, TIMEOUT_MS);
}

static void fetch(struct site *site, uint64_t seq)
{
    site->fetching = true;
    site->learn.by_push = false;
    site->tried_seq = seq;
    site->retry_ms = site->node->now_ms + RETRY_MS;
    site->reason = NULL;
    site->old_asked = false;
    download_done(&site->get_old);
    get_part(site, &site->get_json, "release.json", LIMIT_RELEASE);
    site->get_signature.conditional = false;
    get_part(site, &site->get_signature, "release.json.minisig", LIMIT_SIGNATURE);
    if (!site->has_key)
        get_part(site, &site->get_key, "key.pub", LIMIT_PUBLIC_KEY);
}

void site_fetch_again(struct site *site)
{
    if (!site->fetching)
        fetch(site, 0);
}

bool site_look(struct site *site)
{
    if (site->fetching || site->node->now_ms < site->origin_not_before_ms)
        return false;
    site->fetching = site->checking = true;
    site->old_asked = false;
    download_done(&site->get_old);
    site->get_signature.conditional = site->signature.length > 0;
    get_part(site, &site->get_signature, "release.json.minisig", LIMIT_SIGNATURE);
    return true;
}

static bool has_live(const struct site *site, uint64_t seq)
{
    for (struct site_release *entry = site->current; entry != NULL; entry = entry->older)
        if (seq == 0 || entry->release->seq == seq)
            return entry->release->expires > site->node->wall_s;
    return false;
}

void site_fetch_cancel(struct site *site)
{
    download_cancel(site->node, &site->get_json);
    download_cancel(site->node, &site->get_signature);
    download_cancel(site->node, &site->get_key);
    download_cancel(site->node, &site->get_old);
    site->fetching = site->checking = false;
}

void site_fetch_done(struct site *site)
{
    site_fetch_cancel(site);
    download_done(&site->get_json);
    download_done(&site->get_signature);
    download_done(&site->get_key);
    download_done(&site->get_old);
}

void site_need(struct site *site, uint64_t seq)
{
    if (site->fetching || (!site->blocked && has_live(site, seq)))
        return;
    /* An old page of a site whose release has moved on: no fetch can bring the old one back. */
    bool old_page = seq != 0 && seq < site->seq && has_live(site, 0);
    if (old_page && !site->blocked)
        return;
    /* A number that was not tried yet deserves a try at once; anything else waits. */
    bool fresh = seq > site->seq && seq != site->tried_seq;
    if (!fresh && site->node->now_ms < site->retry_ms)
        return;
    if (site->node->now_ms < site->origin_not_before_ms)
        return;
    if (site_learn_confirm_now(site, seq))
        site->tried_seq = seq;
    else
        fetch(site, seq);
}

/* --- judgement */

struct verdict {
    struct release *release;
    struct minisign_key key; /* that signed it */
    bool both;               /* it takes over from the pinned one, which has signed, too */
};

static const char *reason_for(enum err err)
{
    switch (err) {
    case ERR_BAD_SIGNATURE:
    case ERR_WRONG_KEY:
        return "bad-signature";
    case ERR_WRONG_SITE:
        return "wrong-site";
    case ERR_EXPIRED:
        return "expired";
    case ERR_ROLLBACK:
        return "rollback";
    default:
        return "bad-release";
    }
}

static void fail(struct site *site, const char *reason, const char *text)
{
    site->reason = reason;
    node_log_once(site->node, span_text(site->name), "%s: the release is refused (%s): %s",
                  site->name, reason, text);
}

static void forget_new_key(struct site *site)
{
    if (!site->key_is_new)
        return;
    site->has_key = site->key_is_new = false;
}

/* Pins the key at first use: over TLS, from the site itself, and only together with a release
 * that it signed. */
static enum err first_key(struct site *site)
{
    if (site->has_key)
        return ERR_OK;
    enum err err =
        minisign_key_parse(site->get_key.body.data, site->get_key.body.length, &site->key);
    if (err == ERR_OK)
        site->has_key = site->key_is_new = true;
    return err;
}

static enum err verify_with(struct site *site, const struct download *signature,
                            const struct minisign_key *key, struct release **ret,
                            struct reason *reason)
{
    return release_verify(site->get_json.body.data, site->get_json.body.length,
                          signature->body.data, signature->body.length, key, site->name,
                          site->node->wall_s, ret, reason);
}

/* By the key that the release in hand has named as its successor. */
static bool verify_announced(struct site *site, struct verdict *ret, struct reason *reason)
{
    const char *text = site->current != NULL ? site->current->release->next_key : NULL;

    return text != NULL &&
           minisign_key_parse((const uint8_t *)text, strlen(text), &ret->key) == ERR_OK &&
           verify_with(site, &site->get_signature, &ret->key, &ret->release, reason) == ERR_OK;
}

/* By both keys: the old one's signature says which is the new one. */
static bool verify_both(struct site *site, struct verdict *ret, struct reason *reason)
{
    struct release *by_old = NULL;

    if (site->get_old.body.length == 0 ||
        verify_with(site, &site->get_old, &site->key, &by_old, reason) != ERR_OK)
        return false;
    const char *text = by_old->next_key;
    ret->both = text != NULL &&
                minisign_key_parse((const uint8_t *)text, strlen(text), &ret->key) == ERR_OK &&
                verify_with(site, &site->get_signature, &ret->key, &ret->release, reason) == ERR_OK;
    release_free(by_old);
    return ret->both;
}

/* The pinned key, or one that takes over from it (PROTOCOL.md 1.3). */
static enum err verify(struct site *site, struct verdict *ret, struct reason *reason)
{
    *ret = (struct verdict){.key = site->key};
    enum err err = verify_with(site, &site->get_signature, &site->key, &ret->release, reason);

    if (err != ERR_WRONG_KEY || verify_announced(site, ret, reason) ||
        verify_both(site, ret, reason))
        return err == ERR_WRONG_KEY ? ERR_OK : err;
    return err;
}

static enum err check_number(const struct site *site, const struct verdict *verdict)
{
    const struct release *release = verdict->release;

    if (verdict->both) /* it may begin anew */
        return ERR_OK;
    if (release->seq < site->seq)
        return ERR_ROLLBACK;
    bool same_bytes = span_equal(span_of(site->json.data, site->json.length),
                                 span_of(site->get_json.body.data, site->get_json.body.length));
    /* Two releases of one number: somebody shows different visitors different files. */
    if (release->seq == site->seq && site->current != NULL && !same_bytes)
        return ERR_ROLLBACK;
    return ERR_OK;
}

static void block(struct site *site)
{
    fail(site, "key-changed",
         "it is signed by a key that is not the one of the first visit; nothing is shared");
    site->blocked = true;
    site_save(site);
    site_apply_zone(site);
}

static bool is_same(const struct site *site, const struct release *release)
{
    return site->current != NULL && release->seq == site->current->release->seq &&
           span_equal(span_of(site->json.data, site->json.length),
                      span_of(site->get_json.body.data, site->get_json.body.length));
}

/* What may be used of the site has changed, or it is to be said for the first time. */
static void go_on(struct site *site)
{
    site_save(site);
    site_apply_zone(site);
    if (site_may_share(site) ||
        (site->current != NULL && site->current->older != NULL && site_may_use_peers(site)))
        site_follow_release(site);
    site_learn_tell(site);
}

static void keep(struct buf *buf, const struct buf *bytes)
{
    buf_clear(buf);
    buf_put(buf, bytes->data, bytes->length);
}

static void accept(struct site *site, const struct verdict *verdict)
{
    struct release *release = verdict->release;
    bool same = is_same(site, release);

    site->key = verdict->key;
    site->key_is_new = false;
    keep(&site->json, &site->get_json.body);
    keep(&site->signature, &site->get_signature.body);
    if (release_is_empty(release) && !same)
        site_learn_tell_the_end(site, release->seq);
    if (same) {
        site->blocked = false;
        release_free(release);
    } else {
        site_add_release(site, release);
    }
    go_on(site);
}

/* Another key than the pinned one: has the old one signed as well? True: that is being asked. */
static bool ask_old_key(struct site *site, enum err err)
{
    if (err != ERR_WRONG_KEY || site->key_is_new || site->old_asked)
        return false;
    site->old_asked = site->fetching = true;
    get_part(site, &site->get_old, "release.json.old.minisig", LIMIT_SIGNATURE);
    return true;
}

static enum site_showed judge(struct site *site)
{
    struct reason reason = {""};
    struct verdict verdict;

    if (site->get_json.body.length == 0 || site->get_signature.body.length == 0) {
        site->reason = "no-release"; /* most sites have none: nothing to log */
        return SITE_SHOWED_NOTHING;
    }
    if (first_key(site) != ERR_OK) {
        fail(site, "bad-signature", "the site's key.pub is missing or malformed");
        return SITE_SHOWED_NOTHING;
    }
    enum err err = verify(site, &verdict, &reason);
    if (ask_old_key(site, err))
        return SITE_SHOWED_NOTHING;
    if (err == ERR_OK)
        err = check_number(site, &verdict);
    if (err == ERR_OK) {
        accept(site, &verdict);
        return SITE_SHOWED_A_RELEASE;
    }
    release_free(verdict.release);
    if (err == ERR_WRONG_KEY && !site->key_is_new)
        block(site);
    else
        fail(site, reason_for(err), reason.text[0] != '\0' ? reason.text : err_text(err));
    forget_new_key(site);
    return SITE_SHOWED_NOTHING;
}

/* --- has the site another one? */

static bool is_body(const struct download *download, const struct buf *other)
{
    return span_equal(span_of(download->body.data, download->body.length),
                      span_of(other->data, other->length));
}

static void take_pushed(struct site *site)
{
    struct buf *body = &site->get_json.body;

    buf_done(body);
    buf_init(body, LIMIT_RELEASE);
    buf_put(body, site->learn.json.data, site->learn.json.length);
    site->learn.by_push = true;
    looked(site, judge(site));
}

/* The right key's release is back. */
static void unblock(struct site *site)
{
    if (!site->blocked)
        return;
    site->blocked = false;
    go_on(site);
}

/* The signature alone has come: it is 350 bytes, and says whether the rest is worth asking for. */
static void checked(struct site *site)
{
    struct download *shown = &site->get_signature;

    site->checking = false;
    if (site->shown == 304 || (shown->body.length > 0 && is_body(shown, &site->signature))) {
        unblock(site);
        looked(site, SITE_SHOWED_THE_SAME);
    } else if (shown->body.length == 0) {
        looked(site, SITE_SHOWED_NOTHING);
    } else if (site->learn.seq > 0 && is_body(shown, &site->learn.signature)) {
        take_pushed(site);
    } else {
        site->fetching = true;
        site->learn.by_push = false;
        get_part(site, &site->get_json, "release.json", LIMIT_RELEASE);
    }
}
