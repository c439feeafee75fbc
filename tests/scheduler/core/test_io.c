/* I/O that is priced: what is held, told, charged and written off, whatever nodes say. */
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/io_cell.h"

/* ---- held, told, charged ---------------------------------------------------------------------------- */

START_TEST(a_start_holds_an_allowance_beside_its_slice)
{
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause;
    begin(PER_GIB, -1, PAID_END_STOP);
    ck_assert_int_eq(held(), SLICE * PER_SECOND + PER_GIB);
    ck_assert_int_eq(core_duty(w.core, (struct attempt_id){job, 0, 1}, false, &run, &paid_us, &cause), DUTY_RUN);
    ck_assert(is_measured(run.io_paid_bytes) && measured(run.io_paid_bytes) == GIB);
    fields_clear(&run_call_fields, &run);
    second(0);
    end_with(END_EXIT, 0);
    ck_assert_int_eq(held(), 0); /* what wasn't moved comes back */
    ck_assert_int_eq(spent(), PER_SECOND);
    finish();
}
END_TEST

START_TEST(what_moves_asks_for_more_before_it_must_stop)
{
    begin(PER_GIB, -1, PAID_END_STOP);
    uint64_t want = 0;
    for (int i = 0; i < 60; i++) {
        want += GIB / 3;
        second(GIB / 3);
        ck_assert_uint_eq(moved, want); /* it was never held back */
        ck_assert_uint_gt(measured(attempt().io_paid_bytes), moved);
        ck_assert_uint_le(measured(attempt().io_paid_bytes), moved + GIB);
    }
    end_with(END_EXIT, moved);
    int64_t io;
    ck_assert_uint_eq(billed(&io), moved); /* each byte once */
    ck_assert_int_eq(io, (int64_t)((moved * PER_GIB + GIB / 2) / GIB));
    ck_assert_int_eq(spent(), io + 60 * PER_SECOND);
    ck_assert_int_eq(attempt().written_off_micros, 0);
    finish();
}
END_TEST

/* Renewed each second for as many bytes as the second before. */
START_TEST(bytes_of_lines_add_up)
{
    begin(PER_GIB, -1, PAID_END_STOP);
    for (int i = 0; i < 6; i++) {
        int64_t micros;
        second(GIB / 2);
        ck_assert_uint_eq(billed(&micros), moved);
        ck_assert_int_eq(micros, (int64_t)(moved * PER_GIB / GIB));
    }
    end_with(END_EXIT, moved);
    struct job_view view = world_view(&w, job);
    const struct attempt_view *a = view.attempts.v;
    uint64_t lines = 0;
    for (size_t i = 0; i < a->charges.count; i++) {
        const struct charge *line = &((const struct charge *)a->charges.v)[i];
        if (strcmp(line->resource, RESOURCE_IO) != 0)
            continue;
        lines++;
        ck_assert_uint_eq(line->from_run_us, 0);
        ck_assert_uint_eq(line->run_us, 6 * SECOND);
    }
    ck_assert_uint_eq(lines, 1);
    fields_clear(&job_view_fields, &view);
    finish();
}
END_TEST

START_TEST(io_is_renewed_when_no_more_time_is_to_be_had)
{
    open_world(PER_GIB, -1, PAID_END_STOP);
    hello("n1", true);
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = 9000;
    start(spec);
    uint64_t want = 0, longest_us = (uint64_t)(9 * SECOND) + limits.grace_ms * 1000;
    for (int i = 0; i < 15; i++) {
        want += GIB / 3;
        second(GIB / 3);
        ck_assert_uint_eq(moved, want);
    }
    ck_assert_uint_eq(attempt().paid_us, longest_us);
    end_with(END_TIME_LIMIT, moved);
    ck_assert_uint_eq(billed(NULL), moved);
    finish();
}
END_TEST

/* What its node said while a renewal was under way: it stands still beyond that, and says no other count any more. */
START_TEST(what_went_on_while_a_renewal_was_decided_has_the_next_one)
{
    struct fact facts[4];
    begin(PER_GIB, -1, PAID_END_STOP);
    struct use_point use = {.run_us = SECOND, .cpu_us = 1, .io_bytes = measure_of(GIB)};
    world_pass(&w, SECOND);
    core_attempt_seen(w.core, "n1", (struct attempt_id){job, 0, epoch}, SECOND, w.now);
    core_attempt_used(w.core, "n1", (struct attempt_id){job, 0, epoch}, use);
    ck_assert_uint_eq(core_decide(w.core, w.now, facts, COUNT_OF(facts), &w.next_boot_us), 1);
    use.io_bytes = measure_of(3 * GIB);
    core_attempt_used(w.core, "n1", (struct attempt_id){job, 0, epoch}, use);
    world_commit(&w, &facts[0]);
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), 2 * GIB);
    (void)world_decide(&w);
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), 4 * GIB);
    finish();
}
END_TEST

