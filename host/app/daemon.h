/* The daemon: one node of the core, wired to the adapters. Layer: app.
 *
 *   adapters' callbacks -> daemon_step(event) -> node_step -> effects -> adapters
 *
 * Everything runs on one loop. What an effect answers at once (a torrent or content state from
 * the store) is queued and stepped after the effects of the step at hand, so the node is never
 * entered twice. */
#pragma once

#include "base/err.h"
#include "base/limits.h"
#include "wire/address.h"
#include "wire/api.h"

#include <stdbool.h>

struct daemon_options {
    const char *data, *socket, *ca_file; /* ca_file NULL: the system's */
    struct address listen[LIMIT_LISTEN]; /* port 0: any; all are on the first one's */
    size_t listen_count;
    struct address peers[32];
    size_t peer_count;
    bool no_port_map;     /* the home router is not asked */
    enum zone zone;       /* for sites not chosen yet */
    bool local_discovery; /* whatever the setting */
    uint32_t idle_exit_s; /* end so long after the last client; 0: stay */
    /* A super-node (cmd_supernode.c). */
    bool supernode;
    const char *sites[LIMIT_SUPERNODE_SITES];
    size_t site_count;
    struct address websocket, metrics; /* family 0: not */
    const char *webroot;               /* the site's folder; NULL: all is fetched from the site */
    uint32_t connections;              /* at once; 0: as for a visitor */
};

/* Runs until it is told to stop. ERR_BUSY: another daemon has that data folder or socket. */
/* ERR_MORE: it is to be run again, from the beginning: the cache can be written now. */
enum err daemon_run(const struct daemon_options *options);
