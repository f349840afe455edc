/* Web servers: what they have, what they do wrong. The transfers are in transfer.c. */
#include "server.h"

#include "base/mem.h"
#include "transfer.h"
#include "visitor.h"

#include <stdio.h>
#include <string.h>

struct server *server_new(struct world *world, const char *site, const struct link *link)
{
    struct server *server = mem_zalloc(sizeof *server);

    server->world = world;
    server->site = mem_strdup(site);
    server->host = link_host_new(world, site, link);
    server->fault = FAULT_NONE;
    HASH_ADD_KEYPTR(hh, world->servers, server->site, strlen(server->site), server);
    return server;
}

struct server *server_find(struct world *world, const char *url, size_t length)
{
    struct server *server;
    HASH_FIND(hh, world->servers, url, length, server);
    return server;
}

struct resource *server_get(struct server *server, const char *path)
{
    struct resource *resource;
    HASH_FIND_STR(server->resources, path, resource);
    return resource;
}

static void set_validator(struct resource *resource)
{
    uint64_t sum = 14695981039346656037u;

    for (size_t i = 0; i < resource->length; i++)
        sum = (sum ^ resource->data[i]) * 1099511628211u;
    snprintf(resource->validator, sizeof resource->validator, "If-None-Match: \"%016llx\"",
             (unsigned long long)sum);
}

struct resource *server_put(struct server *server, const char *path, const void *data,
                            size_t length)
{
    struct resource *resource = server_get(server, path);

    if (resource == NULL) {
        resource = mem_zalloc(sizeof *resource);
        resource->path = mem_strdup(path);
        resource->fault = FAULT_NONE;
        HASH_ADD_KEYPTR(hh, server->resources, resource->path, strlen(path), resource);
    }
    mem_free(resource->data);
    resource->data = mem_dup(data, length);
    resource->length = length;
    set_validator(resource);
    return resource;
}

static void resource_free(struct server *server, struct resource *resource)
{
    HASH_DEL(server->resources, resource);
    mem_free(resource->path);
    mem_free(resource->data);
    mem_free(resource);
}

void server_remove(struct server *server, const char *path)
{
    struct resource *resource = server_get(server, path);
    if (resource != NULL)
        resource_free(server, resource);
}

void server_set_down(struct server *server, bool down)
{
    world_trace(server->world, "%s is %s", server->host->name, down ? "down" : "up");
    server->down = down;
    if (down)
        link_host_down(server->host);
    link_host_up(server->host); /* refusing is an answer, too */
}

static bool is_below(const struct resource *resource, const char *prefix)
{
    return strncmp(resource->path, prefix, strlen(prefix)) == 0;
}

uint64_t server_sent_below(const struct server *server, const char *prefix)
{
    uint64_t sent = 0;
    for (const struct resource *r = server->resources; r != NULL; r = r->hh.next)
        sent += is_below(r, prefix) ? r->sent : 0;
    return sent;
}

uint32_t server_requests_below(const struct server *server, const char *prefix)
{
    uint32_t requests = 0;
    for (const struct resource *r = server->resources; r != NULL; r = r->hh.next)
        requests += is_below(r, prefix) ? r->requests : 0;
    return requests;
}

void servers_free(struct world *world)
{
    struct server *server, *next;

    transfers_free(world);
    HASH_ITER(hh, world->servers, server, next)
    {
        struct resource *resource, *next_resource;
        HASH_ITER(hh, server->resources, resource, next_resource)
        resource_free(server, resource);
        HASH_DEL(world->servers, server);
        mem_free(server->site);
        mem_free(server);
    }
}
