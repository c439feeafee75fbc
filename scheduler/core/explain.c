#include <string.h>

#include "base/parse.h"
#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/deadline.h"
#include "scheduler/core/estimate.h"
#include "scheduler/core/explain_ask.h"
#include "scheduler/core/plan.h"

struct blocker *explain_add(struct question *q, const char *kind, const char *where, const char *resource)
{
    struct blocker *b = list_add(q->blockers, sizeof *b);
    BUG(b == NULL);
    b->kind = core_text(kind);
    b->where = core_text(where);
    b->resource = core_text(resource);
    return b;
}

static int rank_of(const struct blocker *b)
{
    static const char *const order[] = {"never", "held",   "dependency", "gang", "store",    "cap",
                                        "quota", "borrow", "budget",     "rate", "placement"};
    for (int i = 0; i < (int)COUNT_OF(order); i++)
        if (strcmp(order[i], b->kind) == 0)
            return i;
    return (int)COUNT_OF(order);
}

/* Stable: within a kind they stay leaf to root. */
static void sort(struct list *l)
{
    struct blocker *v = l->v;
    for (size_t i = 1; i < l->count; i++)
        for (size_t k = i; k > 0 && rank_of(&v[k]) < rank_of(&v[k - 1]); k--) {
            struct blocker swap = v[k];
            v[k] = v[k - 1];
            v[k - 1] = swap;
        }
}

#define JOINT ", and "

/* Is it one of the parts already? Members of a gang ask alike. */
static bool is_said(const char *change, const char *text)
{
    size_t len = strlen(text);
    for (const char *at = change; at != NULL && (at = strstr(at, text)) != NULL; at++) {
        bool first = at == change || (at - change >= (ptrdiff_t)strlen(JOINT) &&
                                      strncmp(at - strlen(JOINT), JOINT, strlen(JOINT)) == 0);
        if (first && (at[len] == '\0' || strncmp(at + len, JOINT, strlen(JOINT)) == 0))
            return true;
    }
    return false;
}

void explain_change(struct question *q, char *text)
{
    char *before = q->change;
    if (before == NULL) {
        q->change = text;
        return;
    }
    if (!is_said(before, text)) {
        q->change = text_of("%s" JOINT "%s", before, text);
        free(before);
    }
    free(text);
}

/* Of full seconds the first that isn't sooner. */
static int64_t whole_second(int64_t utc_us)
{
    return (utc_us + 999999) / 1000000 * 1000000;
}

void explain_until(struct question *q, int64_t utc_us)
{
    q->until_utc_us = MAX(q->until_utc_us, whole_second(utc_us));
}

struct plan explain_plan(const struct question *q)
{
    return (struct plan){.now = {explain_at(q), 0}, .behind = q->behind};
}

int64_t explain_at(const struct question *q)
{
    return MAX(q->until_utc_us, q->utc_us);
}

void explain_limit(struct question *q, uint64_t limit_ms)
{
    q->limit_ms = q->limit_ms == 0 ? limit_ms : MIN(q->limit_ms, limit_ms);
}

/* It can't start in time any more: whatever else is changed. */
static bool too_late(struct question *q)
{
    char last[PARSE_TEXT_MAX], soonest[PARSE_TEXT_MAX];
    int64_t end_utc_us = deadline_start_utc_us(q->job, q->next), start_utc_us = explain_at(q);
    if (start_utc_us < end_utc_us)
        return false;
    format_second(end_utc_us, last);
    explain_add(q, "never", "deadline", NULL)->text =
        start_utc_us == q->utc_us
            ? text_of("can never run: by its deadline it had to start before %s", last)
            : text_of("can never run: it may start at %s, and by its deadline has to before %s",
                      format_time(start_utc_us, soonest), last);
    return true;
}

/* What is said of time, once: the longest of all waits, the shortest of all limits. In order. */
static void conclude(struct question *q)
{
    char text[PARSE_TEXT_MAX];
    int64_t left_us = deadline_finish_utc_us(q->job) - explain_at(q);
    if (q->limit_ms > 0 && left_us > 0)
        q->limit_ms = MIN(q->limit_ms, (uint64_t)(left_us - 1) / 1000000 * 1000);
    if (q->limit_ms > 0)
        explain_change(q, text_of("time_limit <= %s", format_duration(q->limit_ms, text)));
    if (!too_late(q) && q->until_utc_us > q->utc_us)
        explain_change(q, text_of("it is %s", format_time(q->until_utc_us, text)));
    sort(q->blockers);
}

