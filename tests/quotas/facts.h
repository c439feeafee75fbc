/*
 * facts - facts made by hand, for the tests of the ledger and the store. Every maker aborts on lack of memory; the
 * caller clears what it gets with fact_clear().
 */
#ifndef REEVE_TESTS_QUOTAS_FACTS_H
#define REEVE_TESTS_QUOTAS_FACTS_H

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fact.h"
#include "base/task_state.h"
#include "quotas/ledger.h"
#include "tests/random.h"

#define AT_NOVEMBER INT64_C(1795392000000000) /* 2026-11-23T00:00:00Z */
#define HOUR_US (UINT64_C(3600) * 1000000)
#define DAY_US (INT64_C(86400) * 1000000)

static inline void must(int rc)
{
    if (rc < 0) {
        abort();
    }
}

static inline void set_text(char **field, const char *text)
{
    must(str_set(field, text));
}

static inline void add_texts(struct strs *to, const struct strs *from)
{
    for (size_t i = 0; i < from->count; i++) {
        must(strs_add(to, from->v[i]));
    }
}

static inline void texts_clear(struct strs *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->v[i]);
    }
    free(s->v);
    *s = (struct strs){0};
}

/* A change of policy that sets one tenant; further ones with fact_tenant(). */
static inline struct fact fact_policy(int64_t at_utc_us)
{
    return (struct fact){.kind = FACT_POLICY_SET, .at_utc_us = at_utc_us, .policy = {.version = 1}};
}

static inline struct tenant_rule *fact_tenant(struct fact *fact, const char *path)
{
    struct tenant_rule *rule = list_add(&fact->policy.tenants, sizeof *rule);
    if (!rule) {
        abort();
    }
    set_text(&rule->path, path);
    return rule;
}

static inline struct fact fact_submit(const struct ledger *l, int64_t at, uint64_t job, const char *tenant,
                                      const char *key, uint32_t tasks, int64_t budget)
{
    struct fact f = {.kind = FACT_JOB_SUBMITTED, .at_utc_us = at};
    struct fact_submitted *s = &f.submitted;
    s->job = job;
    set_text(&s->tenant, tenant);
    set_text(&s->user, "alice");
    set_text(&s->key, key);
    set_text(&s->spec.name, "true");
    must(strs_add(&s->spec.command, "/bin/true"));
    s->spec.resources.cpu_milli = 1000;
    s->spec.resources.mem_bytes = 64 << 20;
    s->spec.budget_micros = budget;
    if (tasks > 1) {
        s->spec.array = (struct job_array){.present = true, .last = tasks - 1};
    }
    if (!ledger_path(l, tenant, &s->path)) {
        must(strs_add(&s->path, tenant));
    }
    return f;
}

static inline struct fact fact_cancel(const struct ledger *l, int64_t at, uint64_t job, const char *tenant,
                                      uint32_t count, bool job_done)
{
    struct fact f = {.kind = FACT_TASKS_CANCELLED, .at_utc_us = at};
    f.cancelled = (struct fact_tasks){.job = job, .count = count, .job_done = job_done};
    (void)ledger_path(l, tenant, &f.cancelled.path);
    return f;
}

/* The accounts along a path; none when it names a tenant that isn't there. */
static inline void add_accounts(const struct ledger *l, const struct strs *path, int64_t at, struct strs *ret)
{
    if (ledger_accounts(l, path, at, ret) < 0) {
        texts_clear(ret);
    }
}

/* Opens what a hold needs; no-op for every other fact. */
static inline void open_accounts(struct ledger *l, const struct fact *f)
{
    struct fact opening;
    while ((fact_placements(f) > 0 || f->kind == FACT_HOLD_RENEWED) && ledger_opening_for(l, f, &opening)) {
        ledger_apply(l, &opening);
        fact_clear(&opening);
    }
}

/* On the accounts that the ledger names at `at`, and on the job's own when `budget`. */
static inline struct fact fact_place(const struct ledger *l, int64_t at, struct attempt_id id, const char *tenant,
                                     bool budget, int64_t hold)
{
    struct fact f = {.kind = FACT_ATTEMPT_PLACED, .at_utc_us = at};
    struct fact_placed *p = &f.placed;
    char name[32];
    p->id = id;
    set_text(&p->node, "n1");
    p->resources.cpu_milli = 1000;
    p->resources.mem_bytes = 64 << 20;
    p->hold_micros = hold;
    (void)ledger_path(l, tenant, &p->path);
    add_accounts(l, &p->path, at, &p->accounts);
    snprintf(name, sizeof name, "job:%llu", (unsigned long long)id.job);
    if (budget) {
        must(strs_add(&p->accounts, name));
    }
    return f;
}

static inline struct fact fact_renew(const struct ledger *l, int64_t at, struct attempt_id id, const char *tenant,
                                     bool budget, int64_t spent, int64_t hold)
{
    struct fact f = {.kind = FACT_HOLD_RENEWED, .at_utc_us = at};
    struct strs path = {0};
    char name[32];
    f.renewed = (struct fact_renewed){.id = id, .spent_micros = spent, .hold_micros = hold};
    (void)ledger_path(l, tenant, &path);
    add_accounts(l, &path, at, &f.renewed.accounts);
    texts_clear(&path);
    snprintf(name, sizeof name, "job:%llu", (unsigned long long)id.job);
    if (budget) {
        must(strs_add(&f.renewed.accounts, name));
    }
    return f;
}

static inline struct fact fact_end(int64_t at, struct attempt_id id, int64_t spent, uint32_t next, bool job_done)
{
    struct fact f = {.kind = FACT_ATTEMPT_ENDED, .at_utc_us = at};
    f.ended = (struct fact_ended){.id = id, .next = next, .spent_micros = spent, .job_done = job_done};
    f.ended.state = next == NEXT_FINAL ? TASK_SUCCEEDED : 0;
    f.ended.record.cause = END_EXIT;
    set_text(&f.ended.node, "n1");
    return f;
}

static inline struct fact fact_move(const struct ledger *l, int64_t at, const char *from, const char *to)
{
    struct fact f = {.kind = FACT_TENANT_MOVED, .at_utc_us = at};
    struct fact_tenant_moved *m = &f.tenant_moved;
    char parent[256] = TENANT_ROOT;
    const char *slash = strrchr(to, '/');
    if (slash && slash > to) {
        snprintf(parent, sizeof parent, "%.*s", (int)(slash - to), to);
    }
    set_text(&m->from, from);
    set_text(&m->to, to);
    (void)ledger_path(l, from, &m->from_path);
    must(strs_add(&m->to_path, to));
    (void)ledger_path(l, parent, &m->to_path);
    must(ledger_fill_move(l, m));
    return f;
}

#endif
