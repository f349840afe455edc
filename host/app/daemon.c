#include "app/daemon.h"

#include "app/daemon_impl.h"
#include "base/log.h"
#include "base/mem.h"

#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILES_WANTED 4096
#define FAREWELL_MS  500
#define FLUSH_MS     500   /* stored pieces are recorded in batches */
#define SYNC_MS      31000 /* and synced when they have rested for a while */

/* --- events */

static void set_timer(struct daemon *daemon)
{
    uint64_t deadline = node_deadline(daemon->node), now = loop_now_ms(&daemon->loop);

    if (deadline == UINT64_MAX)
        loop_timer_stop(daemon->timer);
    else
        loop_timer_set(daemon->timer, deadline > now ? deadline - now : 0);
}

static void step_one(struct daemon *daemon, struct event *event)
{
    event->now_ms = loop_now_ms(&daemon->loop);
    event->wall_s = loop_wall_s();
    node_step(daemon->node, event, &daemon->update);
    daemon_carry_out(daemon, &daemon->update);
    update_clear(&daemon->update);
}

static void load_torrent(struct daemon *daemon, struct answer *answer)
{
    buf_init(&answer->torrent, LIMIT_TORRENT);
    answer->event.store.result =
        store_load_torrent(daemon->store, answer->infohash, &answer->torrent);
    answer->event.store.torrent = span_of(answer->torrent.data, answer->torrent.length);
}

/* What effects have answered at once, one after the other. */
static void step_answers(struct daemon *daemon)
{
    while (!list_empty(&daemon->answers)) {
        struct answer *answer = list_entry(daemon->answers.next, struct answer, link);
        list_remove(&answer->link);
        if (answer->loads_torrent)
            load_torrent(daemon, answer);
        step_one(daemon, &answer->event);
        buf_done(&answer->torrent);
        bitfield_done(&answer->have);
        mem_free(answer);
    }
}

void daemon_step(struct daemon *daemon, struct event *event)
{
    if (daemon->node == NULL || daemon->ending)
        return; /* on the way out */
    step_one(daemon, event);
    step_answers(daemon);
    tcp_flush(daemon->tcp);
    if (daemon->ws != NULL)
        ws_flush(daemon->ws);
    set_timer(daemon);
    daemon_supernode_stepped(daemon);
    daemon_health_stepped(daemon);
}

void daemon_look_for_router(struct daemon *daemon)
{
    if (daemon->node != NULL)
        portmap_want(daemon->portmap, node_uses_peers(daemon->node));
}

static void timer_fired(void *user)
{
    struct daemon *daemon = user;

    if (daemon->ending) {
        loop_stop(&daemon->loop);
        return;
    }
    daemon_step(daemon, &(struct event){.kind = EVENT_TICK});
    daemon_look_for_router(daemon);
}

static void idle_fired(void *user)
{
    struct daemon *daemon = user;

    if (control_clients(daemon->control) > 0)
        return;
    log_info("no client for %u s: ending", daemon->options->idle_exit_s);
    loop_stop(&daemon->loop);
}

static void flush_fired(void *user)
{
    struct daemon *daemon = user;
    enum err err = store_flush(daemon->store);

    daemon->flush_due = false;
    if (err != ERR_OK) {
        log_error("the cache index cannot be written: %s", err_text(err));
        daemon_store_failed(daemon, err);
        daemon_step(daemon, &(struct event){.kind = EVENT_TICK});
    }
    daemon_cache_flush(daemon);
    daemon_shared_flush(daemon);
    daemon_log_flush(daemon);
    if (store_waits_for_sync(daemon->store))
        loop_timer_set(daemon->flush_timer, SYNC_MS);
}

/* While there is always something new, it is still written every FLUSH_MS. */
void daemon_flush_soon(struct daemon *daemon)
{
    if (daemon->flush_due)
        return;
    daemon->flush_due = true;
    loop_timer_set(daemon->flush_timer, FLUSH_MS);
}

/* --- birth */

static void signalled(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    (void)number;
    if (!daemon_supernode_drain(daemon))
        loop_stop(&daemon->loop);
}

static void watch_signals(struct daemon *daemon)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&daemon->loop.uv, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        uv_signal_start(&daemon->signals[i], signalled, numbers[i]);
    }
}

static void make_node(struct daemon *daemon)
{
    const struct daemon_options *options = daemon->options;
    struct node_config config = {.default_zone = options->zone,
                                 .listen = options->listen[0],
                                 .listen_too_count = options->listen_count - 1};
    char gateway[64];

    snprintf(gateway, sizeof gateway, "http://127.0.0.1:%u",
             (unsigned)gateway_port(daemon->gateway));
    randombytes_buf(config.seed, sizeof config.seed);
    config.listen.port = tcp_port(daemon->tcp);
    memcpy(config.listen_too, options->listen + 1,
           config.listen_too_count * sizeof *config.listen_too);
    memcpy(config.peers, options->peers, sizeof config.peers);
    config.peer_count = options->peer_count;
    config.local_discovery = options->local_discovery;
    config.supernode = options->supernode;
    config.tells_transfers = daemon->transfers != NULL;
    config.has_folder = options->webroot != NULL;
    memcpy(config.sites, options->sites, sizeof config.sites);
    config.site_count = options->site_count;
    config.connections = options->connections;
    config.start_ms = loop_now_ms(&daemon->loop);
    config.version = FRINGE_VERSION;
    config.gateway = gateway;
    config.data = options->data;
    config.pid = (uint64_t)getpid();
    daemon->node = node_new(&config);
}

