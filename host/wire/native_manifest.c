#include "wire/native_manifest.h"

#include "wire/json.h"

#include <string.h>

/* The extension's ids; a test holds them together with the templates in manifests/. */
static const struct {
    const char *list, *id;
} allowed[] = {
    [MANIFEST_CHROMIUM] = {"allowed_origins",
                           "chrome-extension://gnngkgnlcojnaaapcfnmdjionaonmblf/"},
    [MANIFEST_FIREFOX] = {"allowed_extensions", "fringe@fringe.example"},
};

static bool is_text(const json_t *object, const char *key, const char *wanted)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL && strcmp(text, wanted) == 0;
}

static bool lets_us_in(const json_t *object, enum manifest_family family)
{
    const json_t *list = json_object_get(object, allowed[family].list);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *id = json_string_value(json_array_get(list, i));
        if (id != NULL && strcmp(id, allowed[family].id) == 0)
            return true;
    }
    return false;
}

static enum manifest_fault judge(const json_t *object, enum manifest_family family,
                                 char ret_path[LIMIT_MANIFEST_PATH + 1])
{
    const char *path;

    if (!is_text(object, "name", NATIVE_HOST_NAME))
        return MANIFEST_WRONG_NAME;
    if (!is_text(object, "type", "stdio"))
        return MANIFEST_WRONG_TYPE;
    if (json_get_text(object, "path", LIMIT_MANIFEST_PATH, &path) != ERR_OK || path[0] == '\0')
        return MANIFEST_NO_PATH;
    memcpy(ret_path, path, strlen(path) + 1);
    if (path[0] != '/')
        return MANIFEST_RELATIVE_PATH;
    return lets_us_in(object, family) ? MANIFEST_OK : MANIFEST_NOT_ALLOWED;
}

enum manifest_fault native_manifest_judge(struct span json, enum manifest_family family,
                                          char ret_path[LIMIT_MANIFEST_PATH + 1])
{
    json_t *object = NULL;
    enum manifest_fault fault;

    ret_path[0] = '\0';
    if (json.length > LIMIT_NATIVE_MANIFEST)
        return MANIFEST_TOO_LARGE;
    if (json_load_object(json.data, json.length, &object) != ERR_OK)
        return MANIFEST_NOT_JSON;
    fault = judge(object, family, ret_path);
    json_decref(object);
    return fault;
}

const char *native_manifest_text(enum manifest_fault fault)
{
    static const char *const texts[MANIFEST_FAULT_COUNT_] = {
        [MANIFEST_OK] = "is as it should be",
        [MANIFEST_TOO_LARGE] = "is much too long",
        [MANIFEST_NOT_JSON] = "is no JSON object",
        [MANIFEST_WRONG_NAME] = ("has not the name " NATIVE_HOST_NAME),
        [MANIFEST_WRONG_TYPE] = "has not the type stdio",
        [MANIFEST_NO_PATH] = "names no program",
        [MANIFEST_RELATIVE_PATH] = "names its program without the full path",
        [MANIFEST_NOT_ALLOWED] = "does not let this extension in: it belongs to another",
    };

    return texts[fault];
}
