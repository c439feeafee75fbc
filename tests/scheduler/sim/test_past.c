/* Our own journal as the input of a simulation: what was, is again. */
#include <check.h>
#include <string.h>

#include "tests/run.h"
#include "tests/scheduler/sim/past_world.h"

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
    uint64_t room_us = 0; /* both for fourteen minutes, one for one, then both, one of them larger */
    for (size_t i = 0; i < MEASURE_STRETCHES; i++)
        room_us += run_measure(r)->room[i];
    ck_assert_uint_eq(room_us, (uint64_t)(16 * 14 * MINUTE + 8 * MINUTE + 24 * 4 * MINUTE));
    run_free(r);
    workload_fini(&w);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

/* n1 and n2 close for ten minutes; what could still run then waits until they open. */
START_TEST(what_was_closed_is_closed_again)
{
    struct world then;
    struct past_files files;
    struct fact f;
    struct window_reply reply = {0};
    world_begin(&then);
    struct window_call call = {.cell = true, .from_utc_us = then.now.utc_us + HOUR,
                               .to_utc_us = then.now.utc_us + HOUR + 10 * MINUTE};
    ck_assert_int_eq(core_check_window(then.core, &call, "root", then.now, &f, &reply, &then.refusal), CORE_FACT);
    world_commit(&then, &f);
    passes(&then, 30 * MINUTE);
    uint64_t one = world_submit(&then, "acme", lasting(1, HOUR));
    passes(&then, 40 * MINUTE);
    passes(&then, MINUTE); /* the window is over, and said so */
    passes(&then, 0);
    started(&then, one, 0);
    passes(&then, MINUTE);
    ck_assert(world_end(&then, one, 0, END_EXIT, 0, (uint64_t)MINUTE));
    world_write(&then, &files);
    struct workload w = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN});
    struct run *r = simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default});
    ck_assert_uint_eq(run_totals(r).not_again, 0);
    ck_assert_uint_eq(tenant_of(r, "acme")->started, 1);
    ck_assert_uint_ge(series_at(&tenant_of(r, "acme")->wait_us, 100), (uint64_t)(40 * MINUTE));
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
    tcase_add_test(t, what_was_closed_is_closed_again);
    tcase_add_test(t, the_policy_as_it_was_and_another_one);
    suite_add_tcase(s, t);
    return run_suite(s);
}
