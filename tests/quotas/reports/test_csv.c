/* Tenant-given text on its way out: no value can be taken for markup. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "quotas/reports/escape.h"
#include "quotas/reports/params.h"
#include "tests/run.h"

static const struct {
    const char *what;
    void (*write)(struct buf *out, const char *text);
    const char *in, *out;
} cases[] = {
    {"plain text stays as it is", csv_text, "acme/etl", "acme/etl"},
    {"nothing at all is an empty field", csv_text, NULL, ""},
    {"an empty text is told from nothing", csv_text, "", "\"\""},
    {"a comma is quoted", csv_text, "a,b", "\"a,b\""},
    {"a quote is doubled", csv_text, "say \"hi\"", "\"say \"\"hi\"\"\""},
    {"lines stay inside their field", csv_text, "a\r\nb", "\"a\r\nb\""},
    {"spaces are part of the text", csv_text, " a ", " a "},
    {"letters of any script", csv_text, "größe 数", "größe 数"},
    {"JSON: quotes and backslashes", json_text, "a\"b\\c", "\"a\\\"b\\\\c\""},
    {"JSON: controls", json_text, "a\n\t\x01\x7f", "\"a\\u000a\\u0009\\u0001\\u007f\""},
    {"JSON: nothing", json_text, NULL, "null"},
    {"JSON: letters of any script", json_text, "größe 数 😀", "\"größe 数 😀\""},
    {"JSON: a character cut in the middle", json_text, "gr\xc3", "\"gr\\ufffd\""},
    {"JSON: bytes that are no text", json_text, "\xff\xc0\xaf\xed\xa0\x80",
     "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\""},
    {"HTML: markup and attributes", html_text, "<b a='\"'>&amp;", "&lt;b a=&#39;&quot;&#39;&gt;&amp;amp;"},
    {"label: quote, backslash, line", label_text, "a\"b\\c\nd", "\"a\\\"b\\\\c\\nd\""},
};

START_TEST(text)
{
    struct buf out = {0};
    cases[_i].write(&out, cases[_i].in);
    ck_assert_msg(strcmp(buf_text(&out), cases[_i].out) == 0, "%s: %s", cases[_i].what, buf_text(&out));
    buf_fini(&out);
}
END_TEST

static const struct {
    int64_t micros;
    const char *out;
} amounts[] = {
    {0, "0.000000"},         {1, "0.000001"},        {-1, "-0.000001"},
    {12345678, "12.345678"}, {-1000000, "-1.000000"}, {INT64_MAX, "9223372036854.775807"},
    {INT64_MIN, "-9223372036854.775808"},
};

START_TEST(money)
{
    struct buf out = {0};
    money_text(&out, amounts[_i].micros);
    ck_assert_str_eq(buf_text(&out), amounts[_i].out);
    buf_fini(&out);
}
END_TEST

START_TEST(a_problem_names_the_parameter_and_what_is_allowed)
{
    struct problem problem = {.retry_after_s = 2};
    struct buf out = {0};
    ck_assert_int_eq(problem_set(&problem, 400, "from", "a date", "from: '%s' is none", "\"x\xc3"), -EINVAL);
    problem_write(&problem, &out);
    ck_assert_str_eq(buf_text(&out), "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                                     "\"detail\":\"from: '\\\"x\\ufffd' is none\",\"parameter\":\"from\","
                                     "\"allowed\":\"a date\",\"retry_after\":2");
    buf_fini(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("csv");
    TCase *tc = tcase_create("csv");
    tcase_add_loop_test(tc, text, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_loop_test(tc, money, 0, (int)(sizeof amounts / sizeof amounts[0]));
    tcase_add_test(tc, a_problem_names_the_parameter_and_what_is_allowed);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
