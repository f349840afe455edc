/* When the router is asked, and what follows from its answers. A shell script stands for the
 * process that asks: it notes its arguments and says what the file "answer-METHOD" holds. */
#include "io/portmap.h"
#include "io/portmap_run.h"
#include "io_test.h"

#include <fcntl.h>
#include <sys/stat.h>

#define QUICK                                                                                      \
    {                                                                                              \
        .lease_s = 3600, .retry_ms = 5, .retry_max_ms = 40, .renew_ms = 20                         \
    }

struct lab {
    struct loop loop;
    struct portmap *portmap;
    struct portmap_state state;
    unsigned changes;
    char folder[64], program[96];
};

/* --- the script */

static void write_file(const struct lab *lab, const char *name, const char *text)
{
    char path[128], temporary[128];

    snprintf(path, sizeof path, "%s/%s", lab->folder, name);
    snprintf(temporary, sizeof temporary, "%s/new", lab->folder);
    FILE *file = fopen(temporary, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    ck_assert_int_eq(rename(temporary, path), 0); /* the script never sees half of it */
}

/* "no answer": the process does not end by itself. */
static void answer(const struct lab *lab, enum router_method method, const char *line)
{
    char name[32];

    snprintf(name, sizeof name, "answer-%s", router_method_name(method));
    write_file(lab, name, line);
}

static void answer_both(const struct lab *lab, const char *line)
{
    answer(lab, ROUTER_NATPMP, line);
    answer(lab, ROUTER_UPNP, line);
}

static const char *asked(const struct lab *lab)
{
    static char text[65536];
    char path[128];

    snprintf(path, sizeof path, "%s/asked", lab->folder);
    FILE *file = fopen(path, "r");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[length] = '\0';
    return text;
}

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        found++;
    return found;
}

static void changed(void *user, const struct portmap_state *state)
{
    struct lab *lab = user;

    lab->state = *state;
    lab->changes++;
}

static void lab_init(struct lab *lab)
{
    char script[512];

    memset(lab, 0, sizeof *lab);
    ck_assert_int_eq(loop_init(&lab->loop), ERR_OK);
    strcpy(lab->folder, "/tmp/fringe-portmap-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(lab->folder));
    snprintf(script, sizeof script,
             "#!/bin/sh\ncd %s\necho \"$*\" >>asked\n"
             "grep -q 'no answer' answer-$2 && exec sleep 1000\nexec cat answer-$2\n",
             lab->folder);
    write_file(lab, "program", script);
    snprintf(lab->program, sizeof lab->program, "%s/program", lab->folder);
    ck_assert_int_eq(chmod(lab->program, 0700), 0);
}

static void lab_start(struct lab *lab, struct portmap_options options)
{
    struct address listen;

    options.program = lab->program;
    ck_assert_int_eq(address_parse("[::]:6881", &listen), ERR_OK);
    lab->portmap = portmap_new(&lab->loop, &options, &listen, changed, lab);
    ck_assert_ptr_nonnull(lab->portmap);
    portmap_want(lab->portmap, true);
    ck_assert_uint_eq(lab->changes, 0); /* not from inside the call */
}

static void lab_done(struct lab *lab)
{
    char command[128];

    portmap_free(lab->portmap);
    loop_done(&lab->loop);
    snprintf(command, sizeof command, "rm -r %s", lab->folder);
    ck_assert_int_eq(system(command), 0);
}

static bool is_state(const struct lab *lab, const char *state, const char *method)
{
    return lab->state.state != NULL && strcmp(lab->state.state, state) == 0 &&
           strcmp(lab->state.method, method) == 0;
}

#define UPNP_ANSWER "mapped 20.0.0.1:7000 3600 http://192.168.7.1:5000/root.xml\n"

/* --- tests */

START_TEST(nobody_is_asked_who_cannot_help)
{
    static const char *const useless[] = {
        "127.0.0.1:6881", "[::1]:6881",     "[::ffff:127.0.0.1]:6881",
        "20.0.0.1:6881",  "[2a00::1]:6881", "[fd00::1]:6881",
        "0.0.0.0:0"};
    static const char *const useful[] = {"0.0.0.0:6881", "[::]:6881", "192.168.7.5:6881",
                                         "10.0.0.1:1"};
    struct address listen;
    struct loop loop;

    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
        ck_assert_int_eq(address_parse(useless[i], &listen), ERR_OK);
        struct portmap *none = portmap_new(&loop, &portmap_defaults, &listen, changed, NULL);
        ck_assert_msg(none == NULL, "%s", useless[i]);
    }
    for (size_t i = 0; i < sizeof useful / sizeof useful[0]; i++) {
        ck_assert_int_eq(address_parse(useful[i], &listen), ERR_OK);
        struct portmap *portmap = portmap_new(&loop, &portmap_defaults, &listen, changed, NULL);
        ck_assert_msg(portmap != NULL, "%s", useful[i]);
        portmap_free(portmap);
    }
    portmap_want(NULL, true);
    portmap_free(NULL);
    loop_done(&loop);
}
END_TEST

