/* Dials peers, and super-nodes by their names. */
#include "app/daemon_impl.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/supernode_url.h"

#include <string.h>

struct dialling {
    uint64_t conn;
    char *url;
    UT_hash_handle hh;
};

static void dialling_free(struct daemon *daemon, struct dialling *dialling)
{
    HASH_DEL(daemon->dialling, dialling);
    mem_free(dialling->url);
    mem_free(dialling);
}

void daemon_dial(struct daemon *daemon, const struct effect *effect)
{
    const char *text = (const char *)effect->text.data;
    struct supernode_url url;

    if (effect->text.length == 0) {
        tcp_dial(daemon->tcp, effect->peer.conn, &effect->peer.to);
        return;
    }
    struct dialling *dialling = mem_zalloc(sizeof *dialling);
    dialling->conn = effect->peer.conn;
    dialling->url = mem_strdup(text);
    HASH_ADD(hh, daemon->dialling, conn, sizeof dialling->conn, dialling);
    /* The release was refused if it were none; then "invalid." is not found. */
    bool good = supernode_url_parse(text, &url);
    resolver_ask(daemon->resolver, dialling->conn, good ? url.host : "invalid.", url.port,
                 effect->peer.public_only);
}

void daemon_dial_cancel(struct daemon *daemon, uint64_t conn)
{
    struct dialling *dialling;

    HASH_FIND(hh, daemon->dialling, &conn, sizeof conn, dialling);
    if (dialling == NULL)
        return;
    resolver_cancel(daemon->resolver, conn);
    dialling_free(daemon, dialling);
}

static void failed(struct daemon *daemon, uint64_t conn, enum err why)
{
    struct event event = {.kind = EVENT_PEER_CLOSED};

    event.peer.conn = conn;
    event.peer.why = why;
    daemon_step(daemon, &event);
}

enum err daemon_open_ws(struct daemon *daemon)
{
    const struct daemon_options *options = daemon->options;
    const struct ws_options wanted = {.ca_file = options->ca_file,
                                      .listen = options->websocket,
                                      .metrics = options->metrics,
                                      .places = options->connections};
    const struct ws_events events = {
        daemon,           daemon_peer_opened, daemon_peer_bytes,
        daemon_peer_sent, daemon_peer_closed, daemon_supernode_metrics};

    if (daemon->ws != NULL)
        return ERR_OK;
    return ws_new(&daemon->loop, &wanted, &events, &daemon->ws);
}

static enum err connect_to(struct daemon *daemon, const struct dialling *dialling,
                           const struct address *address)
{
    struct supernode_url url;

    if (!supernode_url_parse(dialling->url, &url))
        return ERR_BAD_URL;
    if (!url.websocket) {
        tcp_dial(daemon->tcp, dialling->conn, address);
        return ERR_OK;
    }
    enum err err = daemon_open_ws(daemon);
    const struct ws_target target = {
        .address = *address, .tls = url.tls, .authority = url.authority, .path = url.path};
    if (err == ERR_OK)
        ws_dial(daemon->ws, dialling->conn, &target);
    return err;
}

void daemon_resolved(void *user, uint64_t conn, enum err result, const struct address *address)
{
    struct daemon *daemon = user;
    struct dialling *dialling;

    HASH_FIND(hh, daemon->dialling, &conn, sizeof conn, dialling);
    if (dialling == NULL)
        return;
    if (result != ERR_OK)
        log_info("the super-node %.200s: %s", dialling->url, err_text(result));
    if (result == ERR_OK)
        result = connect_to(daemon, dialling, address);
    dialling_free(daemon, dialling);
    if (result != ERR_OK)
        failed(daemon, conn, result);
}

void daemon_dial_done(struct daemon *daemon)
{
    while (daemon->dialling != NULL)
        daemon_dial_cancel(daemon, daemon->dialling->conn);
}
