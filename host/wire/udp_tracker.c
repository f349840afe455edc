#include "wire/udp_tracker.h"

#include "base/limits.h"
#include "wire/host_name.h"

#include <string.h>

/* --- URL */

enum err udp_tracker_url(const char *url, char ret_host[UDP_TRACKER_HOST], uint16_t *ret_port)
{
    if (strncmp(url, "udp://", 6) != 0)
        return ERR_BAD_URL;
    const char *host = url + 6;
    size_t length = host_name_length(host, strnlen(host, LIMIT_URL));
    unsigned port = host_port_parse(host + length, strcspn(host + length, "/"));
    if (length == 0 || length >= UDP_TRACKER_HOST || port == 0)
        return ERR_BAD_URL;
    if (*host == '[') {
        host++;
        length -= 2;
    }
    memcpy(ret_host, host, length);
    ret_host[length] = '\0';
    *ret_port = (uint16_t)port;
    return ERR_OK;
}

/* --- retries */

#define FIRST_TIMEOUT_MS 15000
#define LAST_ATTEMPT     8

uint32_t udp_tracker_timeout_ms(unsigned attempt)
{
    return attempt <= LAST_ATTEMPT ? (uint32_t)FIRST_TIMEOUT_MS << attempt : 0;
}

/* --- requests
 *
 *   connect   0  8  0x41727101980
 *             8  4  action, 0
 *            12  4  transaction
 *
 *   announce  0  8  connection          56  8  downloaded
 *             8  4  action, 1           64  8  left
 *            12  4  transaction         72  8  uploaded
 *            16 20  info-hash, cut      80  4  event: 0 none, 1 completed, 2 started, 3 stopped
 *            36 20  peer id             84  4  address, 0: the one that this comes from
 *                                       88  4  key
 *                                       92  4  how many peers
 *                                       96  2  port */

#define PROTOCOL_ID UINT64_C(0x41727101980)

void udp_tracker_put_connect(uint32_t transaction, struct buf *out)
{
    buf_put_u64(out, PROTOCOL_ID);
    buf_put_u32(out, UDP_TRACKER_CONNECT);
    buf_put_u32(out, transaction);
}

static uint32_t event_number(enum tracker_event event)
{
    switch (event) {
    case TRACKER_COMPLETED:
        return 1;
    case TRACKER_STARTED:
        return 2;
    case TRACKER_STOPPED:
        return 3;
    default:
        return 0;
    }
}

void udp_tracker_put_announce(uint64_t connection, uint32_t transaction,
                              const struct tracker_announce *announce, struct buf *out)
{
    buf_put_u64(out, connection);
    buf_put_u32(out, UDP_TRACKER_ANNOUNCE);
    buf_put_u32(out, transaction);
    buf_put(out, announce->infohash, SHORT_HASH_LENGTH);
    buf_put(out, announce->peer_id, PEER_ID_LENGTH);
    buf_put_u64(out, announce->downloaded);
    buf_put_u64(out, announce->left);
    buf_put_u64(out, announce->uploaded);
    buf_put_u32(out, event_number(announce->event));
    buf_put_u32(out, 0);
    buf_put_u32(out, announce->key);
    buf_put_u32(out, announce->num_want);
    buf_put_u16(out, announce->port);
}

/* --- replies
 *
 *   connect   0  4  action, 0           announce   0  4  action, 1
 *             4  4  transaction                    4  4  transaction
 *             8  8  connection                     8  4  interval, seconds
 *                                                 12  4  leechers
 *   error     0  4  action, 3                     16  4  seeders
 *             4  4  transaction                   20     peers, 6 or 18 bytes each
 *             8     text
 *
 * A connect reply may be longer, as BEP 15 says. */

static enum err read_announce(struct reader *in, uint8_t family, struct udp_tracker_reply *ret)
{
    ret->reply.interval_s = tracker_clamp_interval((int32_t)reader_u32(in));
    ret->reply.leechers = reader_u32(in);
    ret->reply.seeders = reader_u32(in);
    if (in->failed)
        return ERR_TRUNCATED;
    return tracker_reply_add(&ret->reply, reader_take(in, reader_left(in)), family);
}

static enum err read_error(struct reader *in, struct tracker_reply *ret)
{
    tracker_reply_fail(ret, reader_take(in, reader_left(in)));
    ret->interval_s = tracker_clamp_interval(0);
    return ERR_OK;
}

static enum err read_body(struct reader *in, uint32_t action, uint8_t family,
                          struct udp_tracker_reply *ret)
{
    ret->action = (enum udp_tracker_action)action;
    switch (action) {
    case UDP_TRACKER_CONNECT:
        ret->connection = reader_u64(in);
        return in->failed ? ERR_TRUNCATED : ERR_OK;
    case UDP_TRACKER_ANNOUNCE:
        return read_announce(in, family, ret);
    case UDP_TRACKER_ERROR:
        return read_error(in, &ret->reply);
    default:
        ret->action = UDP_TRACKER_ERROR;
        return ERR_UNSUPPORTED;
    }
}

enum err udp_tracker_decode(const uint8_t *data, size_t length, uint8_t family,
                            struct udp_tracker_reply *ret)
{
    struct reader in;

    *ret = (struct udp_tracker_reply){0};
    if (length > LIMIT_UDP_TRACKER_REPLY)
        return ERR_TOO_LARGE;
    reader_init(&in, data, length);
    uint32_t action = reader_u32(&in);
    ret->transaction = reader_u32(&in);
    enum err err = in.failed ? ERR_TRUNCATED : read_body(&in, action, family, ret);
    if (err != ERR_OK)
        udp_tracker_reply_done(ret);
    return err;
}

void udp_tracker_reply_done(struct udp_tracker_reply *reply)
{
    tracker_reply_done(&reply->reply);
    *reply = (struct udp_tracker_reply){0};
}
