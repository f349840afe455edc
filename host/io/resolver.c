#include "io/resolver.h"

#include "io/sockaddr.h"
#include "io/table.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

struct resolver {
    struct loop *loop;
    void (*done)(void *user, uint64_t op, enum err result, const struct address *address);
    void *user;
    struct question *questions; /* by op */
    unsigned handles;           /* libuv has them; the last one frees the struct */
    bool freed;
};

struct question {
    struct resolver *resolver; /* NULL op: nobody waits */
    uint64_t op;
    bool public_only, cancelled;
    uint16_t port;
    uv_getaddrinfo_t lookup;
    UT_hash_handle hh;
};

static void free_resolver(struct resolver *resolver)
{
    if (resolver->freed && resolver->handles == 0)
        mem_free(resolver);
}

static void cancel(struct question *question)
{
    HASH_DELETE(hh, question->resolver->questions, question);
    question->cancelled = true;
    uv_cancel((uv_req_t *)&question->lookup); /* its callback frees, in any case */
}

static bool choose(const struct addrinfo *list, int family, bool public_only, enum err *why,
                   struct address *ret)
{
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        struct sockaddr_storage storage = {0};

        if (at->ai_family != family || at->ai_addrlen > sizeof storage)
            continue;
        memcpy(&storage, at->ai_addr, at->ai_addrlen);
        if (!sockaddr_to_address(&storage, ret))
            continue;
        *why = public_only && !address_is_public(ret) ? ERR_REFUSED : ERR_OK;
        if (*why == ERR_OK)
            return true;
    }
    return false;
}

static void has_resolved(uv_getaddrinfo_t *lookup, int status, struct addrinfo *list)
{
    struct question *question = lookup->data;
    struct resolver *resolver = question->resolver;
    struct address address = {0};
    uint64_t op = question->op;
    bool cancelled = question->cancelled;
    enum err result = ERR_NOT_FOUND;

    if (!cancelled && status == 0 &&
        !choose(list, AF_INET, question->public_only, &result, &address))
        choose(list, AF_INET6, question->public_only, &result, &address);
    uv_freeaddrinfo(list);
    address.port = question->port;
    if (!cancelled)
        HASH_DELETE(hh, resolver->questions, question);
    mem_free(question);
    resolver->handles--;
    if (!cancelled)
        resolver->done(resolver->user, op, result, &address);
    free_resolver(resolver);
}

void resolver_ask(struct resolver *resolver, uint64_t op, const char *host, uint16_t port,
                  bool public_only)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct question *question = mem_zalloc(sizeof *question);

    question->resolver = resolver;
    question->op = op;
    question->port = port;
    question->public_only = public_only;
    question->lookup.data = question;
    HASH_ADD(hh, resolver->questions, op, sizeof question->op, question);
    resolver->handles++;
    /* It fails at once only for want of memory, or for a name that is too long for any. */
    if (uv_getaddrinfo(&resolver->loop->uv, &question->lookup, has_resolved, host, NULL, &hints) !=
        0)
        uv_getaddrinfo(&resolver->loop->uv, &question->lookup, has_resolved, "invalid.", NULL,
                       &hints);
}

void resolver_cancel(struct resolver *resolver, uint64_t op)
{
    struct question *question;

    HASH_FIND(hh, resolver->questions, &op, sizeof op, question);
    if (question != NULL)
        cancel(question);
}

struct resolver *resolver_new(struct loop *loop,
                              void (*done)(void *user, uint64_t op, enum err result,
                                           const struct address *address),
                              void *user)
{
    struct resolver *resolver = mem_zalloc(sizeof *resolver);

    resolver->loop = loop;
    resolver->done = done;
    resolver->user = user;
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    while (resolver->questions != NULL)
        cancel(resolver->questions);
    resolver->freed = true;
    free_resolver(resolver);
}
