/* Guarantees, borrowing, lending, rates: rows that read as facts, then random trees against the definition itself. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "quotas/ledger_names.h"
#include "quotas/money.h"
#include "quotas/rate.h"
#include "tests/quotas/facts.h"
#include "tests/run.h"

#define MINUTE_US INT64_C(60000000)
#define CORES(n) ((uint64_t)(n) * 1000)

/* ---- a cell -------------------------------------------------------------------------------------------------- */

struct cell {
    struct ledger *l;
    uint64_t next_job;
    int64_t at;
};

static struct cell cell_new(void)
{
    struct cell c = {.next_job = 1, .at = AT_NOVEMBER};
    ck_assert_int_eq(ledger_new(&c.l, NULL), 0);
    return c;
}

static void sound(const struct cell *c)
{
    struct err err = {0};
    ck_assert_msg(ledger_verify(c->l, &err) == 0, "%s", err_text(&err));
}

static void admit(struct cell *c, struct fact f)
{
    struct ledger_blocker b;
    open_accounts(c->l, &f);
    enum ledger_verdict verdict = ledger_check(c->l, &f, &b);
    ck_assert_msg(verdict == LEDGER_FITS, "%s: %s", names_get(&ledger_verdict_names, verdict), b.where ? b.where : "-");
    ledger_apply(c->l, &f);
    fact_clear(&f);
    sound(c);
}

static struct ledger_blocker refused(struct cell *c, struct fact f, enum ledger_verdict want, const char *where)
{
    struct ledger_blocker b;
    open_accounts(c->l, &f);
    enum ledger_verdict verdict = ledger_check(c->l, &f, &b);
    ck_assert_str_eq(names_get(&ledger_verdict_names, verdict), names_get(&ledger_verdict_names, want));
    ck_assert_str_eq(b.where ? b.where : "", where);
    fact_clear(&f);
    return b;
}

/* -1 = not named */
struct row { const char *path; int guaranteed, borrow, lend; };

static void set_rows(struct cell *c, const struct row *rows, size_t count)
{
    struct fact f = fact_policy(c->at);
    for (size_t i = 0; i < count; i++) {
        struct quota_rule *q = &fact_tenant(&f, rows[i].path)->quota;
        q->guaranteed.cpu_milli = CORES(rows[i].guaranteed);
        q->borrow.cpu_milli = rows[i].borrow < 0 ? (struct measure){0} : measure_of(CORES(rows[i].borrow));
        q->lend.cpu_milli = rows[i].lend < 0 ? (struct measure){0} : measure_of(CORES(rows[i].lend));
    }
    admit(c, f);
}

/* Submits one task and tells of its start; the caller admits it or sees it refused. */
static struct fact start_of(struct cell *c, const char *tenant, int cores)
{
    char key[32];
    uint64_t job = c->next_job++;
    snprintf(key, sizeof key, "k%llu", (unsigned long long)job);
    admit(c, fact_submit(c->l, c->at, job, tenant, key, 1, 0));
    struct fact f = fact_place(c->l, c->at, (struct attempt_id){job, 0, 1}, tenant, false, 0);
    f.placed.resources.cpu_milli = CORES(cores);
    return f;
}

static uint64_t start(struct cell *c, const char *tenant, int cores)
{
    struct fact f = start_of(c, tenant, cores);
    uint64_t job = f.placed.id.job;
    admit(c, f);
    return job;
}

static void end(struct cell *c, uint64_t job)
{
    admit(c, fact_end(c->at, (struct attempt_id){job, 0, 1}, 0, NEXT_FINAL, true));
}

static int64_t left(const struct cell *c, const char *path)
{
    struct tenant_view v;
    ck_assert(ledger_tenant(c->l, path, c->at, &v));
    return (ledger_share(c->l, path, 0, "").have - (int64_t)v.used.cpu_milli) / 1000;
}

/* ---- guarantees ---------------------------------------------------------------------------------------------- */

static const struct row two_teams[] = {{"a", 4, -1, -1}, {"b", 4, -1, -1}};

