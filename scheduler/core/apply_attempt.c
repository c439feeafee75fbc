#include <errno.h>
#include <string.h>

#include "policies/retry.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/deadline.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/money.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/quarantine.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/spread.h"

static int no_attempt(struct attempt_id id, const char *what, struct err *err)
{
    char text[ATTEMPT_ID_TEXT_MAX];
    return err_set(err, -EPROTO, "%s: no live attempt %s", what, attempt_id_format(id, text));
}

static int refused_state(const struct task *t, const char *what, struct err *err)
{
    char text[ATTEMPT_ID_TEXT_MAX];
    return err_set(err, -EPROTO, "%s: attempt %s is %s", what, attempt_id_format(task_id(t), text),
                   names_get(&task_state_names, t->state));
}

static int live_check(const struct core *c, struct attempt_id id, uint32_t event, struct err *err)
{
    const struct task *t = task_of(c, id);
    const char *what = names_get(&task_event_names, event);
    if (t == NULL || !task_state_is_live(t->state))
        return no_attempt(id, what, err);
    if (task_state_next(t->state, event, TASK_FAILED) < 0)
        return refused_state(t, what, err);
    return 0;
}

static void event(struct core *c, struct task *t, uint32_t what)
{
    int state = task_state_next(t->state, what, 0);
    BUG(state < 0);
    task_set_state(c, t, (uint32_t)state);
    t->job->change++;
}

/* ---- what an attempt uses --------------------------------------------------------------------------- */

void attempt_begin(struct core *c, struct task *t, struct node *n)
{
    struct shape *s = t->job->shape;
    shape_refresh(c, s);
    queue_drop(c, &t->entry);
    timer_stop(c, &t->timer);
    free(t->refused);
    t->refused = NULL;
    free(TAKE_PTR(t->staging));
    free(TAKE_PTR(t->told));
    node_take_task(n, t);
    spread_note(c, t->job, n, true);
    struct capacity uses = attempt_uses(t);
    node_use(c, n, &uses, true);
    claims_use(c, s->tenant, &s->need, true);
    t->job->live++;
    c->preemptible_live += s->preemptible;
}

void attempt_finish(struct core *c, struct task *t)
{
    struct shape *s = t->job->shape;
    struct node *n = t->node;
    struct capacity uses = attempt_uses(t);
    timer_stop(c, &t->timer);
    attempt_want_cores(c, t, false);
    attempt_forget_suspension(c, t);
    if (t->probe)
        quarantine_probe(c, n, false);
    t->probe = false;
    node_leave_task(t);
    spread_note(c, t->job, n, false);
    reserve_node_changed(c, n);
    node_use(c, n, &uses, false);
    claims_use(c, s->tenant, &s->need, false);
    t->job->live--;
    c->preemptible_live -= s->preemptible;
    core_clear_strs(&t->accounts);
    times_clear(&t->times);
    charges_clear(&t->charges);
    marks_clear(&t->marks);
    t->use = (struct use_point){0};
    t->uncounted_us = 0;
    t->price_class = NULL;
    t->placed_utc_us = t->started_utc_us = 0;
    t->spent_micros = t->hold_micros = 0;
    t->settled_us = t->paid_us = 0;
    t->run_us = t->run_boot_us = t->first_run_us = t->first_boot_us = 0;
    t->stopping = END_NONE;
    t->io_paid = (struct measure){0};
    t->io_out_utc_us = 0;
    t->final = t->io_final = t->missing = t->resuming = t->going = false;
    attempt_set_paused(c, t, false, 0);
    t->paused_us = 0;
    t->price_version = 0;
}

/* How long before the paid end the next slice is asked for: half a slice, but before the keeper begins to ask
 * the task to end, if slices are that short. */
int64_t renewal_lead_us(const struct core *c)
{
    uint64_t slice_us = core_slice_us(c);
    uint64_t warning_us = c->limits.grace_ms * 1000 + 1000000;
    return (int64_t)MAX(slice_us / 2, MIN(warning_us, slice_us / 4 * 3));
}

