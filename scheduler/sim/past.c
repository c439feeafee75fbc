#include "scheduler/sim/past.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quotas/ledger_names.h"
#include "scheduler/core/core.h"
#include "scheduler/sim/past_files.h"

#define JOBS_LIMIT (UINT64_C(1) << 27) /* a cell's number of jobs, ever: rows are kept by number */
#define BYTES_LIMIT ((size_t)64 << 30)

struct reader {
    const struct past_source *source;
    struct core *core;         /* goes along: what contradicts is refused, and the policy is known at each instant */
    struct workload *w;
    struct past *past;
    bool began;
    uint64_t seq;
    int64_t since_utc_us;
    struct err *err;           /* of a callback without one */
};

static void *grown(void *rows, size_t count, size_t *size, size_t row)
{
    if (count < *size)
        return rows;
    *size = *size == 0 ? 1024 : *size * 2;
    rows = realloc(rows, *size * row);
    if (rows == NULL)
        abort();
    return rows;
}

/* ---- what is kept ---- */
static struct past_event *event_add(struct reader *r, uint32_t kind, int64_t at_utc_us)
{
    struct past *p = r->past;
    p->events = grown(p->events, p->events_count, &p->events_size, sizeof p->events[0]);
    struct past_event *e = &p->events[p->events_count++];
    *e = (struct past_event){.kind = kind, .at_us = MAX(at_utc_us - p->begin_utc_us, 0), .at = p->bytes.len};
    return e;
}

static void keep_fact(struct reader *r, const struct fact *f, struct past_event *e)
{
    e->at = r->past->bytes.len;
    fact_encode(f, &r->past->bytes);
    e->len = r->past->bytes.len - e->at;
}

static int take_as_it_is(struct reader *r, const struct fact *f, struct err *err)
{
    (void)err;
    keep_fact(r, f, event_add(r, f->kind, f->at_utc_us));
    return 0;
}

static void keep_zones(struct past *p, const struct list *zones)
{
    for (size_t i = 0; i < zones->count; i++) {
        const struct zone_table *z = &((const struct zone_table *)zones->v)[i];
        struct zone_table *known = NULL;
        for (size_t k = 0; k < p->zones.count && known == NULL; k++)
            known = strcmp(((struct zone_table *)p->zones.v)[k].name, z->name) == 0
                        ? &((struct zone_table *)p->zones.v)[k] : NULL;
        if (known != NULL)
            fields_clear(&zone_table_fields, known);
        else if ((known = list_add(&p->zones, sizeof *known)) == NULL)
            abort();
        if (fields_copy(&zone_table_fields, z, known) < 0)
            abort();
    }
}

/* The whole policy as it is from now on: a run whose tenants or accounts differ can be told that, a change of another
 * policy not. Who may agree to what is no part of a simulation. */
static int take_policy(struct reader *r, const struct fact *f, struct err *err)
{
    struct policy_reply now = {0};
    if (core_policy(r->core, &now) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    now.policy.two_persons = false;
    struct past_event *e = event_add(r, FACT_POLICY_SET, f->at_utc_us);
    fields_encode(&policy_file_fields, &now.policy, &r->past->bytes);
    e->len = r->past->bytes.len - e->at;
    fields_clear(&policy_reply_fields, &now);
    keep_zones(r->past, &f->policy.zones);
    return 0;
}

/* ---- jobs ---- */
const struct sim_job *past_job(const struct workload *w, uint64_t number)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->jobs[middle].past_job < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->count && w->jobs[low].past_job == number ? &w->jobs[low] : NULL;
}