static void blockers_clear(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        fields_clear(&blocker_fields, &((struct blocker *)l->v)[i]);
    free(l->v);
    *l = (struct list){0};
}

static char *first_text(struct question *q)
{
    char *text = q->blockers->count > 0 ? core_text(((struct blocker *)q->blockers->v)[0].text) : NULL;
    blockers_clear(q->blockers);
    free(q->change);
    return text;
}

/* For nothing but that: what blocks first comes first. */
static bool waits_for_room(const struct list *blockers)
{
    return blockers->count > 0 && strcmp(((const struct blocker *)blockers->v)[0].kind, "placement") == 0;
}

/* For nothing but money, which comes then. */
static bool waits_for_opening(const struct list *blockers, const struct opening *o)
{
    const struct blocker *v = blockers->v;
    for (size_t i = 0; i < blockers->count; i++)
        if (strcmp(v[i].kind, "budget") != 0)
            return false;
    return blockers->count > 0 && o->utc_us != 0;
}

/* "at 2026-12-01T00:00:00Z, when acme's budget of 2026-12 begins, if nobody goes first"; while others hold what may
 * come back "by" that instant. NULL: nothing is known. Takes o's words. */
static char *opening_words(const struct list *blockers, struct opening *o)
{
    char when[PARSE_TEXT_MAX];
    if (o->utc_us == 0)
        return NULL;
    bool alone = waits_for_opening(blockers, o);
    const char *from = o->sooner ? (alone ? "by" : "there is money by") : alone ? "at" : "not before";
    char *text = text_of("%s %s, when %s%s%s", from, format_second(o->utc_us, when), o->words,
                         alone ? ", if nobody goes first" : "",
                         o->sooner ? "; sooner if enough of what is held comes back" : "");
    free(o->words);
    *o = (struct opening){0};
    return text;
}

/* Only of who is next, and where it says something. */
static void set_start(const struct estimate *e, int64_t *ret_from_utc_us, int64_t *ret_to_utc_us)
{
    if (!e->next || !estimate_is_known(e))
        return;
    *ret_from_utc_us = e->from_utc_us;
    *ret_to_utc_us = e->to_utc_us;
}

static void set_opening(const struct opening *o, int64_t utc_us, int64_t *ret_from_utc_us, int64_t *ret_to_utc_us)
{
    *ret_from_utc_us = o->sooner ? utc_us : o->utc_us;
    *ret_to_utc_us = o->utc_us;
}

char *explain_first(const struct core *c, const struct job *j, int64_t utc_us)
{
    struct job_row none = {0};
    uint32_t left = 0;
    explain_row(c, j, utc_us, &left, &none);
    return none.waiting_for;
}

void explain_row(const struct core *c, const struct job *j, int64_t utc_us, uint32_t *estimates, struct job_row *ret)
{
    struct list blockers = {0};
    struct opening opening = {0};
    struct question q = {.core = c, .job = j, .utc_us = utc_us, .blockers = &blockers,
                         .opening = *estimates > 0 && estimate_is_next(j) ? &opening : NULL};
    if (j->finished)
        return;
    if (j->on_hold && j->live == 0)
        ret->waiting_for = text_of("held: reeve release %llu", (unsigned long long)j->id);
    else if (j->held > 0 && explain_first_waiting(j) == NULL && job_fresh_from(j, j->next) > j->last)
        ret->waiting_for = text_of("held: waits for a person; reeve release %llu", (unsigned long long)j->id);
    if (ret->waiting_for != NULL)
        return;
    explain_job(&q);
    if (explain_suspended(&q, NULL) == NULL && blockers.count == 0)
        explain_paused(&q, NULL);
    conclude(&q);
    if (*estimates > 0 && estimate_is_next(j) && waits_for_room(&blockers)) {
        struct estimate start = estimate_start(c, j->shape, utc_us);
        --*estimates;
        set_start(&start, &ret->start_from_utc_us, &ret->start_to_utc_us);
    } else if (waits_for_opening(&blockers, &opening)) {
        set_opening(&opening, utc_us, &ret->start_from_utc_us, &ret->start_to_utc_us);
    }
    *estimates -= opening.asked;
    free(opening.words);
    ret->waiting_for = first_text(&q);
}

