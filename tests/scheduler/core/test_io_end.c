/* I/O that is priced, when the money for it ends: stop, checkpoint, pause. */
#include "tests/run.h"
#include "tests/scheduler/core/io_cell.h"

static uint32_t ordered_end(void)
{
    struct run_call unused = {0};
    uint64_t paid_us;
    uint32_t cause;
    (void)core_duty(w.core, (struct attempt_id){job, 0, 1}, true, &unused, &paid_us, &cause);
    return cause;
}

START_TEST(nothing_is_spent_beyond_a_budget_whatever_it_moves)
{
    begin(PER_GIB, 20 * PER_SECOND, PAID_END_STOP);
    for (int i = 0; i < 40; i++) {
        second(GIB);
        struct account_view day = world_account(&w, "acme@2026-11-24");
        ck_assert_int_le(day.spent_micros + day.held_micros, day.limit_micros);
    }
    ck_assert_uint_eq(moved, measured(attempt().io_paid_bytes)); /* it was held back there */
    end_with(END_IO_BUDGET, moved + (4 << 20));
    ck_assert_int_le(spent(), 20 * PER_SECOND);
    ck_assert_uint_eq(billed(NULL), moved);
    ck_assert_int_gt(attempt().written_off_micros, 0);
    ck_assert(world_is(&w, job, "budget_stopped"));
    finish();
}
END_TEST

START_TEST(a_jobs_own_budget_buys_time_beside_the_least_io_and_then_io)
{
    open_world(PER_GIB, -1, PAID_END_STOP);
    hello("n1", true);
    struct job_spec spec = world_spec(1000, GIB);
    spec.budget_micros = SLICE * PER_SECOND + PER_GIB / 2;
    start(spec);
    ck_assert_uint_eq(attempt().paid_us, SLICE * SECOND);
    ck_assert_int_eq(attempt().hold_micros, spec.budget_micros);
    ck_assert_uint_ge(measured(attempt().io_paid_bytes), GIB / 2);
    ck_assert_uint_lt(measured(attempt().io_paid_bytes), GIB / 2 + 2 * GIB / PER_GIB);
    end_with(END_EXIT, 0);

    spec = world_spec(1000, GIB);
    spec.budget_micros = 4 * PER_SECOND;
    run_us = moved = 0;
    start(spec);
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), GIB / 16);
    ck_assert_uint_lt(attempt().paid_us, 4 * SECOND);
    ck_assert_uint_gt(attempt().paid_us, 3 * SECOND);
    ck_assert_int_le(attempt().hold_micros, spec.budget_micros);
    end_with(END_EXIT, 0);
    finish();
}
END_TEST

START_TEST(a_tenant_that_cant_hold_an_allowance_starts_with_less)
{
    open_world(PER_GIB, SLICE * PER_SECOND + PER_GIB / 8, PAID_END_STOP);
    hello("n1", true);
    start(world_spec(1000, GIB));
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), GIB / 16);
    end_with(END_EXIT, 0);
    price_io(0, PER_GIB);
    set(SLICE * PER_SECOND + PER_GIB / 17, PAID_END_STOP);
    struct job_spec spec = world_spec(1000, GIB);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    finish();
}
END_TEST

START_TEST(a_checkpoint_is_asked_for_when_no_more_io_can_be_held)
{
    begin(PER_GIB, 100 * PER_SECOND, PAID_END_CHECKPOINT);
    struct attempt_id id = {job, 0, 1};
    second(GIB / 4);
    ck_assert_uint_eq(core_paid(w.core, id, attempt().paid_us, false).signal_us, 0);
    price_io(0, PER_GIB);
    set(held() + spent(), PAID_END_CHECKPOINT); /* there is no more */
    for (int i = 0; i < 3; i++)
        second(GIB / 4);
    ck_assert_uint_eq(core_paid(w.core, id, attempt().paid_us, false).signal_us, 1);
    end_with(END_EXIT, moved);
    finish();
}
END_TEST

static bool suspended(void)
{
    return core_is_suspended(w.core, (struct attempt_id){job, 0, 1});
}

