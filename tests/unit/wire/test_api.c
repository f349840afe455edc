/* wire/api: requests are read strictly, answers are always valid JSON within a frame. */
#include "base/mem.h"
#include "check_main.h"
#include "wire/api.h"
#include "wire/json.h"

#include <string.h>

static void expect_refusal(const char *json, const char *code, uint64_t id)
{
    struct api_request request;
    const char *got = NULL;
    ck_assert_msg(api_request_parse(span_text(json), &request, &got) != ERR_OK, "%s", json);
    ck_assert_msg(got != NULL && strcmp(got, code) == 0, "%s: %s", json, got ? got : "none");
    ck_assert_uint_eq(request.id, id);
}

static struct api_request expect_ok(const char *json)
{
    struct api_request request;
    const char *code = NULL;
    ck_assert_msg(api_request_parse(span_text(json), &request, &code) == ERR_OK, "%s: %s", json,
                  code);
    ck_assert_ptr_null(code);
    return request;
}

START_TEST(every_request_is_read)
{
    struct api_request r = expect_ok(
        "{\"id\":1,\"type\":\"hello\",\"api\":1,\"client\":\"extension\",\"version\":\"0.1\"}");
    ck_assert_int_eq(r.type, API_HELLO);
    ck_assert_uint_eq(r.api, 1);
    ck_assert(r.extension);
    r = expect_ok("{\"type\":\"asset.want\",\"id\":9007199254740991,\"site\":\"https://a.test\","
                  "\"seq\":7,\"path\":\"/s/a%20b.js\",\"doc\":\"12.3\",\"new\":[]}");
    ck_assert_int_eq(r.type, API_ASSET_WANT);
    ck_assert_uint_eq(r.id, (1ull << 53) - 1);
    ck_assert_uint_eq(r.seq, 7);
    ck_assert_str_eq(r.site, "https://a.test");
    ck_assert_str_eq(r.path, "/s/a%20b.js");
    ck_assert_str_eq(r.doc, "12.3");
    ck_assert_uint_eq(r.inline_max, 0);
    r = expect_ok("{\"type\":\"asset.want\",\"id\":1,\"site\":\"https://a.test\",\"path\":\"/s\","
                  "\"inline\":16384}");
    ck_assert_uint_eq(r.inline_max, LIMIT_INLINE);
    expect_refusal("{\"type\":\"asset.want\",\"id\":1,\"site\":\"https://a.test\",\"path\":\"/s\","
                   "\"inline\":16385}",
                   "bad-request", 1);
    r = expect_ok("{\"id\":2,\"type\":\"site.open\",\"site\":\"http://localhost:81\"}");
    ck_assert_uint_eq(r.seq, 0);
    ck_assert_str_eq(r.doc, "");
    r = expect_ok("{\"id\":2,\"type\":\"site.zone\",\"site\":\"https://a.test\","
                  "\"zone\":\"fetch\"}");
    ck_assert_int_eq(r.zone, ZONE_FETCH);
    expect_ok("{\"id\":2,\"type\":\"site.status\",\"site\":\"https://a.test\"}");
    expect_ok("{\"id\":2,\"type\":\"doc.close\",\"doc\":\"x\"}");
    expect_ok("{\"id\":2,\"type\":\"sites\"}");
    expect_ok("{\"id\":2,\"type\":\"status\"}");
    expect_ok("{\"id\":2,\"type\":\"stop\"}");
    r = expect_ok("{\"id\":2,\"type\":\"settings\",\"upload_rate\":8000,\"slots\":3}");
    ck_assert(r.given[SETTING_UPLOAD_RATE] && r.given[SETTING_SLOTS]);
    ck_assert(!r.given[SETTING_DOWNLOAD_RATE] && !r.given[SETTING_MONTHLY_CAP]);
    ck_assert_uint_eq(r.settings[SETTING_UPLOAD_RATE], 8000);
    ck_assert_uint_eq(r.settings[SETTING_SLOTS], 3);
    r = expect_ok("{\"id\":2,\"type\":\"settings\",\"download_rate\":0,\"monthly_cap\":1}");
    ck_assert(r.given[SETTING_DOWNLOAD_RATE] && r.given[SETTING_MONTHLY_CAP]);
    expect_ok("{\"id\":2,\"type\":\"settings\"}");
    r = expect_ok("{\"id\":2,\"type\":\"settings\",\"default_zone\":\"share\"}");
    ck_assert_uint_eq(r.settings[SETTING_DEFAULT_ZONE], ZONE_SHARE + 1);
    expect_refusal("{\"id\":2,\"type\":\"settings\",\"default_zone\":\"default\"}", "bad-request",
                   2);
    expect_refusal("{\"id\":2,\"type\":\"settings\",\"default_zone\":\"all\"}", "bad-request", 2);
    expect_refusal("{\"id\":2,\"type\":\"settings\",\"default_zone\":1}", "bad-request", 2);
    ck_assert_uint_eq(expect_ok("{\"id\":2,\"type\":\"pause\"}").minutes, 0);
    ck_assert_uint_eq(expect_ok("{\"id\":2,\"type\":\"pause\",\"minutes\":10080}").minutes, 10080);
    expect_ok("{\"id\":2,\"type\":\"resume\"}");
}
END_TEST

