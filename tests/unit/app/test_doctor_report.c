/* app/doctor_report: findings as text and as an answer. */
#include "app/doctor_report.h"
#include "base/limits.h"
#include "check_main.h"
#include "wire/json.h"

static struct doctor_report report;

static char *text_of(void)
{
    struct buf out;

    buf_init(&out, MIB(1));
    doctor_report_text(&report, &out);
    buf_put_u8(&out, 0);
    char *copy = strdup((char *)out.data);
    buf_done(&out);
    return copy;
}

static json_t *answer_of(uint64_t id)
{
    struct buf out;
    json_t *answer = NULL;

    buf_init(&out, LIMIT_FRAME_OUT);
    doctor_report_answer(&report, id, &out);
    ck_assert_int_eq(json_load_object(out.data, out.length, &answer), ERR_OK);
    buf_done(&out);
    return answer;
}

static const char *member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

START_TEST(text_says_what_was_seen_and_what_to_do)
{
    doctor_ok(&report, "socket", "%s is %d", "it", 1);
    ck_assert_int_eq(doctor_report_worst(&report), FINDING_OK);
    char *text = text_of();
    ck_assert_str_eq(text, "ok    socket      it is 1\n\nAll is well.\n");
    free(text);
    doctor_warn(&report, "host", "run it", "none");
    ck_assert_int_eq(doctor_report_worst(&report), FINDING_WARN);
    doctor_fail(&report, "a longer area", "mend it", "broken");
    doctor_ok(&report, "end", "well");
    ck_assert_int_eq(doctor_report_worst(&report), FINDING_FAIL);
    text = text_of();
    ck_assert_str_eq(text, "ok    socket      it is 1\n"
                           "warn  host        none\n"
                           "                  -> run it\n"
                           "fail  a longer area broken\n"
                           "                  -> mend it\n"
                           "ok    end         well\n"
                           "\n1 failed, 1 warning. Do what stands behind the arrows, the first "
                           "one first.\n");
    free(text);
    doctor_report_done(&report);
    ck_assert_uint_eq(report.count, 0);
}
END_TEST

START_TEST(the_answer_says_the_same)
{
    doctor_ok(&report, "socket", "it is");
    doctor_fail(&report, "Firefox", "install", "no \"manifest\"");
    char *text = text_of();
    json_t *answer = answer_of(7);
    const json_t *line = json_array_get(json_object_get(answer, "lines"), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "id")), 7);
    ck_assert_str_eq(member(answer, "status"), "fail");
    ck_assert_str_eq(member(answer, "text"), text);
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "lines")), 2);
    ck_assert_str_eq(member(line, "area"), "Firefox");
    ck_assert_str_eq(member(line, "status"), "fail");
    ck_assert_str_eq(member(line, "seen"), "no \"manifest\"");
    ck_assert_str_eq(member(line, "next"), "install");
    json_decref(answer);
    free(text);
    doctor_report_done(&report);
}
END_TEST

START_TEST(what_comes_from_outside_cannot_steer_a_terminal)
{
    doctor_fail(&report, "a\tb", "c\x1b[2J", "d\nok    e \xff%s", "\x7f");
    char *text = text_of();
    ck_assert_ptr_nonnull(strstr(text, "a?b"));
    ck_assert_ptr_nonnull(strstr(text, "d?ok    e ??"));
    ck_assert_ptr_null(strchr(text, 0x1b));
    free(text);
    doctor_report_done(&report);
}
END_TEST

START_TEST(a_report_has_an_end)
{
    for (int i = 0; i < 2 * LIMIT_DOCTOR_LINES; i++)
        doctor_warn(&report, "many", "next", "%5000d", i);
    ck_assert_uint_eq(report.count, LIMIT_DOCTOR_LINES);
    json_t *answer = answer_of(1);
    ck_assert_ptr_nonnull(answer);
    json_decref(answer);
    doctor_report_done(&report);
}
END_TEST

TEST_MAIN("doctor_report",
          TESTS(text_says_what_was_seen_and_what_to_do, the_answer_says_the_same,
                what_comes_from_outside_cannot_steer_a_terminal, a_report_has_an_end))
