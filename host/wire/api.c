#include "wire/api.h"

#include "base/mem.h"
#include "wire/json.h"
#include "wire/url.h"
#include "wire/utf8.h"

#include <string.h>

static const char *const zones[] = {
    [ZONE_OFF] = "off", [ZONE_FETCH] = "fetch", [ZONE_SHARE] = "share", [ZONE_DEFAULT] = "default"};
static const char *const sources[SOURCE_COUNT_] = {[SOURCE_CACHE] = "cache",
                                                   [SOURCE_PEERS] = "peers",
                                                   [SOURCE_SUPERNODE] = "supernode",
                                                   [SOURCE_ORIGIN] = "origin"};

const char *zone_name(enum zone zone)
{
    return (unsigned)zone < sizeof zones / sizeof zones[0] ? zones[zone] : "unknown";
}

bool zone_parse(const char *text, enum zone *ret)
{
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        if (strcmp(text, zones[i]) == 0) {
            *ret = (enum zone)i;
            return true;
        }
    }
    return false;
}

static const struct {
    const char *name;
    uint64_t least, most; /* besides 0, where `none` */
    bool none;
} settings[SETTING_COUNT_] = {
    [SETTING_UPLOAD_RATE] = {"upload_rate", LIMIT_RATE_MIN, LIMIT_RATE_MAX, true},
    [SETTING_DOWNLOAD_RATE] = {"download_rate", LIMIT_RATE_MIN, LIMIT_RATE_MAX, true},
    [SETTING_MONTHLY_CAP] = {"monthly_cap", 1, JSON_INTEGER_MAX, true},
    [SETTING_SLOTS] = {"slots", 1, LIMIT_PEERS, false},
    [SETTING_LOCAL_DISCOVERY] = {"local_discovery", 1, 1, true},
    [SETTING_NO_LOG] = {"no_log", 1, 1, true},
    [SETTING_UNMETERED_ONLY] = {"unmetered_only", 1, 1, true},
    [SETTING_MAINS_ONLY] = {"mains_only", 1, 1, true},
    [SETTING_DEFAULT_ZONE] = {"default_zone", ZONE_OFF + 1, ZONE_SHARE + 1, true},
    [SETTING_CACHE_QUOTA] = {"cache_quota", LIMIT_QUOTA_MIN, JSON_INTEGER_MAX, true},
};

const char *setting_name(enum setting setting)
{
    return settings[setting].name;
}

enum err setting_check(enum setting setting, uint64_t value)
{
    if (value == 0 && settings[setting].none)
        return ERR_OK;
    return value >= settings[setting].least && value <= settings[setting].most ? ERR_OK : ERR_RANGE;
}

const char *source_name(enum source source)
{
    return (unsigned)source < SOURCE_COUNT_ ? sources[source] : "unknown";
}

const char *transfer_kind_name(enum transfer_kind kind)
{
    return kind == TRANSFER_SHARED ? "shared" : source_name((enum source)kind);
}

bool transfer_kinds_parse(const char *text, unsigned *ret)
{
    unsigned shared = 1u << TRANSFER_SHARED, all = (1u << TRANSFER_KIND_COUNT_) - 1;

    *ret = strcmp(text, "fetched") == 0 ? all & ~shared : 0;
    for (unsigned i = 0; i < TRANSFER_KIND_COUNT_; i++)
        if (strcmp(text, transfer_kind_name((enum transfer_kind)i)) == 0)
            *ret = 1u << i;
    return *ret != 0;
}

/* The requests of PROTOCOL.md 2 and the fields that each one reads. A field with its bit in
 * `needs` must be there; one in `takes` may be. */
enum {
    FIELD_SITE = 1,
    FIELD_SEQ = 2,
    FIELD_PATH = 4,
    FIELD_DOC = 8,
    FIELD_ZONE = 16,
    FIELD_HELLO = 32,
    FIELD_MINUTES = 64,
    FIELD_SETTINGS = 128,
    FIELD_BEFORE = 256,
    FIELD_LIMIT = 512,
    FIELD_KIND = 1024,
    FIELD_KEEP = 2048,
    FIELD_QUOTA = 4096,
    FIELD_INLINE = 8192,
};

