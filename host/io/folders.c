#include "io/folders.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool make_one(const char *path)
{
    struct stat status;

    if (mkdir(path, 0700) == 0)
        return true;
    return errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool folders_make_above(const char *path)
{
    char *copy = mem_strdup(path);
    bool made = true;

    for (char *at = copy; *copy != '\0' && made && (at = strchr(at + 1, '/')) != NULL;) {
        *at = '\0';
        made = make_one(copy);
        *at = '/';
    }
    mem_free(copy);
    return made;
}

bool folders_make(const char *path)
{
    return folders_make_above(path) && make_one(path);
}
