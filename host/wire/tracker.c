#include "wire/tracker.h"

#include "base/limits.h"
#include "base/mem.h"
#include "wire/bencode.h"
#include "wire/compact.h"

#include <inttypes.h>
#include <string.h>

#define INTERVAL_DEFAULT_S 1800
#define INTERVAL_MIN_S     60
#define INTERVAL_MAX_S     86400

/* --- announce URL
 *
 *   base ("?" | "&") info_hash=..&peer_id=..&port=..&uploaded=..&downloaded=..&left=..
 *   &compact=1&numwant=..&key=<8 hex>[&event=started|completed|stopped]
 *
 * The two binary fields are percent-encoded except for RFC 3986's unreserved characters. */

static enum err check_base(const char *base)
{
    if (strnlen(base, LIMIT_URL + 1) > LIMIT_URL)
        return ERR_TOO_LARGE;
    if (strncmp(base, "udp://", 6) == 0)
        return ERR_UNSUPPORTED;
    size_t scheme = strncmp(base, "https://", 8) == 0 ? 8 : 7;
    if (scheme == 7 && strncmp(base, "http://", 7) != 0)
        return ERR_BAD_URL;
    if (base[scheme] == '\0' || strchr("/?#", base[scheme]) != NULL)
        return ERR_BAD_URL;
    for (const char *c = base; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '#')
            return ERR_BAD_URL;
    return ERR_OK;
}

static bool is_unreserved(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || (byte != 0 && strchr("-._~", byte) != NULL);
}

static void put_escaped(struct buf *out, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (is_unreserved(data[i]))
            buf_put_u8(out, data[i]);
        else
            buf_printf(out, "%%%02X", data[i]);
    }
}

enum err tracker_announce_url(const char *base, const struct tracker_announce *announce,
                              struct buf *out)
{
    static const char *const events[] = {
        [TRACKER_COMPLETED] = "completed",
        [TRACKER_STARTED] = "started",
        [TRACKER_STOPPED] = "stopped",
    };
    enum err err = check_base(base);
    if (err != ERR_OK)
        return err;
    buf_put_text(out, base);
    buf_put_text(out, strchr(base, '?') != NULL ? "&info_hash=" : "?info_hash=");
    put_escaped(out, announce->infohash, SHORT_HASH_LENGTH);
    buf_put_text(out, "&peer_id=");
    put_escaped(out, announce->peer_id, PEER_ID_LENGTH);
    buf_printf(out, "&port=%u&uploaded=%" PRIu64 "&downloaded=%" PRIu64 "&left=%" PRIu64,
               announce->port, announce->uploaded, announce->downloaded, announce->left);
    buf_printf(out, "&compact=1&numwant=%" PRIu32 "&key=%08" PRIx32, announce->num_want,
               announce->key);
    if (announce->event != TRACKER_NONE)
        buf_printf(out, "&event=%s", events[announce->event]);
    return out->failed ? ERR_TOO_LARGE : ERR_OK;
}

/* --- reply: a bencoded dict
 *
 *   "failure reason"  bytes; then nothing else counts but
 *   "retry in"        integer, minutes, or bytes "never" (BEP 31)
 *   "interval"        integer, seconds
 *   "min interval"    integer, seconds
 *   "complete", "incomplete"  integers: how many have everything, and how many have not
 *   "external ip"     4 or 16 bytes (BEP 24)
 *   "peers"           bytes, 6 a peer: 4 address, 2 port (BEP 23); or a list of dicts with
 *                     "ip" and "port" (BEP 3)
 *   "peers6"          bytes, 18 a peer: 16 address, 2 port (BEP 7) */

static void add_peer(struct tracker_reply *reply, const struct address *address)
{
    if (address->port == 0 || reply->count == LIMIT_TRACKER_PEERS)
        return;
    if (reply->peers == NULL)
        reply->peers = mem_calloc(LIMIT_TRACKER_PEERS, sizeof reply->peers[0]);
    reply->peers[reply->count++] = *address;
}

enum err tracker_reply_add(struct tracker_reply *reply, struct span compact, uint8_t family)
{
    if (!compact_fits(compact, family))
        return ERR_SYNTAX;
    size_t count = compact.length / compact_size(family);
    for (size_t i = 0; i < count && reply->count < LIMIT_TRACKER_PEERS; i++) {
        struct address address = compact_at(compact, family, i);
        add_peer(reply, &address);
    }
    return ERR_OK;
}

static void read_compact(struct bencode *in, uint8_t family, struct tracker_reply *ret)
{
    struct span bytes = bencode_bytes(in);

    if (in->err == ERR_OK && tracker_reply_add(ret, bytes, family) != ERR_OK)
        bencode_fail(in, ERR_SYNTAX);
}

/* A numeric address and a port. Host names are allowed by BEP 3, but nobody sends them and a
 * stranger shall not make us look names up. */
