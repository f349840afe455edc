/* What is wrong with an option, and which one was probably meant. */
#include "app/cmd.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LENGTH 32

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance of two short names. */
static size_t distance(const char *a, size_t a_length, const char *b)
{
    size_t row[NAME_MAX_LENGTH + 1], b_length = strlen(b);
    if (a_length > NAME_MAX_LENGTH || b_length > NAME_MAX_LENGTH)
        return SIZE_MAX;
    for (size_t k = 0; k <= b_length; k++)
        row[k] = k;
    for (size_t i = 1; i <= a_length; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t k = 1; k <= b_length; k++) {
            size_t above = row[k];
            row[k] = min(min(row[k], row[k - 1]) + 1, corner + (a[i - 1] != b[k - 1]));
            corner = above;
        }
    }
    return row[b_length];
}

static const char *nearest(const struct option *options, const char *name, size_t length)
{
    const char *best = NULL;
    size_t least = 3;
    for (; options->name != NULL; options++) {
        size_t d = distance(name, length, options->name);
        if (d < least) {
            least = d;
            best = options->name;
        }
    }
    return best;
}

int cmd_bad_option(const char *command, int answer, char *const *argv, const struct option *options)
{
    const char *text = argv[optind - 1];
    if (answer == ':') {
        cmd_fail("%s needs a value; `fringe %s --help` shows which", text, command);
        return CMD_USAGE;
    }
    const char *name = text + strspn(text, "-");
    const char *near = nearest(options, name, strcspn(name, "="));
    if (near != NULL && strcspn(name, "=") == strlen(near) &&
        strncmp(name, near, strlen(near)) == 0)
        cmd_fail("--%s takes no value", near);
    else if (near != NULL)
        cmd_fail("there is no option %s; did you mean --%s?", text, near);
    else
        cmd_fail("there is no option %s, or more than one begins so; `fringe %s --help` lists them",
                 text, command);
    return CMD_USAGE;
}

int cmd_missing(const char *command, const char *what)
{
    cmd_fail("%s; `fringe %s --help` shows all options", what, command);
    return CMD_USAGE;
}
