#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io/fd.h"
#include "scheduler/sim/print.h"
#include "tests/run.h"

#define SECOND INT64_C(1000000)
#define GIB ((uint64_t)1 << 30)
#define TRACE_JOBS 1500

struct set {
    struct workload w;
    struct cluster cluster;
    struct policy_file policy;
    enum sim_order order;
    struct run *run;
};

static void set_begin(struct set *s, uint64_t cores)
{
    *s = (struct set){0};
    struct sim_nodes *n = list_add(&s->cluster.nodes, sizeof *n);
    n->count = 1;
    n->capacity = (struct resources){.cpu_milli = cores * 1000, .mem_bytes = cores * GIB};
    struct price_version *v = list_add(&s->policy.prices, sizeof *v);
    ck_assert_int_eq(counts_set(&v->per_hour, "cpu", 3600000), 0); /* a micro-unit for a core and 1 ms: 1 for 1000 s */
}

static struct sim_job *set_job(struct set *s, const char *tenant, int64_t submit_s, uint64_t run_s, uint64_t cores)
{
    struct sim_job *j = workload_add(&s->w);
    ck_assert_int_eq(workload_tenant(&s->w, tenant, &j->tenant), 0);
    j->submit_us = submit_s * SECOND;
    j->run_us = run_s * 1000000;
    j->cpu_milli = cores * 1000;
    j->mem_bytes = cores * GIB / 2;
    return j;
}

static struct tenant_rule *set_rule(struct set *s, const char *path)
{
    struct tenant_rule *rule = list_add(&s->policy.tenants, sizeof *rule);
    ck_assert_int_eq(str_set(&rule->path, path), 0);
    return rule;
}

static const struct measure_cell *set_run(struct set *s)
{
    struct err err = {0};
    struct run_setup setup = {.workload = &s->w, .cluster = &s->cluster, .policy = &s->policy, .order = s->order,
                              .limits = core_limits_default};
    int rc = run_new(&s->run, &setup, &err);
    ck_assert_msg(rc == 0, "%s", err_text(&err));
    while (run_some(s->run, 100))
        ;
    return run_measure(s->run);
}

static void set_end(struct set *s)
{
    run_free(s->run);
    workload_fini(&s->w);
    fields_clear(&cluster_fields, &s->cluster);
    fields_clear(&policy_file_fields, &s->policy);
}

START_TEST(who_waits_is_measured)
{
    struct set s;
    set_begin(&s, 2);
    (void)set_rule(&s, "a");
    (void)set_rule(&s, "b");
    (void)set_job(&s, "a", 0, 100, 2);
    (void)set_job(&s, "b", 10, 50, 1); /* waits for 90 s */
    const struct measure_cell *m = set_run(&s);
    ck_assert_uint_eq(m->tenants[0].wait_us.v[0], 0);
    ck_assert_uint_eq(m->tenants[1].wait_us.v[0], 90 * 1000000ull);
    ck_assert_uint_eq(m->tenants[0].slowdown.v[0], 1000);
    ck_assert_uint_eq(m->tenants[1].slowdown.v[0], 2800); /* (90 + 50) / 50 */
    ck_assert_uint_eq(m->core_us, (2 * 100 + 50) * 1000000ull);
    ck_assert_uint_eq(m->used_ppm, 250 * 1000000ull / (150 * 2));
    ck_assert_int_eq(m->tenants[0].cost_micros, 200000);
    ck_assert_int_eq(m->tenants[1].cost_micros, 50000);
    ck_assert_int_eq(run_totals(s.run).simulated_us, 150 * SECOND);
    set_end(&s);
}
END_TEST

START_TEST(limits_and_budgets_end_what_runs)
{
    struct set s;
    set_begin(&s, 4);
    (void)set_rule(&s, "long");
    set_rule(&s, "poor")->budget = (struct budget_rule){.present = true, .limit_micros = 30000};
    set_job(&s, "long", 0, 100, 1)->limit_us = 60 * 1000000;
    set_job(&s, "poor", 0, 100, 1)->fails = true;
    const struct measure_cell *m = set_run(&s);
    ck_assert_uint_eq(m->tenants[0].over_limit, 1);
    ck_assert_uint_eq(m->tenants[0].core_us, 60 * 1000000ull);
    ck_assert_uint_eq(m->tenants[1].started, 0); /* its first slice is dearer than all it has */
    ck_assert_uint_eq(m->tenants[1].refused, 1);
    set_end(&s);
}
END_TEST

