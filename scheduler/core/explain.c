#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "policies/admit.h"
#include "quotas/ledger_names.h"
#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/estimate.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/reserve.h"

/*
 * Explain asks what decide() asks: the same fact, put to the same ledger and the same placement index.
 */
#define BLOCKERS_MAX 32

/* What is to be explained: the next task of a job, or of one not yet submitted. */
struct question {
    const struct core *core;
    const struct job *job;
    const struct task *task; /* NULL: the next of the job */
    bool has_index;          /* that one, which never started */
    uint32_t index;
    int64_t utc_us;
    struct list *blockers; /* struct blocker */
    char *change;
};

static struct blocker *add(struct question *q, const char *kind, const char *where, const char *resource)
{
    struct blocker *b = list_add(q->blockers, sizeof *b);
    BUG(b == NULL);
    b->kind = core_text(kind);
    b->where = core_text(where);
    b->resource = core_text(resource);
    return b;
}

static void propose_change(struct question *q, char *text)
{
    if (q->change == NULL)
        q->change = text;
    else
        free(text);
}

/* "acme/etl@2026-11" is acme/etl's budget to people. */
static void account_words(const char *name, char out[300])
{
    const char *mark = strrchr(name, '@');
    if (strncmp(name, "job:", 4) == 0)
        snprintf(out, 300, "job %s", name + 4);
    else
        snprintf(out, 300, "%.*s", (int)(mark != NULL ? (size_t)(mark - name) : strlen(name)), name);
}

/* "12.50", or "12.50 gpu-hours" of the time of a resource. */
static const char *amount_words(const struct ledger_blocker *l, int64_t micros, char out[80])
{
    char text[PARSE_TEXT_MAX];
    const char *unit = l->resource;
    if (unit != NULL && strcmp(unit, "cpu") == 0)
        unit = "core";
    else if (unit != NULL && (strcmp(unit, "memory") == 0 || strcmp(unit, "scratch") == 0))
        unit = "GiB";
    format_money(micros, text);
    snprintf(out, 80, "%s%s%.31s%s", text, unit != NULL ? " " : "", unit != NULL ? unit : "",
             unit != NULL ? "-hours" : "");
    return out;
}

static void closed_blocker(struct question *q, const struct ledger_blocker *l, const char *where)
{
    struct account_view view;
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX];
    struct blocker *b = add(q, "budget", where, l->resource);
    bool open = ledger_account(q->core->ledger, l->where, &view);
    BUG(!open);
    b->text = text_of("budget: %s holds from %s to %s, not now", where, format_time(view.from_utc_us, from),
                      format_time(view.to_utc_us, to));
    propose_change(q, text_of("budget %s gets another period", where));
}

static void budget_blocker(struct question *q, const struct ledger_blocker *l)
{
    char where[300], limit[80], spent[80], held[80], free_text[80], need[80], lack[80];
    account_words(l->where, where);
    if (l->closed) {
        closed_blocker(q, l, where);
        return;
    }
    struct blocker *b = add(q, "budget", where, l->resource);
    b->limit = l->limit;
    b->used = l->used;
    b->held = l->held;
    b->free = l->limit - l->used - l->held;
    b->need = l->need;
    b->short_by = l->need - b->free;
    b->text = text_of("budget: %s has %s free (limit %s, spent %s, held %s), needs %s, short %s", where,
                      amount_words(l, b->free, free_text), amount_words(l, l->limit, limit),
                      amount_words(l, l->used, spent), amount_words(l, l->held, held),
                      amount_words(l, l->need, need), amount_words(l, b->short_by, lack));
    propose_change(q, text_of("budget %s grows by %s", where, lack));
}

static uint64_t resource_named(const struct resources *r, const char *name)
{
    uint64_t amount;
    const char *at;
    for (size_t i = 0; (at = ledger_resource(r, i, &amount)) != NULL; i++)
        if (strcmp(at, name) == 0)
            return amount;
    return 0;
}

