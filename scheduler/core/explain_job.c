#include <string.h>
#include <stdio.h>

#include "base/parse.h"
#include "policies/admit.h"
#include "policies/retry.h"
#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/explain_ask.h"
#include "scheduler/core/plan.h"

static struct blocker *job_blocker(struct question *q, const char *kind, uint64_t job, const char *resource)
{
    char where[40];
    snprintf(where, sizeof where, "job %llu", (unsigned long long)job);
    return explain_add(q, kind, where, resource);
}

const struct task *explain_first_waiting(const struct job *j)
{
    for (uint32_t i = 0; i < j->tasks_count; i++)
        if (j->tasks[i]->state == TASK_QUEUED)
            return j->tasks[i];
    return NULL;
}

/* How a task's last attempt ended, as long as that is known. */
struct last_end {
    uint32_t task, cause;
    int32_t exit_code, signal;
    int64_t at_utc_us;
};

static void note_end(void *arg, struct attempt_view *view)
{
    struct last_end *last = arg;
    if (view->task == last->task && view->ended_utc_us >= last->at_utc_us)
        *last = (struct last_end){view->task, view->record.cause, view->record.exit_code, view->record.signal,
                                  view->ended_utc_us};
}

static const char *nth(uint32_t n, char out[16])
{
    static const char *const ends[] = {"th", "st", "nd", "rd"};
    bool teen = n % 100 / 10 == 1;
    snprintf(out, 16, "%u%s", n, teen || n % 10 > 3 ? ends[0] : ends[n % 10]);
    return out;
}

static char *text_of_pause(const struct task *t, const char *when)
{
    struct last_end last = {.task = t->index};
    history_each(t->job->aside->history, note_end, &last);
    bool fault = retry_is_node_fault(last.cause);
    uint32_t count = fault ? t->node_faults : t->retries_used;
    if (count == 0 || !(fault || job_retry_is_cause(last.cause)))
        return text_of("pause: its last attempt ended badly; the next may start at %s", when);
    char number[16], span[PARSE_TEXT_MAX], why[32];
    format_duration((uint64_t)MAX(t->eligible_utc_us - last.at_utc_us, 0) / 1000, span);
    snprintf(why, sizeof why, last.cause == END_EXIT ? "exit code %d" : "signal %d",
             last.cause == END_EXIT ? last.exit_code : last.signal);
    bool number_says = last.cause == END_EXIT || (last.cause == END_SIGNAL && last.signal != 0);
    return text_of("pause: it waits %s after its %s %s (%s); the next attempt may start at %s", span,
                   nth(count, number), fault ? "node fault" : "failure",
                   number_says ? why : end_causes[last.cause].sentence, when);
}

void explain_pauses(struct question *q, const struct task *t)
{
    const struct timer *timer = t != NULL ? &t->timer : q->job->aside->wait;
    const char *refused = t != NULL ? t->refused : q->job->aside->refused;
    if (timer == NULL || timer->at == HEAP_NOWHERE)
        return;
    char when[PARSE_TEXT_MAX];
    format_time(timer->due_utc_us, when);
    explain_until(q, timer->due_utc_us);
    if (refused != NULL)
        explain_add(q, "store", "cell", NULL)->text =
            text_of("store: the last try was refused (%s); tried again at %s", refused, when);
    else
        explain_add(q, "rate", "task", NULL)->text =
            t != NULL ? text_of_pause(t, when) : text_of("pause: the next attempt may start at %s", when);
}

void explain_cap(struct question *q, uint32_t tasks)
{
    const struct job *j = q->job;
    if (j->max_running == 0 || j->live + tasks <= j->max_running)
        return;
    struct blocker *b = job_blocker(q, "cap", j->id, "running");
    b->limit = j->max_running;
    b->used = j->live;
    b->free = MAX((int64_t)j->max_running - j->live, 0);
    b->need = tasks;
    b->short_by = b->need - b->free;
    b->text = text_of("cap: %u of at most %u tasks of this job are running", j->live, j->max_running);
    q->capped = true;
    q->ending = (uint32_t)b->short_by;
    if (tasks > 1) /* of one alone it matters where: explain_nodes() */
        explain_change(q, text_of("%u task%s of job %llu end%s", q->ending, q->ending == 1 ? "" : "s",
                                  (unsigned long long)j->id, q->ending == 1 ? "s" : ""));
}

/* q->of: its id. */
static void make_start(const struct question *q, int64_t utc_us, struct fact *ret)
{
    const struct job *j = q->job;
    const struct attempt_id *id = q->of;
    placed_fact(q->core, j, *id, likely_node(q->core, j->shape), utc_us, ret);
    (void)start_least_io(q->core, j, ret); /* with which it would start */
    (void)placed_within_job_budget(q->core, j, ret); /* else it holds the least that it would start with */
}

/* "job 12 succeeds", "task 12.3 ends" */
static void change_dependency(struct question *q, const struct dependency *d, uint32_t index)
{
    static const char *const ends[] = {
        [AFTER_SUCCESS] = "succeeds", [AFTER_END] = "ends", [AFTER_FAILURE] = "fails"};
    unsigned long long id = d->id;
    if (is_measured(d->task) || d->tasks == AFTER_SAME)
        explain_change(q, text_of("task %llu.%llu %s", id,
                                  is_measured(d->task) ? (unsigned long long)measured(d->task) : index, ends[d->on]));
    else
        explain_change(q, text_of("job %llu %s", id, ends[d->on]));
}

