/*
 * random_ops - a small world of tenants, jobs and attempts, and an endless row of random facts about it: sensible ones,
 * and ones that the rules must refuse. The test of the ledger and the test of the commit function draw from it.
 *
 * The world follows what was admitted (ops_admitted); it asks the ledger for names only, never for verdicts.
 */
#ifndef REEVE_TESTS_QUOTAS_RANDOM_OPS_H
#define REEVE_TESTS_QUOTAS_RANDOM_OPS_H

#include "quotas/ledger_names.h"
#include "tests/quotas/facts.h"

#define OPS_JOBS 64

#define OPS_TIMES 16
struct ops_time {
    char account[100];
    int64_t spent, held;
};
struct ops_attempt {
    struct attempt_id id;
    uint32_t job; /* index */
    int64_t spent, held;
    struct ops_time times[OPS_TIMES];
    size_t times_count;
};
struct ops_job {
    uint64_t job; /* 0 = free place */
    char tenant[64];
    bool budget;
    uint32_t queued, live, next_epoch;
};
struct ops_world {
    uint64_t seed;
    int64_t at;
    uint64_t next_job, keys, adjust_keys;
    struct ops_job jobs[OPS_JOBS];
    struct ops_attempt live[4096];
    size_t live_count;
    struct fact waiting; /* a hold whose accounts are opened first */
    bool jobs_only;      /* no adjustments */
};

static const char *const ops_tenants[] = {"acme", "acme/etl", "acme/etl/night", "acme/ml",
                                          "beta", "beta/x", "beta/etl", "gamma"};

static inline struct measure ops_bound(uint64_t *seed, uint64_t unit)
{
    return random_below(seed, 2) ? (struct measure){0} : measure_of(unit * random_below(seed, 6));
}

static inline void ops_guarantee(struct ops_world *w, struct tenant_rule *rule)
{
    uint64_t *seed = &w->seed;
    struct quota_rule *q = &rule->quota;
    bool root = strcmp(rule->path, TENANT_ROOT) == 0;
    if (random_below(seed, 2) == 0) {
        q->guaranteed.cpu_milli = 1000 * random_below(seed, root ? 60 : 12);
        q->guaranteed.mem_bytes = random_below(seed, 3) ? 0 : random_below(seed, 20) << 26;
    }
    if (random_below(seed, 3) == 0) {
        must(counts_set(&q->guaranteed.generic, "gpu", 1 + random_below(seed, 6)));
    }
    if (!root) {
        q->borrow.cpu_milli = ops_bound(seed, 1000);
        q->lend.cpu_milli = ops_bound(seed, 1000);
        q->lend.mem_bytes = ops_bound(seed, UINT64_C(1) << 26);
        if (random_below(seed, 3) == 0) {
            must(counts_set(&q->lend.generic, "gpu", random_below(seed, 3)));
        }
        if (random_below(seed, 3) == 0) {
            must(counts_set(&q->borrow.generic, "gpu", random_below(seed, 3)));
        }
    }
    q->submits_per_minute = random_below(seed, 5) ? 0 : 2 + (uint32_t)random_below(seed, 9);
    q->starts_per_minute = random_below(seed, 5) ? 0 : 1 + (uint32_t)random_below(seed, 5);
}

static inline void ops_finish_budget(struct ops_world *w, struct budget_rule *b)
{
    b->soft = random_below(&w->seed, 6) == 0;
    for (uint32_t of = 0; of < THRESHOLD_OF_COUNT && random_below(&w->seed, 2) == 0; of++) {
        struct threshold_rule *t = list_add(&b->thresholds, sizeof *t);
        *t = (struct threshold_rule){1 + (uint32_t)random_below(&w->seed, 110), of};
    }
    b->carry = (uint32_t)random_below(&w->seed, CARRY_KIND_COUNT);
    b->carry_max_micros = b->carry == CARRY_CAPPED ? (int64_t)random_below(&w->seed, 3000) : 0;
    if (b->period == PERIOD_CUSTOM || b->period == PERIOD_FIXED) {
        b->from_utc_us = AT_NOVEMBER + DAY_US * (int64_t)random_below(&w->seed, 60);
        b->to_utc_us = b->from_utc_us + DAY_US * (int64_t)(1 + random_below(&w->seed, 200));
        b->every_days = 1 + (uint32_t)random_below(&w->seed, 9);
    }
}

