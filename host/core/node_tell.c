/* What the node says: answers, lines for the log, events for the extensions that want them. */
#include "base/mem.h"
#include "core/node_impl.h"
#include "core/site.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOGGED_KEPT 1024

struct log_key {
    uint64_t key;
    UT_hash_handle hh;
};

struct client {
    uint64_t number;
    UT_hash_handle hh;
};

/* --- answers and the log */

struct effect *node_answer(struct node *node, uint64_t client, struct buf *json)
{
    struct effect *effect = update_add(node->update, EFFECT_ANSWER, 0);
    effect->answer.client = client;
    effect->text = *json;
    buf_init(json, json->max);
    return effect;
}

static bool is_logged(struct node *node, uint64_t key)
{
    struct log_key *found;

    HASH_FIND(hh, node->logged, &key, sizeof key, found);
    if (found != NULL)
        return true;
    if (HASH_COUNT(node->logged) >= LOGGED_KEPT) {
        struct log_key *oldest = node->logged; /* uthash keeps the order of insertion */
        HASH_DEL(node->logged, oldest);
        mem_free(oldest);
    }
    found = mem_zalloc(sizeof *found);
    found->key = key;
    HASH_ADD(hh, node->logged, key, sizeof found->key, found);
    return false;
}

void node_log_once(struct node *node, struct span key, const char *format, ...)
{
    uint8_t hash[HASH_LENGTH];
    uint64_t number;
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    /* The same words about the same thing are one message. */
    sha256(key.data, key.length, hash);
    memcpy(&number, hash, sizeof number);
    for (const char *c = format; *c != '\0'; c++)
        number = number * 1099511628211u + (uint8_t)*c;
    if (is_logged(node, number))
        return;
    struct effect *effect = update_add(node->update, EFFECT_LOG, sizeof line);
    effect->level = LOG_WARNING;
    buf_put(&effect->text, line, strlen(line) + 1);
}

/* --- clients that want events */

void node_tell_to(struct node *node, uint64_t number)
{
    struct client *client;

    HASH_FIND(hh, node->clients, &number, sizeof number, client);
    if (client != NULL)
        return;
    client = mem_zalloc(sizeof *client);
    client->number = number;
    HASH_ADD(hh, node->clients, number, sizeof client->number, client);
}

void node_tell_no_more(struct node *node, uint64_t number)
{
    struct client *client;

    HASH_FIND(hh, node->clients, &number, sizeof number, client);
    if (client == NULL)
        return;
    HASH_DEL(node->clients, client);
    mem_free(client);
}

/* `site` NULL: of all sites without a choice. */
void node_tell_zone(struct node *node, const struct site *site, uint64_t except)
{
    for (struct client *client = node->clients; client != NULL; client = client->hh.next) {
        if (client->number == except)
            continue;
        struct buf json;
        buf_init(&json, LIMIT_FRAME_OUT);
        struct api_answer *event = api_event_begin(site != NULL ? "site.changed" : "zone.changed");
        if (site != NULL) {
            api_answer_text(event, "site", site->name);
            api_answer_text(event, "chosen", zone_name(site->zone));
        }
        api_answer_text(event, site != NULL ? "zone" : "default_zone",
                        zone_name(site != NULL ? site_zone(site) : node_default_zone(node)));
        api_answer_end(event, &json);
        node_answer(node, client->number, &json);
    }
}

void node_tell_health(struct node *node)
{
    for (struct client *client = node->clients; client != NULL; client = client->hh.next) {
        struct buf json;
        buf_init(&json, LIMIT_FRAME_OUT);
        struct api_answer *event = api_event_begin("health");
        health_put(node, event);
        api_answer_end(event, &json);
        node_answer(node, client->number, &json);
    }
}

void node_tell_done(struct node *node)
{
    struct client *client, *next_client;
    struct log_key *key, *next_key;

    HASH_ITER(hh, node->clients, client, next_client)
    {
        HASH_DEL(node->clients, client);
        mem_free(client);
    }
    HASH_ITER(hh, node->logged, key, next_key)
    {
        HASH_DEL(node->logged, key);
        mem_free(key);
    }
}