START_TEST(what_its_node_told_is_seen_while_it_runs)
{
    begin(PER_GIB, -1, PAID_END_STOP);
    const struct usage usage = {.cpu_us = 7, .read_bytes = measure_of(3), .moved_read_bytes = measure_of(2)};
    const struct usage strange = {.cpu_us = 9};
    second(0);
    core_attempt_told(w.core, "n1", (struct attempt_id){job, 0, epoch}, &usage);
    core_attempt_told(w.core, "n2", (struct attempt_id){job, 0, epoch}, &strange);
    core_attempt_told(w.core, "n1", (struct attempt_id){job, 0, epoch + 1}, &strange);
    core_attempt_told(w.core, "n1", (struct attempt_id){job + 1, 0, 1}, &strange);
    struct job_view view = {0};
    ck_assert(core_job_view(w.core, &(struct job_call){.job = job}, w.now, &view));
    const struct exit_record *r = &((const struct attempt_view *)view.attempts.v)[view.attempts.count - 1].record;
    ck_assert_uint_eq(r->cause, END_NONE);
    ck_assert_uint_eq(r->run_us, SECOND);
    ck_assert(fields_equal(&usage_fields, &r->usage, &usage));
    fields_clear(&job_view_fields, &view);
    end_with(END_EXIT, moved);
    finish();
}
END_TEST

START_TEST(half_an_allowance_is_a_renewal_and_less_is_none)
{
    begin(PER_GIB, -1, PAID_END_STOP);
    struct core_stats stats;
    second(GIB / 2 - 1);
    core_stats(w.core, &stats);
    ck_assert_uint_eq(stats.renewed_total, 0);
    second(1);
    core_stats(w.core, &stats);
    ck_assert_uint_eq(stats.renewed_total, 1);
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), GIB / 2 + GIB);
    second(0); /* the same count again asks for nothing, though its time be renewed */
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), GIB / 2 + GIB);
    end_with(END_EXIT, moved);
    finish();
}
END_TEST

START_TEST(the_book_says_how_much_is_held_at_a_time)
{
    open_world(PER_GIB, -1, PAID_END_STOP);
    price_io(0, PER_GIB);
    ((struct price_version *)policy.prices.v)->io_allowance = 4 * GIB;
    set(-1, PAID_END_STOP);
    hello("n1", true);
    start(world_spec(1000, GIB));
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), 4 * GIB);
    ck_assert_int_eq(held(), SLICE * PER_SECOND + 4 * PER_GIB);
    ck_assert_int_eq(w.quote.io_price_micros, PER_GIB);
    ck_assert_uint_eq(w.quote.io_allowance_bytes, 4 * GIB);
    ck_assert_int_eq(w.quote.quote_max_micros, -1);
    end_with(END_EXIT, 0);
    finish();
}
END_TEST

static uint64_t quoted_for(int64_t budget_micros, uint64_t io_bytes)
{
    struct job_spec spec = world_spec(1000, GIB);
    spec.budget_micros = budget_micros;
    spec.limits = (struct job_limits){.present = io_bytes != 0, .io_bytes = io_bytes};
    start(spec);
    ck_assert_uint_eq(w.quote.io_allowance_bytes, measured(attempt().io_paid_bytes)); /* is held */
    uint64_t quoted = w.quote.io_allowance_bytes;
    end_with(END_EXIT, 0);
    return quoted;
}

START_TEST(a_quote_holds_no_more_than_the_jobs_budget_and_limit)
{
    open_world(PER_GIB, -1, PAID_END_STOP);
    hello("n1", true);
    ck_assert_uint_eq(quoted_for(0, 0), GIB);
    ck_assert_uint_eq(quoted_for(0, GIB / 4), GIB / 4);
    ck_assert_uint_eq(quoted_for(SLICE * PER_SECOND + 2 * PER_GIB, 0), GIB);
    ck_assert_uint_eq(quoted_for(SLICE * PER_SECOND + PER_GIB / 2, 0) * 100 / GIB, 50);
    ck_assert_uint_eq(quoted_for(SLICE * PER_SECOND, 0), GIB / 16); /* beside a little less time */
    finish();
}
END_TEST

/* ---- limits and nodes ------------------------------------------------------------------------------- */

static struct job_spec limited(uint64_t bytes)
{
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = 60000;
    spec.limits.present = true;
    spec.limits.io_bytes = bytes;
    return spec;
}