static void quota_blocker(struct question *q, const struct ledger_blocker *l)
{
    char limit[48], used[48], need[48], lack[48];
    struct blocker *b = add(q, "quota", l->where, l->resource);
    b->limit = l->limit;
    b->used = l->used;
    b->free = MAX(l->limit - l->used, 0);
    b->need = l->need;
    b->short_by = l->need - (l->limit - l->used);
    b->text = text_of("quota: %s uses %s of %s %s, needs %s, short %s", l->where,
                      admit_amount(l->resource, (uint64_t)l->used, used),
                      admit_amount(l->resource, (uint64_t)l->limit, limit), l->resource,
                      admit_amount(l->resource, (uint64_t)l->need, need),
                      admit_amount(l->resource, (uint64_t)b->short_by, lack));
    propose_change(q, text_of("quota %s of %s grows by %s", l->resource, l->where, lack));
}

/* "acme has 4 cpu guaranteed" */
static void borrow_blocker(struct question *q, const struct ledger_blocker *l)
{
    char limit[48], used[48], need[48], lack[48], own[48];
    struct tenant_view v;
    bool known = ledger_tenant(q->core->ledger, l->where, q->utc_us, &v);
    bool root = strcmp(l->where, TENANT_ROOT) == 0;
    uint64_t guaranteed = known ? resource_named(&v.rule->quota.guaranteed, l->resource) : 0;
    struct blocker *b = add(q, "borrow", l->where, l->resource);
    b->limit = l->limit;
    b->used = l->used;
    b->free = MAX(l->limit - l->used, 0);
    b->need = l->need;
    b->short_by = l->need - (l->limit - l->used);
    admit_amount(l->resource, (uint64_t)MAX(l->limit, 0), limit);
    admit_amount(l->resource, (uint64_t)l->used, used);
    admit_amount(l->resource, (uint64_t)l->need, need);
    admit_amount(l->resource, (uint64_t)b->short_by, lack);
    if (root)
        b->text = text_of("borrow: of %s %s guaranteed in the cell and lent %s are in use, needs %s, short %s", limit,
                          l->resource, used, need, lack);
    else
        b->text = text_of("borrow: %s can use %s %s with what it may borrow (%s guaranteed), uses %s, needs %s, "
                          "short %s",
                          l->where, limit, l->resource, admit_amount(l->resource, guaranteed, own), used, need, lack);
    propose_change(q, root ? text_of("%s guaranteed to %s grows by %s", l->resource, l->where, lack)
                           : text_of("quota.borrow.%s of %s grows by %s", l->resource, l->where, lack));
}

static void rate_blocker(struct question *q, const struct ledger_blocker *l)
{
    char when[PARSE_TEXT_MAX];
    struct blocker *b = add(q, "rate", l->where, l->resource);
    b->limit = l->limit;
    b->need = l->need;
    b->text = text_of("rate: %s may start %lld tasks a minute; the next may start at %s", l->where,
                      (long long)l->limit, format_time((l->when_utc_us / 1000000 + 1) * 1000000, when));
    propose_change(q, text_of("quota.starts_per_minute of %s grows", l->where));
}

static void ask_ledger(struct question *q, const struct fact *f)
{
    struct ledger_blocker found[BLOCKERS_MAX];
    struct openings openings = {0};
    openings_add(q->core, &openings, f); /* they would be by then */
    size_t count = MIN(ledger_blockers(q->core->ledger, f, found, BLOCKERS_MAX), (size_t)BLOCKERS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (found[i].verdict == LEDGER_BUDGET)
            budget_blocker(q, &found[i]);
        else if (found[i].verdict == LEDGER_QUOTA)
            quota_blocker(q, &found[i]);
        else if (found[i].verdict == LEDGER_BORROW)
            borrow_blocker(q, &found[i]);
        else if (found[i].verdict == LEDGER_RATE)
            rate_blocker(q, &found[i]);
    }
    openings_undo(q->core, &openings);
    openings_fini(&openings);
}

/* ---- nodes ------------------------------------------------------------------------------------------ */

