/* Who gains and who loses when the same jobs come under two policies: the table and the JSON, as they are printed. */
#include <check.h>
#include <string.h>

#include "base/macros.h"
#include "scheduler/sim/print.h"
#include "tests/run.h"

#define SECOND INT64_C(1000000)
#define GIB ((uint64_t)1 << 30)

static struct workload jobs;
static struct cluster cluster;

static void job(const char *tenant, int64_t submit_s, uint64_t run_s)
{
    struct sim_job *j = workload_add(&jobs);
    ck_assert_int_eq(workload_tenant(&jobs, tenant, &j->tenant), 0);
    j->submit_us = submit_s * SECOND;
    j->run_us = run_s * 1000000;
    j->limit_us = j->run_us + 10000000;
    j->cpu_milli = 4000;
    j->mem_bytes = GIB;
    j->tasks = 1;
}

/* One node, which one job fills. Of three tenants two have as much to do, and the third comes when all is over. */
static void begin(void)
{
    struct sim_nodes *n = list_add(&cluster.nodes, sizeof *n);
    n->count = 1;
    n->capacity = (struct resources){.cpu_milli = 4000, .mem_bytes = 16 * GIB};
    job("acme", 0, 100);
    job("globex", 0, 100);
    job("acme", 1, 100);
    job("globex", 1, 100);
    job("late", 1000, 50);
    workload_sort(&jobs);
}

static void end(void)
{
    workload_fini(&jobs);
    fields_clear(&cluster_fields, &cluster);
    cluster = (struct cluster){0};
    jobs = (struct workload){0};
}

static struct tenant_rule *rule(struct policy_file *p, const char *path, uint32_t weight)
{
    struct tenant_rule *r = list_add(&p->tenants, sizeof *r);
    ck_assert_int_eq(str_set(&r->path, path), 0);
    r->weight = weight;
    return r;
}

/* A core costs 3.60 an hour, so a job 0.40. acme can spend so much, 0: anything. */
static struct run *simulated(uint32_t acme, uint32_t globex, int64_t budget_micros)
{
    struct policy_file p = {0};
    struct price_version *v = list_add(&p.prices, sizeof *v);
    struct run *r;
    struct err err = {0};
    ck_assert_int_eq(counts_set(&v->per_hour, "cpu", 3600000), 0);
    struct tenant_rule *first = rule(&p, "acme", acme);
    if (budget_micros > 0)
        first->budget = (struct budget_rule){.present = true, .limit_micros = budget_micros, .period = PERIOD_TOTAL};
    (void)rule(&p, "globex", globex);
    (void)rule(&p, "late", 1);
    const struct run_setup setup = {
        .workload = &jobs, .cluster = &cluster, .policy = &p, .limits = core_limits_default};
    ck_assert_msg(run_new(&r, &setup, &err) == 0, "%s", err_text(&err));
    while (run_some(r, 100))
        ;
    return r;
}

static struct history named(const char *name, const struct run *r)
{
    return (struct history){name, run_measure(r), run_totals(r), run_currency(r), &jobs, true};
}

static void prints(const struct history *h, size_t count, void (*print)(const struct history *h, size_t count,
                   struct buf *out), const char *expected)
{
    struct buf text = {0};
    print(h, count, &text);
    ck_assert_str_eq(buf_text(&text), expected);
    buf_fini(&text);
}

START_TEST(who_waits_less_gains_what_another_loses)
{
    begin();
    struct run *now = simulated(3, 1, 0), *then = simulated(1, 3, 0);
    const struct history h[] = {named("now.yaml", now), named("new.yaml", then)};
    prints(h, 2, print_gains,
           "\n"
           "With new.yaml instead of now.yaml: 1 of 3 tenants gain, 1 lose\n"
           "       tenant                 tasks   more     wait was      wait is    change slowdown"
           "       is   cost was         is\n"
           "gains  globex                     2          3 min 19 s   2 min 29 s   -25.0 %     2.99"
           "     2.49       0.80       0.80\n"
           "loses  acme                       2          1 min 39 s   2 min 29 s   +50.2 %     1.99"
           "     2.49       0.80       0.80\n");
    prints(h, 2, print_json_gains,
           ",\"against_first\":[{\"policy\":\"new.yaml\",\"tenants\":["
           "{\"tenant\":\"globex\",\"result\":\"gains\",\"started_more\":0,\"wait_us_less\":50000000,"
           "\"cost_micros_more\":0},"
           "{\"tenant\":\"late\",\"result\":\"same\",\"started_more\":0,\"wait_us_less\":0,\"cost_micros_more\":0},"
           "{\"tenant\":\"acme\",\"result\":\"loses\",\"started_more\":0,\"wait_us_less\":-50000000,"
           "\"cost_micros_more\":0}]}]");
    run_free(now);
    run_free(then);
    end();
}
END_TEST

/* That fewer start weighs more than that they wait less. */
START_TEST(who_may_start_less_loses_whatever_the_wait)
{
    begin();
    struct run *now = simulated(1, 1, 0), *then = simulated(1, 1, 600000);
    const struct history h[] = {named("now.yaml", now), named("poor.yaml", then)};
    prints(h, 2, print_gains,
           "\n"
           "With poor.yaml instead of now.yaml: 1 of 3 tenants gain, 1 lose\n"
           "       tenant                 tasks   more     wait was      wait is    change slowdown"
           "       is   cost was         is\n"
           "gains  globex                     2          3 min 19 s   2 min 29 s   -25.0 %     2.99"
           "     2.49       0.80       0.80\n"
           "loses  acme                       1     -1   1 min 39 s        0.0 s               1.99"
           "     1.00       0.80       0.40\n");
    prints(h, 2, print_json_gains,
           ",\"against_first\":[{\"policy\":\"poor.yaml\",\"tenants\":["
           "{\"tenant\":\"globex\",\"result\":\"gains\",\"started_more\":0,\"wait_us_less\":50000000,"
           "\"cost_micros_more\":0},"
           "{\"tenant\":\"late\",\"result\":\"same\",\"started_more\":0,\"wait_us_less\":0,\"cost_micros_more\":0},"
           "{\"tenant\":\"acme\",\"result\":\"loses\",\"started_more\":-1,\"wait_us_less\":99500000,"
           "\"cost_micros_more\":-400000}]}]");
    run_free(now);
    run_free(then);
    end();
}
END_TEST

START_TEST(of_the_same_policy_nobody_gains_and_one_history_has_no_gains)
{
    begin();
    struct run *now = simulated(1, 1, 0), *same = simulated(1, 1, 0);
    const struct history h[] = {named("now.yaml", now), named("same.yaml", same)};
    prints(h, 2, print_gains, "\nWith same.yaml instead of now.yaml: 0 of 3 tenants gain, 0 lose\n");
    prints(h, 1, print_gains, "");
    prints(h, 1, print_json_gains, ",\"against_first\":[]");
    run_free(now);
    run_free(same);
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim/gains");
    TCase *t = tcase_create("gains");
    tcase_add_test(t, who_waits_less_gains_what_another_loses);
    tcase_add_test(t, who_may_start_less_loses_whatever_the_wait);
    tcase_add_test(t, of_the_same_policy_nobody_gains_and_one_history_has_no_gains);
    suite_add_tcase(s, t);
    return run_suite(s);
}
