/*
 * What must hold between the parts of a world, whose truth only the world knows: what lives where, what was
 * acknowledged. Rules of the journal alone are in fault_books.c; that its copies don't differ and replay contradicts
 * nothing, where they are read (fault_store.c, fault_sched.c).
 */
#include <stdio.h>

#include "tests/sim/fault_world.h"

void check_counts(struct world *w)
{
    const struct sched *s = &w->sched[w->active];
    if (s->durable > s->file.count || s->effected > s->durable)
        broken(w, "effects have overtaken the file: %zu, durable %zu of %zu", s->effected, s->durable, s->file.count);
    if (s->inbox_count > WISHES_MAX || s->settling_count > 2 * WISHES_MAX)
        broken(w, "%zu wishes wait, %zu are being settled", s->inbox_count, s->settling_count);
}

/* ---- an attempt ---- */
static bool is_seen_by_node(uint32_t cause)
{
    return cause != END_NODE_LOST && cause != END_KEEPER_LOST;
}

static const struct client_job *job_told(const struct world *w, uint64_t job) /* NULL: its client doesn't know it yet */
{
    const uint64_t *at = idset_find(&w->told, (struct attempt_id){.job = job});
    return at != NULL ? &w->jobs[*at] : NULL;
}

/* By itself, by a person, for another, or for want of money. */
static bool is_calm_end(const struct world *w, const struct fact_ended *f)
{
    if (f->record.cause != END_BUDGET && f->record.cause != END_IO_BUDGET)
        return f->record.cause == END_EXIT || f->record.cause == END_TIME_LIMIT || f->record.cause == END_CANCELLED ||
               f->record.cause == END_PREEMPTED || f->record.cause == END_GANG;
    const struct client_job *j = job_told(w, f->id.job);
    return j == NULL || j->tenant == WORLD_POOR || j->budget_micros > 0;
}

static void check_end_on(struct world *w, const struct node *n, const struct fact_ended *f)
{
    const char *cause = end_causes[f->record.cause].name;
    for (size_t i = 0; i < n->count; i++) {
        const struct attempt_here *a = &n->attempts[i];
        if (!attempt_id_equal(a->id, f->id))
            continue;
        if (a->proc == PROC_ALIVE)
            broken(w, "attempt %llu.%u.%u is ended (%s) while it lives on %s", ID(f->id), cause, n->name);
        if (is_seen_by_node(f->record.cause) &&
            (!a->ended || a->record.cause != f->record.cause || a->record.exit_code != f->record.exit_code ||
             a->record.run_us != f->record.run_us))
            broken(w, "attempt %llu.%u.%u ended otherwise than %s", ID(f->id), cause);
    }
}

/* As its own node has it; and anywhere, when something of its task lives. */
void check_ended(struct world *w, const struct fact_ended *f)
{
    const char *cause = end_causes[f->record.cause].name;
    const uint64_t *alive = idset_find(&w->alive, (struct attempt_id){f->id.job, f->id.task, 1});
    size_t own = node_number(w, f->node);
    bool anywhere = own == w->nodes_count || (alive != NULL && *alive > 0);
    for (size_t n = anywhere ? 0 : own; n < (anywhere ? w->nodes_count : own + 1); n++)
        check_end_on(w, &w->nodes[n], f);
    if (w->calm && !is_calm_end(w, f))
        broken(w, "attempt %llu.%u.%u ended (%s) where nothing fails", ID(f->id), cause);
    if (f->written_off_micros != 0 && !end_causes[f->record.cause].node_fault && f->record.cause != END_PREEMPTED &&
        f->record.cause != END_MAINTENANCE && f->record.cause != END_GANG_LOST && f->record.cause != END_IO_BUDGET)
        broken(w, "attempt %llu.%u.%u (%s) cost %lld more than was held", ID(f->id), cause,
               (long long)f->written_off_micros);
}

/* With beats that come in, a renewal holds no more than a slice and what isn't settled yet. */
void check_renewed(struct world *w, const struct fact_renewed *f)
{
    uint64_t most_us = w->limits.slice_ms * 1000 + 4 * (uint64_t)w->scene.beat_us;
    if (w->calm && f->paid_us - f->settled_us > most_us)
        broken(w, "attempt %llu.%u.%u: what ran isn't settled with its renewal", ID(f->id));
}