START_TEST(who_is_guaranteed_nothing_in_a_tree_without_guarantees_is_not_asked)
{
    struct cell c = cell_new();
    set_rows(&c, (struct row[]){{"a", 0, 0, 0}}, 1);
    start(&c, "a", 100);
    ledger_free(c.l);
}
END_TEST

START_TEST(one_borrows_what_the_other_leaves_and_no_more)
{
    struct cell c = cell_new();
    set_rows(&c, two_teams, 2);
    start(&c, "a", 3);
    start(&c, "a", 3);
    struct resources borrowed;
    ledger_borrowed(c.l, "a", &borrowed);
    ck_assert_uint_eq(borrowed.cpu_milli, CORES(2));
    fields_clear(&resources_fields, &borrowed);
    struct ledger_blocker b = refused(&c, start_of(&c, "a", 3), LEDGER_BORROW, "/");
    ck_assert_int_eq(b.limit, (int64_t)CORES(8));
    ck_assert_int_eq(b.used, (int64_t)CORES(6));
    ck_assert_int_eq(b.need, (int64_t)CORES(3));
    ck_assert_str_eq(b.resource, "cpu");
    start(&c, "b", 2);
    refused(&c, start_of(&c, "b", 1), LEDGER_BORROW, "/"); /* what is lent comes back when it ends, not before */
    ledger_free(c.l);
}
END_TEST

START_TEST(a_borrow_limit_stops_the_borrower_and_0_means_nothing)
{
    struct cell c = cell_new();
    set_rows(&c, (struct row[]){{"a", 4, 1, -1}, {"b", 4, 0, -1}}, 2);
    start(&c, "a", 5);
    struct ledger_blocker b = refused(&c, start_of(&c, "a", 1), LEDGER_BORROW, "a");
    ck_assert_int_eq(b.limit, (int64_t)CORES(5));
    refused(&c, start_of(&c, "b", 5), LEDGER_BORROW, "b");
    ledger_free(c.l);
}
END_TEST

START_TEST(what_is_not_lent_stays_its_owners)
{
    struct cell c = cell_new();
    set_rows(&c, (struct row[]){{"a", 4, -1, -1}, {"b", 4, -1, 1}}, 2);
    start(&c, "a", 5);
    refused(&c, start_of(&c, "a", 1), LEDGER_BORROW, "/");
    ck_assert_int_eq(left(&c, "/"), 0);
    uint64_t own = start(&c, "b", 3); /* its own: nobody above is asked for any of it */
    ck_assert_int_eq(left(&c, "/"), 0);
    ck_assert_int_eq(left(&c, "b"), 1);
    refused(&c, start_of(&c, "b", 1), LEDGER_BORROW, "/"); /* that one is lent */
    end(&c, own);
    ck_assert_int_eq(left(&c, "b"), 4);
    ledger_free(c.l);
}
END_TEST

START_TEST(a_group_borrows_as_a_group)
{
    struct cell c = cell_new();
    set_rows(&c, (struct row[]){{"g", 2, 1, -1}, {"g/x", 1, -1, -1}, {"g/y", 1, -1, 0}, {"h", 10, -1, -1}}, 4);
    start(&c, "g/x", 3); /* its own, the group's two */
    refused(&c, start_of(&c, "g/x", 2), LEDGER_BORROW, "g");
    start(&c, "g/x", 1); /* the group borrows one */
    refused(&c, start_of(&c, "g/x", 1), LEDGER_BORROW, "g");
    start(&c, "g/y", 1); /* never lent */
    refused(&c, start_of(&c, "g/y", 1), LEDGER_BORROW, "g");
    start(&c, "h", 9);
    ck_assert_int_eq(left(&c, "/"), 0);
    ledger_free(c.l);
}
END_TEST

