#include "scheduler/core/apply.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"

#define RETRY_MAX_US INT64_C(5000000) /* how often free money is looked for while the paid time runs out */
#define RETRY_MIN_US INT64_C(200000)
#define STANDS_US INT64_C(5000000) /* what lives so long after its paid end is paused */
#define EARLY_US INT64_C(1000000) /* a renewal that comes so much too early can wait */

/* What its node has said, and a little less: it may have ended since, and what was settled can't be taken back. */
static uint64_t settled_by_now(const struct core *c, const struct task *t)
{
    uint64_t margin = MIN(SETTLE_MARGIN_US, core_slice_us(c) / 8);
    uint64_t sure = t->run_boot_us != 0 && t->run_us > margin ? t->run_us - margin : 0;
    if (task_stands_still(c, t))
        return t->paid_us;
    if (t->resuming)
        return t->settled_us; /* since when it goes on, its node knows */
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
        __builtin_sub_overflow(t->accounts_end_utc_us, task_clock_utc_us(t), &end_us) ||
        end_us <= (int64_t)t->settled_us)
        return UINT64_MAX;
    return (uint64_t)end_us;
}

static void look_again(struct core *c, struct task *t, uint64_t ran_us, int64_t utc_us)
{
    if (t->paused || task_stands_still(c, t)) {
        timer_set(c, &t->timer, utc_us + PAUSED_LOOK_US);
        return;
    }
    int64_t left_us = ((int64_t)t->paid_us - (int64_t)ran_us) / 2;
    timer_set(c, &t->timer,
              utc_us + (left_us < 0 ? RETRY_MAX_US : MIN(MAX(left_us, RETRY_MIN_US), RETRY_MAX_US)));
}

/* The hold for the time up to then and the I/O that it has. */
static void fill_hold(const struct core *c, const struct task *t, const struct meter *meter, uint64_t until_us,
                      struct fact *f)
{
    struct fact_renewed *r = &f->renewed;
    r->paid_us = until_us;
    r->hold_micros =
        price_due(c->prices, meter, NULL, until_us) + io_hold(c, meter, r->io_paid_bytes, until_us);
    times_hold(c, job_tenant(t->job), meter->held, (struct stretch){f->at_utc_us, r->settled_us, until_us},
               &r->times_settled, &r->times);
}

/* How far all accounts together can pay. */
struct reach {
    uint64_t until_us; /* as far as resource time is concerned; 0: one of them can't be used at all */
    int64_t micros;    /* money */
    bool short_of;     /* anything */
};

static void reach_by(const struct core *c, const struct meter *meter, const struct ledger_blocker *b, struct reach *ret)
{
    int64_t free_micros = MAX(b->limit - b->used - b->held, 0);
    ret->short_of = true;
    if (b->verdict != LEDGER_BUDGET || b->closed) {
        ret->until_us = 0;
    } else if (b->resource == NULL) {
        ret->micros = MIN(ret->micros, free_micros);
    } else {
        ret->until_us =
            time_lasts(c, b->resource, meter->held, meter->settled_us, free_micros, ret->until_us);
    }
}

static struct reach reach_of(const struct core *c, const struct meter *meter, const struct fact *f)
{
    struct ledger_blocker blockers[2 * LEDGER_ACCOUNTS_MAX];
    size_t count = MIN(ledger_blockers(c->ledger, f, blockers, COUNT_OF(blockers)), COUNT_OF(blockers));
    struct reach reach = {.until_us = f->renewed.paid_us, .micros = INT64_MAX};
    for (size_t i = 0; i < count; i++)
        reach_by(c, meter, &blockers[i], &reach);
    return reach;
}

/* Time first, beside so much I/O; how far that goes. */
static uint64_t time_beside(const struct core *c, const struct meter *meter, struct reach reach, struct measure io,
                            uint64_t until_us)
{
    int64_t for_time = reach.micros - io_hold(c, meter, io, until_us);
    return price_due_time(c->prices, meter, NULL, for_time, reach.until_us);
}

/* What there is to pay with, of what is wanted: time for it beside the least I/O that is worth it, or if there is none
 * for that (`must`: then it isn't worth anything), beside what is paid already; then I/O with the rest. */
