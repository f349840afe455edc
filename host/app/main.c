/* fringe: the command line. A command is a row here and a file cmd_NAME.c. */
#include "app/cmd.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *what;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"keygen", "make the key pair that a site signs with", cmd_keygen},
    {"publish", "sign a folder of a site, so that its visitors can share it", cmd_publish},
    {"snippet", "what nginx or Apache has to say for a published site", cmd_snippet},
    {"verify", "look at a published site as a stranger would, and say what is wrong", cmd_verify},
    {"revoke", "end the sharing of a site with a signed, empty release", cmd_revoke},
    {"daemon", "the host that browsers talk to (started by itself)", cmd_daemon},
    {"get", "fetch one file of a site through the host", cmd_get},
    {"supernode", "hold a site whole and give it to its visitors (for publishers)", cmd_supernode},
    {"status", "what the host is doing", cmd_status},
    {"sites", "the sites that the host knows and what was chosen for them", cmd_sites},
    {"log", "what was fetched from whom and given to whom, newest first", cmd_log},
    {"cache", "what is kept on this computer; remove it, keep it, limit it", cmd_cache},
    {"doctor", "look for what is wrong with this installation, and say what to do", cmd_doctor},
    {"set", "choose for a site: off, fetch, share or default; limits for all", cmd_set},
    {"pause", "give nothing to other visitors and take nothing from them for a while", cmd_pause},
    {"resume", "end a pause", cmd_resume},
    {"stop", "end the host", cmd_stop},
    {"port-map", "ask the home router for a port (the host does it by itself)", cmd_port_map},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static int help(FILE *stream, int status)
{
    fputs("usage: fringe COMMAND [options]\n\n", stream);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(stream, "  %-10s%s\n", commands[i].name, commands[i].what);
    fputs("\n`fringe COMMAND --help` shows the options; `fringe --version` the version.\n", stream);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return help(stderr, CMD_USAGE);
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0)
        return help(stdout, CMD_OK);
    if (strcmp(argv[1], "--version") == 0) {
        puts("fringe " FRINGE_VERSION);
        return CMD_OK;
    }
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0)
        return cmd_fail("libsodium does not start: no source of randomness?");
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    cmd_fail("there is no command \"%s\"", argv[1]);
    return help(stderr, CMD_USAGE);
}
