/* I/O that is priced: what is held, told, charged and written off, whatever nodes say. The node is as good as its word:
 * it moves nothing beyond what it was told, but for what is under way. */
#include <check.h>

#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

/* 3.60 per core-hour: 1000 micro-units per core-second. Memory is free. A GiB costs what a core costs in a second. */
#define PER_HOUR (36 * EUR / 10)
#define PER_SECOND 1000
#define PER_GIB 1000
#define SLICE 8
#define TOTAL "/@total"

static struct world w;
static struct core_limits limits;
static struct policy_file policy;
static uint64_t job, run_us, moved;
static uint32_t epoch;
static bool counts; /* its node does */

static void price_io(int64_t from_utc_us, int64_t per_gib)
{
    world_price(&policy, from_utc_us, PER_HOUR, 0);
    struct price_version *v = &((struct price_version *)policy.prices.v)[policy.prices.count - 1];
    if (per_gib > 0)
        MUST(counts_set(&v->per_gib, RESOURCE_IO, (uint64_t)per_gib) == 0);
}

/* Prices first. */
static void set(int64_t budget, uint32_t paid_end)
{
    struct tenant_rule *rule = world_rule(&policy, "acme");
    rule->paid_end = paid_end;
    if (budget >= 0)
        rule->budget = (struct budget_rule){.present = true, .limit_micros = budget, .period = PERIOD_DAY};
    ck_assert_msg(world_apply(&w, &policy) == CORE_FACT, "%s", w.refusal.message);
    policy = (struct policy_file){0};
}

static void hello(const char *node, bool with_feature)
{
    struct hello_call call = {.node = (char *)(uintptr_t)node, .boot_id = (char *)(uintptr_t) "b1"};
    struct fact f;
    call.capacity = (struct resources){.cpu_milli = 64000, .mem_bytes = 64 * GIB};
    if (with_feature)
        MUST(strs_add(&call.features, "io_bytes") == 0);
    MUST(core_check_hello(w.core, &call, w.now, &f, &w.refusal) == CORE_FACT);
    if (f.kind != FACT_NONE)
        world_commit(&w, &f);
    core_node_seen(w.core, node, w.now);
    call.node = call.boot_id = NULL;
    fields_clear(&hello_call_fields, &call);
}

static void open_world(int64_t per_gib, int64_t budget, uint32_t paid_end)
{
    limits = core_limits_default;
    limits.slice_ms = SLICE * 1000;
    limits.slice_min_ms = 1000;
    limits.checkpoint_ms = 3000;
    world_init(&w, &limits);
    policy = (struct policy_file){0};
    price_io(0, per_gib);
    set(budget, paid_end);
    counts = true;
    epoch = 1;
    run_us = moved = 0;
}

static void start(struct job_spec spec)
{
    job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
}

static void begin(int64_t per_gib, int64_t budget, uint32_t paid_end)
{
    open_world(per_gib, budget, paid_end);
    hello("n1", true);
    start(world_spec(1000, GIB));
}

static struct attempt_view attempt(void)
{
    struct job_view view = world_view(&w, job);
    struct attempt_view a = ((struct attempt_view *)view.attempts.v)[view.attempts.count - 1];
    a.state = a.node = a.cause = a.sentence = NULL;
    a.charges = (struct list){0};
    a.record = (struct exit_record){.usage.io_bytes = a.record.usage.io_bytes};
    fields_clear(&job_view_fields, &view);
    return a;
}

/* Bytes on its lines, and their cost. */
static uint64_t billed(int64_t *ret_micros)
{
    struct job_view view = world_view(&w, job);
    const struct attempt_view *a = &((struct attempt_view *)view.attempts.v)[view.attempts.count - 1];
    const struct charge *lines = a->charges.v;
    uint64_t bytes = 0;
    int64_t micros = 0;
    for (size_t i = 0; i < a->charges.count; i++)
        if (strcmp(lines[i].resource, RESOURCE_IO) == 0) {
            bytes += lines[i].amount;
            micros += lines[i].micros;
        }
    fields_clear(&job_view_fields, &view);
    if (ret_micros != NULL)
        *ret_micros = micros;
    return bytes;
}