static uint64_t fit(const struct core *c, const struct meter *meter, struct reach reach, struct io_offer offer,
                    bool must, uint64_t least_us, struct fact *f)
{
    uint64_t until_us = f->renewed.paid_us;
    uint64_t can_us = time_beside(c, meter, reach, offer.least, until_us);
    if (can_us < least_us && !must) {
        offer.least = offer.told;
        can_us = time_beside(c, meter, reach, offer.told, until_us);
    }
    if (can_us < least_us)
        return 0;
    int64_t left_micros = reach.micros - price_due(c->prices, meter, NULL, can_us);
    f->renewed.io_paid_bytes = io_bought(c, meter, &offer, left_micros, can_us);
    return can_us;
}

/* What was free until its paid end was told as far as the job's limit goes: nothing was held for it. */
static struct io_stand io_told(const struct core *c, const struct task *t, const struct meter *meter)
{
    struct io_stand at = task_io(t);
    if (price_io_dearest(c->prices, meter, t->paid_us) == 0)
        at.paid = (struct measure){0};
    return at;
}

/* The next slice, or as much of it as can be held. false: it would gain less than slice_min, or too little I/O for who
 * waits for that. */
static bool hold_slice(const struct core *c, const struct task *t, const struct meter *meter, uint64_t until_us,
                       bool for_io, struct fact *f)
{
    struct fact_renewed *r = &f->renewed;
    struct io_offer offer = io_offer(c, t->job->shape, t->node, meter, until_us, io_told(c, t, meter));
    uint64_t least_us = t->paid_us + MIN(c->limits.slice_min_ms * 1000, until_us - t->paid_us);
    least_us = for_io && !t->paused ? t->paid_us : least_us;
    r->io_paid_bytes = offer.most;
    fill_hold(c, t, meter, until_us, f);
    struct reach reach = reach_of(c, meter, f);
    if (reach.short_of) {
        uint64_t can_us = fit(c, meter, reach, offer, for_io, least_us, f);
        if (can_us == 0)
            return false;
        fill_hold(c, t, meter, can_us, f);
        r->final = can_us < until_us;
        r->io_final = measured(r->io_paid_bytes) < measured(offer.most);
        if (reach_of(c, meter, f).short_of)
            return false;
    }
    return !for_io || io_gains(t, r->io_paid_bytes, &offer);
}

static void fill_accounts(const struct core *c, const struct job *j, int64_t utc_us, struct strs *ret)
{
    core_copy_strs(tenant_accounts(c, job_tenant(j), utc_us), ret);
    if (j->aside->budget_micros == 0)
        return;
    char own[JOB_ACCOUNT_MAX];
    int rc = strs_add(ret, job_account(j->id, own));
    BUG(rc < 0);
}

/* While it stands still nothing is held for what it may move: what is charged is all that is paid. */
static struct measure io_at_rest(const struct task *t, const struct meter *meter)
{
    return is_measured(t->io_paid) ? measure_of(measured(price_io_charged(meter))) : t->io_paid;
}

/* Nothing more can be held. What has run is settled all the same: it is told in time that paid_us is the end, or that
 * it stands still there is a fact. false: nothing new. */
static bool hold_nothing_more(const struct core *c, const struct task *t, const struct meter *meter, bool for_io,
                              struct fact *f)
{
    struct fact_renewed *r = &f->renewed;
    bool still = task_stands_still(c, t), known = for_io ? t->io_final : t->final;
    if (t->paused || (!still && (known || task_paid_end(c, t) == PAID_END_STOP)) ||
        (still && r->settled_us < t->paid_us))
        return false;
    r->io_paid_bytes = still ? io_at_rest(t, meter) : t->io_paid;
    fill_hold(c, t, meter, t->paid_us, f);
    r->final = t->final || !for_io;
    r->io_final = t->io_final || for_io || task_io_is_due(c, t);
    r->paused = still;
    return !reach_of(c, meter, f).short_of;
}

static void stop_at_end(struct core *c, struct plan *p, const struct task *t, enum end_cause cause)
{
    struct fact *f = plan_add(p, FACT_ATTEMPT_STOPPING);
    f->stopping = (struct fact_stopping){.id = task_id(t), .cause = cause, .who = core_text("at_paid_end")};
    flight_begin(c, f);
}

/* All its I/O is used for a while, and no more could be held just now: its node has it halted, and leaves the end to
 * who knows whether there is money (docs/adr/0015). */
static void stop_for_io(struct core *c, struct plan *p, const struct task *t)
{
    if (!t->paused && !attempt_is_suspended(t) && task_io_is_out(t) && t->io_out_utc_us != 0 &&
        p->now.utc_us - t->io_out_utc_us > STANDS_US && task_paid_end(c, t) != PAID_END_PAUSE)
        stop_at_end(c, p, t, END_IO_BUDGET);
}