static void never_blocker(struct question *q, const struct admit_answer *a)
{
    struct blocker *b = add(q, "never", a->where, NULL);
    b->text = text_of("can never run as things are: %s", a->message);
    if (a->hint[0] != '\0')
        propose_change(q, text_of("%s", a->hint));
}

static bool ever_fits(struct question *q, const struct shape *s)
{
    struct admit_answer answer = {0};
    bool fits = nodes_admit(q->core, s, &answer);
    if (!fits)
        never_blocker(q, &answer);
    return fits;
}

struct search {
    const struct shape *shape;
    const struct capacity *need;
    const struct node *found;
};

static bool could_hold(const struct place_item *item, void *arg)
{
    struct search *s = arg;
    const struct node *n = open_node(item);
    if (capacity_fits(s->need, &n->total) && shape_suits(s->shape, n))
        s->found = n;
    return s->found != NULL;
}

/* The node that comes nearest: the most free cpu among those that could hold it when empty. */
static const struct node *nearest(const struct core *c, const struct shape *s, const struct capacity *need)
{
    struct search best = {s, need, NULL};
    (void)place_from_most(&c->open, could_hold, &best);
    const struct node *kept = reserve_freest(c, s, need);
    if (best.found == NULL)
        return kept;
    bool freer = kept != NULL && kept->open.free.v[CAPACITY_CPU] > best.found->open.free.v[CAPACITY_CPU];
    return freer ? kept : best.found;
}

static void full_blocker(struct question *q, const struct shape *s, const struct node *n, const struct capacity *need)
{
    const struct capacity *have = &n->open.free;
    size_t dim = CAPACITY_CPU;
    while (dim + 1 < CAPACITY_DIMS && need->v[dim] <= have->v[dim])
        dim++;
    const char *resource = dim == CAPACITY_CPU   ? "cpu"
                           : dim == CAPACITY_MEM ? "memory"
                                                 : q->core->names.generic[dim - CAPACITY_GENERIC];
    char where[300], need_text[48], have_text[48];
    snprintf(where, sizeof where, "node %.255s", n->name);
    struct blocker *b = add(q, "placement", where, resource);
    b->limit = (int64_t)n->total.v[dim];
    b->used = (int64_t)n->used.v[dim];
    b->free = (int64_t)have->v[dim];
    b->need = (int64_t)need->v[dim];
    b->short_by = b->need - b->free;
    b->text = text_of("placement: no node%s has room now; nearest is %s with %s %s free, needs %s",
                      s->where != NULL ? " of those that match `where`" : "", n->name,
                      admit_amount(resource, have->v[dim], have_text), resource,
                      admit_amount(resource, need->v[dim], need_text));
}

/* It would fit there now, if what may run so long delayed nobody. */
static void kept_blocker(struct question *q, const struct node *n)
{
    char where[300];
    snprintf(where, sizeof where, "node %.255s", n->name);
    add(q, "placement", where, NULL)->text = text_of(
        "placement: %s has room now, but it is kept for jobs that go first, and this one may run beyond their start",
        n->name);
}

/* It has been decided who goes for it. */
static bool victims_blocker(struct question *q, const struct shape *s)
{
    char where[300];
    const struct node *n;
    uint32_t count = preempt_waits(q->core, s, &n);
    if (count == 0)
        return false;
    snprintf(where, sizeof where, "node %.255s", n->name);
    add(q, "placement", where, NULL)->text =
        text_of("placement: waits for %u preempted attempt%s on %s to end", count, count == 1 ? "" : "s", n->name);
    return true;
}

