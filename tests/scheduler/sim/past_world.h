/*
 * past_world - histories whose journals are written for tests: of the simulator itself, and of a world in which people
 * and nodes do what they do.
 */
#ifndef REEVE_TESTS_SCHEDULER_SIM_PAST_WORLD_H
#define REEVE_TESTS_SCHEDULER_SIM_PAST_WORLD_H

#include "scheduler/sim/past.h"
#include "scheduler/sim/run.h"
#include "tests/scheduler/core/world.h"
#include "tests/scheduler/sim/past_files.h"

UNUSED static void add_nodes(struct cluster *cluster, uint32_t count, uint64_t cores)
{
    struct sim_nodes *n = list_add(&cluster->nodes, sizeof *n);
    n->count = count;
    n->capacity = (struct resources){.cpu_milli = cores * 1000, .mem_bytes = cores * 4 * GIB,
                                     .scratch_bytes = 1000 * GIB};
}

UNUSED static void add_rules(struct policy_file *policy, const struct workload *w)
{
    struct err err = {0};
    world_price(policy, 0, EUR / 10, 0);
    policy->preempt = (struct preempt_rule){.present = true, .reclaim = RECLAIM_ANY};
    for (size_t i = 0; i < w->tenants.count; i++) {
        struct tenant_rule *rule = world_rule(policy, w->tenants.v[i]);
        rule->weight = 1 + (uint32_t)i % 3;
        if (i == 0)
            rule->quota.guaranteed.cpu_milli = 4000;
        if (i == 1)
            rule->quota.max_running = 3;
        if (i == 2)
            rule->budget = (struct budget_rule){.present = true, .limit_micros = EUR / 4, .period = PERIOD_DAY};
    }
    ck_assert_msg(policy_file_check(policy, &err) == 0, "%s", err_text(&err));
}

UNUSED static struct run *simulated(const struct run_setup *setup)
{
    struct run *r;
    struct err err = {0};
    ck_assert_msg(run_new(&r, setup, &err) == 0, "%s", err_text(&err));
    while (run_some(r, 50))
        ;
    return r;
}

/* Generated load, and the journal of it. */
UNUSED static struct run *written(struct past_files *files, struct workload *w, uint64_t seed, uint64_t jobs)
{
    struct load_options o = {.seed = seed, .jobs = jobs, .tenants = 5, .per_hour = 1200, .mean_run_s = 90,
                             .cores_max = 8};
    struct policy_file policy = {0};
    struct cluster cluster = {0};
    struct err err = {0};
    ck_assert_int_eq(workload_load(&o, w, &err), 0);
    for (size_t i = 0; i < w->count; i += 7)
        w->jobs[i].tasks = 3;
    add_rules(&policy, w);
    add_nodes(&cluster, 3, 10);
    past_files_begin(files);
    struct run *r = simulated(&(struct run_setup){.workload = w, .cluster = &cluster, .policy = &policy,
                                                  .limits = core_limits_default, .on_fact = past_files_add,
                                                  .arg = files});
    fields_clear(&policy_file_fields, &policy);
    fields_clear(&cluster_fields, &cluster);
    past_files_write(files);
    return r;
}

UNUSED static struct workload read_from(const struct past_source *source)
{
    struct workload w;
    struct err err = {0};
    int rc = past_read(source, &w, &err);
    ck_assert_msg(rc == 0, "%s", err_text(&err));
    return w;
}

/* ---- a world ---- */
UNUSED static void world_begin(struct world *w)
{
    struct policy_file p = {0};
    world_init(w, NULL);
    world_price(&p, 0, EUR, 0);
    (void)world_rule(&p, "acme");
    (void)world_rule(&p, "acme/etl");
    (void)world_rule(&p, "globex");
    ck_assert_int_eq(world_apply(w, &p), CORE_FACT);
    world_hello(w, "n1", "b", 8, 64 * GIB);
    world_hello(w, "n2", "b", 8, 64 * GIB);
}

