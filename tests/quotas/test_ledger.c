/* ledger: rows that read as facts, then random operations with a recount after each. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/quotas/ledger_steps.h"
#include "tests/quotas/random_ops.h"
#include "tests/run.h"

/* acme (cpu 4, running 3, 1000 micro-units a month) with acme/etl (cpu 2, 600 a day) and acme/ml (no limits). */
static struct ledger *cell(void)
{
    struct ledger *l = NULL;
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    struct fact f = fact_policy(AT_NOVEMBER);
    struct tenant_rule *acme = fact_tenant(&f, "acme");
    acme->quota.max.cpu_milli = 4000;
    acme->quota.max_running = 3;
    acme->quota.max_queued = 50;
    acme->budget = (struct budget_rule){.present = true, .limit_micros = 1000, .period = PERIOD_MONTH};
    struct tenant_rule *etl = fact_tenant(&f, "acme/etl");
    etl->quota.max.cpu_milli = 2000;
    etl->budget = (struct budget_rule){.present = true, .limit_micros = 600, .period = PERIOD_DAY};
    fact_tenant(&f, "acme/ml");
    ck_assert_int_eq(ledger_check(l, &f, NULL), LEDGER_FITS);
    ledger_apply(l, &f);
    fact_clear(&f);
    return l;
}

static void submit(struct ledger *l, uint64_t job, const char *tenant, uint32_t tasks, int64_t budget)
{
    admit(l, fact_submit(l, AT_NOVEMBER, job, tenant, "k", tasks, budget));
}

#define ID(job, task) ((struct attempt_id){(job), (task), 1})

START_TEST(money_is_held_on_every_budget_of_the_path_and_on_the_total)
{
    struct ledger *l = cell();
    submit(l, 1, "acme/etl", 1, 0);
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/etl", false, 200));
    account_is(l, "acme/etl@2026-11-23", 600, 0, 200);
    account_is(l, "acme@2026-11", 1000, 0, 200);
    account_is(l, "/@total", -1, 0, 200);
    struct tenant_view v;
    ck_assert(ledger_tenant(l, "acme", AT_NOVEMBER, &v));
    ck_assert_str_eq(v.account, "acme@2026-11");
    ck_assert_uint_eq(v.running, 1);
    ck_assert_uint_eq(v.queued, 0);
    ck_assert_uint_eq(v.used.cpu_milli, 1000);
    ck_assert(ledger_tenant(l, "acme", AT_NOVEMBER + 40 * DAY_US, &v));
    ck_assert_ptr_null(v.account);
    ck_assert_int_eq(v.limit_micros, 1000);
    ledger_free(l);
}
END_TEST

START_TEST(settling_moves_held_to_spent_and_returns_the_rest)
{
    struct ledger *l = cell();
    submit(l, 1, "acme/etl", 1, 0);
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/etl", false, 200));
    admit(l, fact_renew(l, AT_NOVEMBER, ID(1, 0), "acme/etl", false, 150, 100));
    account_is(l, "acme@2026-11", 1000, 150, 100);
    admit(l, fact_end(AT_NOVEMBER, ID(1, 0), 170, NEXT_FINAL, true));
    account_is(l, "acme/etl@2026-11-23", 600, 170, 0);
    account_is(l, "acme@2026-11", 1000, 170, 0);
    account_is(l, "/@total", -1, 170, 0);
    ledger_free(l);
}
END_TEST

START_TEST(a_renewal_over_midnight_settles_on_the_old_day_and_holds_on_the_new)
{
    struct ledger *l = cell();
    submit(l, 1, "acme/etl", 1, 0);
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/etl", false, 600));
    admit(l, fact_renew(l, AT_NOVEMBER + DAY_US, ID(1, 0), "acme/etl", false, 500, 400));
    account_is(l, "acme/etl@2026-11-23", 600, 500, 0);
    account_is(l, "acme/etl@2026-11-24", 600, 0, 400);
    account_is(l, "acme@2026-11", 1000, 500, 400);
    refused(l, fact_renew(l, AT_NOVEMBER + DAY_US, ID(1, 0), "acme/etl", false, 800, 300), LEDGER_BUDGET,
            "acme@2026-11");
    ledger_free(l);
}
END_TEST