/* The start of its first task, or gang, with no more held than it may cost. */
static void start_fact(const struct core *c, const struct job *j, const struct node *n, int64_t budget_micros,
                       int64_t utc_us, struct fact *f)
{
    if (j->gang == 0) {
        placed_fact(c, j, (struct attempt_id){j->id, j->first, 1}, n, utc_us, f);
        (void)start_least_io(c, j, f);
        f->placed.hold_micros = budget_micros > 0 ? MIN(f->placed.hold_micros, budget_micros) : f->placed.hold_micros;
        return;
    }
    gang_fact(c, gang_of(j, j->first), j->gang_min, NULL, n, utc_us, f);
    (void)start_least_io(c, j, f);
    struct gang_member *v = f->gang_placed.members.v;
    for (size_t i = 0; budget_micros > 0 && i < f->gang_placed.members.count; i++)
        v[i].hold_micros = MIN(v[i].hold_micros, budget_micros / (int64_t)f->gang_placed.members.count);
}

/* q->of: what it may cost, as an int64_t. */
static void make_new(const struct question *q, int64_t utc_us, struct fact *ret)
{
    const int64_t *budget_micros = q->of;
    start_fact(q->core, q->job, likely_node(q->core, q->job->shape), *budget_micros, utc_us, ret);
}

/* A job that isn't there yet, as if it were the next: who is ahead of it is not counted. */
char *explain_new(struct core *c, struct tenant *t, const struct job_spec *spec, int64_t utc_us)
{
    struct shape shape = shape_as_if(c, t, spec);
    uint32_t tasks = MAX(shape.gang, 1);
    struct job job = {.id = UINT64_MAX, .aside = &job_nothing_aside, .shape = &shape, .last = tasks - 1,
                      .gang = shape.gang, .gang_min = shape.gang_min, .fresh.at = HEAP_NOWHERE};
    struct list blockers = {0};
    struct opening opening = {0};
    struct question q = {.core = c, .job = &job, .utc_us = utc_us, .blockers = &blockers,
                         .of = &spec->budget_micros};
    struct fact f;
    make_new(&q, utc_us, &f);
    /* Only what is queued can be placed: it is, for the length of the question. */
    struct fact as_if = {
        .kind = FACT_JOB_SUBMITTED, .at_utc_us = utc_us, .submitted = {.job = job.id, .path = t->line}};
    as_if.submitted.spec.array = (struct job_array){.present = true, .last = tasks - 1};
    ledger_apply(c->ledger, &as_if);
    explain_limits(&q, &f);
    q.opening = explain_waits_for_money(&blockers) && estimate_may_answer(c, utc_us) ? &opening : NULL;
    explain_opening(&q, make_new);
    ledger_revert(c->ledger, &as_if);
    explain_nodes(&q, &shape, MAX(shape.gang_min, 1), tasks);
    conclude(&q);
    struct estimate start = {0};
    if (waits_for_room(&blockers) && estimate_may_answer(c, utc_us))
        start = estimate_start(c, &shape, utc_us);
    char *when = estimate_is_known(&start) ? estimate_words(&start, &job) : opening_words(&blockers, &opening);
    shape_as_if_clear(&shape);
    fact_clear(&f);
    char *text = first_text(&q);
    if (when != NULL) {
        char *why = text;
        text = text_of("%s (%s)", when, why);
        free(why);
    }
    free(when);
    return text != NULL ? text : core_text("now");
}

/* ---- why -------------------------------------------------------------------------------------------- */