START_TEST(who_may_move_nothing_more_is_paused_and_goes_on_when_there_is_money)
{
    struct attempt_id id;
    begin(PER_GIB, 12 * PER_SECOND, PAID_END_PAUSE);
    id = (struct attempt_id){job, 0, 1};
    for (int i = 0; i < 6 && !suspended(); i++)
        second(2 * GIB);
    ck_assert(suspended()); /* its node stopped it at the last byte that is paid */
    ck_assert_uint_eq(moved, measured(attempt().io_paid_bytes));
    uint64_t at_us = run_us;
    world_pass(&w, SECOND);
    core_attempt_stands(w.core, "n1", id, 1, true, w.now);
    beat_of("n1", id, moved);
    ck_assert(world_is(&w, job, "paused"));
    price_io(0, PER_GIB);
    set(spent(), PAID_END_PAUSE); /* what was held for time is no more there either */
    world_pass(&w, SECOND);
    beat_of("n1", id, moved);
    ck_assert(!suspended()); /* it waits for money, like any that is paused */
    core_attempt_stands(w.core, "n1", id, 2, true, w.now);
    ck_assert(world_is(&w, job, "paused"));
    ck_assert_int_eq(held(), 0);
    ck_assert_int_eq(spent(), (int64_t)at_us / 1000 + (int64_t)(moved * PER_GIB / GIB));
    for (int i = 0; i < 5; i++) {
        world_pass(&w, SECOND);
        beat_of("n1", id, moved);
    }
    ck_assert(world_is(&w, job, "paused"));
    first_line("for more I/O: the 2048 MiB that were paid are moved");
    world_verify(&w, &limits);

    price_io(0, PER_GIB);
    set(100 * PER_SECOND, PAID_END_PAUSE);
    world_pass(&w, 2 * SECOND);
    beat_of("n1", id, moved);
    ck_assert(world_is(&w, job, "running"));
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), moved + GIB);
    core_attempt_stands(w.core, "n1", id, 2, false, w.now);
    second(GIB / 4);
    end_with(END_EXIT, moved);
    ck_assert_uint_eq(billed(NULL), moved);
    finish();
}
END_TEST

/* Whose wish it is comes before the want of I/O: it stays suspended when there is money. */
START_TEST(whom_a_person_suspends_holds_nothing_for_io_and_stays_so)
{
    begin(PER_GIB, -1, PAID_END_PAUSE);
    struct attempt_id id = {job, 0, 1};
    second(GIB / 4);
    struct suspend_reply reply;
    struct fact f;
    size_t count;
    struct suspend_call call = {.job = job, .has_task = true};
    int answer = core_check_suspend(w.core, &call, true, "root", w.now, &f, 1, &count, &reply, &w.refusal);
    ck_assert_int_eq(answer, CORE_FACT);
    ck_assert_uint_eq(count, 1);
    world_commit(&w, &f);
    for (int i = 0; i < 3; i++) {
        world_pass(&w, SECOND);
        core_attempt_stands(w.core, "n1", id, 1, true, w.now);
        beat_of("n1", id, moved);
    }
    ck_assert(world_is(&w, job, "suspended"));
    ck_assert_int_eq(held(), 0);
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), moved);
    ck_assert_int_eq(spent(), PER_SECOND + PER_GIB / 4);
    end_with(END_EXIT, moved);
    finish();
}
END_TEST

/* Its node was told that it pauses: it would wait for ever. */
START_TEST(a_job_whose_own_budget_is_used_up_is_stopped_where_others_are_paused)
{
    open_world(PER_GIB, -1, PAID_END_PAUSE);
    hello("n1", true);
    struct job_spec spec = world_spec(1000, GIB);
    spec.budget_micros = SLICE * PER_SECOND + PER_GIB / 2;
    start(spec);
    for (int i = 0; i < 3; i++)
        second(GIB);
    uint64_t stood_us = run_us;
    for (int i = 0; i < 15; i++) {
        world_pass(&w, SECOND);
        run_us = stood_us;
        beat_of("n1", (struct attempt_id){job, 0, 1}, moved);
    }
    ck_assert_uint_eq(ordered_end(), END_IO_BUDGET);
    end_with(END_IO_BUDGET, moved);
    ck_assert_int_le(spent(), SLICE * PER_SECOND + PER_GIB / 2);
    finish();
}
END_TEST