START_TEST(a_parents_limit_stops_a_child)
{
    struct ledger *l = cell();
    submit(l, 1, "acme/etl", 3, 0);
    submit(l, 2, "acme/ml", 9, 0);
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/etl", false, 400));
    /* etl has 200 left today, acme 600 this month: the leaf speaks first */
    refused(l, fact_place(l, AT_NOVEMBER, ID(1, 1), "acme/etl", false, 201), LEDGER_BUDGET, "acme/etl@2026-11-23");
    refused(l, fact_place(l, AT_NOVEMBER, ID(2, 0), "acme/ml", false, 601), LEDGER_BUDGET, "acme@2026-11");
    admit(l, fact_place(l, AT_NOVEMBER, ID(2, 0), "acme/ml", false, 600));
    refused(l, fact_place(l, AT_NOVEMBER, ID(2, 1), "acme/ml", false, 1), LEDGER_BUDGET, "acme@2026-11");
    admit(l, fact_place(l, AT_NOVEMBER, ID(2, 1), "acme/ml", false, 0));
    refused(l, fact_place(l, AT_NOVEMBER, ID(2, 2), "acme/ml", false, 0), LEDGER_QUOTA, "acme");
    ledger_free(l);
}
END_TEST

START_TEST(lowering_a_limit_below_use_admits_nothing_new)
{
    struct ledger *l = cell();
    submit(l, 1, "acme/ml", 4, 0);
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 300));
    struct fact f = fact_policy(AT_NOVEMBER);
    fact_tenant(&f, "acme")->budget =
        (struct budget_rule){.present = true, .limit_micros = 100, .period = PERIOD_MONTH};
    admit(l, with_limits(l, f));
    account_is(l, "acme@2026-11", 100, 0, 300);
    refused(l, fact_place(l, AT_NOVEMBER, ID(1, 1), "acme/ml", false, 0), LEDGER_BUDGET, "acme@2026-11");
    refused(l, fact_renew(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 10, 91), LEDGER_BUDGET, "acme@2026-11");
    refused(l, fact_renew(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 250, 1), LEDGER_BUDGET, "acme@2026-11");
    /* what runs may go on for nothing, and ends */
    struct fact free_renewal = fact_renew(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 250, 0);
    admit(l, free_renewal);
    admit(l, fact_end(AT_NOVEMBER, ID(1, 0), 250, NEXT_FINAL, false));
    account_is(l, "acme@2026-11", 100, 250, 0);
    ledger_free(l);
}
END_TEST

START_TEST(quotas_count_every_resource_and_zero_is_no_limit)
{
    struct ledger *l = cell();
    submit(l, 1, "acme/etl", 9, 0);
    struct fact f = fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/etl", false, 1);
    f.placed.resources.cpu_milli = 2001;
    struct ledger_blocker b[4];
    open_accounts(l, &f);
    ck_assert_uint_eq(ledger_blockers(l, &f, b, 4), 1);
    ck_assert_str_eq(b[0].where, "acme/etl");
    ck_assert_str_eq(b[0].resource, "cpu");
    ck_assert_int_eq(b[0].limit, 2000);
    ck_assert_int_eq(b[0].need, 2001);
    f.placed.resources.cpu_milli = 4001;
    f.placed.hold_micros = 601;
    ck_assert_uint_eq(ledger_blockers(l, &f, b, 2), 3); /* counts on beyond what it may write */
    ck_assert_str_eq(b[1].where, "acme");
    f.placed.resources.cpu_milli = 2000;
    f.placed.resources.mem_bytes = MEM_BYTES_MAX;
    f.placed.hold_micros = 1;
    must(counts_set(&f.placed.resources.generic, "gpu", 1000));
    admit(l, f);
    struct fact policy = fact_policy(AT_NOVEMBER);
    must(counts_set(&fact_tenant(&policy, TENANT_ROOT)->quota.max.generic, "gpu", 1000));
    admit(l, policy);
    struct fact more = fact_place(l, AT_NOVEMBER, ID(1, 1), "acme/etl", false, 1);
    more.placed.resources.cpu_milli = 0;
    must(counts_set(&more.placed.resources.generic, "gpu", 1));
    refused(l, more, LEDGER_QUOTA, "/");
    ledger_free(l);
}
END_TEST

