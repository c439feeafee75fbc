/*
 * lent - a cell of which others have borrowed what somebody is guaranteed, for the tests of who goes for a gang and
 * which gang goes. Included once by each.
 */
#ifndef REEVE_TESTS_SCHEDULER_CORE_LENT_H
#define REEVE_TESTS_SCHEDULER_CORE_LENT_H

#include "tests/scheduler/core/gangs.h"

#define KILLED_AFTER (2 * MINUTE)
#define NODES 3

/* "own" and "low" are guaranteed so many cores, "else" none, and so many are nobody's own; a core costs 36 an hour: a
 * cent a second. Three nodes of four cores. */
UNUSED static void lend_beside(uint64_t guaranteed, uint64_t of_low, uint64_t rest, struct preempt_rule rule)
{
    struct policy_file p = {.currency = strdup("EUR"), .preempt = rule};
    world_init(&w, NULL);
    world_price(&p, 0, 36 * EUR, 0);
    world_rule(&p, TENANT_ROOT)->quota.guaranteed.cpu_milli = rest * 1000;
    world_rule(&p, "own")->quota.guaranteed.cpu_milli = guaranteed * 1000;
    world_rule(&p, "low")->quota.guaranteed.cpu_milli = of_low * 1000;
    (void)world_rule(&p, "else");
    MUST(world_apply(&w, &p) == CORE_FACT);
    for (int i = 1; i <= NODES; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        world_hello(&w, name, "b", 4, 256 * GIB);
    }
}

UNUSED static void lend(uint64_t guaranteed, uint64_t rest, struct preempt_rule rule)
{
    lend_beside(guaranteed, 0, rest, rule);
}

/* Two, "own" and "too", are guaranteed four cores each. */
UNUSED static void lend_of_two(uint64_t rest)
{
    struct policy_file p = {.currency = strdup("EUR")};
    lend(0, 12, (struct preempt_rule){0});
    world_price(&p, 0, 36 * EUR, 0);
    world_rule(&p, "own")->quota.guaranteed.cpu_milli = 4000;
    world_rule(&p, "too")->quota.guaranteed.cpu_milli = 4000;
    world_rule(&p, TENANT_ROOT)->quota.guaranteed.cpu_milli = rest * 1000;
    (void)world_rule(&p, "low");
    MUST(world_apply(&w, &p) == CORE_FACT);
}

UNUSED static uint64_t task_on(const char *tenant, const char *node, uint64_t cores, int32_t priority, bool preemptible)
{
    struct job_spec spec = world_spec(cores * 1000, 64 << 20);
    char where[32];
    spec.priority = priority;
    spec.preemptible = preemptible;
    if (node != NULL) {
        snprintf(where, sizeof where, "node==%.20s", node);
        MUST(str_set(&spec.where, where) == 0);
    }
    return world_submit(&w, tenant, spec);
}

UNUSED static uint64_t gang(const char *tenant, uint32_t size, uint64_t cores, int32_t priority, bool preemptible)
{
    struct job_spec spec = gangs(size, size, cores * 1000);
    spec.priority = priority;
    spec.preemptible = preemptible;
    return world_submit(&w, tenant, spec);
}

/* Of what was submitted all starts and runs, from now on. */
UNUSED static void run(uint64_t job, uint32_t tasks)
{
    (void)world_decide(&w);
    MUST(live(job, tasks) == tasks);
    run_all(job, tasks);
    pass(SECOND);
}

UNUSED static void turns(int64_t us)
{
    pass(us);
    for (size_t i = 0; i < 20 && world_decide(&w) > 0; i++) {
    }
}

/* Which of its tasks are stopped for another, a bit each. */
UNUSED static unsigned stopped(uint64_t job, uint32_t tasks)
{
    unsigned bits = 0;
    for (uint32_t i = 0; i < tasks; i++)
        bits |= (unsigned)(stop_cause(job, i) == END_PREEMPTED) << i;
    return bits;
}

UNUSED static unsigned stopped_of(const uint64_t *jobs, size_t count)
{
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++)
        bits |= stopped(jobs[i], 1) << i;
    return bits;
}

UNUSED static void is_said(uint64_t job, size_t at, const char *text)
{
    struct why_reply r = why(job);
    ck_assert_str_eq(blocker(&r, at)->text, text);
    fields_clear(&why_reply_fields, &r);
}

/* Each of the nodes has four tasks of one core, one of each node after the other. */
UNUSED static void fill_all(uint64_t low[4 * NODES])
{
    for (size_t i = 0; i < (size_t)4 * NODES; i++) {
        char node[16];
        snprintf(node, sizeof node, "n%zu", 1 + i % NODES);
        low[i] = task_on("low", node, 1, 0, true);
        run(low[i], 1);
    }
}

/* All of them have borrowed all. */
UNUSED static void all_is_lent(uint64_t guaranteed, struct preempt_rule rule, uint64_t low[4 * NODES])
{
    lend(guaranteed, 12 - guaranteed, rule);
    fill_all(low);
}

/* Nodes of which every task is stopped, a bit each; none of which only some are. */
UNUSED static unsigned emptied(const uint64_t low[4 * NODES])
{
    unsigned bits = stopped_of(low, 4 * NODES), nodes = 0;
    for (unsigned n = 0; n < NODES; n++) {
        unsigned all = 1U << n | 1U << (n + NODES) | 1U << (n + 2 * NODES) | 1U << (n + 3 * NODES);
        ck_assert_msg((bits & all) == 0 || (bits & all) == all, "node %u: a part of what is there", n + 1);
        nodes |= (unsigned)((bits & all) == all) << n;
    }
    return nodes;
}

UNUSED static void end_stopped(const uint64_t *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (stopped(jobs[i], 1) != 0)
            ck_assert(world_end(&w, jobs[i], 0, END_PREEMPTED, 0, KILLED_AFTER));
}

#endif
