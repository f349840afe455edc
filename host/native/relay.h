/* Carries native messaging frames between the browser (stdin, stdout) and the daemon's socket. */
#pragma once

/* Until the browser closes its end (0) or something is wrong (1, after a line on stderr).
 * `program`: `fringe`, which answers when the first frame is the request "doctor". */
int relay_run(int socket, const char *program);
