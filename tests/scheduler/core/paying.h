/*
 * paying - a world in which what runs is paid for slice by slice, as budgets allow, and stops, or stands still, where
 * they end: for tests of ends of money.
 */
#ifndef REEVE_TESTS_SCHEDULER_CORE_PAYING_H
#define REEVE_TESTS_SCHEDULER_CORE_PAYING_H

#include <check.h>

#include "scheduler/core/forecast.h"
#include "scheduler/core/reserve_inner.h"
#include "scheduler/core/runway.h"
#include "tests/scheduler/core/world.h"

/* 3.60 per core-hour: 1000 micro-units per core-second. Memory is free. */
#define PER_HOUR (36 * EUR / 10)
#define PER_SECOND 1000
#define CORE_SECONDS(n) ((n) * INT64_C(1000000) / 3600) /* of a budget of cores' time */
#define DAY (24 * HOUR)
#define NODES 3
#define LIVE_MAX 64

static struct world w;
static struct core_limits limits;
static struct running { uint64_t job, run_us; } live[LIVE_MAX]; /* as their nodes would say */
static size_t live_count;

UNUSED static struct budget_rule budget(int64_t micros, uint32_t period)
{
    return (struct budget_rule){.present = true, .limit_micros = micros, .period = period};
}

UNUSED static void begin(struct policy_file *p)
{
    limits = core_limits_default;
    limits.slice_ms = 8000;
    limits.slice_min_ms = 100;
    limits.pause_max_ms = 600000;
    live_count = 0;
    world_init(&w, &limits);
    world_price(p, 0, PER_HOUR, 0);
    ck_assert_msg(world_apply(&w, p) == CORE_FACT, "%s", w.refusal.message);
    world_hello(&w, "n1", "b1", 10, 64 * GIB);
}

UNUSED static void apply(struct policy_file *p)
{
    world_price(p, 0, PER_HOUR, 0);
    ck_assert_msg(world_apply(&w, p) == CORE_FACT, "%s", w.refusal.message);
}

UNUSED static void verify(void)
{
    struct err err = {0};
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err.text);
}

UNUSED static uint64_t submit_with(const char *tenant, uint64_t cpu_milli, int64_t limit_us, int64_t budget_micros)
{
    struct job_spec spec = world_spec(cpu_milli, GIB);
    spec.time_limit_ms = (uint64_t)limit_us / 1000;
    spec.budget_micros = budget_micros;
    return world_submit(&w, tenant, spec);
}

UNUSED static uint64_t submit(const char *tenant, uint64_t cpu_milli, int64_t limit_us)
{
    return submit_with(tenant, cpu_milli, limit_us, 0);
}

UNUSED static bool is_live(uint64_t job)
{
    struct attempt_id id = {job, 0, 0};
    return world_node_of(&w, &id) != NULL;
}

UNUSED static struct task *task(uint64_t job)
{
    return task_find(job_find(w.core, job), 0);
}

/* What was placed runs. */
UNUSED static void run_new(void)
{
    for (uint64_t job = 1; job < w.core->next_job; job++) {
        const struct job *j = job_find(w.core, job);
        struct task *t = j != NULL ? task_find(j, 0) : NULL;
        if (t == NULL || t->state != TASK_STARTING)
            continue;
        ck_assert(world_run(&w, job, 0));
        ck_assert_uint_lt(live_count, LIVE_MAX);
        live[live_count++] = (struct running){job, 0};
    }
}

UNUSED static void decide(void)
{
    (void)world_decide(&w);
    run_new();
}

/* A turn in which somebody small can start: only then does it matter who is promised what. */
UNUSED static void turn(void)
{
    uint64_t small = submit("short", 10, SECOND);
    decide();
    ck_assert(is_live(small));
}

UNUSED static uint64_t start(const char *tenant, uint64_t cpu_milli, int64_t limit_us)
{
    uint64_t job = submit(tenant, cpu_milli, limit_us);
    decide();
    ck_assert(is_live(job));
    return job;
}

UNUSED static void end_live(size_t i, uint32_t cause)
{
    ck_assert(world_end(&w, live[i].job, 0, cause, 0, live[i].run_us));
    live[i] = live[--live_count];
}

/* Nothing runs yet. */
UNUSED static void pass_alone(int64_t us)
{
    world_pass(&w, us);
    for (size_t i = 0; i < w.core->nodes_count; i++)
        core_node_seen(w.core, w.core->nodes[i]->name, w.now);
}

/* A step further. What is paid runs and not a microsecond more: then it is over, or stands still. */
UNUSED static void pass(int64_t us)
{
    pass_alone(us);
    for (size_t i = 0; i < live_count;) {
        const struct task *t = task(live[i].job);
        uint64_t limit_us = t->job->shape->limit_us;
        bool pauses = task_paid_end(w.core, t) == PAID_END_PAUSE;
        live[i].run_us = MIN(live[i].run_us + (uint64_t)us, t->paid_us);
        if (limit_us != 0 && live[i].run_us >= limit_us) {
            end_live(i, END_TIME_LIMIT);
        } else if (live[i].run_us >= t->paid_us && !pauses) {
            end_live(i, END_BUDGET);
        } else {
            core_attempt_seen(w.core, t->node->name, task_id(t), live[i].run_us, w.now);
            i++;
        }
    }
}

UNUSED static void step(int64_t us)
{
    pass(us);
    decide();
}

UNUSED static void live_for(int64_t us)
{
    for (int64_t gone = 0; gone < us; gone += SECOND)
        step(SECOND);
}

UNUSED static const struct reservation *promise_of(uint64_t job)
{
    return reservation_of(w.core, job_find(w.core, job)->shape);
}

/* A fraction of a micro-unit is rounded away, and buys so much less than a millisecond. */
UNUSED static void expected(uint64_t job, int64_t utc_us)
{
    int64_t is_us = promise_of(job)->expected_utc_us;
    ck_assert_msg(is_us >= utc_us && is_us < utc_us + 1000, "it is expected at %lld, not %lld", (long long)is_us,
                  (long long)utc_us);
}

UNUSED static int64_t kill_us(void)
{
    return (int64_t)(limits.grace_ms + limits.kill_ms) * 1000;
}

#endif
