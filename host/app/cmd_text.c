/* What every command says, said the same way. */
#include "app/cmd.h"

#include "wire/utf8.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char *captured; /* NULL: to stderr */
static size_t captured_size;

void cmd_capture(char *text, size_t size)
{
    captured = text;
    captured_size = size;
}

void cmd_make_safe(char *text)
{
    for (size_t length = strlen(text), at = 0; at < length;) {
        size_t step = utf8_sequence(text + at, length - at);
        if (!utf8_printable(text + at, step > 0 ? step : 1))
            memset(text + at, '?', step > 0 ? step : 1);
        at += step > 0 ? step : 1;
    }
}

/* File names and answers may hold anything. */
static void put_safe(FILE *stream, const char *prefix, const char *format, va_list args)
{
    char text[8192];
    vsnprintf(text, sizeof text, format, args);
    cmd_make_safe(text);
    fprintf(stream, "%s%s\n", prefix, text);
}

int cmd_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (captured != NULL)
        vsnprintf(captured, captured_size, format, args);
    else
        put_safe(stderr, "fringe: ", format, args);
    va_end(args);
    return CMD_FAILED;
}

void cmd_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_safe(stderr, "fringe: warning: ", format, args);
    va_end(args);
}

void cmd_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_safe(stdout, "", format, args);
    va_end(args);
}

int cmd_usage(const char *usage)
{
    fputs(usage, stderr);
    return CMD_USAGE;
}

bool cmd_bytes_parse(const char *text, uint64_t *ret)
{
    static const char units[] = "KMGT";
    uint64_t value = 0, scale = 1, parts = 0; /* parts: of one, behind the point; 0: no point */

    if (*text < '0' || *text > '9')
        return false;
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && parts == 0); text++) {
        if (value >= UINT64_C(1000000000000) || parts >= 1000000)
            return false;
        parts = *text == '.' ? 1 : 10 * parts;
        value = *text == '.' ? value : 10 * value + (uint64_t)(*text - '0');
    }
    const char *unit = *text != '\0' ? strchr(units, toupper((unsigned char)*text)) : NULL;
    for (long i = unit != NULL ? unit - units : -1; i >= 0; i--)
        scale *= 1000;
    text += unit != NULL;
    if (*text != '\0' || value > UINT64_MAX / scale)
        return false;
    *ret = value * scale / (parts > 0 ? parts : 1);
    return true;
}

const char *cmd_bytes(uint64_t bytes, char ret_text[BYTES_TEXT])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes / 1000;
    size_t unit = 0;
    if (bytes < 1000) {
        snprintf(ret_text, BYTES_TEXT, "%u bytes", (unsigned)bytes);
        return ret_text;
    }
    while (value >= 999.5 && unit < sizeof units / sizeof units[0] - 1) {
        value /= 1000;
        unit++;
    }
    snprintf(ret_text, BYTES_TEXT, "%.*f %s", value < 9.95 ? 1 : 0, value, units[unit]);
    return ret_text;
}