static int add_job(struct reader *r, const struct fact_submitted *s, int64_t submitted_utc_us, struct err *err)
{
    const struct job_spec *spec = &s->spec;
    struct workload *w = r->w;
    bool rises = w->count == 0 || w->jobs[w->count - 1].past_job < s->job;
    if (!rises || s->job >= JOBS_LIMIT || w->count >= UINT32_MAX)
        return err_set(err, -EBADMSG, "job %" PRIu64 ": its number is out of order, or beyond what can be replayed",
                       s->job);
    uint32_t tenant;
    struct sim_job *j = workload_add(w);
    if (j == NULL || workload_tenant(w, s->tenant, &tenant) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    *j = (struct sim_job){
        .submit_us = submitted_utc_us - r->past->begin_utc_us,
        .limit_us = spec->time_limit_ms * 1000,
        .cpu_milli = spec->resources.cpu_milli,
        .mem_bytes = spec->resources.mem_bytes,
        .tasks = job_spec_tasks(spec),
        .tenant = tenant,
        .priority = spec->priority,
        .past_job = s->job,
    };
    r->past->next_job = s->job + 1;
    return 0;
}

static int take_submitted(struct reader *r, const struct fact *f, struct err *err)
{
    int rc = add_job(r, &f->submitted, f->at_utc_us, err);
    if (rc < 0)
        return rc;
    struct past_event *e = event_add(r, f->kind, f->at_utc_us);
    e->job = (uint32_t)(r->w->count - 1);
    keep_fact(r, f, e);
    return 0;
}

/* Where tenants are called otherwise from now on, they were the same ones before. */
static int take_moved(struct reader *r, const struct fact *f, struct err *err)
{
    const struct fact_tenant_moved *m = &f->tenant_moved;
    for (size_t i = 0; i < r->w->tenants.count; i++) {
        char **path = &r->w->tenants.v[i];
        if (!tenant_path_is_below(*path, m->from))
            continue;
        char *moved = ledger_moved_name(*path, m->from, m->to);
        if (moved == NULL)
            return err_set(err, -ENOMEM, "out of memory");
        free(*path);
        *path = moved;
    }
    return take_as_it_is(r, f, err);
}

/* ---- nodes ---- */
static int keep_features(struct past *p, const struct strs *features)
{
    for (size_t i = 0; i < features->count; i++) {
        bool known = false;
        for (size_t k = 0; k < p->features.count && !known; k++)
            known = strcmp(p->features.v[k], features->v[i]) == 0;
        if (!known && strs_add(&p->features, features->v[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int take_joined(struct reader *r, const struct fact *f, struct err *err)
{
    if (keep_features(r->past, &f->joined.features) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    return take_as_it_is(r, f, err);
}

/* ---- runs ---- */
static int take_placed(struct reader *r, const struct fact *f, struct err *err)
{
    (void)err;
    struct fact room;
    for (size_t i = 0; i < fact_placements(f); i++) {
        struct attempt_id id = fact_placement(f, i, &room)->placed.id;
        const struct sim_job *j = id.epoch == 1 ? past_job(r->w, id.job) : NULL;
        if (j == NULL || j->submit_us < 0)
            continue;
        r->past->really_started++;
        r->past->really_wait_us += (uint64_t)MAX(f->at_utc_us - r->past->begin_utc_us - j->submit_us, 0);
    }
    return 0;
}

static void note_mean(struct reader *r, uint32_t tenant, uint64_t run_us)
{
    struct past *p = r->past;
    if (tenant >= p->means_count) {
        size_t count = MAX((size_t)tenant + 1, r->w->tenants.count);
        p->means = realloc(p->means, count * sizeof p->means[0]);
        if (p->means == NULL)
            abort();
        memset(p->means + p->means_count, 0, (count - p->means_count) * sizeof p->means[0]);
        p->means_count = count;
    }
    p->means[tenant].sum_us += MIN(run_us, UINT64_MAX - p->means[tenant].sum_us);
    p->means[tenant].count++;
}

/* Did it end by its own doing? */
static bool own_end(const struct fact_ended *e)
{
    switch ((enum end_cause)e->record.cause) {
    case END_EXIT:
    case END_SIGNAL:
    case END_OOM:
    case END_TIME_LIMIT:
    case END_INPUTS:
    case END_OUTPUTS:
    case END_LAUNCH_FAILED: return true;
    case END_NONE:
    case END_BUDGET:
    case END_IO_LIMIT:
    case END_IO_BUDGET:
    case END_CANCELLED:
    case END_LEASE:
    case END_KEEPER_LOST:
    case END_NODE_LOST:
    case END_REQUEUED:
    case END_PREEMPTED:
    case END_MAINTENANCE:
    case END_GANG:
    case END_GANG_LOST:
    case END_CAUSE_COUNT: break;
    }
    return false;
}

static int take_ended(struct reader *r, const struct fact *f, struct err *err)
{
    (void)err;
    const struct fact_ended *e = &f->ended;
    const struct sim_job *j = past_job(r->w, e->id.job);
    if (j == NULL) /* over before it begins */
        return 0;
    struct told t = {.job = e->id.job, .task = e->id.task, .epoch = e->id.epoch, .run_us = e->record.run_us,
                     .cpu_us = e->record.usage.cpu_us, .cause = e->record.cause, .exit_code = e->record.exit_code,
                     .signal = e->record.signal, .cut = !own_end(e)};
    if (t.cause == END_EXIT || t.cause == END_SIGNAL || t.cause == END_OOM)
        note_mean(r, j->tenant, t.run_us);
    if (t.cause == END_TIME_LIMIT)
        t.run_us = UINT64_MAX;
    told_add(r->past, &t);
    return 0;
}

/* What still runs at the end was seen to run until then. */
static int take_unfinished(void *arg, const struct fact *f)
{
    struct reader *r = arg;
    const struct list *tasks = &f->snapshot_job.tasks;
    for (size_t i = 0; f->kind == FACT_SNAPSHOT_JOB && i < tasks->count; i++) {
        const struct snapshot_task *t = &((const struct snapshot_task *)tasks->v)[i];
        if (t->started_utc_us == 0 || t->node == NULL)
            continue;
        told_add(r->past, &(struct told){.job = f->snapshot_job.submitted.job, .task = t->task, .epoch = t->epoch,
                                         .run_us = (uint64_t)MAX(r->past->end_utc_us - t->started_utc_us, 0),
                                         .cause = END_EXIT, .cut = true});
    }
    return 0;
}

/* ---- entries ---- */
typedef int (*take_fn)(struct reader *r, const struct fact *f, struct err *err);
/* A blank: decided anew. */
static const take_fn takes[FACT_KIND_COUNT] = {
    [FACT_POLICY_SET] = take_policy,
    [FACT_JOB_SUBMITTED] = take_submitted,
    [FACT_TASKS_CANCELLED] = take_as_it_is,
    [FACT_TASK_HELD] = take_as_it_is,
    [FACT_TASK_RELEASED] = take_as_it_is,
    [FACT_JOB_CHANGED] = take_as_it_is,
    [FACT_ATTEMPT_PLACED] = take_placed,
    [FACT_GANG_PLACED] = take_placed,
    [FACT_ATTEMPT_STOPPING] = take_as_it_is,
    [FACT_ATTEMPT_ENDED] = take_ended,
    [FACT_NODE_JOINED] = take_joined,
    [FACT_NODE_LOST] = take_as_it_is,
    [FACT_NODE_DRAINED] = take_as_it_is,
    [FACT_LEDGER_ADJUSTED] = take_as_it_is,
    [FACT_TENANT_MOVED] = take_moved,
    [FACT_WINDOW_SET] = take_as_it_is,
    [FACT_WINDOW_DROPPED] = take_as_it_is,
};

static int add_start(void *arg, const struct fact *f)
{
    struct reader *r = arg;
    struct past *p = r->past;
    p->start = grown(p->start, p->start_count, &p->start_size, sizeof p->start[0]);
    struct past_event *e = &p->start[p->start_count++];
    *e = (struct past_event){.kind = f->kind};
    keep_fact(r, f, e);
    if (f->kind == FACT_POLICY_SET)
        keep_zones(p, &f->policy.zones);
    if (f->kind == FACT_SNAPSHOT_CELL) {
        p->next_job = f->snapshot_cell.next_job;
        p->last_window = f->snapshot_cell.last_window;
        for (size_t i = 0; i < f->snapshot_cell.nodes.count; i++)
            if (keep_features(p, &((const struct snapshot_node *)f->snapshot_cell.nodes.v)[i].node.features) < 0)
                return -ENOMEM;
    }
    if (f->kind != FACT_SNAPSHOT_JOB)
        return 0;
    e->job = (uint32_t)r->w->count;
    uint64_t next_job = p->next_job;
    int rc = add_job(r, &f->snapshot_job.submitted, f->snapshot_job.submitted_utc_us, r->err);
    p->next_job = MAX(next_job, p->next_job);
    return rc;
}

/* From here on it is told; what is there by now is where it begins. */
static int begin(struct reader *r, int64_t at_utc_us, struct err *err)
{
    r->began = true;
    r->past->begin_utc_us = at_utc_us;
    r->past->from_seq = r->seq + 1;
    r->past->next_job = 1;
    r->err = err;
    int rc = r->seq == 0 ? 0 : core_snapshot(r->core, add_start, r);
    if (rc == 0 && r->past->next_job > JOBS_LIMIT)
        return err_set(err, -EBADMSG, "its next job is number %" PRIu64 ", beyond what can be replayed",
                       r->past->next_job);
    return rc;
}

static int fact_take(struct reader *r, uint64_t seq, const struct fact *f, struct err *err)
{
    int rc = 0;
    if (!r->began && f->at_utc_us >= r->since_utc_us)
        rc = begin(r, f->at_utc_us, err);
    if (rc == 0 && (rc = core_apply_check(r->core, f, err)) < 0)
        return err_wrap(err, -EBADMSG, "seq %" PRIu64 " (%s) contradicts what came before it", seq,
                        names_get(&fact_names, f->kind));
    if (rc < 0)
        return rc;
    core_apply(r->core, seq, f);
    r->past->end_utc_us = MAX(r->past->end_utc_us, f->at_utc_us);
    if (r->began && takes[f->kind] != NULL)
        rc = takes[f->kind](r, f, err);
    if (rc == 0 && r->past->bytes.failed)
        rc = err_set(err, -ENOMEM, "out of memory");
    return rc < 0 ? err_wrap(err, rc, "seq %" PRIu64, seq) : 0;
}

static int record_take(void *arg, const struct journal_record *rec, struct err *err)
{
    struct reader *r = arg;
    struct fact f = {0};
    int rc = fact_decode(rec->fact, rec->fact_len, &f, err);
    if (rc < 0)
        return err_wrap(err, rc, "seq %" PRIu64, rec->seq);
    if (rec->refusal[0] == '\0')
        rc = fact_take(r, rec->seq, &f, err);
    else
        r->past->not_applied++;
    fact_clear(&f);
    r->seq = r->past->to_seq = rec->seq;
    return rc;
}

/* ---- from files ---- */
static int snapshot_take(void *arg, const struct fact *f)
{
    struct reader *r = arg;
    int rc = core_apply_check(r->core, f, r->err);
    if (rc == 0)
        core_apply(r->core, 0, f);
    return rc;
}

static int record_time(void *arg, const struct journal_record *rec, struct err *err)
{
    struct reader *r = arg;
    struct fact f = {0};
    int rc = fact_decode(rec->fact, rec->fact_len, &f, err);
    r->since_utc_us = MAX(r->since_utc_us, f.at_utc_us);
    fact_clear(&f);
    return rc;
}

static int files_read(struct reader *r, struct past_files *f, struct err *err)
{
    struct past *p = r->past;
    snprintf(p->cell, sizeof p->cell, "%s", f->cell);
    r->err = err;
    int rc = past_files_base(f, snapshot_take, r, err);
    r->seq = f->base.seq;
    if (rc == 0 && r->source->before_end_us > 0) {
        rc = past_files_walk(f, record_time, r, &p->torn_bytes, err);
        r->since_utc_us -= r->source->before_end_us;
    }
    return rc == 0 ? past_files_walk(f, record_take, r, &p->torn_bytes, err) : rc;
}

static int finish(struct reader *r, struct err *err)
{
    if (!r->began)
        return err_set(err, -ENODATA, "nothing in the journal is so new: it ends before --since");
    if (r->w->count == 0)
        return err_set(err, -ENODATA, "nobody submitted anything in that journal");
    int rc = core_snapshot(r->core, take_unfinished, r);
    if (rc < 0)
        return err_set(err, rc, "out of memory");
    told_sort(r->past);
    return 0;
}

int past_read(const struct past_source *source, struct workload *ret, struct err *err)
{
    struct core_limits limits = core_limits_default;
    limits.jobs_max = JOBS_LIMIT;
    struct past_files files;
    struct workload w = {.past = calloc(1, sizeof *w.past)};
    struct reader r = {.source = source, .w = &w, .past = w.past,
                       .since_utc_us = source->since_utc_us};
    int rc = past_files_open(source, &files, err);
    if (rc == 0)
        rc = w.past == NULL ? err_set(err, -ENOMEM, "out of memory") : core_new(&r.core, &limits, err);
    if (rc == 0) {
        w.past->bytes.max = BYTES_LIMIT;
        rc = files_read(&r, &files, err);
    }
    if (rc == 0)
        rc = finish(&r, err);
    core_free(r.core);
    past_files_close(&files);
    if (rc < 0)
        workload_fini(&w);
    else
        *ret = w;
    return rc;
}

void past_free(struct past *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->zones.count; i++)
        fields_clear(&zone_table_fields, &((struct zone_table *)p->zones.v)[i]);
    free(p->zones.v);
    for (size_t i = 0; i < p->features.count; i++)
        free(p->features.v[i]);
    free(p->features.v);
    buf_fini(&p->bytes);
    free(p->start);
    free(p->events);
    free(p->told);
    free(p->means);
    free(p);
}

void past_fact(const struct past *p, const struct past_event *e, struct fact *ret)
{
    struct err err = {0};
    int rc = fact_decode(p->bytes.data + e->at, e->len, ret, &err);
    BUG(rc < 0);
}
