/* The writer for answers and events: text goes straight into a buffer that never grows over
 * what a frame may hold. */
#include "wire/api.h"

#include "base/limits.h"
#include "base/mem.h"
#include "wire/json.h"

#include <assert.h>

struct api_answer {
    struct buf text;
    uint64_t id; /* 0: an event */
    unsigned depth;
    char closers[LIMIT_JSON_DEPTH];
    bool comma;
};

static void put_key(struct api_answer *answer, const char *key)
{
    if (answer->comma)
        buf_put_u8(&answer->text, ',');
    answer->comma = true;
    if (key != NULL) {
        json_put_string(&answer->text, key);
        buf_put_u8(&answer->text, ':');
    }
}

static void open_level(struct api_answer *answer, const char *key, char opener, char closer)
{
    assert(answer->depth < LIMIT_JSON_DEPTH);
    put_key(answer, key);
    buf_put_u8(&answer->text, (uint8_t)opener);
    answer->closers[answer->depth++] = closer;
    answer->comma = false;
}

static struct api_answer *answer_new(uint64_t id)
{
    struct api_answer *answer = mem_zalloc(sizeof *answer);
    answer->id = id;
    buf_init(&answer->text, LIMIT_FRAME_OUT);
    buf_put_u8(&answer->text, '{');
    answer->closers[answer->depth++] = '}';
    return answer;
}

struct api_answer *api_answer_begin(uint64_t id)
{
    struct api_answer *answer = answer_new(id);
    api_answer_number(answer, "id", id);
    put_key(answer, "ok");
    buf_put_text(&answer->text, "true");
    return answer;
}

struct api_answer *api_event_begin(const char *event)
{
    struct api_answer *answer = answer_new(0);
    api_answer_text(answer, "event", event);
    return answer;
}

void api_answer_text(struct api_answer *answer, const char *key, const char *value)
{
    put_key(answer, key);
    if (value != NULL)
        json_put_string(&answer->text, value);
    else
        buf_put_text(&answer->text, "null");
}

void api_answer_number(struct api_answer *answer, const char *key, uint64_t value)
{
    put_key(answer, key);
    buf_printf(&answer->text, "%llu", (unsigned long long)value);
}

void api_answer_bool(struct api_answer *answer, const char *key, bool value)
{
    put_key(answer, key);
    buf_put_text(&answer->text, value ? "true" : "false");
}

void api_answer_open_object(struct api_answer *answer, const char *key)
{
    open_level(answer, key, '{', '}');
}

void api_answer_open_array(struct api_answer *answer, const char *key)
{
    open_level(answer, key, '[', ']');
}

void api_answer_item_text(struct api_answer *answer, const char *value)
{
    api_answer_text(answer, NULL, value);
}

void api_answer_close(struct api_answer *answer)
{
    assert(answer->depth > 1);
    buf_put_u8(&answer->text, (uint8_t)answer->closers[--answer->depth]);
    answer->comma = true;
}

void api_answer_end(struct api_answer *answer, struct buf *out)
{
    while (answer->depth > 0)
        buf_put_u8(&answer->text, (uint8_t)answer->closers[--answer->depth]);
    if (!answer->text.failed)
        buf_put(out, answer->text.data, answer->text.length);
    else if (answer->id != 0)
        api_answer_error(answer->id, "too-many", "the answer is longer than a frame may be", out);
    buf_done(&answer->text);
    mem_free(answer);
}

void api_answer_error(uint64_t id, const char *code, const char *text, struct buf *out)
{
    buf_printf(out, "{\"id\":%llu,\"ok\":false,\"error\":", (unsigned long long)id);
    json_put_string(out, code);
    buf_put_text(out, ",\"text\":");
    json_put_string(out, text);
    buf_put_u8(out, '}');
}