/* New work goes to nodes that were heard of just now, and never to a job that somebody was told is cancelled. */
void check_placement(struct world *w, const struct sched *s, const struct fact_placed *f)
{
    size_t n = node_number(w, f->node);
    if (n == w->nodes_count || s->heard_us[n] < 0 || w->now_us - s->heard_us[n] > (int64_t)w->limits.silent_ms * 1000)
        broken(w, "attempt %llu.%u.%u is placed on %s, which is silent", ID(f->id), f->node);
    const struct client_job *j = job_told(w, f->id.job);
    if (j != NULL && j->cancelled && !w->scene.quiet)
        broken(w, "job %llu was cancelled and starts again", (unsigned long long)f->id.job);
    /* How often it has booted may have changed under way. */
    if (j != NULL && j->where <= 2 && !world_suits(w, j->where, n))
        broken(w, "attempt %llu.%u.%u is placed on %s, which its job didn't ask for", ID(f->id), f->node);
}

/* A gang that is to be within one zone is. */
void check_gang(struct world *w, const struct fact_gang *f)
{
    const struct gang_member *v = f->members.v;
    const struct client_job *j = job_told(w, f->job);
    bool within = j != NULL && j->within;
    for (size_t i = 1; within && i < f->members.count; i++)
        if (node_number(w, v[i].node) % 2 != node_number(w, v[0].node) % 2)
            broken(w, "job %llu: its gang is on %s and %s, of two zones", (unsigned long long)f->job, v[0].node,
                   v[i].node);
}

/* Who reads the answer's own time instead is wrong by the way back, which is seldom long enough for two to run. */
void check_leases(struct world *w, const struct node *n, uint64_t asked_boot_us)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->attempts[i].lease_from_boot_us > asked_boot_us)
            broken(w, "attempt %llu.%u.%u has a lease on %s from when nothing was asked", ID(n->attempts[i].id),
                   n->name);
}

void check_launch(struct world *w, size_t number, const struct attempt_here *it)
{
    const struct node *here = &w->nodes[number];
    const uint64_t *alive = idset_find(&w->alive, (struct attempt_id){it->id.job, it->id.task, 1});
    uint64_t cpu = it->cpu_milli, mem = it->mem_bytes;
    if (idset_find(&w->intents, it->id) == NULL)
        broken(w, "attempt %llu.%u.%u is launched without a durable placement", ID(it->id));
    if (alive != NULL && *alive > 0)
        broken(w, "task %llu.%u runs twice: another attempt lives, epoch %u is launched on %s", ID(it->id), here->name);
    for (size_t i = 0; i < here->count; i++) {
        bool counts = &here->attempts[i] != it && here->attempts[i].proc == PROC_ALIVE;
        cpu += counts && !here->attempts[i].stood ? here->attempts[i].cpu_milli : 0;
        mem += counts ? here->attempts[i].mem_bytes : 0;
    }
    if (cpu > NODE_CORES * 1000 || mem > NODE_CORES * GIB)
        broken(w, "%s runs more than it has: %llu milli-cores, %llu bytes", here->name, (unsigned long long)cpu,
               (unsigned long long)mem);
}

/* ---- now and then ---- */
void check_all(struct world *w)
{
    struct err err = {0};
    if (ledger_verify(w->store.ledger, &err) < 0)
        broken(w, "the store's counters: %s", err_text(&err));
    const char *wrong = books_compare(w->store.books, w->store.ledger);
    if (wrong[0] != '\0')
        broken(w, "the store's counters and the books: %s", wrong);
    for (size_t i = 0; i < 2; i++)
        if (w->sched[i].up && core_verify(w->sched[i].core, &err) < 0)
            broken(w, "the scheduler's state: %s", err_text(&err));
}

static bool nothing_held(const struct account_view *view, void *arg)
{
    if (view->held_micros != 0)
        broken(arg, "account %s still holds %lld when all is over", view->name, (long long)view->held_micros);
    return true;
}

static bool has_node(const struct world *w, const struct client_job *j)
{
    for (size_t n = 0; n < w->nodes_count; n++)
        if (!w->nodes[n].gone && world_suits(w, j->where, n))
            return true;
    return false;
}