START_TEST(the_queue_has_a_limit_and_follows_the_tasks)
{
    struct ledger *l = cell();
    struct tenant_view v;
    submit(l, 1, "acme/etl", 30, 0);
    submit(l, 2, "acme/ml", 20, 0);
    refused(l, fact_submit(l, AT_NOVEMBER, 3, "acme/ml", "k3", 1, 0), LEDGER_QUEUE_FULL, "acme");
    admit(l, fact_place(l, AT_NOVEMBER, ID(2, 0), "acme/ml", false, 1));
    admit(l, fact_cancel(l, AT_NOVEMBER, 1, "acme/etl", 10, false));
    ck_assert(ledger_tenant(l, "acme", AT_NOVEMBER, &v));
    ck_assert_uint_eq(v.queued, 39);
    admit(l, fact_end(AT_NOVEMBER, ID(2, 0), 0, NEXT_QUEUED, false));
    ck_assert(ledger_tenant(l, "/", AT_NOVEMBER, &v));
    ck_assert_uint_eq(v.queued, 40);
    refused(l, fact_cancel(l, AT_NOVEMBER, 1, "acme/etl", 21, false), LEDGER_BAD, "acme/etl");
    refused(l, fact_place(l, AT_NOVEMBER, ID(9, 0), "beta", false, 1), LEDGER_BAD, "");
    ledger_free(l);
}
END_TEST

START_TEST(a_jobs_own_budget_lives_as_long_as_the_job)
{
    struct ledger *l = cell();
    struct account_view v;
    refused(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", true, 1), LEDGER_BAD, "acme/ml"); /* nothing queued */
    submit(l, 1, "acme/ml", 2, 100);
    account_is(l, "job:1", 100, 0, 0);
    refused(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", true, 101), LEDGER_BUDGET, "job:1");
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", true, 60));
    refused(l, fact_place(l, AT_NOVEMBER, ID(1, 1), "acme/ml", true, 41), LEDGER_BUDGET, "job:1");
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 1), "acme/ml", true, 40));
    refused(l, fact_end(AT_NOVEMBER, ID(1, 0), 60, NEXT_FINAL, true), LEDGER_BAD, ""); /* the other still holds */
    admit(l, fact_end(AT_NOVEMBER, ID(1, 0), 60, NEXT_FINAL, false));
    admit(l, fact_end(AT_NOVEMBER, ID(1, 1), 40, NEXT_FINAL, true));
    ck_assert(!ledger_account(l, "job:1", &v));
    account_is(l, "/@total", -1, 100, 0);
    ledger_free(l);
}
END_TEST

START_TEST(an_attempt_can_not_spend_more_than_it_holds_nor_less_than_it_has)
{
    struct ledger *l = cell();
    submit(l, 1, "acme/ml", 2, 0);
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 100));
    refused(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 100), LEDGER_DUPLICATE, "");
    refused(l, fact_end(AT_NOVEMBER, ID(1, 0), 101, NEXT_FINAL, false), LEDGER_OVERRUN, "");
    refused(l, fact_renew(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 101, 1), LEDGER_OVERRUN, "");
    admit(l, fact_renew(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 50, 10));
    refused(l, fact_renew(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 49, 10), LEDGER_BAD, "");
    refused(l, fact_renew(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 61, 10), LEDGER_OVERRUN, "");
    admit(l, fact_end(AT_NOVEMBER, ID(1, 0), 60, NEXT_FINAL, false));
    refused(l, fact_end(AT_NOVEMBER, ID(1, 0), 60, NEXT_FINAL, false), LEDGER_NO_HOLD, "");
    ledger_free(l);
}
END_TEST

