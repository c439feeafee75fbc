#include "scheduler/sim/run_inner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOK_AGAIN_US INT64_C(1000000)      /* when all that was proposed was refused */

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct core_now run_now(const struct run *r)
{
    return (struct core_now){r->begin_utc_us + r->now_us, RUN_BOOT_BEGIN_US + (uint64_t)r->now_us};
}

/* ---- attempts ---- */
static int compare_ends(const void *a, const void *b)
{
    const struct live *x = a, *y = b;
    if (x->end_us != y->end_us)
        return x->end_us < y->end_us ? -1 : 1;
    if (x->id.job != y->id.job)
        return x->id.job < y->id.job ? -1 : 1;
    return x->id.task < y->id.task ? -1 : x->id.task > y->id.task;
}

static struct heap_rank rank_of_end(const void *object)
{
    const struct live *l = object;
    return (struct heap_rank){l->end_us, l->id.job};
}
const struct heap_kind run_by_end = {compare_ends, offsetof(struct live, at), rank_of_end};

struct live **run_live_slot(const struct run *r, struct attempt_id id)
{
    size_t at = (size_t)((id.job * UINT64_C(0x9e3779b97f4a7c15) + id.task) % r->buckets_count);
    struct live **slot = &r->buckets[at];
    while (*slot != NULL && !attempt_id_equal((*slot)->id, id))
        slot = &(*slot)->next;
    return slot;
}

/* When its node will tell of its end: done, over its limit, or not paid for any longer. */
static int64_t end_of(const struct live *l)
{
    uint64_t run_us = l->run_us;
    if (l->job->limit_us != 0)
        run_us = MIN(run_us, l->job->limit_us);
    return l->started_us + (int64_t)MIN(run_us, l->paid_us);
}

static uint32_t cause_of(const struct live *l)
{
    uint64_t ran_us = (uint64_t)(l->end_us - l->started_us);
    if (ran_us == l->run_us)
        return l->told != NULL ? l->told->cause : END_EXIT;
    if (l->stop_cause != END_NONE && l->end_us == l->stop_us)
        return l->stop_cause;
    return l->job->limit_us != 0 && ran_us == l->job->limit_us ? END_TIME_LIMIT : END_BUDGET;
}

/* ---- facts ---- */
/* What the journal told of this task and hasn't happened yet; when all has, the last one again. */
static const struct told *next_told(const struct run *r, const struct sim_job *job, struct attempt_id id)
{
    size_t count;
    const struct told *t = past_told(r->past, job->past_job, id.task, &count);
    for (size_t i = 0; i < count; i++)
        if (!r->told_used[&t[i] - r->past->told])
            return &t[i];
    return count > 0 ? &t[count - 1] : NULL;
}

static void set_length(struct run *r, struct live *l)
{
    const struct told *t = r->past != NULL ? next_told(r, l->job, l->id) : NULL;
    l->run_us = r->past == NULL ? l->job->run_us
                : t != NULL && !t->cut ? t->run_us : past_guess_us(r->past, l->job, t);
    l->told = t != NULL && !t->cut ? t : NULL;
    r->totals.guessed += r->past != NULL && l->told == NULL && l->id.epoch == 1;
}

struct live *run_live_add(struct run *r, struct attempt_id id, const struct sim_job *job, int64_t started_us,
                          uint64_t paid_us)
{
    struct live *l = calloc(1, sizeof *l);
    if (l == NULL)
        abort();
    *l = (struct live){.id = id, .job = job, .tenant = &r->measure.tenants[job->tenant], .started_us = started_us,
                       .paid_us = paid_us, .at = HEAP_NOWHERE};
    set_length(r, l);
    l->end_us = end_of(l);
    *run_live_slot(r, id) = l;
    heap_add(&r->ends, &run_by_end, l);
    measure_touch(&r->measure, l->tenant, r->now_us);
    l->tenant->cpu_milli += job->cpu_milli;
    l->tenant->running++;
    return l;
}

static void note_placed(struct run *r, const struct fact_placed *f)
{
    const struct sim_job *job = r->jobs[f->id.job];
    const struct live *l = run_live_add(r, f->id, job, r->now_us, f->paid_us);
    struct tenant_measure *t = l->tenant;
    t->waiting--;
    if (f->id.epoch == 1) {
        t->started++;
        uint64_t run_us = job->limit_us != 0 ? MIN(l->run_us, job->limit_us) : l->run_us;
        measure_wait(t, (uint64_t)(r->now_us - job->submit_us), run_us);
    }
    r->totals.placed++;
}