START_TEST(bad_requests_say_which_part)
{
    expect_refusal("", "bad-request", 0);
    expect_refusal("[]", "bad-request", 0);
    expect_refusal("{}", "bad-request", 0);
    expect_refusal("{\"id\":0,\"type\":\"stop\"}", "bad-request", 0);
    expect_refusal("{\"id\":-1,\"type\":\"stop\"}", "bad-request", 0);
    expect_refusal("{\"id\":1.5,\"type\":\"stop\"}", "bad-request", 0);
    expect_refusal("{\"id\":9007199254740992,\"type\":\"stop\"}", "bad-request", 0);
    expect_refusal("{\"id\":1,\"id\":2,\"type\":\"stop\"}", "bad-request", 0);
    expect_refusal("{\"id\":1,\"type\":\"stop\"}x", "bad-request", 0);
    expect_refusal("{\"id\":1,\"type\":\"st\\u0000op\"}", "bad-request", 0);
    expect_refusal("{\"id\":1,\"type\":\"\xff\"}", "bad-request", 0);
    expect_refusal("{\"id\":3}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":7}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"fly\"}", "unknown-type", 3);
    expect_refusal("{\"id\":3,\"type\":\"hello\",\"client\":\"cli\"}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"site.open\"}", "bad-site", 3);
    expect_refusal("{\"id\":3,\"type\":\"site.open\",\"site\":\"https://a.test/\"}", "bad-site", 3);
    expect_refusal("{\"id\":3,\"type\":\"site.open\",\"site\":\"https://a.test\",\"seq\":-1}",
                   "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"asset.want\",\"site\":\"https://a.test\"}", "bad-path", 3);
    expect_refusal("{\"id\":3,\"type\":\"asset.want\",\"site\":\"https://a.test\",\"path\":\"x\"}",
                   "bad-path", 3);
    expect_refusal("{\"id\":3,\"type\":\"asset.want\",\"site\":\"https://a.test\","
                   "\"path\":\"/\\n\"}",
                   "bad-path", 3);
    expect_refusal("{\"id\":3,\"type\":\"asset.want\",\"site\":\"https://a.test\","
                   "\"path\":\"/x\",\"doc\":\"\xc3\xbc\"}",
                   "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"site.zone\",\"site\":\"https://a.test\"}", "bad-zone", 3);
    expect_refusal("{\"id\":3,\"type\":\"site.zone\",\"site\":\"https://a.test\","
                   "\"zone\":\"all\"}",
                   "bad-zone", 3);
    expect_refusal("{\"id\":3,\"type\":\"settings\",\"upload_rate\":7999}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"settings\",\"upload_rate\":-1}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"settings\",\"download_rate\":\"9k\"}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"settings\",\"download_rate\":1000000000001}",
                   "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"settings\",\"slots\":0}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"settings\",\"slots\":201}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"settings\",\"slots\":1,\"monthly_cap\":null}",
                   "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"pause\",\"minutes\":10081}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"log\",\"kind\":\"\"}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"log\",\"kind\":2}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"settings\",\"no_log\":2}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"doc.close\"}", "bad-request", 3);
    expect_refusal("{\"id\":3,\"type\":\"doc.close\",\"doc\":\"\"}", "bad-request", 3);
}
END_TEST