START_TEST(both_methods_are_asked_and_the_first_is_used)
{
    struct lab lab;

    lab_init(&lab);
    answer(&lab, ROUTER_NATPMP, "no answer");
    answer(&lab, ROUTER_UPNP, UPNP_ANSWER);
    lab_start(&lab, portmap_defaults);
    PUMP_UNTIL(&lab.loop, is_state(&lab, "mapped", "upnp"));
    PUMP_UNTIL(&lab.loop, count(asked(&lab), "\n") == 2);
    ck_assert_uint_eq(lab.state.external.port, 7000);
    ck_assert_uint_eq(count(asked(&lab), "port-map nat-pmp --port 6881 --lease 3600\n"), 1);
    ck_assert_uint_eq(count(asked(&lab), "port-map upnp --port 6881 --lease 3600\n"), 1);
    lab_done(&lab); /* the other is still asking: it is ended */
}
END_TEST

START_TEST(a_mapping_is_renewed_and_stays_the_one_in_use)
{
    struct lab lab;

    lab_init(&lab);
    answer(&lab, ROUTER_NATPMP, "refused\n");
    answer(&lab, ROUTER_UPNP, UPNP_ANSWER);
    lab_start(&lab, (struct portmap_options)QUICK);
    PUMP_UNTIL(&lab.loop, is_state(&lab, "mapped", "upnp"));
    unsigned changes = lab.changes;
    answer(&lab, ROUTER_NATPMP, "mapped 20.0.0.1:6881 3600\n");
    PUMP_UNTIL(&lab.loop, count(asked(&lab), "upnp --port 6881 --external 7000 --lease 3600 --url "
                                             "http://192.168.7.1:5000/root.xml\n") >= 3);
    PUMP_UNTIL(&lab.loop, count(asked(&lab), "nat-pmp --port 6881 --external 6881 --lease") >= 3);
    ck_assert(is_state(&lab, "mapped", "upnp"));
    ck_assert_uint_eq(lab.changes, changes);
    /* The router refuses to go on: the other method's mapping takes its place. */
    answer(&lab, ROUTER_UPNP, "refused\n");
    PUMP_UNTIL(&lab.loop, is_state(&lab, "mapped", "nat-pmp"));
    ck_assert_uint_eq(lab.state.external.port, 6881);
    lab_done(&lab);
}
END_TEST

START_TEST(a_router_that_is_silent_for_a_while_keeps_the_mapping)
{
    struct lab lab;

    lab_init(&lab);
    answer(&lab, ROUTER_NATPMP, "no-router\n");
    answer(&lab, ROUTER_UPNP, UPNP_ANSWER);
    lab_start(&lab, (struct portmap_options)QUICK);
    PUMP_UNTIL(&lab.loop, is_state(&lab, "mapped", "upnp"));
    answer(&lab, ROUTER_UPNP, "no-router\n");
    /* It is searched for anew, and asked for the same port. */
    PUMP_UNTIL(&lab.loop,
               count(asked(&lab), "upnp --port 6881 --external 7000 --lease 3600\n") >= 2);
    ck_assert(is_state(&lab, "mapped", "upnp"));
    lab_done(&lab);
}
END_TEST

START_TEST(who_says_no_is_asked_again_later_and_later)
{
    struct portmap_options options = {.lease_s = 60, .retry_ms = 300, .retry_max_ms = 100000};
    struct lab lab;

    lab_init(&lab);
    answer_both(&lab, "refused\n");
    lab_start(&lab, options);
    uint64_t begin = uv_hrtime();
    PUMP_UNTIL(&lab.loop, is_state(&lab, "refused", ""));
    PUMP_UNTIL(&lab.loop, count(asked(&lab), "upnp") == 3);
    ck_assert_uint_ge(uv_hrtime() - begin, UINT64_C(900000000)); /* 300 ms, then 600 ms */
    answer_both(&lab, "mapped 20.0.0.1:6881 3600\n");
    PUMP_UNTIL(&lab.loop, is_state(&lab, "mapped", "upnp") || is_state(&lab, "mapped", "nat-pmp"));
    lab_done(&lab);
}
END_TEST

START_TEST(the_reason_that_says_most_is_told)
{
    struct lab lab;

    lab_init(&lab);
    answer(&lab, ROUTER_NATPMP, "no answer");
    answer(&lab, ROUTER_UPNP, "no-router\n");
    lab_start(&lab, (struct portmap_options)QUICK);
    PUMP_UNTIL(&lab.loop, count(asked(&lab), "upnp") >= 3);
    ck_assert(is_state(&lab, "asking", "")); /* the other may still say yes */
    answer(&lab, ROUTER_UPNP, "double-nat 100.64.0.1:0\n");
    PUMP_UNTIL(&lab.loop, is_state(&lab, "double-nat", ""));
    answer(&lab, ROUTER_UPNP, "refused\n");
    PUMP_UNTIL(&lab.loop, is_state(&lab, "refused", ""));
    ck_assert_uint_eq(lab.state.external.port, 0);
    lab_done(&lab);
}
END_TEST