static void note_renewed(struct run *r, const struct fact_renewed *f)
{
    struct live *l = *run_live_slot(r, f->id);
    if (l == NULL)
        abort();
    l->paid_us = f->paid_us;
    l->end_us = end_of(l);
    heap_moved(&r->ends, &run_by_end, l);
    r->totals.renewed++;
    /* As a beat would say: the next renewal settles what has run by now. */
    struct attempt_id id = l->id;
    bool ended;
    const char *node = core_attempt_node(r->core, &id, &ended);
    core_attempt_seen(r->core, node, id, (uint64_t)(r->now_us - l->started_us), run_now(r));
}

/* Its node hears it at once, and it obeys at once. */
static void note_stopping(struct run *r, const struct fact_stopping *f)
{
    struct live *l = *run_live_slot(r, f->id);
    if (l == NULL)
        abort();
    l->stop_cause = f->cause;
    l->stop_us = r->now_us;
    l->end_us = MIN(l->end_us, l->stop_us);
    heap_moved(&r->ends, &run_by_end, l);
}

/* Whom the end or the stop of one of its gang stops. */
static void note_taken_along(void *arg, struct attempt_id id)
{
    struct run *r = arg;
    struct run_call unused = {0};
    uint64_t paid_us;
    struct fact_stopping f = {.id = id};
    (void)core_duty(r->core, id, true, &unused, &paid_us, &f.cause);
    if ((*run_live_slot(r, id))->stop_cause != f.cause)
        note_stopping(r, &f);
}

static void note_ended(struct run *r, const struct fact_ended *f)
{
    struct live **slot = run_live_slot(r, f->id), *l = *slot;
    struct tenant_measure *t = l->tenant;
    measure_touch(&r->measure, t, r->now_us);
    t->cpu_milli -= l->job->cpu_milli;
    t->running--;
    t->waiting += f->next == NEXT_QUEUED;
    t->cost_micros += f->spent_micros;
    t->succeeded += f->next == NEXT_FINAL && f->state == TASK_SUCCEEDED;
    t->failed += f->next == NEXT_FINAL && f->state != TASK_SUCCEEDED;
    t->over_limit += f->record.cause == END_TIME_LIMIT;
    t->over_budget += f->record.cause == END_BUDGET;
    t->preempted += f->record.cause == END_PREEMPTED || f->record.cause == END_MAINTENANCE;
    if (l->told != NULL && f->record.cause == l->told->cause)
        r->told_used[l->told - r->past->told] = 1;
    r->totals.cost_micros += f->spent_micros;
    r->totals.written_off_micros += f->written_off_micros;
    r->totals.ended++;
    if (l->at != HEAP_NOWHERE)
        heap_remove(&r->ends, &run_by_end, l);
    *slot = l->next;
    free(l);
}

static void note_cancelled(struct run *r, const struct fact_tasks *f)
{
    struct tenant_measure *t = &r->measure.tenants[r->jobs[f->job]->tenant];
    measure_touch(&r->measure, t, r->now_us);
    t->waiting -= MIN(t->waiting, f->count);
    t->failed += f->count;
}

/* Nothing of them failed: they aren't missed. */
static void note_left_out(struct run *r, const struct fact_gang *f)
{
    struct tenant_measure *t = &r->measure.tenants[r->jobs[f->job]->tenant];
    measure_touch(&r->measure, t, r->now_us);
    t->waiting -= MIN(t->waiting, f->left_out);
}

/* FNV-1a over everything that was ever committed. */
static void hash_bytes(struct run *r, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        r->totals.hash = (r->totals.hash ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001b3);
}

bool run_commit(struct run *r, struct fact *f)
{
    struct ledger_blocker b = {0};
    struct err err = {0};
    enum ledger_verdict verdict = ledger_check(core_ledger(r->core), f, &b);
    if (verdict != LEDGER_FITS) {
        core_refused(r->core, f, names_get(&ledger_verdict_names, verdict), b.where != NULL ? b.where : "", run_now(r));
        r->totals.refused++;
        fact_clear(f);
        return false;
    }
    buf_reset(&r->bytes);
    fact_encode(f, &r->bytes);
    hash_bytes(r, buf_text(&r->bytes), r->bytes.len);
    struct fact read;
    if (fact_decode(r->bytes.data, r->bytes.len, &read, &err) < 0 || core_apply_check(r->core, &read, &err) < 0) {
        fprintf(stderr, "reeve-sim: %s: %s\n", names_get(&fact_names, f->kind), err_text(&err));
        abort();
    }
    core_apply(r->core, ++r->seq, &read);
    if (r->on_fact != NULL)
        r->on_fact(r->arg, r->seq, r->bytes.data, r->bytes.len);
    r->totals.facts++;
    if ((read.kind >= FACT_JOB_SUBMITTED && read.kind <= FACT_ATTEMPT_ENDED) || read.kind == FACT_GANG_PLACED)
        r->last_us = r->now_us;
    struct fact room;
    for (size_t i = 0; i < fact_placements(&read); i++)
        note_placed(r, &fact_placement(&read, i, &room)->placed);
    if (read.kind == FACT_HOLD_RENEWED)
        note_renewed(r, &read.renewed);
    else if (read.kind == FACT_ATTEMPT_STOPPING)
        note_stopping(r, &read.stopping);
    else if (read.kind == FACT_ATTEMPT_ENDED)
        note_ended(r, &read.ended);
    else if (read.kind == FACT_TASKS_CANCELLED)
        note_cancelled(r, &read.cancelled);
    else if (read.kind == FACT_GANG_PLACED && read.gang_placed.left_out > 0)
        note_left_out(r, &read.gang_placed);
    core_each_taken_along(r->core, &read, note_taken_along, r);
    fact_clear(&read);
    fact_clear(f);
    r->owes_turn = true;
    return true;
}

