/* Sites, URLs and asset paths: what is accepted has one meaning and survives a round trip. */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/release_rules.h"
#include "wire/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *text, size_t size)
{
    char raw[LIMIT_PATH + 1], again[LIMIT_PATH + 1];
    struct buf out;
    if (path_decode(text, size, raw) != ERR_OK)
        return;
    if (raw[0] != '/' || strstr(raw, "/../") != NULL || strstr(raw, "//") != NULL ||
        strchr(raw, '\\') != NULL)
        abort();
    buf_init(&out, 3 * LIMIT_PATH);
    path_encode(raw, &out);
    if (out.length <= LIMIT_PATH &&
        (path_decode((char *)out.data, out.length, again) != ERR_OK || strcmp(raw, again) != 0))
        abort();
    media_type(raw);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *site = NULL, *path = NULL;
    check_path((const char *)data, size);
    char *text = mem_strndup((const char *)data, size);
    if (url_split(text, &site, &path) == ERR_OK) {
        if (site_check(site) != ERR_OK || path[0] != '/')
            abort();
        mem_free(site);
        mem_free(path);
    }
    path_base_ok(text);
    release_tracker_ok(text);
    release_supernode_ok(text);
    mem_free(text);
    return 0;
}