static void beat_of(const char *node, struct attempt_id id, uint64_t bytes)
{
    core_node_seen(w.core, node, w.now);
    core_attempt_seen(w.core, node, id, run_us, w.now);
    struct use_point use = {.run_us = run_us, .cpu_us = run_us, .mem_peak_bytes = 1};
    if (counts)
        use.io_bytes = measure_of(bytes);
    core_attempt_used(w.core, node, id, use);
    (void)world_decide(&w);
    world_recount(w.core);
}

/* A second passes; it wants to move so much in it, and its node lets it as far as it is paid. */
static void second(uint64_t wants)
{
    struct attempt_view a = attempt();
    world_pass(&w, SECOND);
    run_us = MIN(run_us + SECOND, a.paid_us);
    moved = is_measured(a.io_paid_bytes) ? MIN(moved + wants, MAX(moved, measured(a.io_paid_bytes))) : moved + wants;
    beat_of("n1", (struct attempt_id){job, 0, epoch}, moved);
}

static void end_with(uint32_t cause, uint64_t bytes)
{
    struct attempt_state state = {.id = {job, 0, epoch}, .ended = true};
    struct fact f;
    state.record = (struct exit_record){.cause = cause, .exit_code = cause == END_EXIT ? 0 : 1, .run_us = run_us};
    if (counts)
        state.record.usage.io_bytes = measure_of(bytes);
    ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &f), CORE_FACT);
    ck_assert_uint_eq(f.kind, FACT_ATTEMPT_ENDED);
    world_commit(&w, &f);
}

static void finish(void)
{
    world_verify(&w, &limits);
    world_fini(&w);
}

static int64_t spent(void)
{
    return world_account(&w, TOTAL).spent_micros;
}

static int64_t held(void)
{
    return world_account(&w, TOTAL).held_micros;
}

/* What `why` says first. */
static void first_line(const char *text)
{
    struct why_reply why = {0};
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &why));
    ck_assert_uint_gt(why.blockers.count, 0);
    const struct blocker *b = why.blockers.v;
    ck_assert_str_eq(b->kind, "budget");
    ck_assert_msg(strstr(b->text, text) != NULL, "%s", b->text);
    fields_clear(&why_reply_fields, &why);
}

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

/* ---- when the money ends ---------------------------------------------------------------------------- */

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
    ck_assert_int_eq(core_check_suspend(w.core, &(struct suspend_call){.job = job, .has_task = true}, true, "root", w.now,
                                        &f, 1, &count, &reply, &w.refusal),
                     CORE_FACT);
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
    tcase_add_test(t, half_an_allowance_is_a_renewal_and_less_is_none);
    tcase_add_test(t, the_book_says_how_much_is_held_at_a_time);
    tcase_add_test(t, a_job_pays_for_no_more_than_its_limit);
    tcase_add_test(t, a_limit_holds_where_nothing_is_priced);
    tcase_add_test(t, a_limit_needs_a_node_that_counts);
    tcase_add_test(t, an_old_node_holds_and_pays_nothing);
    tcase_add_loop_test(t, whatever_a_node_counts_each_byte_is_charged_once_and_none_beyond_the_hold, 0,
                        COUNT_OF(hostile));
    tcase_add_test(t, beats_that_come_late_twice_or_from_elsewhere_bill_nothing);
    tcase_add_test(t, another_attempt_begins_at_nothing);
    tcase_add_test(t, a_price_that_changes_in_the_middle_is_paid_on_both_sides);
    tcase_add_test(t, a_price_that_comes_later_is_held_for_when_it_comes);
    tcase_add_test(t, nothing_is_spent_beyond_a_budget_whatever_it_moves);
    tcase_add_test(t, a_jobs_own_budget_buys_time_beside_the_least_io_and_then_io);
    tcase_add_test(t, a_tenant_that_cant_hold_an_allowance_starts_with_less);
    tcase_add_test(t, a_checkpoint_is_asked_for_when_no_more_io_can_be_held);
    tcase_add_test(t, who_may_move_nothing_more_is_paused_and_goes_on_when_there_is_money);
    tcase_add_test(t, whom_a_person_suspends_holds_nothing_for_io_and_stays_so);
    tcase_add_test(t, what_stands_for_want_of_io_too_long_is_stopped_for_it);
    tcase_add_test(t, whatever_it_moves_and_says_the_books_add_up);
    suite_add_tcase(s, t);
    return run_suite(s);
}