/* One that waits for a rate waits for somebody else first. */
static void add_estimate(const struct core *c, const struct job *j, int64_t utc_us, struct opening *opening,
                         struct why_reply *ret)
{
    const char *first = ret->blockers.count > 0 ? ((const struct blocker *)ret->blockers.v)[0].kind : "";
    if (waits_for_room(&ret->blockers)) {
        struct estimate start = estimate_start(c, j->shape, utc_us);
        start.next = estimate_is_next(j);
        ret->estimate = estimate_words(&start, j);
        set_start(&start, &ret->start_from_utc_us, &ret->start_to_utc_us);
    } else if (strcmp(first, "quota") == 0 || strcmp(first, "borrow") == 0) {
        ret->estimate = estimate_first_end(c, NULL, utc_us);
    } else if (strcmp(first, "cap") == 0) {
        ret->estimate = estimate_first_end(c, j, utc_us);
    } else if (strcmp(first, "budget") == 0) {
        if (waits_for_opening(&ret->blockers, opening) && estimate_is_next(j))
            set_opening(opening, utc_us, &ret->start_from_utc_us, &ret->start_to_utc_us);
        ret->estimate = opening_words(&ret->blockers, opening);
    }
}

static const struct task *asked_task(const struct job *j, const struct job_call *call)
{
    return call->has_task ? task_find(j, call->task) : NULL;
}

static int64_t waits_since(const struct job *j, const struct task *t)
{
    return t != NULL && t->eligible_utc_us != 0 ? t->eligible_utc_us : j->submitted_utc_us;
}

/* INT64_MAX: it doesn't stand still. */
static int64_t still_since(const struct task *t)
{
    if (attempt_is_put_aside(t))
        return t->suspended_utc_us;
    return t->paused ? t->paused_utc_us : INT64_MAX;
}

static int64_t paused_since(const struct job *j, const struct task *t)
{
    int64_t since = t != NULL ? still_since(t) : INT64_MAX;
    for (uint32_t i = 0; t == NULL && i < j->tasks_count; i++)
        since = MIN(since, still_since(j->tasks[i]));
    return since;
}

static const char *state_of(const struct task *t)
{
    if (attempt_is_put_aside(t))
        return "suspended";
    return t->paused ? "paused" : names_get(&task_state_names, t->state);
}

bool core_why(struct core *c, const struct job_call *call, struct core_now now, struct why_reply *ret)
{
    const struct job *j = job_find(c, call->job);
    if (j == NULL || (call->has_task && !job_has_task(j, call->task)))
        return false;
    *ret = (struct why_reply){0};
    const struct outcome *over = call->has_task ? outcomes_at(&j->aside->over, call->task) : NULL;
    if (over != NULL && over->how == OUTCOME_LEFT_OUT) { /* whatever its job does */
        ret->state = core_text(names_get(&task_state_names, TASK_LEFT_OUT));
        return true;
    }
    int64_t utc_us = core_utc(c, now);
    struct job_row row = {0};
    (void)core_job_row(c, j->id, now, &row);
    struct opening opening = {0};
    const struct task *t = asked_task(j, call);
    ret->state = core_text(t == NULL ? row.state : state_of(t));
    fields_clear(&job_row_fields, &row);
    bool pending = !j->finished && (t != NULL ? t->state == TASK_QUEUED || t->state == TASK_HELD
                                              : explain_first_waiting(j) != NULL || j->held > 0 ||
                                                    job_fresh_from(j, j->next) <= j->last);
    bool paused = t != NULL ? t->paused : j->paused > 0;
    struct question q = {.core = c,
                         .job = j,
                         .task = t,
                         .has_index = call->has_task && over == NULL,
                         .index = call->task,
                         .utc_us = utc_us,
                         .blockers = &ret->blockers,
                         .opening = &opening};
    /* Of an array some of which stand still, what waits is asked about first. */
    bool others = t == NULL && pending && !j->on_hold;
    const struct task *stands = j->finished || others ? NULL : explain_suspended(&q, t);
    bool suspended = stands != NULL;
    if (!pending && !paused && !suspended)
        return true;
    if (suspended && !pending)
        explain_paused(&q, stands);
    if (!suspended && (j->on_hold || (t != NULL ? t->state == TASK_HELD : j->held > 0)))
        explain_held(&q);
    if (t == NULL || t->state == TASK_QUEUED)
        explain_job(&q);
    if (paused && ret->blockers.count == 0)
        explain_paused(&q, t);
    conclude(&q);
    int64_t since_utc_us = pending && !suspended ? waits_since(j, t) : paused_since(j, t);
    ret->pending_ms = (uint64_t)(MAX(utc_us - since_utc_us, 0) / 1000);
    ret->change = q.change;
    add_estimate(c, j, utc_us, &opening, ret);
    free(opening.words);
    return true;
}
