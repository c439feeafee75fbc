#include "scheduler/sim/run_inner.h"

#include <errno.h>
#include <string.h>

#define SERVER_MADE '#' /* a key that nobody brought begins so */

/* Its number here; 0: it isn't here. */
static uint64_t number_of(const struct run *r, uint64_t number_then)
{
    const struct sim_job *job = past_job(r->workload, number_then);
    return job != NULL ? r->numbers[job - r->workload->jobs] : 0;
}

/* ---- what people did ---- */
static bool submitted(struct run *r, const struct past_event *e, struct fact *f)
{
    struct fact_submitted *s = &f->submitted;
    const struct sim_job *job = &r->workload->jobs[e->job];
    struct submit_call call = {.spec = s->spec, .tenant = s->tenant, .key = s->key};
    s->spec = (struct job_spec){0};
    s->tenant = s->key = NULL;
    if (call.key != NULL && call.key[0] == SERVER_MADE) {
        free(call.key);
        call.key = NULL;
    }
    /* With another policy, tenants are called from the beginning as they are in the end. */
    if (!r->as_it_was && str_set(&call.tenant, r->workload->tenants.v[job->tenant]) < 0)
        abort();
    struct job_after *after = call.spec.after.v;
    for (size_t i = 0; i < call.spec.after.count; i++)
        if (after[i].job != 0)
            after[i].job = number_of(r, after[i].job);
    run_submit(r, &call, 0, "root", job);
    return true;
}

static bool cancel(struct run *r, struct job_call call, const char *who)
{
    static struct fact facts[RUN_BATCH];
    size_t count;
    bool any = false;
    do {
        struct cancel_reply reply;
        struct refusal refusal = {0};
        if (core_check_cancel(r->core, &call, who, run_now(r), facts, RUN_BATCH, &count, &reply, &refusal) != CORE_FACT)
            fields_clear(&refusal_fields, &refusal);
        for (size_t i = 0; i < count; i++)
            any |= run_commit(r, &facts[i]);
    } while (count == RUN_BATCH);
    return any;
}

/* More than one at once is a whole job; of one, who cancelled it may have meant all that was left. */
static bool cancelled(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    const struct fact_tasks *t = &f->cancelled;
    if (t->reason == NULL || strcmp(t->reason, "cancelled") != 0)
        return true; /* a deadline, a dependency, its budget: decided anew */
    const struct sim_job *job = past_job(r->workload, t->job);
    bool one = job != NULL && t->count == 1 && job->tasks > 1;
    return cancel(r, (struct job_call){number_of(r, t->job), one, t->first}, t->who);
}

static bool requeue(struct run *r, struct job_call call, const char *who)
{
    struct fact f;
    size_t count;
    struct cancel_reply reply;
    struct refusal refusal = {0};
    int answer = core_check_requeue(r->core, &call, who, run_now(r), &f, 1, &count, &reply, &refusal);
    fields_clear(&refusal_fields, &refusal);
    return answer == CORE_FACT && count == 1 && run_commit(r, &f);
}

static bool stopping(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    const struct fact_stopping *s = &f->stopping;
    struct job_call call = {number_of(r, s->id.job), true, s->id.task};
    if (s->cause == END_CANCELLED)
        return cancel(r, call, s->who);
    return s->cause != END_REQUEUED || requeue(r, call, s->who); /* others are decided anew */
}

static bool held(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    struct job_call call = {number_of(r, f->held.job), true, f->held.first};
    struct refusal refusal = {0};
    struct fact out;
    int answer = core_check_hold(r->core, &call, f->held.who, run_now(r), &out, &refusal);
    return run_answer(r, answer, &out, &refusal);
}

static bool release(struct run *r, struct job_call call, const char *who)
{
    struct refusal refusal = {0};
    struct fact out;
    int answer = core_check_release(r->core, &call, who, run_now(r), &out, &refusal);
    return run_answer(r, answer, &out, &refusal);
}

static bool released(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    bool any = false;
    for (uint32_t i = 0; i < f->released.count; i++)
        any |= release(r, (struct job_call){number_of(r, f->released.job), true, f->released.first + i},
                       f->released.who);
    return any;
}

