/* job.hold, job.priority, job.requeue, job.suspend, job.resume: whoever may see a job may change it, as they may cancel
 * it. */
#include <string.h>

#include "scheduler/api_inner.h"

enum { ROUND = 64 }; /* facts at a time */

static enum request_step hold_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                      size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    int answer = core_check_hold(core, w->params, w->caller.user, now, out, &refusal);
    return wish_step(w, answer, out, &refusal, ret_count);
}

static enum request_step priority_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                          size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    int answer = core_check_priority(core, w->params, w->caller.user, now, out, &refusal);
    return wish_step(w, answer, out, &refusal, ret_count);
}

static enum request_step requeue_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                         size_t room, size_t *ret_count)
{
    struct wish *w = (struct wish *)r;
    struct cancel_reply round = {0};
    struct refusal refusal = {0};
    size_t max = MIN(room, (size_t)ROUND), count = 0;
    int answer = core_check_requeue(core, w->params, w->caller.user, now, out, max, &count, &round, &refusal);
    if (answer == CORE_LATER)
        return REQUEST_LATER;
    if (answer == CORE_REFUSED && !w->more)
        return wish_refused(w, &refusal);
    fields_clear(&refusal_fields, &refusal);
    w->more = answer == CORE_FACT && count == max;
    w->reply.cancel.stopping += round.stopping;
    *ret_count = count;
    return REQUEST_FACTS;
}

static bool again_settled(struct request *r)
{
    return r->refusal[0] == '\0' && ((struct wish *)r)->more ? true : wish_settled(r);
}

static enum request_step stand_propose(struct wish *w, bool suspend, struct core *core, struct core_now now,
                                       struct fact *out, size_t room, size_t *ret_count)
{
    struct suspend_reply round = {0};
    struct refusal refusal = {0};
    size_t max = MIN(room, (size_t)ROUND), count = 0;
    int answer = core_check_suspend(core, w->params, suspend, w->caller.user, now, out, max, &count, &round, &refusal);
    if (answer == CORE_LATER)
        return REQUEST_LATER;
    if (answer == CORE_REFUSED)
        return wish_refused(w, &refusal);
    w->more = count == max;
    w->reply.suspend.attempts += round.attempts;
    *ret_count = count;
    return REQUEST_FACTS;
}

static enum request_step suspend_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                         size_t room, size_t *ret_count)
{
    return stand_propose((struct wish *)r, true, core, now, out, room, ret_count);
}

static enum request_step resume_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                        size_t room, size_t *ret_count)
{
    return stand_propose((struct wish *)r, false, core, now, out, room, ret_count);
}

static const struct request_ops hold_ops = {false, hold_propose, wish_settled, wish_unavailable, wish_free};
static const struct request_ops priority_ops = {false, priority_propose, wish_settled, wish_unavailable, wish_free};
static const struct request_ops requeue_ops = {false, requeue_propose, again_settled, wish_unavailable, wish_free};
static const struct request_ops suspend_ops = {false, suspend_propose, again_settled, wish_unavailable, wish_free};
static const struct request_ops resume_ops = {false, resume_propose, again_settled, wish_unavailable, wish_free};

void api_hold(const struct call *c)
{
    if (call_may_job(c, ((const struct job_call *)c->params)->job))
        wish_post(c, &hold_ops, &job_call_fields, NULL);
}

void api_priority(const struct call *c)
{
    if (call_may_job(c, ((const struct priority_call *)c->params)->job))
        wish_post(c, &priority_ops, &priority_call_fields, NULL);
}

void api_requeue(const struct call *c)
{
    if (call_may_job(c, ((const struct job_call *)c->params)->job))
        wish_post(c, &requeue_ops, &job_call_fields, &cancel_reply_fields);
}

void api_suspend(const struct call *c)
{
    if (call_may_job(c, ((const struct suspend_call *)c->params)->job))
        wish_post(c, &suspend_ops, &suspend_call_fields, &suspend_reply_fields);
}

void api_resume(const struct call *c)
{
    if (call_may_job(c, ((const struct suspend_call *)c->params)->job))
        wish_post(c, &resume_ops, &suspend_call_fields, &suspend_reply_fields);
}