/* ---- events ---- */
void run_submit(struct run *r, struct submit_call *call, uint32_t uid, const char *user, const struct sim_job *job)
{
    struct fact f = {0};
    struct submit_reply quote = {0};
    struct refusal refusal = {0};
    struct tenant_measure *t = &r->measure.tenants[job->tenant];
    int answer = core_check_submit(r->core, call, uid, user, run_now(r), &f, &quote, &refusal);
    uint64_t id = quote.job;
    if (answer == CORE_FACT && f.kind != FACT_NONE && run_commit(r, &f)) {
        BUG(id >= r->jobs_count);
        r->jobs[id] = job;
        if (r->numbers != NULL)
            r->numbers[job - r->workload->jobs] = id;
        measure_touch(&r->measure, t, r->now_us);
        t->waiting += job->tasks;
        t->submitted += job->tasks;
    } else {
        t->refused += job->tasks;
    }
    r->totals.submitted++;
    fields_clear(&submit_reply_fields, &quote);
    fields_clear(&refusal_fields, &refusal);
    fields_clear(&submit_call_fields, call);
}

static void submit(struct run *r, const struct sim_job *job)
{
    char key[32];
    snprintf(key, sizeof key, "sim-%zu", r->next);
    const char *tenant = order_knows_tenants(r->order) ? r->workload->tenants.v[job->tenant] : ORDERS_ONE_TENANT;
    struct submit_call call = {0};
    call.spec = (struct job_spec){
        .resources = {.cpu_milli = job->cpu_milli, .mem_bytes = job->mem_bytes, .scratch_bytes = 1 << 20},
        .time_limit_ms = job->limit_us / 1000,
        .priority = job->priority,
    };
    if (job->tasks > 1)
        call.spec.array = (struct job_array){true, 0, job->tasks - 1, 0};
    int rc = strs_add(&call.spec.command, "/bin/true");
    BUG(rc < 0 || str_set(&call.tenant, tenant) < 0 || str_set(&call.key, key) < 0);
    run_submit(r, &call, 0, "root", job);
}

bool run_answer(struct run *r, int answer, struct fact *f, struct refusal *refusal)
{
    bool in = answer == CORE_FACT && (f->kind == FACT_NONE || run_commit(r, f));
    fields_clear(&refusal_fields, refusal);
    *refusal = (struct refusal){0};
    return in;
}

void run_report_running(struct run *r, struct live *l)
{
    struct attempt_state state = {.id = l->id, .started_utc_us = r->begin_utc_us + r->now_us};
    struct fact f = {0};
    bool ended;
    const char *node = core_attempt_node(r->core, &state.id, &ended);
    if (core_check_running(r->core, node, &state, run_now(r), &f) == CORE_FACT && f.kind != FACT_NONE)
        (void)run_commit(r, &f);
}

static struct exit_record record_of(const struct run *r, const struct live *l, uint32_t cause)
{
    struct exit_record record = {.cause = cause, .started_utc_us = r->begin_utc_us + l->started_us,
                                 .run_us = (uint64_t)MAX(l->end_us - l->started_us, 0)};
    record.usage.cpu_us = record.run_us * l->job->cpu_milli / 1000;
    if (l->told == NULL) {
        record.exit_code = cause == END_EXIT && l->job->fails;
    } else if (cause == l->told->cause) {
        record.exit_code = l->told->exit_code;
        record.signal = l->told->signal;
        record.usage.cpu_us = l->told->cpu_us;
    }
    return record;
}