START_TEST(amounts_that_would_leave_2_53_are_refused_never_wrapped)
{
    struct ledger *l = cell();
    submit(l, 1, "acme/ml", 20, 0);
    struct fact policy = fact_policy(AT_NOVEMBER);
    fact_tenant(&policy, "acme");
    admit(l, policy);
    refused(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, -1), LEDGER_BAD, "");
    refused(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, MONEY_MICROS_MAX + 1), LEDGER_BAD, "");
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, MONEY_MICROS_MAX));
    refused(l, fact_place(l, AT_NOVEMBER, ID(1, 1), "acme/ml", false, MONEY_MICROS_MAX), LEDGER_BAD, "/@total");
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 1), "acme/ml", false, MONEY_MICROS_MAX - 1));
    struct fact huge = fact_place(l, AT_NOVEMBER, ID(1, 2), "acme/ml", false, 0);
    huge.placed.resources.mem_bytes = UINT64_MAX;
    refused(l, huge, LEDGER_BAD, "acme/ml");
    struct fact twice = fact_place(l, AT_NOVEMBER, ID(1, 2), "acme/ml", false, 0);
    must(strs_add(&twice.placed.accounts, "/@total"));
    refused(l, twice, LEDGER_BAD, "");
    struct fact broken = fact_place(l, AT_NOVEMBER, ID(1, 2), "acme/ml", false, 0);
    set_text(&broken.placed.path.v[1], "acme/etl");
    refused(l, broken, LEDGER_BAD, "acme/ml");
    ledger_free(l);
}
END_TEST

static struct fact removal(const char *path)
{
    struct fact f = fact_policy(AT_NOVEMBER);
    must(strs_add(&f.policy.removed, path));
    return f;
}

START_TEST(a_tenant_in_use_stays)
{
    struct ledger *l = cell();
    struct tenant_view v;
    submit(l, 1, "acme/ml", 1, 0);
    refused(l, removal("acme/ml"), LEDGER_IN_USE, "acme/ml");
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", false, 10));
    refused(l, removal("acme/ml"), LEDGER_IN_USE, "acme/ml");
    admit(l, fact_end(AT_NOVEMBER, ID(1, 0), 10, NEXT_FINAL, true));
    refused(l, removal("acme"), LEDGER_IN_USE, "acme"); /* its children stay */
    refused(l, removal("nobody"), LEDGER_NO_TENANT, "nobody");
    refused(l, removal("/"), LEDGER_BAD, "/");
    struct fact orphan = removal("acme/ml");
    fact_tenant(&orphan, "acme/ml/x");
    refused(l, orphan, LEDGER_NO_TENANT, "acme/ml/x");
    struct fact all = removal("acme");
    must(strs_add(&all.policy.removed, "acme/ml"));
    must(strs_add(&all.policy.removed, "acme/etl"));
    admit(l, all);
    ck_assert(!ledger_tenant(l, "acme", AT_NOVEMBER, &v));
    account_is(l, "acme@2026-11", 1000, 10, 0); /* what was spent stays on record */
    refused(l, fact_submit(l, AT_NOVEMBER, 2, "acme", "k", 1, 0), LEDGER_NO_TENANT, "acme");
    ledger_free(l);
}
END_TEST

START_TEST(nothing_is_held_on_an_account_that_is_not_open)
{
    struct ledger *l = cell();
    struct fact opening;
    submit(l, 1, "acme/etl", 1, 0);
    struct fact f = fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/etl", false, 1);
    ck_assert_int_eq(ledger_check(l, &f, NULL), LEDGER_NO_ACCOUNT);
    ck_assert(ledger_opening_for(l, &f, &opening));
    ck_assert_str_eq(opening.budget_opened.account, "acme/etl@2026-11-23");
    ck_assert_str_eq(opening.budget_opened.tenant, "acme/etl");
    ck_assert_int_eq(opening.budget_opened.limit_micros, 600);
    ck_assert_int_eq(opening.budget_opened.from_utc_us, AT_NOVEMBER);
    ck_assert_int_eq(opening.budget_opened.to_utc_us, AT_NOVEMBER + DAY_US);
    ledger_apply(l, &opening);
    ck_assert_int_eq(ledger_check(l, &opening, NULL), LEDGER_DUPLICATE);
    fact_clear(&opening);
    /* a name that doesn't fit the rule opens no way around it */
    ck_assert(!ledger_opening(l, "acme/etl@2026-11-22", AT_NOVEMBER, &opening));
    ck_assert(!ledger_opening(l, "acme/etl#x@2026-11-23", AT_NOVEMBER, &opening));
    ck_assert(!ledger_opening(l, "job:7", AT_NOVEMBER, &opening));
    set_text(&f.placed.accounts.v[0], "acme/etl@2026-11-22");
    refused(l, f, LEDGER_NO_ACCOUNT, "acme/etl@2026-11-22");
    ledger_free(l);
}
END_TEST