START_TEST(a_job_pays_for_no_more_than_its_limit)
{
    open_world(PER_GIB, -1, PAID_END_STOP);
    hello("n1", true);
    start(limited(2 * GIB + 5));
    ck_assert_int_eq(w.quote.quote_max_micros, (int64_t)(60 + limits.grace_ms / 1000) * PER_SECOND + 2 * PER_GIB);
    for (int i = 0; i < 10; i++)
        second(GIB / 2);
    ck_assert_uint_eq(moved, 2 * GIB + 5);
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), 2 * GIB + 5);
    end_with(END_IO_LIMIT, moved);
    ck_assert_int_eq(spent(), 10 * PER_SECOND + 2 * PER_GIB);
    ck_assert(world_is(&w, job, "failed"));
    finish();
}
END_TEST

START_TEST(a_limit_holds_where_nothing_is_priced)
{
    open_world(0, -1, PAID_END_STOP);
    hello("n1", true);
    start(limited(3 * GIB));
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), 3 * GIB);
    ck_assert_int_eq(held(), SLICE * PER_SECOND);
    for (int i = 0; i < 20; i++)
        second(GIB);
    ck_assert_uint_eq(moved, 3 * GIB);
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), 3 * GIB);
    end_with(END_IO_LIMIT, moved);
    ck_assert_int_eq(spent(), 20 * PER_SECOND);
    ck_assert_uint_eq(billed(NULL), 0);
    finish();
}
END_TEST

START_TEST(a_limit_needs_a_node_that_counts)
{
    open_world(PER_GIB, -1, PAID_END_STOP);
    hello("n1", false);
    struct job_spec spec = limited(GIB);
    uint64_t id;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &id), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.where, "limits.io_bytes");
    finish();
}
END_TEST

START_TEST(an_old_node_holds_and_pays_nothing)
{
    open_world(PER_GIB, -1, PAID_END_STOP);
    hello("n1", false);
    start(world_spec(1000, GIB));
    ck_assert_int_eq(held(), SLICE * PER_SECOND);
    ck_assert(!is_measured(attempt().io_paid_bytes));
    counts = false;
    for (int i = 0; i < 20; i++)
        second(GIB);
    ck_assert(!is_measured(attempt().io_paid_bytes));
    end_with(END_EXIT, 0);
    ck_assert_int_eq(spent(), 20 * PER_SECOND);
    ck_assert_int_eq(attempt().written_off_micros, 0);
    finish();
}
END_TEST

START_TEST(a_limit_is_not_held_whole_when_a_price_comes)
{
    open_world(0, -1, PAID_END_STOP);
    price_io(0, 0);
    price_io(w.now.utc_us + 70 * SECOND, PER_GIB);
    set(-1, PAID_END_STOP);
    hello("n1", true);
    struct job_spec spec = world_spec(1000, GIB);
    spec.limits = (struct job_limits){.present = true, .io_bytes = 100 * GIB};
    start(spec);
    for (int i = 0; i < 60; i++)
        second(GIB / 10);
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), 100 * GIB);
    for (int i = 0; i < 60; i++)
        second(GIB / 10);
    ck_assert_uint_le(measured(attempt().io_paid_bytes), moved + GIB);
    ck_assert_int_le(held(), 2 * SLICE * PER_SECOND + 2 * PER_GIB);
    end_with(END_EXIT, moved);
    ck_assert_uint_eq(billed(NULL), moved);
    finish();
}
END_TEST

/* ---- hostile counts --------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    uint64_t beats[4]; /* one a second; UINT64_MAX: none more */
    uint64_t at_end, billed;
    bool writes_off;
} hostile[] = {
    {"a count that goes back is where it was", {GIB / 4, GIB / 8, UINT64_MAX}, GIB / 8, GIB / 4, false},
    {"a count that begins anew bills what is new beyond", {GIB / 4, 0, GIB / 2, UINT64_MAX}, GIB / 2, GIB / 2, false},
    {"a record that forgot its count", {GIB / 4, GIB / 2, UINT64_MAX}, 0, GIB / 2, false},
    {"a jump of 2^60 is no count", {GIB / 4, UINT64_C(1) << 60, UINT64_MAX}, GIB / 4, GIB / 4, false},
    {"a jump of 2^60 at the end is no count either", {GIB / 4, UINT64_MAX}, UINT64_C(1) << 60, GIB / 4, false},
    {"a jump that might be is charged as far as it is paid", {GIB / 4, UINT64_MAX}, UINT64_C(1) << 55, GIB, true},
    {"what is under way at the stop is the platform's", {GIB / 4, UINT64_MAX}, GIB + (8 << 20), GIB, true},
};

