/* wire/native_batch: each object of an array as it stands, and an end with the first that is none.
 */
#include "base/limits.h"
#include "check_main.h"
#include "wire/native_batch.h"

#include <stdio.h>
#include <string.h>

/* The objects, each in <>, and how it ended. */
static const char *taken(const char *frame)
{
    static char text[1024];
    struct native_batch batch;
    struct span json;
    char *at = text;
    enum err err = native_batch_begin(&batch, span_text(frame));

    while (err == ERR_OK && (err = native_batch_next(&batch, &json)) == ERR_OK)
        at += sprintf(at, "<%.*s>", (int)json.length, (const char *)json.data);
    sprintf(at, "%s", err == ERR_NOT_FOUND ? "" : err_name(err));
    return text;
}

START_TEST(an_object_is_the_only_one)
{
    ck_assert_str_eq(taken("{\"id\":1}"), "<{\"id\":1}>");
    ck_assert_str_eq(taken(" \n{}"), "< \n{}>");
    ck_assert_str_eq(taken("{} {}"), "<{} {}>"); /* for the parser */
}
END_TEST

START_TEST(an_array_is_as_many_as_it_has)
{
    ck_assert_str_eq(taken("[{\"id\":1}]"), "<{\"id\":1}>");
    ck_assert_str_eq(taken(" [ {\"a\":[1,{\"b\":2}]} ,\t{}\r\n] "), "<{\"a\":[1,{\"b\":2}]}><{}>");
}
END_TEST

START_TEST(brackets_in_texts_are_letters)
{
    ck_assert_str_eq(taken("[{\"a\":\"}],[{\"},{\"b\":\"\\\"}\\\\\"},{}]"),
                     "<{\"a\":\"}],[{\"}><{\"b\":\"\\\"}\\\\\"}><{}>");
}
END_TEST

START_TEST(what_is_no_array_of_objects)
{
    const char *none[] = {"",      " ",       "1",           "\"a\"", "x[{}]", "[]",
                          "[ ]",   "[1]",     "[[{}]]",      "[,{}]", "[",     "[{",
                          "[{\"a", "[{\"a\\", "[{\"a\\\"}]", "[null]"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        ck_assert_msg(strcmp(taken(none[i]), "syntax") == 0, "%s: %s", none[i], taken(none[i]));
    ck_assert_str_eq(taken("[{]"), "<{]>syntax"); /* the parser sees it first */
    ck_assert_str_eq(taken("[{},]"), "<{}>syntax");
    ck_assert_str_eq(taken("[{} {}]"), "<{}>syntax");
    ck_assert_str_eq(taken("[{}"), "<{}>syntax");
    ck_assert_str_eq(taken("[{}],"), "<{}>syntax");
    ck_assert_str_eq(taken("[{}][{}]"), "<{}>syntax");
}
END_TEST

START_TEST(a_zero_byte_is_no_end)
{
    const char frame[] = "[{}]\0{}";
    struct native_batch batch;
    struct span json;
    ck_assert_int_eq(native_batch_begin(&batch, span_of(frame, 7)), ERR_OK);
    ck_assert_int_eq(native_batch_next(&batch, &json), ERR_OK);
    ck_assert_int_eq(native_batch_next(&batch, &json), ERR_SYNTAX);
}
END_TEST

START_TEST(no_more_than_the_limit)
{
    char frame[4 * LIMIT_BATCH + 8] = "[";
    struct native_batch batch;
    struct span json;
    for (int i = 0; i <= LIMIT_BATCH; i++)
        strcat(frame, i == 0 ? "{}" : ",{}");
    strcat(frame, "]");
    ck_assert_int_eq(native_batch_begin(&batch, span_text(frame)), ERR_OK);
    for (int i = 0; i < LIMIT_BATCH; i++)
        ck_assert_int_eq(native_batch_next(&batch, &json), ERR_OK);
    ck_assert_int_eq(native_batch_next(&batch, &json), ERR_TOO_LARGE);
}
END_TEST

TEST_MAIN("native_batch", TESTS(an_object_is_the_only_one, an_array_is_as_many_as_it_has,
                                brackets_in_texts_are_letters, what_is_no_array_of_objects,
                                a_zero_byte_is_no_end, no_more_than_the_limit))