static inline void ops_rule(struct ops_world *w, struct tenant_rule *rule)
{
    uint64_t *seed = &w->seed;
    if (random_below(seed, 3) == 0) {
        ops_guarantee(w, rule);
    }
    rule->quota.max.cpu_milli = random_below(seed, 2) ? 1000 * (1 + random_below(seed, 12)) : 0;
    rule->quota.max.mem_bytes = random_below(seed, 3) ? 0 : (uint64_t)(1 + random_below(seed, 20)) << 26;
    rule->quota.max_running = random_below(seed, 3) ? 0 : 1 + random_below(seed, 10);
    rule->quota.max_queued = random_below(seed, 2) ? 0 : 1 + random_below(seed, 60);
    if (random_below(seed, 3) == 0) {
        must(counts_set(&rule->quota.max.generic, "gpu", 1 + random_below(seed, 6)));
    }
    if (random_below(seed, 3) > 0) {
        rule->budget.present = true;
        rule->budget.limit_micros = (int64_t)random_below(seed, 20000);
        rule->budget.period = (uint32_t)random_below(seed, PERIOD_CUSTOM);
        ops_finish_budget(w, &rule->budget);
    }
    static const char *const names[] = {"a", "b", "gpu"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (random_below(seed, 4) == 0) {
            struct budget_rule *b = list_add(&rule->budgets, sizeof *b);
            set_text(&b->name, names[i]);
            b->limit_micros = (int64_t)random_below(seed, 20000);
            b->period = (uint32_t)random_below(seed, PERIOD_KIND_COUNT);
            ops_finish_budget(w, b);
            if (i == 2) {
                set_text(&b->resource, "gpu");
            }
        }
    }
}

struct ops_pick {
    uint64_t at;
    char path[256];
};

static inline bool ops_pick_one(const struct tenant_rule *rule, void *arg)
{
    struct ops_pick *p = arg;
    snprintf(p->path, sizeof p->path, "%s", rule->path);
    return p->at-- > 0;
}

static inline bool ops_count_one(const struct tenant_rule *rule, void *arg)
{
    (void)rule;
    ++*(uint64_t *)arg;
    return true;
}

/* Some tenant that is there. */
static inline struct ops_pick ops_some_tenant(struct ops_world *w, const struct ledger *l)
{
    uint64_t count = 0;
    ledger_each_tenant(l, ops_count_one, &count);
    struct ops_pick p = {.at = random_below(&w->seed, count)};
    ledger_each_tenant(l, ops_pick_one, &p);
    return p;
}

static inline struct fact ops_policy(struct ops_world *w, const struct ledger *l)
{
    struct fact f = fact_policy(w->at);
    size_t tenants = COUNT_OF(ops_tenants);
    /* In table order parents come before children. */
    for (size_t i = 0; i < tenants; i++) {
        if (random_below(&w->seed, 3) == 0) {
            ops_rule(w, fact_tenant(&f, ops_tenants[i]));
        } else if (random_below(&w->seed, 12) == 0) {
            must(strs_add(&f.policy.removed, ops_tenants[i]));
        }
    }
    if (random_below(&w->seed, 8) == 0) {
        ops_rule(w, fact_tenant(&f, TENANT_ROOT));
    }
    if (random_below(&w->seed, 5) == 0 && f.policy.removed.count == 0) {
        struct ops_pick leaving = ops_some_tenant(w, l);
        f = (fact_clear(&f), fact_policy(w->at));
        if (strcmp(leaving.path, TENANT_ROOT) != 0) {
            must(strs_add(&f.policy.removed, leaving.path));
        }
    }
    (void)ledger_new_limits(l, &f.policy, w->at);
    return f;
}

/* To a place where it may or may not go; now and then without all that goes along. */
/* Redis counts those that run where they go along; one that only holds money there it would have to look for in every
 * hold, and the core always lists it. */
static inline bool ops_last_runs_below(const struct ops_world *w, const struct fact_tenant_moved *m)
{
    const struct attempt_id *last = &((const struct attempt_id *)m->attempts.v)[m->attempts.count - 1];
    for (size_t i = 0; i < OPS_JOBS; i++) {
        if (w->jobs[i].job == last->job && tenant_path_is_below(w->jobs[i].tenant, m->from)) {
            return true;
        }
    }
    return false;
}