static void restore_site(void *user, const struct store_site *site)
{
    struct daemon *daemon = user;
    struct site_record record = {.site = site->site,
                                 .zone = site->zone,
                                 .has_key = site->has_key,
                                 .blocked = site->blocked,
                                 .key = site->key,
                                 .seq = site->seq,
                                 .release = site->release,
                                 .signature = site->signature};
    struct event event = {.kind = EVENT_RESTORED, .restored = &record};

    /* The store is in the middle of a query: what the node wants of it waits in the answers. */
    step_one(daemon, &event);
}

static enum err restore(struct daemon *daemon)
{
    struct settings_record record;
    struct event event = {.kind = EVENT_SETTINGS, .settings = &record};

    daemon_load_settings(daemon, &record);
    step_one(daemon, &event);
    daemon_cache_set_quota(daemon, node_settings(daemon->node).settings[SETTING_CACHE_QUOTA]);
    enum err err = store_each_site(daemon->store, restore_site, daemon);
    if (err != ERR_OK)
        log_error("cannot read the known sites: %s", err_text(err));
    timer_fired(daemon);
    return err;
}

/* --- death */

/* Trackers hear that we go, or they would send others to us for half an hour. Their answers matter
 * to nobody, so the requests get a moment to leave, and no more. */
static void say_farewell(struct daemon *daemon)
{
    node_farewell(daemon->node, &daemon->update);
    bool any = daemon->update.count > 0;
    daemon_carry_out(daemon, &daemon->update);
    update_clear(&daemon->update);
    daemon->ending = true;
    if (!any)
        return;
    loop_timer_set(daemon->timer, FAREWELL_MS);
    loop_run(&daemon->loop);
}

static void close_loop(struct daemon *daemon)
{
    loop_timer_free(daemon->timer);
    loop_timer_free(daemon->flush_timer);
    loop_timer_free(daemon->idle_timer);
    loop_timer_free(daemon->report_timer);
    loop_timer_free(daemon->probe_timer);
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&daemon->signals[i], NULL);
    loop_done(&daemon->loop);
}

/* Pieces are allocated here and freed by workers, megabytes at a time: without this the heap's top
 * goes back to the system and comes again, page fault by page fault. */
static void keep_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, MIB(1));
    mallopt(M_TRIM_THRESHOLD, MIB(8));
    mallopt(M_TOP_PAD, MIB(1));
}

/* Cached content, peers and gateway together may need more files than the usual soft limit. */
static void raise_file_limit(uint32_t connections)
{
    struct rlimit limit;
    rlim_t wanted = FILES_WANTED + connections;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_max < connections)
        log_warning("only %llu files can be open, which is less than --connections %u",
                    (unsigned long long)limit.rlim_max, (unsigned)connections);
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("only few files can be open at once");
}

enum err daemon_run(const struct daemon_options *options)
{
    struct daemon daemon = {.options = options};

    keep_heap();
    raise_file_limit(options->connections);
    enum err err = loop_init(&daemon.loop);
    if (err != ERR_OK)
        return err;
    list_init(&daemon.answers);
    update_init(&daemon.update);
    daemon.timer = loop_timer_new(&daemon.loop, timer_fired, &daemon);
    daemon.flush_timer = loop_timer_new(&daemon.loop, flush_fired, &daemon);
    daemon.idle_timer = loop_timer_new(&daemon.loop, idle_fired, &daemon);
    daemon.report_timer = loop_timer_new(&daemon.loop, daemon_supernode_report, &daemon);
    daemon.probe_timer = loop_timer_new(&daemon.loop, daemon_health_probe, &daemon);
    watch_signals(&daemon);
    err = daemon_open_adapters(&daemon);
    if (err == ERR_OK) {
        daemon_log_open(&daemon);
        daemon_cache_open(&daemon);
        daemon_shared_open(&daemon);
        make_node(&daemon);
        daemon_open_portmap(&daemon);
        err = restore(&daemon);
    }
    if (err == ERR_OK)
        err = daemon_open_control(&daemon);
    if (err == ERR_OK) {
        daemon_arm_idle_exit(&daemon);
        log_info("ready: socket %s, peers' port %u, gateway port %u", options->socket,
                 (unsigned)tcp_port(daemon.tcp), (unsigned)gateway_port(daemon.gateway));
        daemon_supernode_begin(&daemon);
        daemon_health_begin(&daemon);
        loop_run(&daemon.loop);
        say_farewell(&daemon);
        daemon_supernode_end(&daemon);
    }
    daemon_close_adapters(&daemon);
    close_loop(&daemon);
    return err == ERR_OK && daemon.restart ? ERR_MORE : err;
}
