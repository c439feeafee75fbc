#include "scheduler/core/runway.h"

#include <string.h>

#include "scheduler/core/money.h"

#define PERIODS_MAX 64 /* of one budget; who can be paid for so many is taken to be paid for ever */

/* Who is to be paid for, and how long that goes as far as was asked until now. */
struct payee {
    const struct core *c;
    const struct task *task; /* NULL: it holds nothing yet */
    struct meter meter;
    int64_t utc_us, clock_utc_us; /* now; at which its run time begins */
    uint64_t max_us, lasts_us;
};

/* ---- one account ------------------------------------------------------------------------------------- */

/* What the time from settled_us to run_us costs, in money (resource NULL) or in time. */
static int64_t cost(const struct payee *p, const char *resource, uint64_t run_us)
{
    if (resource == NULL)
        return price_due(p->c->prices, &p->meter, NULL, run_us);
    return time_of(p->c, resource, p->meter.held, run_us) -
           time_of(p->c, resource, p->meter.held, p->meter.settled_us);
}

/* The longest run time that costs no more. */
static uint64_t bought(const struct payee *p, const char *resource, int64_t micros)
{
    if (micros < 0)
        return p->meter.settled_us;
    if (resource == NULL)
        return price_due_time(p->c->prices, &p->meter, NULL, micros, p->max_us);
    uint64_t until_us = time_lasts(p->c, resource, p->meter.held, p->meter.settled_us, micros, p->max_us);
    return MAX(until_us, p->meter.settled_us);
}

/* What was spent there when all up to settled_us was: in a turn the ledger may be a renewal ahead of the attempt. */
static int64_t spent_at_settled(const struct task *t, const char *account, int64_t ahead_micros)
{
    const struct time_hold *v = t->times.v;
    for (size_t i = 0; i < t->times.count; i++)
        if (strcmp(v[i].account, account) == 0)
            return v[i].spent;
    for (size_t i = 0; i < t->accounts.count; i++)
        if (strcmp(t->accounts.v[i], account) == 0)
            return t->spent_micros;
    return ahead_micros; /* a period has begun */
}

/* What it holds there itself is its own: a renewal gives that back before it asks again. */
static int64_t own_part(const struct payee *p, const char *account)
{
    struct hold_view h;
    if (p->task == NULL || !ledger_hold_on(p->c->ledger, task_id(p->task), account, &h))
        return 0;
    return h.held_micros + h.spent_micros - spent_at_settled(p->task, account, h.spent_micros);
}

/* What of an account it could use. false: all that it wants, there is no limit. */
static bool free_for(const struct payee *p, const char *account, int64_t *ret_micros)
{
    struct account_view a;
    struct fact opening;
    if (ledger_account(p->c->ledger, account, &a)) {
        *ret_micros = a.limit_micros - a.spent_micros - a.held_micros + own_part(p, account);
        return a.limit_micros >= 0;
    }
    if (!ledger_opening(p->c->ledger, account, p->utc_us, &opening))
        return false;
    *ret_micros = opening.budget_opened.limit_micros;
    fact_clear(&opening);
    return *ret_micros >= 0;
}

/* ---- one budget, period by period -------------------------------------------------------------------- */

static uint64_t run_at(const struct payee *p, int64_t utc_us)
{
    int64_t run_us;
    if (__builtin_sub_overflow(utc_us, p->clock_utc_us, &run_us))
        return UINT64_MAX;
    return run_us > 0 ? (uint64_t)run_us : 0;
}

static uint64_t budget_lasts(const struct payee *p, const struct ledger_budget *b)
{
    const struct zone_table *zone = ledger_zone(p->c->ledger, b->rule->zone);
    struct period at = b->period, next;
    int64_t micros;
    if (!free_for(p, b->account, &micros))
        return p->max_us;
    if (!period_holds(&at, p->utc_us))
        return p->meter.settled_us; /* it pays for nothing now */
    for (int i = 0; i < PERIODS_MAX; i++) {
        uint64_t until_us = bought(p, b->rule->resource, micros), end_us = run_at(p, at.to_utc_us);
        if (until_us < end_us || until_us >= p->max_us)
            return until_us;
        period_of(b->rule, zone, at.to_utc_us, &next);
        if (next.from_utc_us == at.from_utc_us) /* the last one */
            return MIN(end_us + core_slice_us(p->c), p->max_us);
        if (b->rule->carry != CARRY_NONE)
            return p->max_us; /* nobody knows how much that is */
        micros = cost(p, b->rule->resource, MAX(end_us, p->meter.settled_us)) + b->rule->limit_micros;
        at = next;
    }
    return p->max_us;
}

static bool ask_budget(const struct ledger_budget *b, void *arg)
{
    struct payee *p = arg;
    bool counts = b->rule != NULL && (b->rule->resource == NULL || times_ask(p->meter.held, b->rule->resource));
    if (counts)
        p->lasts_us = MIN(p->lasts_us, budget_lasts(p, b));
    return true;
}

/* ---- all of them ------------------------------------------------------------------------------------- */

static uint64_t ask_all(struct payee *p, const struct tenant *t, const struct job *j)
{
    char own[JOB_ACCOUNT_MAX];
    int64_t micros;
    p->max_us = MIN(p->max_us, (uint64_t)INT64_MAX);
    p->lasts_us = p->max_us;
    if (p->max_us <= p->meter.settled_us)
        return p->max_us;
    int rc = ledger_each_budget(p->c->ledger, &t->line, p->utc_us, ask_budget, p);
    BUG(rc < 0);
    if (j != NULL && j->aside->budget_micros > 0 && free_for(p, job_account(j->id, own), &micros))
        p->lasts_us = MIN(p->lasts_us, bought(p, NULL, micros));
    return p->lasts_us;
}

uint64_t runway_of(const struct core *c, const struct task *t, int64_t utc_us, uint64_t max_us)
{
    struct payee p = {.c = c, .task = t, .meter = task_meter(t), .utc_us = utc_us, .max_us = max_us};
    if (p.meter.started_utc_us == 0) /* it is on its way */
        p.meter.started_utc_us = t->placed_utc_us;
    p.clock_utc_us = p.meter.started_utc_us;
    return MAX(ask_all(&p, t->job->shape->tenant, t->job), MIN(t->paid_us, max_us));
}

uint64_t runway_of_start(const struct core *c, const struct shape *s, const struct job *j, const char *price_class,
                         int64_t utc_us, uint64_t max_us)
{
    struct payee p = {.c = c, .meter = shape_meter(s, price_class, utc_us), .utc_us = utc_us,
                      .clock_utc_us = utc_us, .max_us = max_us};
    return ask_all(&p, s->tenant, j);
}
