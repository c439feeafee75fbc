#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "policies/admit.h"
#include "quotas/ledger_names.h"
#include "quotas/rate.h"
#include "scheduler/core/explain_ask.h"
#include "scheduler/core/money.h"
#include "scheduler/core/preempt.h"

#define BLOCKERS_MAX 32

/* "acme/etl@2026-11" is acme/etl's budget to people. */
static void account_words(const char *name, char out[300])
{
    const char *mark = strrchr(name, '@');
    if (strncmp(name, "job:", 4) == 0)
        snprintf(out, 300, "job %s", name + 4);
    else
        snprintf(out, 300, "%.*s", (int)(mark != NULL ? (size_t)(mark - name) : strlen(name)), name);
}

/* "12.50", or "12.50 gpu-hours" of the time of a resource. */
static const char *amount_words(const struct ledger_blocker *l, int64_t micros, char out[80])
{
    char text[PARSE_TEXT_MAX];
    const char *unit = l->resource;
    if (unit != NULL && strcmp(unit, "cpu") == 0)
        unit = "core";
    else if (unit != NULL && (strcmp(unit, "memory") == 0 || strcmp(unit, "scratch") == 0))
        unit = "GiB";
    format_money(micros, text);
    snprintf(out, 80, "%s%s%.31s%s", text, unit != NULL ? " " : "", unit != NULL ? unit : "",
             unit != NULL ? "-hours" : "");
    return out;
}

static void closed_blocker(struct question *q, const struct ledger_blocker *l, const char *where)
{
    struct account_view view;
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX];
    struct blocker *b = explain_add(q, "budget", where, l->resource);
    bool open = ledger_account(q->core->ledger, l->where, &view);
    BUG(!open);
    b->text = text_of("budget: %s holds from %s to %s, not now", where, format_time(view.from_utc_us, from),
                      format_time(view.to_utc_us, to));
    if (view.from_utc_us > q->utc_us)
        explain_until(q, view.from_utc_us);
    else
        explain_change(q, text_of("budget %s gets another period", where));
}

static void budget_blocker(struct question *q, const struct ledger_blocker *l)
{
    char where[300], limit[80], spent[80], held[80], free_text[80], need[80], lack[80];
    account_words(l->where, where);
    if (l->closed) {
        closed_blocker(q, l, where);
        return;
    }
    struct blocker *b = explain_add(q, "budget", where, l->resource);
    b->limit = l->limit;
    b->used = l->used;
    b->held = l->held;
    b->free = l->limit - l->used - l->held;
    b->need = l->need;
    b->short_by = l->need - b->free;
    b->text = text_of("budget: %s has %s free (limit %s, spent %s, held %s), needs %s, short %s", where,
                      amount_words(l, b->free, free_text), amount_words(l, l->limit, limit),
                      amount_words(l, l->used, spent), amount_words(l, l->held, held),
                      amount_words(l, l->need, need), amount_words(l, b->short_by, lack));
    explain_change(q, text_of("budget %s grows by %s", where, lack));
}

static uint64_t resource_named(const struct resources *r, const char *name)
{
    uint64_t amount;
    const char *at;
    for (size_t i = 0; (at = ledger_resource(r, i, &amount)) != NULL; i++)
        if (strcmp(at, name) == 0)
            return amount;
    return 0;
}

/* Of what is needed, so much the tasks bring that have to end first: they are alike. */
static int64_t needs_beside(const struct question *q, const struct ledger_blocker *l)
{
    uint32_t tasks = MAX(q->job->gang_min, 1);
    return l->need - l->need / tasks * MIN(q->ending, tasks);
}

static void quota_blocker(struct question *q, const struct ledger_blocker *l)
{
    char limit[48], used[48], need[48], lack[48];
    if (l->used + needs_beside(q, l) <= l->limit)
        return;
    struct blocker *b = explain_add(q, "quota", l->where, l->resource);
    b->limit = l->limit;
    b->used = l->used;
    b->free = MAX(l->limit - l->used, 0);
    b->need = l->need;
    b->short_by = l->used + needs_beside(q, l) - l->limit;
    b->text = text_of("quota: %s uses %s of %s %s, needs %s, short %s", l->where,
                      admit_amount(l->resource, (uint64_t)l->used, used),
                      admit_amount(l->resource, (uint64_t)l->limit, limit), l->resource,
                      admit_amount(l->resource, (uint64_t)l->need, need),
                      admit_amount(l->resource, (uint64_t)b->short_by, lack));
    explain_change(q, text_of("quota %s of %s grows by %s", l->resource, l->where, lack));
}

/* "acme has 4 cpu guaranteed" */
static void borrow_blocker(struct question *q, const struct ledger_blocker *l)
{
    char limit[48], used[48], need[48], lack[48], own[48];
    struct tenant_view v;
    if (l->used + needs_beside(q, l) <= l->limit)
        return;
    bool known = ledger_tenant(q->core->ledger, l->where, q->utc_us, &v);
    bool root = strcmp(l->where, TENANT_ROOT) == 0;
    uint64_t guaranteed = known ? resource_named(&v.rule->quota.guaranteed, l->resource) : 0;
    struct blocker *b = explain_add(q, "borrow", l->where, l->resource);
    b->limit = l->limit;
    b->used = l->used;
    b->free = MAX(l->limit - l->used, 0);
    b->need = l->need;
    b->short_by = l->used + needs_beside(q, l) - l->limit;
    admit_amount(l->resource, (uint64_t)MAX(l->limit, 0), limit);
    admit_amount(l->resource, (uint64_t)l->used, used);
    admit_amount(l->resource, (uint64_t)l->need, need);
    admit_amount(l->resource, (uint64_t)b->short_by, lack);
    if (root)
        b->text = text_of("borrow: of %s %s guaranteed in the cell and lent %s are in use, needs %s, short %s", limit,
                          l->resource, used, need, lack);
    else
        b->text = text_of("borrow: %s can use %s %s with what it may borrow (%s guaranteed), uses %s, needs %s, "
                          "short %s",
                          l->where, limit, l->resource, admit_amount(l->resource, guaranteed, own), used, need, lack);
    explain_change(q, root ? text_of("%s guaranteed to %s grows by %s", l->resource, l->where, lack)
                           : text_of("quota.borrow.%s of %s grows by %s", l->resource, l->where, lack));
}

