/* io/portmap: two askers, one for each method, and what follows from both. */
#include "io/portmap.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/portmap_run.h"

#include <assert.h>
#include <string.h>

#define DOUBLINGS_MAX 16

const struct portmap_options portmap_defaults = {
    .lease_s = 3600, .retry_ms = 30000, .retry_max_ms = 1800000};

struct asker {
    struct portmap *portmap;
    enum router_method method;
    struct portmap_run *run; /* under way */
    struct loop_timer *timer;
    bool answered, mapped;
    unsigned failures;         /* in a row */
    struct router_answer last; /* mapped: how; else why not */
    uint64_t end_ms;           /* of the lease */
};

struct portmap {
    struct loop *loop;
    struct portmap_options options;
    struct address listen;
    struct asker askers[ROUTER_METHODS_];
    bool wanted;
    unsigned runs;        /* of both, and those that are to be forgotten */
    struct asker *in_use; /* mapped, or NULL */
    struct portmap_state told;
    struct loop_timer *tell_timer; /* so that `changed` is never called from inside a call */
    void (*changed)(void *user, const struct portmap_state *state);
    void *user;
};

/* --- what is told */

/* The better news: an answer that says why before one that is missing. */
static const char *why_not(const struct portmap *portmap)
{
    enum router_result why = ROUTER_NONE;
    bool all = true;

    for (int i = 0; i < ROUTER_METHODS_; i++) {
        const struct asker *asker = &portmap->askers[i];
        all = all && asker->answered;
        if (asker->answered && asker->last.result > why)
            why = asker->last.result;
    }
    return all || why != ROUTER_NONE ? router_result_name(why) : "asking";
}

static struct portmap_state state_now(const struct portmap *portmap)
{
    const struct asker *asker = portmap->in_use;

    if (asker != NULL)
        return (struct portmap_state){"mapped", router_method_name(asker->method),
                                      asker->last.external};
    return (struct portmap_state){portmap->wanted ? why_not(portmap) : "off", "", {0}};
}

static void choose(struct portmap *portmap)
{
    if (portmap->in_use != NULL && portmap->in_use->mapped)
        return;
    portmap->in_use = NULL;
    for (int i = 0; i < ROUTER_METHODS_ && portmap->in_use == NULL; i++)
        if (portmap->askers[i].mapped)
            portmap->in_use = &portmap->askers[i];
}

static void tell(void *user)
{
    struct portmap *portmap = user;
    struct portmap_state state = state_now(portmap);
    char external[ADDRESS_TEXT];

    if (state.state == portmap->told.state && state.method == portmap->told.method &&
        address_equal(&state.external, &portmap->told.external))
        return;
    address_format(&state.external, external);
    log_info("port mapping: %s%s%s", state.state, state.external.port != 0 ? ": " : "",
             state.external.port != 0 ? external : "");
    portmap->told = state;
    portmap->changed(portmap->user, &state);
}

static void tell_soon(struct portmap *portmap)
{
    choose(portmap);
    loop_timer_set(portmap->tell_timer, 0);
}

/* --- asking */

static struct router_question question_for(const struct asker *asker)
{
    const struct portmap *portmap = asker->portmap;
    struct router_question question = {
        .method = asker->method, .port = portmap->listen.port, .lease_s = portmap->options.lease_s};
    static const uint8_t any[16];

    if (portmap->listen.family == 4 && memcmp(portmap->listen.ip, any, sizeof any) != 0)
        question.client = portmap->listen;
    if (asker->mapped) {
        question.external = asker->last.external.port;
        strcpy(question.url, asker->last.url);
    }
    return question;
}

/* The next time after a failure. A mapping that may still be there ends with its lease. */
static uint64_t retry_delay(const struct asker *asker)
{
    const struct portmap_options *options = &asker->portmap->options;
    unsigned doublings = asker->failures < DOUBLINGS_MAX ? asker->failures : DOUBLINGS_MAX;
    uint64_t delay_ms = (uint64_t)options->retry_ms << (doublings - 1);
    uint64_t now_ms = loop_now_ms(asker->portmap->loop);

    if (delay_ms > options->retry_max_ms)
        delay_ms = options->retry_max_ms;
    return asker->mapped && asker->end_ms - now_ms < delay_ms ? asker->end_ms - now_ms : delay_ms;
}