START_TEST(lowering_a_guarantee_below_use_admits_nothing_new_until_enough_has_ended)
{
    struct cell c = cell_new();
    set_rows(&c, two_teams, 2);
    uint64_t first = start(&c, "a", 4), second = start(&c, "a", 4);
    set_rows(&c, (struct row[]){{"a", 1, 2, -1}}, 1);
    ck_assert_int_eq(left(&c, "/"), -3);
    refused(&c, start_of(&c, "a", 1), LEDGER_BORROW, "a");
    refused(&c, start_of(&c, "b", 1), LEDGER_BORROW, "/");
    end(&c, first);
    refused(&c, start_of(&c, "a", 1), LEDGER_BORROW, "a"); /* four in use, one its own, two to borrow */
    start(&c, "b", 1);
    end(&c, second);
    start(&c, "a", 3);
    ledger_free(c.l);
}
END_TEST

START_TEST(a_tenant_that_goes_takes_its_guarantee_along)
{
    struct cell c = cell_new();
    set_rows(&c, (struct row[]){{"a", 4, -1, -1}, {"a/x", 2, -1, 1}, {"a/y", 2, -1, -1}}, 3);
    ck_assert_int_eq(left(&c, "/"), 7);
    struct fact f = fact_policy(c.at);
    must(strs_add(&f.policy.removed, "a")); /* before its child */
    must(strs_add(&f.policy.removed, "a/x"));
    must(strs_add(&f.policy.removed, "a/y"));
    admit(&c, f);
    ck_assert_int_eq(left(&c, "/"), 0);
    ck_assert_int_eq(ledger_share(c.l, "/", 0, "").total, 0);
    ledger_free(c.l);
}
END_TEST

START_TEST(guarantees_beyond_2_53_together_are_refused)
{
    struct cell c = cell_new();
    struct fact f = fact_policy(c.at);
    char path[16];
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "t%d", i);
        fact_tenant(&f, path)->quota.guaranteed.mem_bytes = MEM_BYTES_MAX;
    }
    refused(&c, f, LEDGER_BAD, "/");
    ledger_free(c.l);
}
END_TEST

/* ---- rates --------------------------------------------------------------------------------------------------- */

static void set_rates(struct cell *c, const char *path, uint32_t submits, uint32_t starts)
{
    struct fact f = fact_policy(c->at);
    struct quota_rule *q = &fact_tenant(&f, path)->quota;
    q->submits_per_minute = submits;
    q->starts_per_minute = starts;
    admit(c, f);
}

START_TEST(a_minutes_worth_may_come_at_once_then_it_drips)
{
    struct cell c = cell_new();
    set_rates(&c, "a", 0, 3);
    for (int i = 0; i < 3; i++) {
        start(&c, "a", 1);
    }
    struct ledger_blocker b = refused(&c, start_of(&c, "a", 1), LEDGER_RATE, "a");
    ck_assert_int_eq(b.when_utc_us, c.at + MINUTE_US / 3);
    c.at += MINUTE_US / 3 - 1;
    refused(&c, start_of(&c, "a", 1), LEDGER_RATE, "a");
    c.at++;
    start(&c, "a", 1);
    refused(&c, start_of(&c, "a", 1), LEDGER_RATE, "a");
    c.at += 100 * MINUTE_US;
    for (int i = 0; i < 3; i++) {
        start(&c, "a", 1);
    }
    refused(&c, start_of(&c, "a", 1), LEDGER_RATE, "a");
    ledger_free(c.l);
}
END_TEST

START_TEST(submissions_count_by_task_at_every_level)
{
    struct cell c = cell_new();
    set_rates(&c, "a", 10, 0);
    set_rates(&c, "a/x", 6, 0);
    admit(&c, fact_submit(c.l, c.at, 1, "a/x", "k1", 6, 0));
    refused(&c, fact_submit(c.l, c.at, 2, "a/x", "k2", 1, 0), LEDGER_RATE, "a/x");
    admit(&c, fact_submit(c.l, c.at, 2, "a", "k2", 4, 0));
    refused(&c, fact_submit(c.l, c.at, 3, "a", "k3", 1, 0), LEDGER_RATE, "a");
    struct ledger_blocker b = refused(&c, fact_submit(c.l, c.at, 3, "a", "k3", 11, 0), LEDGER_RATE, "a");
    ck_assert(b.when_utc_us == INT64_MAX); /* never at once */
    set_rates(&c, "a/x", 0, 0);
    c.at += 6 * MINUTE_US / 10;
    admit(&c, fact_submit(c.l, c.at, 3, "a/x", "k3", 6, 0));
    ledger_free(c.l);
}
END_TEST

