/* wire/native_manifest: a manifest is judged as a browser would. */
#include "check_main.h"
#include "wire/native_manifest.h"

#include <stdio.h>
#include <stdlib.h>

#define ORIGIN "\"chrome-extension://gnngkgnlcojnaaapcfnmdjionaonmblf/\""
#define GOOD                                                                                       \
    "{\"name\":\"org.fringe.host\",\"description\":\"x\",\"path\":\"/opt/fringe-native\","         \
    "\"type\":\"stdio\",\"allowed_origins\":[\"chrome-extension://other/\"," ORIGIN "]}"

static char path[LIMIT_MANIFEST_PATH + 1];

static enum manifest_fault judge(const char *text, enum manifest_family family)
{
    return native_manifest_judge(span_text(text), family, path);
}

START_TEST(one_as_it_should_be)
{
    ck_assert_int_eq(judge(GOOD, MANIFEST_CHROMIUM), MANIFEST_OK);
    ck_assert_str_eq(path, "/opt/fringe-native");
    ck_assert_int_eq(judge("{\"name\":\"org.fringe.host\",\"path\":\"/f\",\"type\":\"stdio\","
                           "\"allowed_extensions\":[\"fringe@fringe.example\"]}",
                           MANIFEST_FIREFOX),
                     MANIFEST_OK);
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    static const struct {
        const char *text;
        enum manifest_fault fault;
    } bad[] = {
        {"", MANIFEST_NOT_JSON},
        {"[]", MANIFEST_NOT_JSON},
        {"{\"name\":", MANIFEST_NOT_JSON},
        {"{}", MANIFEST_WRONG_NAME},
        {"{\"name\":1}", MANIFEST_WRONG_NAME},
        {"{\"name\":\"org.fringe.hosts\"}", MANIFEST_WRONG_NAME},
        {"{\"name\":\"org.fringe.host\"}", MANIFEST_WRONG_TYPE},
        {"{\"name\":\"org.fringe.host\",\"type\":\"pipe\"}", MANIFEST_WRONG_TYPE},
        {"{\"name\":\"org.fringe.host\",\"type\":\"stdio\"}", MANIFEST_NO_PATH},
        {"{\"name\":\"org.fringe.host\",\"type\":\"stdio\",\"path\":\"\"}", MANIFEST_NO_PATH},
        {"{\"name\":\"org.fringe.host\",\"type\":\"stdio\",\"path\":[]}", MANIFEST_NO_PATH},
        {"{\"name\":\"org.fringe.host\",\"type\":\"stdio\",\"path\":\"f\"}",
         MANIFEST_RELATIVE_PATH},
        {"{\"name\":\"org.fringe.host\",\"type\":\"stdio\",\"path\":\"/f\"}", MANIFEST_NOT_ALLOWED},
        {"{\"name\":\"org.fringe.host\",\"type\":\"stdio\",\"path\":\"/f\","
         "\"allowed_origins\":" ORIGIN "}",
         MANIFEST_NOT_ALLOWED},
        {"{\"name\":\"org.fringe.host\",\"type\":\"stdio\",\"path\":\"/f\","
         "\"allowed_origins\":[1,\"chrome-extension://other/\"]}",
         MANIFEST_NOT_ALLOWED},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(judge(bad[i].text, MANIFEST_CHROMIUM) == bad[i].fault, "%s", bad[i].text);
        ck_assert_uint_gt(strlen(native_manifest_text(bad[i].fault)), 5);
    }
    ck_assert_int_eq(judge(GOOD, MANIFEST_FIREFOX), MANIFEST_NOT_ALLOWED);
}
END_TEST

START_TEST(too_long_a_file_is_not_read)
{
    char *text = calloc(1, LIMIT_NATIVE_MANIFEST + 2);

    memset(text, ' ', LIMIT_NATIVE_MANIFEST + 1);
    memcpy(text, GOOD, sizeof GOOD - 1);
    ck_assert_int_eq(judge(text, MANIFEST_CHROMIUM), MANIFEST_TOO_LARGE);
    text[LIMIT_NATIVE_MANIFEST] = '\0';
    ck_assert_int_eq(judge(text, MANIFEST_CHROMIUM), MANIFEST_OK);
    free(text);
}
END_TEST

START_TEST(too_long_a_path_is_none)
{
    char text[2 * LIMIT_MANIFEST_PATH], name[LIMIT_MANIFEST_PATH + 2];

    memset(name, '/', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "{\"name\":\"org.fringe.host\",\"type\":\"stdio\",\"path\":\"%s\"}",
             name);
    ck_assert_int_eq(judge(text, MANIFEST_CHROMIUM), MANIFEST_NO_PATH);
    ck_assert_str_eq(path, "");
}
END_TEST

TEST_MAIN("native_manifest", TESTS(one_as_it_should_be, what_is_wrong_is_named,
                                   too_long_a_file_is_not_read, too_long_a_path_is_none))
