/* io/portmap_run: starts `fringe port-map`, reads its one line, ends it in time. */
#include "io/portmap_run.h"

#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* In every child it is the file of the program that started it, even when that was replaced. */
#define THIS_PROGRAM "/proc/self/exe"

#define ARGUMENTS_MAX 16
#define NUMBER_TEXT   12

struct portmap_run {
    uv_process_t process;
    uv_pipe_t out;
    struct loop_timer *timer;
    struct buf line;
    unsigned handles; /* process and pipe: open */
    bool running;
    bool killed; /* late, too long, or not wanted any more */
    int64_t status;
    portmap_run_done *done;
    void *user;
};

/* --- the end */

static void tell(struct portmap_run *run)
{
    struct router_answer answer;
    enum err err = router_answer_decode(span_of(run->line.data, run->line.length), &answer);

    if (run->line.failed || run->killed)
        err = ERR_CANCELLED;
    if (err != ERR_OK)
        answer = (struct router_answer){.result = ROUTER_NONE};
    /* 1: there is no mapping; the line says why. */
    if (!run->killed && (run->status > 1 || err != ERR_OK))
        log_warning("no answer from the process that asks the router (status %d)",
                    (int)run->status);
    run->done(run->user, run, &answer);
}

/* With the last handle: both the whole output and the exit status are there. */
static void handle_closed(uv_handle_t *handle)
{
    struct portmap_run *run = handle->data;

    if (--run->handles > 0)
        return;
    loop_timer_free(run->timer);
    tell(run);
    buf_done(&run->line);
    mem_free(run);
}

void portmap_run_kill(struct portmap_run *run)
{
    if (run == NULL || !run->running)
        return;
    run->killed = true;
    uv_process_kill(&run->process, SIGKILL);
}

static void is_late(void *user)
{
    log_debug("port mapping: no answer in time");
    portmap_run_kill(user);
}

static void close_out(struct portmap_run *run)
{
    if (!uv_is_closing((uv_handle_t *)&run->out))
        uv_close((uv_handle_t *)&run->out, handle_closed);
}

static void exited(uv_process_t *process, int64_t status, int number)
{
    struct portmap_run *run = process->data;

    run->running = false;
    run->status = number != 0 ? 128 + number : status; /* as the shell says it */
    uv_close((uv_handle_t *)process, handle_closed);
}

/* --- its output */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    static char room[LIMIT_ROUTER_ANSWER]; /* one loop, one thread: used within one callback */

    (void)handle;
    (void)suggested;
    *ret = uv_buf_init(room, sizeof room);
}

static void has_output(uv_stream_t *stream, ssize_t length, const uv_buf_t *bytes)
{
    struct portmap_run *run = stream->data;

    if (length > 0)
        buf_put(&run->line, bytes->base, (size_t)length);
    if (run->line.failed)
        portmap_run_kill(run);
    if (length < 0)
        close_out(run);
}

/* --- the start */

struct arguments {
    char *list[ARGUMENTS_MAX];
    char numbers[3][NUMBER_TEXT], client[INET_ADDRSTRLEN];
    size_t count, numbers_used;
};

static void put(struct arguments *arguments, const char *text)
{
    arguments->list[arguments->count++] = (char *)text;
}

static void put_number(struct arguments *arguments, const char *option, unsigned long value)
{
    char *text = arguments->numbers[arguments->numbers_used++];

    snprintf(text, NUMBER_TEXT, "%lu", value);
    put(arguments, option);
    put(arguments, text);
}

static void put_question(struct arguments *arguments, const struct router_question *question)
{
    put(arguments, "fringe");
    put(arguments, "port-map");
    put(arguments, router_method_name(question->method));
    put_number(arguments, "--port", question->port);
    if (question->external != 0)
        put_number(arguments, "--external", question->external);
    if (question->remove)
        put(arguments, "--remove");
    else
        put_number(arguments, "--lease", question->lease_s);
    if (question->client.family == 4) {
        inet_ntop(AF_INET, question->client.ip, arguments->client, sizeof arguments->client);
        put(arguments, "--client");
        put(arguments, arguments->client);
    }
    if (question->url[0] != '\0') {
        put(arguments, "--url");
        put(arguments, question->url);
    }
}

static int spawn(struct loop *loop, const char *program, struct portmap_run *run,
                 const struct router_question *question)
{
    struct arguments arguments = {0};
    /* The libraries print on stderr what they think of a router. */
    bool show_errors = log_get_level() == LOG_DEBUG;
    uv_stdio_container_t streams[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&run->out},
        {.flags = show_errors ? UV_INHERIT_FD : UV_IGNORE, .data.fd = 2},
    };
    uv_process_options_t options = {.exit_cb = exited,
                                    .file = program != NULL ? program : THIS_PROGRAM,
                                    .args = arguments.list,
                                    .stdio_count = 3,
                                    .stdio = streams};

    put_question(&arguments, question);
    return uv_spawn(&loop->uv, &run->process, &options);
}

struct portmap_run *portmap_run_new(struct loop *loop, const char *program,
                                    const struct router_question *question, uint32_t limit_ms,
                                    portmap_run_done *done, void *user)
{
    struct portmap_run *run = mem_zalloc(sizeof *run);

    run->done = done;
    run->user = user;
    run->handles = 2;
    buf_init(&run->line, LIMIT_ROUTER_ANSWER);
    run->timer = loop_timer_new(loop, is_late, run);
    uv_pipe_init(&loop->uv, &run->out, 0);
    run->out.data = run;
    run->process.data = run;
    int result = spawn(loop, program, run, question);
    if (result != 0) {
        log_warning("cannot start the process that asks the router: %s", uv_strerror(result));
        run->killed = true;
        uv_close((uv_handle_t *)&run->process, handle_closed);
        close_out(run);
        return run;
    }
    run->running = true;
    loop_timer_set(run->timer, limit_ms);
    uv_read_start((uv_stream_t *)&run->out, give_room, has_output);
    return run;
}