static const struct {
    const char *name;
    unsigned needs, takes;
} types[API_TYPE_COUNT_] = {
    [API_HELLO] = {"hello", FIELD_HELLO, 0},
    [API_SITE_OPEN] = {"site.open", FIELD_SITE, FIELD_SEQ | FIELD_DOC},
    [API_ASSET_WANT] = {"asset.want", FIELD_SITE | FIELD_PATH,
                        FIELD_SEQ | FIELD_DOC | FIELD_INLINE},
    [API_DOC_CLOSE] = {"doc.close", FIELD_DOC, 0},
    [API_SITE_STATUS] = {"site.status", FIELD_SITE, FIELD_DOC},
    [API_SITE_ZONE] = {"site.zone", FIELD_SITE | FIELD_ZONE, 0},
    [API_SITES] = {"sites", 0, 0},
    [API_STATUS] = {"status", 0, 0},
    [API_STOP] = {"stop", 0, 0},
    [API_SETTINGS] = {"settings", FIELD_SETTINGS, 0},
    [API_PAUSE] = {"pause", 0, FIELD_MINUTES},
    [API_RESUME] = {"resume", 0, 0},
    [API_LOG] = {"log", 0, FIELD_SITE | FIELD_BEFORE | FIELD_LIMIT | FIELD_KIND},
    [API_LOG_CLEAR] = {"log.clear", 0, FIELD_SITE},
    [API_CACHE] = {"cache", 0, 0},
    [API_CACHE_CLEAR] = {"cache.clear", 0, FIELD_SITE},
    [API_CACHE_KEEP] = {"cache.keep", FIELD_SITE | FIELD_KEEP, 0},
    [API_CACHE_QUOTA] = {"cache.quota", FIELD_SITE | FIELD_QUOTA, 0},
};

/* --- one reader a field; each answers the code of PROTOCOL.md, NULL when all is well */

static const char *read_site(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    const char *text;
    *ret_err = json_get_text(root, "site", LIMIT_SITE, &text);
    if (*ret_err == ERR_OK)
        *ret_err = site_check(text);
    if (*ret_err != ERR_OK)
        return "bad-site";
    memcpy(ret->site, text, strlen(text) + 1);
    return NULL;
}

static const char *read_path(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    const char *text;
    *ret_err = json_get_text(root, "path", LIMIT_PATH, &text);
    if (*ret_err == ERR_OK && text[0] != '/')
        *ret_err = ERR_BAD_NAME;
    if (*ret_err != ERR_OK)
        return "bad-path";
    memcpy(ret->path, text, strlen(text) + 1);
    return NULL;
}

static const char *read_zone(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    const char *text;
    *ret_err = json_get_text(root, "zone", 16, &text);
    if (*ret_err == ERR_OK && !zone_parse(text, &ret->zone))
        *ret_err = ERR_UNSUPPORTED;
    return *ret_err == ERR_OK ? NULL : "bad-zone";
}

static const char *read_seq(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    *ret_err = json_get_integer(root, "seq", 0, JSON_INTEGER_MAX, &ret->seq);
    return *ret_err == ERR_OK ? NULL : "bad-request";
}

static const char *read_doc(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    const char *text;
    *ret_err = json_get_text(root, "doc", LIMIT_DOC_ID, &text);
    if (*ret_err == ERR_OK && !ascii_printable(text, strlen(text)))
        *ret_err = ERR_SYNTAX;
    if (*ret_err == ERR_OK && ret->type == API_DOC_CLOSE && text[0] == '\0')
        *ret_err = ERR_MISSING;
    if (*ret_err != ERR_OK)
        return "bad-request";
    memcpy(ret->doc, text, strlen(text) + 1);
    return NULL;
}

static const char *read_hello(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    uint64_t api = 0;
    const char *client;
    *ret_err = json_get_integer(root, "api", 0, UINT32_MAX, &api);
    if (*ret_err == ERR_OK)
        *ret_err = json_get_text(root, "client", 64, &client);
    if (*ret_err != ERR_OK)
        return "bad-request";
    ret->api = (uint32_t)api;
    ret->extension = strcmp(client, "extension") == 0;
    return NULL;
}

static const char *read_minutes(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    *ret_err = json_get_integer(root, "minutes", 0, LIMIT_PAUSE_MINUTES, &ret->minutes);
    return *ret_err == ERR_OK ? NULL : "bad-request";
}

