#include "scheduler/core/apply.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/quarantine.h"

/* What a fact in flight is about, and how many of its job's tasks it makes final. */
struct subject {
    struct job *job;
    struct task *task;
    struct node *node;
    uint32_t ending;
    uint32_t ranges;
};

static struct subject of_attempt(const struct core *c, struct attempt_id id)
{
    struct job *j = job_find(c, id.job);
    return (struct subject){.job = j, .task = j != NULL ? task_find(j, id.task) : NULL};
}

/* Its task: the first on record, which leads it in the queue. */
static struct subject of_gang(const struct core *c, const struct fact_gang *f)
{
    struct job *j = job_find(c, f->job);
    const struct gang_member *v = f->members.v;
    bool known = j != NULL && j->gang != 0 && f->members.count > 0 && job_has_task(j, v[0].task);
    return (struct subject){
        .job = j, .task = known ? gang_lead(gang_of(j, v[0].task)) : NULL, .ending = f->left_out};
}

static struct subject subject_of(const struct core *c, const struct fact *f)
{
    struct subject s = {0};
    switch ((enum fact_kind)f->kind) {
    case FACT_TASKS_CANCELLED:
    case FACT_TASK_HELD:
    case FACT_TASK_RELEASED:
        s.job = job_find(c, f->cancelled.job);
        s.ending = f->kind == FACT_TASKS_CANCELLED ? f->cancelled.count : 0;
        s.ranges = 1;
        return s;
    case FACT_JOB_CHANGED:
        s.job = job_find(c, f->job_changed.job);
        s.ranges = 1;
        return s;
    case FACT_ATTEMPT_PLACED: return of_attempt(c, f->placed.id);
    case FACT_GANG_PLACED: return of_gang(c, &f->gang_placed);
    case FACT_ATTEMPT_RUNNING: return of_attempt(c, f->running.id);
    case FACT_HOLD_RENEWED: return of_attempt(c, f->renewed.id);
    case FACT_ATTEMPT_STOPPING: return of_attempt(c, f->stopping.id);
    case FACT_ATTEMPT_UNREACHABLE: return of_attempt(c, f->unreachable.id);
    case FACT_ATTEMPT_REACHED: return of_attempt(c, f->reached.id);
    case FACT_ATTEMPT_SUSPENDED: return of_attempt(c, f->suspended.id);
    case FACT_ATTEMPT_ENDED:
        s = of_attempt(c, f->ended.id);
        s.ending = f->ended.next == NEXT_FINAL;
        return s;
    case FACT_NODE_JOINED: s.node = node_find(c, f->joined.node); return s;
    case FACT_NODE_LOST: s.node = node_find(c, f->lost.node); return s;
    case FACT_NODE_QUARANTINED: s.node = node_find(c, f->quarantined.node); return s;
    case FACT_NODE_DRAINED: s.node = node_find(c, f->drained.node); return s;
    case FACT_NONE:
    case FACT_TERM_TAKEN:
    case FACT_POLICY_SET:
    case FACT_JOB_SUBMITTED:
    case FACT_SNAPSHOT_JOB:
    case FACT_SNAPSHOT_CELL:
    case FACT_BUDGET_OPENED:
    case FACT_BUDGET_CROSSED:
    case FACT_LEDGER_ADJUSTED:
    case FACT_PERIOD_CLOSED:
    case FACT_POLICY_PROPOSED:
    case FACT_POLICY_DROPPED:
    case FACT_TENANT_MOVED:
    case FACT_ACCOUNTS_CLOSED:
    case FACT_WINDOW_SET:
    case FACT_WINDOW_DROPPED:
    case FACT_KIND_COUNT: break;
    }
    return s;
}

static bool is_about_policy(uint32_t kind)
{
    return kind == FACT_POLICY_SET || kind == FACT_POLICY_PROPOSED || kind == FACT_POLICY_DROPPED ||
           kind == FACT_TENANT_MOVED;
}

static bool is_plan(uint32_t kind)
{
    return kind == FACT_ATTEMPT_PLACED || kind == FACT_GANG_PLACED || kind == FACT_HOLD_RENEWED ||
           kind == FACT_BUDGET_OPENED || kind == FACT_BUDGET_CROSSED || kind == FACT_ACCOUNTS_CLOSED;
}

/* Members of a gang that have no record yet are on their way as long as their job's plan is. */
static void set_in_flight(struct subject s, const struct fact *f, bool is)
{
    const struct gang_member *v = f->gang_placed.members.v;
    bool ends = f->kind == FACT_ATTEMPT_ENDED && !(f->ended.next == NEXT_FINAL && f->ended.state == TASK_SUCCEEDED);
    for (size_t i = 0; s.task != NULL && f->kind == FACT_GANG_PLACED && i < f->gang_placed.members.count; i++) {
        struct task *t = task_find(s.job, v[i].task);
        if (t != NULL)
            t->in_flight = is;
    }
    if (s.task != NULL)
        s.task->in_flight = is;
    if (s.task != NULL && ends && s.job->gang != 0)
        s.task->breaking = is;
    if (s.task != NULL && f->kind == FACT_ATTEMPT_STOPPING)
        s.task->stop_told = is;
}