static bool changed(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    const struct fact_job_changed *k = &f->job_changed;
    struct job_call call = {.job = number_of(r, k->job)};
    struct refusal refusal = {0};
    struct fact out;
    int answer;
    if (k->set_priority)
        answer = core_check_priority(r->core, &(struct priority_call){call.job, k->priority}, k->who, run_now(r), &out,
                                     &refusal);
    else if (k->hold)
        answer = core_check_hold(r->core, &call, k->who, run_now(r), &out, &refusal);
    else
        return release(r, call, k->who);
    return run_answer(r, answer, &out, &refusal);
}

static bool adjusted(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    struct fact_adjusted *a = &f->adjusted;
    if (a->kind == ADJUST_RERATE)
        return true; /* of lines that are others here */
    struct adjust_call call = {.tenant = a->tenant, .key = a->key, .reason = a->reason, .micros = a->micros,
                               .kind = a->kind, .from_utc_us = a->from_utc_us, .to_utc_us = a->to_utc_us};
    struct adjust_reply reply = {0};
    struct refusal refusal = {0};
    struct fact facts[64];
    size_t count = 0;
    bool all = core_check_adjust(r->core, &call, a->who, run_now(r), facts, COUNT_OF(facts), &count, &reply,
                                 &refusal) == CORE_FACT;
    for (size_t i = 0; i < count; i++)
        all &= run_commit(r, &facts[i]);
    fields_clear(&adjust_reply_fields, &reply);
    fields_clear(&refusal_fields, &refusal);
    return all;
}

/* ---- policy ---- */
static bool policy_set(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)f;
    struct policy_file policy;
    struct err err = {0};
    if (!r->as_it_was)
        return true;
    int rc = fields_decode(&policy_file_fields, r->past->bytes.data + e->at, e->len, &policy, &err);
    BUG(rc < 0);
    rc = run_set_policy(r, &policy, &err);
    r->totals.policies_not_again += rc < 0;
    return rc == 0;
}

static bool move(struct run *r, const struct fact_tenant_moved *m)
{
    const struct move_call call = {.from = m->from, .to = m->to};
    struct apply_reply reply = {0};
    struct refusal refusal = {0};
    struct fact out;
    int answer = core_check_move(r->core, &call, m->who, run_now(r), &out, &reply, &refusal);
    fields_clear(&apply_reply_fields, &reply);
    return run_answer(r, answer, &out, &refusal);
}

static bool moved(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    return !r->as_it_was || move(r, &f->tenant_moved);
}

/* ---- nodes ---- */
struct hello {
    struct run *run;
    struct list attempts; /* struct attempt_state */
};

static void add_attempt(void *arg, struct attempt_id id)
{
    struct hello *h = arg;
    struct attempt_state *s = list_add(&h->attempts, sizeof *s);
    if (s == NULL)
        abort();
    *s = (struct attempt_state){.id = id};
}

/* Under another boot id nothing of what ran there is left: the core ends it when it hears of that. */
static bool joined(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    struct hello h = {.run = r};
    struct err err = {0};
    if (r->cluster != NULL)
        return true;
    core_each_attempt(r->core, f->joined.node, add_attempt, &h);
    int rc = run_hello(r, &f->joined, h.attempts, &err);
    free(h.attempts.v);
    return rc == 0;
}

static void lose(struct run *r, const char *node)
{
    struct hello h = {.run = r};
    core_each_attempt(r->core, node, add_attempt, &h);
    const struct attempt_state *s = h.attempts.v;
    for (size_t i = 0; i < h.attempts.count; i++) {
        struct live *l = *run_live_slot(r, s[i].id);
        l->end_us = r->now_us;
        run_end(r, l, END_NODE_LOST);
    }
    free(h.attempts.v);
    struct fact f = {.kind = FACT_NODE_LOST, .at_utc_us = run_now(r).utc_us};
    if (str_set(&f.lost.node, node) < 0 || str_set(&f.lost.reason, "it was lost then") < 0)
        abort();
    if (run_commit(r, &f))
        run_node_has(r, node, 0);
}

