/* What a node never forgets: the highest term it has obeyed, and how often it has begun. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/fence.h"
#include "base/io/fd.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct scratch scratch;
static struct err err;

static void begin(void)
{
    scratch = scratch_new();
    ck_assert_int_eq(chdir(scratch.dir), 0);
    ck_assert_int_eq(mkdir("node", 0700), 0);
}

static struct fence loaded(void)
{
    struct fence f = {0};
    ck_assert_msg(fence_load(&f, &err) == 0, "%s", err_text(&err));
    return f;
}

START_TEST(a_term_once_obeyed_refuses_lower_ones_for_ever)
{
    begin();
    struct fence f = loaded();
    ck_assert_uint_eq(f.seen, 0);
    ck_assert_int_eq(fence_admit(&f, 7, &err), 0);
    ck_assert_int_eq(fence_admit(&f, 7, &err), 0);
    f = loaded();
    ck_assert_int_eq(fence_admit(&f, 6, &err), -ESTALE);
    ck_assert_int_eq(fence_admit(&f, 8, &err), 0);
    ck_assert_uint_eq(loaded().seen, 8);
    scratch_remove(&scratch);
}
END_TEST

START_TEST(starts_are_counted_and_never_fall)
{
    begin();
    struct fence f = loaded();
    uint64_t first = f.starts;
    ck_assert_int_eq(fence_count_start(&f, &err), 0);
    ck_assert_uint_eq(f.starts, first + 1);
    f = loaded();
    ck_assert_uint_eq(f.starts, first + 1);
    ck_assert_int_eq(fence_count_start(&f, &err), 0);
    ck_assert_uint_eq(loaded().starts, first + 2);
    scratch_remove(&scratch);
}
END_TEST

START_TEST(a_node_set_up_anew_counts_on_from_later)
{
    begin();
    struct fence f = loaded();
    ck_assert_uint_gt(f.starts, UINT64_C(1700000000)); /* seconds, not zero: its name may be known */
    scratch_remove(&scratch);
}
END_TEST

START_TEST(a_damaged_file_is_a_failure_and_nothing_is_assumed)
{
    begin();
    ck_assert_int_eq(file_write_durable("node/starts", "12x\n", 4, 0600, &err), 0);
    struct fence f = {0};
    ck_assert_int_lt(fence_load(&f, &err), 0);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "node/starts"));
    scratch_remove(&scratch);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fence");
    TCase *t = tcase_create("fence");
    tcase_add_test(t, a_term_once_obeyed_refuses_lower_ones_for_ever);
    tcase_add_test(t, starts_are_counted_and_never_fall);
    tcase_add_test(t, a_node_set_up_anew_counts_on_from_later);
    tcase_add_test(t, a_damaged_file_is_a_failure_and_nothing_is_assumed);
    suite_add_tcase(s, t);
    return run_suite(s);
}
