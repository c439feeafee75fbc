/* When something is expected to start, held against when it does, in simulated histories. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/core/estimate.h"
#include "scheduler/sim/run_inner.h"
#include "tests/run.h"
#include "tests/scheduler/sim/past_world.h"

#define JOBS 600

struct sample {
    bool asked;
    int64_t from_utc_us, to_utc_us;
};
struct watch {
    struct run *run;
    bool ask;
    struct sample first[JOBS + 1]; /* what was said of a job when it was first its tenant's next */
    uint64_t asked, within, before, after;
    int64_t width_us;
};

static bool everybody(void *arg, const char *tenant, const char *user)
{
    (void)arg;
    (void)tenant;
    (void)user;
    return true;
}

static void look(struct watch *w)
{
    struct list_reply list;
    const struct list_call call = {.all_users = true, .limit = 1000, .state = (char *)(uintptr_t) "pending"};
    ck_assert_int_eq(core_list(w->run->core, &call, everybody, NULL, run_now(w->run), &list), 0);
    for (size_t i = 0; i < list.jobs.count; i++) {
        const struct job_row *row = &((const struct job_row *)list.jobs.v)[i];
        struct sample *s = &w->first[row->job];
        if (row->start_to_utc_us == 0 || s->asked || strncmp(row->waiting_for, "budget", 6) == 0)
            continue; /* for money: tests/scheduler/core/test_runway.c */
        *s = (struct sample){.asked = true, .from_utc_us = row->start_from_utc_us, .to_utc_us = row->start_to_utc_us};
    }
    fields_clear(&list_reply_fields, &list);
}

static void on_fact(void *arg, uint64_t seq, const void *bytes, size_t len)
{
    struct watch *w = arg;
    struct fact f;
    struct err err = {0};
    (void)seq;
    ck_assert_int_eq(fact_decode(bytes, len, &f, &err), 0);
    struct sample *s = f.kind == FACT_ATTEMPT_PLACED ? &w->first[f.placed.id.job] : NULL;
    if (s != NULL && s->asked) {
        w->asked++;
        w->before += f.at_utc_us < s->from_utc_us;
        w->after += f.at_utc_us > s->to_utc_us;
        w->within += f.at_utc_us >= s->from_utc_us && f.at_utc_us <= s->to_utc_us;
        w->width_us += s->to_utc_us - s->from_utc_us;
        s->asked = false;
        s->to_utc_us = 0;
    }
    fact_clear(&f);
}

static const struct kind {
    const char *name;
    uint32_t nodes, cores;
    uint64_t tenants, per_hour, cores_max;
    int64_t budget_micros; /* of a day, of each tenant; 0: it has none */
} kinds[] = {
    {"a few nodes, busy", 4, 16, 6, 700, 16, 0},
    {"a few nodes, a crowd", 4, 16, 6, 2000, 16, 0},
    {"many small nodes", 48, 2, 12, 1500, 2, 0}, /* more than a search asks */
    {"one large node", 1, 64, 3, 600, 32, 0},
    {"budgets that end what runs", 4, 16, 6, 2000, 16, 24 * EUR},
};

static uint64_t watched(struct watch *w, const struct kind *k, uint64_t seed, bool ask)
{
    struct load_options o = {.seed = seed, .jobs = JOBS, .tenants = k->tenants, .per_hour = k->per_hour,
                             .mean_run_s = 120, .cores_max = k->cores_max};
    struct workload load;
    struct policy_file policy = {0};
    struct cluster cluster = {0};
    struct err err = {0};
    ck_assert_int_eq(workload_load(&o, &load, &err), 0);
    for (size_t i = 0; i < load.tenants.count; i++) {
        struct tenant_rule *rule = world_rule(&policy, load.tenants.v[i]);
        rule->weight = 1 + (uint32_t)i % 3;
        if (k->budget_micros > 0)
            rule->budget = (struct budget_rule){
                .present = true, .limit_micros = k->budget_micros * (int64_t)(1 + i % 2), .period = PERIOD_DAY};
    }
    if (k->budget_micros > 0)
        world_price(&policy, 0, 36 * EUR / 10, 0); /* 1000 micro-units a core-second */
    add_nodes(&cluster, k->nodes, k->cores);
    struct run_setup setup = {.workload = &load, .cluster = &cluster, .policy = &policy, .limits = core_limits_default,
                              .on_fact = on_fact, .arg = w};
    if (k->budget_micros > 0)
        setup.limits.slice_ms = 30000; /* shorter than what runs: it is renewed until money ends */
    ck_assert_msg(run_new(&w->run, &setup, &err) == 0, "%s", err_text(&err));
    uint64_t every = k->budget_micros > 0 ? 2 : 1; /* most of what happens there is a renewal */
    for (uint64_t i = 0; run_some(w->run, 1); i++)
        if (ask && i % every == 0)
            look(w);
    uint64_t hash = run_totals(w->run).hash;
    run_free(w->run);
    fields_clear(&policy_file_fields, &policy);
    fields_clear(&cluster_fields, &cluster);
    workload_fini(&load);
    return hash;
}

START_TEST(who_asks_changes_nothing)
{
    static struct watch asked, silent;
    ck_assert_uint_eq(watched(&asked, &kinds[_i], 1, true), watched(&silent, &kinds[_i], 1, false));
    ck_assert_uint_gt(asked.asked, 50);
}
END_TEST

START_TEST(a_start_lies_within_its_interval_as_often_as_it_is_said)
{
    static struct watch w;
    const struct kind *k = &kinds[_i];
    for (uint64_t seed = 1; seed <= 8; seed++) {
        memset(w.first, 0, sizeof w.first);
        (void)watched(&w, k, seed, true);
    }
    printf("%s: %" PRIu64 " estimates, %" PRIu64 " starts within, %" PRIu64 " sooner, %" PRIu64 " later; %" PRId64
           " s wide in the mean\n", k->name, w.asked, w.within, w.before, w.after,
           w.width_us / (int64_t)MAX(w.asked, 1) / SECOND);
    ck_assert_uint_gt(w.asked, 500);
    ck_assert_uint_ge(w.within * 100, w.asked * ESTIMATE_WITHIN);
    ck_assert_uint_le(w.before * 20, w.asked); /* its begin is what one of twenty comes to */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim/estimate");
    TCase *t = tcase_create("estimate");
    tcase_set_timeout(t, 300); /* against what never ends; the longest takes 30 s where there is much to do */
    tcase_add_loop_test(t, who_asks_changes_nothing, 0, COUNT_OF(kinds));
    tcase_add_loop_test(t, a_start_lies_within_its_interval_as_often_as_it_is_said, 0, COUNT_OF(kinds));
    suite_add_tcase(s, t);
    return run_suite(s);
}
