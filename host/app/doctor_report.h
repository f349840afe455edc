/* A report of findings, as text for people and as an answer for programs. Layer: app; no I/O. */
#pragma once

#include "base/bytes.h"

#include <stdint.h>

enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL, FINDING_COUNT_ };
const char *finding_name(enum finding finding);

struct doctor_line {
    enum finding finding;
    char *area; /* "socket", "Firefox" */
    char *seen; /* what there is */
    char *next; /* what to do; empty where nothing is to be done */
};

struct doctor_report {
    struct doctor_line *lines;
    size_t count; /* at most LIMIT_DOCTOR_LINES: more are left out */
};

/* What is well, what should be looked at, and what keeps Fringe from working. */
void doctor_ok(struct doctor_report *report, const char *area, const char *seen, ...)
    __attribute__((format(printf, 3, 4)));
void doctor_warn(struct doctor_report *report, const char *area, const char *next, const char *seen,
                 ...) __attribute__((format(printf, 4, 5)));
void doctor_fail(struct doctor_report *report, const char *area, const char *next, const char *seen,
                 ...) __attribute__((format(printf, 4, 5)));
void doctor_report_done(struct doctor_report *report);

/* The worst of them. */
enum finding doctor_report_worst(const struct doctor_report *report);
/* A line or two for each, and how many are what. */
void doctor_report_text(const struct doctor_report *report, struct buf *out);
/* host/PROTOCOL.md, "The request `doctor`". */
void doctor_report_answer(const struct doctor_report *report, uint64_t id, struct buf *out);
