/* Native-messaging manifests, which tell a browser what program an extension may speak to: judged
 * as a browser would (manifests/README.md). Layer: wire (pure). */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"

/* The name that the extension asks for; the file is this and ".json". */
#define NATIVE_HOST_NAME "org.fringe.host"

enum manifest_family { MANIFEST_CHROMIUM, MANIFEST_FIREFOX };

enum manifest_fault {
    MANIFEST_OK,
    MANIFEST_TOO_LARGE,
    MANIFEST_NOT_JSON,
    MANIFEST_WRONG_NAME,
    MANIFEST_WRONG_TYPE,
    MANIFEST_NO_PATH,
    MANIFEST_RELATIVE_PATH,
    MANIFEST_NOT_ALLOWED, /* to our extension */
    MANIFEST_FAULT_COUNT_
};

/* Is it one for our extension in a browser of that family? ret_path is the program on MANIFEST_OK,
 * and empty or what there is otherwise. */
enum manifest_fault native_manifest_judge(struct span json, enum manifest_family family,
                                          char ret_path[LIMIT_MANIFEST_PATH + 1]);
/* "is no JSON object": goes on after the file's name. */
const char *native_manifest_text(enum manifest_fault fault);