void attempt_note_periods(const struct core *c, struct task *t, int64_t utc_us)
{
    t->accounts_end_utc_us = tenant_accounts_end(c, t->job->shape->tenant, utc_us);
}

/* What a period of its budgets still has to pay is settled soon after its end. */
static int64_t period_due_utc_us(const struct task *t)
{
    int64_t due_utc_us;
    bool beyond = __builtin_add_overflow(t->accounts_end_utc_us, (int64_t)SETTLE_MARGIN_US, &due_utc_us);
    return beyond ? NEVER_US : due_utc_us;
}

void attempt_plan_renewal(struct core *c, struct task *t)
{
    timer_stop(c, &t->timer);
    if (t->state != TASK_RUNNING || t->started_utc_us == 0 || t->stopping == END_NODE_LOST)
        return;
    if (t->paused) {
        timer_set(c, &t->timer, c->fact_utc_us + PAUSED_LOOK_US);
        return;
    }
    int64_t due_utc_us = period_due_utc_us(t);
    if (t->paid_us < core_longest_us(c, t->job->shape->limit_us)) {
        due_utc_us = MIN(due_utc_us, task_clock_utc_us(t) + (int64_t)t->paid_us - renewal_lead_us(c));
        if (t->run_boot_us != 0) /* the wall clock may have been set since it started */
            due_utc_us =
                MIN(due_utc_us, c->fact_utc_us + ((int64_t)t->paid_us - (int64_t)t->run_us) - renewal_lead_us(c));
    }
    if (task_io_is_due(c, t) && !attempt_is_suspended(t)) /* it went on while this was decided, and is halted by now */
        due_utc_us = c->fact_utc_us;
    if (due_utc_us != NEVER_US)
        timer_set(c, &t->timer, due_utc_us);
}

/* ---- attempt.placed --------------------------------------------------------------------------------- */

static int start_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_placed *p = &f->placed;
    const struct job *j = job_find(c, p->id.job);
    if (j == NULL || j->finished || !job_has_task(j, p->id.task))
        return no_attempt(p->id, "placed: no such task", err);
    const struct node *n = node_find(c, p->node);
    if (n == NULL || n->lost)
        return err_set(err, -EPROTO, "placed: no node '%s'", p->node != NULL ? p->node : "");
    const struct shape *s = j->shape;
    struct capacity need;
    if (!s->placeable && !shape_need(c, s, &need))
        return err_set(err, -EPROTO, "placed: job %llu needs what no node has", (unsigned long long)j->id);
    if (!path_is_of(&p->path, s->tenant) || !fields_equal(&resources_fields, &p->resources, &s->resources))
        return err_set(err, -EPROTO, "placed: job %llu asked for something else", (unsigned long long)j->id);
    const struct task *t = task_find(j, p->id.task);
    if (t != NULL && task_state_next(t->state, TASK_EV_PLACED, 0) < 0)
        return refused_state(t, "placed", err);
    bool right_epoch =
        t != NULL ? p->id.epoch == t->epoch + 1 : p->id.epoch == 1 && outcomes_at(&j->aside->over, p->id.task) == NULL;
    if (!right_epoch || p->hold_micros < 0)
        return no_attempt(p->id, "placed: not the next epoch", err);
    return 0;
}

static int placed_check(const struct core *c, const struct fact *f, struct err *err)
{
    int rc = start_check(c, f, err);
    if (rc == 0 && job_find(c, f->placed.id.job)->gang != 0)
        return no_attempt(f->placed.id, "placed: a part of a gang", err);
    return rc;
}

static struct task *first_attempt_of(struct core *c, struct job *j, uint32_t index)
{
    struct task *t = task_add(c, j, index, TASK_QUEUED);
    job_advance(j);
    return t;
}