START_TEST(whatever_a_node_counts_each_byte_is_charged_once_and_none_beyond_the_hold)
{
    begin(PER_GIB, -1, PAID_END_STOP);
    for (size_t i = 0; i < COUNT_OF(hostile[_i].beats) && hostile[_i].beats[i] != UINT64_MAX; i++) {
        world_pass(&w, SECOND);
        run_us += SECOND;
        beat_of("n1", (struct attempt_id){job, 0, 1}, hostile[_i].beats[i]);
    }
    int64_t before = spent() + held();
    end_with(END_EXIT, hostile[_i].at_end);
    ck_assert_msg(billed(NULL) == hostile[_i].billed, "%s: %llu", hostile[_i].what, (unsigned long long)billed(NULL));
    ck_assert_int_le(spent(), before);
    ck_assert_msg((attempt().written_off_micros > 0) == hostile[_i].writes_off, "%s: written off", hostile[_i].what);
    ck_assert_int_eq(held(), 0);
    finish();
}
END_TEST

START_TEST(beats_that_come_late_twice_or_from_elsewhere_bill_nothing)
{
    begin(PER_GIB, -1, PAID_END_STOP);
    hello("n2", true);
    for (int i = 0; i < 10; i++) {
        second(GIB / 4);
        struct use_point late = {.run_us = SECOND, .cpu_us = 1, .io_bytes = measure_of(77 * GIB)};
        struct use_point twice = {.run_us = run_us, .cpu_us = run_us, .io_bytes = measure_of(moved)};
        struct use_point strange = {.run_us = run_us, .cpu_us = 1, .io_bytes = measure_of(99 * GIB)};
        if (i > 0)
            core_attempt_used(w.core, "n1", (struct attempt_id){job, 0, 1}, late);
        core_attempt_used(w.core, "n1", (struct attempt_id){job, 0, 1}, twice);
        core_attempt_used(w.core, "n2", (struct attempt_id){job, 0, 1}, strange);
        core_attempt_used(w.core, "n1", (struct attempt_id){job, 0, 2}, strange);
        (void)world_decide(&w);
    }
    end_with(END_EXIT, moved);
    int64_t all = spent();
    ck_assert_uint_eq(billed(NULL), moved);
    struct attempt_state state = {.id = {job, 0, 1}, .ended = true}; /* and once more */
    struct fact f;
    state.record = (struct exit_record){.cause = END_EXIT, .run_us = run_us, .usage.io_bytes = measure_of(99 * GIB)};
    ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &f), CORE_FACT);
    ck_assert_uint_eq(f.kind, FACT_NONE);
    ck_assert_int_eq(spent(), all);
    finish();
}
END_TEST

