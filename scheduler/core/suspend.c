#include <errno.h>
#include <string.h>

#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"

/*
 * A person lets an attempt stand still, and go on. Its keeper stops it at once (SIGSTOP) and gives back what was paid
 * beyond that; when its node has said so, what ran is settled, nothing is held, and it is paused (paused.c, renew.c:
 * decide_rest), until it is resumed and there is money, and its node has its cores. Both wishes are numbered, so that
 * what a node says late is told from what it says now.
 *
 * Who may move nothing more, under a tenant whose jobs are paused then, is suspended by nobody: for_io. As soon as it
 * is paused it isn't suspended any more, and waits for money like any that is.
 */
bool attempt_is_suspended(const struct task *t)
{
    return t->suspends % 2 == 1;
}

bool attempt_is_put_aside(const struct task *t)
{
    return attempt_is_suspended(t) && !t->suspended_for_io;
}

bool attempt_stands(const struct task *t)
{
    return attempt_is_suspended(t) && t->stands == t->suspends && t->state == TASK_RUNNING;
}

void core_attempt_stands(struct core *c, const char *node, struct attempt_id id, uint32_t number, bool stands,
                         struct core_now now)
{
    struct task *t = task_of(c, id);
    if (t == NULL || t->state != TASK_RUNNING || strcmp(t->node->name, node) != 0)
        return;
    bool before = attempt_stands(t);
    t->stands = stands ? number : 0;
    t->suspends_heard = number;
    if ((attempt_stands(t) && !before && !t->paused) || number > t->suspends)
        timer_set(c, &t->timer, core_utc(c, now));
}

/* Its node has heard of a wish that nobody knows any more: it was lost with both copies of the journal before it was
 * safe. What holds is said again, under a number that the node takes for newer. */
bool decide_suspension(struct core *c, struct plan *p, struct task *t)
{
    if (t->suspends_heard <= t->suspends || t->in_flight)
        return false;
    bool suspended = attempt_is_suspended(t);
    struct fact *f = plan_add(p, FACT_ATTEMPT_SUSPENDED);
    f->suspended = (struct fact_suspended){
        .id = task_id(t),
        .node = core_text(t->node->name),
        .suspended = suspended,
        .number = t->suspends_heard + 1 + ((t->suspends_heard + 1) % 2 != (uint32_t)suspended),
        .who = core_text("reeved"),
        .reason = core_text("its node has heard otherwise"),
        .for_io = t->suspended_for_io};
    flight_begin(c, f);
    return true;
}

bool core_is_suspended(const struct core *c, struct attempt_id id)
{
    const struct task *t = task_of(c, id);
    return t != NULL && attempt_is_suspended(t);
}

void attempt_forget_suspension(struct core *c, struct task *t)
{
    c->suspended_live -= attempt_is_suspended(t);
    free(t->suspended_by);
    t->suspended_by = NULL;
    t->suspends = t->stands = t->suspends_heard = 0;
    t->suspended_utc_us = 0;
    t->rests = t->suspended_for_io = false;
}

/* The next wish: that it stands still, or goes on. */
static struct fact_suspended next_wish(const struct task *t, bool suspended, const char *who, const char *reason)
{
    uint32_t number = t->suspends + 1;
    return (struct fact_suspended){.id = task_id(t),
                                   .node = core_text(t->node->name),
                                   .suspended = suspended,
                                   .number = number + (number % 2 != (uint32_t)suspended),
                                   .who = core_text(who),
                                   .reason = core_text(reason)};
}

void decide_io_wish(struct core *c, struct plan *p, struct task *t, bool suspended)
{
    struct fact *f = t->in_flight ? NULL : plan_add(p, FACT_ATTEMPT_SUSPENDED);
    if (f == NULL)
        return;
    f->suspended = next_wish(t, suspended, "at_paid_end", suspended ? "all I/O that is paid is used" : NULL);
    f->suspended.for_io = suspended;
    flight_begin(c, f);
}

/* ---- attempt.suspended ------------------------------------------------------------------------------ */

static int suspended_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_suspended *s = &f->suspended;
    const struct task *t = task_of(c, s->id);
    if (t == NULL || !task_state_is_live(t->state) || s->number <= t->suspends ||
        s->suspended != (s->number % 2 == 1))
        return err_set(err, -EPROTO, "attempt.suspended: attempt %llu.%u.%u doesn't live, or has heard of more than %u",
                       (unsigned long long)s->id.job, s->id.task, s->id.epoch, s->number);
    return 0;
}