static bool make_address(struct span ip, int64_t port, struct address *ret)
{
    char text[ADDRESS_TEXT];
    const char *colon = ip.length > 0 ? memchr(ip.data, ':', ip.length) : NULL;

    if (port <= 0 || port > UINT16_MAX || ip.length > ADDRESS_TEXT - 9)
        return false;
    if (ip.length == 0 || memchr(ip.data, '\0', ip.length) != NULL)
        return false;
    char *end = text;
    if (colon != NULL)
        *end++ = '[';
    memcpy(end, ip.data, ip.length);
    end += ip.length;
    if (colon != NULL)
        *end++ = ']';
    *end++ = ':';
    *end++ = '1';
    *end = '\0';
    if (address_parse(text, ret) != ERR_OK)
        return false;
    ret->port = (uint16_t)port;
    return true;
}

static void read_peer(struct bencode *in, struct tracker_reply *ret)
{
    struct span key = {NULL, 0}, ip = {NULL, 0};
    int64_t port = 0;
    struct address address;

    bencode_enter_dict(in);
    while (bencode_next_key(in, &key)) {
        if (span_is(key, "ip"))
            ip = bencode_bytes(in);
        else if (span_is(key, "port"))
            port = bencode_int(in);
        else
            bencode_skip(in);
    }
    if (in->err == ERR_OK && make_address(ip, port, &address))
        add_peer(ret, &address);
}

static void read_peers(struct bencode *in, struct tracker_reply *ret)
{
    if (bencode_peek(in) != BENCODE_LIST) {
        read_compact(in, 4, ret);
        return;
    }
    bencode_enter_list(in);
    while (bencode_more(in))
        read_peer(in, ret);
}

void tracker_reply_fail(struct tracker_reply *reply, struct span reason)
{
    span_printable(reason, reply->failure, sizeof reply->failure);
    /* A failure is one whether or not the tracker has words for it. */
    if (reply->failure[0] == '\0')
        strcpy(reply->failure, "no reason given");
}

static void read_failure(struct bencode *in, struct tracker_reply *ret)
{
    struct span text = bencode_bytes(in);

    if (in->err == ERR_OK)
        tracker_reply_fail(ret, text);
}

static void read_retry(struct bencode *in, struct tracker_reply *ret)
{
    if (bencode_peek(in) != BENCODE_INT) {
        if (span_is(bencode_bytes(in), "never"))
            ret->retry_s = TRACKER_NEVER;
        return;
    }
    int64_t minutes = bencode_int(in);
    if (minutes > 0)
        ret->retry_s = minutes < INTERVAL_MAX_S / 60 ? (uint32_t)minutes * 60 : INTERVAL_MAX_S;
}

static void read_external(struct bencode *in, struct tracker_reply *ret)
{
    struct span ip = bencode_bytes(in);

    if (in->err != ERR_OK || (ip.length != 4 && ip.length != 16))
        return;
    struct address address = {.family = ip.length == 4 ? 4 : 6};
    memcpy(address.ip, ip.data, ip.length);
    ret->external = address_plain(&address);
}

static uint32_t read_count(struct bencode *in)
{
    int64_t value = bencode_int(in);

    if (value <= 0)
        return 0;
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

uint32_t tracker_clamp_interval(int64_t seconds)
{
    if (seconds <= 0)
        return INTERVAL_DEFAULT_S;
    if (seconds < INTERVAL_MIN_S)
        return INTERVAL_MIN_S;
    return seconds > INTERVAL_MAX_S ? INTERVAL_MAX_S : (uint32_t)seconds;
}

static void read_value(struct bencode *in, struct span key, int64_t *interval, int64_t *least,
                       struct tracker_reply *ret)
{
    if (span_is(key, "failure reason"))
        read_failure(in, ret);
    else if (span_is(key, "retry in"))
        read_retry(in, ret);
    else if (span_is(key, "interval"))
        *interval = bencode_int(in);
    else if (span_is(key, "min interval"))
        *least = bencode_int(in);
    else if (span_is(key, "complete"))
        ret->seeders = read_count(in);
    else if (span_is(key, "incomplete"))
        ret->leechers = read_count(in);
    else if (span_is(key, "external ip"))
        read_external(in, ret);
    else if (span_is(key, "peers"))
        read_peers(in, ret);
    else if (span_is(key, "peers6"))
        read_compact(in, 6, ret);
    else
        bencode_skip(in);
}

static void read_reply(struct bencode *in, struct tracker_reply *ret)
{
    struct span key = {NULL, 0};
    int64_t interval = 0, least = 0;

    bencode_enter_dict(in);
    while (bencode_next_key(in, &key))
        read_value(in, key, &interval, &least, ret);
    ret->interval_s = tracker_clamp_interval(interval > least ? interval : least);
    ret->min_interval_s = least > 0 ? tracker_clamp_interval(least) : 0;
}

enum err tracker_reply_parse(const uint8_t *data, size_t length, struct tracker_reply *ret)
{
    struct bencode in;

    *ret = (struct tracker_reply){0};
    if (length > LIMIT_TRACKER_REPLY)
        return ERR_TOO_LARGE;
    bencode_init(&in, data, length);
    read_reply(&in, ret);
    enum err err = bencode_finish(&in);
    if (err != ERR_OK)
        tracker_reply_done(ret);
    else if (ret->failure[0] != '\0')
        ret->count = 0;
    return err;
}

void tracker_reply_done(struct tracker_reply *reply)
{
    mem_free(reply->peers);
    *reply = (struct tracker_reply){0};
}