START_TEST(what_is_not_wanted_any_more_is_removed)
{
    struct lab lab;

    lab_init(&lab);
    answer(&lab, ROUTER_NATPMP, "no answer");
    answer(&lab, ROUTER_UPNP, UPNP_ANSWER);
    lab_start(&lab, portmap_defaults);
    PUMP_UNTIL(&lab.loop, is_state(&lab, "mapped", "upnp"));
    answer(&lab, ROUTER_UPNP, "removed\n");
    portmap_want(lab.portmap, false);
    PUMP_UNTIL(&lab.loop, is_state(&lab, "off", ""));
    PUMP_UNTIL(&lab.loop, count(asked(&lab), "upnp --port 6881 --external 7000 --remove --url "
                                             "http://192.168.7.1:5000/root.xml\n") == 1);
    ck_assert_uint_eq(count(asked(&lab), "nat-pmp --port 6881 --remove"), 0);
    answer(&lab, ROUTER_UPNP, UPNP_ANSWER);
    portmap_want(lab.portmap, true);
    PUMP_UNTIL(&lab.loop, is_state(&lab, "mapped", "upnp"));
    lab_done(&lab);
    ck_assert_uint_eq(lab.state.external.port, 7000); /* its owner has gone: nothing is told */
}
END_TEST

START_TEST(a_process_that_says_anything)
{
    static const char *const noise[] = {"", "mapped\n", "mapped 192.168.7.1:6881 3600\n",
                                        "mapped 20.0.0.1:6881 3600\nmapped 20.0.0.1:6882 3600\n"};
    char huge[8192];
    struct lab lab;

    lab_init(&lab);
    answer_both(&lab, "no-router\n");
    lab_start(&lab, (struct portmap_options)QUICK);
    PUMP_UNTIL(&lab.loop, is_state(&lab, "no-router", ""));
    unsigned changes = lab.changes;
    for (size_t i = 0; i <= sizeof noise / sizeof noise[0]; i++) {
        memset(huge, 'x', sizeof huge);
        huge[sizeof huge - 1] = '\0';
        answer_both(&lab, i < sizeof noise / sizeof noise[0] ? noise[i] : huge);
        unsigned before = count(asked(&lab), "upnp");
        PUMP_UNTIL(&lab.loop, count(asked(&lab), "upnp") >= before + 2);
    }
    ck_assert_uint_eq(lab.changes, changes);
    lab_done(&lab);
}
END_TEST

START_TEST(a_program_that_is_not_there)
{
    struct lab lab;

    lab_init(&lab);
    strcat(lab.program, "-not-there");
    lab_start(&lab, (struct portmap_options)QUICK);
    PUMP_UNTIL(&lab.loop, is_state(&lab, "no-router", ""));
    lab_done(&lab);
}
END_TEST

static void ended(void *user, const struct portmap_run *run, const struct router_answer *answer)
{
    (void)run;
    ck_assert_int_eq(answer->result, ROUTER_NONE);
    ++*(unsigned *)user;
}

START_TEST(a_process_that_does_not_end_is_ended)
{
    struct router_question question = {.method = ROUTER_UPNP, .port = 6881, .lease_s = 60};
    unsigned ends = 0;
    struct lab lab;

    lab_init(&lab);
    answer_both(&lab, "no answer");
    portmap_run_new(&lab.loop, lab.program, &question, 30, ended, &ends);
    PUMP_UNTIL(&lab.loop, ends == 1);
    struct portmap_run *run =
        portmap_run_new(&lab.loop, lab.program, &question, 1000000, ended, &ends);
    portmap_run_kill(run);
    portmap_run_kill(NULL);
    PUMP_UNTIL(&lab.loop, ends == 2);
    lab_done(&lab);
}
END_TEST

START_TEST(the_client_is_said_when_it_is_one_address)
{
    struct portmap_options options = QUICK;
    struct address listen;
    struct lab lab;

    lab_init(&lab);
    answer_both(&lab, "refused\n");
    options.program = lab.program;
    ck_assert_int_eq(address_parse("192.168.7.6:6881", &listen), ERR_OK);
    lab.portmap = portmap_new(&lab.loop, &options, &listen, changed, &lab);
    portmap_want(lab.portmap, true);
    PUMP_UNTIL(&lab.loop, count(asked(&lab), "--lease 3600 --client 192.168.7.6\n") >= 2);
    lab_done(&lab);
}
END_TEST

TEST_MAIN("portmap",
          TESTS(nobody_is_asked_who_cannot_help, both_methods_are_asked_and_the_first_is_used,
                a_mapping_is_renewed_and_stays_the_one_in_use,
                a_router_that_is_silent_for_a_while_keeps_the_mapping,
                who_says_no_is_asked_again_later_and_later, the_reason_that_says_most_is_told,
                what_is_not_wanted_any_more_is_removed, a_process_that_says_anything,
                a_program_that_is_not_there, a_process_that_does_not_end_is_ended,
                the_client_is_said_when_it_is_one_address))
