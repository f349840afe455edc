/* A super-node: what it says of itself, and how it ends. */
#include "app/cmd.h"
#include "app/daemon_impl.h"
#include "app/metrics.h"

#include <stdio.h>

#define REPORT_MS 3600000
#define DRAIN_MS  10000 /* for what has been asked for; visitors have other sources */

static void report_site(void *user, const struct node_site_metrics *site)
{
    char given[BYTES_TEXT], fetched[BYTES_TEXT];
    const struct daemon *daemon = user;
    bool folder = daemon->options->webroot != NULL;

    cmd_print("%s: release %llu, %u visitors connected, %s given to visitors, %s taken from %s",
              site->site, (unsigned long long)site->seq, (unsigned)site->peers,
              cmd_bytes(site->uploaded, given), cmd_bytes(site->bytes[SOURCE_ORIGIN], fetched),
              folder ? "the folder" : "the site");
    if (site->asked > 0)
        cmd_print("%s: the site was spared %.1f %% of what visitors asked for here, %.1f copies of "
                  "it",
                  site->site, 100.0 * (double)site->shared / (double)site->asked,
                  site->release_bytes > 0 ? (double)site->shared / (double)site->release_bytes : 0);
    fflush(stdout);
}

static void report(struct daemon *daemon)
{
    node_each_site_metrics(daemon->node, report_site, daemon);
}

void daemon_supernode_begin(struct daemon *daemon)
{
    char text[ADDRESS_TEXT];
    struct address listen = daemon->options->listen[0];

    if (!daemon->options->supernode)
        return;
    listen.port = tcp_port(daemon->tcp);
    address_format(&listen, text);
    cmd_print("ready: visitors at %s%s; SIGTERM ends it", text,
              daemon->options->websocket.family != 0 ? ", and over WebSocket" : "");
    if (daemon->options->websocket.family != 0)
        cmd_print("WebSocket port %u", (unsigned)ws_port(daemon->ws));
    if (daemon->options->metrics.family != 0)
        cmd_print("metrics at http://127.0.0.1:%u/metrics", (unsigned)ws_metrics_port(daemon->ws));
    fflush(stdout);
    loop_timer_set(daemon->report_timer, REPORT_MS);
}

void daemon_supernode_metrics(void *user, struct buf *out)
{
    struct daemon *daemon = user;

    if (daemon->node != NULL)
        metrics_write(daemon->node, daemon->options->webroot != NULL, out);
}

/* Hourly; when it drains: time is up. */
void daemon_supernode_report(void *user)
{
    struct daemon *daemon = user;

    if (daemon->draining) {
        loop_stop(&daemon->loop);
        return;
    }
    report(daemon);
    loop_timer_set(daemon->report_timer, REPORT_MS);
}

bool daemon_supernode_drain(struct daemon *daemon)
{
    struct event event = {.kind = EVENT_TICK};

    if (!daemon->options->supernode || daemon->draining || daemon->node == NULL)
        return false;
    daemon->draining = true;
    tcp_stop_listening(daemon->tcp);
    if (daemon->ws != NULL)
        ws_stop_listening(daemon->ws);
    node_drain(daemon->node, &daemon->update);
    daemon_carry_out(daemon, &daemon->update);
    update_clear(&daemon->update);
    loop_timer_set(daemon->report_timer, DRAIN_MS);
    daemon_step(daemon, &event);
    return true;
}

void daemon_supernode_stepped(struct daemon *daemon)
{
    if (daemon->draining && node_is_drained(daemon->node))
        loop_stop(&daemon->loop);
}

void daemon_supernode_end(struct daemon *daemon)
{
    if (daemon->options->supernode)
        report(daemon);
}
