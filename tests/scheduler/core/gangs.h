/* gangs - a cell with some nodes and jobs whose tasks start together, for the tests of them. Included once by each. */
#ifndef REEVE_TESTS_SCHEDULER_CORE_GANGS_H
#define REEVE_TESTS_SCHEDULER_CORE_GANGS_H

#include "tests/scheduler/core/why.h"

UNUSED static void begin(size_t nodes, uint64_t cores, uint64_t quota_cores, int64_t budget)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, 36 * EUR / 10, 0); /* a core costs 0.001 a second */
    struct tenant_rule *rule = world_rule(&p, "acme");
    rule->quota.max.cpu_milli = quota_cores * 1000;
    if (budget > 0)
        rule->budget = (struct budget_rule){.present = true, .limit_micros = budget, .period = PERIOD_MONTH};
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    for (size_t i = 1; i <= nodes; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%zu", i);
        world_hello(&w, name, "b", cores, 256 * GIB);
    }
}

UNUSED static void end(void)
{
    world_verify(&w, NULL);
    world_fini(&w);
}

/* Time goes by, and every node is heard of. */
UNUSED static void pass(int64_t us)
{
    world_pass(&w, us);
    for (int i = 1; i <= 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        core_node_seen(w.core, name, w.now);
    }
}

UNUSED static struct job_spec gangs(uint32_t tasks, uint32_t gang, uint64_t cpu_milli)
{
    struct job_spec spec = world_spec(cpu_milli, GIB);
    spec.array = (struct job_array){.present = true, .last = tasks - 1};
    spec.gang = gang;
    return spec;
}

UNUSED static uint64_t submit(uint32_t tasks, uint32_t gang)
{
    return world_submit(&w, "acme", gangs(tasks, gang, 1000));
}

UNUSED static bool is_live(uint64_t job, uint32_t task)
{
    struct attempt_id id = {job, task, 0};
    return world_node_of(&w, &id) != NULL;
}

UNUSED static uint32_t live(uint64_t job, uint32_t tasks)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tasks; i++)
        count += is_live(job, i);
    return count;
}

UNUSED static uint32_t stop_cause(uint64_t job, uint32_t task)
{
    struct attempt_id id = {job, task, 0};
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause = END_NONE;
    if (world_node_of(&w, &id) == NULL)
        return END_NONE;
    (void)core_duty(w.core, id, true, &run, &paid_us, &cause);
    fields_clear(&run_call_fields, &run);
    return cause;
}

UNUSED static void run_all(uint64_t job, uint32_t tasks)
{
    for (uint32_t i = 0; i < tasks; i++)
        if (is_live(job, i))
            ck_assert(world_run(&w, job, i));
}

/* Ends whoever is told to, by the cause it was told. */
UNUSED static void obey(uint64_t job, uint32_t tasks, uint64_t run_us)
{
    for (uint32_t i = 0; i < tasks; i++)
        if (stop_cause(job, i) != END_NONE)
            ck_assert(world_end(&w, job, i, stop_cause(job, i), 0, run_us));
}

#endif