void run_end(struct run *r, struct live *l, uint32_t cause)
{
    struct attempt_state state = {.id = l->id, .ended = true, .started_utc_us = r->begin_utc_us + l->started_us,
                                  .record = record_of(r, l, cause)};
    struct fact f = {0};
    bool ended;
    const char *node = core_attempt_node(r->core, &state.id, &ended);
    int answer = core_check_ended(r->core, node, &state, run_now(r), &f);
    bool in = answer == CORE_FACT && f.kind != FACT_NONE && run_commit(r, &f);
    if (!in) { /* an end is never refused in this world */
        fprintf(stderr, "reeve-sim: an end was not taken\n");
        abort();
    }
}

/* Everything that the core wants at this instant. */
static void decide(struct run *r)
{
    static struct fact facts[RUN_BATCH];
    size_t count, in;
    r->owes_turn = false;
    do {
        uint64_t begin = clock_ns();
        in = 0;
        count = core_decide(r->core, run_now(r), facts, RUN_BATCH, &r->wake_boot_us);
        r->totals.decide_ns += clock_ns() - begin;
        r->totals.turns++;
        for (size_t i = 0; i < count; i++) {
            struct attempt_id ids[JOB_GANG_MAX];
            struct fact room;
            size_t starts = fact_placements(&facts[i]);
            for (size_t k = 0; k < starts; k++)
                ids[k] = fact_placement(&facts[i], k, &room)->placed.id;
            bool taken = run_commit(r, &facts[i]);
            in += taken;
            for (size_t k = 0; taken && k < starts; k++)
                run_report_running(r, *run_live_slot(r, ids[k]));
        }
    } while (in > 0);
    r->owes_turn = false;
    if (count > 0) /* all of it was refused: the core waits before it proposes the same again */
        r->wake_boot_us = MIN(r->wake_boot_us, run_now(r).boot_us + (uint64_t)LOOK_AGAIN_US);
}

/* All jobs are over. What the core still has to do, like closing a month, is no part of the run. */
static bool is_done(const struct run *r)
{
    struct core_stats stats;
    core_stats(r->core, &stats);
    return stats.jobs == 0;
}

/* Has all that comes from outside come? */
static bool is_told(const struct run *r)
{
    return r->next == (r->past != NULL ? r->past->events_count : r->workload->count);
}

static int64_t next_outside(const struct run *r)
{
    if (is_told(r))
        return INT64_MAX;
    return r->past != NULL ? r->past->events[r->next].at_us : r->workload->jobs[r->next].submit_us;
}

/* The next instant at which something happens; INT64_MAX: never. */
static int64_t next_event(const struct run *r)
{
    const struct live *first = heap_top(&r->ends);
    int64_t at = next_outside(r);
    if (first != NULL)
        at = MIN(at, first->end_us);
    if (r->wake_boot_us != UINT64_MAX)
        at = MIN(at, MAX((int64_t)(r->wake_boot_us - MIN(r->wake_boot_us, RUN_BOOT_BEGIN_US)), r->now_us));
    bool over = first == NULL && is_told(r) && (at > r->latest_us || is_done(r));
    return over ? INT64_MAX : at;
}

static bool step(struct run *r)
{
    int64_t at = next_event(r);
    if (at == INT64_MAX)
        return false;
    r->now_us = MAX(r->now_us, at);
    for (struct live *l; (l = heap_top(&r->ends)) != NULL && l->end_us <= r->now_us;)
        run_end(r, l, cause_of(l));
    if (r->past != NULL)
        run_past_events(r);
    while (r->past == NULL && next_outside(r) <= r->now_us)
        submit(r, &r->workload->jobs[r->next++]);
    decide(r);
    return true;
}

bool run_some(struct run *r, size_t events)
{
    uint64_t begin = clock_ns();
    bool more = true;
    for (size_t i = 0; i < events && more; i++)
        more = step(r);
    r->totals.wall_ns += clock_ns() - begin;
    if (!more) {
        run_weigh(r);
        measure_end(&r->measure, r->last_us);
        r->totals.simulated_us = r->last_us;
    }
    return more;
}

uint64_t run_progress_ppm(const struct run *r)
{
    size_t all = r->past != NULL ? r->past->events_count : r->workload->count;
    return all == 0 ? 1000000 : (uint64_t)r->next * 1000000 / all;
}

const struct measure_cell *run_measure(const struct run *r)
{
    return &r->measure;
}

struct run_totals run_totals(const struct run *r)
{
    struct core_stats stats;
    struct run_totals t = r->totals;
    core_stats(r->core, &stats);
    t.decisions = stats.decisions_total;
    return t;
}

const char *run_currency(const struct run *r)
{
    return core_currency(r->core);
}
