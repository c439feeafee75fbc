/* Our own journal as the input of a simulation: what was, is again; what is damaged is refused by name. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "scheduler/sim/past.h"
#include "scheduler/sim/run.h"
#include "scheduler/snapshot.h"
#include "tests/scheduler/core/world.h"
#include "tests/scheduler/sim/past_files.h"

static void add_nodes(struct cluster *cluster, uint32_t count, uint64_t cores)
{
    struct sim_nodes *n = list_add(&cluster->nodes, sizeof *n);
    n->count = count;
    n->capacity = (struct resources){.cpu_milli = cores * 1000, .mem_bytes = cores * 4 * GIB,
                                     .scratch_bytes = 1000 * GIB};
}

/* ---- histories of the simulator itself ---- */
static void add_rules(struct policy_file *policy, const struct workload *w)
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

static struct run *simulated(const struct run_setup *setup)
{
    struct run *r;
    struct err err = {0};
    ck_assert_msg(run_new(&r, setup, &err) == 0, "%s", err_text(&err));
    while (run_some(r, 50))
        ;
    return r;
}

/* Generated load, and the journal of it. */
static struct run *written(struct past_files *files, struct workload *w, uint64_t seed, uint64_t jobs)
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

static struct workload read_from(const struct past_source *source)
{
    struct workload w;
    struct err err = {0};
    int rc = past_read(source, &w, &err);
    ck_assert_msg(rc == 0, "%s", err_text(&err));
    return w;
}

static const struct tenant_measure *tenant_of(const struct run *r, const char *path)
{
    const struct measure_cell *m = run_measure(r);
    for (size_t i = 0; i < m->tenants_count; i++)
        if (strcmp(m->tenants[i].path, path) == 0)
            return &m->tenants[i];
    ck_abort_msg("no tenant %s", path);
    return NULL;
}

START_TEST(a_history_happens_again_bit_for_bit)
{
    struct past_files files;
    struct workload load, w;
    struct run *then = written(&files, &load, 1 + (uint64_t)_i, 400);
    w = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN});
    struct run *again = simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default});
    struct run_totals a = run_totals(then), b = run_totals(again);
    ck_assert_uint_eq(a.facts, b.facts);
    ck_assert_uint_eq(a.hash, b.hash);
    ck_assert_uint_eq(b.guessed, 0);
    ck_assert_uint_eq(b.not_again, 0);
    for (size_t i = 0; i < load.tenants.count; i++) {
        const struct tenant_measure *x = tenant_of(then, load.tenants.v[i]), *y = tenant_of(again, load.tenants.v[i]);
        ck_assert_uint_eq(x->started, y->started);
        ck_assert_uint_eq(series_mean(&x->wait_us), series_mean(&y->wait_us));
        ck_assert_int_eq(x->cost_micros, y->cost_micros);
        ck_assert_uint_eq(x->core_us, y->core_us);
    }
    ck_assert_uint_eq(run_measure(then)->used_ppm, run_measure(again)->used_ppm);
    run_free(then);
    run_free(again);
    workload_fini(&load);
    workload_fini(&w);
    past_files_end(&files);
}
END_TEST

/* What is simulated from the middle on ends like the whole: who is there by then runs on, who comes then waits. */
START_TEST(from_the_middle_on)
{
    struct past_files files;
    struct workload load, whole, half;
    struct run *then = written(&files, &load, 11 + (uint64_t)_i, 300);
    whole = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN});
    int64_t middle_us = (whole.past->begin_utc_us + whole.past->end_utc_us) / 2;
    half = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = middle_us});
    ck_assert_int_ge(half.past->begin_utc_us, middle_us);
    ck_assert_uint_lt(half.count, whole.count);
    ck_assert_uint_gt(half.past->start_count, 2); /* somebody ran or waited by then */
    struct run *again = simulated(&(struct run_setup){.workload = &half, .limits = core_limits_default});
    struct run *twice = simulated(&(struct run_setup){.workload = &half, .limits = core_limits_default});
    ck_assert_uint_eq(run_totals(again).hash, run_totals(twice).hash);
    ck_assert_uint_eq(run_totals(again).guessed, 0);
    uint64_t done = 0, tasks = 0;
    for (size_t i = 0; i < half.tenants.count; i++) {
        const struct tenant_measure *t = &run_measure(again)->tenants[i];
        ck_assert_uint_eq(t->waiting + t->running, 0);
        ck_assert_uint_eq(t->refused, 0);
        done += t->succeeded + t->failed;
        tasks += t->submitted;
    }
    ck_assert_uint_gt(done, half.count / 2);
    ck_assert_uint_le(done, tasks);
    /* The whole ends when the half does, give or take: the same work is left. */
    int64_t end_a = whole.past->begin_utc_us + run_totals(then).simulated_us;
    int64_t end_b = half.past->begin_utc_us + run_totals(again).simulated_us;
    ck_assert_int_lt(end_a > end_b ? end_a - end_b : end_b - end_a, HOUR);
    run_free(then);
    run_free(again);
    run_free(twice);
    workload_fini(&load);
    workload_fini(&whole);
    workload_fini(&half);
    past_files_end(&files);
}
END_TEST

