/* Metered networks and battery over D-Bus, with sd-bus on libuv's loop. Nothing here waits.
 *
 * Any program of this computer may send us signals, in any service's name as far as sd-bus can
 * tell. So a signal is only a reason to ask: what counts is the answer to Get, which the bus gives
 * to nobody but the owner of the service's name. All that comes fills a bucket (flood.h); when it
 * is full we hang up for a minute. */
#include "io/surroundings.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/flood.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <systemd/sd-bus.h>

#define SYSTEM_BUS   "unix:path=/run/dbus/system_bus_socket"
#define SETTLE_MS    200   /* signals come in swarms */
#define RETRY_MIN_MS 1000  /* doubled each time */
#define RETRY_MAX_MS 60000 /* also for a service that does not answer as it should */
#define PATIENCE_MS  (LIMIT_BUS_MS + 5000) /* for a bus that says nothing at all */
#define BATCH        32                    /* messages a turn of the loop */
#define MESSAGE_COST 64                    /* that counts as so many bytes more */

enum { NETWORK, POWER, SERVICES };

struct question {
    struct surroundings_bus *bus;
    sd_bus_slot *asked; /* not answered yet */
    bool again;         /* then ask once more: it has changed meanwhile */
    bool answered;      /* over this connection */
    uint64_t retry_ms;  /* 0: the last answer was one */
    enum said said;
};

/* uv_close frees it later. */
struct link {
    uv_poll_t poll;
    struct surroundings_bus *bus;
    int fd;
};

struct surroundings_bus {
    struct loop *loop;
    sd_bus *connection; /* NULL: none */
    struct link *link;
    struct loop_timer *timer; /* sd-bus's own */
    struct loop_timer *look;  /* ask both, at look_ms (0: never) */
    struct loop_timer *retry; /* connect again; connected: give up */
    uint64_t look_ms, backoff_ms;
    struct flood flood;
    struct question questions[SERVICES];
    bool told;
    struct surroundings now; /* as told */
    void (*changed)(void *user, const struct surroundings *now);
    void *user;
};

/* --- what the services say */

static bool read_metered(sd_bus_message *reply, enum said *ret)
{
    uint32_t value;

    if (sd_bus_message_read(reply, "v", "u", &value) <= 0)
        return false;
    /* NMMetered: unknown, yes, no, guessed yes, guessed no */
    *ret = value == 1 || value == 3 ? SAID_YES : value == 2 || value == 4 ? SAID_NO : SAID_NOTHING;
    return true;
}

static bool read_on_battery(sd_bus_message *reply, enum said *ret)
{
    int value;

    if (sd_bus_message_read(reply, "v", "b", &value) <= 0)
        return false;
    *ret = value ? SAID_YES : SAID_NO;
    return true;
}

static const struct service {
    const char *name, *path, *property; /* the interface's name is the service's */
    bool (*read)(sd_bus_message *reply, enum said *ret);
} services[SERVICES] = {
    [NETWORK] = {"org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "Metered",
                 read_metered},
    [POWER] = {"org.freedesktop.UPower", "/org/freedesktop/UPower", "OnBattery", read_on_battery},
};

static bool has_heard(const struct surroundings_bus *bus)
{
    return bus->questions[NETWORK].answered && bus->questions[POWER].answered;
}

/* The last thing that a caller does. */
static void tell(struct surroundings_bus *bus)
{
    struct surroundings now = {bus->questions[NETWORK].said, bus->questions[POWER].said};

    if (bus->told && now.metered == bus->now.metered && now.on_battery == bus->now.on_battery)
        return;
    bus->told = true;
    bus->now = now;
    bus->changed(bus->user, &now);
}

/* --- asking */

static void look_within(struct surroundings_bus *bus, uint64_t ms)
{
    uint64_t at = loop_now_ms(bus->loop) + ms;

    if (bus->look_ms != 0 && bus->look_ms <= at)
        return;
    bus->look_ms = at;
    loop_timer_set(bus->look, ms);
}

/* A bus or a service that is busy: what it said last is as good as anything. */
static bool is_late(const sd_bus_error *error)
{
    return sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
           sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT);
}

