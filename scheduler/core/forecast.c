#include <stdlib.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/windows.h"

#define LATE_US INT64_C(60000000) /* what should have ended is expected to end so much later */

/* So that of 20 one is beyond: steps towards it and away from it in that ratio come to rest there, whatever they are
 * like (Robbins & Monro, "A Stochastic Approximation Method", 1951). */
#define STEP_NEARER 5
#define STEP_AWAY (19 * STEP_NEARER)

struct forecast {
    uint32_t ran_permille;     /* of their limits, 19 of 20 that have ended of late ran so much or more */
    uint32_t ends_permille;    /* what runs is expected to run so much of its limit: all of it */
    struct backfill_end *ends; /* scratch */
    size_t ends_size;
};

void forecast_init(struct core *c)
{
    c->forecast = core_alloc(sizeof *c->forecast);
    c->forecast->ends_permille = 1000;
}

void forecast_fini(struct core *c)
{
    free(c->forecast->ends);
    free(c->forecast);
}

void forecast_sooner(const struct core *c, bool sooner)
{
    c->forecast->ends_permille = sooner ? c->forecast->ran_permille : 1000;
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

/* When a live attempt will have ended at the latest, as far as that can be known. */
static int64_t expected_end(const struct core *c, const struct task *t, int64_t utc_us)
{
    uint64_t limit_us = t->job->shape->limit_us;
    int64_t begin_utc_us = t->started_utc_us != 0 ? task_clock_utc_us(t) : t->placed_utc_us;
    int64_t run_us = limit_us != 0 ? longest_us(c, limit_us) : horizon_us(c);
    bool sooner = c->forecast->ends_permille < 1000;
    int64_t end_utc_us = begin_utc_us + run_us / 1000 * c->forecast->ends_permille;
    if (t->stopping != END_NONE)
        return utc_us + forecast_stop_us(c, t->stopping);
    if (t->paused)
        return utc_us + horizon_us(c);
    if (t->final && task_paid_end(c, t) != PAID_END_PAUSE)
        end_utc_us = MIN(end_utc_us, begin_utc_us + longest_us(c, t->paid_us));
    if (end_utc_us > utc_us || sooner)
        return MAX(end_utc_us, utc_us);
    return limit_us != 0 || t->final ? utc_us + LATE_US : utc_us + horizon_us(c);
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

static size_t add_planned(const struct core *c, const struct plan *p, const struct node *n, struct backfill_end *ends)
{
    size_t count = 0;
    for (size_t i = 0; i < p->log_count; i++)
        if (p->log[i].node == n) {
            struct backfill_ask ask = forecast_ask(c, p->log[i].shape);
            ends[count++] = (struct backfill_end){backfill_after(p->now.utc_us, ask.run_us), ask.need};
        }
    return count;
}

void forecast_node(const struct core *c, const struct plan *p, const struct node *n, struct backfill *b)
{
    bool planned = p->log_count > 0 && n->planned_turn == c->turn;
    struct backfill_end *ends = room_for_ends(c->forecast, n->live + (planned ? p->log_count : 0));
    size_t count = 0;
    for (const struct task *t = n->tasks; t != NULL; t = t->node_next)
        ends[count++] = (struct backfill_end){
            MIN(expected_end(c, t, p->now.utc_us), windows_stop_utc_us(n, t)), attempt_uses(t)};
    if (planned)
        count += add_planned(c, p, n, ends + count);
    backfill_begin(b, p->now.utc_us, &n->total, &n->used, ends, count);
    windows_close(n, b);
}