START_TEST(so_long_before_its_end)
{
    struct past_files files;
    struct workload load, w;
    run_free(written(&files, &load, 5, 200));
    w = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN,
                                        .before_end_us = 5 * MINUTE});
    ck_assert_int_ge(w.past->begin_utc_us, w.past->end_utc_us - 5 * MINUTE);
    ck_assert_int_lt(w.past->begin_utc_us, w.past->end_utc_us);
    workload_fini(&load);
    workload_fini(&w);
    past_files_end(&files);
}
END_TEST

/* ---- histories of a world: what people and nodes do ---- */
static void world_begin(struct world *w)
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

static void world_write(const struct world *w, struct past_files *files)
{
    past_files_begin(files);
    for (size_t i = 0; i < w->journal.count; i++) {
        const struct bytes *b = &((const struct bytes *)w->journal.v)[i];
        past_files_add(files, i + 1, b->data, b->len);
    }
    past_files_write(files);
}

/* Time passes, nodes beat, and the scheduler decides. */
static void passes(struct world *w, int64_t us)
{
    world_pass(w, us);
    core_node_seen(w->core, "n1", w->now);
    core_node_seen(w->core, "n2", w->now);
    (void)world_decide(w);
}

#define started(w, job, task) ck_assert(world_run(w, job, task))

static void cancel(struct world *w, uint64_t job)
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

static struct job_spec lasting(uint64_t cores, int64_t limit_us)
{
    struct job_spec spec = world_spec(cores * 1000, GIB);
    spec.time_limit_ms = (uint64_t)limit_us / 1000;
    return spec;
}

/* One of eight cores is requeued after two minutes, then ten minutes long; another waits and is cancelled; one is held
 * from the start and released after twenty minutes; one comes after the first. */
static void people_act(struct world *w)
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

START_TEST(what_people_did_is_done_again)
{
    struct world then;
    struct past_files files;
    people_act(&then);
    world_write(&then, &files);
    struct workload w = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN});
    struct run *r = simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default});
    const struct tenant_measure *etl = tenant_of(r, "acme/etl"), *acme = tenant_of(r, "acme"),
                                *globex = tenant_of(r, "globex");
    ck_assert_uint_eq(run_totals(r).not_again, 0);
    ck_assert_uint_eq(run_totals(r).placed, 6); /* four jobs, two of them twice */
    ck_assert_uint_eq(acme->started, 0);
    ck_assert_uint_eq(acme->failed, 1); /* cancelled */
    ck_assert_uint_eq(etl->started, 2);
    ck_assert_uint_eq(etl->succeeded, 2); /* one exited with 3, and then with 0 */
    ck_assert_uint_eq(series_at(&etl->wait_us, 100), (uint64_t)(12 * MINUTE + SECOND)); /* for another job */
    ck_assert_uint_eq(series_at(&globex->wait_us, 100), (uint64_t)(20 * MINUTE)); /* for a person */
    ck_assert_uint_eq(globex->core_us, (uint64_t)(8 * 25 * MINUTE + 5 * MINUTE));
    ck_assert_uint_eq(etl->core_us, (uint64_t)(8 * 12 * MINUTE + 3 * MINUTE));
    ck_assert_uint_eq(w.past->really_started, 4);
    run_free(r);
    /* On machines where it needn't wait, what was cancelled has run until then. */
    struct cluster more = {0};
    add_nodes(&more, 4, 16);
    r = simulated(&(struct run_setup){.workload = &w, .cluster = &more, .limits = core_limits_default});
    ck_assert_uint_eq(tenant_of(r, "acme")->started, 1);
    ck_assert_uint_eq(tenant_of(r, "acme")->core_us, (uint64_t)(8 * (2 * MINUTE - SECOND)));
    ck_assert_uint_eq(run_totals(r).guessed, 1);
    ck_assert_uint_eq(run_measure(r)->cpu_milli, 64000);
    run_free(r);
    fields_clear(&cluster_fields, &more);
    workload_fini(&w);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