static bool is_about_windows(uint32_t kind)
{
    return kind == FACT_WINDOW_SET || kind == FACT_WINDOW_DROPPED;
}

void flight_begin(struct core *c, const struct fact *f)
{
    struct subject s = subject_of(c, f);
    c->plans_in_flight += is_plan(f->kind);
    c->policy_in_flight += is_about_policy(f->kind);
    c->moves_in_flight += f->kind == FACT_TENANT_MOVED;
    c->windows_in_flight += is_about_windows(f->kind);
    c->facts_in_flight++;
    c->period_in_flight |= f->kind == FACT_PERIOD_CLOSED;
    if (f->kind == FACT_LEDGER_ADJUSTED)
        adjust_begin(c, &f->adjusted);
    set_in_flight(s, f, true);
    if (s.job != NULL) {
        struct job_aside *a = job_aside(s.job);
        a->in_flight++;
        a->ending_in_flight += s.ending;
        a->ranges_in_flight += s.ranges;
    }
    if (s.node != NULL)
        s.node->in_flight = true;
}

/* A replay ends what never began: nothing then. */
void flight_end(struct core *c, const struct fact *f)
{
    struct subject s = subject_of(c, f);
    core_stir(c);
    if (is_plan(f->kind) && c->plans_in_flight > 0)
        c->plans_in_flight--;
    if (is_about_policy(f->kind) && c->policy_in_flight > 0)
        c->policy_in_flight--;
    if (f->kind == FACT_TENANT_MOVED && c->moves_in_flight > 0)
        c->moves_in_flight--;
    if (is_about_windows(f->kind) && c->windows_in_flight > 0)
        c->windows_in_flight--;
    if (c->facts_in_flight > 0)
        c->facts_in_flight--;
    if (f->kind == FACT_PERIOD_CLOSED)
        c->period_in_flight = false;
    if (f->kind == FACT_LEDGER_ADJUSTED)
        adjust_end(c, &f->adjusted);
    set_in_flight(s, f, false);
    if (s.job != NULL && s.job->aside->in_flight > 0) {
        struct job_aside *a = job_aside(s.job);
        a->in_flight--;
        a->ending_in_flight -= MIN(s.ending, a->ending_in_flight);
        a->ranges_in_flight -= MIN(s.ranges, a->ranges_in_flight);
    }
    if (s.node != NULL)
        s.node->in_flight = false;
}

static void pause_task(struct core *c, struct job *j, struct task *t, const char *code, int64_t until_utc_us)
{
    if (t != NULL) {
        free(t->refused);
        t->refused = core_text(code);
        timer_set(c, &t->timer, until_utc_us);
        queue_sync_task(c, t);
        return;
    }
    struct job_aside *a = job_aside(j);
    if (a->wait == NULL) {
        a->wait = core_alloc(sizeof *a->wait);
        *a->wait = (struct timer){.job = j, .at = HEAP_NOWHERE};
    }
    job_set_refused(j, code);
    timer_set(c, a->wait, until_utc_us);
    queue_sync(c, j);
}

void core_refused(struct core *c, const struct fact *fact, const char *code, const char *detail,
                  struct core_now now)
{
    (void)detail;
    struct subject s = subject_of(c, fact);
    flight_end(c, fact);
    c->refused_total++;
    if (s.task != NULL && s.task->node != NULL)
        node_trouble(c, s.task->node); /* what decide() wanted to say about it is still unsaid */
    if (fact->kind == FACT_ATTEMPT_STOPPING && s.task != NULL)
        gang_set_going(c, s.task, false);
    if (s.task != NULL && s.task->timer.at == HEAP_NOWHERE)
        attempt_plan_renewal(c, s.task);
    if (fact->kind == FACT_ACCOUNTS_CLOSED)
        closing_expect(c, core_utc(c, now) + REFUSED_PAUSE_US);
    if (fact->kind == FACT_BUDGET_CROSSED)
        ledger_crossings_again(c->ledger, fact->budget_crossed.account);
    if (fact->kind == FACT_NODE_QUARANTINED && s.node != NULL)
        quarantine_refused(c, s.node);
    if (fact->kind == FACT_NODE_LOST && s.node != NULL)
        node_trouble(c, s.node);
    if (is_plan(fact->kind) && s.job != NULL && s.job->shape != NULL)
        blocked_free(c, s.job->shape->tenant); /* what it would have used is free for others */
    if (is_plan(fact->kind) && s.job != NULL && !s.job->finished)
        pause_task(c, s.job, s.task, code, core_utc(c, now) + REFUSED_PAUSE_US);
}
