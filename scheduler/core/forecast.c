#include <stdlib.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/runway.h"
#include "scheduler/core/windows.h"

#define LATE_US INT64_C(60000000) /* what should have ended is expected to end so much later */

/* So that of 20 one is beyond: steps towards it and away from it in that ratio come to rest there, whatever they are
 * like (Robbins & Monro, "A Stochastic Approximation Method", 1951). */
#define STEP_NEARER 5
#define STEP_AWAY (19 * STEP_NEARER)

struct forecast {
    uint32_t ran_permille;     /* of their limits, 19 of 20 that have ended of late ran so much or more */
    enum forecast_view view;
    uint64_t asked;            /* grows when what was found out of money is forgotten */
    uint64_t question_seq;     /* of the last question, if there was no turn since */
    int64_t question_utc_us;
    struct backfill_end *ends; /* scratch */
    size_t ends_size;
};

void forecast_init(struct core *c)
{
    c->forecast = core_alloc(sizeof *c->forecast);
    c->forecast->asked = 1;
}

void forecast_fini(struct core *c)
{
    free(c->forecast->ends);
    free(c->forecast);
}

void forecast_by(const struct core *c, enum forecast_view view)
{
    c->forecast->view = view;
}

enum forecast_view forecast_view(const struct core *c)
{
    return c->forecast->view;
}

void forecast_begin(const struct core *c)
{
    c->forecast->asked++;
    c->forecast->question_utc_us = INT64_MIN;
}

void forecast_question(const struct core *c, int64_t utc_us)
{
    struct forecast *f = c->forecast;
    if (f->question_seq == c->seq && f->question_utc_us == utc_us)
        return;
    forecast_begin(c);
    f->question_seq = c->seq;
    f->question_utc_us = utc_us;
}

void forecast_note_end(struct core *c, const struct shape *s, uint64_t run_us)
{
    struct forecast *f = c->forecast;
    if (s->limit_us == 0)
        return;
    uint32_t permille = (uint32_t)(MIN(run_us, s->limit_us) / MAX(s->limit_us / 1000, 1));
    if (permille < f->ran_permille)
        f->ran_permille -= MIN(f->ran_permille, (uint32_t)STEP_AWAY);
    else
        f->ran_permille = MIN(f->ran_permille + STEP_NEARER, 999);
}

/* ---- time ------------------------------------------------------------------------------------------- */

static int64_t horizon_us(const struct core *c)
{
    return (int64_t)c->limits.horizon_ms * 1000;
}

/* SIGTERM comes at the limit, SIGKILL a grace later, and killing takes its time. */
static int64_t longest_us(const struct core *c, uint64_t limit_us)
{
    return (int64_t)(core_longest_us(c, limit_us) + c->limits.kill_ms * 1000);
}

struct backfill_ask forecast_ask(const struct core *c, const struct shape *s)
{
    if (s->limit_us != 0)
        return (struct backfill_ask){s->need, longest_us(c, s->limit_us), longest_us(c, s->limit_us)};
    /* What may be preempted is stopped when its node closes. */
    int64_t least_us = (int64_t)preempt_min_run_us(c) + forecast_stop_us(c, END_MAINTENANCE) + 1;
    return (struct backfill_ask){s->need, INT64_MAX, s->preemptible ? least_us : horizon_us(c)};
}

int64_t forecast_clear_utc_us(const struct core *c, const struct shape *s, int64_t utc_us)
{
    return backfill_after(utc_us, forecast_ask(c, s).clear_us);
}

int64_t forecast_stop_us(const struct core *c, uint32_t cause)
{
    return ((int64_t)core_stop_grace_ms(c, cause) + (int64_t)c->limits.kill_ms) * 1000;
}

/* What runs without a limit is given that. */
static int64_t longest_or_horizon_us(const struct core *c, uint64_t limit_us)
{
    return limit_us != 0 ? longest_us(c, limit_us) : horizon_us(c);
}

/* From the end of what is paid until nothing is left. */
static int64_t kill_us(const struct core *c)
{
    return (int64_t)(c->limits.grace_ms + c->limits.kill_ms) * 1000;
}

int64_t forecast_run_us(const struct core *c, const struct shape *s, const struct job *j, const struct node *n,
                        int64_t utc_us)
{
    uint64_t most_us = (uint64_t)longest_or_horizon_us(c, s->limit_us);
    uint64_t lasts_us = runway_of_start(c, s, j, node_price_class(n), utc_us, most_us);
    bool pauses = s->tenant->paid_end == PAID_END_PAUSE; /* its memory stays where it is */
    return lasts_us < most_us && !pauses ? (int64_t)lasts_us + kill_us(c) : forecast_ask(c, s).run_us;
}

/* Where a live attempt's run time begins. */
static int64_t begin_utc_us(const struct task *t)
{
    return t->started_utc_us != 0 ? task_clock_utc_us(t) : t->placed_utc_us;
}

/* When it will have used up all that can pay for it; INT64_MAX: not before it ends otherwise. */
static int64_t money_end_utc_us(const struct core *c, struct task *t, int64_t utc_us)
{
    uint64_t most_us = (uint64_t)longest_or_horizon_us(c, t->job->shape->limit_us);
    if (t->lasts_asked != c->forecast->asked) {
        t->lasts_us = runway_of(c, t, utc_us, most_us);
        t->lasts_asked = c->forecast->asked;
    }
    return t->lasts_us < most_us ? backfill_after(begin_utc_us(t), (int64_t)t->lasts_us) : INT64_MAX;
}