static bool collect(const struct tenant_rule *rule, void *arg)
{
    char *text = arg;
    strncat(text, rule->path, 200 - strlen(text));
    strncat(text, " ", 200 - strlen(text));
    return true;
}

START_TEST(tenants_walk_in_path_order)
{
    struct ledger *l = cell();
    char text[256] = "";
    struct fact f = fact_policy(AT_NOVEMBER);
    fact_tenant(&f, "acme-x");
    fact_tenant(&f, "acme/etl/night");
    fact_tenant(&f, "a");
    admit(l, f);
    ledger_each_tenant(l, collect, text);
    ck_assert_str_eq(text, "/ a acme acme/etl acme/etl/night acme/ml acme-x ");
    ledger_free(l);
}
END_TEST

/* ---- the whole state as text, to compare two ledgers ------------------------------------------------------------- */

static bool dump_account(const struct account_view *v, void *arg)
{
    buf_addf(arg, "%s %lld %lld %lld\n", v->name, (long long)v->limit_micros, (long long)v->spent_micros,
             (long long)v->held_micros);
    return true;
}

struct dump {
    const struct ledger *l;
    struct buf text;
};

static bool dump_tenant(const struct tenant_rule *rule, void *arg)
{
    struct dump *d = arg;
    struct tenant_view v;
    ck_assert(ledger_tenant(d->l, rule->path, 0, &v));
    buf_addf(&d->text, "%s r%llu q%llu c%llu m%llu", rule->path, (unsigned long long)v.running,
             (unsigned long long)v.queued, (unsigned long long)v.used.cpu_milli, (unsigned long long)v.used.mem_bytes);
    for (size_t i = 0; i < v.used.generic.count; i++) {
        buf_addf(&d->text, " %s%llu", v.used.generic.v[i].name, (unsigned long long)v.used.generic.v[i].value);
    }
    buf_add_str(&d->text, "\n");
    return true;
}

static char *dump(const struct ledger *l)
{
    struct dump d = {.l = l};
    ledger_each_tenant(l, dump_tenant, &d);
    ledger_each_account(l, dump_account, &d.text);
    char *text = buf_take(&d.text);
    ck_assert_ptr_nonnull(text);
    return text;
}

START_TEST(random_operations_keep_every_invariant)
{
    struct ledger *l = NULL;
    struct err err = {0};
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    static struct ops_world w;
    w = (struct ops_world){.seed = random_seed("ledger"), .at = AT_NOVEMBER, .next_job = 1};
    uint64_t admitted = 0, moves = 0, closings = 0, verdicts[LEDGER_VERDICT_COUNT] = {0};
    for (int i = 0; i < 60000; i++) {
        struct fact f = ops_next(&w, l);
        if (ops_is_fair(&w, &f)) {
            struct ledger_blocker b;
            enum ledger_verdict verdict = ledger_check(l, &f, &b);
            ck_assert_int_eq(b.verdict, verdict);
            verdicts[verdict]++;
            if (verdict == LEDGER_FITS) {
                /* A tentative step and its undo leave no trace. */
                if (fact_placements(&f) > 0 || f.kind == FACT_HOLD_RENEWED || f.kind == FACT_BUDGET_OPENED) {
                    char *before = dump(l);
                    ledger_apply(l, &f);
                    ledger_revert(l, &f);
                    char *after = dump(l);
                    ck_assert_str_eq(before, after);
                    free(before);
                    free(after);
                }
                ledger_apply(l, &f);
                ops_admitted(&w, &f);
                admitted++;
                moves += f.kind == FACT_TENANT_MOVED && f.tenant_moved.attempts.count > 0;
                closings += f.kind == FACT_ACCOUNTS_CLOSED;
            }
            ck_assert_msg(ledger_verify(l, &err) == 0, "%s", err_text(&err));
        }
        fact_clear(&f);
    }
    fact_clear(&w.waiting);
    /* The test walks where it should: everything is admitted and refused many times over. */
    for (int v = 0; v < LEDGER_VERDICT_COUNT; v++) {
        ck_assert_msg(verdicts[v] > 10, "%s: %llu times", names_get(&ledger_verdict_names, (uint32_t)v),
                      (unsigned long long)verdicts[v]);
    }
    ck_assert_uint_gt(admitted, 10000);
    ck_assert_uint_gt(moves, 10); /* with what runs there */
    ck_assert_uint_gt(closings, 10);
    ledger_free(l);
}
END_TEST