static void node_lost(struct world *w, const char *node)
{
    struct fact f = {.kind = FACT_NODE_LOST, .at_utc_us = w->now.utc_us};
    ck_assert_int_eq(str_set(&f.lost.node, node), 0);
    world_commit(w, &f);
}

/* n1 reboots under a job, n2 is drained, then lost and back with more cores. */
START_TEST(what_nodes_did_they_do_again)
{
    struct world then;
    struct past_files files;
    struct fact f;
    world_begin(&then);
    uint64_t one = world_submit(&then, "acme", lasting(8, HOUR));
    passes(&then, 0);
    started(&then, one, 0);
    passes(&then, 3 * MINUTE);
    struct attempt_id id = {one, 0, 0};
    bool on_first = strcmp(world_node_of(&then, &id), "n1") == 0;
    const char *here = on_first ? "n1" : "n2", *there = on_first ? "n2" : "n1";
    struct drain_call drain = {(char *)(uintptr_t)there, true, NULL};
    ck_assert_int_eq(core_check_drain(then.core, &drain, "root", then.now, &f, &then.refusal), CORE_FACT);
    world_commit(&then, &f);
    world_hello(&then, here, "b2", 8, 64 * GIB); /* its job died with it, and starts there again */
    passes(&then, 0);
    passes(&then, 0);
    passes(&then, MINUTE);
    started(&then, one, 0);
    passes(&then, 10 * MINUTE);
    ck_assert(world_end(&then, one, 0, END_EXIT, 0, (uint64_t)(10 * MINUTE)));
    node_lost(&then, there);
    passes(&then, MINUTE);
    world_hello(&then, there, "b3", 16, 64 * GIB);
    drain.drain = false;
    ck_assert_int_eq(core_check_drain(then.core, &drain, "root", then.now, &f, &then.refusal), CORE_FACT);
    world_commit(&then, &f);
    uint64_t two = world_submit(&then, "globex", lasting(16, HOUR)); /* no other would do */
    passes(&then, 0);
    started(&then, two, 0);
    passes(&then, 4 * MINUTE);
    ck_assert(world_end(&then, two, 0, END_EXIT, 0, (uint64_t)(4 * MINUTE)));
    world_write(&then, &files);
    struct workload w = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN});
    struct run *r = simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default});
    ck_assert_uint_eq(run_totals(r).not_again, 0);
    ck_assert_uint_eq(run_totals(r).placed, 3);
    ck_assert_uint_eq(tenant_of(r, "acme")->core_us, (uint64_t)(8 * 13 * MINUTE));
    ck_assert_uint_eq(tenant_of(r, "acme")->succeeded, 1);
    ck_assert_uint_eq(tenant_of(r, "globex")->succeeded, 1);
    ck_assert_uint_eq(run_measure(r)->cpu_milli, 24000);
    run_free(r);
    workload_fini(&w);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

/* acme/etl becomes globex/etl, and later nobody may run more than one at once. */
static void policy_changes(struct world *then)
{
    struct fact f;
    struct apply_reply reply = {0};
    struct policy_file p = {0};
    world_begin(then);
    uint64_t one = world_submit(then, "acme/etl", lasting(1, HOUR));
    passes(then, 0);
    started(then, one, 0);
    passes(then, MINUTE);
    struct move_call move = {.from = (char *)(uintptr_t)"acme/etl", .to = (char *)(uintptr_t)"globex/etl"};
    ck_assert_int_eq(core_check_move(then->core, &move, "root", then->now, &f, &reply, &then->refusal), CORE_FACT);
    world_commit(then, &f);
    fields_clear(&apply_reply_fields, &reply);
    world_price(&p, 0, EUR, 0);
    (void)world_rule(&p, "acme");
    (void)world_rule(&p, "globex");
    world_rule(&p, "globex/etl")->quota.max_running = 1;
    ck_assert_int_eq(world_apply(then, &p), CORE_FACT);
    (void)world_submit(then, "globex/etl", lasting(1, HOUR));
    passes(then, 9 * MINUTE);
    ck_assert(world_end(then, one, 0, END_EXIT, 0, (uint64_t)(10 * MINUTE)));
    passes(then, 0);
}