static inline struct fact ops_move(struct ops_world *w, const struct ledger *l)
{
    char from[256], to[300];
    struct ops_pick parent = ops_some_tenant(w, l);
    snprintf(from, sizeof from, "%s", ops_some_tenant(w, l).path);
    if (random_below(&w->seed, 2) == 0 && w->live_count > 0) { /* where something runs */
        const struct ops_attempt *a = &w->live[random_below(&w->seed, w->live_count)];
        snprintf(from, sizeof from, "%s", w->jobs[a->job].tenant);
    }
    bool root = strcmp(parent.path, TENANT_ROOT) == 0;
    snprintf(to, sizeof to, "%.40s%sm%llu", root ? "" : parent.path, root ? "" : "/",
             (unsigned long long)random_below(&w->seed, 40));
    if (random_below(&w->seed, 3) == 0) {
        snprintf(to, sizeof to, "%s", ops_tenants[random_below(&w->seed, COUNT_OF(ops_tenants))]);
    }
    struct fact f = fact_move(l, w->at, from, to);
    struct fact_tenant_moved *m = &f.tenant_moved;
    for (size_t i = 0; i < OPS_JOBS; i++) {
        if (w->jobs[i].job != 0 && tenant_path_is_below(w->jobs[i].tenant, from)) {
            struct moved_job *job = list_add(&m->jobs, sizeof *job);
            job->job = w->jobs[i].job;
        }
    }
    if (random_below(&w->seed, 12) == 0 && m->attempts.count > 0 && ops_last_runs_below(w, m)) {
        m->attempts.count--;
    }
    if (random_below(&w->seed, 12) == 0 && m->tenants.count > 1) {
        free(m->tenants.v[--m->tenants.count]);
    }
    return f;
}

static inline struct ops_job *ops_some_job(struct ops_world *w)
{
    return &w->jobs[random_below(&w->seed, OPS_JOBS)];
}

/* A key and whose it is. One in `again` comes back: mostly to its own tenant, where it is known, else to another, where
 * it is new. */
static inline const char *ops_key(struct ops_world *w, uint64_t *keys, uint64_t again, const char *prefix, char out[32])
{
    bool is_old = random_below(&w->seed, again) == 0 && *keys > 0;
    uint64_t number = is_old ? random_below(&w->seed, *keys) : (*keys)++;
    uint64_t other = random_below(&w->seed, 4) == 0 ? random_below(&w->seed, COUNT_OF(ops_tenants)) : 0;
    snprintf(out, 32, "%s%llu", prefix, (unsigned long long)number);
    return ops_tenants[(number + other) % COUNT_OF(ops_tenants)];
}

static inline struct fact ops_submit(struct ops_world *w, const struct ledger *l)
{
    char key[32];
    const char *tenant = ops_key(w, &w->keys, 10, "key-", key); /* with the same body or another */
    int64_t budget = random_below(&w->seed, 3) ? 0 : 1 + (int64_t)random_below(&w->seed, 3000);
    uint32_t tasks = 1 + (uint32_t)random_below(&w->seed, 5);
    return fact_submit(l, w->at, w->next_job++, tenant, key, tasks, budget);
}

/* ---- the time of a resource ---- */
static inline void ops_add_time(struct list *to, const char *account, int64_t spent, int64_t hold)
{
    struct time_hold *t = list_add(to, sizeof *t);
    set_text(&t->account, account);
    t->spent = spent;
    t->hold = hold;
}

struct ops_times {
    struct ops_world *w;
    const struct list *settled;
    struct list *ret;
};

static inline bool ops_take_time(const struct ledger_budget *b, void *arg)
{
    struct ops_times *t = arg;
    const struct time_hold *settled = t->settled->v;
    if (!b->rule || !b->rule->resource || t->ret->count == OPS_TIMES) {
        return true;
    }
    int64_t spent = 0;
    for (size_t i = 0; i < t->settled->count; i++) {
        spent = strcmp(settled[i].account, b->account) == 0 ? settled[i].spent : spent;
    }
    ops_add_time(t->ret, b->account, spent, (int64_t)random_below(&t->w->seed, 500));
    return true;
}

static inline void ops_hold_times(struct ops_world *w, const struct ledger *l, const char *tenant,
                                  const struct list *settled, struct list *ret)
{
    struct strs path = {0};
    struct ops_times t = {w, settled, ret};
    if (ledger_path(l, tenant, &path)) {
        must(ledger_each_budget(l, &path, w->at, ops_take_time, &t));
    }
    texts_clear(&path);
}