static bool lost(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    if (r->cluster == NULL)
        lose(r, f->lost.node);
    return true;
}

static bool drained(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    const struct drain_call call = {f->drained.node, f->drained.drained, f->drained.reason};
    struct refusal refusal = {0};
    struct fact out;
    if (r->cluster != NULL)
        return true;
    int answer = core_check_drain(r->core, &call, f->drained.who, run_now(r), &out, &refusal);
    return run_answer(r, answer, &out, &refusal);
}

/* Numbers are given one after the other, so one beyond all before it is new. */
static uint64_t window_here(const struct run *r, uint64_t then)
{
    uint64_t since = r->past->last_window;
    if (then <= since)
        return then;
    return then - since <= r->windows.count ? ((const uint64_t *)r->windows.v)[then - since - 1] : 0;
}

static bool window_set(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    const struct fact_window *w = &f->window;
    struct window_call call = {.window = window_here(r, w->window), .nodes = w->nodes, .where = w->where,
                               .cell = w->cell, .from_utc_us = w->from_utc_us, .to_utc_us = w->to_utc_us,
                               .at_begin = w->at_begin, .reason = w->reason};
    bool is_new = w->window > r->past->last_window + r->windows.count;
    struct window_reply reply = {0};
    struct refusal refusal = {0};
    struct fact out = {0};
    bool other = r->cluster != NULL && w->nodes.count > 0; /* of nodes that aren't there */
    bool in = !other && run_answer(r, core_check_window(r->core, &call, w->who, run_now(r), &out, &reply, &refusal),
                                   &out, &refusal);
    if (is_new) {
        uint64_t *row = list_add(&r->windows, sizeof *row);
        if (row == NULL)
            abort();
        *row = in ? reply.window : 0;
    }
    return in || other;
}

static bool window_dropped(struct run *r, const struct past_event *e, struct fact *f)
{
    (void)e;
    const struct fact_window_dropped *w = &f->window_dropped;
    const struct window_drop_call call = {window_here(r, w->window), w->reason};
    struct refusal refusal = {0};
    struct fact out = {0};
    if (w->reason != NULL && strcmp(w->reason, "over") == 0)
        return true; /* by itself, and so here */
    return run_answer(r, core_check_window_drop(r->core, &call, w->who, run_now(r), &out, &refusal), &out, &refusal);
}

/* ---- events ---- */
typedef bool (*again_fn)(struct run *r, const struct past_event *e, struct fact *f);
/* What past.c keeps, and how it happens again. false: there was nothing for it here. */
static const again_fn again[FACT_KIND_COUNT] = {
    [FACT_POLICY_SET] = policy_set,
    [FACT_JOB_SUBMITTED] = submitted,
    [FACT_TASKS_CANCELLED] = cancelled,
    [FACT_TASK_HELD] = held,
    [FACT_TASK_RELEASED] = released,
    [FACT_JOB_CHANGED] = changed,
    [FACT_ATTEMPT_STOPPING] = stopping,
    [FACT_NODE_JOINED] = joined,
    [FACT_NODE_LOST] = lost,
    [FACT_NODE_DRAINED] = drained,
    [FACT_LEDGER_ADJUSTED] = adjusted,
    [FACT_TENANT_MOVED] = moved,
    [FACT_WINDOW_SET] = window_set,
    [FACT_WINDOW_DROPPED] = window_dropped,
};

void run_past_events(struct run *r)
{
    const struct past *p = r->past;
    while (r->next < p->events_count && p->events[r->next].at_us <= r->now_us) {
        const struct past_event *e = &p->events[r->next++];
        struct fact f = {0};
        if (e->kind != FACT_POLICY_SET)
            past_fact(p, e, &f);
        r->totals.not_again += !again[e->kind](r, e, &f);
        fact_clear(&f);
    }
}

