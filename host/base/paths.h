/* Where a user's socket and data are, when nobody says otherwise. Header only and libc only,
 * because fringe-native links nothing else. Layer: base.
 *
 *   socket   $FRINGE_SOCKET, else $XDG_RUNTIME_DIR/fringe/daemon.sock,
 *            else $XDG_STATE_HOME/fringe/daemon.sock, else ~/.local/state/fringe/daemon.sock
 *   data     $FRINGE_DATA, else $XDG_DATA_HOME/fringe, else ~/.local/share/fringe
 *
 * Relative XDG folders count as unset, as the XDG base directory specification wants. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static inline const char *paths_env(const char *name, bool absolute)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' && (!absolute || value[0] == '/') ? value : NULL;
}

/* "prefix + middle + name"; false when it does not fit. */
static inline bool paths_join(char *ret, size_t size, const char *prefix, const char *middle,
                              const char *name)
{
    int length = snprintf(ret, size, "%s%s%s", prefix, middle, name);
    return length > 0 && (size_t)length < size;
}

/* False when neither an environment variable nor $HOME says where, or the path is too long. */
static inline bool paths_socket(char *ret, size_t size)
{
    const char *at = paths_env("FRINGE_SOCKET", false);
    if (at != NULL)
        return paths_join(ret, size, at, "", "");
    at = paths_env("XDG_RUNTIME_DIR", true);
    if (at == NULL)
        at = paths_env("XDG_STATE_HOME", true);
    if (at != NULL)
        return paths_join(ret, size, at, "/fringe", "/daemon.sock");
    at = paths_env("HOME", true);
    return at != NULL && paths_join(ret, size, at, "/.local/state/fringe", "/daemon.sock");
}

static inline bool paths_data(char *ret, size_t size)
{
    const char *at = paths_env("FRINGE_DATA", false);
    if (at != NULL)
        return paths_join(ret, size, at, "", "");
    at = paths_env("XDG_DATA_HOME", true);
    if (at != NULL)
        return paths_join(ret, size, at, "/fringe", "");
    at = paths_env("HOME", true);
    return at != NULL && paths_join(ret, size, at, "/.local/share/fringe", "");
}