/* What was expected to have ended and hasn't. */
static int64_t not_past(int64_t end_utc_us, int64_t utc_us)
{
    return end_utc_us > utc_us ? end_utc_us : utc_us + LATE_US;
}

static int64_t pause_end_utc_us(const struct core *c, int64_t since_utc_us)
{
    return since_utc_us + (int64_t)c->limits.pause_max_ms * 1000 + forecast_stop_us(c, END_BUDGET);
}

/* When a live attempt will have ended, and when its cores will be free; as late as may be, but for money. */
struct expected {
    int64_t end_utc_us, cores_utc_us;
};

static int64_t by_limit(const struct core *c, const struct task *t, int64_t utc_us)
{
    uint64_t limit_us = t->job->shape->limit_us;
    bool sooner = c->forecast->view == FORECAST_SOONER;
    int64_t permille = sooner ? (int64_t)c->forecast->ran_permille : 1000;
    int64_t end_utc_us = begin_utc_us(t) + longest_or_horizon_us(c, limit_us) / 1000 * permille;
    if (end_utc_us > utc_us || sooner)
        return MAX(end_utc_us, utc_us);
    return limit_us != 0 ? utc_us + LATE_US : utc_us + horizon_us(c);
}

static struct expected by_money(const struct core *c, struct task *t, int64_t utc_us, struct expected e)
{
    if (t->paused) {
        int64_t end_utc_us = t->rests ? INT64_MAX : not_past(pause_end_utc_us(c, t->paused_utc_us), utc_us);
        e.end_utc_us = MIN(e.end_utc_us, end_utc_us);
        return e;
    }
    int64_t paid_utc_us = money_end_utc_us(c, t, utc_us);
    if (paid_utc_us == INT64_MAX)
        return e;
    if (task_paid_end(c, t) != PAID_END_PAUSE) {
        e.end_utc_us = MIN(e.end_utc_us, not_past(paid_utc_us + kill_us(c), utc_us));
        return e;
    }
    e.cores_utc_us = MIN(e.cores_utc_us, not_past(paid_utc_us, utc_us));
    e.end_utc_us = MIN(e.end_utc_us, not_past(pause_end_utc_us(c, paid_utc_us), utc_us));
    return e;
}

static struct expected expect(const struct core *c, const struct node *n, struct task *t, int64_t utc_us)
{
    struct expected e = {t->paused ? utc_us + horizon_us(c) : by_limit(c, t, utc_us), INT64_MAX};
    if (t->stopping != END_NONE)
        e.end_utc_us = utc_us + forecast_stop_us(c, t->stopping);
    else if (c->forecast->view != FORECAST_SURE)
        e = by_money(c, t, utc_us, e);
    e.end_utc_us = MIN(e.end_utc_us, windows_stop_utc_us(n, t));
    return e;
}

/* ---- profiles --------------------------------------------------------------------------------------- */

static struct backfill_end *room_for_ends(struct forecast *f, size_t count)
{
    if (count > f->ends_size) {
        f->ends_size = MAX(count, f->ends_size * 2);
        f->ends = core_grow(f->ends, f->ends_size * sizeof f->ends[0]);
    }
    return f->ends;
}

/* By their limits alone: what they hold is in the ledger by now, as nobody's. */
static size_t add_planned(const struct core *c, const struct plan *p, const struct node *n, struct backfill_end *ends)
{
    size_t count = 0;
    for (size_t i = 0; i < p->log_count; i++)
        if (p->rows.log[i].node == n) {
            struct backfill_ask ask = forecast_ask(c, p->rows.log[i].shape);
            ends[count++] = (struct backfill_end){backfill_after(p->now.utc_us, ask.run_us), ask.need};
        }
    return count;
}

static size_t add_live(const struct core *c, struct task *t, int64_t utc_us, struct backfill_end *ends)
{
    struct expected e = expect(c, t->node, t, utc_us);
    struct capacity uses = attempt_uses(t), cores = attempt_cores(t);
    size_t count = 0;
    if (e.cores_utc_us < e.end_utc_us) {
        capacity_take(&uses, &cores);
        ends[count++] = (struct backfill_end){e.cores_utc_us, cores};
    }
    ends[count++] = (struct backfill_end){e.end_utc_us, uses};
    return count;
}

void forecast_node(const struct core *c, const struct plan *p, const struct node *n, struct backfill *b)
{
    bool planned = p->log_count > 0 && n->planned_turn == c->turn;
    struct backfill_end *ends = room_for_ends(c->forecast, 2 * (size_t)n->live + (planned ? p->log_count : 0));
    size_t count = 0;
    for (struct task *t = n->tasks; t != NULL; t = t->node_next)
        count += add_live(c, t, p->now.utc_us, ends + count);
    if (planned)
        count += add_planned(c, p, n, ends + count);
    backfill_begin(b, p->now.utc_us, &n->total, &n->used, ends, count);
    windows_close(n, b);
}
