#include <stdio.h>
#include <string.h>

#include "scheduler/core/answers.h"

#define RANGES_MAX 10000 /* of a job that is over: they go along in the fact */

/* ---- words ------------------------------------------------------------------------------------------ */

static const char *stands_words(const struct job *j)
{
    static const struct {
        const char *state, *words;
    } rows[] = {{"pending", "it waits"}, {"running", "it runs"}, {"held", "it is held"}, {"paused", "it is paused"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(rows[i].state, job_state(j)) == 0)
            return rows[i].words;
    return "it is over";
}

char *depend_words(const struct core *c, const struct fact_after *a)
{
    static const char *const ends[] = {
        [AFTER_SUCCESS] = "succeed", [AFTER_END] = "end", [AFTER_FAILURE] = "fail"};
    const struct job *of = job_find(c, a->job);
    unsigned long long id = a->job;
    char who[80], done[64] = "";
    if (is_measured(a->task))
        snprintf(who, sizeof who, "task %llu.%llu", id, (unsigned long long)measured(a->task));
    else if (a->tasks == AFTER_SAME)
        snprintf(who, sizeof who, "the same task of job %llu", id);
    else
        snprintf(who, sizeof who, "job %llu", id);
    if (of != NULL && job_tasks(of) > 1)
        snprintf(done, sizeof done, ", %u of %u tasks done", of->aside->ended_count, job_tasks(of));
    if (a->never)
        return text_of("%s had to %s, and that can't happen any more", who, ends[a->on]);
    return text_of("%s must %s; %s%s", who, ends[a->on], of != NULL ? stands_words(of) : "it is over", done);
}

char *depend_words_of(const struct core *c, const struct job *j, uint32_t index, uint32_t *i,
                      const struct dependency **ret, bool *ret_never)
{
    for (; j->aside->after != NULL && *i < j->aside->after->count; ++*i) {
        const struct dependency *d = &j->aside->after->v[*i];
        const struct outcomes *o = d->of != NULL ? &d->of->aside->over : &d->kept;
        const struct outcome *at = d->tasks == AFTER_SAME ? outcomes_at(o, index) : NULL;
        bool met = d->state == DEPEND_MET || (at != NULL && depend_wished(d->on, at->how));
        if (met)
            continue;
        const struct fact_after a = {.job = d->id,
                                     .on = d->on,
                                     .tasks = d->tasks,
                                     .task = d->task,
                                     .never = d->state == DEPEND_NEVER || at != NULL};
        ++*i;
        *ret = d;
        *ret_never = a.never;
        return depend_words(c, &a);
    }
    return NULL;
}

/* ---- submission ------------------------------------------------------------------------------------- */

struct asking {
    const struct core *core;
    const struct tenant *tenant;
    const struct submit_call *call;
    const struct job_spec *spec;
    uint32_t uid;
    const char *user;
    size_t number;
    struct refusal *refusal;
};

static void refuse(struct asking *q, const char *code, const char *hint, char *text)
{
    char where[32];
    snprintf(where, sizeof where, "after[%zu]", q->number);
    refusal_from(q->refusal, code, where, hint, "%s", text);
    free(text);
}

/* A user of one tenant would learn from `why` how another's job fares, and its end would start theirs. */
static bool same_top(const char *a, const char *b)
{
    size_t len = strcspn(a, "/");
    return len == strcspn(b, "/") && strncmp(a, b, len) == 0;
}

/* NULL: refused, or (*ret_later) on its way. */
static const struct job *find(struct asking *q, const struct job_after *a, bool *ret_later)
{
    const struct core *c = q->core;
    const struct job *of = a->key != NULL ? job_find_key(c, q->tenant->path, a->key) : job_find(c, a->job);
    bool own = a->key != NULL && q->call->key != NULL && strcmp(a->key, q->call->key) == 0;
    *ret_later = of == NULL && a->key == NULL && a->job >= c->next_job && a->job < c->next_job_handed;
    if (*ret_later)
        return NULL;
    bool may = of != NULL && (core_user_is_admin(c, q->user, q->uid) || core_user_may(c, q->user, q->uid, of->tenant));
    if (own)
        refuse(q, "bad_request", NULL, text_of("a job can't wait for itself"));
    else if (!may && a->key != NULL)
        refuse(q, "not_found", "finished jobs are in the history: reeve history",
               text_of("%s has no job of the key '%.127s' here", q->tenant->path, a->key));
    else if (!may)
        refuse(q, "not_found", "finished jobs are in the history: reeve history",
               text_of("there is no job %llu here that you may see", (unsigned long long)a->job));
    else if (!same_top(of->tenant, q->tenant->path))
        refuse(q, "forbidden", NULL,
               text_of("job %llu is of %s: a job of %s waits for jobs of the same tenant only",
                       (unsigned long long)of->id, of->tenant, q->tenant->path));
    else
        return of;
    return NULL;
}

static bool tasks_are_there(struct asking *q, const struct job_after *a, const struct job *of)
{
    const struct job_array *own = &q->spec->array;
    if (is_measured(a->task) && !job_has_task(of, (uint32_t)measured(a->task)))
        refuse(q, "not_found", NULL,
               text_of("job %llu has tasks %u to %u", (unsigned long long)of->id, of->first, of->last));
    else if (a->tasks == AFTER_SAME && (own->first < of->first || own->last > of->last))
        refuse(q, "not_found", "an array of the same range",
               text_of("job %llu has tasks %u to %u, this one %u to %u", (unsigned long long)of->id, of->first,
                       of->last, own->first, own->last));
    else
        return true;
    return false;
}

/* How the tasks stand that it waits for: how many there are, how many of them are over, how many of these otherwise
 * than as wished. */
struct standing {
    uint64_t tasks, over, bad;
};

static struct standing stand(const struct asking *q, const struct job_after *a, const struct job *of)
{
    uint32_t first = of->first, last = of->last;
    bool whole = !is_measured(a->task) && a->tasks != AFTER_SAME; /* then nothing is missing that was left out */
    if (is_measured(a->task))
        first = last = (uint32_t)measured(a->task);
    else if (a->tasks == AFTER_SAME)
        first = q->spec->array.first, last = q->spec->array.last;
    struct standing s = {.tasks = (uint64_t)last - first + 1};
    for (uint32_t i = 0; i < of->aside->over.count; i++) {
        const struct outcome *r = &of->aside->over.v[i];
        if (r->last < first || r->first > last)
            continue;
        uint64_t count = (uint64_t)MIN(r->last, last) - MAX(r->first, first) + 1;
        s.over += count;
        s.bad += depend_wished(a->on, r->how) || (whole && r->how == OUTCOME_LEFT_OUT) ? 0 : count;
    }
    return s;
}

/* Of a job as a whole it is enough that one failed: then it can't succeed, and will have failed. */
static bool is_lost(const struct job_after *a, const struct job *of, struct standing s)
{
    if (is_measured(a->task) || a->tasks == AFTER_SAME)
        return s.bad == s.tasks;
    return a->on == AFTER_FAILURE ? of->finished && job_failed(of) == 0 : s.bad > 0;
}

static bool is_met(const struct job_after *a, const struct job *of, struct standing s)
{
    bool single = is_measured(a->task) || a->tasks == AFTER_SAME;
    return single ? s.over == s.tasks && s.bad == 0 : of->finished;
}

/* Its own range of what the other came to. false: too many ranges. */
static bool add_outcomes(const struct asking *q, const struct job *of, struct list *ret)
{
    const struct job_array *own = &q->spec->array;
    for (uint32_t i = 0; i < of->aside->over.count; i++) {
        const struct outcome *r = &of->aside->over.v[i];
        if (r->last < own->first || r->first > own->last)
            continue;
        uint32_t first = MAX(r->first, own->first), last = MIN(r->last, own->last);
        struct fact_outcome *o = ret->count < RANGES_MAX ? list_add(ret, sizeof *o) : NULL;
        if (o == NULL)
            return false;
        *o = outcome_fact(&(struct outcome){first, last, r->how});
    }
    return true;
}

static int resolve_one(struct asking *q, const struct job_after *a, struct list *ret)
{
    static const char *const ended[] = {
        [AFTER_SUCCESS] = "has not succeeded", [AFTER_END] = "has not ended", [AFTER_FAILURE] = "has not failed"};
    bool later;
    const struct job *of = find(q, a, &later);
    if (of == NULL)
        return later ? CORE_LATER : CORE_REFUSED;
    if (of->aside->ending_in_flight > 0)
        return CORE_LATER; /* what holds now may not hold any more when this is committed */
    if (!tasks_are_there(q, a, of))
        return CORE_REFUSED;
    struct standing s = stand(q, a, of);
    if (is_lost(a, of, s)) {
        refuse(q, "never_fits", "leave it out, or wait for its end: on: end",
               text_of("job %llu %s, and this one was to start after that", (unsigned long long)of->id, ended[a->on]));
        return CORE_REFUSED;
    }
    if (is_met(a, of, s))
        return CORE_FACT;
    struct fact_after *f = list_add(ret, sizeof *f);
    BUG(f == NULL);
    *f = (struct fact_after){.job = of->id, .on = a->on, .tasks = a->tasks, .task = a->task, .over = of->finished};
    if (of->finished && !add_outcomes(q, of, &f->outcomes)) {
        refuse(q, "bad_request", "wait for its end: on: end",
               text_of("the tasks of job %llu ended in too many ways to start after each", (unsigned long long)of->id));
        return CORE_REFUSED;
    }
    return CORE_FACT;
}

int depend_resolve(const struct core *c, const struct tenant *t, const struct submit_call *call,
                   const struct job_spec *spec, uint32_t uid, const char *user, struct list *ret,
                   struct refusal *refusal)
{
    struct asking q = {c, t, call, spec, uid, user, 0, refusal};
    int rc = CORE_FACT;
    for (; q.number < spec->after.count && rc == CORE_FACT; q.number++)
        rc = resolve_one(&q, &((const struct job_after *)spec->after.v)[q.number], ret);
    return rc;
}