/* ---- where it begins ---- */
/* One that runs there already, or was told to stop. */
static void begin_attempt(struct run *r, const struct sim_job *job, const struct snapshot_task *t)
{
    struct attempt_id id = {job->past_job, t->task, t->epoch};
    int64_t since = t->started_utc_us != 0 ? t->started_utc_us : t->placed_utc_us;
    struct live *l = run_live_add(r, id, job, since - r->begin_utc_us + (int64_t)t->paused_us, t->paid_us);
    if (t->stopping != END_NONE) {
        l->stop_cause = t->stopping;
        l->stop_us = 0;
        l->end_us = MIN(l->end_us, 0);
    }
    l->end_us = MAX(l->end_us, 0);
    heap_moved(&r->ends, &run_by_end, l);
}

static void begin_job(struct run *r, const struct sim_job *job, const struct fact_snapshot_job *s)
{
    struct tenant_measure *t = &r->measure.tenants[job->tenant];
    uint64_t over = 0, live = 0;
    r->jobs[job->past_job] = job;
    r->numbers[job - r->workload->jobs] = job->past_job;
    for (size_t i = 0; i < s->ended.count; i++)
        over += s->ended.v[i].value;
    for (size_t i = 0; i < s->tasks.count; i++)
        live += ((const struct snapshot_task *)s->tasks.v)[i].node != NULL;
    for (size_t i = 0; i < s->tasks.count; i++)
        if (((const struct snapshot_task *)s->tasks.v)[i].node != NULL)
            begin_attempt(r, job, &((const struct snapshot_task *)s->tasks.v)[i]);
    t->waiting += job->tasks - MIN(over + live, job->tasks);
    t->submitted += job->tasks;
}

static int begin_fact(struct run *r, const struct past_event *e, struct err *err)
{
    struct fact f = {0};
    past_fact(r->past, e, &f);
    int rc = core_apply_check(r->core, &f, err);
    if (rc == 0) {
        core_apply(r->core, 0, &f);
        if (f.kind == FACT_SNAPSHOT_JOB)
            begin_job(r, &r->workload->jobs[e->job], &f.snapshot_job);
    }
    fact_clear(&f);
    return rc;
}

static void begin_nodes(struct run *r)
{
    struct node_reply nodes;
    if (core_nodes(r->core, run_now(r), &nodes) < 0)
        abort();
    for (size_t i = 0; i < nodes.nodes.count; i++) {
        const struct node_row *n = &((const struct node_row *)nodes.nodes.v)[i];
        if (strcmp(n->state, "lost") == 0)
            continue;
        core_node_seen(r->core, n->node, run_now(r));
        run_node_has(r, n->node, n->capacity.cpu_milli);
        if (r->cluster != NULL)
            lose(r, n->node);
    }
    fields_clear(&node_reply_fields, &nodes);
}

/* Those that had not yet said that they run, do. */
static void begin_running(struct run *r)
{
    for (size_t i = 0; i < r->buckets_count; i++)
        for (struct live *l = r->buckets[i]; l != NULL; l = l->next)
            run_report_running(r, l);
}

/* Tenants that are there get the names that they have in the end. */
static void begin_moves(struct run *r)
{
    for (size_t i = 0; i < r->past->events_count; i++) {
        struct fact f = {0};
        if (r->past->events[i].kind != FACT_TENANT_MOVED)
            continue;
        past_fact(r->past, &r->past->events[i], &f);
        (void)move(r, &f.tenant_moved);
        fact_clear(&f);
    }
}

static int policy_alone(struct run *r, struct err *err)
{
    struct policy_reply now = {0};
    if (core_policy(r->core, &now) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    int rc = now.policy.two_persons ? run_set_policy(r, &now.policy, err) : 0;
    fields_clear(&policy_reply_fields, &now);
    return rc;
}

int run_past_begin(struct run *r, struct policy_file *policy, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->past->start_count; i++)
        rc = begin_fact(r, &r->past->start[i], err);
    if (rc == 0)
        rc = policy_alone(r, err);
    if (rc < 0)
        return rc;
    begin_nodes(r);
    begin_running(r);
    if (policy != NULL) {
        begin_moves(r);
        rc = run_set_policy(r, policy, err);
    }
    return rc == 0 && r->cluster != NULL ? run_join_cluster(r, r->cluster, err) : rc;
}