START_TEST(a_tentative_start_gives_its_token_back)
{
    struct cell c = cell_new();
    set_rates(&c, "a", 0, 2);
    start(&c, "a", 1);
    c.at += MINUTE_US / 7;
    struct fact one = start_of(&c, "a", 1), two = start_of(&c, "a", 1);
    struct rate_view before = ledger_rate(c.l, "a", true);
    ledger_apply(c.l, &one);
    ledger_apply(c.l, &two);
    ledger_revert(c.l, &one);
    ledger_revert(c.l, &two);
    struct rate_view after = ledger_rate(c.l, "a", true);
    ck_assert_int_eq(before.parts, after.parts);
    ck_assert_int_eq(before.at_utc_us, after.at_utc_us);
    fact_clear(&one);
    fact_clear(&two);
    ledger_free(c.l);
}
END_TEST

START_TEST(another_limit_keeps_what_is_in_the_bucket)
{
    struct rate r = {0};
    rate_set(&r, 10, 1000);
    ck_assert(rate_has(&r, 10, 1000) && !rate_has(&r, 11, 1000));
    rate_take(&r, 8, 1000);
    rate_set(&r, 100, 1000);
    ck_assert(rate_has(&r, 2, 1000) && !rate_has(&r, 3, 1000));
    rate_set(&r, 1, 1000);
    ck_assert(rate_has(&r, 1, 1000) && !rate_has(&r, 2, 1000));
    rate_take(&r, 5, 500); /* final, and of a clock that went back */
    ck_assert(!rate_has(&r, 1, 1000 + 5 * MINUTE_US - 1 - MINUTE_US));
    ck_assert_int_eq(rate_when(&r, 2, 1000), INT64_MAX);
    rate_set(&r, 0, 2000);
    ck_assert(rate_has(&r, UINT64_MAX, 2000));
}
END_TEST

START_TEST(no_rate_ever_lets_more_through_than_a_burst_and_its_drip)
{
    uint64_t seed = random_seed("rate");
    for (int round = 0; round < 200; round++) {
        uint32_t per_minute = 1 + (uint32_t)random_below(&seed, random_below(&seed, 2) ? 20 : RATE_MAX);
        struct rate r = {0};
        int64_t begin = AT_NOVEMBER, at = begin;
        uint64_t taken = 0;
        rate_set(&r, per_minute, at);
        for (int i = 0; i < 300; i++) {
            at += (int64_t)random_below(&seed, (uint64_t)MINUTE_US / 2);
            uint64_t tokens = 1 + random_below(&seed, per_minute);
            int64_t when = rate_when(&r, tokens, at);
            ck_assert(when == at || !rate_has(&r, tokens, when - 1));
            ck_assert(rate_has(&r, tokens, when));
            if (rate_has(&r, tokens, at)) {
                rate_take(&r, tokens, at);
                taken += tokens;
            }
            money_wide most = (money_wide)per_minute * (uint64_t)(at - begin + MINUTE_US);
            ck_assert((money_wide)taken * (uint64_t)MINUTE_US <= most);
        }
    }
}
END_TEST

/* ---- moving -------------------------------------------------------------------------------------------------- */