void explain_dependencies(struct question *q, uint32_t index)
{
    const struct dependency *d;
    bool never;
    uint32_t i = 0;
    for (char *words; (words = depend_words_of(q->core, q->job, index, &i, &d, &never)) != NULL; free(words)) {
        job_blocker(q, never ? "never" : "dependency", d->id, NULL)->text =
            text_of("%s: %s", never ? "can never run" : "dependency", words);
        if (!never)
            change_dependency(q, d, index);
    }
}

char *explain_waits(const struct core *c, const struct list *after)
{
    char *words = depend_words(c, after->v);
    char *text = text_of("dependency: %s", words != NULL ? words : "");
    free(words);
    return text;
}

/* The next that never started: one that may, if there is one. */
static uint64_t next_fresh(const struct job *j)
{
    uint64_t ready = job_ready_from(j, j->next);
    return ready <= j->last ? ready : job_fresh_from(j, j->next);
}

/* Fills q->blockers; a task that nothing blocks starts with the next turn. */
void explain_job(struct question *q)
{
    const struct job *j = q->job;
    const struct task *t = q->task != NULL ? q->task : explain_first_waiting(j);
    uint64_t fresh = q->has_index && t == NULL ? q->index : next_fresh(j);
    if (t == NULL && fresh > j->last)
        return;
    q->next = t;
    if (j->gang != 0) {
        explain_gang(q, t != NULL ? t->index : (uint32_t)fresh);
        return;
    }
    struct fact f;
    explain_dependencies(q, t != NULL ? t->index : (uint32_t)fresh);
    struct attempt_id id = {j->id, t != NULL ? t->index : (uint32_t)fresh, t != NULL ? t->epoch + 1 : 1};
    q->of = &id;
    make_start(q, q->utc_us, &f);
    explain_pauses(q, t);
    explain_cap(q, 1);
    explain_rates(q, &f);
    explain_per_node(q, j->shape);
    explain_ledger(q, &f);
    explain_opening(q, make_start);
    explain_nodes(q, j->shape, 1, 1);
    fact_clear(&f);
}

void explain_held(struct question *q)
{
    unsigned long long id = q->job->id;
    job_blocker(q, "held", q->job->id, NULL)->text =
        q->job->on_hold ? text_of("held: reeve release %llu", id)
                        : text_of("held: %u of its tasks wait for a person; reeve release %llu", q->job->held, id);
    explain_change(q, text_of("somebody releases it"));
}

const struct task *explain_suspended(struct question *q, const struct task *t)
{
    const struct job *j = q->job;
    char task[16] = "";
    for (uint32_t i = 0; t == NULL && i < j->tasks_count; i++)
        if (attempt_is_put_aside(j->tasks[i]))
            t = j->tasks[i];
    if (t == NULL || !attempt_is_put_aside(t))
        return NULL;
    if (q->task != NULL && job_tasks(j) > 1)
        snprintf(task, sizeof task, ".%u", t->index);
    job_blocker(q, "held", j->id, NULL)->text =
        text_of("suspended by %s; reeve resume %llu%s", t->suspended_by, (unsigned long long)j->id, task);
    explain_change(q, text_of("somebody resumes it"));
    return t;
}

/* So much more of its node's cores must be free before it has its own. */
static void lacks_cores(struct question *q, const struct task *t)
{
    char lack[48], where[300];
    uint64_t need = t->job->shape->need.v[CAPACITY_CPU], have = t->node->open.free.v[CAPACITY_CPU];
    snprintf(where, sizeof where, "node %.255s", t->node->name);
    struct blocker *b = explain_add(q, "placement", where, "cpu");
    b->free = (int64_t)have;
    b->need = (int64_t)need;
    b->short_by = (int64_t)(need - MIN(have, need));
    b->text = text_of("placement: others use its cores on %s until they end%s", t->node->name,
                      t->wants_cores ? "; nothing new starts there before it goes on" : "");
    explain_change(q, text_of("cpu free on %s grows by %s", t->node->name,
                              admit_amount("cpu", (uint64_t)b->short_by, lack)));
}

/* q->of: the attempt. */
static void make_resume(const struct question *q, int64_t utc_us, struct fact *ret)
{
    resume_fact(q->core, q->of, utc_us, ret);
}

/* What was to be paid was time and I/O; it is the I/O that it has none of. */
static void say_io(struct question *q, const struct task *t)
{
    struct blocker *v = q->blockers->v;
    for (size_t i = 0; i < q->blockers->count && t->io_final; i++)
        if (strcmp(v[i].kind, "budget") == 0) {
            char *text = text_of("%s, for more I/O: the %llu MiB that were paid are moved", v[i].text,
                                 (unsigned long long)(measured(t->io_paid) >> 20));
            free(v[i].text);
            v[i].text = text;
            return;
        }
}

void explain_paused(struct question *q, const struct task *t)
{
    const struct job *j = q->job;
    for (uint32_t i = 0; t == NULL && i < j->tasks_count; i++)
        if (j->tasks[i]->paused)
            t = j->tasks[i];
    if (t == NULL || !t->paused)
        return;
    struct fact f;
    q->of = t;
    make_resume(q, q->utc_us, &f);
    explain_ledger(q, &f);
    explain_opening(q, make_resume);
    fact_clear(&f);
    say_io(q, t);
    if (!attempt_has_cores(t))
        lacks_cores(q, t);
}
