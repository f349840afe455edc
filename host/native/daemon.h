/* The way from fringe-native to the daemon: connect, and start one when none answers. */
#pragma once

#include <stddef.h>

#define DAEMON_PATH 4096

struct daemon {
    char socket[DAEMON_PATH];  /* the control socket */
    char data[DAEMON_PATH];    /* the daemon's folder, with daemon.log */
    char program[DAEMON_PATH]; /* `fringe`, beside this program */
};

/* A connected, non-blocking socket; -1 after a line on stderr that says what is wrong. */
int daemon_connect(const struct daemon *daemon);
