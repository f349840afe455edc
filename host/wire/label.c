#include "wire/label.h"

#include "wire/json.h"

#include <string.h>
#include <strings.h>

#define MAX_LINKS 64 /* as the extension */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool at_end(const struct reader *in)
{
    return in->at == in->end;
}

static void skip_space(struct reader *in)
{
    while (!at_end(in) && is_space(*in->at))
        in->at++;
}

static bool take(struct reader *in, uint8_t c)
{
    if (at_end(in) || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool is_word(struct span span, const char *word)
{
    return span.length == strlen(word) &&
           strncasecmp((const char *)span.data, word, span.length) == 0;
}

/* One of the words between blanks. */
static bool has_word(const char *text, const char *word)
{
    for (size_t length; *text != '\0'; text += length) {
        text += strspn(text, " \t\n\r\f");
        length = strcspn(text, " \t\n\r\f");
        if (is_word(span_of(text, length), word))
            return true;
    }
    return false;
}

/* False when it does not fit, or is no text. */
static bool copy(struct span from, char *ret, size_t size)
{
    if (from.length >= size || memchr(from.data, 0, from.length) != NULL)
        return false;
    memcpy(ret, from.data, from.length);
    ret[from.length] = '\0';
    return true;
}

bool label_seq(const struct label *label, uint64_t *ret)
{
    size_t length = strlen(label->seq);
    *ret = 0;
    if (length > 16)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (label->seq[i] < '0' || label->seq[i] > '9')
            return false;
        *ret = *ret * 10 + (uint64_t)(label->seq[i] - '0');
    }
    return *ret <= JSON_INTEGER_MAX;
}

/* --- Link headers */

static bool is_token(uint8_t c)
{
    return c > ' ' && c < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}

static struct span take_token(struct reader *in)
{
    const uint8_t *start = in->at;
    while (!at_end(in) && is_token(*in->at))
        in->at++;
    return span_of(start, (size_t)(in->at - start));
}

/* A token or a quoted string, whose backslashes go; false when there is neither. */
static bool take_value(struct reader *in, char *ret, size_t size)
{
    size_t length = 0;
    bool quoted = take(in, '"');
    while (!at_end(in) &&
           (quoted ? *in->at != '"'
                   : !is_space(*in->at) && *in->at != ';' && *in->at != ',' && *in->at != '"')) {
        if (quoted && *in->at == '\\' && in->at + 1 < in->end)
            in->at++;
        if (length + 1 < size)
            ret[length++] = (char)*in->at;
        in->at++;
    }
    ret[length] = '\0';
    return quoted ? take(in, '"') : length > 0;
}

struct link {
    struct label label;
    char rel[256];
    bool has_rel, has_seq, has_anchor;
};

/* Of several parameters of one name the first counts (RFC 8288 section 3.3). */
static void set_parameter(struct link *link, struct span name, const char *value)
{
    if (is_word(name, "rel") && !link->has_rel) {
        link->has_rel = copy(span_text(value), link->rel, sizeof link->rel);
    } else if (is_word(name, "seq") && !link->has_seq) {
        link->has_seq = true;
        /* Too long to be a number: not the same as none. */
        if (!copy(span_text(value), link->label.seq, sizeof link->label.seq))
            strcpy(link->label.seq, "?");
    } else if (is_word(name, "anchor")) {
        link->has_anchor = true;
    }
}

static void take_parameters(struct reader *in, struct link *link)
{
    char value[512];
    for (;;) {
        struct reader before = *in;
        skip_space(in);
        bool more = take(in, ';');
        skip_space(in);
        struct span name = take_token(in);
        if (!more || name.length == 0) {
            *in = before;
            return;
        }
        struct reader behind = *in;
        value[0] = '\0';
        skip_space(in);
        if (take(in, '=')) {
            skip_space(in);
            take_value(in, value, sizeof value);
        } else {
            *in = behind;
        }
        set_parameter(link, name, value);
    }
}

static bool take_target(struct reader *in, struct link *link)
{
    while (!at_end(in) && (is_space(*in->at) || *in->at == ','))
        in->at++;
    if (!take(in, '<'))
        return false;
    const uint8_t *end = memchr(in->at, '>', reader_left(in));
    if (end == NULL)
        return false;
    skip_space(in);
    struct span target = span_of(in->at, in->at < end ? (size_t)(end - in->at) : 0);
    while (target.length > 0 && is_space(target.data[target.length - 1]))
        target.length--;
    in->at = end + 1;
    if (!copy(target, link->label.target, sizeof link->label.target))
        link->label.target[0] = '\0';
    return true;
}

bool label_in_header(struct span value, struct label *ret)
{
    struct reader in;
    reader_init(&in, value.data, value.length);
    for (int i = 0; i < MAX_LINKS; i++) {
        struct link link = {0};
        if (!take_target(&in, &link))
            return false;
        take_parameters(&in, &link);
        if (has_word(link.rel, "fringe") && !link.has_anchor) {
            *ret = link.label;
            return true;
        }
    }
    return false;
}

/* --- HTML: only what the head needs of the standard's tokenizer */

struct tag {
    struct span name;
    bool closing;
    char rel[256], href[LIMIT_URL + 1], seq[24], equiv[64], content[4096];
};

static void set_attribute(struct tag *tag, struct span name, struct span value)
{
    static const struct {
        const char *name;
        size_t offset, size;
    } known[] = {
#define KNOWN(NAME, FIELD) {NAME, offsetof(struct tag, FIELD), sizeof((struct tag *)0)->FIELD}
        KNOWN("rel", rel),          KNOWN("href", href),       KNOWN("data-seq", seq),
        KNOWN("http-equiv", equiv), KNOWN("content", content),
#undef KNOWN
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char *field = (char *)tag + known[i].offset;
        if (is_word(name, known[i].name) && field[0] == '\0' && !copy(value, field, known[i].size))
            strcpy(field, "?");
    }
}

static struct span take_until(struct reader *in, const char *ends)
{
    const uint8_t *start = in->at;
    while (!at_end(in) && !is_space(*in->at) && (*in->at == 0 || strchr(ends, *in->at) == NULL))
        in->at++;
    return span_of(start, (size_t)(in->at - start));
}

static struct span take_attribute_value(struct reader *in)
{
    skip_space(in);
    if (at_end(in) || (*in->at != '"' && *in->at != '\''))
        return take_until(in, ">");
    const uint8_t *start = in->at + 1, *end;
    end = memchr(start, *in->at, (size_t)(in->end - start));
    in->at = end != NULL ? end + 1 : in->end;
    return span_of(start, (size_t)((end != NULL ? end : in->end) - start));
}

/* Behind "<": the name and the attributes, up to and with ">". */
static void take_tag(struct reader *in, struct tag *tag)
{
    memset(tag, 0, sizeof *tag);
    tag->closing = take(in, '/');
    tag->name = take_until(in, "/>");
    while (!at_end(in) && !take(in, '>')) {
        if (is_space(*in->at) || *in->at == '/') {
            in->at++;
            continue;
        }
        struct span name = take_until(in, "/>=");
        struct span value = span_text("");
        skip_space(in);
        if (take(in, '='))
            value = take_attribute_value(in);
        set_attribute(tag, name, value);
    }
}

/* Past "-->" or whatever ends what has begun. */
static void skip_past(struct reader *in, const char *end)
{
    const uint8_t *found = memmem(in->at, reader_left(in), end, strlen(end));
    in->at = found != NULL ? found + strlen(end) : in->end;
}

/* The text of a script, style, title, noscript or template is no markup of the head. */
static void skip_element(struct reader *in, struct span name)
{
    while (!at_end(in)) {
        skip_past(in, "</");
        if (reader_left(in) >= name.length &&
            strncasecmp((const char *)in->at, (const char *)name.data, name.length) == 0) {
            skip_past(in, ">");
            return;
        }
    }
}

static bool is_one_of(struct span name, const char *const *words)
{
    while (*words != NULL && !is_word(name, *words))
        words++;
    return *words != NULL;
}

/* False: the head is over. */
static bool look_at(struct reader *in, const struct tag *tag, struct label_html *ret)
{
    static const char *const raw[] = {"script", "style", "title", "noscript", "template", NULL};
    static const char *const head[] = {"html", "head", "meta", "link", "base", NULL};
    if (is_one_of(tag->name, raw)) {
        if (!tag->closing)
            skip_element(in, tag->name);
        return true;
    }
    if (!is_one_of(tag->name, head) || (tag->closing && is_word(tag->name, "head")))
        return false;
    if (is_word(tag->name, "link") && has_word(tag->rel, "fringe") && tag->href[0] != '\0' &&
        !ret->has_label) {
        ret->has_label = true;
        strcpy(ret->label.target, tag->href);
        strcpy(ret->label.seq, tag->seq);
    }
    if (is_word(tag->name, "meta") && strcasecmp(tag->equiv, "content-security-policy") == 0 &&
        ret->policy[0] == '\0')
        strcpy(ret->policy, tag->content);
    return true;
}

void label_in_html(struct span html, struct label_html *ret)
{
    struct reader in;
    struct tag tag;
    memset(ret, 0, sizeof *ret);
    reader_init(&in, html.data, html.length);
    if (html.length >= 3 && memcmp(html.data, "\xef\xbb\xbf", 3) == 0)
        in.at += 3;
    for (;;) {
        skip_space(&in);
        if (!take(&in, '<'))
            return; /* text: the body has begun */
        if (reader_left(&in) >= 3 && memcmp(in.at, "!--", 3) == 0) {
            in.at += 3;
            skip_past(&in, "-->");
        } else if (!at_end(&in) && (*in.at == '!' || *in.at == '?')) {
            skip_past(&in, ">");
        } else {
            take_tag(&in, &tag);
            if (!look_at(&in, &tag, ret))
                return;
        }
    }
}