UNUSED static void world_write(const struct world *w, struct past_files *files)
{
    past_files_begin(files);
    for (size_t i = 0; i < w->journal.count; i++) {
        const struct bytes *b = &((const struct bytes *)w->journal.v)[i];
        past_files_add(files, i + 1, b->data, b->len);
    }
    past_files_write(files);
}

/* Time passes, nodes beat, and the scheduler decides. */
UNUSED static void passes(struct world *w, int64_t us)
{
    world_pass(w, us);
    core_node_seen(w->core, "n1", w->now);
    core_node_seen(w->core, "n2", w->now);
    (void)world_decide(w);
}

#define started(w, job, task) ck_assert(world_run(w, job, task))

UNUSED static void cancel(struct world *w, uint64_t job)
{
    struct fact facts[8];
    size_t count;
    struct cancel_reply reply;
    struct job_call call = {.job = job};
    ck_assert_int_eq(core_check_cancel(w->core, &call, "ann", w->now, facts, 8, &count, &reply, &w->refusal),
                     CORE_FACT);
    for (size_t i = 0; i < count; i++)
        world_commit(w, &facts[i]);
}

UNUSED static struct job_spec lasting(uint64_t cores, int64_t limit_us)
{
    struct job_spec spec = world_spec(cores * 1000, GIB);
    spec.time_limit_ms = (uint64_t)limit_us / 1000;
    return spec;
}

/* One of eight cores is requeued after two minutes, then ten minutes long; another waits and is cancelled; one is held
 * from the start and released after twenty minutes; one comes after the first. */
UNUSED static void people_act(struct world *w)
{
    struct fact f;
    struct cancel_reply reply;
    size_t count;
    world_begin(w);
    uint64_t one = world_submit(w, "acme/etl", lasting(8, HOUR));
    struct job_spec held = lasting(1, HOUR), after = lasting(1, HOUR);
    held.hold = true;
    struct job_after *a = list_add(&after.after, sizeof *a);
    a->job = one;
    after.retries = 1;
    uint64_t blocker = world_submit(w, "globex", lasting(8, HOUR));
    uint64_t three = world_submit(w, "globex", held), four = world_submit(w, "acme/etl", after);
    passes(w, 0);
    started(w, one, 0);
    started(w, blocker, 0);
    passes(w, SECOND); /* what is at one instant is all there before somebody decides */
    uint64_t two = world_submit(w, "acme", lasting(8, HOUR));
    passes(w, 2 * MINUTE - SECOND);
    ck_assert_int_eq(core_check_requeue(w->core, &(struct job_call){.job = one}, "ann", w->now, &f, 1, &count, &reply,
                                        &w->refusal), CORE_FACT);
    world_commit(w, &f);
    ck_assert(world_end(w, one, 0, END_REQUEUED, 0, (uint64_t)(2 * MINUTE)));
    cancel(w, two); /* before it could take that place */
    passes(w, 0);
    passes(w, MINUTE);
    started(w, one, 0);
    passes(w, 10 * MINUTE);
    ck_assert(world_end(w, one, 0, END_EXIT, 0, (uint64_t)(10 * MINUTE)));
    passes(w, 0);
    started(w, four, 0);
    passes(w, MINUTE);
    ck_assert(world_end(w, four, 0, END_EXIT, 3, (uint64_t)MINUTE));
    passes(w, 0);
    passes(w, 2 * MINUTE);
    started(w, four, 0);
    passes(w, 2 * MINUTE);
    ck_assert(world_end(w, four, 0, END_EXIT, 0, (uint64_t)(2 * MINUTE)));
    passes(w, 2 * MINUTE);
    ck_assert_int_eq(core_check_release(w->core, &(struct job_call){.job = three}, "ann", w->now, &f, &w->refusal),
                     CORE_FACT);
    world_commit(w, &f);
    passes(w, 0);
    started(w, three, 0);
    passes(w, 5 * MINUTE);
    ck_assert(world_end(w, three, 0, END_EXIT, 0, (uint64_t)(5 * MINUTE)));
    ck_assert(world_end(w, blocker, 0, END_EXIT, 0, (uint64_t)(25 * MINUTE)));
    passes(w, 0);
}

#endif
