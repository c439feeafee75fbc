/* Log lines: one fact, one line, whatever is put into it. */
#include <check.h>
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io/log.h"
#include "tests/run.h"
#include "tests/scratch.h"

static int saved_stderr, ends[2];
static char text[16384];

static void setup(void)
{
    saved_stderr = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    log_init("test", LOG_INFO);
}

static void teardown(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* What was logged since setup; puts stderr back first, so that a failure can be seen. */
static const char *logged(void)
{
    ck_assert_int_ge(dup2(saved_stderr, STDERR_FILENO), 0);
    close(ends[1]);
    ends[1] = -1;
    ssize_t n = fd_read_full(ends[0], text, sizeof text - 1);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}

static void check_match(const char *pattern)
{
    regex_t re;
    ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    const char *line = logged();
    ck_assert_msg(regexec(&re, line, 0, NULL, 0) == 0, "%s", line);
    regfree(&re);
}

START_TEST(a_line_has_time_event_and_values)
{
    log_line(LOG_INFO, "job.placed", "job=%s waited_ms=%d", "812.17", 37);
    check_match("^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z job\\.placed job=812\\.17 waited_ms=37\n$");
}
END_TEST

START_TEST(a_warning_says_that_it_is_one)
{
    log_line(LOG_WARN, "store.down", "why=%s", log_quote("Connection refused"));
    check_match("Z store\\.down level=warn program=test why=\"Connection refused\"\n$");
}
END_TEST

START_TEST(below_the_least_level_nothing_is_written)
{
    log_line(LOG_DEBUG, "noise", "x=%d", 1);
    ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(a_newline_in_a_value_makes_no_second_line)
{
    log_line(LOG_INFO, "e", "raw=%s quoted=%s", "a\nb\x1b[31m", log_quote("c\nd\"e\\f\x01"));
    check_match("Z e raw=a\\?b\\?\\[31m quoted=\"c\\\\nd\\\\\"e\\\\\\\\f\\\\x01\"\n$");
}
END_TEST

START_TEST(an_endless_value_is_cut)
{
    char *endless = malloc(100000);
    memset(endless, 'x', 99999);
    endless[99999] = '\0';
    log_line(LOG_INFO, "e", "v=%s tail=1", endless);
    const char *line = logged();
    ck_assert_uint_le(strlen(line), 4096);
    ck_assert_str_eq(line + strlen(line) - 5, "x...\n");
    ck_assert_uint_lt(strlen(log_quote(endless)), 1024);
    ck_assert_ptr_nonnull(strstr(log_quote(endless), "...\""));
    free(endless);
}
END_TEST

START_TEST(four_quotes_fit_into_one_line_and_null_is_empty)
{
    log_line(LOG_INFO, "e", "%s%s%s%s", log_quote("a"), log_quote(NULL), log_quote("c"), log_quote("d"));
    check_match("\"a\"\"\"\"c\"\"d\"\n$");
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("log");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_line_has_time_event_and_values);
    tcase_add_test(t, a_warning_says_that_it_is_one);
    tcase_add_test(t, below_the_least_level_nothing_is_written);
    tcase_add_test(t, a_newline_in_a_value_makes_no_second_line);
    tcase_add_test(t, an_endless_value_is_cut);
    tcase_add_test(t, four_quotes_fit_into_one_line_and_null_is_empty);
    Suite *s = suite_create("base/io/log");
    suite_add_tcase(s, t);
    return run_suite(s);
}