START_TEST(the_policy_as_it_was_and_another_one)
{
    struct world then;
    struct past_files files;
    policy_changes(&then);
    world_write(&then, &files);
    struct workload w = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN});
    ck_assert_uint_eq(w.tenants.count, 1);
    ck_assert_str_eq(w.tenants.v[0], "globex/etl");
    struct run *r = simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default});
    ck_assert_uint_eq(run_totals(r).not_again, 0);
    ck_assert_uint_eq(tenant_of(r, "globex/etl")->started, 2);
    ck_assert_uint_eq(series_at(&tenant_of(r, "globex/etl")->wait_us, 100), (uint64_t)(9 * MINUTE));
    run_free(r);
    struct policy_file other = {0}; /* nobody waits, everybody weighs more, it costs nothing */
    (void)world_rule(&other, "globex");
    world_rule(&other, "globex/etl")->weight = 7;
    r = simulated(&(struct run_setup){.workload = &w, .policy = &other, .limits = core_limits_default});
    ck_assert_uint_eq(run_totals(r).not_again, 0);
    ck_assert_uint_eq(tenant_of(r, "globex/etl")->started, 2);
    ck_assert_uint_eq(series_at(&tenant_of(r, "globex/etl")->wait_us, 100), 0);
    ck_assert_uint_eq(tenant_of(r, "globex/etl")->weight, 7);
    ck_assert_int_eq(run_totals(r).cost_micros, 0);
    run_free(r);
    struct policy_file without = {0}; /* a tenant that isn't there any more submits in vain */
    (void)world_rule(&without, "acme");
    r = simulated(&(struct run_setup){.workload = &w, .policy = &without, .limits = core_limits_default});
    ck_assert_uint_eq(tenant_of(r, "globex/etl")->started, 0);
    ck_assert_uint_eq(tenant_of(r, "globex/etl")->refused, 2);
    run_free(r);
    workload_fini(&w);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

/* ---- where older entries are ---- */
static void segments_of(struct past_files *files, const struct world *w, size_t first)
{
    past_files_begin(files);
    for (size_t i = 0; i < w->journal.count; i++) {
        const struct bytes *b = &((const struct bytes *)w->journal.v)[i];
        if (i == first) {
            past_files_write(files);
            past_files_segment(files);
        }
        past_files_add(files, i + 1, b->data, b->len);
    }
    past_files_write(files);
}

static void expect_none(const struct past_source *source, int code, const char *text)
{
    struct workload w;
    struct err err = {0};
    int rc = past_read(source, &w, &err);
    ck_assert_msg(rc == code && strstr(err_text(&err), text) != NULL, "%d: %s", rc, err_text(&err));
}

START_TEST(older_segments_are_in_the_archive_or_asked_for)
{
    struct world then;
    struct past_files files;
    char name[NUMBERED_NAME_MAX], old[300], moved[300], folder[300];
    people_act(&then);
    segments_of(&files, &then, then.journal.count / 2);
    struct past_source source = {.journal = folder, .since_utc_us = INT64_MIN};
    /* DIR/journal and DIR/archive, as a system has them */
    snprintf(folder, sizeof folder, "%s", scratch_path(&files.scratch, "journal"));
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    snprintf(old, sizeof old, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, files.first, name)));
    snprintf(moved, sizeof moved, "%s/%s", folder, name);
    ck_assert_int_eq(rename(old, moved), 0);
    expect_none(&source, -ENODATA, "--archive DIR");
    ck_assert_int_eq(mkdir(scratch_path(&files.scratch, "archive"), 0700), 0);
    snprintf(old, sizeof old, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, 1, name)));
    snprintf(moved, sizeof moved, "%s/archive/%s", files.scratch.dir, name);
    ck_assert_int_eq(rename(old, moved), 0);
    struct workload w = read_from(&source); /* beside it */
    ck_assert_uint_eq(w.past->from_seq, 1);
    ck_assert_uint_eq(w.past->to_seq, then.journal.count);
    workload_fini(&w);
    snprintf(old, sizeof old, "%s/archive", files.scratch.dir);
    source.archive = old;
    w = read_from(&source); /* named */
    ck_assert_uint_eq(w.count, 5);
    workload_fini(&w);
    source = (struct past_source){.journal = moved, .since_utc_us = INT64_MIN}; /* the first segment alone */
    w = read_from(&source);
    ck_assert_uint_eq(w.past->to_seq, then.journal.count / 2);
    struct run *r = simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default});
    ck_assert_uint_gt(run_totals(r).guessed, 0); /* what had not ended by then */
    run_free(r);
    workload_fini(&w);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

