#include "app/cmd.h"
#include "app/verify.h"
#include "base/mem.h"
#include "wire/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SEEN_MAX 600

static size_t count_code(struct verify_report *report, const char *code)
{
    size_t i = 0;
    while (i < report->code_count && strcmp(report->codes[i].code, code) != 0)
        i++;
    if (i == VERIFY_CODES)
        return 0;
    if (i == report->code_count) {
        report->codes[i].code = code;
        report->code_count++;
    }
    return ++report->codes[i].count;
}

void verify_add(struct verify_report *report, enum verify_level level, const char *code,
                const char *url, const char *todo, const char *seen, ...)
{
    char text[SEEN_MAX];
    va_list args;
    va_start(args, seen);
    vsnprintf(text, sizeof text, seen, args);
    va_end(args);
    report->found[level]++;
    if (count_code(report, code) > VERIFY_SHOWN)
        return;
    report->items = mem_realloc(report->items, (report->count + 1) * sizeof *report->items);
    report->items[report->count++] = (struct verify_finding){.level = level,
                                                             .code = code,
                                                             .url = mem_strdup(url),
                                                             .seen = mem_strdup(text),
                                                             .todo = mem_strdup(todo)};
}

void verify_report_done(struct verify_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        mem_free(report->items[i].url);
        mem_free(report->items[i].seen);
        mem_free(report->items[i].todo);
    }
    mem_free(report->items);
    *report = (struct verify_report){0};
}

/* --- for people */

static void tell_head(const struct verify *verify)
{
    const struct release *release = verify->release;
    char date[32], bytes[BYTES_TEXT];
    if (release == NULL) {
        cmd_print("%s: no release that could be checked", verify->site);
        return;
    }
    time_t expires = (time_t)release->expires;
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&expires));
    cmd_print("%s, release %llu%s%s, until %s", release->site, (unsigned long long)release->seq,
              release->version[0] != '\0' ? ", version " : "", release->version, date);
    if (release_is_empty(release))
        cmd_print("  it shares nothing: sharing has been ended with `fringe revoke`");
    else
        cmd_print("  looked at %llu of %llu files, %s%s", (unsigned long long)verify->checked_files,
                  (unsigned long long)verify->files, cmd_bytes(verify->checked_bytes, bytes),
                  verify->options->all ? "" : " (a sample; --all looks at every byte)");
}

static void tell_level(const struct verify_report *report, enum verify_level level)
{
    static const char *const names[] = {"warning", "fault"};
    for (size_t i = 0; i < report->count; i++) {
        const struct verify_finding *item = &report->items[i];
        if (item->level != level)
            continue;
        cmd_print("%s [%s] %s", names[level], item->code, item->url);
        cmd_print("    seen:  %s", item->seen);
        cmd_print("    to do: %s", item->todo);
    }
}

static void tell_more(const struct verify_report *report)
{
    for (size_t i = 0; i < report->code_count; i++) {
        if (report->codes[i].count > VERIFY_SHOWN)
            cmd_print("and %zu more [%s]", report->codes[i].count - VERIFY_SHOWN,
                      report->codes[i].code);
    }
}

static int status_of(const struct verify_report *report)
{
    return report->found[VERIFY_FAULT] > 0 ? CMD_FAILED : CMD_OK;
}

int verify_tell(const struct verify *verify)
{
    const struct verify_report *report = &verify->report;
    tell_head(verify);
    tell_level(report, VERIFY_FAULT);
    tell_level(report, VERIFY_WARNING);
    tell_more(report);
    size_t faults = report->found[VERIFY_FAULT], warnings = report->found[VERIFY_WARNING];
    cmd_print("%zu fault%s, %zu warning%s", faults, faults == 1 ? "" : "s", warnings,
              warnings == 1 ? "" : "s");
    return status_of(report);
}

/* --- for scripts */

static void put_text(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "\"%s\": ", key);
    json_put_string(out, value);
}

static void put_level(struct buf *out, const struct verify_report *report, enum verify_level level)
{
    bool first = true;
    for (size_t i = 0; i < report->count; i++) {
        const struct verify_finding *item = &report->items[i];
        if (item->level != level)
            continue;
        buf_put_text(out, first ? "\n    {" : ",\n    {");
        first = false;
        put_text(out, "code", item->code);
        buf_put_text(out, ", ");
        put_text(out, "url", item->url);
        buf_put_text(out, ", ");
        put_text(out, "seen", item->seen);
        buf_put_text(out, ", ");
        put_text(out, "todo", item->todo);
        buf_put_text(out, "}");
    }
}

int verify_tell_json(const struct verify *verify)
{
    const struct verify_report *report = &verify->report;
    struct buf out;
    buf_init(&out, MIB(4));
    buf_put_text(&out, "{");
    put_text(&out, "site", verify->site);
    buf_printf(&out, ", \"seq\": %llu, \"files\": %llu, \"checked_files\": %llu, ",
               (unsigned long long)(verify->release != NULL ? verify->release->seq : 0),
               (unsigned long long)verify->files, (unsigned long long)verify->checked_files);
    buf_printf(&out, "\"checked_bytes\": %llu,\n", (unsigned long long)verify->checked_bytes);
    buf_printf(&out, "  \"fault_count\": %zu, \"warning_count\": %zu,\n  \"codes\": {",
               report->found[VERIFY_FAULT], report->found[VERIFY_WARNING]);
    for (size_t i = 0; i < report->code_count; i++)
        buf_printf(&out, "%s\"%s\": %zu", i > 0 ? ", " : "", report->codes[i].code,
                   report->codes[i].count);
    buf_put_text(&out, "},\n  \"faults\": [");
    put_level(&out, report, VERIFY_FAULT);
    buf_put_text(&out, "],\n  \"warnings\": [");
    put_level(&out, report, VERIFY_WARNING);
    buf_put_text(&out, "]}\n");
    fwrite(out.data, 1, out.length, stdout);
    buf_done(&out);
    return status_of(report);
}