static void check_job(struct world *w, const struct sched *s, const struct client_job *j)
{
    struct job_view view;
    if (!core_job_view(s->core, &(struct job_call){.job = j->job}, sched_now(w, s), &view)) {
        if (!books_job_is_over(w->store.books, j->job)) /* a snapshot leaves out what is over */
            broken(w, "job %llu was acknowledged and is gone", (unsigned long long)j->job);
        return;
    }
    bool same = view.key != NULL && strcmp(view.key, j->key) == 0 && view.spec.resources.cpu_milli == j->cpu_milli;
    uint32_t open = view.row.queued + view.row.live;
    bool waits_for_money = j->tenant == WORLD_POOR && view.row.live == 0;
    char why[96];
    snprintf(why, sizeof why, "%s, %s", view.row.state,
             view.row.waiting_for != NULL ? view.row.waiting_for : "nothing blocks");
    fields_clear(&job_view_fields, &view);
    if (!same)
        broken(w, "job %llu is another than was submitted with %s", (unsigned long long)j->job, j->key);
    if (open > 0 && !waits_for_money && has_node(w, j))
        broken(w, "job %llu (%s) is not over after everything was healed: %u open, %s", (unsigned long long)j->job,
               j->key, open, why);
}

/* Of thousands of jobs one in so many is asked for whole. */
#define JOBS_FEW 256
#define JOBS_ASKED 16

/* By the books; and the scheduler has it, for its tenant. */
static bool is_over(const struct world *w, const struct sched *s, const struct client_job *j)
{
    char own[32];
    const char *tenant;
    uint32_t uid;
    world_tenant(w, j->tenant, own);
    return books_job_is_over(w->store.books, j->job) && core_job_owner(s->core, j->job, &tenant, &uid) &&
           strcmp(tenant, own) == 0;
}

static void check_jobs(struct world *w, const struct sched *s)
{
    struct core_stats stats;
    size_t open = 0;
    for (size_t i = 0; i < w->jobs_count; i++) {
        const struct client_job *j = &w->jobs[i];
        if (j->there && !j->acked)
            broken(w, "%s was never answered", j->key);
        if (j->acked && (w->jobs_count <= JOBS_FEW || i % JOBS_ASKED == 0 || !is_over(w, s, j)))
            check_job(w, s, j);
        open += j->acked && !books_job_is_over(w->store.books, j->job);
    }
    core_stats(s->core, &stats);
    if (open == 0 && stats.queued > 0)
        broken(w, "%llu tasks wait when all jobs are over", (unsigned long long)stats.queued);
}

bool check_quiet(const struct world *w)
{
    struct core_stats stats;
    const struct sched *s = &w->sched[w->active];
    if (!s->up || !s->ready)
        return false;
    core_stats(s->core, &stats);
    bool quiet = stats.starting + stats.running + stats.unreachable + stats.held == 0;
    for (size_t n = 0; n < w->nodes_count; n++)
        for (size_t i = 0; i < w->nodes[n].count; i++)
            quiet &= w->nodes[n].attempts[i].over && w->nodes[n].attempts[i].proc != PROC_ALIVE;
    return quiet;
}

void check_healed(struct world *w)
{
    const struct sched *s = &w->sched[w->active];
    if (!s->up || !s->ready || s->batch_count > 0)
        broken(w, "the scheduler doesn't get ready again");
    for (size_t n = 0; n < w->nodes_count; n++)
        for (size_t i = 0; i < w->nodes[n].count; i++) {
            const struct attempt_here *a = &w->nodes[n].attempts[i];
            if (a->proc == PROC_ALIVE || !a->over)
                broken(w, "attempt %llu.%u.%u is left on %s: %s", ID(a->id),
                       w->nodes[n].name, a->proc == PROC_ALIVE ? "it lives" : "never confirmed");
        }
    check_jobs(w, s);
    if (w->store.entries.count != s->file.count || s->durable != s->file.count)
        broken(w, "the copies of the journal are not equal: %zu and %zu", w->store.entries.count, s->file.count);
    ledger_each_account(w->store.ledger, nothing_held, w);
}