START_TEST(a_snapshot_says_what_was_before)
{
    struct world then, half;
    struct past_files files;
    struct err err = {0};
    people_act(&then);
    size_t middle = then.journal.count / 2;
    segments_of(&files, &then, middle);
    /* The state by then, as a scheduler would have written it. */
    struct snapshot_head head = {.cell = PAST_CELL, .term = 1, .point = {.seq = middle}};
    struct buf first = {0};
    char name[NUMBERED_NAME_MAX];
    ck_assert_int_eq(file_read(scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, middle + 1, name)), 1 << 20,
                               &first, &err), 0);
    struct journal_header h;
    size_t size;
    ck_assert_int_eq(journal_header_get((const uint8_t *)first.data, first.len, &h, &size, &err), 0);
    memcpy(head.point.chain, h.chain, sizeof h.chain);
    buf_fini(&first);
    world_init(&half, NULL);
    for (size_t i = 0; i < middle; i++) {
        const struct bytes *b = &((const struct bytes *)then.journal.v)[i];
        struct fact f = {0};
        ck_assert_int_eq(fact_decode(b->data, b->len, &f, &err), 0);
        core_apply(half.core, i + 1, &f);
        fact_clear(&f);
    }
    int folder = open(files.scratch.dir, O_RDONLY | O_DIRECTORY);
    ck_assert_msg(snapshot_write(folder, &head, half.core, &err) == 0, "%s", err_text(&err));
    ck_assert_int_eq(unlinkat(folder, numbered_name(JOURNAL_PREFIX, 1, name), 0), 0);
    struct workload w = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN});
    ck_assert_uint_eq(w.past->from_seq, middle + 1);
    struct run *r = simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default});
    uint64_t done = 0;
    for (size_t i = 0; i < w.tenants.count; i++)
        done += run_measure(r)->tenants[i].succeeded + run_measure(r)->tenants[i].failed;
    ck_assert_uint_eq(done, w.count);
    run_free(r);
    workload_fini(&w);
    /* A damaged one is refused, not passed over. */
    int fd = openat(folder, numbered_name(SNAPSHOT_PREFIX, middle, name), O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "x", 1, 200), 1);
    close(fd);
    expect_none(&(struct past_source){.journal = files.scratch.dir}, -EBADMSG, "snapshot-");
    close(folder);
    world_fini(&half);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

/* ---- damaged, torn, hostile ---- */
START_TEST(cut_at_any_byte_it_is_what_was_whole)
{
    struct world then;
    struct past_files files;
    char name[NUMBERED_NAME_MAX], path[300];
    people_act(&then);
    world_write(&then, &files);
    struct past_source source = {.journal = files.scratch.dir, .since_utc_us = INT64_MIN};
    snprintf(path, sizeof path, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, 1, name)));
    uint64_t newest = 0;
    for (size_t len = 1; len < files.segment.len; len += 3) {
        struct workload w;
        struct err err = {0};
        file_put(path, files.segment.data, len);
        int rc = past_read(&source, &w, &err);
        ck_assert_msg(rc == 0 || rc == -EBADMSG || rc == -ENODATA, "%zu: %d: %s", len, rc, err_text(&err));
        ck_assert(rc == 0 || err_text(&err)[0] != '\0');
        if (rc < 0) {
            ck_assert_uint_eq(newest, 0); /* once there was something, there is */
            continue;
        }
        ck_assert_uint_ge(w.past->to_seq, newest);
        newest = w.past->to_seq;
        if (len % 16 == 0)
            run_free(simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default}));
        workload_fini(&w);
    }
    ck_assert_uint_ge(newest, then.journal.count - 1);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

START_TEST(a_flipped_byte_is_refused_or_was_never_safe)
{
    struct world then;
    struct past_files files;
    char name[NUMBERED_NAME_MAX], path[300];
    people_act(&then);
    world_write(&then, &files);
    snprintf(path, sizeof path, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, 1, name)));
    size_t last = files.segment.len;
    for (size_t at = 0; at < last; at += 5) {
        struct workload w;
        struct err err = {0};
        files.segment.data[at] = (char)(files.segment.data[at] ^ 0x40);
        file_put(path, files.segment.data, files.segment.len);
        files.segment.data[at] = (char)(files.segment.data[at] ^ 0x40);
        int rc = past_read(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN}, &w, &err);
        ck_assert_msg(rc < 0 || w.past->torn_bytes > 0, "%zu", at);
        if (rc == 0)
            workload_fini(&w);
    }
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

