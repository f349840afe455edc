#include "app/doctor_report.h"

#include "app/cmd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wire/api.h"

#include <stdarg.h>
#include <stdio.h>

#define AREA_WIDTH 11
#define SEEN_MAX   2048

static const char *const names[FINDING_COUNT_] = {"ok", "warn", "fail"};

const char *finding_name(enum finding finding)
{
    return names[finding];
}

static char *safe(const char *text)
{
    char *copy = mem_strdup(text);

    cmd_make_safe(copy);
    return copy;
}

static void add(struct doctor_report *report, struct doctor_line line, va_list args)
{
    char seen[SEEN_MAX];

    if (report->count == LIMIT_DOCTOR_LINES)
        return;
    vsnprintf(seen, sizeof seen, line.seen, args);
    report->lines = mem_realloc(report->lines, (report->count + 1) * sizeof *report->lines);
    report->lines[report->count++] = (struct doctor_line){.finding = line.finding,
                                                          .area = safe(line.area),
                                                          .seen = safe(seen),
                                                          .next = safe(line.next)};
}

void doctor_ok(struct doctor_report *report, const char *area, const char *seen, ...)
{
    va_list args;

    va_start(args, seen);
    add(report, (struct doctor_line){FINDING_OK, (char *)area, (char *)seen, (char *)""}, args);
    va_end(args);
}

void doctor_warn(struct doctor_report *report, const char *area, const char *next, const char *seen,
                 ...)
{
    va_list args;

    va_start(args, seen);
    add(report, (struct doctor_line){FINDING_WARN, (char *)area, (char *)seen, (char *)next}, args);
    va_end(args);
}

void doctor_fail(struct doctor_report *report, const char *area, const char *next, const char *seen,
                 ...)
{
    va_list args;

    va_start(args, seen);
    add(report, (struct doctor_line){FINDING_FAIL, (char *)area, (char *)seen, (char *)next}, args);
    va_end(args);
}

void doctor_report_done(struct doctor_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        mem_free(report->lines[i].area);
        mem_free(report->lines[i].seen);
        mem_free(report->lines[i].next);
    }
    mem_free(report->lines);
    *report = (struct doctor_report){0};
}

enum finding doctor_report_worst(const struct doctor_report *report)
{
    enum finding worst = FINDING_OK;

    for (size_t i = 0; i < report->count; i++)
        if (report->lines[i].finding > worst)
            worst = report->lines[i].finding;
    return worst;
}

static unsigned count(const struct doctor_report *report, enum finding finding)
{
    unsigned found = 0;

    for (size_t i = 0; i < report->count; i++)
        found += report->lines[i].finding == finding;
    return found;
}

static void put_summary(const struct doctor_report *report, struct buf *out)
{
    unsigned failed = count(report, FINDING_FAIL), warned = count(report, FINDING_WARN);

    if (failed == 0 && warned == 0) {
        buf_put_text(out, "\nAll is well.\n");
        return;
    }
    buf_printf(out, "\n%u failed, %u %s.%s\n", failed, warned, warned == 1 ? "warning" : "warnings",
               failed > 0 ? " Do what stands behind the arrows, the first one first."
                          : " Nothing keeps Fringe from working.");
}

void doctor_report_text(const struct doctor_report *report, struct buf *out)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct doctor_line *line = &report->lines[i];

        buf_printf(out, "%-5s %-*s %s\n", names[line->finding], AREA_WIDTH, line->area, line->seen);
        if (line->next[0] != '\0')
            buf_printf(out, "      %-*s -> %s\n", AREA_WIDTH, "", line->next);
    }
    put_summary(report, out);
}

static void put_text(const struct doctor_report *report, struct api_answer *answer)
{
    struct buf text;

    buf_init(&text, LIMIT_FRAME_OUT);
    doctor_report_text(report, &text);
    buf_put_u8(&text, 0);
    api_answer_text(answer, "text", text.failed ? "" : (const char *)text.data);
    buf_done(&text);
}

void doctor_report_answer(const struct doctor_report *report, uint64_t id, struct buf *out)
{
    struct api_answer *answer = api_answer_begin(id);

    api_answer_text(answer, "version", FRINGE_VERSION);
    api_answer_text(answer, "status", names[doctor_report_worst(report)]);
    api_answer_open_array(answer, "lines");
    for (size_t i = 0; i < report->count; i++) {
        const struct doctor_line *line = &report->lines[i];

        api_answer_open_object(answer, NULL);
        api_answer_text(answer, "area", line->area);
        api_answer_text(answer, "status", names[line->finding]);
        api_answer_text(answer, "seen", line->seen);
        api_answer_text(answer, "next", line->next);
        api_answer_close(answer);
    }
    api_answer_close(answer);
    put_text(report, answer);
    api_answer_end(answer, out);
}
