#include <check.h>

#include "isolation/keeper_ends.h"
#include "tests/run.h"

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
    (void)keeper_ends_paid(&e, 2000, START);
    (void)keeper_ends_paid(&e, 1, START);
    ck_assert_uint_eq(keeper_ends_next(&e), START + 2000);
    (void)keeper_ends_paid(&e, 9000, START);
    ck_assert_uint_eq(keeper_ends_next(&e), START + 5000);
}
END_TEST

/* Paid by short slices it has soon been paid for more than two graces in all: that is no end to be told of. */
START_TEST(test_short_slices_are_never_announced)
{
    struct due_row row = {.paid = 20, .grace = 50};
    struct keeper_ends e = make(&row);
    for (uint64_t paid = 25; paid < 500; paid += 5) {
        (void)keeper_ends_paid(&e, paid, START + paid - 20);
        ck_assert_int_eq(keeper_ends_due(&e, START + paid - 15), KEEPER_WAIT);
    }
    ck_assert_int_eq(keeper_ends_due(&e, START + 495), KEEPER_KILL);
    ck_assert_uint_eq(e.cause, END_BUDGET);
}
END_TEST

/* A short rest of a long one is. */
START_TEST(test_the_rest_after_a_long_slice_is_announced)
{
    struct due_row row = {.paid = 200, .grace = 50};
    struct keeper_ends e = make(&row);
    (void)keeper_ends_paid(&e, 205, START + 100);
    ck_assert_int_eq(keeper_ends_due(&e, START + 154), KEEPER_WAIT);
    ck_assert_int_eq(keeper_ends_due(&e, START + 155), KEEPER_TERM);
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
    (void)keeper_ends_paid(&e, 100000, START);
    ck_assert_int_eq(keeper_ends_due(&e, START + 999), KEEPER_WAIT);
    ck_assert_int_eq(keeper_ends_due(&e, START + 1000), KEEPER_KILL);
    ck_assert_uint_eq(e.cause, END_BUDGET);
}
END_TEST

/* ---- at the paid end ---------------------------------------------------------------------------------- */

static struct keeper_ends pausing(uint64_t limit, uint64_t lease)
{
    struct sandbox_spec spec = {
        .time_limit_us = limit, .paid_us = 1000, .lease_us = lease, .grace_us = 10, .pauses_at_paid_end = 1};
    struct keeper_ends e;
    keeper_ends_init(&e, &spec, START);
    return e;
}

START_TEST(test_a_pause_is_exact_and_its_time_does_not_run)
{
    struct keeper_ends e = pausing(1500, 0);
    ck_assert_uint_eq(keeper_ends_next(&e), START + 1000); /* no warning */
    ck_assert_int_eq(keeper_ends_due(&e, START + 999), KEEPER_WAIT);
    ck_assert_int_eq(keeper_ends_due(&e, START + 1007), KEEPER_PAUSE);
    ck_assert_int_eq(keeper_ends_due(&e, START + 1008), KEEPER_WAIT); /* once */
    ck_assert_uint_eq(keeper_ends_run_us(&e, START + 5000), 1000);
    ck_assert_uint_eq(keeper_ends_next(&e), KEEPER_NEVER); /* the time limit stands still, too */
    ck_assert(!keeper_ends_paid(&e, 1000, START + 5000));  /* nothing new */
    ck_assert(keeper_ends_paid(&e, 1200, START + 5000));
    ck_assert(!keeper_ends_paid(&e, 1200, START + 5050));
    ck_assert_uint_eq(keeper_ends_run_us(&e, START + 5050), 1050);
    ck_assert_uint_eq(keeper_ends_next(&e), START + 4000 + 1200);
    ck_assert_int_eq(keeper_ends_due(&e, START + 4000 + 1200), KEEPER_PAUSE);
    ck_assert(keeper_ends_paid(&e, 9000, START + 10000));
    ck_assert_uint_eq(keeper_ends_next(&e), START + 10000 + 300); /* what the limit has left */
    ck_assert_int_eq(keeper_ends_due(&e, START + 10300), KEEPER_TERM);
    ck_assert_uint_eq(e.cause, END_TIME_LIMIT);
}
END_TEST