START_TEST(another_attempt_begins_at_nothing)
{
    open_world(PER_GIB, -1, PAID_END_STOP);
    hello("n1", true);
    struct job_spec spec = world_spec(1000, GIB);
    spec.retries = 1;
    start(spec);
    second(GIB / 4);
    end_with(END_SIGNAL, moved);
    ck_assert_int_eq(spent(), PER_SECOND + PER_GIB / 4);
    world_pass(&w, 10 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    epoch = 2;
    run_us = moved = 0;
    ck_assert_uint_eq(measured(attempt().io_paid_bytes), GIB);
    second(GIB / 4);
    end_with(END_EXIT, moved);
    ck_assert_int_eq(spent(), 2 * PER_SECOND + PER_GIB / 2);
    ck_assert_uint_eq(billed(NULL), GIB / 4);
    finish();
}
END_TEST

/* ---- prices ----------------------------------------------------------------------------------------- */

START_TEST(a_price_that_changes_in_the_middle_is_paid_on_both_sides)
{
    open_world(PER_GIB, -1, PAID_END_STOP);
    price_io(0, PER_GIB);
    price_io(w.now.utc_us + 70 * SECOND, 3 * PER_GIB);
    set(-1, PAID_END_STOP);
    hello("n1", true);
    start(world_spec(1000, GIB));
    for (int i = 0; i < 140; i++)
        second(GIB / 10);
    ck_assert_uint_eq(moved, 140 * (GIB / 10));
    end_with(END_EXIT, moved);
    int64_t io;
    ck_assert_uint_eq(billed(&io), moved);
    ck_assert_int_ge(io, 7 * PER_GIB + 21 * PER_GIB - PER_GIB); /* as one line crosses the change, about */
    ck_assert_int_le(io, 7 * PER_GIB + 21 * PER_GIB + PER_GIB);
    ck_assert_int_eq(attempt().written_off_micros, 0);
    finish();
}
END_TEST

START_TEST(a_price_that_comes_later_is_held_for_when_it_comes)
{
    open_world(0, -1, PAID_END_STOP);
    price_io(0, 0);
    price_io(w.now.utc_us + 70 * SECOND, PER_GIB);
    set(-1, PAID_END_STOP);
    hello("n1", true);
    start(world_spec(1000, GIB));
    ck_assert(!is_measured(attempt().io_paid_bytes));
    for (int i = 0; i < 60; i++)
        second(GIB / 10);
    ck_assert(!is_measured(attempt().io_paid_bytes));
    for (int i = 0; i < 60; i++)
        second(GIB / 10);
    ck_assert(is_measured(attempt().io_paid_bytes));
    end_with(END_EXIT, moved);
    int64_t io;
    ck_assert_uint_eq(billed(&io), moved); /* on record, free or not */
    ck_assert_int_ge(io, 4 * PER_GIB);
    ck_assert_int_le(io, 6 * PER_GIB);
    finish();
}
END_TEST

/* ---- anything --------------------------------------------------------------------------------------- */

START_TEST(whatever_it_moves_and_says_the_books_add_up)
{
    uint64_t seed = random_seed("io");
    for (int n = 0; n < 60; n++) {
        int64_t budget = random_below(&seed, 2) ? -1 : (int64_t)random_below(&seed, 40 * PER_SECOND) + 9 * PER_SECOND;
        begin((int64_t)random_below(&seed, 5 * PER_GIB), budget, PAID_END_STOP);
        uint64_t highest = 0;
        for (int i = 0; i < 30; i++) {
            world_pass(&w, (int64_t)random_below(&seed, 3 * SECOND));
            run_us = MIN(run_us + SECOND, attempt().paid_us);
            uint64_t says = random_below(&seed, highest + GIB);
            counts = random_below(&seed, 5) > 0;
            beat_of("n1", (struct attempt_id){job, 0, 1}, says);
            highest = counts ? MAX(highest, says) : highest;
            if (random_below(&seed, 10) == 0)
                world_verify(&w, &limits);
        }
        counts = true;
        int64_t most = spent() + held();
        uint64_t says = random_below(&seed, highest + GIB), paid = measured(attempt().io_paid_bytes);
        bool bounded = is_measured(attempt().io_paid_bytes);
        end_with(END_EXIT, says);
        ck_assert_int_le(spent(), most);
        ck_assert_int_eq(held(), 0);
        ck_assert_uint_le(billed(NULL), MAX(highest, says));
        if (bounded)
            ck_assert_uint_le(billed(NULL), paid);
        finish();
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scheduler/core/io");
    TCase *t = tcase_create("io");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_start_holds_an_allowance_beside_its_slice);
    tcase_add_test(t, what_moves_asks_for_more_before_it_must_stop);
    tcase_add_test(t, bytes_of_lines_add_up);
    tcase_add_test(t, io_is_renewed_when_no_more_time_is_to_be_had);
    tcase_add_test(t, what_went_on_while_a_renewal_was_decided_has_the_next_one);
    tcase_add_test(t, what_its_node_told_is_seen_while_it_runs);
    tcase_add_test(t, half_an_allowance_is_a_renewal_and_less_is_none);
    tcase_add_test(t, the_book_says_how_much_is_held_at_a_time);
    tcase_add_test(t, a_quote_holds_no_more_than_the_jobs_budget_and_limit);
    tcase_add_test(t, a_job_pays_for_no_more_than_its_limit);
    tcase_add_test(t, a_limit_holds_where_nothing_is_priced);
    tcase_add_test(t, a_limit_needs_a_node_that_counts);
    tcase_add_test(t, an_old_node_holds_and_pays_nothing);
    tcase_add_test(t, a_limit_is_not_held_whole_when_a_price_comes);
    tcase_add_loop_test(t, whatever_a_node_counts_each_byte_is_charged_once_and_none_beyond_the_hold, 0,
                        COUNT_OF(hostile));
    tcase_add_test(t, beats_that_come_late_twice_or_from_elsewhere_bill_nothing);
    tcase_add_test(t, another_attempt_begins_at_nothing);
    tcase_add_test(t, a_price_that_changes_in_the_middle_is_paid_on_both_sides);
    tcase_add_test(t, a_price_that_comes_later_is_held_for_when_it_comes);
    tcase_add_test(t, whatever_it_moves_and_says_the_books_add_up);
    suite_add_tcase(s, t);
    return run_suite(s);
}