static void ask_nodes(struct question *q, const struct shape *s)
{
    const struct core *c = q->core;
    struct shape known = *s; /* with what it needs, as nodes know it by now */
    struct plan now = {.now = {q->utc_us, 0}};
    if (c->nodes_count == 0) {
        add(q, "placement", "cell", NULL)->text = text_of("placement: no node has joined yet");
        return;
    }
    if (!ever_fits(q, s))
        return;
    if (!shape_need(c, s, &known.need)) {
        add(q, "placement", "cell", NULL)->text = text_of("placement: needs a resource or a limit that no node has");
        return;
    }
    if (victims_blocker(q, s) || choose_node(c, &now, s->placeable ? s : &known, NULL) != NULL)
        return;
    const struct node *n = nearest(c, s, &known.need);
    if (n != NULL && capacity_fits(&known.need, &n->open.free))
        kept_blocker(q, n);
    else if (n != NULL)
        full_blocker(q, s, n, &known.need);
    else
        add(q, "placement", "cell", NULL)->text =
            text_of("placement: every node that is large enough%s is drained or silent",
                    s->where != NULL ? " and matches `where`" : "");
}

/* ---- the job itself --------------------------------------------------------------------------------- */

static const struct task *first_waiting(const struct job *j)
{
    for (uint32_t i = 0; i < j->tasks_count; i++)
        if (j->tasks[i]->state == TASK_QUEUED)
            return j->tasks[i];
    return NULL;
}

static void ask_pauses(struct question *q, const struct task *t)
{
    const struct timer *timer = t != NULL ? &t->timer : q->job->wait;
    const char *refused = t != NULL ? t->refused : q->job->refused;
    if (timer == NULL || timer->at == HEAP_NOWHERE)
        return;
    char when[PARSE_TEXT_MAX];
    format_time(timer->due_utc_us, when);
    if (refused != NULL)
        add(q, "store", "cell", NULL)->text =
            text_of("store: the last try was refused (%s); tried again at %s", refused, when);
    else
        add(q, "rate", "task", NULL)->text =
            text_of("pause: its last attempt ended badly; the next may start at %s", when);
}

static void ask_cap(struct question *q)
{
    const struct job *j = q->job;
    if (j->max_running == 0 || j->live < j->max_running)
        return;
    char where[40];
    snprintf(where, sizeof where, "job %llu", (unsigned long long)j->id);
    struct blocker *b = add(q, "cap", where, "running");
    b->limit = j->max_running;
    b->used = j->live;
    b->need = b->short_by = 1;
    b->text = text_of("cap: %u of at most %u tasks of this job are running", j->live, j->max_running);
    propose_change(q, text_of("array.max_running of job %llu grows", (unsigned long long)j->id));
}

static void ask_job_budget(struct question *q, struct fact *f)
{
    const struct job *j = q->job;
    int64_t asked = f->placed.hold_micros;
    if (placed_within_job_budget(q->core, j, f))
        return;
    f->placed.hold_micros = asked; /* the ledger's own words about the job's account follow */
}