static inline void ops_settle_times(struct ops_world *w, const struct ops_attempt *a, struct list *ret)
{
    for (size_t i = 0; i < a->times_count && random_below(&w->seed, 100) > 0; i++) {
        const struct ops_time *t = &a->times[i];
        bool odd = random_below(&w->seed, 60) == 0;
        int64_t more = odd ? t->held + 1 : (int64_t)random_below(&w->seed, (uint64_t)t->held + 1);
        ops_add_time(ret, t->account, t->spent + more, 0);
    }
}

static inline void ops_note_times(struct ops_attempt *a, const struct list *times)
{
    const struct time_hold *v = times->v;
    a->times_count = times->count;
    for (size_t i = 0; i < times->count; i++) {
        a->times[i] = (struct ops_time){.spent = v[i].spent, .held = v[i].hold};
        snprintf(a->times[i].account, sizeof a->times[i].account, "%s", v[i].account);
    }
}

/* Two to four tasks that start together: the first as the placement had it; now and then one is there already, or holds
 * what nothing can. Some are left out, now and then more than there are. */
static inline struct fact ops_gang_of(struct ops_world *w, struct fact placed)
{
    struct fact_placed *p = &placed.placed;
    struct fact f = {.kind = FACT_GANG_PLACED, .at_utc_us = placed.at_utc_us};
    f.gang_placed = (struct fact_gang){.job = p->id.job, .resources = p->resources, .path = p->path,
                                       .accounts = p->accounts, .times = p->times};
    uint32_t count = 2 + (uint32_t)random_below(&w->seed, 3);
    f.gang_placed.left_out = random_below(&w->seed, 3) == 0 ? 1 + (uint32_t)random_below(&w->seed, 3) : 0;
    if (random_below(&w->seed, 20) == 0) {
        f.gang_placed.left_out = JOB_GANG_MAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct gang_member *m = list_add(&f.gang_placed.members, sizeof *m);
        must(m == NULL);
        *m = (struct gang_member){.task = p->id.task + i, .epoch = p->id.epoch, .hold_micros = p->hold_micros};
        m->hold_micros += i > 0 ? (int64_t)random_below(&w->seed, 5) : 0;
        set_text(&m->node, i % 2 == 0 ? "n1" : "n2");
    }
    free(p->node);
    free(p->price_class);
    return f;
}

static inline struct fact ops_place(struct ops_world *w, const struct ledger *l)
{
    const struct ops_job *job = ops_some_job(w);
    struct attempt_id id = {job->job, (uint32_t)random_below(&w->seed, 5), job->next_epoch};
    if (random_below(&w->seed, 20) == 0 && w->live_count > 0) {
        id = w->live[random_below(&w->seed, w->live_count)].id; /* a duplicate */
    }
    struct fact f = fact_place(l, w->at, id, job->job ? job->tenant : "acme", job->budget,
                               (int64_t)random_below(&w->seed, 800));
    if (random_below(&w->seed, 3) == 0) {
        must(counts_set(&f.placed.resources.generic, "gpu", 1 + random_below(&w->seed, 3)));
        ops_hold_times(w, l, job->job ? job->tenant : "acme", &(struct list){0}, &f.placed.times);
    }
    if (random_below(&w->seed, 50) == 0) {
        f.placed.hold_micros = random_below(&w->seed, 2) ? -1 : MONEY_MICROS_MAX + 1;
    }
    if (random_below(&w->seed, 50) == 0) {
        must(strs_add(&f.placed.accounts, random_below(&w->seed, 2) ? "job:999999" : "nobody@2026"));
    }
    return random_below(&w->seed, 6) == 0 ? ops_gang_of(w, f) : f;
}

static inline struct ops_attempt ops_some_attempt(struct ops_world *w)
{
    if (w->live_count == 0 || random_below(&w->seed, 30) == 0) {
        return (struct ops_attempt){.id = {77777, 1, 1}}; /* holds nothing */
    }
    return w->live[random_below(&w->seed, w->live_count)];
}

static inline int64_t ops_spend(struct ops_world *w, const struct ops_attempt *a)
{
    uint64_t odd = random_below(&w->seed, 40);
    return odd == 0   ? a->spent + a->held + 1
           : odd == 1 ? a->spent - 1
                      : a->spent + (int64_t)random_below(&w->seed, (uint64_t)a->held + 1);
}

