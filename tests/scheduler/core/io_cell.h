/*
 * io_cell - one attempt in a cell where I/O has a price. Its node is as good as its word: nothing moves there beyond
 * what was told, but for what is under way.
 */
#ifndef REEVE_TESTS_SCHEDULER_CORE_IO_CELL_H
#define REEVE_TESTS_SCHEDULER_CORE_IO_CELL_H

#include <check.h>

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

UNUSED static void price_io(int64_t from_utc_us, int64_t per_gib)
{
    world_price(&policy, from_utc_us, PER_HOUR, 0);
    struct price_version *v = &((struct price_version *)policy.prices.v)[policy.prices.count - 1];
    if (per_gib > 0)
        MUST(counts_set(&v->per_gib, RESOURCE_IO, (uint64_t)per_gib) == 0);
}

/* Prices first. */
UNUSED static void set(int64_t budget, uint32_t paid_end)
{
    struct tenant_rule *rule = world_rule(&policy, "acme");
    rule->paid_end = paid_end;
    if (budget >= 0)
        rule->budget = (struct budget_rule){.present = true, .limit_micros = budget, .period = PERIOD_DAY};
    ck_assert_msg(world_apply(&w, &policy) == CORE_FACT, "%s", w.refusal.message);
    policy = (struct policy_file){0};
}

UNUSED static void hello(const char *node, bool with_feature)
{
    struct hello_call call = {.node = (char *)(uintptr_t)node, .boot_id = (char *)(uintptr_t) "b1"};
    call.capacity = (struct resources){.cpu_milli = 64000, .mem_bytes = 64 * GIB};
    if (with_feature)
        MUST(strs_add(&call.features, "io_bytes") == 0);
    world_hello_as(&w, &call);
    call.node = call.boot_id = NULL;
    fields_clear(&hello_call_fields, &call);
}

UNUSED static void open_world(int64_t per_gib, int64_t budget, uint32_t paid_end)
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

UNUSED static void start(struct job_spec spec)
{
    job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
}

UNUSED static void begin(int64_t per_gib, int64_t budget, uint32_t paid_end)
{
    open_world(per_gib, budget, paid_end);
    hello("n1", true);
    start(world_spec(1000, GIB));
}

UNUSED static struct attempt_view attempt(void)
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
UNUSED static uint64_t billed(int64_t *ret_micros)
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

UNUSED static void beat_of(const char *node, struct attempt_id id, uint64_t bytes)
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
UNUSED static void second(uint64_t wants)
{
    struct attempt_view a = attempt();
    world_pass(&w, SECOND);
    run_us = MIN(run_us + SECOND, a.paid_us);
    moved = is_measured(a.io_paid_bytes) ? MIN(moved + wants, MAX(moved, measured(a.io_paid_bytes))) : moved + wants;
    beat_of("n1", (struct attempt_id){job, 0, epoch}, moved);
}

UNUSED static void end_with(uint32_t cause, uint64_t bytes)
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

UNUSED static void finish(void)
{
    world_verify(&w, &limits);
    world_fini(&w);
}

UNUSED static int64_t spent(void)
{
    return world_account(&w, TOTAL).spent_micros;
}

UNUSED static int64_t held(void)
{
    return world_account(&w, TOTAL).held_micros;
}

/* What `why` says first. */
UNUSED static void first_line(const char *text)
{
    struct why_reply why = {0};
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &why));
    ck_assert_uint_gt(why.blockers.count, 0);
    const struct blocker *b = why.blockers.v;
    ck_assert_str_eq(b->kind, "budget");
    ck_assert_msg(strstr(b->text, text) != NULL, "%s", b->text);
    fields_clear(&why_reply_fields, &why);
}

#endif