static void ask_dependencies(struct question *q, uint32_t index)
{
    uint64_t id;
    bool never;
    uint32_t i = 0;
    for (char *words; (words = depend_words_of(q->core, q->job, index, &i, &id, &never)) != NULL; free(words)) {
        char where[40];
        snprintf(where, sizeof where, "job %llu", (unsigned long long)id);
        add(q, never ? "never" : "dependency", where, NULL)->text =
            text_of("%s: %s", never ? "can never run" : "dependency", words);
        if (!never)
            propose_change(q, text_of("%s ends", where));
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
static void ask(struct question *q)
{
    const struct job *j = q->job;
    const struct task *t = q->task != NULL ? q->task : first_waiting(j);
    uint64_t fresh = q->has_index && t == NULL ? q->index : next_fresh(j);
    if (t == NULL && fresh > j->last)
        return;
    struct fact f;
    ask_dependencies(q, t != NULL ? t->index : (uint32_t)fresh);
    struct attempt_id id = {j->id, t != NULL ? t->index : (uint32_t)fresh, t != NULL ? t->epoch + 1 : 1};
    placed_fact(q->core, j, id, likely_node(q->core, j->shape), q->utc_us, &f);
    ask_job_budget(q, &f);
    ask_pauses(q, t);
    ask_cap(q);
    ask_ledger(q, &f);
    ask_nodes(q, j->shape);
    fact_clear(&f);
}

static void blockers_clear(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        fields_clear(&blocker_fields, &((struct blocker *)l->v)[i]);
    free(l->v);
    *l = (struct list){0};
}

static int rank_of(const struct blocker *b)
{
    static const char *const order[] = {"never", "held",   "dependency", "store", "cap",
                                        "quota", "borrow", "budget",     "rate",  "placement"};
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

/* What one that is paused waits for; nothing when it goes on as soon as it is looked for. */
static void ask_paused(struct question *q, const struct task *t)
{
    const struct job *j = q->job;
    for (uint32_t i = 0; t == NULL && i < j->tasks_count; i++)
        if (j->tasks[i]->paused)
            t = j->tasks[i];
    if (t == NULL || !t->paused)
        return;
    struct fact f;
    resume_fact(q->core, t, q->utc_us, &f);
    ask_ledger(q, &f);
    fact_clear(&f);
    if (q->blockers->count > 0 || attempt_has_cores(t))
        return;
    char where[300];
    snprintf(where, sizeof where, "node %.255s", t->node->name);
    add(q, "placement", where, "cpu")->text =
        text_of("placement: others use its cores on %s until they end; nothing new starts there before it goes on",
                t->node->name);
}

static char *first_text(struct question *q)
{
    sort(q->blockers);
    char *text = q->blockers->count > 0 ? core_text(((struct blocker *)q->blockers->v)[0].text) : NULL;
    blockers_clear(q->blockers);
    free(q->change);
    return text;
}

char *explain_first(const struct core *c, const struct job *j, int64_t utc_us)
{
    struct list blockers = {0};
    struct question q = {.core = c, .job = j, .utc_us = utc_us, .blockers = &blockers};
    if (j->finished)
        return NULL;
    if (j->on_hold && j->live == 0)
        return text_of("held: reeve release %llu", (unsigned long long)j->id);
    if (j->held > 0 && first_waiting(j) == NULL && job_fresh_from(j, j->next) > j->last)
        return text_of("held: waits for a person; reeve release %llu", (unsigned long long)j->id);
    ask(&q);
    if (blockers.count == 0)
        ask_paused(&q, NULL);
    return first_text(&q);
}

/* For nothing but that: what blocks first comes first. */
static bool waits_for_room(struct list *blockers)
{
    sort(blockers);
    return blockers->count > 0 && strcmp(((const struct blocker *)blockers->v)[0].kind, "placement") == 0;
}

/* A job that isn't there yet, as if it were the next: who is ahead of it is not counted. */
char *explain_new(const struct core *c, struct tenant *t, const struct job_spec *spec, int64_t utc_us)
{
    struct shape shape = shape_as_if(c, t, spec);
    struct job job = {.shape = &shape, .first = 0, .last = 0, .fresh.at = HEAP_NOWHERE};
    struct list blockers = {0};
    struct question q = {.core = c, .job = &job, .utc_us = utc_us, .blockers = &blockers};
    struct fact f;
    placed_fact(c, &job, (struct attempt_id){UINT64_MAX, 0, 1}, likely_node(c, &shape), utc_us, &f);
    if (spec->budget_micros > 0)
        f.placed.hold_micros = MIN(f.placed.hold_micros, spec->budget_micros);
    /* Only what is queued can be placed: it is, for the length of the question. */
    struct fact as_if = {
        .kind = FACT_JOB_SUBMITTED, .at_utc_us = utc_us, .submitted = {.job = UINT64_MAX, .path = t->line}};
    ledger_apply(c->ledger, &as_if);
    ask_ledger(&q, &f);
    ledger_revert(c->ledger, &as_if);
    ask_nodes(&q, &shape);
    bool known = false;
    char *when = waits_for_room(&blockers) ? estimate_room(c, &shape, utc_us, &known) : NULL;
    shape_as_if_clear(&shape);
    fact_clear(&f);
    char *text = first_text(&q);
    if (known) {
        char *why = text;
        text = text_of("%s (%s)", when, why);
        free(why);
    }
    free(when);
    return text != NULL ? text : core_text("now");
}

/* ---- why -------------------------------------------------------------------------------------------- */

/* One that waits for money or a rate waits for somebody else first. */
static void add_estimate(const struct core *c, const struct job *j, int64_t utc_us, struct why_reply *ret)
{
    const char *first = ret->blockers.count > 0 ? ((const struct blocker *)ret->blockers.v)[0].kind : "";
    bool known;
    if (waits_for_room(&ret->blockers))
        ret->estimate = estimate_room(c, j->shape, utc_us, &known);
    else if (strcmp(first, "quota") == 0 || strcmp(first, "borrow") == 0)
        ret->estimate = estimate_first_end(c, NULL, utc_us);
    else if (strcmp(first, "cap") == 0)
        ret->estimate = estimate_first_end(c, j, utc_us);
}

static const struct task *asked_task(const struct job *j, const struct job_call *call)
{
    return call->has_task ? task_find(j, call->task) : NULL;
}

static void held_blocker(struct question *q)
{
    char where[40];
    snprintf(where, sizeof where, "job %llu", (unsigned long long)q->job->id);
    if (q->job->on_hold)
        add(q, "held", where, NULL)->text = text_of("held: reeve release %llu", (unsigned long long)q->job->id);
    else
        add(q, "held", where, NULL)->text = text_of("held: %u of its tasks wait for a person; reeve release %llu",
                                                    q->job->held, (unsigned long long)q->job->id);
    propose_change(q, text_of("somebody releases it"));
}

static int64_t waits_since(const struct job *j, const struct task *t)
{
    return t != NULL && t->eligible_utc_us != 0 ? t->eligible_utc_us : j->submitted_utc_us;
}

static int64_t paused_since(const struct job *j, const struct task *t)
{
    int64_t since = t != NULL ? t->paused_utc_us : INT64_MAX;
    for (uint32_t i = 0; t == NULL && i < j->tasks_count; i++)
        since = j->tasks[i]->paused ? MIN(since, j->tasks[i]->paused_utc_us) : since;
    return since;
}

bool core_why(struct core *c, const struct job_call *call, struct core_now now, struct why_reply *ret)
{
    const struct job *j = job_find(c, call->job);
    if (j == NULL || (call->has_task && !job_has_task(j, call->task)))
        return false;
    *ret = (struct why_reply){0};
    int64_t utc_us = core_utc(c, now);
    struct job_row row = {0};
    (void)core_job_row(c, j->id, now, &row);
    const struct task *t = asked_task(j, call);
    ret->state = core_text(t == NULL ? row.state : t->paused ? "paused" : names_get(&task_state_names, t->state));
    fields_clear(&job_row_fields, &row);
    bool pending = !j->finished && (t != NULL ? t->state == TASK_QUEUED || t->state == TASK_HELD
                                              : first_waiting(j) != NULL || j->held > 0 ||
                                                    job_fresh_from(j, j->next) <= j->last);
    bool paused = t != NULL ? t->paused : j->paused > 0;
    if (!pending && !paused)
        return true;
    struct question q = {.core = c,
                         .job = j,
                         .task = t,
                         .has_index = call->has_task && outcomes_at(&j->over, call->task) == NULL,
                         .index = call->task,
                         .utc_us = utc_us,
                         .blockers = &ret->blockers};
    if (j->on_hold || (t != NULL ? t->state == TASK_HELD : j->held > 0))
        held_blocker(&q);
    if (t == NULL || t->state == TASK_QUEUED)
        ask(&q);
    if (paused && ret->blockers.count == 0)
        ask_paused(&q, t);
    sort(&ret->blockers);
    ret->pending_ms = (uint64_t)(MAX(utc_us - (pending ? waits_since(j, t) : paused_since(j, t)), 0) / 1000);
    ret->change = q.change;
    add_estimate(c, j, utc_us, ret);
    return true;
}
