#include "wire/tracker.h"

#include "base/limits.h"
#include "base/mem.h"
#include "wire/bencode.h"

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
 *   "failure reason"  bytes; then nothing else counts
 *   "interval"        integer, seconds
 *   "min interval"    integer, seconds
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

static void read_compact(struct bencode *in, uint8_t family, struct tracker_reply *ret)
{
    struct span bytes = bencode_bytes(in);
    size_t ip = family == 6 ? 16 : 4;

    if (bytes.length % (ip + 2) != 0)
        bencode_fail(in, ERR_SYNTAX);
    for (size_t at = 0; in->err == ERR_OK && at < bytes.length; at += ip + 2) {
        struct address address = {.family = family};
        memcpy(address.ip, bytes.data + at, ip);
        address.port = (uint16_t)(bytes.data[at + ip] << 8 | bytes.data[at + ip + 1]);
        add_peer(ret, &address);
    }
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

static void read_failure(struct bencode *in, struct tracker_reply *ret)
{
    struct span text = bencode_bytes(in);
    size_t length = text.length < sizeof ret->failure ? text.length : sizeof ret->failure - 1;

    for (size_t i = 0; i < length; i++)
        ret->failure[i] = text.data[i] >= 0x20 && text.data[i] < 0x7f ? (char)text.data[i] : '?';
    ret->failure[length] = '\0';
    /* A failure is one whether or not the tracker has words for it. */
    if (in->err == ERR_OK && length == 0)
        strcpy(ret->failure, "no reason given");
}

/* The longer of two waits. */
static void read_interval(struct bencode *in, int64_t *interval)
{
    int64_t value = bencode_int(in);

    if (value > *interval)
        *interval = value;
}

static uint32_t clamp_interval(int64_t interval)
{
    if (interval <= 0)
        return INTERVAL_DEFAULT_S;
    if (interval < INTERVAL_MIN_S)
        return INTERVAL_MIN_S;
    return interval > INTERVAL_MAX_S ? INTERVAL_MAX_S : (uint32_t)interval;
}

static void read_reply(struct bencode *in, struct tracker_reply *ret)
{
    struct span key = {NULL, 0};
    int64_t interval = 0;

    bencode_enter_dict(in);
    while (bencode_next_key(in, &key)) {
        if (span_is(key, "failure reason"))
            read_failure(in, ret);
        else if (span_is(key, "interval") || span_is(key, "min interval"))
            read_interval(in, &interval);
        else if (span_is(key, "peers"))
            read_peers(in, ret);
        else if (span_is(key, "peers6"))
            read_compact(in, 6, ret);
        else
            bencode_skip(in);
    }
    ret->interval_s = clamp_interval(interval);
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
