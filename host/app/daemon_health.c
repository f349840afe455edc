/* When the disk or the network fails, or is metered, or the power is a battery's: what the node
 * cannot see by itself. */
#include "app/daemon_impl.h"
#include "base/log.h"
#include "base/mem.h"

#define PROBE_MS 3000 /* a store that could not be written is looked at again */

/* --- the store */

/* Inside a step it waits for its turn. */
void daemon_store_failed(struct daemon *daemon, enum err why)
{
    if (why == ERR_OK || daemon->node == NULL)
        return;
    struct answer *answer = mem_zalloc(sizeof *answer);
    answer->event.kind = EVENT_STORE;
    answer->event.store.result = why;
    list_push_back(&daemon->answers, &answer->link);
    if (!daemon->probing)
        loop_timer_set(daemon->probe_timer, PROBE_MS);
    daemon->probing = true;
}

void daemon_health_stepped(struct daemon *daemon)
{
    if (daemon->probing || node_store_error(daemon->node) == ERR_OK)
        return;
    daemon->probing = true;
    loop_timer_set(daemon->probe_timer, PROBE_MS);
}

void daemon_health_probe(void *user)
{
    struct daemon *daemon = user;
    enum err err = store_probe(daemon->store);

    if (err == ERR_OK)
        err = daemon_cache_room(daemon);
    daemon->probing = false;
    if (err == ERR_OK && store_trouble(daemon->store) != ERR_OK) {
        log_warning("the cache can be written again: beginning anew with it");
        daemon->restart = true;
        loop_stop(&daemon->loop);
        return;
    }
    struct event event = {.kind = EVENT_STORE};
    event.store.result = err;
    daemon_step(daemon, &event);
    if (err == ERR_OK)
        daemon_flush_soon(daemon);
}

/* --- the network */

static void network_changed(void *user, bool online)
{
    struct event event = {.kind = EVENT_NETWORK};

    event.online = online;
    daemon_step(user, &event);
}

/* --- metered, battery */

static void surroundings_changed(void *user, const struct surroundings *now)
{
    struct event event = {.kind = EVENT_SURROUNDINGS, .surroundings = *now};

    daemon_step(user, &event);
}

void daemon_surroundings(struct daemon *daemon, bool on)
{
    surroundings_free(daemon->surroundings);
    daemon->surroundings =
        on ? surroundings_new(&daemon->loop, surroundings_changed, daemon) : NULL;
}

/* --- all */

void daemon_health_begin(struct daemon *daemon)
{
    struct event event = {.kind = EVENT_STORE};

    event.store.result = store_trouble(daemon->store);
    daemon_step(daemon, &event);
    if (network_new(&daemon->loop, network_changed, daemon, &daemon->network) != ERR_OK)
        log_warning("the system does not tell whether there is a network");
}

void daemon_health_end(struct daemon *daemon)
{
    network_free(daemon->network);
    daemon->network = NULL;
    daemon_surroundings(daemon, false);
}