START_TEST(what_runs_goes_along_and_both_parents_count_right)
{
    struct cell c = cell_new();
    struct fact policy = fact_policy(c.at);
    fact_tenant(&policy, "a")->budget =
        (struct budget_rule){.present = true, .limit_micros = 1000, .period = PERIOD_MONTH};
    fact_tenant(&policy, "a/x")->budget =
        (struct budget_rule){.present = true, .limit_micros = 600, .period = PERIOD_MONTH};
    fact_tenant(&policy, "a/x/y");
    fact_tenant(&policy, "b")->budget =
        (struct budget_rule){.present = true, .limit_micros = 200, .period = PERIOD_MONTH};
    admit(&c, policy);
    struct attempt_id id = {1, 0, 1};
    admit(&c, fact_submit(c.l, c.at, 1, "a/x/y", "k", 3, 0));
    admit(&c, fact_place(c.l, c.at, id, "a/x/y", false, 300));
    admit(&c, fact_move(c.l, c.at, "a/x", "b/z"));
    struct tenant_view v;
    ck_assert(!ledger_tenant(c.l, "a/x/y", c.at, &v));
    ck_assert(ledger_tenant(c.l, "a", c.at, &v));
    ck_assert(v.running == 0 && v.queued == 0 && v.children == 0 && v.used.cpu_milli == 0);
    ck_assert_int_eq(v.held_micros, 300); /* what a has promised, a pays */
    ck_assert(ledger_tenant(c.l, "b", c.at, &v));
    ck_assert(v.running == 1 && v.queued == 2 && v.children == 1 && v.used.cpu_milli == 1000);
    ck_assert_ptr_null(v.account);
    ck_assert(ledger_tenant(c.l, "b/z", c.at, &v));
    ck_assert_str_eq(v.account, "b/z@2026-11"); /* one budget, whatever it is called */
    ck_assert_int_eq(v.held_micros, 300);
    refused(&c, fact_renew(c.l, c.at, id, "b/z/y", false, 250, 201), LEDGER_BUDGET, "b@2026-11");
    admit(&c, fact_renew(c.l, c.at, id, "b/z/y", false, 250, 200));
    struct account_view a;
    ck_assert(ledger_account(c.l, "a@2026-11", &a) && a.spent_micros == 250 && a.held_micros == 0);
    ck_assert(ledger_account(c.l, "b@2026-11", &a) && a.spent_micros == 0 && a.held_micros == 200);
    ck_assert(ledger_account(c.l, "b/z@2026-11", &a) && a.spent_micros == 250 && a.held_micros == 200);
    ck_assert(!ledger_account(c.l, "a/x@2026-11", &a));
    admit(&c, fact_end(c.at, id, 400, NEXT_QUEUED, false));
    admit(&c, fact_move(c.l, c.at, "b/z", "a/x")); /* and back */
    ck_assert(ledger_account(c.l, "a/x@2026-11", &a) && a.spent_micros == 400);
    ledger_free(c.l);
}
END_TEST

START_TEST(a_move_that_would_leave_anybody_beyond_a_limit_is_refused)
{
    struct cell c = cell_new();
    set_rows(&c, (struct row[]){{"a", 2, -1, -1}, {"a/x", 2, -1, -1}, {"a/y", 0, -1, -1}, {"b", 2, 0, -1}}, 4);
    struct fact f = fact_policy(c.at);
    struct quota_rule *q = &fact_tenant(&f, "d")->quota;
    q->max.cpu_milli = CORES(1);
    q->max_running = 1;
    q->max_queued = 1;
    admit(&c, f);
    start(&c, "a/y", 3); /* one of them borrowed of x */
    uint64_t job = start(&c, "a/x", 2);
    refused(&c, fact_move(c.l, c.at, "a/x", "d/x"), LEDGER_QUOTA, "d");
    refused(&c, fact_move(c.l, c.at, "a/y", "b/y"), LEDGER_BORROW, "b"); /* it would borrow one */
    end(&c, job);
    admit(&c, fact_submit(c.l, c.at, 900, "a/x", "k900", 2, 0));
    refused(&c, fact_move(c.l, c.at, "a/x", "d/x"), LEDGER_QUEUE_FULL, "d");
    admit(&c, fact_cancel(c.l, c.at, 900, "a/x", 2, true));
    admit(&c, fact_move(c.l, c.at, "a/x", "d/x")); /* a then borrows of the cell, which has it */
    ck_assert_int_eq(left(&c, "a"), -1);
    refused(&c, fact_move(c.l, c.at, "a", "a/x"), LEDGER_BAD, "a/x");
    refused(&c, fact_move(c.l, c.at, "a", "b"), LEDGER_BAD, "b");
    refused(&c, fact_move(c.l, c.at, "a", "nobody/a"), LEDGER_NO_TENANT, "nobody/a");
    refused(&c, fact_move(c.l, c.at, "nobody", "x"), LEDGER_NO_TENANT, "nobody");
    struct fact partly = fact_move(c.l, c.at, "a", "b/a");
    free(partly.tenant_moved.tenants.v[--partly.tenant_moved.tenants.count]);
    refused(&c, partly, LEDGER_BAD, "a");
    struct fact idle = fact_move(c.l, c.at, "a", "b/a");
    idle.tenant_moved.attempts.count--;
    refused(&c, idle, LEDGER_BAD, "a");
    ledger_free(c.l);
}
END_TEST