static void note_change(struct core *c, struct task *t, const struct fact *f)
{
    const struct fact_suspended *s = &f->suspended;
    bool reason = s->reason != NULL && s->reason[0] != '\0';
    bool before = attempt_is_suspended(t);
    t->suspended_utc_us = s->suspended ? f->at_utc_us : 0;
    t->suspended_for_io = s->for_io;
    free(t->suspended_by);
    t->suspended_by =
        s->suspended ? text_of("%.100s%s%.300s", s->who, reason ? ": " : "", reason ? s->reason : "") : NULL;
    c->suspended_live += (uint64_t)s->suspended - (uint64_t)before;
    if (!s->suspended && t->paused)
        t->paused_utc_us = f->at_utc_us; /* from now on it waits for money and cores only */
}

static void suspended_apply(struct core *c, const struct fact *f)
{
    const struct fact_suspended *s = &f->suspended;
    struct task *t = task_of(c, s->id);
    if (attempt_is_suspended(t) != s->suspended || t->suspended_for_io != s->for_io)
        note_change(c, t, f);
    t->suspends = s->number;
    reserve_node_changed(c, t->node);
    t->job->change++;
    attempt_plan_renewal(c, t);
}
const struct fact_rule rule_suspended = {suspended_check, suspended_apply};

/* ---- questions -------------------------------------------------------------------------------------- */

static void change_hold(struct core *c, const struct job *j, bool hold, const char *who, int64_t utc_us,
                        struct fact *ret)
{
    *ret = (struct fact){.kind = FACT_JOB_CHANGED, .at_utc_us = utc_us};
    ret->job_changed = (struct fact_job_changed){.job = j->id, .who = core_text(who), .set_hold = true, .hold = hold};
    flight_begin(c, ret);
}

static void change_attempt(struct core *c, const struct task *t, const struct suspend_call *call, bool suspend,
                           const char *who, int64_t utc_us, struct fact *ret)
{
    *ret = (struct fact){.kind = FACT_ATTEMPT_SUSPENDED, .at_utc_us = utc_us};
    ret->suspended = next_wish(t, suspend, who, call->reason);
    flight_begin(c, ret);
}

static bool is_to_change(const struct task *t, bool suspend)
{
    return task_state_is_live(t->state) && t->stopping == END_NONE && attempt_is_put_aside(t) != suspend;
}

static int refuse_task(const struct job *j, uint32_t index, struct refusal *refusal)
{
    refusal_from(refusal, "state", "task", "reeve hold keeps what waits from starting",
                 "task %llu.%u doesn't run, or is stopping: only what runs can be suspended",
                 (unsigned long long)j->id, index);
    return CORE_REFUSED;
}

/* The others would wait for it, and be paid for. */
static int refuse_gang(const struct job *j, struct refusal *refusal)
{
    refusal_from(refusal, "state", "task", "suspend the whole job", "tasks of job %llu run together or not at all",
                 (unsigned long long)j->id);
    return CORE_REFUSED;
}

int core_check_suspend(struct core *c, const struct suspend_call *call, bool suspend, const char *who,
                       struct core_now now, struct fact *ret, size_t max, size_t *ret_count,
                       struct suspend_reply *reply, struct refusal *refusal)
{
    struct job *j;
    int64_t utc_us = core_utc(c, now);
    *ret_count = 0;
    *reply = (struct suspend_reply){0};
    int rc = job_to_change(c, &(struct job_call){call->job, call->has_task, call->task}, &j, refusal);
    if (rc != CORE_FACT)
        return rc;
    if (call->has_task && j->gang != 0)
        return refuse_gang(j, refusal);
    const struct task *one = call->has_task ? task_find(j, call->task) : NULL;
    if (call->has_task && (one == NULL || !task_state_is_live(one->state) || one->stopping != END_NONE))
        return refuse_task(j, call->task, refusal);
    if (!call->has_task && j->on_hold != suspend && max > 0)
        change_hold(c, j, suspend, who, utc_us, &ret[(*ret_count)++]);
    for (uint32_t i = 0; i < j->tasks_count && *ret_count < max; i++) {
        const struct task *t = j->tasks[i];
        if ((one != NULL && t != one) || !is_to_change(t, suspend))
            continue;
        change_attempt(c, t, call, suspend, who, utc_us, &ret[(*ret_count)++]);
        reply->attempts++;
    }
    return CORE_FACT;
}