static void take_mapping(struct asker *asker, const struct router_answer *answer)
{
    const struct portmap_options *options = &asker->portmap->options;
    uint64_t lease_ms = answer->lease_s * UINT64_C(1000);

    asker->mapped = true;
    asker->failures = 0;
    asker->end_ms = loop_now_ms(asker->portmap->loop) + lease_ms;
    loop_timer_set(asker->timer, options->renew_ms != 0 ? options->renew_ms : lease_ms / 2);
}

static void answered(void *user, const struct portmap_run *run, const struct router_answer *answer)
{
    struct asker *asker = user;

    asker->portmap->runs--;
    if (run != asker->run)
        return; /* it removed a mapping, or was stopped */
    asker->run = NULL;
    asker->answered = true;
    if (answer->result == ROUTER_MAPPED) {
        asker->last = *answer;
        take_mapping(asker, answer);
    } else {
        bool may_live = asker->mapped && answer->result == ROUTER_NONE &&
                        loop_now_ms(asker->portmap->loop) < asker->end_ms;
        asker->failures++;
        if (may_live)
            asker->last.url[0] = '\0'; /* search for it anew */
        else
            asker->last = *answer;
        asker->mapped = may_live;
        loop_timer_set(asker->timer, retry_delay(asker));
    }
    log_debug("port mapping: %s: %s", router_method_name(asker->method),
              router_result_name(answer->result));
    tell_soon(asker->portmap);
}

static struct portmap_run *start(struct asker *asker, bool remove, uint32_t limit_ms)
{
    struct portmap *portmap = asker->portmap;
    struct router_question question = question_for(asker);

    question.remove = remove;
    portmap->runs++;
    return portmap_run_new(portmap->loop, portmap->options.program, &question, limit_ms, answered,
                           asker);
}

static void ask(void *user)
{
    struct asker *asker = user;

    asker->run = start(asker, false, LIMIT_ROUTER_ASK_MS);
}

static void stop(struct asker *asker)
{
    loop_timer_stop(asker->timer);
    portmap_run_kill(asker->run);
    asker->run = NULL;
    if (asker->mapped)
        start(asker, true, LIMIT_ROUTER_REMOVE_MS);
    asker->mapped = asker->answered = false;
    asker->failures = 0;
    memset(&asker->last, 0, sizeof asker->last);
}

void portmap_want(struct portmap *portmap, bool wanted)
{
    if (portmap == NULL || portmap->wanted == wanted)
        return;
    portmap->wanted = wanted;
    for (int i = 0; i < ROUTER_METHODS_; i++) {
        if (wanted)
            ask(&portmap->askers[i]);
        else
            stop(&portmap->askers[i]);
    }
    tell_soon(portmap);
}

/* --- birth and death */

/* Does a home router stand between this address and the internet, perhaps? */
static bool may_be_mapped(const struct address *listen)
{
    static const uint8_t any[16];
    bool everywhere = memcmp(listen->ip, any, sizeof any) == 0;

    if (listen->port == 0 || address_is_loopback(listen))
        return false;
    return everywhere || (listen->family == 4 && !address_is_public(listen));
}

struct portmap *portmap_new(struct loop *loop, const struct portmap_options *options,
                            const struct address *listen,
                            void (*changed)(void *user, const struct portmap_state *state),
                            void *user)
{
    if (!may_be_mapped(listen))
        return NULL;
    struct portmap *portmap = mem_zalloc(sizeof *portmap);
    portmap->loop = loop;
    portmap->options = *options;
    portmap->listen = *listen;
    portmap->changed = changed;
    portmap->user = user;
    portmap->tell_timer = loop_timer_new(loop, tell, portmap);
    portmap->told = state_now(portmap);
    for (int i = 0; i < ROUTER_METHODS_; i++) {
        struct asker *asker = &portmap->askers[i];
        asker->portmap = portmap;
        asker->method = (enum router_method)i;
        asker->timer = loop_timer_new(loop, ask, asker);
    }
    return portmap;
}

void portmap_free(struct portmap *portmap)
{
    if (portmap == NULL)
        return;
    portmap_want(portmap, false);
    for (int i = 0; i < ROUTER_METHODS_; i++)
        loop_timer_free(portmap->askers[i].timer);
    loop_timer_free(portmap->tell_timer);
    while (portmap->runs > 0)
        uv_run(&portmap->loop->uv, UV_RUN_ONCE);
    mem_free(portmap);
}