static const char *read_before(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    *ret_err = json_get_integer(root, "before", 0, JSON_INTEGER_MAX, &ret->before);
    return *ret_err == ERR_OK ? NULL : "bad-request";
}

static const char *read_limit(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    *ret_err = json_get_integer(root, "limit", 1, LIMIT_LOG_PAGE, &ret->limit);
    return *ret_err == ERR_OK ? NULL : "bad-request";
}

static const char *read_kind(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    const char *text;
    *ret_err = json_get_text(root, "kind", 16, &text);
    if (*ret_err == ERR_OK && !transfer_kinds_parse(text, &ret->kinds))
        *ret_err = ERR_UNSUPPORTED;
    return *ret_err == ERR_OK ? NULL : "bad-request";
}

static const char *read_keep(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    const json_t *keep = json_object_get(root, "keep");
    ret->keep = json_is_true(keep);
    *ret_err = json_is_boolean(keep) ? ERR_OK : ERR_SYNTAX;
    return *ret_err == ERR_OK ? NULL : "bad-request";
}

static const char *read_quota(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    *ret_err = json_get_integer(root, "quota", 0, JSON_INTEGER_MAX, &ret->quota);
    return *ret_err == ERR_OK ? NULL : "bad-request";
}

static const char *read_inline(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    *ret_err = json_get_integer(root, "inline", 0, LIMIT_INLINE, &ret->inline_max);
    return *ret_err == ERR_OK ? NULL : "bad-request";
}

/* A number, but for the zone, which goes by its name. */
static enum err read_setting(const json_t *root, enum setting setting, uint64_t *ret)
{
    const char *text;
    enum zone zone = ZONE_DEFAULT;

    if (setting != SETTING_DEFAULT_ZONE)
        return json_get_integer(root, settings[setting].name, 0, JSON_INTEGER_MAX, ret);
    enum err err = json_get_text(root, settings[setting].name, 16, &text);
    if (err == ERR_OK && (!zone_parse(text, &zone) || zone == ZONE_DEFAULT))
        err = ERR_UNSUPPORTED;
    *ret = (uint64_t)zone + 1;
    return err;
}

/* Each of them may be missing. */
static const char *read_settings(const json_t *root, struct api_request *ret, enum err *ret_err)
{
    for (int i = 0; i < SETTING_COUNT_ && *ret_err == ERR_OK; i++) {
        const char *name = settings[i].name;
        ret->given[i] = json_object_get(root, name) != NULL;
        if (!ret->given[i])
            continue;
        *ret_err = read_setting(root, (enum setting)i, &ret->settings[i]);
        if (*ret_err == ERR_OK)
            *ret_err = setting_check((enum setting)i, ret->settings[i]);
    }
    return *ret_err == ERR_OK ? NULL : "bad-request";
}

typedef const char *(*field_reader)(const json_t *, struct api_request *, enum err *);
static const struct {
    unsigned bit;
    const char *key;
    field_reader read;
} fields[] = {
    {FIELD_SITE, "site", read_site},          {FIELD_SEQ, "seq", read_seq},
    {FIELD_PATH, "path", read_path},          {FIELD_DOC, "doc", read_doc},
    {FIELD_ZONE, "zone", read_zone},          {FIELD_HELLO, "api", read_hello},
    {FIELD_MINUTES, "minutes", read_minutes}, {FIELD_SETTINGS, "settings", read_settings},
    {FIELD_BEFORE, "before", read_before},    {FIELD_LIMIT, "limit", read_limit},
    {FIELD_KIND, "kind", read_kind},          {FIELD_KEEP, "keep", read_keep},
    {FIELD_QUOTA, "quota", read_quota},       {FIELD_INLINE, "inline", read_inline},
};

static enum err read_fields(const json_t *root, struct api_request *ret, const char **ret_code)
{
    unsigned needs = types[ret->type].needs, takes = types[ret->type].takes;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        enum err err = ERR_OK;
        bool wanted =
            (needs & fields[i].bit) != 0 ||
            ((takes & fields[i].bit) != 0 && json_object_get(root, fields[i].key) != NULL);
        const char *code = wanted ? fields[i].read(root, ret, &err) : NULL;
        if (code != NULL) {
            *ret_code = code;
            return err;
        }
    }
    return ERR_OK;
}

