/* Manifests of native messaging: whatever lies there, a program is named only with its full path.
 */
#include "wire/native_manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct span json, enum manifest_family family)
{
    char path[LIMIT_MANIFEST_PATH + 1];

    memset(path, 'x', sizeof path);
    enum manifest_fault fault = native_manifest_judge(json, family, path);
    if (memchr(path, '\0', sizeof path) == NULL || native_manifest_text(fault) == NULL)
        abort();
    if (fault == MANIFEST_OK && (path[0] != '/' || json.length > LIMIT_NATIVE_MANIFEST))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    judge(span_of(data, size), MANIFEST_CHROMIUM);
    judge(span_of(data, size), MANIFEST_FIREFOX);
    return 0;
}