START_TEST(what_stands_for_want_of_io_too_long_is_stopped_for_it)
{
    begin(PER_GIB, 12 * PER_SECOND, PAID_END_PAUSE);
    struct attempt_id id = {job, 0, 1};
    for (int i = 0; i < 6 && !suspended(); i++)
        second(2 * GIB);
    core_attempt_stands(w.core, "n1", id, 1, true, w.now);
    world_pass(&w, SECOND);
    beat_of("n1", id, moved);
    world_pass(&w, SECOND);
    beat_of("n1", id, moved);
    world_pass(&w, (int64_t)limits.pause_max_ms * 1000);
    beat_of("n1", id, moved);
    const struct bytes *b = &((const struct bytes *)w.journal.v)[w.journal.count - 1];
    struct fact f = {0};
    ck_assert_int_eq(fact_decode(b->data, b->len, &f, NULL), 0);
    ck_assert_uint_eq(f.kind, FACT_ATTEMPT_STOPPING);
    ck_assert_uint_eq(f.stopping.cause, END_IO_BUDGET);
    fact_clear(&f);
    end_with(END_IO_BUDGET, moved);
    finish();
}
END_TEST

/* Its node halts it and waits for more or for this order: it can't tell an empty budget from nobody who answers. */
START_TEST(who_has_used_all_that_money_buys_is_stopped_by_order_and_at_once)
{
    begin(PER_GIB, 20 * PER_SECOND, PAID_END_STOP);
    for (int i = 0; i < 40 && ordered_end() == END_NONE; i++)
        second(GIB);
    ck_assert_uint_eq(ordered_end(), END_IO_BUDGET);
    ck_assert_uint_eq(moved, measured(attempt().io_paid_bytes));
    ck_assert_uint_eq(core_stop_grace_ms(w.core, END_IO_BUDGET), 0);
    ck_assert_uint_gt(core_stop_grace_ms(w.core, END_BUDGET), 0);
    end_with(END_IO_BUDGET, moved);
    ck_assert(world_is(&w, job, "budget_stopped"));
    finish();
}
END_TEST

/* The store was away: the first turn after that knows that all is used, and for how long. */
START_TEST(who_stood_still_while_nobody_could_decide_goes_on_when_there_is_money)
{
    struct attempt_id id;
    begin(PER_GIB, 1000 * PER_SECOND, PAID_END_STOP);
    id = (struct attempt_id){job, 0, 1};
    second(GIB / 4);
    uint64_t paid = moved = measured(attempt().io_paid_bytes);
    for (int i = 0; i < 60; i++) {
        world_pass(&w, SECOND);
        core_node_seen(w.core, "n1", w.now);
        core_attempt_seen(w.core, "n1", id, run_us, w.now);
        core_attempt_used(w.core, "n1", id, (struct use_point){.run_us = run_us, .io_bytes = measure_of(moved)});
    }
    (void)world_decide(&w);
    ck_assert_uint_eq(ordered_end(), END_NONE);
    ck_assert_uint_gt(measured(attempt().io_paid_bytes), paid);
    end_with(END_EXIT, moved);
    finish();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scheduler/core/io_end");
    TCase *t = tcase_create("io_end");
    tcase_add_test(t, nothing_is_spent_beyond_a_budget_whatever_it_moves);
    tcase_add_test(t, a_jobs_own_budget_buys_time_beside_the_least_io_and_then_io);
    tcase_add_test(t, a_tenant_that_cant_hold_an_allowance_starts_with_less);
    tcase_add_test(t, a_checkpoint_is_asked_for_when_no_more_io_can_be_held);
    tcase_add_test(t, who_may_move_nothing_more_is_paused_and_goes_on_when_there_is_money);
    tcase_add_test(t, whom_a_person_suspends_holds_nothing_for_io_and_stays_so);
    tcase_add_test(t, a_job_whose_own_budget_is_used_up_is_stopped_where_others_are_paused);
    tcase_add_test(t, what_stands_for_want_of_io_too_long_is_stopped_for_it);
    tcase_add_test(t, who_has_used_all_that_money_buys_is_stopped_by_order_and_at_once);
    tcase_add_test(t, who_stood_still_while_nobody_could_decide_goes_on_when_there_is_money);
    suite_add_tcase(s, t);
    return run_suite(s);
}