static enum err read_type(const json_t *root, struct api_request *ret, const char **ret_code)
{
    const char *text;
    enum err err = json_get_text(root, "type", 64, &text);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < API_TYPE_COUNT_; i++) {
        if (strcmp(text, types[i].name) == 0) {
            ret->type = (enum api_type)i;
            return ERR_OK;
        }
    }
    *ret_code = "unknown-type";
    return ERR_UNSUPPORTED;
}

enum err api_request_parse(struct span json, struct api_request *ret, const char **ret_code)
{
    json_t *root = NULL;
    *ret = (struct api_request){.zone = ZONE_DEFAULT};
    *ret_code = "bad-request";
    if (json.length > LIMIT_FRAME_IN)
        return ERR_TOO_LARGE;
    enum err err = json_load_object(json.data, json.length, &root);
    if (err != ERR_OK)
        return err;
    err = json_get_integer(root, "id", 1, JSON_INTEGER_MAX, &ret->id);
    if (err == ERR_OK)
        err = read_type(root, ret, ret_code);
    if (err == ERR_OK)
        err = read_fields(root, ret, ret_code);
    json_decref(root);
    if (err == ERR_OK)
        *ret_code = NULL;
    return err;
}

static void put_text_field(struct buf *out, const char *key, const char *value)
{
    if (value[0] == '\0')
        return;
    buf_printf(out, ",\"%s\":", key);
    json_put_string(out, value);
}

/* By the same words that are read. */
static void put_kinds(struct buf *out, unsigned kinds)
{
    unsigned same = 0;

    for (unsigned i = 0; i < TRANSFER_KIND_COUNT_; i++)
        if (kinds == 1u << i)
            put_text_field(out, "kind", transfer_kind_name((enum transfer_kind)i));
    if (transfer_kinds_parse("fetched", &same) && kinds == same)
        put_text_field(out, "kind", "fetched");
}

static void put_setting(struct buf *out, enum setting setting, uint64_t value)
{
    if (setting == SETTING_DEFAULT_ZONE)
        put_text_field(out, settings[setting].name, zone_name((enum zone)(value - 1)));
    else
        buf_printf(out, ",\"%s\":%llu", settings[setting].name, (unsigned long long)value);
}

void api_request_write(const struct api_request *request, struct buf *out)
{
    unsigned has = types[request->type].needs | types[request->type].takes;
    buf_printf(out, "{\"id\":%llu,\"type\":\"%s\"", (unsigned long long)request->id,
               types[request->type].name);
    if (has & FIELD_HELLO)
        buf_printf(out, ",\"api\":%u,\"client\":\"%s\",\"version\":\"" FRINGE_VERSION "\"",
                   request->api, request->extension ? "extension" : "cli");
    if (has & FIELD_SITE)
        put_text_field(out, "site", request->site);
    if (has & FIELD_SEQ)
        buf_printf(out, ",\"seq\":%llu", (unsigned long long)request->seq);
    if (has & FIELD_PATH)
        put_text_field(out, "path", request->path);
    if (has & FIELD_DOC)
        put_text_field(out, "doc", request->doc);
    if (has & FIELD_ZONE)
        put_text_field(out, "zone", zone_name(request->zone));
    if (has & FIELD_MINUTES)
        buf_printf(out, ",\"minutes\":%llu", (unsigned long long)request->minutes);
    if ((has & FIELD_BEFORE) && request->before > 0)
        buf_printf(out, ",\"before\":%llu", (unsigned long long)request->before);
    if ((has & FIELD_LIMIT) && request->limit > 0)
        buf_printf(out, ",\"limit\":%llu", (unsigned long long)request->limit);
    if (has & FIELD_KIND)
        put_kinds(out, request->kinds);
    if (has & FIELD_KEEP)
        buf_printf(out, ",\"keep\":%s", request->keep ? "true" : "false");
    if (has & FIELD_QUOTA)
        buf_printf(out, ",\"quota\":%llu", (unsigned long long)request->quota);
    if ((has & FIELD_INLINE) && request->inline_max > 0)
        buf_printf(out, ",\"inline\":%llu", (unsigned long long)request->inline_max);
    for (int i = 0; (has & FIELD_SETTINGS) && i < SETTING_COUNT_; i++)
        if (request->given[i])
            put_setting(out, (enum setting)i, request->settings[i]);
    buf_put_u8(out, '}');
}