static inline struct fact ops_renew(struct ops_world *w, const struct ledger *l)
{
    struct ops_attempt a = ops_some_attempt(w);
    const struct ops_job *job = &w->jobs[a.job];
    struct fact f = fact_renew(l, w->at, a.id, job->tenant, job->budget, ops_spend(w, &a),
                               (int64_t)random_below(&w->seed, 800));
    ops_settle_times(w, &a, &f.renewed.times_settled);
    if (a.times_count > 0) {
        ops_hold_times(w, l, job->tenant, &f.renewed.times_settled, &f.renewed.times);
    }
    return f;
}

static inline struct fact ops_end(struct ops_world *w)
{
    struct ops_attempt a = ops_some_attempt(w);
    const struct ops_job *job = &w->jobs[a.job];
    uint32_t next = random_below(&w->seed, 5) ? NEXT_FINAL : random_below(&w->seed, 2) ? NEXT_QUEUED : NEXT_HELD;
    bool last = job->job == a.id.job && job->queued == 0 && job->live == 1 && next == NEXT_FINAL;
    bool done = random_below(&w->seed, 60) == 0 ? !last && next == NEXT_FINAL && job->live > 1 : last;
    struct fact f = fact_end(w->at, a.id, ops_spend(w, &a), next, done);
    ops_settle_times(w, &a, &f.ended.times_settled);
    return f;
}

static inline struct fact ops_cancel(struct ops_world *w, const struct ledger *l)
{
    const struct ops_job *job = ops_some_job(w);
    uint32_t count = job->queued > 0 ? 1 + (uint32_t)random_below(&w->seed, job->queued) : 0;
    if (random_below(&w->seed, 40) == 0) {
        count = 1000000;
    }
    return fact_cancel(l, w->at, job->job, job->job ? job->tenant : "beta", count,
                       job->job && count == job->queued && job->live == 0);
}

static inline struct fact ops_open(struct ops_world *w, const struct ledger *l)
{
    struct fact f = {0};
    struct strs path = {0}, names = {0};
    (void)ledger_path(l, ops_tenants[random_below(&w->seed, COUNT_OF(ops_tenants))], &path);
    add_accounts(l, &path, w->at, &names);
    const char *name = names.count > 0 ? names.v[random_below(&w->seed, names.count)] : "nobody@2026";
    if (!ledger_opening(l, name, w->at, &f)) { /* there already, or nobody's */
        f = (struct fact){.kind = FACT_BUDGET_OPENED, .at_utc_us = w->at};
        set_text(&f.budget_opened.account, name);
    }
    if (random_below(&w->seed, 4) == 0) {
        f.budget_opened.limit_micros = random_below(&w->seed, 2) ? -2 : LEDGER_COUNT_MAX + 1;
    }
    texts_clear(&path);
    texts_clear(&names);
    return f;
}

static inline struct fact ops_adjust(struct ops_world *w, const struct ledger *l)
{
    struct fact f = {.kind = FACT_LEDGER_ADJUSTED, .at_utc_us = w->at};
    struct strs path = {0};
    char key[32];
    const char *tenant = ops_key(w, &w->adjust_keys, 4, "k", key);
    set_text(&f.adjusted.tenant, tenant);
    struct tenant_view view;
    f.adjusted.tenant_id = ledger_tenant(l, tenant, w->at, &view) ? view.id : 999;
    set_text(&f.adjusted.key, key);
    set_text(&f.adjusted.reason, "because");
    f.adjusted.micros = (int64_t)random_below(&w->seed, 3000) - 1500;
    if (random_below(&w->seed, 20) == 0) {
        f.adjusted.micros = random_below(&w->seed, 2) ? MONEY_MICROS_MAX + 1 : -MONEY_MICROS_MAX - 1;
    }
    (void)ledger_path(l, tenant, &path);
    add_accounts(l, &path, w->at, &f.adjusted.accounts); /* open or not */
    texts_clear(&path);
    if (f.adjusted.accounts.count == 0) {
        must(strs_add(&f.adjusted.accounts, LEDGER_ROOT_TOTAL));
    }
    return f;
}

/* Any account's name, spent as it stands; `at` says which. */
struct ops_pick_closed {
    uint64_t at;
    struct closed_account found;
};

static inline bool ops_pick_account(const struct account_view *view, void *arg)
{
    struct ops_pick_closed *p = arg;
    set_text(&p->found.account, view->name);
    p->found.spent_micros = view->spent_micros;
    return p->at-- > 0;
}