/* From when on so many may start together, at a rate of as many a minute. */
static int64_t starts_when(const struct question *q, const char *tenant, uint32_t tasks)
{
    struct rate_view now = ledger_rate(q->core->ledger, tenant, true);
    struct rate r = {.per_minute = now.per_minute, .parts = now.parts, .at_utc_us = now.at_utc_us};
    rate_set(&r, tasks, q->utc_us);
    return rate_when(&r, tasks, q->utc_us);
}

/* More at once than a minute brings, a higher rate alone lets them start; else it is a matter of time. */
static void rate_blocker(struct question *q, const struct ledger_blocker *l)
{
    char when[PARSE_TEXT_MAX];
    struct blocker *b = explain_add(q, "rate", l->where, l->resource);
    int64_t when_utc_us = l->when_utc_us;
    b->limit = l->limit;
    b->need = l->need;
    if (l->need > l->limit) {
        b->short_by = l->need - l->limit;
        when_utc_us = starts_when(q, l->where, (uint32_t)l->need);
        b->text = text_of("rate: %s may start %lld tasks a minute, and %lld start together", l->where,
                          (long long)l->limit, (long long)l->need);
        explain_change(q, text_of("quota.starts_per_minute of %s grows by %lld", l->where, (long long)b->short_by));
    } else {
        b->text = text_of("rate: %s may start %lld tasks a minute; the next may start at %s", l->where,
                          (long long)l->limit, format_time((when_utc_us + 999999) / 1000000 * 1000000, when));
    }
    explain_until(q, when_utc_us);
}

/* What a ledger said of a start. */
struct answer {
    struct ledger_blocker found[BLOCKERS_MAX];
    size_t count;
};

static void ask_ledger(const struct question *q, const struct fact *f, struct answer *ret)
{
    ret->count = 0;
    if (ledger_check(q->core->ledger, f, NULL) != LEDGER_FITS)
        ret->count = MIN(ledger_blockers(q->core->ledger, f, ret->found, BLOCKERS_MAX), (size_t)BLOCKERS_MAX);
}

/* Is it as much in use where nothing is kept for whom others are stopped? */
static bool is_said_by(const struct answer *a, const struct ledger_blocker *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct ledger_blocker *other = &a->found[i];
        if (other->verdict == b->verdict && strcmp(other->where, b->where) == 0 && other->used == b->used &&
            (b->resource == NULL || strcmp(other->resource, b->resource) == 0))
            return true;
    }
    return false;
}

/* The blockers from that one on are what it is because of what is kept. */
static void say_kept(struct question *q, size_t from)
{
    struct blocker *v = q->blockers->v;
    for (size_t i = from; i < q->blockers->count; i++) {
        char *text = text_of("%s, with what is kept for jobs for which others are stopped", v[i].text);
        free(v[i].text);
        v[i].text = text;
    }
}

/* Of what the ledger said of a start, rates or all else. */
static void say(struct question *q, const struct answer *a, const struct answer *plain, bool rates)
{
    const struct ledger_blocker *found = a->found;
    for (size_t i = 0; i < a->count; i++) {
        enum ledger_verdict verdict = found[i].verdict;
        size_t before = q->blockers->count;
        if (verdict == LEDGER_RATE && rates)
            rate_blocker(q, &found[i]);
        else if (verdict == LEDGER_BUDGET && !rates)
            budget_blocker(q, &found[i]);
        else if (verdict == LEDGER_QUOTA && !rates)
            quota_blocker(q, &found[i]);
        else if (verdict == LEDGER_BORROW && !rates)
            borrow_blocker(q, &found[i]);
        if ((verdict == LEDGER_QUOTA || verdict == LEDGER_BORROW) && !is_said_by(plain, &found[i]))
            say_kept(q, before);
    }
}

static void ask(struct question *q, const struct fact *f, bool rates, bool others)
{
    struct answer plain, kept;
    struct openings openings = {0};
    bool starts = fact_placements(f) > 0; /* who goes on is asked before anything is kept */
    openings_add(q->core, &openings, f); /* they would be by then */
    ask_ledger(q, f, &plain);
    bool any = starts && preempt_keep_others(q->core, q->job->shape, true);
    if (any)
        ask_ledger(q, f, &kept);
    if (rates)
        say(q, any ? &kept : &plain, &plain, true);
    if (others)
        say(q, any ? &kept : &plain, &plain, false);
    if (any)
        (void)preempt_keep_others(q->core, q->job->shape, false);
    openings_undo(q->core, &openings);
    openings_fini(&openings);
}

void explain_rates(struct question *q, const struct fact *f)
{
    ask(q, f, true, false);
}

void explain_ledger(struct question *q, const struct fact *f)
{
    ask(q, f, false, true);
}

void explain_limits(struct question *q, const struct fact *f)
{
    ask(q, f, true, true);
}