static struct fact lie_ended(void)
{
    return (struct fact){.kind = FACT_ATTEMPT_ENDED, .ended = {.id = {77, 0, 1}, .record = {.cause = END_EXIT}}};
}
static struct fact lie_drained(void)
{
    struct fact f = {.kind = FACT_NODE_DRAINED, .drained = {.drained = true}};
    ck_assert_int_eq(str_set(&f.drained.node, "nowhere"), 0);
    return f;
}
static struct fact lie_job(void)
{
    struct fact f = {.kind = FACT_JOB_SUBMITTED, .submitted = {.job = UINT64_MAX - 1, .spec = world_spec(1000, GIB)}};
    ck_assert_int_eq(str_set(&f.submitted.tenant, "acme"), 0);
    ck_assert_int_eq(str_set(&f.submitted.user, "ann"), 0);
    ck_assert_int_eq(str_set(&f.submitted.key, "k"), 0);
    ck_assert_int_eq(strs_add(&f.submitted.path, "acme"), 0);
    ck_assert_int_eq(strs_add(&f.submitted.path, "/"), 0);
    return f;
}
static struct fact lie_running(void)
{
    return (struct fact){.kind = FACT_ATTEMPT_RUNNING, .running = {.id = {1, 9, 1}}};
}
static struct fact (*const lies[])(void) = {lie_ended, lie_drained, lie_job, lie_running};

/* The chain is sound, what it says is not: refused by its seq, whoever made it. */
START_TEST(a_journal_that_contradicts_itself_is_refused)
{
    struct world then;
    struct past_files files;
    struct buf bytes = {0};
    people_act(&then);
    world_write(&then, &files);
    struct fact f = lies[_i]();
    f.at_utc_us = then.now.utc_us + SECOND;
    fact_encode(&f, &bytes);
    past_files_add(&files, files.seq + 1, bytes.data, bytes.len);
    past_files_write(&files);
    char seq[40];
    snprintf(seq, sizeof seq, "seq %zu", then.journal.count + 1);
    expect_none(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN}, -EBADMSG, seq);
    fact_clear(&f);
    buf_fini(&bytes);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

START_TEST(what_is_no_journal_is_refused_by_name)
{
    struct past_files files;
    struct workload load;
    char name[NUMBERED_NAME_MAX], path[300];
    past_files_begin(&files);
    struct past_source source = {.journal = files.scratch.dir, .since_utc_us = INT64_MIN};
    expect_none(&(struct past_source){.journal = "/nowhere"}, -ENOENT, "open '/nowhere'");
    expect_none(&source, -ENOENT, "has no journal");
    snprintf(path, sizeof path, "%s", scratch_path(&files.scratch, "notes.txt"));
    file_put(path, "x", 1);
    expect_none(&(struct past_source){.journal = path}, -EINVAL, "is no segment of a journal");
    snprintf(path, sizeof path, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, 1, name)));
    file_put(path, "", 0);
    expect_none(&source, -EBADMSG, "journal-");
    file_put(path, "what?", 5);
    expect_none(&source, -EBADMSG, "no journal header");
    past_files_write(&files); /* nothing but a header */
    expect_none(&source, -ENODATA, "ends before --since");
    files.segment.data[8] = 9; /* of the version */
    past_files_write(&files);
    expect_none(&source, -EPROTONOSUPPORT, "journal format 9");
    past_files_end(&files);
    run_free(written(&files, &load, 3, 20));
    expect_none(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MAX}, -ENODATA,
                "ends before --since");
    workload_fini(&load);
    past_files_end(&files);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim/past");
    TCase *t = tcase_create("past");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_history_happens_again_bit_for_bit, 0, 4);
    tcase_add_loop_test(t, from_the_middle_on, 0, 3);
    tcase_add_test(t, so_long_before_its_end);
    tcase_add_test(t, what_people_did_is_done_again);
    tcase_add_test(t, what_nodes_did_they_do_again);
    tcase_add_test(t, the_policy_as_it_was_and_another_one);
    tcase_add_test(t, older_segments_are_in_the_archive_or_asked_for);
    tcase_add_test(t, a_snapshot_says_what_was_before);
    tcase_add_test(t, cut_at_any_byte_it_is_what_was_whole);
    tcase_add_test(t, a_flipped_byte_is_refused_or_was_never_safe);
    tcase_add_loop_test(t, a_journal_that_contradicts_itself_is_refused, 0, COUNT_OF(lies));
    tcase_add_test(t, what_is_no_journal_is_refused_by_name);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