START_TEST(depth_and_sizes_are_capped)
{
    struct api_request request;
    const char *code;
    struct buf json;
    buf_init(&json, 1 << 20);
    buf_put_text(&json, "{\"id\":1,\"type\":\"stop\",\"x\":");
    for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
        buf_put_u8(&json, '[');
    for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
        buf_put_u8(&json, ']');
    buf_put_u8(&json, '}');
    ck_assert_int_eq(api_request_parse(span_of(json.data, json.length), &request, &code),
                     ERR_TOO_DEEP);
    /* Brackets inside strings are no depth. */
    expect_ok("{\"id\":1,\"type\":\"stop\",\"x\":\"[[[[[[[[[[[[[[[[[[\\\"[[[[[\"}");
    buf_clear(&json);
    buf_put_text(&json, "{\"id\":1,\"type\":\"doc.close\",\"doc\":\"");
    for (int i = 0; i < LIMIT_DOC_ID + 1; i++)
        buf_put_u8(&json, 'd');
    buf_put_text(&json, "\"}");
    ck_assert_int_eq(api_request_parse(span_of(json.data, json.length), &request, &code),
                     ERR_TOO_LARGE);
    uint8_t *big = mem_zalloc(LIMIT_FRAME_IN + 1);
    memset(big, ' ', LIMIT_FRAME_IN + 1);
    ck_assert_int_eq(api_request_parse(span_of(big, LIMIT_FRAME_IN + 1), &request, &code),
                     ERR_TOO_LARGE);
    mem_free(big);
    buf_done(&json);
}
END_TEST

START_TEST(written_requests_read_the_same)
{
    for (int type = 0; type < API_TYPE_COUNT_; type++) {
        struct api_request request = {
            .id = 5,
            .type = (enum api_type)type,
            .api = 1,
            .seq = 9,
            .zone = ZONE_OFF,
            .site = "https://a.test",
            .path = "/a\"b",
            .doc = "d",
            .minutes = 8,
            .kinds = 1u << TRANSFER_SHARED,
            .given = {[SETTING_SLOTS] = true, [SETTING_DEFAULT_ZONE] = true},
            .settings = {[SETTING_SLOTS] = 6, [SETTING_DEFAULT_ZONE] = ZONE_FETCH + 1}};
        struct buf out;
        buf_init(&out, 4096);
        api_request_write(&request, &out);
        buf_put_u8(&out, 0);
        struct api_request again = expect_ok((char *)out.data);
        ck_assert_int_eq(again.type, type);
        ck_assert_uint_eq(again.minutes, type == API_PAUSE ? 8 : 0);
        ck_assert_uint_eq(again.kinds, type == API_LOG ? 1u << TRANSFER_SHARED : 0);
        ck_assert_uint_eq(again.settings[SETTING_SLOTS], type == API_SETTINGS ? 6 : 0);
        ck_assert_uint_eq(again.settings[SETTING_DEFAULT_ZONE],
                          type == API_SETTINGS ? ZONE_FETCH + 1 : 0);
        if (type == API_ASSET_WANT)
            ck_assert_str_eq(again.path, "/a\"b");
        buf_done(&out);
    }
}
END_TEST