static void start(struct core *c, struct job *j, const struct fact *f)
{
    const struct fact_placed *p = &f->placed;
    struct task *t = task_find(j, p->id.task);
    if (t == NULL)
        t = first_attempt_of(c, j, p->id.task);
    event(c, t, TASK_EV_PLACED);
    t->epoch = p->id.epoch;
    t->placed_utc_us = f->at_utc_us;
    t->hold_micros = p->hold_micros;
    t->paid_us = p->paid_us;
    t->io_paid = p->io_paid_bytes;
    t->price_version = p->price_version;
    t->price_class = p->price_class != NULL ? core_intern(c, p->price_class) : NULL;
    core_copy_strs(&p->accounts, &t->accounts);
    times_copy(&p->times, &t->times);
    attempt_note_periods(c, t, f->at_utc_us);
    attempt_begin(c, t, node_find(c, p->node));
    t->probe = t->node->quarantined;
    quarantine_probe(c, t->node, true);
    past_use(c, t, 0, t->paid_us, f->at_utc_us);
    c->placed_total++;
}

static void placed_apply(struct core *c, const struct fact *f)
{
    struct fact room;
    struct job *j = job_find(c, fact_placement(f, 0, &room)->placed.id.job);
    ledger_apply(c->ledger, f);
    for (size_t i = 0; i < fact_placements(f); i++)
        start(c, j, fact_placement(f, i, &room));
    if (f->kind == FACT_GANG_PLACED)
        gang_leave_out(c, j, &f->gang_placed);
    if (j->aside->refused != NULL)
        job_set_refused(j, NULL);
    queue_sync(c, j);
}
const struct fact_rule rule_placed = {placed_check, placed_apply};

static int gang_check(const struct core *c, const struct fact *f, struct err *err)
{
    struct fact room;
    int rc = gang_placed_check(c, f, err);
    for (size_t i = 0; rc == 0 && i < fact_placements(f); i++)
        rc = start_check(c, fact_placement(f, i, &room), err);
    return rc;
}
const struct fact_rule rule_gang_placed = {gang_check, placed_apply};

/* ---- while it lives --------------------------------------------------------------------------------- */

static int running_check(const struct core *c, const struct fact *f, struct err *err)
{
    return live_check(c, f->running.id, TASK_EV_RUNNING, err);
}

static void running_apply(struct core *c, const struct fact *f)
{
    struct task *t = task_of(c, f->running.id);
    event(c, t, TASK_EV_RUNNING);
    if (t->started_utc_us == 0)
        t->started_utc_us = f->running.started_utc_us;
    quarantine_note_running(c, t);
    attempt_plan_renewal(c, t);
}
const struct fact_rule rule_running = {running_check, running_apply};

static int renewed_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_renewed *r = &f->renewed;
    const struct task *t = task_of(c, r->id);
    if (t == NULL || !task_state_is_live(t->state))
        return no_attempt(r->id, "renewed", err);
    if (r->spent_micros < t->spent_micros || r->spent_micros - t->spent_micros > t->hold_micros ||
        r->hold_micros < 0 || r->settled_us < t->settled_us ||
        (r->paid_us < t->paid_us && !(r->paused && attempt_is_suspended(t))) ||
        r->paused_us < t->paused_us || (r->paused && (r->hold_micros != 0 || r->settled_us != r->paid_us)))
        return err_set(err, -EPROTO, "renewed: attempt %llu.%u spends what it doesn't hold, or loses paid time",
                       (unsigned long long)r->id.job, r->id.task);
    return 0;
}

