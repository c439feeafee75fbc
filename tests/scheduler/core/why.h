/* why - a cell that is asked why, for the tests of the answers. Included once by each. */
#ifndef REEVE_TESTS_SCHEDULER_CORE_WHY_H
#define REEVE_TESTS_SCHEDULER_CORE_WHY_H

#include <check.h>

#include "tests/scheduler/core/world.h"

static struct world w;

/* One node; limits of every kind on two levels of one tenant, none on the other. */
UNUSED static void begin_limits(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, 36 * EUR / 10, 0); /* 1000 micro-units per core-second, 0.9 per slice and core */
    struct tenant_rule *rule = world_rule(&p, "acme");
    rule->quota.max_running = 2;
    rule = world_rule(&p, "acme/etl");
    rule->quota.max.cpu_milli = 4000;
    rule->budget = (struct budget_rule){.present = true, .limit_micros = 5 * EUR, .period = PERIOD_DAY};
    (void)world_rule(&p, "globex");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 16, 64 * GIB);
}

UNUSED static struct why_reply why(uint64_t job)
{
    struct why_reply reply;
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &reply));
    return reply;
}

UNUSED static const struct blocker *blocker(const struct why_reply *r, size_t i)
{
    ck_assert_uint_lt(i, r->blockers.count);
    return &((const struct blocker *)r->blockers.v)[i];
}

#endif
