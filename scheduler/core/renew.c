#include "scheduler/core/state.h"

#define RETRY_MAX_US INT64_C(5000000) /* how often free money is looked for while the paid time runs out */
#define RETRY_MIN_US INT64_C(200000)
#define EARLY_US INT64_C(1000000) /* a renewal that comes so much too early can wait */

/* Settle a little less than that: what was settled can't be taken back when the node's clock says it was
 * shorter. */
static uint64_t settled_by_now(const struct core *c, const struct task *t, uint64_t ran_us)
{
    uint64_t margin = MIN(SETTLE_MARGIN_US, core_slice_us(c) / 8);
    uint64_t sure = ran_us > margin ? ran_us - margin : 0;
    return MAX(MIN(sure, t->paid_us), t->settled_us);
}

/* What is charged by use is settled as far as its use is known: a lost beat delays it, and the hold, which is by
 * request, covers the rest. What its node doesn't count is charged by request. */
static uint64_t settled_as_known(const struct core *c, const struct task *t, uint64_t sure_us,
                                 const struct use_point **ret_use)
{
    *ret_use = NULL;
    if (!price_book_measures(c->prices) && t->marks.count == 0)
        return sure_us;
    if (t->use.run_us > t->settled_us) {
        *ret_use = &t->use;
        return MIN(sure_us, t->use.run_us);
    }
    return t->uncounted_us > t->settled_us ? sure_us : t->settled_us;
}

/* Run time at which the period of its budgets ends: settled exactly there, each period pays for its own time (but for
 * the margin, when a slice that short has to be renewed within it). UINT64_MAX: nothing is left of one. */
static uint64_t period_end_us(const struct task *t)
{
    int64_t end_us;
    if (t->accounts_end_utc_us == INT64_MAX ||
        __builtin_sub_overflow(t->accounts_end_utc_us, t->started_utc_us, &end_us) || end_us <= (int64_t)t->settled_us)
        return UINT64_MAX;
    return (uint64_t)end_us;
}

static void look_again(struct core *c, struct task *t, uint64_t ran_us, int64_t utc_us)
{
    int64_t left_us = ((int64_t)t->paid_us - (int64_t)ran_us) / 2;
    timer_set(c, &t->timer,
              utc_us + (left_us < 0 ? RETRY_MAX_US : MIN(MAX(left_us, RETRY_MIN_US), RETRY_MAX_US)));
}

/* What all accounts together can give, when they can't give what was asked: the least of those that lack. */
static int64_t most_they_give(const struct core *c, const struct fact *f)
{
    struct ledger_blocker blockers[TENANT_DEPTH_MAX + 4];
    size_t count = MIN(ledger_blockers(c->ledger, f, blockers, COUNT_OF(blockers)), COUNT_OF(blockers));
    int64_t most = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (blockers[i].verdict != LEDGER_BUDGET)
            return 0;
        most = MIN(most, MAX(blockers[i].limit - blockers[i].used - blockers[i].held, 0));
    }
    return count > 0 ? most : f->renewed.hold_micros;
}

/* The next slice, or as much of it as can be held. false: it would gain less than slice_min. */
static bool hold_slice(const struct core *c, const struct task *t, const struct meter *meter, uint64_t until_us,
                       struct fact *f)
{
    struct fact_renewed *r = &f->renewed;
    uint64_t least_us = t->paid_us + MIN(c->limits.slice_min_ms * 1000, until_us - t->paid_us);
    r->paid_us = until_us;
    r->hold_micros = price_due(c->prices, meter, NULL, until_us);
    int64_t most = most_they_give(c, f);
    if (most >= r->hold_micros)
        return true;
    r->paid_us = price_due_time(c->prices, meter, NULL, most, until_us);
    if (r->paid_us < least_us)
        return false;
    r->hold_micros = price_due(c->prices, meter, NULL, r->paid_us);
    r->final = true;
    return most_they_give(c, f) >= r->hold_micros;
}

static void fill_accounts(const struct core *c, const struct job *j, int64_t utc_us, struct strs *ret)
{
    core_copy_strs(tenant_accounts(c, job_tenant(j), utc_us), ret);
    if (j->budget_micros == 0)
        return;
    char own[JOB_ACCOUNT_MAX];
    int rc = strs_add(ret, job_account(j->id, own));
    BUG(rc < 0);
}

void decide_renewal(struct core *c, struct plan *p, struct task *t)
{
    int64_t utc_us = p->now.utc_us;
    if (t->stopping != END_NONE)
        return; /* it ends within its paid time or at its end */
    uint64_t ran_us = task_run_us(t, p->now);
    int64_t early_us = (int64_t)t->paid_us - (int64_t)ran_us - renewal_lead_us(c);
    bool period_ended = t->accounts_end_utc_us <= utc_us - (int64_t)SETTLE_MARGIN_US;
    if (early_us > EARLY_US && !period_ended) { /* the wall clock went faster than the job */
        timer_set(c, &t->timer, utc_us + early_us);
        return;
    }
    look_again(c, t, ran_us, utc_us);
    if (t->in_flight)
        return;
    uint64_t until_us = MIN(ran_us + core_slice_us(c), core_longest_us(c, t->job->shape->limit_us));
    if (until_us < t->paid_us || (until_us == t->paid_us && !period_ended))
        return;
    struct meter meter = task_meter(t);
    struct settlement s;
    const struct use_point *use;
    uint64_t end_us = period_end_us(t);
    uint64_t settle_us = settled_as_known(c, t, MIN(end_us, settled_by_now(c, t, ran_us)), &use);
    if (period_ended && early_us > EARLY_US && end_us != UINT64_MAX && settle_us < end_us)
        return; /* soon it will be known what ran, and what was used, by its end */
    settle_until(c, t, &meter, use, settle_us, &s);
    struct fact *f = plan_add(p, FACT_HOLD_RENEWED);
    f->renewed = (struct fact_renewed){
        .id = task_id(t), .spent_micros = s.spent_micros, .settled_us = s.settled_us, .charges = s.charges};
    int rc = price_marks(c->prices, &meter, use, s.settled_us, &f->renewed.marks);
    BUG(rc < 0);
    fill_accounts(c, t->job, utc_us, &f->renewed.accounts);
    meter.settled_us = s.settled_us;
    meter.marks = &f->renewed.marks;
    if (!hold_slice(c, t, &meter, until_us, f)) {
        fact_clear(f);
        p->count--;
        return;
    }
    flight_begin(c, f);
    timer_stop(c, &t->timer);   /* apply or refusal sets it anew */
    ledger_apply(c->ledger, f); /* the plan's next holds come on top of it; undone with them */
}