START_TEST(a_snapshot_gives_the_same_ledger)
{
    struct ledger *l = cell(), *again = cell();
    submit(l, 1, "acme/ml", 5, 100);
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", true, 60));
    admit(l, fact_renew(l, AT_NOVEMBER, ID(1, 0), "acme/ml", true, 20, 30));
    admit(l, fact_place(l, AT_NOVEMBER, ID(1, 1), "acme/ml", true, 5));
    admit(l, fact_end(AT_NOVEMBER, ID(1, 1), 5, NEXT_FINAL, false));
    struct fact cell_fact = {.kind = FACT_SNAPSHOT_CELL}, job = {.kind = FACT_SNAPSHOT_JOB};
    const char *const names[] = {"acme@2026-11", "/@total", "job:1"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct snapshot_account *a = list_add(&cell_fact.snapshot_cell.accounts, sizeof *a);
        struct account_view v = account(l, names[i]);
        set_text(&a->name, names[i]);
        a->limit_micros = v.limit_micros;
        a->spent_micros = v.spent_micros;
        a->from_utc_us = v.from_utc_us;
        a->to_utc_us = v.to_utc_us;
    }
    struct fact submitted = fact_submit(l, AT_NOVEMBER, 1, "acme/ml", "k", 5, 100);
    job.snapshot_job.submitted = submitted.submitted;
    job.snapshot_job.spent_micros = 25;
    must(counts_set(&job.snapshot_job.ended, "succeeded", 1));
    struct snapshot_task *t = list_add(&job.snapshot_job.tasks, sizeof *t);
    *t = (struct snapshot_task){.task = 0, .epoch = 1, .state = TASK_RUNNING, .spent_micros = 20, .hold_micros = 30};
    struct fact placed = fact_place(l, AT_NOVEMBER, ID(1, 0), "acme/ml", true, 0);
    add_texts(&t->accounts, &placed.placed.accounts);
    fact_clear(&placed);
    ledger_apply(again, &cell_fact);
    ledger_apply(again, &job);
    ck_assert_int_eq(ledger_verify(again, NULL), 0);
    char *left = dump(l), *right = dump(again);
    ck_assert_str_eq(left, right);
    free(left);
    free(right);
    admit(again, fact_end(AT_NOVEMBER, ID(1, 0), 50, NEXT_FINAL, false));
    account_is(again, "job:1", 100, 55, 0);
    fact_clear(&cell_fact);
    fact_clear(&job);
    ledger_free(l);
    ledger_free(again);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/ledger");
    TCase *t = tcase_create("ledger");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, money_is_held_on_every_budget_of_the_path_and_on_the_total);
    tcase_add_test(t, settling_moves_held_to_spent_and_returns_the_rest);
    tcase_add_test(t, a_renewal_over_midnight_settles_on_the_old_day_and_holds_on_the_new);
    tcase_add_test(t, a_parents_limit_stops_a_child);
    tcase_add_test(t, lowering_a_limit_below_use_admits_nothing_new);
    tcase_add_test(t, quotas_count_every_resource_and_zero_is_no_limit);
    tcase_add_test(t, the_queue_has_a_limit_and_follows_the_tasks);
    tcase_add_test(t, a_jobs_own_budget_lives_as_long_as_the_job);
    tcase_add_test(t, an_attempt_can_not_spend_more_than_it_holds_nor_less_than_it_has);
    tcase_add_test(t, amounts_that_would_leave_2_53_are_refused_never_wrapped);
    tcase_add_test(t, a_tenant_in_use_stays);
    tcase_add_test(t, nothing_is_held_on_an_account_that_is_not_open);
    tcase_add_test(t, tenants_walk_in_path_order);
    tcase_add_test(t, random_operations_keep_every_invariant);
    tcase_add_test(t, a_snapshot_gives_the_same_ledger);
    suite_add_tcase(s, t);
    return run_suite(s);
}