static void renewed_apply(struct core *c, const struct fact *f)
{
    const struct fact_renewed *r = &f->renewed;
    struct task *t = task_of(c, r->id);
    ledger_apply(c->ledger, f);
    job_aside(t->job)->spent_micros += r->spent_micros - t->spent_micros;
    past_use(c, t, r->settled_us - t->settled_us, r->paid_us - r->settled_us, f->at_utc_us);
    t->spent_micros = r->spent_micros;
    t->hold_micros = r->hold_micros;
    t->settled_us = r->settled_us;
    t->paid_us = r->paid_us;
    t->final = r->final;
    t->io_out_utc_us = r->io_paid_bytes.plus_one == t->io_paid.plus_one ? t->io_out_utc_us : 0;
    t->io_paid = r->io_paid_bytes;
    t->io_final = r->io_final;
    t->rests = r->paused && (attempt_is_suspended(t) || t->rests);
    t->resuming = !r->paused && (t->paused || t->resuming);
    attempt_set_paused(c, t, r->paused, r->paused ? f->at_utc_us : 0);
    t->paused_us = r->paused_us;
    core_clear_strs(&t->accounts);
    core_copy_strs(&r->accounts, &t->accounts);
    times_clear(&t->times);
    times_copy(&r->times, &t->times);
    attempt_note_periods(c, t, f->at_utc_us);
    charges_join(&t->charges, &r->charges);
    marks_set(&t->marks, &r->marks);
    free(t->refused);
    t->refused = NULL;
    t->job->change++;
    c->renewed_total++;
    attempt_plan_renewal(c, t);
}
const struct fact_rule rule_renewed = {renewed_check, renewed_apply};

static int stopping_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct task *t = task_of(c, f->stopping.id);
    if (t == NULL || !task_state_is_live(t->state) || f->stopping.cause == END_NONE ||
        f->stopping.cause >= END_CAUSE_COUNT)
        return no_attempt(f->stopping.id, "stopping", err);
    return 0;
}

static void stopping_apply(struct core *c, const struct fact *f)
{
    struct task *t = task_of(c, f->stopping.id);
    gang_stop(c, t, f->stopping.cause);
    t->job->change++;
}
const struct fact_rule rule_stopping = {stopping_check, stopping_apply};

static int unreachable_check(const struct core *c, const struct fact *f, struct err *err)
{
    return live_check(c, f->unreachable.id, TASK_EV_SILENT, err);
}

static void unreachable_apply(struct core *c, const struct fact *f)
{
    struct task *t = task_of(c, f->unreachable.id);
    event(c, t, TASK_EV_SILENT);
    timer_stop(c, &t->timer);
}
const struct fact_rule rule_unreachable = {unreachable_check, unreachable_apply};

static int reached_check(const struct core *c, const struct fact *f, struct err *err)
{
    return live_check(c, f->reached.id, TASK_EV_REACHED, err);
}

static void reached_apply(struct core *c, const struct fact *f)
{
    struct task *t = task_of(c, f->reached.id);
    event(c, t, TASK_EV_REACHED);
    attempt_plan_renewal(c, t);
}
const struct fact_rule rule_reached = {reached_check, reached_apply};

/* ---- attempt.ended ---------------------------------------------------------------------------------- */

static int ended_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_ended *e = &f->ended;
    const struct task *t = task_of(c, e->id);
    if (t == NULL || !task_state_is_live(t->state))
        return no_attempt(e->id, "ended", err);
    if (e->next >= TASK_NEXT_COUNT || e->record.cause >= END_CAUSE_COUNT ||
        (e->next == NEXT_FINAL && !task_state_is_final(e->state)))
        return err_set(err, -EPROTO, "ended: task %llu.%u: nothing follows from this end",
                       (unsigned long long)e->id.job, e->id.task);
    if (e->spent_micros < t->spent_micros || e->spent_micros - t->spent_micros > t->hold_micros)
        return err_set(err, -EPROTO, "ended: attempt %llu.%u spends what it doesn't hold",
                       (unsigned long long)e->id.job, e->id.task);
    if (e->job_done && (e->next != NEXT_FINAL || t->job->aside->ended_count + 1 != job_tasks(t->job)))
        return err_set(err, -EPROTO, "ended: job %llu isn't done", (unsigned long long)e->id.job);
    return 0;
}

static int32_t exit_code_of(const struct exit_record *r, uint32_t state)
{
    if (state == TASK_SUCCEEDED)
        return 0;
    if (state == TASK_CANCELLED)
        return 130;
    if (r->cause == END_EXIT && r->exit_code != 0)
        return r->exit_code;
    if (r->cause == END_SIGNAL && r->signal > 0)
        return 128 + r->signal;
    if (r->cause == END_OOM)
        return 137;
    if (r->cause == END_TIME_LIMIT)
        return 124;
    return 1;
}

