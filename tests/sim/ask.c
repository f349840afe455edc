/* A visitor's clients: requests of the native API and their answers. */
#include "visitor.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct ask *visitor_ask(struct visitor *visitor, uint64_t client, const struct api_request *request)
{
    struct ask *ask = mem_zalloc(sizeof *ask);
    struct event event = {.kind = EVENT_REQUEST};

    ask->request = *request;
    ask->request.id = ask->number = ++visitor->next_request;
    ask->client = client;
    HASH_ADD(hh, visitor->asks, number, sizeof ask->number, ask);
    world_trace(visitor->world, "%s < request %d %s%s", visitor->host->name, (int)request->type,
                request->site, request->path);
    event.client.client = client;
    event.client.request = &ask->request;
    gauges_hear(visitor, request);
    visitor_step(visitor, &event);
    return ask;
}

static struct api_request request_for(enum api_type type, const char *site, const char *doc)
{
    struct api_request request = {.type = type, .zone = ZONE_DEFAULT};
    snprintf(request.site, sizeof request.site, "%s", site);
    snprintf(request.doc, sizeof request.doc, "%s", doc != NULL ? doc : "");
    return request;
}

struct ask *visitor_site_open(struct visitor *visitor, const char *site, uint64_t seq,
                              const char *doc)
{
    struct api_request request = request_for(API_SITE_OPEN, site, doc);
    request.seq = seq;
    return visitor_ask(visitor, 1, &request);
}

struct ask *visitor_site_status(struct visitor *visitor, const char *site, const char *doc)
{
    struct api_request request = request_for(API_SITE_STATUS, site, doc);
    return visitor_ask(visitor, 1, &request);
}

struct ask *visitor_status(struct visitor *visitor)
{
    struct api_request request = request_for(API_STATUS, "", NULL);
    return visitor_ask(visitor, 1, &request);
}

struct ask *visitor_set(struct visitor *visitor, enum setting setting, uint64_t value)
{
    struct api_request request = request_for(API_SETTINGS, "", NULL);
    request.given[setting] = true;
    request.settings[setting] = value;
    if (setting == SETTING_DEFAULT_ZONE)
        visitor->default_zone = (enum zone)(value - 1);
    return visitor_ask(visitor, 1, &request);
}

struct ask *visitor_pause(struct visitor *visitor, uint64_t minutes)
{
    struct api_request request = request_for(API_PAUSE, "", NULL);
    request.minutes = minutes;
    return visitor_ask(visitor, 1, &request);
}

struct ask *visitor_resume(struct visitor *visitor)
{
    struct api_request request = request_for(API_RESUME, "", NULL);
    return visitor_ask(visitor, 1, &request);
}

static bool is_answered(void *arg)
{
    return ((struct ask *)arg)->answer != NULL;
}

json_t *ask_wait(struct visitor *visitor, struct ask *ask, uint64_t ms)
{
    if (!world_run_until(visitor->world, is_answered, ask, ms))
        world_fail(visitor->world, "%s does not answer request %d within %llu ms",
                   visitor->host->name, (int)ask->request.type, (unsigned long long)ms);
    return ask->answer;
}

static json_t *field(struct visitor *visitor, const struct ask *ask, const char *path)
{
    json_t *at = ask->answer;
    char part[64];

    for (const char *p = path; at != NULL && *p != '\0';) {
        size_t length = strcspn(p, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, p);
        at = json_object_get(at, part);
        p += length + (p[length] == '.');
    }
    if (at == NULL)
        world_fail(visitor->world, "%s: the answer has no %s", visitor->host->name, path);
    return at;
}

uint64_t ask_number(struct visitor *visitor, const struct ask *ask, const char *path)
{
    json_t *at = field(visitor, ask, path);
    if (!json_is_integer(at))
        world_fail(visitor->world, "%s: %s is no number", visitor->host->name, path);
    return (uint64_t)json_integer_value(at);
}

const char *ask_text(struct visitor *visitor, const struct ask *ask, const char *path)
{
    json_t *at = field(visitor, ask, path);
    return json_is_string(at) ? json_string_value(at) : "";
}