/* ---- random trees against the definition ------------------------------------------------------------------------- */

#define TREE 40
struct oracle {
    struct { char path[200]; int parent; int64_t nominal, borrow, lend, direct; bool there; } t[TREE];
    size_t count;
};

static int64_t oracle_left(const struct oracle *o, size_t x)
{
    int64_t left = o->t[x].nominal - o->t[x].direct;
    for (size_t c = 1; c < o->count; c++) {
        if (o->t[c].there && o->t[c].parent == (int)x) {
            int64_t theirs = oracle_left(o, c);
            left += o->t[c].lend < 0 || theirs < o->t[c].lend ? theirs : o->t[c].lend;
        }
    }
    return left;
}

/* The first tenant from the leaf up with T < -borrow once the leaf uses more; -1 = none. */
static int oracle_blocker(struct oracle *o, size_t leaf, int64_t more)
{
    int64_t total = 0;
    for (size_t i = 0; i < o->count; i++) {
        total += o->t[i].there ? o->t[i].nominal : 0;
    }
    int found = -1;
    o->t[leaf].direct += more;
    for (int x = (int)leaf; total > 0 && found < 0 && x >= 0; x = o->t[x].parent) {
        int64_t borrow = x == 0 ? 0 : o->t[x].borrow;
        if (borrow >= 0 && oracle_left(o, (size_t)x) < -borrow) {
            found = x;
        }
    }
    o->t[leaf].direct -= more;
    return found;
}

static void oracle_rule(struct oracle *o, size_t i, uint64_t *seed)
{
    o->t[i].nominal = random_below(seed, 2) ? 0 : (int64_t)random_below(seed, 12);
    o->t[i].borrow = i == 0 || random_below(seed, 2) ? -1 : (int64_t)random_below(seed, 5);
    o->t[i].lend = i == 0 || random_below(seed, 2) ? -1 : (int64_t)random_below(seed, 5);
}

static struct fact oracle_policy(struct oracle *o, const struct cell *c, size_t from, size_t to)
{
    struct fact f = fact_policy(c->at);
    for (size_t i = from; i < to; i++) {
        struct quota_rule *q = &fact_tenant(&f, o->t[i].path)->quota;
        if (o->t[i].nominal > 0) {
            must(counts_set(&q->guaranteed.generic, "gpu", (uint64_t)o->t[i].nominal));
        }
        if (o->t[i].borrow >= 0) {
            must(counts_set(&q->borrow.generic, "gpu", (uint64_t)o->t[i].borrow));
        }
        if (o->t[i].lend >= 0) {
            must(counts_set(&q->lend.generic, "gpu", (uint64_t)o->t[i].lend));
        }
    }
    return f;
}

