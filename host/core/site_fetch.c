/* How a site's release is got and judged: three small files from the origin, then every check at
 * once in release_verify, then what only we can know: the pinned key and the highest number. */
#include "base/mem.h"
#include "core/swarm.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MS   30000 /* after a failure */
#define TIMEOUT_MS 8000

static void judge(struct site *site);

/* --- the three files */

static void part_done(void *owner, struct download *download, enum err result, int status,
                      uint32_t retry_after_s)
{
    struct site *site = owner;

    (void)status;
    if (result != ERR_OK)
        buf_clear(&download->body);
    if (retry_after_s > 0)
        site->origin_not_before_ms = site->node->now_ms + retry_after_s * UINT64_C(1000);
    if (site->get_json.op != 0 || site->get_signature.op != 0 || site->get_key.op != 0)
        return;
    site->fetching = false;
    judge(site);
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
    site->tried_seq = seq;
    site->retry_ms = site->node->now_ms + RETRY_MS;
    site->reason = NULL;
    get_part(site, &site->get_json, "release.json", LIMIT_RELEASE);
    get_part(site, &site->get_signature, "release.json.minisig", LIMIT_SIGNATURE);
    if (!site->has_key)
        get_part(site, &site->get_key, "key.pub", LIMIT_PUBLIC_KEY);
}

static bool has_live(const struct site *site, uint64_t seq)
{
    for (struct site_release *entry = site->current; entry != NULL; entry = entry->older)
        if (seq == 0 || entry->release->seq == seq)
            return entry->release->expires > site->node->wall_s;
    return false;
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
    fetch(site, seq);
}

/* --- judgement */

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

static enum err verify_with(struct site *site, const struct minisign_key *key, struct release **ret,
                            struct reason *reason)
{
    return release_verify(site->get_json.body.data, site->get_json.body.length,
                          site->get_signature.body.data, site->get_signature.body.length, key,
                          site->name, site->node->wall_s, ret, reason);
}

/* The pinned key, or the one that the release in hand has named as its successor. */
static enum err verify(struct site *site, struct release **ret, struct minisign_key *ret_key,
                       struct reason *reason)
{
    struct minisign_key next;

    *ret_key = site->key;
    enum err err = verify_with(site, &site->key, ret, reason);

    if (err != ERR_WRONG_KEY || site->current == NULL)
        return err;
    const char *text = site->current->release->next_key;
    if (text == NULL || minisign_key_parse((const uint8_t *)text, strlen(text), &next) != ERR_OK)
        return err;
    if (verify_with(site, &next, ret, reason) != ERR_OK)
        return err;
    *ret_key = next;
    return ERR_OK;
}

static enum err check_number(const struct site *site, const struct release *release)
{
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
    list_for_each(link, next, &site->swarms)
        swarm_zone_changed(list_entry(link, struct swarm, in_site));
}

static void accept(struct site *site, struct release *release, const struct minisign_key *key)
{
    site->key = *key;
    site->key_is_new = false;
    if (site->current != NULL && release->seq == site->current->release->seq) {
        site->blocked = false; /* the same again */
        release_free(release);
        return;
    }
    buf_clear(&site->json);
    buf_clear(&site->signature);
    buf_put(&site->json, site->get_json.body.data, site->get_json.body.length);
    buf_put(&site->signature, site->get_signature.body.data, site->get_signature.body.length);
    site_add_release(site, release);
    site_save(site);
    if (site_may_share(site))
        site_start_swarms(site);
}

static void judge(struct site *site)
{
    struct release *release = NULL;
    struct reason reason = {""};
    struct minisign_key key;

    if (site->get_json.body.length == 0 || site->get_signature.body.length == 0) {
        site->reason = "no-release"; /* most sites have none: nothing to log */
        return;
    }
    if (first_key(site) != ERR_OK) {
        fail(site, "bad-signature", "the site's key.pub is missing or malformed");
        return;
    }
    enum err err = verify(site, &release, &key, &reason);
    if (err == ERR_OK)
        err = check_number(site, release);
    if (err == ERR_OK) {
        accept(site, release, &key);
        return;
    }
    release_free(release);
    if (err == ERR_WRONG_KEY && !site->key_is_new)
        block(site);
    else
        fail(site, reason_for(err), reason.text[0] != '\0' ? reason.text : err_text(err));
    forget_new_key(site);
}