/* It waits for money no longer: for too long already, or its jobs are stopped by now. The node may have paused what is
 * to be stopped: the rule has changed since it was told, or the job's own budget is used up. */
static bool pause_is_over(struct core *c, struct plan *p, struct task *t)
{
    bool too_long = t->paused && p->now.utc_us - t->paused_utc_us >= (int64_t)c->limits.pause_max_ms * 1000;
    bool stands = t->paused ||
                  (t->run_boot_us != 0 && t->run_us >= t->paid_us &&
                   p->now.utc_us > task_clock_utc_us(t) + (int64_t)t->paid_us + STANDS_US);
    if (!stands || t->in_flight || (!too_long && task_paid_end(c, t) == PAID_END_PAUSE))
        return false;
    stop_at_end(c, p, t, t->io_final ? END_IO_BUDGET : END_BUDGET);
    return true;
}

void resume_fact(const struct core *c, const struct task *t, int64_t utc_us, struct fact *f)
{
    struct meter meter = task_meter(t);
    uint64_t left_us = core_longest_us(c, t->job->shape->limit_us) - t->paid_us;
    meter.started_utc_us = t->started_utc_us + (int64_t)task_paused_us(t, utc_us);
    *f = (struct fact){.kind = FACT_HOLD_RENEWED, .at_utc_us = utc_us};
    f->renewed = (struct fact_renewed){
        .id = task_id(t), .spent_micros = t->spent_micros, .settled_us = t->settled_us};
    uint64_t until_us = t->paid_us + MIN(c->limits.slice_min_ms * 1000, left_us);
    f->renewed.io_paid_bytes = io_offer(c, t->job->shape, t->node, &meter, until_us, task_io(t)).least;
    times_settle(c, t, t->settled_us, &f->renewed.times_settled);
    fill_accounts(c, t->job, utc_us, &f->renewed.accounts);
    fill_hold(c, t, &meter, until_us, f);
}

/* Suspended for so long, it makes room: its task waits for a person. */
static void rest_no_longer(struct core *c, struct plan *p, struct task *t)
{
    int64_t end_utc_us = t->suspended_utc_us + (int64_t)c->limits.suspend_max_ms * 1000;
    if (p->now.utc_us < end_utc_us || t->in_flight) {
        timer_set(c, &t->timer, MAX(end_utc_us, p->now.utc_us + PAUSED_LOOK_US));
        return;
    }
    struct fact *f = plan_add(p, FACT_ATTEMPT_STOPPING);
    f->stopping = (struct fact_stopping){
        .id = task_id(t), .cause = END_REQUEUED, .who = core_text("suspended for too long")};
    flight_begin(c, f);
}

/* What ran until then is settled: the renewal as far as that goes, and the meter behind it. */
static void settle_first(const struct core *c, const struct task *t, uint64_t settle_us, const struct use_point *use,
                         int64_t utc_us, struct meter *meter, struct fact *f)
{
    struct settlement s;
    uint64_t paused_us = task_paused_us(t, utc_us);
    *meter = task_meter(t);
    meter->started_utc_us = t->started_utc_us + (int64_t)paused_us;
    settle_until(c, t, meter, use, settle_us, &s);
    *f = (struct fact){.kind = FACT_HOLD_RENEWED, .at_utc_us = utc_us};
    f->renewed = (struct fact_renewed){.id = task_id(t),
                                       .spent_micros = s.spent_micros,
                                       .settled_us = s.settled_us,
                                       .charges = s.charges,
                                       .paused_us = paused_us,
                                       .suspends = t->suspends,
                                       .times_settled = s.times};
    int rc = price_marks(c->prices, meter, use != NULL ? &s.use : NULL, s.settled_us, &f->renewed.marks);
    BUG(rc < 0);
    fill_accounts(c, t->job, utc_us, &f->renewed.accounts);
    meter->settled_us = s.settled_us;
    meter->marks = &f->renewed.marks;
}