START_TEST(test_a_pause_ends_by_lease_and_stop)
{
    struct keeper_ends e = pausing(0, 5000);
    ck_assert_int_eq(keeper_ends_due(&e, START + 1000), KEEPER_PAUSE);
    ck_assert_int_eq(keeper_ends_due(&e, START + 5000), KEEPER_KILL);
    ck_assert_uint_eq(e.cause, END_LEASE);
    e = pausing(0, 0);
    ck_assert_int_eq(keeper_ends_due(&e, START + 1000), KEEPER_PAUSE);
    ck_assert(keeper_ends_stop(&e, END_CANCELLED, START + 2000, 500)); /* no grace: it can't do anything in it */
    ck_assert_int_eq(keeper_ends_due(&e, START + 2000), KEEPER_KILL);
    ck_assert_uint_eq(e.cause, END_CANCELLED);
    ck_assert_uint_eq(keeper_ends_run_us(&e, START + 2001), 1000);
    ck_assert(!keeper_ends_paid(&e, 9000, START + 2001)); /* too late */
}
END_TEST

START_TEST(test_what_is_being_stopped_is_not_paused)
{
    struct keeper_ends e = pausing(0, 0);
    ck_assert(keeper_ends_stop(&e, END_CANCELLED, START + 990, 500));
    ck_assert_int_eq(keeper_ends_due(&e, START + 1000), KEEPER_KILL);
    ck_assert_uint_eq(e.cause, END_CANCELLED);
}
END_TEST

START_TEST(test_whether_it_pauses_is_what_was_said_last)
{
    struct keeper_ends e = pausing(0, 0);
    ck_assert_int_eq(keeper_ends_due(&e, START + 1000), KEEPER_PAUSE);
    keeper_ends_at_paid_end(&e, false, 0);
    ck_assert_int_eq(keeper_ends_due(&e, START + 1000), KEEPER_KILL);
    ck_assert_uint_eq(e.cause, END_BUDGET);
}
END_TEST

/* It pauses at the paid end, or is stopped there. */
START_TEST(test_a_suspended_one_stands_still_at_once_and_gives_back_what_was_paid)
{
    struct keeper_ends e = pausing(1500, 0);
    e.pauses = _i == 1;
    ck_assert(keeper_ends_suspend(&e, 1));
    ck_assert_uint_le(keeper_ends_next(&e), START + 300);
    ck_assert_int_eq(keeper_ends_due(&e, START + 300), KEEPER_PAUSE);
    ck_assert_uint_eq(keeper_ends_run_us(&e, START + 9000), 300);
    ck_assert_int_eq(keeper_ends_due(&e, START + 9000), KEEPER_WAIT); /* neither paid end nor limit */
    ck_assert_uint_eq(keeper_ends_next(&e), KEEPER_NEVER);
    ck_assert(!keeper_ends_paid(&e, 5000, START + 9000)); /* while it is suspended nothing lets it go on */
    ck_assert_uint_eq(e.paid_us, 300);
    ck_assert(keeper_ends_suspend(&e, 2));
    ck_assert(!keeper_ends_paid(&e, 300, START + 9100)); /* nor afterwards without more than it has run */
    ck_assert(keeper_ends_paid(&e, 400, START + 9200));
    ck_assert_uint_eq(keeper_ends_run_us(&e, START + 9250), 350);
    ck_assert_uint_le(keeper_ends_next(&e), START + 9300);
    enum keeper_act act = keeper_ends_due(&e, START + 9300);
    ck_assert_int_eq(act, _i == 1 ? KEEPER_PAUSE : KEEPER_KILL); /* at the new paid end, not at the old one */
}
END_TEST

START_TEST(test_what_is_said_late_about_a_suspension_is_old)
{
    struct keeper_ends e = pausing(0, 0);
    ck_assert(keeper_ends_suspend(&e, 3));
    ck_assert_int_eq(keeper_ends_due(&e, START + 10), KEEPER_PAUSE);
    ck_assert(!keeper_ends_suspend(&e, 2));
    ck_assert(keeper_ends_is_suspended(&e));
    ck_assert(keeper_ends_stop(&e, END_CANCELLED, START + 20, 500));
    ck_assert_int_eq(keeper_ends_due(&e, START + 20), KEEPER_KILL);
    ck_assert_uint_eq(e.cause, END_CANCELLED);
    e = pausing(0, 0);
    ck_assert(keeper_ends_suspend(&e, 1)); /* heard only after its paid end: it ran no longer */
    ck_assert_int_eq(keeper_ends_due(&e, START + 4000), KEEPER_PAUSE);
    ck_assert_uint_eq(keeper_ends_run_us(&e, START + 5000), 1000);
}
END_TEST

