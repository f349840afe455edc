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

void daemon_resolved(void *user, uint64_t conn, enum err result, const struct address *address)
{
    struct daemon *daemon = user;
    struct dialling *dialling;

    HASH_FIND(hh, daemon->dialling, &conn, sizeof conn, dialling);
    if (dialling == NULL)
        return;
    if (result != ERR_OK)
        log_info("the super-node %.200s: %s", dialling->url, err_text(result));
    dialling_free(daemon, dialling);
    if (result != ERR_OK)
        failed(daemon, conn, result);
    else
        tcp_dial(daemon->tcp, conn, address);
}

void daemon_dial_done(struct daemon *daemon)
{
    while (daemon->dialling != NULL)
        daemon_dial_cancel(daemon, daemon->dialling->conn);
}
