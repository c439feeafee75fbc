#include <check.h>

#include "isolation/keeper_ends.h"

#define START UINT64_C(1000)

/* One attempt: what it was given, then what is due at an instant (counted from its start) and for which cause. */
static const struct due_row {
    const char *sentence;
    uint64_t limit, paid, lease, grace;
    uint64_t at;
    enum keeper_act act;
    uint32_t cause;
} rows[] = {
    {"nothing is due early", 100, 1000, 0, 10, 99, KEEPER_WAIT, END_NONE},
    {"the time limit says TERM", 100, 1000, 0, 10, 100, KEEPER_TERM, END_TIME_LIMIT},
    {"and KILL a grace later", 100, 1000, 0, 10, 110, KEEPER_KILL, END_TIME_LIMIT},
    {"no limit, no end by it", 0, 1000, 0, 10, 989, KEEPER_WAIT, END_NONE},
    {"the paid end is announced a grace before", 0, 1000, 0, 10, 990, KEEPER_TERM, END_BUDGET},
    {"and kills exactly there", 0, 1000, 0, 10, 1000, KEEPER_KILL, END_BUDGET},
    {"a grace of half the paid time: no announcement", 0, 20, 0, 10, 19, KEEPER_WAIT, END_NONE},
    {"but the end", 0, 20, 0, 10, 20, KEEPER_KILL, END_BUDGET},
    {"a lease that runs out is announced", 0, 1000, 100, 10, 90, KEEPER_TERM, END_LEASE},
    {"and kills where it ends", 0, 1000, 100, 10, 100, KEEPER_KILL, END_LEASE},
    {"of two ends the earlier is the cause", 500, 400, 0, 0, 600, KEEPER_KILL, END_BUDGET},
    {"overslept: whose warning came first", 380, 400, 0, 10, 600, KEEPER_KILL, END_TIME_LIMIT},
    {"no grace: TERM and KILL are one", 100, 1000, 0, 0, 100, KEEPER_KILL, END_TIME_LIMIT},
    {"numbers that would overflow never come due", UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX / 2,
     KEEPER_WAIT, END_NONE},
};

static struct keeper_ends make(const struct due_row *row)
{
    struct sandbox_spec spec = {
        .time_limit_us = row->limit, .paid_us = row->paid, .lease_us = row->lease, .grace_us = row->grace};
    struct keeper_ends e;
    keeper_ends_init(&e, &spec, START);
    return e;
}

START_TEST(test_due)
{
    struct keeper_ends e = make(&rows[_i]);
    enum keeper_act act = keeper_ends_due(&e, START + rows[_i].at);
    ck_assert_msg(act == rows[_i].act && e.cause == rows[_i].cause, "%s: act %d cause %u", rows[_i].sentence, act,
                  e.cause);
}
END_TEST

/* The instant that is asked for is exactly the one at which something is due. */
START_TEST(test_next_is_when_something_is_due)
{
    struct keeper_ends e = make(&rows[_i]);
    for (int i = 0; i < 4; i++) {
        uint64_t next = keeper_ends_next(&e);
        if (next == KEEPER_NEVER)
            return;
        struct keeper_ends before = e;
        ck_assert_int_eq(keeper_ends_due(&before, next - 1), KEEPER_WAIT);
        if (keeper_ends_due(&e, next) == KEEPER_KILL)
            return;
    }
    ck_abort_msg("no end");
}
END_TEST

START_TEST(test_renewals_move_forward_only)
{
    const struct due_row row = {.paid = 1000, .lease = 100, .grace = 0};
    struct keeper_ends e = make(&row);
    keeper_ends_lease(&e, START + 5000);
    keeper_ends_lease(&e, START + 50);
    keeper_ends_paid(&e, 2000);
    keeper_ends_paid(&e, 1);
    ck_assert_uint_eq(keeper_ends_next(&e), START + 2000);
    keeper_ends_paid(&e, 9000);
    ck_assert_uint_eq(keeper_ends_next(&e), START + 5000);
}
END_TEST

START_TEST(test_a_lease_that_was_not_given_cannot_be_renewed)
{
    const struct due_row row = {.paid = 1000};
    struct keeper_ends e = make(&row);
    keeper_ends_lease(&e, START + 5);
    ck_assert_uint_eq(keeper_ends_next(&e), START + 1000);
}
END_TEST

START_TEST(test_stop)
{
    const struct due_row row = {.paid = 1000, .grace = 10};
    struct keeper_ends e = make(&row);
    ck_assert(keeper_ends_stop(&e, END_CANCELLED, START + 5, 100));
    ck_assert(!keeper_ends_stop(&e, END_LEASE, START + 6, 20)); /* a shorter grace counts, the cause stays */
    ck_assert_uint_eq(keeper_ends_next(&e), START + 26);
    ck_assert_int_eq(keeper_ends_due(&e, START + 25), KEEPER_WAIT);
    ck_assert_int_eq(keeper_ends_due(&e, START + 26), KEEPER_KILL);
    ck_assert_uint_eq(e.cause, END_CANCELLED);
}
END_TEST

START_TEST(test_a_term_that_was_sent_is_not_taken_back)
{
    const struct due_row row = {.paid = 1000, .grace = 10};
    struct keeper_ends e = make(&row);
    ck_assert_int_eq(keeper_ends_due(&e, START + 990), KEEPER_TERM);
    keeper_ends_paid(&e, 100000);
    ck_assert_int_eq(keeper_ends_due(&e, START + 999), KEEPER_WAIT);
    ck_assert_int_eq(keeper_ends_due(&e, START + 1000), KEEPER_KILL);
    ck_assert_uint_eq(e.cause, END_BUDGET);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("isolation/keeper_ends");
    TCase *t = tcase_create("ends");
    tcase_add_loop_test(t, test_due, 0, (int)COUNT_OF(rows));
    tcase_add_loop_test(t, test_next_is_when_something_is_due, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, test_renewals_move_forward_only);
    tcase_add_test(t, test_a_lease_that_was_not_given_cannot_be_renewed);
    tcase_add_test(t, test_stop);
    tcase_add_test(t, test_a_term_that_was_sent_is_not_taken_back);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
