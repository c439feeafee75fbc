/* A growing run of bytes with a ceiling. */
#include <check.h>
#include <string.h>

#include "base/buf.h"
#include "tests/run.h"

START_TEST(an_empty_buffer_is_empty_text_and_can_be_freed)
{
    struct buf b = { 0 };
    ck_assert_str_eq(buf_text(&b), "");
    buf_reset(&b);
    buf_fini(&b);
    buf_fini(&b);
}
END_TEST

START_TEST(text_is_terminated_after_every_addition)
{
    struct buf b = { 0 };
    for (size_t i = 0; i < 1000; i++) {
        buf_addf(&b, "%zu,", i % 10);
        ck_assert_uint_eq(strlen(buf_text(&b)), b.len);
    }
    ck_assert_uint_eq(b.len, 2000);
    buf_add(&b, NULL, 0);
    ck_assert(!b.failed);
    buf_reset(&b);
    ck_assert_str_eq(buf_text(&b), "");
    buf_fini(&b);
}
END_TEST

START_TEST(the_ceiling_is_exact_and_failure_stays)
{
    struct buf b = { .max = 10 };
    buf_add_str(&b, "0123456789");
    ck_assert(!b.failed);
    buf_add_str(&b, "x");
    ck_assert(b.failed);
    ck_assert_str_eq(buf_text(&b), "0123456789");
    buf_add(&b, "", 0);
    buf_addf(&b, "%s", "");
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 10);
    ck_assert_ptr_null(buf_take(&b));
    buf_fini(&b);
}
END_TEST

START_TEST(a_format_beyond_the_ceiling_writes_nothing)
{
    struct buf b = { .max = 10 };
    buf_addf(&b, "%d", 12);
    buf_addf(&b, "%020d", 1);
    ck_assert(b.failed);
    ck_assert_str_eq(buf_text(&b), "12");
    buf_reset(&b);
    ck_assert(!b.failed);
    buf_fini(&b);
}
END_TEST

START_TEST(a_length_near_the_end_of_size_t_fails_without_wrapping)
{
    struct buf b = { .max = SIZE_MAX };
    volatile size_t far = SIZE_MAX - 3; /* not for the compiler's eyes: it would refuse it */
    buf_add_str(&b, "abc");
    buf_add(&b, "x", far);
    ck_assert(b.failed);
    ck_assert_str_eq(buf_text(&b), "abc");
    buf_fini(&b);
}
END_TEST

START_TEST(taking_hands_over_the_memory_even_when_empty)
{
    struct buf b = { 0 };
    char *text = buf_take(&b);
    ck_assert_str_eq(text, "");
    free(text);
    buf_add_str(&b, "abc");
    text = buf_take(&b);
    ck_assert_str_eq(text, "abc");
    ck_assert_uint_eq(b.len, 0);
    ck_assert_ptr_null(b.data);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/buf");
    TCase *tc = tcase_create("buf");
    tcase_add_test(tc, an_empty_buffer_is_empty_text_and_can_be_freed);
    tcase_add_test(tc, text_is_terminated_after_every_addition);
    tcase_add_test(tc, the_ceiling_is_exact_and_failure_stays);
    tcase_add_test(tc, a_format_beyond_the_ceiling_writes_nothing);
    tcase_add_test(tc, a_length_near_the_end_of_size_t_fails_without_wrapping);
    tcase_add_test(tc, taking_hands_over_the_memory_even_when_empty);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