/* What may be closed; now and then with another sum, twice, or some account that has no end yet. */
static inline struct fact ops_close(struct ops_world *w, const struct ledger *l)
{
    int64_t again;
    struct fact f = {.kind = FACT_ACCOUNTS_CLOSED, .at_utc_us = w->at};
    if (random_below(&w->seed, 3) > 0 && ledger_closing(l, w->at, &f, &again)) {
        struct closed_account *v = f.accounts_closed.accounts.v;
        v[0].spent_micros += random_below(&w->seed, 4) == 0;
        if (random_below(&w->seed, 6) == 0 && f.accounts_closed.accounts.count < ACCOUNTS_CLOSED_MAX) {
            struct closed_account *twice = list_add(&f.accounts_closed.accounts, sizeof *twice);
            v = f.accounts_closed.accounts.v;
            set_text(&twice->account, v[0].account);
            twice->spent_micros = v[0].spent_micros;
        }
        return f;
    }
    struct ops_pick_closed p = {.at = random_below(&w->seed, 12)};
    ledger_each_account(l, ops_pick_account, &p);
    struct account_view view;
    struct closed_account *c = list_add(&f.accounts_closed.accounts, sizeof *c);
    if (p.found.account == NULL || !ledger_account(l, p.found.account, &view) || random_below(&w->seed, 9) == 0) {
        free(p.found.account);
        p.found.account = NULL;
        set_text(&p.found.account, "nobody@2026");
    } else {
        p.found.spent_micros += view.to_utc_us <= w->at; /* a hold that is nothing may name it: the store can't know */
    }
    *c = p.found;
    return f;
}

static inline struct fact ops_close_period(struct ops_world *w)
{
    return (struct fact){.kind = FACT_PERIOD_CLOSED, .at_utc_us = w->at};
}

static inline struct fact ops_some(struct ops_world *w, const struct ledger *l)
{
    /* Mostly in quick succession, so that rates bite; but periods end, too. */
    w->at += (int64_t)random_below(&w->seed, random_below(&w->seed, 4) ? 3000000 : (uint64_t)DAY_US / 10);
    uint64_t what = random_below(&w->seed, 100);
    if (w->live_count == 0 && what >= 50 && what < 92 && random_below(&w->seed, 8) > 0) {
        what = 20 + random_below(&w->seed, 30); /* what holds nothing can't be renewed or ended: begin something */
    }
    if (what < 3) {
        return ops_policy(w, l);
    }
    if (what < 5 && random_below(&w->seed, 2) == 0) {
        return ops_move(w, l);
    }
    if (what < 20) {
        return ops_submit(w, l);
    }
    if (what < 50) {
        return ops_place(w, l);
    }
    if (what < 70) {
        return ops_renew(w, l);
    }
    if (what < 92) {
        return ops_end(w);
    }
    if (what < 95) {
        return ops_cancel(w, l);
    }
    if (what < 98 && !w->jobs_only) {
        return ops_adjust(w, l);
    }
    if (what < 99) {
        return ops_open(w, l);
    }
    uint64_t rare = random_below(&w->seed, 12);
    if (rare < 5) {
        return ops_close(w, l);
    }
    if (rare == 5 && !w->jobs_only) { /* its own journals close their months */
        return ops_close_period(w);
    }
    struct fact note = {.kind = FACT_ATTEMPT_RUNNING, .at_utc_us = w->at, .running = {.id = {1, 0, 1}}};
    return note;
}

/* Mostly the accounts of a hold are opened before it comes. */
static inline struct fact ops_next(struct ops_world *w, const struct ledger *l)
{
    struct fact opening;
    struct fact f = w->waiting.kind != FACT_NONE ? w->waiting : ops_some(w, l);
    bool holds = fact_placements(&f) > 0 || f.kind == FACT_HOLD_RENEWED;
    w->waiting = (struct fact){0};
    if (holds && random_below(&w->seed, 30) > 0 && ledger_opening_for(l, &f, &opening)) {
        w->waiting = f;
        return opening;
    }
    return f;
}

static inline struct ops_job *ops_find_job(struct ops_world *w, uint64_t job)
{
    for (size_t i = 0; i < OPS_JOBS; i++) {
        if (w->jobs[i].job == job) {
            return &w->jobs[i];
        }
    }
    abort();
}

static inline bool ops_has_room(const struct ops_world *w)
{
    for (size_t i = 0; i < OPS_JOBS; i++) {
        if (w->jobs[i].job == 0) {
            return true;
        }
    }
    return false;
}

