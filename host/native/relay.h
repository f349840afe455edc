/* Carries native messaging frames between the browser (stdin, stdout) and the daemon's socket. */
#pragma once

/* Until the browser closes its end (0) or something is wrong (1, after a line on stderr). */
int relay_run(int socket);