/* Borrows everything; for the history only. */
static void remember(struct core *c, struct task *t, const struct fact *f)
{
    const struct fact_ended *e = &f->ended;
    struct attempt_view view = {
        .task = t->index,
        .epoch = t->epoch,
        .state = (char *)(uintptr_t)names_get(&task_state_names,
                                              e->next == NEXT_FINAL ? e->state : task_state_of_end(&e->record)),
        .node = t->node->name,
        .cause = (char *)(uintptr_t)end_causes[e->record.cause].name,
        .sentence = (char *)(uintptr_t)end_causes[e->record.cause].sentence,
        .placed_utc_us = t->placed_utc_us,
        .started_utc_us = t->started_utc_us != 0 ? t->started_utc_us : e->record.started_utc_us,
        .ended_utc_us = f->at_utc_us,
        .record = e->record,
        .spent_micros = e->spent_micros,
        .written_off_micros = e->written_off_micros,
        .paid_us = t->paid_us,
        .settled_us = t->settled_us,
        .paused_us = task_paused_us(t, f->at_utc_us),
    };
    if (t->charges.count > 0)
        charges_join(&t->charges, &e->charges);
    view.charges = t->charges.count > 0 ? t->charges : e->charges; /* most were never renewed */
    history_add(t->job, &view, task_id(t), t->node);
    (void)c;
}

static void try_again(struct core *c, struct task *t, const struct fact *f)
{
    const struct fact_ended *e = &f->ended;
    event(c, t, e->next == NEXT_HELD ? TASK_EV_HELD : TASK_EV_REQUEUED);
    t->retries_used += e->user_retry;
    if (retry_is_node_fault(e->record.cause)) {
        t->node_faults++;
        t->avoid = node_find(c, e->node);
    }
    const struct retry_rule *rule = e->user_retry != 0 ? t->job->ask->retry : NULL;
    t->eligible_utc_us = f->at_utc_us + retry_pause_us(rule, e->record.cause, t->retries_used, t->node_faults);
    if (e->next == NEXT_QUEUED)
        timer_set(c, &t->timer, t->eligible_utc_us);
    deadline_again(c, t->job);
}

/* Run time that wasn't settled before. */
static uint64_t used_at_end(const struct task *t, const struct exit_record *r)
{
    uint64_t run_us = MIN(r->run_us, t->paid_us);
    return preempt_is_refunded(t, r->cause) || run_us < t->settled_us ? 0 : run_us - t->settled_us;
}

static void ended_apply(struct core *c, const struct fact *f)
{
    const struct fact_ended *e = &f->ended;
    struct task *t = task_of(c, e->id);
    struct job *j = t->job;
    ledger_apply(c->ledger, f);
    remember(c, t, f);
    job_aside(j)->spent_micros += e->spent_micros - t->spent_micros;
    c->written_off_micros += e->written_off_micros;
    c->ended_total++;
    forecast_note_end(c, j->shape, e->record.run_us);
    past_use(c, t, used_at_end(t, &e->record), 0, f->at_utc_us);
    quarantine_note_end(c, t, t->node, e->record.cause, f->at_utc_us);
    attempt_finish(c, t);
    if (e->next == NEXT_FINAL) {
        int32_t code = exit_code_of(&e->record, e->state);
        job_aside(j)->exit_code = code != 0 ? code : j->aside->exit_code;
        task_drop(c, t);
        job_count_ended(c, j, e->state, e->id.task, 1);
    } else {
        try_again(c, t, f);
    }
    if (j->gang != 0)
        gang_ended(c, j, e);
    j->change++;
    queue_sync(c, j);
    job_finish_if_done(c, j, f->at_utc_us);
}
const struct fact_rule rule_ended = {ended_check, ended_apply};