START_TEST(what_was_lent_comes_back)
{
    struct set s;
    set_begin(&s, 2);
    set_rule(&s, "own")->quota.guaranteed.cpu_milli = 2000;
    (void)set_rule(&s, "low");
    s.policy.preempt.reclaim = RECLAIM_ANY;
    (void)set_job(&s, "low", 0, 1000, 2);
    (void)set_job(&s, "own", 100, 50, 2);
    const struct measure_cell *m = set_run(&s);
    size_t own = strcmp(s.w.tenants.v[0], "own") == 0 ? 0 : 1, low = 1 - own;
    ck_assert_uint_eq(m->tenants[own].wait_us.v[0], 0);
    ck_assert_uint_eq(m->tenants[low].succeeded, 1);
    ck_assert_uint_eq(m->core_us, 2 * (100 + 50 + 1000) * 1000000ull);
    ck_assert_int_eq(m->tenants[low].cost_micros, 2000000); /* its first try is the platform's */
    set_end(&s);
}
END_TEST

START_TEST(a_tenant_that_nobody_knows_is_named)
{
    struct set s;
    struct err err = {0};
    set_begin(&s, 4);
    (void)set_rule(&s, "a");
    (void)set_job(&s, "b", 0, 1, 1);
    struct run_setup setup = {.workload = &s.w, .cluster = &s.cluster, .policy = &s.policy,
                              .limits = core_limits_default};
    ck_assert_int_lt(run_new(&s.run, &setup, &err), 0);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "'b'"));
    s.run = NULL;
    set_end(&s);
}
END_TEST

static struct run *simulate(const struct workload *w, const struct cluster *cluster, enum sim_order order)
{
    struct policy_file policy = {0};
    struct err err = {0};
    struct run *r;
    for (size_t i = 0; i < w->tenants.count; i++) {
        struct tenant_rule *rule = list_add(&policy.tenants, sizeof *rule);
        ck_assert_int_eq(str_set(&rule->path, w->tenants.v[i]), 0);
        rule->weight = 1 + (uint32_t)i % 3;
    }
    ck_assert_int_eq(policy_file_check(&policy, &err), 0);
    struct run_setup setup = {.workload = w, .cluster = cluster, .policy = &policy, .order = order,
                              .limits = core_limits_default};
    ck_assert_msg(run_new(&r, &setup, &err) == 0, "%s", err_text(&err));
    fields_clear(&policy_file_fields, &policy);
    while (run_some(r, 7))
        ;
    return r;
}

START_TEST(the_same_history_twice)
{
    struct load_options o = {.seed = 3, .jobs = 1500, .tenants = 7, .per_hour = 7200, .mean_run_s = 60, .cores_max = 8};
    struct set s;
    struct err err = {0};
    set_begin(&s, 64);
    ck_assert_int_eq(workload_load(&o, &s.w, &err), 0);
    struct run *a = simulate(&s.w, &s.cluster, SIM_ORDER_REEVE), *b = simulate(&s.w, &s.cluster, SIM_ORDER_REEVE);
    struct run_totals x = run_totals(a), y = run_totals(b);
    ck_assert_uint_eq(x.hash, y.hash);
    ck_assert_uint_eq(x.placed, 1500);
    ck_assert_uint_eq(x.ended, 1500);
    const struct measure_cell *m = run_measure(a);
    int64_t cost = 0;
    uint64_t done = 0;
    for (size_t i = 0; i < m->tenants_count; i++) {
        cost += m->tenants[i].cost_micros;
        done += m->tenants[i].succeeded + m->tenants[i].failed;
    }
    ck_assert_int_eq(cost, x.cost_micros);
    ck_assert_uint_eq(done, 1500);
    run_free(a);
    run_free(b);
    set_end(&s);
}
END_TEST

/* One node of four cores: 3 cores for 100 s, then 4 cores, then two small ones that end before or after. */
static void passing(struct set *s, enum sim_order order, uint64_t waits_s[4])
{
    static const char *const names[] = {"a", "b", "c", "d"};
    set_begin(s, 4);
    s->order = order;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)set_rule(s, names[i]);
    set_job(s, "a", 0, 100, 3)->limit_us = 100000000;
    set_job(s, "b", 1, 50, 4)->limit_us = 50000000;
    set_job(s, "c", 2, 20, 1)->limit_us = 20000000;
    set_job(s, "d", 3, 200, 1)->limit_us = 200000000;
    const struct measure_cell *m = set_run(s);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(m->tenants[i].started, 1);
        waits_s[i] = m->tenants[i].wait_us.v[0] / 1000000;
    }
    set_end(s);
}

START_TEST(who_may_pass_whom)
{
    struct set s;
    uint64_t waits_s[4];
    passing(&s, SIM_ORDER_FCFS, waits_s);
    ck_assert(waits_s[1] == 99 && waits_s[2] == 148 && waits_s[3] == 147);
    passing(&s, SIM_ORDER_EASY, waits_s);
    ck_assert(waits_s[1] == 99 && waits_s[2] == 0 && waits_s[3] == 147);
    passing(&s, SIM_ORDER_REEVE, waits_s);
    ck_assert(waits_s[1] == 99 && waits_s[2] == 0 && waits_s[3] == 147);
    passing(&s, SIM_ORDER_GREEDY, waits_s);
    ck_assert(waits_s[1] > 150 && waits_s[2] == 0 && waits_s[3] == 19);
}
END_TEST