START_TEST(test_a_halted_one_stands_still_at_once_until_it_is_told_what_is_paid)
{
    const struct due_row row = {.paid = 1000};
    struct keeper_ends e = make(&row);
    keeper_ends_halt(&e);
    ck_assert_uint_le(keeper_ends_next(&e), START + 300);
    ck_assert_int_eq(keeper_ends_due(&e, START + 300), KEEPER_PAUSE);
    ck_assert_uint_eq(keeper_ends_run_us(&e, START + 900), 300);
    ck_assert_int_eq(keeper_ends_due(&e, START + 5000), KEEPER_WAIT);
    keeper_ends_halt(&e); /* said twice */
    ck_assert_int_eq(keeper_ends_due(&e, START + 5000), KEEPER_WAIT);
    ck_assert(!keeper_ends_paid(&e, 300, START + 5000)); /* no time to run in */
    ck_assert(keeper_ends_paid(&e, 1000, START + 5000)); /* what was paid before */
    ck_assert_int_eq(keeper_ends_due(&e, START + 5000 + 699), KEEPER_WAIT);
    ck_assert_int_eq(keeper_ends_due(&e, START + 5000 + 700), KEEPER_KILL); /* as it stops at its paid end */
    e = make(&row);
    ck_assert(keeper_ends_stop(&e, END_CANCELLED, START + 10, 100));
    keeper_ends_halt(&e);
    ck_assert_int_eq(keeper_ends_due(&e, START + 20), KEEPER_WAIT); /* it has its grace */
    ck_assert_int_eq(keeper_ends_due(&e, START + 110), KEEPER_KILL);
}
END_TEST

START_TEST(test_a_signal_comes_once_for_each_time_it_is_asked_for)
{
    const struct due_row row = {.paid = 1000, .grace = 10};
    struct keeper_ends e = make(&row);
    keeper_ends_at_paid_end(&e, false, 800);
    ck_assert_uint_eq(keeper_ends_next(&e), START + 800);
    ck_assert_int_eq(keeper_ends_due(&e, START + 800), KEEPER_SIGNAL);
    keeper_ends_at_paid_end(&e, false, 800); /* said again */
    ck_assert_uint_eq(keeper_ends_next(&e), START + 990);
    keeper_ends_at_paid_end(&e, false, 0); /* there is money again */
    ck_assert(!keeper_ends_paid(&e, 2000, START + 900));
    ck_assert_uint_eq(keeper_ends_next(&e), START + 1990);
    keeper_ends_at_paid_end(&e, false, 1); /* overdue: at once */
    ck_assert_int_eq(keeper_ends_due(&e, START + 1000), KEEPER_SIGNAL);
    ck_assert_int_eq(keeper_ends_due(&e, START + 2000), KEEPER_KILL);
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
    tcase_add_test(t, test_short_slices_are_never_announced);
    tcase_add_test(t, test_the_rest_after_a_long_slice_is_announced);
    tcase_add_test(t, test_a_lease_that_was_not_given_cannot_be_renewed);
    tcase_add_test(t, test_stop);
    tcase_add_test(t, test_a_term_that_was_sent_is_not_taken_back);
    tcase_add_test(t, test_a_pause_is_exact_and_its_time_does_not_run);
    tcase_add_test(t, test_a_pause_ends_by_lease_and_stop);
    tcase_add_test(t, test_what_is_being_stopped_is_not_paused);
    tcase_add_test(t, test_whether_it_pauses_is_what_was_said_last);
    tcase_add_loop_test(t, test_a_suspended_one_stands_still_at_once_and_gives_back_what_was_paid, 0, 2);
    tcase_add_test(t, test_what_is_said_late_about_a_suspension_is_old);
    tcase_add_test(t, test_a_signal_comes_once_for_each_time_it_is_asked_for);
    tcase_add_test(t, test_a_halted_one_stands_still_at_once_until_it_is_told_what_is_paid);
    suite_add_tcase(s, t);
    return run_suite(s);
}