/* Its node says that it stands still: all that ran is settled, nothing is held any more. */
static void come_to_rest(struct core *c, struct plan *p, struct task *t, uint64_t ran_us)
{
    const struct use_point *use;
    struct meter meter;
    struct fact f;
    timer_set(c, &t->timer, p->now.utc_us + PAUSED_LOOK_US);
    if (t->in_flight || settled_as_known(c, t, ran_us, &use) < ran_us)
        return; /* soon it will be known what was used */
    settle_first(c, t, ran_us, use, p->now.utc_us, &meter, &f);
    f.renewed.paused = true;
    f.renewed.io_paid_bytes = io_at_rest(t, &meter);
    f.renewed.io_final = t->suspended_for_io;
    fill_hold(c, t, &meter, f.renewed.settled_us, &f);
    openings_add(c, &p->openings, &f);
    if (openings_plan(c, p)) {
        plan_hold(c, p, &f);
        timer_stop(c, &t->timer); /* apply or refusal sets it anew */
        return;
    }
    timer_set(c, &t->timer, p->now.utc_us); /* with the next turn */
    fact_clear(&f);
}

/* Of a suspended one there is nothing to renew. The end of a period comes first, as a renewal: each pays for its own.
 * false: it still runs. */
static bool rests(struct core *c, struct plan *p, struct task *t)
{
    uint64_t ran_us = MAX(MIN(t->run_us, t->paid_us), t->settled_us);
    if (!attempt_is_suspended(t) || (!t->paused && (!attempt_stands(t) || period_end_us(t) < ran_us)))
        return false;
    if (t->paused && t->suspended_for_io)
        decide_io_wish(c, p, t, false);
    else if (t->paused)
        rest_no_longer(c, p, t);
    else
        come_to_rest(c, p, t, ran_us);
    return true;
}

void decide_renewal(struct core *c, struct plan *p, struct task *t)
{
    int64_t utc_us = p->now.utc_us;
    if (t->stopping != END_NONE)
        return; /* it ends within its paid time or at its end */
    if (decide_suspension(c, p, t) || rests(c, p, t) || pause_is_over(c, p, t))
        return;
    uint64_t ran_us = task_run_us(t, p->now);
    int64_t early_us = (int64_t)t->paid_us - (int64_t)ran_us - renewal_lead_us(c);
    bool period_ended = t->accounts_end_utc_us <= utc_us - (int64_t)SETTLE_MARGIN_US;
    bool io_due = task_io_is_due(c, t) || (t->paused && is_measured(t->io_paid));
    if (early_us > EARLY_US && !period_ended && !io_due) { /* the wall clock went faster than the job */
        timer_set(c, &t->timer, utc_us + early_us);
        return;
    }
    look_again(c, t, ran_us, utc_us);
    if (t->in_flight)
        return;
    uint64_t until_us = MIN(ran_us + core_slice_us(c), core_longest_us(c, t->job->shape->limit_us));
    bool time_due = until_us >= t->paid_us && (period_ended || (until_us > t->paid_us && early_us <= EARLY_US));
    bool only_io = io_due && (t->paused || !time_due);
    if (!time_due && !io_due)
        return;
    until_us = MAX(until_us, t->paid_us);
    struct meter meter;
    struct fact f;
    const struct use_point *use;
    uint64_t end_us = period_end_us(t);
    uint64_t settle_us = settled_as_known(c, t, MIN(end_us, settled_by_now(c, t)), &use);
    if (period_ended && early_us > EARLY_US && end_us != UINT64_MAX && settle_us < end_us)
        return; /* soon it will be known what ran, and what was used, by its end */
    settle_first(c, t, settle_us, use, utc_us, &meter, &f);
    f.renewed.io_paid_bytes = t->io_paid;
    fill_hold(c, t, &meter, until_us, &f); /* names the accounts of time */
    openings_add(c, &p->openings, &f);
    bool still = !t->paused && task_stands_still(c, t); /* first that is a fact, with all that ran until then */
    bool goes_on = !still && hold_slice(c, t, &meter, until_us, only_io, &f);
    attempt_want_cores(c, t, t->paused && goes_on && !attempt_has_cores(t));
    if (!goes_on && task_io_is_out(t) && !t->paused && task_paid_end(c, t) == PAID_END_PAUSE) {
        openings_undo(c, &p->openings);
        decide_io_wish(c, p, t, true);
    } else if (t->wants_cores || (!goes_on && !hold_nothing_more(c, t, &meter, only_io, &f))) {
        openings_undo(c, &p->openings);
        if (!goes_on)
            stop_for_io(c, p, t);
    } else if (openings_plan(c, p)) {
        if (t->paused)
            plan_resume(c, p, t);
        plan_hold(c, p, &f);
        timer_stop(c, &t->timer); /* apply or refusal sets it anew */
        return;
    } else
        timer_set(c, &t->timer, utc_us); /* with the next turn */
    fact_clear(&f);
}