static bool read_trace(struct workload *ret)
{
    static const char *const paths[] = {"../shared/traces/hpc2n.swf", "../../shared/traces/hpc2n.swf"};
    struct buf text = {.max = (size_t)16 << 20};
    struct err err = {0};
    int rc = -ENOENT;
    for (size_t i = 0; rc < 0 && i < COUNT_OF(paths); i++)
        rc = file_read(paths[i], text.max, &text, &err);
    if (rc == 0)
        ck_assert_msg(workload_swf(buf_text(&text), text.len, TENANT_BY_USER, ret, &err) == 0, "%s", err_text(&err));
    buf_fini(&text);
    return rc == 0;
}

static uint64_t mean_slowdown(const struct measure_cell *m)
{
    uint64_t sum = 0, count = 0;
    for (size_t i = 0; i < m->tenants_count; i++) {
        sum += series_mean(&m->tenants[i].slowdown) * m->tenants[i].slowdown.count;
        count += m->tenants[i].slowdown.count;
    }
    return sum / MAX(count, 1);
}

/* The first third of the log: a processor is a core, and the cluster one node, for a task runs on one. */
START_TEST(no_slower_than_easy_backfill_on_a_real_log_and_fairer)
{
    struct set s;
    set_begin(&s, 240);
    if (!read_trace(&s.w)) {
        printf("skipped: no trace beside the checkout (shared/traces/hpc2n.swf)\n");
        set_end(&s);
        return;
    }
    s.w.count = MIN(s.w.count, (size_t)TRACE_JOBS);
    struct run *reeve = simulate(&s.w, &s.cluster, SIM_ORDER_REEVE), *easy = simulate(&s.w, &s.cluster, SIM_ORDER_EASY);
    const struct measure_cell *a = run_measure(reeve), *b = run_measure(easy);
    ck_assert_uint_le(mean_slowdown(a), mean_slowdown(b));
    ck_assert_uint_ge(a->speed_fair_ppm, b->speed_fair_ppm);
    run_free(reeve);
    run_free(easy);
    set_end(&s);
}
END_TEST

START_TEST(a_page_stands_alone_and_believes_no_name)
{
    struct set s;
    struct buf page = {0}, json = {0};
    set_begin(&s, 2);
    (void)set_rule(&s, "a");
    (void)set_job(&s, "a", 0, 100, 2);
    struct history h = {.name = "<script>\"x\\", .measure = set_run(&s), .totals = run_totals(s.run), .workload = &s.w,
                        .currency = run_currency(s.run)};
    print_html(&h, 1, &page);
    print_json(&h, 1, &json);
    ck_assert_ptr_null(strstr(buf_text(&page), "<script"));
    ck_assert_ptr_null(strstr(buf_text(&page), "http"));
    ck_assert_ptr_nonnull(strstr(buf_text(&page), "<polyline"));
    ck_assert_ptr_nonnull(strstr(buf_text(&json), "<script>\\\"x\\\\"));
    buf_fini(&page);
    buf_fini(&json);
    set_end(&s);
}
END_TEST

static const struct { size_t n; uint64_t x[4]; uint64_t ppm; } jains[] = {
    {0, {0}, 1000000},          {3, {0, 0, 0}, 1000000}, {4, {5, 5, 5, 5}, 1000000}, {4, {1, 0, 0, 0}, 250000},
    {2, {3, 1}, 800000},        {2, {UINT64_MAX, UINT64_MAX}, 1000000}, {2, {UINT64_MAX, 0}, 500000},
};

START_TEST(jains_index)
{
    ck_assert_uint_eq(jain_ppm(jains[_i].x, jains[_i].n), jains[_i].ppm);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim/run");
    TCase *t = tcase_create("run");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, who_waits_is_measured);
    tcase_add_test(t, limits_and_budgets_end_what_runs);
    tcase_add_test(t, what_was_lent_comes_back);
    tcase_add_test(t, a_tenant_that_nobody_knows_is_named);
    tcase_add_test(t, the_same_history_twice);
    tcase_add_test(t, who_may_pass_whom);
    tcase_add_test(t, no_slower_than_easy_backfill_on_a_real_log_and_fairer);
    tcase_add_test(t, a_page_stands_alone_and_believes_no_name);
    tcase_add_loop_test(t, jains_index, 0, COUNT_OF(jains));
    suite_add_tcase(s, t);
    return run_suite(s);
}
