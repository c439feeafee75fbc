#include "scheduler/core/apply.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/deadline.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/quarantine.h"
#include "scheduler/core/windows.h"

/*
 * One turn: first what is lost (it frees nothing yet), then money for what runs, then new starts. Placements
 * are planned on the state itself and taken back at the end, in reverse: nothing but committed facts changes
 * it. What is proposed is in flight at once, so that no two proposals of a turn speak of the same task.
 */
void plan_rows_fini(struct core *c)
{
    free(c->plan_rows->log);
    free(c->plan_rows->resumed);
    free(c->plan_rows->skipped);
    free(c->plan_rows->parked);
    free(c->plan_rows->rested);
    free(c->plan_rows);
}

struct fact *plan_add(struct plan *p, uint32_t kind)
{
    if (p->count == p->max)
        return NULL;
    struct fact *f = &p->facts[p->count++];
    *f = (struct fact){.kind = kind, .at_utc_us = p->now.utc_us};
    return f;
}

void plan_wake_at(struct plan *p, int64_t utc_us)
{
    p->next_utc_us = MIN(p->next_utc_us, utc_us);
}

void plan_hold(struct core *c, struct plan *p, const struct fact *f)
{
    p->facts[p->count++] = *f;
    flight_begin(c, f);
    ledger_apply(c->ledger, f); /* the plan's next holds come on top of it; undone with them */
}

static void fire(struct core *c, struct plan *p, struct timer *t)
{
    timer_stop(c, t);
    if (t->deadline)
        decide_deadline(c, p, t->job);
    else if (t->task == NULL)
        queue_sync(c, t->job);
    else if (t->task->state == TASK_QUEUED)
        queue_sync_task(c, t->task);
    else if (t->task->state == TASK_RUNNING)
        decide_renewal(c, p, t->task);
}

static void decide_timers(struct core *c, struct plan *p)
{
    for (struct timer *t; (t = timer_first(c)) != NULL && t->due_utc_us <= p->now.utc_us && p->count < p->max;)
        fire(c, p, t);
}

/* ---- turns in which nothing is to be said ------------------------------------------------------------- */

/* What the turn has found holds until one of its times has come or something happens, where nobody waits for a place:
 * whoever does is asked again each turn. */
static void keep_still(struct core *c, const struct plan *p)
{
    bool done = p->count == 0 && c->troubled == NULL && c->suspects == NULL && c->doomed == NULL &&
                c->gangs_over_count == 0 && claims_next(c) == NULL;
    c->still = (struct still){done, p->next_boot_us, p->next_utc_us};
}

static bool is_still(const struct core *c, struct core_now now)
{
    return c->still.is && now.boot_us < c->still.boot_us && now.utc_us < c->still.utc_us;
}

static uint64_t next_boot_us(struct core_now now, uint64_t boot_us, int64_t utc_us)
{
    return utc_us == INT64_MAX ? boot_us : MIN(boot_us, now.boot_us + (uint64_t)MAX(utc_us - now.utc_us, 1));
}

size_t core_decide(struct core *c, struct core_now now, struct fact *proposals, size_t max,
                   uint64_t *ret_next_boot_us)
{
    *ret_next_boot_us = UINT64_MAX;
    /* An account that opens beside a policy would keep the limit of the one before, and what is placed beside a window
     * wouldn't know it. */
    if (c->plans_in_flight > 0 || c->policy_in_flight > 0 || c->moves_in_flight > 0 || c->windows_in_flight > 0 ||
        max == 0)
        return 0;
    uint64_t look_boot_us = nodes_look(c, now);
    now.utc_us = core_utc(c, now);
    c->turn++;
    c->turn_utc_us = MAX(c->turn_utc_us, now.utc_us);
    if (is_still(c, now)) {
        *ret_next_boot_us = next_boot_us(now, MIN(look_boot_us, c->still.boot_us), c->still.utc_us);
        return 0;
    }
    struct plan p = {
        .now = now, .facts = proposals, .max = max, .next_boot_us = UINT64_MAX, .next_utc_us = INT64_MAX};
    p.rows = *c->plan_rows;
    decide_billing(c, &p);
    decide_crossings(c, &p);
    decide_closing(c, &p);
    decide_nodes(c, &p);
    decide_windows(c, &p);
    decide_quarantine(c, &p);
    decide_timers(c, &p);
    decide_depend(c, &p);
    decide_gangs(c, &p);
    blocked_look(c, &p);
    decide_place(c, &p);
    decide_place_undo(c, &p);
    *c->plan_rows = p.rows;
    if (timer_first(c) != NULL)
        plan_wake_at(&p, timer_first(c)->due_utc_us);
    plan_wake_at(&p, c->blocked_until_utc_us); /* of who was found to wait for money in this turn, too */
    keep_still(c, &p);
    *ret_next_boot_us =
        p.count == p.max ? now.boot_us : next_boot_us(now, MIN(look_boot_us, p.next_boot_us), p.next_utc_us);
    return p.count;
}