static bool is_absent(const sd_bus_error *error)
{
    return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
           sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

static void answer_is_odd(struct question *question, const char *name, const char *why)
{
    uint64_t next = question->retry_ms * 2;

    if (question->retry_ms == 0)
        log_info("%s on the system bus: %s", name, why);
    question->retry_ms = next < RETRY_MIN_MS ? RETRY_MIN_MS : next;
    if (question->retry_ms > RETRY_MAX_MS)
        question->retry_ms = RETRY_MAX_MS;
    look_within(question->bus, question->retry_ms);
}

static int answered(sd_bus_message *reply, void *user, sd_bus_error *unused)
{
    struct question *question = user;
    const struct service *service = &services[question - question->bus->questions];
    const sd_bus_error *error = sd_bus_message_get_error(reply);

    (void)unused;
    question->asked = sd_bus_slot_unref(question->asked);
    question->answered = true;
    if (!is_late(error))
        question->said = SAID_NOTHING;
    if (error != NULL && !is_absent(error))
        answer_is_odd(question, service->name, error->name);
    else if (error == NULL && !service->read(reply, &question->said))
        answer_is_odd(question, service->name, "not the property's type");
    else
        question->retry_ms = 0;
    if (question->again)
        look_within(question->bus, SETTLE_MS);
    question->again = false;
    return 0;
}

static int ask(struct question *question)
{
    const struct service *service = &services[question - question->bus->questions];
    sd_bus *connection = question->bus->connection;
    sd_bus_message *message = NULL;

    question->again = question->asked != NULL;
    if (question->again)
        return 0;
    int result = sd_bus_message_new_method_call(connection, &message, service->name, service->path,
                                                "org.freedesktop.DBus.Properties", "Get");
    if (result >= 0)
        result = sd_bus_message_append(message, "ss", service->name, service->property);
    if (result >= 0)
        result = sd_bus_message_set_auto_start(message, 0);
    if (result >= 0)
        result = sd_bus_call_async(connection, &question->asked, message, answered, question,
                                   LIMIT_BUS_MS * UINT64_C(1000));
    sd_bus_message_unref(message);
    return result;
}

static int ask_all(struct surroundings_bus *bus)
{
    int result = 0;

    bus->look_ms = 0;
    for (int i = 0; i < SERVICES && result >= 0; i++)
        result = ask(&bus->questions[i]);
    return result;
}

static int may_have_changed(sd_bus_message *signal, void *user, sd_bus_error *unused)
{
    (void)signal;
    (void)unused;
    look_within(user, SETTLE_MS);
    return 0;
}

/* --- the connection */

static void link_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void disconnect(struct surroundings_bus *bus)
{
    for (int i = 0; i < SERVICES; i++) {
        struct question *question = &bus->questions[i];
        sd_bus_slot_unref(question->asked);
        question->asked = NULL;
        question->again = question->answered = false;
    }
    loop_timer_stop(bus->timer);
    loop_timer_stop(bus->look);
    bus->look_ms = 0;
    if (bus->link != NULL)
        uv_close((uv_handle_t *)&bus->link->poll, link_closed); /* before the socket itself */
    bus->link = NULL;
    bus->connection = sd_bus_close_unref(bus->connection);
}

/* Nothing is touched after it. */
static void lost(struct surroundings_bus *bus, const char *why)
{
    bool known = has_heard(bus);

    log_info("the system bus: %s", why);
    disconnect(bus);
    bus->backoff_ms = known ? RETRY_MIN_MS : bus->backoff_ms * 2;
    if (bus->backoff_ms > RETRY_MAX_MS)
        bus->backoff_ms = RETRY_MAX_MS;
    loop_timer_set(bus->retry, bus->backoff_ms);
    if (known)
        return;
    for (int i = 0; i < SERVICES; i++)
        bus->questions[i].said = SAID_NOTHING;
    tell(bus);
}

/* Whoever floods us must not be able to make us forget that the network is metered. Nothing is
 * touched after it. */
static void flooded(struct surroundings_bus *bus)
{
    log_warning("too much comes over the system bus: not listening to it for a minute");
    disconnect(bus);
    bus->flood = (struct flood){0};
    loop_timer_set(bus->retry, RETRY_MAX_MS);
    if (!bus->told)
        tell(bus);
}

static void pump(struct surroundings_bus *bus);

static void polled(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;

    (void)events;
    if (status < 0)
        lost(link->bus, uv_strerror(status));
    else
        pump(link->bus);
}

static int set_timer(struct surroundings_bus *bus)
{
    uint64_t at_us, now_us = uv_hrtime() / 1000; /* the same clock */
    int result = sd_bus_get_timeout(bus->connection, &at_us);

    if (result < 0)
        return result;
    if (at_us == UINT64_MAX)
        loop_timer_stop(bus->timer);
    else
        loop_timer_set(bus->timer, at_us > now_us ? (at_us - now_us + 999) / 1000 : 0);
    return 0;
}

/* Waits for what sd-bus waits for. */
static int rearm(struct surroundings_bus *bus)
{
    int events = sd_bus_get_events(bus->connection), wanted;

    if (events < 0)
        return events;
    if (sd_bus_get_fd(bus->connection) != bus->link->fd)
        return -EBADF; /* it has gone on to another address by itself */
    wanted =
        ((events & POLLIN) != 0 ? UV_READABLE : 0) | ((events & POLLOUT) != 0 ? UV_WRITABLE : 0);
    uv_poll_start(&bus->link->poll, wanted, polled);
    return set_timer(bus);
}

static bool is_too_much(struct surroundings_bus *bus)
{
    int waiting = 0;

    if (ioctl(bus->link->fd, FIONREAD, &waiting) != 0)
        waiting = 0;
    return flood_add(&bus->flood, loop_now_ms(bus->loop), LIMIT_BUS_S, (uint64_t)waiting) >
           LIMIT_BUS_AT_ONCE;
}

/* Nothing is touched after it. */
static void pump(struct surroundings_bus *bus)
{
    int result = 1;

    if (is_too_much(bus)) {
        flooded(bus);
        return;
    }
    for (int i = 0; i < BATCH && result > 0; i++) {
        result = sd_bus_process(bus->connection, NULL);
        if (result > 0)
            flood_add(&bus->flood, loop_now_ms(bus->loop), LIMIT_BUS_S, MESSAGE_COST);
    }
    if (result >= 0)
        result = rearm(bus);
    if (result < 0) {
        lost(bus, strerror(-result));
        return;
    }
    if (!has_heard(bus))
        return;
    loop_timer_stop(bus->retry);
    bus->backoff_ms = RETRY_MIN_MS;
    tell(bus);
}

static void timer_fired(void *user)
{
    pump(user);
}

static void look_fired(void *user)
{
    struct surroundings_bus *bus = user;
    int result = ask_all(bus);

    if (result >= 0)
        result = rearm(bus);
    if (result < 0)
        lost(bus, strerror(-result));
}

/* --- connecting */

static int open_bus(sd_bus **ret)
{
    const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
    int result = sd_bus_new(ret);

    if (result >= 0)
        result = sd_bus_set_address(*ret, address != NULL && *address ? address : SYSTEM_BUS);
    if (result >= 0)
        result = sd_bus_set_bus_client(*ret, 1);
    if (result >= 0)
        result = sd_bus_negotiate_fds(*ret, 0);
    return result >= 0 ? sd_bus_start(*ret) : result;
}

static int watch(struct surroundings_bus *bus, const struct service *service)
{
    static const char owner[] = "type='signal',sender='org.freedesktop.DBus',"
                                "member='NameOwnerChanged',arg0='%s'";
    static const char properties[] = "type='signal',sender='%s',path='%s',"
                                     "interface='org.freedesktop.DBus.Properties',"
                                     "member='PropertiesChanged',arg0='%s'";
    char match[400];

    snprintf(match, sizeof match, owner, service->name);
    int result = sd_bus_add_match_async(bus->connection, NULL, match, may_have_changed, NULL, bus);
    if (result < 0)
        return result;
    snprintf(match, sizeof match, properties, service->name, service->path, service->name);
    return sd_bus_add_match_async(bus->connection, NULL, match, may_have_changed, NULL, bus);
}

static int start_polling(struct surroundings_bus *bus)
{
    int fd = sd_bus_get_fd(bus->connection);

    if (fd < 0)
        return fd;
    struct link *link = mem_zalloc(sizeof *link);
    int result = uv_poll_init(&bus->loop->uv, &link->poll, fd);
    if (result < 0) {
        mem_free(link);
        return result;
    }
    link->poll.data = link;
    link->bus = bus;
    link->fd = fd;
    uv_unref((uv_handle_t *)&link->poll);
    bus->link = link;
    return rearm(bus);
}

/* Signals first: what changes after the answers is then known. */
static void connect_or_give_up(void *user)
{
    struct surroundings_bus *bus = user;

    if (bus->connection != NULL) {
        lost(bus, "no answer");
        return;
    }
    int result = open_bus(&bus->connection);
    for (int i = 0; i < SERVICES && result >= 0; i++)
        result = watch(bus, &services[i]);
    if (result >= 0)
        result = ask_all(bus);
    if (result >= 0)
        result = start_polling(bus);
    if (result < 0)
        lost(bus, strerror(-result));
    else
        loop_timer_set(bus->retry, PATIENCE_MS);
}

struct surroundings_bus *
surroundings_new(struct loop *loop, void (*changed)(void *user, const struct surroundings *now),
                 void *user)
{
    struct surroundings_bus *bus = mem_zalloc(sizeof *bus);

    bus->loop = loop;
    bus->changed = changed;
    bus->user = user;
    bus->backoff_ms = RETRY_MIN_MS / 2;
    bus->timer = loop_timer_new(loop, timer_fired, bus);
    bus->look = loop_timer_new(loop, look_fired, bus);
    bus->retry = loop_timer_new(loop, connect_or_give_up, bus);
    for (int i = 0; i < SERVICES; i++)
        bus->questions[i].bus = bus;
    loop_timer_set(bus->retry, 0);
    return bus;
}

void surroundings_free(struct surroundings_bus *bus)
{
    if (bus == NULL)
        return;
    disconnect(bus);
    loop_timer_free(bus->timer);
    loop_timer_free(bus->look);
    loop_timer_free(bus->retry);
    mem_free(bus);
}
