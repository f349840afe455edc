/* release.json and the trusted comment: what is accepted can be written and read again. */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/release.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct release *release)
{
    struct release *again = NULL;
    struct reason reason;
    struct buf one, two;
    buf_init(&one, LIMIT_RELEASE);
    buf_init(&two, LIMIT_RELEASE);
    /* Indenting may push a full release over its limit. */
    if (release_write(release, &one, &reason) == ERR_OK) {
        if (release_parse(one.data, one.length, &again, &reason) != ERR_OK ||
            release_write(again, &two, &reason) != ERR_OK ||
            !span_equal(span_of(one.data, one.length), span_of(two.data, two.length)))
            abort();
    }
    release_free(again);
    buf_done(&one);
    buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct release *release = NULL;
    struct reason reason;
    struct release_comment comment;
    const char *relative;
    if (release_parse(data, size, &release, &reason) == ERR_OK) {
        round_trip(release);
        release_find_bundle(release, "/static/x", &relative);
        release_media_type(release, "/static/x.js");
        release_free(release);
    } else if (reason.text[0] == '\0') {
        abort();
    }
    char *text = mem_strndup((const char *)data, size);
    release_comment_parse(text, &comment);
    mem_free(text);
    return 0;
}