static inline struct ops_attempt *ops_find_attempt(struct ops_world *w, struct attempt_id id)
{
    for (size_t i = 0; i < w->live_count; i++) {
        if (attempt_id_equal(w->live[i].id, id)) {
            return &w->live[i];
        }
    }
    abort();
}

static inline void ops_forget_if_done(struct ops_job *job)
{
    if (job->queued == 0 && job->live == 0) {
        job->job = 0;
        job->budget = false;
    }
}

static inline void ops_started(struct ops_world *w, const struct fact_placed *p)
{
    struct ops_job *job = ops_find_job(w, p->id.job);
    job->queued--;
    job->live++;
    job->next_epoch = p->id.epoch + 1;
    struct ops_attempt *live = &w->live[w->live_count++];
    *live = (struct ops_attempt){.id = p->id, .job = (uint32_t)(job - w->jobs), .held = p->hold_micros};
    ops_note_times(live, &p->times);
}

/* The fact was admitted: the world follows. */
static inline void ops_admitted(struct ops_world *w, const struct fact *f)
{
    struct fact room;
    for (size_t i = 0; i < fact_placements(f); i++) {
        ops_started(w, &fact_placement(f, i, &room)->placed);
    }
    if (f->kind == FACT_GANG_PLACED) {
        ops_find_job(w, f->gang_placed.job)->queued -= f->gang_placed.left_out;
    }
    if (f->kind == FACT_JOB_SUBMITTED) {
        struct ops_job *job = ops_find_job(w, 0);
        *job = (struct ops_job){.job = f->submitted.job, .next_epoch = 1};
        job->budget = f->submitted.spec.budget_micros > 0;
        snprintf(job->tenant, sizeof job->tenant, "%s", f->submitted.tenant);
        job->queued = job_spec_tasks(&f->submitted.spec);
    } else if (f->kind == FACT_TASKS_CANCELLED && f->cancelled.count > 0) {
        struct ops_job *job = ops_find_job(w, f->cancelled.job);
        job->queued -= f->cancelled.count;
        ops_forget_if_done(job);
    } else if (f->kind == FACT_HOLD_RENEWED) {
        struct ops_attempt *a = ops_find_attempt(w, f->renewed.id);
        a->spent = f->renewed.spent_micros;
        a->held = f->renewed.hold_micros;
        ops_note_times(a, &f->renewed.times);
    } else if (f->kind == FACT_ATTEMPT_ENDED) {
        struct ops_attempt *a = ops_find_attempt(w, f->ended.id);
        struct ops_job *job = &w->jobs[a->job];
        job->live--;
        job->queued += f->ended.next != NEXT_FINAL;
        ops_forget_if_done(job);
        *a = w->live[--w->live_count];
    } else if (f->kind == FACT_TENANT_MOVED) {
        const struct fact_tenant_moved *m = &f->tenant_moved;
        for (size_t i = 0; i < OPS_JOBS; i++) {
            if (w->jobs[i].job != 0 && tenant_path_is_below(w->jobs[i].tenant, m->from)) {
                char *moved = ledger_moved_name(w->jobs[i].tenant, m->from, m->to);
                snprintf(w->jobs[i].tenant, sizeof w->jobs[i].tenant, "%s", moved);
                free(moved);
            }
        }
    }
}

/* May this fact be tried at all? A job that doesn't exist can't be told from a tenant's other jobs by the counters, and
 * the world's tables have an end. */
static inline bool ops_is_fair(const struct ops_world *w, const struct fact *f)
{
    if (f->kind == FACT_JOB_SUBMITTED) {
        return ops_has_room(w);
    }
    if (f->kind == FACT_TASKS_CANCELLED) {
        return f->cancelled.job != 0 && f->cancelled.count > 0;
    }
    struct fact room;
    size_t starts = fact_placements(f), left = f->kind == FACT_GANG_PLACED ? f->gang_placed.left_out % JOB_GANG_MAX : 0;
    const struct fact_placed *p = starts > 0 ? &fact_placement(f, 0, &room)->placed : NULL;
    for (size_t i = 0; p && p->id.job != 0 && p->path.count > 0 && i < OPS_JOBS; i++) {
        if (w->jobs[i].job == p->id.job) {
            return w->jobs[i].queued >= starts + left && w->live_count + starts <= COUNT_OF(w->live);
        }
    }
    return starts == 0;
}

#endif