START_TEST(answers_are_valid_json)
{
    struct buf out;
    buf_init(&out, LIMIT_FRAME_OUT);
    struct api_answer *answer = api_answer_begin(7);
    api_answer_text(answer, "reason", NULL);
    api_answer_text(answer, "text",
                    "a\"b\\c\n</script>\xe2\x80\xa8\xff"
                    "\xc3\xbc");
    api_answer_open_object(answer, "page");
    api_answer_number(answer, "files", 3);
    api_answer_number(answer, "cache", UINT32_MAX);
    api_answer_close(answer);
    api_answer_open_array(answer, "bases");
    api_answer_item_text(answer, "/a/");
    api_answer_item_text(answer, "/b/");
    api_answer_open_object(answer, NULL);
    api_answer_bool(answer, "chosen", true);
    api_answer_end(answer, &out); /* closes what is open */
    buf_put_u8(&out, 0);
    ck_assert_str_eq((char *)out.data,
                     "{\"id\":7,\"ok\":true,\"reason\":null,"
                     "\"text\":\"a\\\"b\\\\c\\u000a\\u003c/script>\\u2028\\ufffd\xc3\xbc\","
                     "\"page\":{\"files\":3,\"cache\":4294967295},"
                     "\"bases\":[\"/a/\",\"/b/\",{\"chosen\":true}]}");
    json_t *root = NULL;
    ck_assert_int_eq(json_load_object(out.data, out.length - 1, &root), ERR_OK);
    json_decref(root);
    buf_clear(&out);
    api_answer_error(7, "failed", "no \"luck\"", &out);
    buf_put_u8(&out, 0);
    ck_assert_str_eq((char *)out.data,
                     "{\"id\":7,\"ok\":false,\"error\":\"failed\",\"text\":\"no \\\"luck\\\"\"}");
    buf_clear(&out);
    answer = api_event_begin("site.changed");
    api_answer_text(answer, "zone", "off");
    api_answer_end(answer, &out);
    buf_put_u8(&out, 0);
    ck_assert_str_eq((char *)out.data, "{\"event\":\"site.changed\",\"zone\":\"off\"}");
    buf_done(&out);
}
END_TEST

START_TEST(an_answer_over_a_frame_becomes_an_error)
{
    struct buf out;
    char text[1025];
    memset(text, 'x', 1024);
    text[1024] = '\0';
    buf_init(&out, LIMIT_FRAME_OUT);
    struct api_answer *answer = api_answer_begin(4);
    api_answer_open_array(answer, "sites");
    for (int i = 0; i < 1100; i++)
        api_answer_item_text(answer, text);
    api_answer_end(answer, &out);
    buf_put_u8(&out, 0);
    ck_assert_ptr_nonnull(strstr((char *)out.data, "\"error\":\"too-many\""));
    ck_assert_ptr_nonnull(strstr((char *)out.data, "\"id\":4"));
    buf_done(&out);
}
END_TEST

START_TEST(names)
{
    enum zone zone;
    ck_assert(zone_parse("share", &zone));
    ck_assert_int_eq(zone, ZONE_SHARE);
    ck_assert_str_eq(zone_name(ZONE_DEFAULT), "default");
    ck_assert_str_eq(zone_name((enum zone)99), "unknown");
    ck_assert_str_eq(source_name(SOURCE_SUPERNODE), "supernode");
    ck_assert_str_eq(source_name((enum source)99), "unknown");
}
END_TEST

START_TEST(kinds_of_transfers)
{
    unsigned kinds, fetched = 0;

    for (unsigned i = 0; i < TRANSFER_KIND_COUNT_; i++) {
        ck_assert(transfer_kinds_parse(transfer_kind_name((enum transfer_kind)i), &kinds));
        ck_assert_uint_eq(kinds, 1u << i);
    }
    for (int i = 0; i < SOURCE_COUNT_; i++) {
        ck_assert_str_eq(transfer_kind_name((enum transfer_kind)i), source_name((enum source)i));
        fetched |= 1u << i;
    }
    ck_assert(transfer_kinds_parse("fetched", &kinds));
    ck_assert_uint_eq(kinds, fetched);
    ck_assert(!transfer_kinds_parse("", &kinds));
    ck_assert(!transfer_kinds_parse("unknown", &kinds));
    ck_assert_str_eq(transfer_kind_name(TRANSFER_KIND_COUNT_), "unknown");

    struct api_request request = {.id = 5, .type = API_LOG, .kinds = fetched};
    struct buf out;
    buf_init(&out, 4096);
    api_request_write(&request, &out);
    buf_put_u8(&out, 0);
    ck_assert_uint_eq(expect_ok((char *)out.data).kinds, fetched);
    buf_done(&out);
}
END_TEST

TEST_MAIN("api",
          TESTS(every_request_is_read, bad_requests_say_which_part, depth_and_sizes_are_capped,
                written_requests_read_the_same, answers_are_valid_json,
                an_answer_over_a_frame_becomes_an_error, names, kinds_of_transfers))