/* Up to eight levels deep. */
static void oracle_grow(struct oracle *o, uint64_t *seed)
{
    *o = (struct oracle){.count = 2 + random_below(seed, TREE - 2)};
    snprintf(o->t[0].path, sizeof o->t[0].path, "/");
    o->t[0].parent = -1;
    o->t[0].there = true;
    int depth[TREE] = {0};
    for (size_t i = 0; i < o->count; i++) {
        oracle_rule(o, i, seed);
        o->t[i].there = true;
        if (i == 0) {
            continue;
        }
        size_t p = random_below(seed, i);
        while (depth[p] >= TENANT_DEPTH_MAX) {
            p = random_below(seed, i);
        }
        o->t[i].parent = (int)p;
        depth[i] = depth[p] + 1;
        snprintf(o->t[i].path, sizeof o->t[i].path, "%s%st%zu", p ? o->t[p].path : "", p ? "/" : "", i);
    }
}

struct live { uint64_t job; size_t leaf; int64_t use; };

static void same_left(const struct oracle *o, const struct cell *c)
{
    for (size_t i = 0; i < o->count; i++) {
        struct tenant_view v;
        ck_assert(ledger_tenant(c->l, o->t[i].path, c->at, &v));
        ck_assert_int_eq(ledger_share(c->l, o->t[i].path, LEDGER_FIXED_RESOURCES, "gpu").have -
                             (int64_t)counts_get(&v.used.generic, "gpu"),
                         oracle_left(o, i));
    }
}

static bool oracle_is_below(const struct oracle *o, size_t x, size_t top)
{
    for (int at = (int)x; at >= 0; at = o->t[at].parent) {
        if (at == (int)top) {
            return true;
        }
    }
    return false;
}

static size_t oracle_depth(const struct oracle *o, size_t x)
{
    size_t depth = 0;
    for (int at = (int)x; at > 0; at = o->t[at].parent) {
        depth++;
    }
    return depth;
}

static bool oracle_can_go(const struct oracle *o, size_t x, size_t to)
{
    size_t deepest = 0;
    for (size_t i = 0; i < o->count; i++) {
        if (oracle_is_below(o, i, x)) {
            size_t depth = oracle_depth(o, i);
            deepest = depth > deepest ? depth : deepest;
        }
    }
    return x != 0 && !oracle_is_below(o, to, x) &&
           deepest - oracle_depth(o, x) + oracle_depth(o, to) + 1 <= TENANT_DEPTH_MAX;
}

/* May nobody of the old and the new path come to be left short? */
static bool oracle_leaves_short(struct oracle *o, size_t x, size_t to)
{
    int64_t before[TREE], total = 0;
    int from = o->t[x].parent;
    for (size_t i = 0; i < o->count; i++) {
        before[i] = oracle_left(o, i);
        total += o->t[i].nominal;
    }
    o->t[x].parent = (int)to;
    bool is_short = false;
    for (size_t i = 0; i < o->count; i++) {
        int64_t left = oracle_left(o, i), borrow = i == 0 ? 0 : o->t[i].borrow;
        is_short = is_short || (left < before[i] && borrow >= 0 && left < -borrow);
    }
    o->t[x].parent = from;
    return is_short && total > 0;
}

static void oracle_move(struct oracle *o, size_t x, size_t to, int step)
{
    char old[200], new[200], rest[200];
    snprintf(old, sizeof old, "%s", o->t[x].path);
    snprintf(new, sizeof new, "%.100s%sm%d", to ? o->t[to].path : "", to ? "/" : "", step);
    for (size_t i = 0; i < o->count; i++) {
        if (oracle_is_below(o, i, x)) {
            snprintf(rest, sizeof rest, "%s", o->t[i].path + strlen(old));
            snprintf(o->t[i].path, sizeof o->t[i].path, "%.99s%.99s", new, rest);
        }
    }
    o->t[x].parent = (int)to;
}

static void try_move(struct cell *c, struct oracle *o, uint64_t *seed, int step, uint64_t *moved)
{
    size_t x = random_below(seed, o->count), to = random_below(seed, o->count);
    if (!oracle_can_go(o, x, to)) {
        return;
    }
    char name[200];
    snprintf(name, sizeof name, "%.180s%sm%d", to ? o->t[to].path : "", to ? "/" : "", step);
    struct fact f = fact_move(c->l, c->at, o->t[x].path, name);
    if (oracle_leaves_short(o, x, to)) {
        enum ledger_verdict verdict = ledger_check(c->l, &f, NULL);
        ck_assert_str_eq(names_get(&ledger_verdict_names, verdict), "borrow");
        fact_clear(&f);
        return;
    }
    admit(c, f);
    oracle_move(o, x, to, step);
    ++*moved;
}

static void one_tree(uint64_t *seed, uint64_t *admitted, uint64_t *blocked, uint64_t *moved)
{
    static struct oracle o;
    static struct live live[256];
    size_t count = 0;
    struct cell c = cell_new();
    oracle_grow(&o, seed);
    admit(&c, oracle_policy(&o, &c, 0, o.count));
    for (int step = 0; step < 120; step++) {
        uint64_t what = random_below(seed, 11);
        if (what == 10) {
            try_move(&c, &o, seed, step, moved);
        } else if (what == 0) {
            size_t i = random_below(seed, o.count);
            oracle_rule(&o, i, seed);
            admit(&c, oracle_policy(&o, &c, i, i + 1));
        } else if (what < 4 && count > 0) {
            struct live *l = &live[random_below(seed, count)];
            end(&c, l->job);
            o.t[l->leaf].direct -= l->use;
            *l = live[--count];
        } else {
            size_t leaf = random_below(seed, o.count);
            int64_t use = 1 + (int64_t)random_below(seed, 6);
            struct fact f = start_of(&c, o.t[leaf].path, 0);
            uint64_t job = f.placed.id.job;
            must(counts_set(&f.placed.resources.generic, "gpu", (uint64_t)use));
            int at = oracle_blocker(&o, leaf, use);
            if (at >= 0) {
                refused(&c, f, LEDGER_BORROW, o.t[at].path);
                ++*blocked;
            } else {
                admit(&c, f);
                o.t[leaf].direct += use;
                live[count++] = (struct live){job, leaf, use};
                ++*admitted;
            }
        }
        same_left(&o, &c);
    }
    ledger_free(c.l);
}

START_TEST(random_trees_admit_exactly_what_the_definition_does)
{
    uint64_t seed = random_seed("quota"), admitted = 0, blocked = 0, moved = 0;
    for (int i = 0; i < 150; i++) {
        one_tree(&seed, &admitted, &blocked, &moved);
    }
    ck_assert_uint_gt(admitted, 2000);
    ck_assert_uint_gt(blocked, 2000);
    ck_assert_uint_gt(moved, 200);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/quota");
    TCase *t = tcase_create("quota");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, who_is_guaranteed_nothing_in_a_tree_without_guarantees_is_not_asked);
    tcase_add_test(t, one_borrows_what_the_other_leaves_and_no_more);
    tcase_add_test(t, a_borrow_limit_stops_the_borrower_and_0_means_nothing);
    tcase_add_test(t, what_is_not_lent_stays_its_owners);
    tcase_add_test(t, a_group_borrows_as_a_group);
    tcase_add_test(t, lowering_a_guarantee_below_use_admits_nothing_new_until_enough_has_ended);
    tcase_add_test(t, a_tenant_that_goes_takes_its_guarantee_along);
    tcase_add_test(t, guarantees_beyond_2_53_together_are_refused);
    tcase_add_test(t, a_minutes_worth_may_come_at_once_then_it_drips);
    tcase_add_test(t, submissions_count_by_task_at_every_level);
    tcase_add_test(t, a_tentative_start_gives_its_token_back);
    tcase_add_test(t, another_limit_keeps_what_is_in_the_bucket);
    tcase_add_test(t, no_rate_ever_lets_more_through_than_a_burst_and_its_drip);
    tcase_add_test(t, what_runs_goes_along_and_both_parents_count_right);
    tcase_add_test(t, a_move_that_would_leave_anybody_beyond_a_limit_is_refused);
    tcase_add_test(t, random_trees_admit_exactly_what_the_definition_does);
    suite_add_tcase(s, t);
    return run_suite(s);
}
