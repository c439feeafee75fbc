#include "scheduler/sim/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/heap.h"

#define BATCH 512
#define BOOT_BEGIN_US UINT64_C(1000000000)
#define NEVER_SILENT_MS (UINT64_C(1) << 40) /* agents of this world are always there */
#define LOOK_AGAIN_US INT64_C(1000000)      /* when all that was proposed was refused */
#define LATEST_US (INT64_C(400) * 86400 * 1000000) /* after the last submission nothing is waited for longer */

/* An attempt on its node. */
struct live {
    struct attempt_id id;
    const struct sim_job *job;
    struct tenant_measure *tenant;
    int64_t started_us, end_us;
    uint64_t paid_us;
    int64_t stop_us;     /* when it was told to stop, and for which cause; END_NONE: it wasn't */
    uint32_t stop_cause;
    uint32_t at; /* in run.ends */
    struct live *next; /* in its bucket */
};
struct run {
    const struct workload *workload;
    enum sim_order order;
    struct core *core;
    struct measure_cell measure;
    struct run_totals totals;
    struct heap ends;          /* struct live, soonest first */
    struct live **buckets;     /* by attempt */
    size_t buckets_count;
    const struct sim_job **jobs; /* by the core's number, from 1 */
    size_t jobs_count;
    size_t next;               /* submission to come */
    int64_t now_us, latest_us;
    uint64_t seq, wake_boot_us;
    bool owes_turn;
    struct buf bytes;
};

static const struct field nodes_rows[] = {
    FIELD_ROW(sim_nodes, 1, "name", FIELD_STR, name, .max = 40, .help = "what the nodes' names begin with"),
    FIELD_ROW(sim_nodes, 2, "count", FIELD_U32, count, .flags = FIELD_REQUIRED, .min = 1, .max = 100000,
              .help = "how many are alike"),
    FIELD_ROW(sim_nodes, 3, "capacity", FIELD_STRUCT, capacity, .of = &resources_fields, .flags = FIELD_REQUIRED),
    FIELD_ROW(sim_nodes, 4, "labels", FIELD_PAIRS, labels),
};
static const struct fields nodes_fields = FIELDS_TABLE("nodes", sim_nodes, nodes_rows);
static const struct field cluster_rows[] = {
    FIELD_ROW(cluster, 1, "nodes", FIELD_LIST, nodes, .of = &nodes_fields, .flags = FIELD_REQUIRED, .max = 1024),
};
const struct fields cluster_fields = FIELDS_TABLE("cluster", cluster, cluster_rows);

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct core_now now_of(const struct run *r)
{
    return (struct core_now){SIM_BEGIN_UTC_US + r->now_us, BOOT_BEGIN_US + (uint64_t)r->now_us};
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
static const struct heap_kind by_end = {compare_ends, offsetof(struct live, at)};

static struct live **live_slot(const struct run *r, struct attempt_id id)
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
    uint64_t run_us = l->job->run_us;
    if (l->job->limit_us != 0)
        run_us = MIN(run_us, l->job->limit_us);
    return l->started_us + (int64_t)MIN(run_us, l->paid_us);
}

static uint32_t cause_of(const struct live *l)
{
    uint64_t ran_us = (uint64_t)(l->end_us - l->started_us);
    if (ran_us == l->job->run_us)
        return END_EXIT;
    if (l->stop_cause != END_NONE && l->end_us == l->stop_us)
        return l->stop_cause;
    return l->job->limit_us != 0 && ran_us == l->job->limit_us ? END_TIME_LIMIT : END_BUDGET;
}

/* ---- facts ---- */
static void note_placed(struct run *r, const struct fact_placed *f)
{
    const struct sim_job *job = r->jobs[f->id.job];
    struct live *l = calloc(1, sizeof *l);
    if (l == NULL)
        abort();
    *l = (struct live){.id = f->id, .job = job, .tenant = &r->measure.tenants[job->tenant],
                       .started_us = r->now_us, .paid_us = f->paid_us, .at = HEAP_NOWHERE};
    l->end_us = end_of(l);
    *live_slot(r, f->id) = l;
    heap_add(&r->ends, &by_end, l);
    struct tenant_measure *t = l->tenant;
    measure_touch(&r->measure, t, r->now_us);
    t->cpu_milli += job->cpu_milli;
    t->waiting--;
    t->running++;
    if (f->id.epoch == 1) {
        t->started++;
        uint64_t run_us = job->limit_us != 0 ? MIN(job->run_us, job->limit_us) : job->run_us;
        measure_wait(t, (uint64_t)(r->now_us - job->submit_us), run_us);
    }
    r->totals.placed++;
}

static void note_renewed(struct run *r, const struct fact_renewed *f)
{
    struct live *l = *live_slot(r, f->id);
    if (l == NULL)
        abort();
    l->paid_us = f->paid_us;
    l->end_us = end_of(l);
    heap_moved(&r->ends, &by_end, l);
    r->totals.renewed++;
    /* As a beat would say: the next renewal settles what has run by now. */
    struct attempt_id id = l->id;
    bool ended;
    const char *node = core_attempt_node(r->core, &id, &ended);
    core_attempt_seen(r->core, node, id, (uint64_t)(r->now_us - l->started_us), now_of(r));
}

/* Its node hears it at once, and it obeys at once. */
static void note_stopping(struct run *r, const struct fact_stopping *f)
{
    struct live *l = *live_slot(r, f->id);
    if (l == NULL)
        abort();
    l->stop_cause = f->cause;
    l->stop_us = r->now_us;
    l->end_us = MIN(l->end_us, l->stop_us);
    heap_moved(&r->ends, &by_end, l);
}

static void note_ended(struct run *r, const struct fact_ended *f)
{
    struct live **slot = live_slot(r, f->id), *l = *slot;
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
    r->totals.cost_micros += f->spent_micros;
    r->totals.written_off_micros += f->written_off_micros;
    r->totals.ended++;
    if (l->at != HEAP_NOWHERE)
        heap_remove(&r->ends, &by_end, l);
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

/* FNV-1a over everything that was ever committed. */
static void hash_bytes(struct run *r, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        r->totals.hash = (r->totals.hash ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001b3);
}

/* The store and the journal: asks, writes, applies. Takes the fact. false: refused. */
static bool commit(struct run *r, struct fact *f)
{
    struct ledger_blocker b = {0};
    struct err err = {0};
    enum ledger_verdict verdict = ledger_check(core_ledger(r->core), f, &b);
    if (verdict != LEDGER_FITS) {
        core_refused(r->core, f, names_get(&ledger_verdict_names, verdict), b.where != NULL ? b.where : "", now_of(r));
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
    r->totals.facts++;
    if (read.kind == FACT_ATTEMPT_PLACED)
        note_placed(r, &read.placed);
    else if (read.kind == FACT_HOLD_RENEWED)
        note_renewed(r, &read.renewed);
    else if (read.kind == FACT_ATTEMPT_STOPPING)
        note_stopping(r, &read.stopping);
    else if (read.kind == FACT_ATTEMPT_ENDED)
        note_ended(r, &read.ended);
    else if (read.kind == FACT_TASKS_CANCELLED)
        note_cancelled(r, &read.cancelled);
    fact_clear(&read);
    fact_clear(f);
    r->owes_turn = true;
    return true;
}

/* ---- events ---- */
static void submit(struct run *r, const struct sim_job *job)
{
    char key[32];
    snprintf(key, sizeof key, "sim-%zu", r->next);
    static const char word[] = "/bin/true";
    char everybody[] = ORDERS_ONE_TENANT;
    char *tenant = order_knows_tenants(r->order) ? r->workload->tenants.v[job->tenant] : everybody;
    struct submit_call call = {.tenant = tenant, .key = key};
    call.spec = (struct job_spec){
        .resources = {.cpu_milli = job->cpu_milli, .mem_bytes = job->mem_bytes, .scratch_bytes = 1 << 20},
        .time_limit_ms = job->limit_us / 1000,
        .priority = job->priority,
    };
    if (job->tasks > 1)
        call.spec.array = (struct job_array){true, 0, job->tasks - 1, 0};
    int rc = strs_add(&call.spec.command, word);
    BUG(rc < 0);
    struct fact f = {0};
    struct submit_reply quote = {0};
    struct refusal refusal = {0};
    struct tenant_measure *t = &r->measure.tenants[job->tenant];
    int answer = core_check_submit(r->core, &call, 0, "root", now_of(r), &f, &quote, &refusal);
    uint64_t id = quote.job;
    bool in = answer == CORE_FACT && commit(r, &f);
    if (in) {
        BUG(id != r->jobs_count + 1);
        r->jobs_count = id;
        r->jobs[id] = job;
        measure_touch(&r->measure, t, r->now_us);
        t->waiting += job->tasks;
        t->submitted += job->tasks;
    } else {
        t->refused += job->tasks;
    }
    r->totals.submitted++;
    fields_clear(&submit_reply_fields, &quote);
    fields_clear(&refusal_fields, &refusal);
    fields_clear(&job_spec_fields, &call.spec);
}

static void report_running(struct run *r, struct live *l)
{
    struct attempt_state state = {.id = l->id, .started_utc_us = SIM_BEGIN_UTC_US + r->now_us};
    struct fact f = {0};
    bool ended;
    const char *node = core_attempt_node(r->core, &state.id, &ended);
    if (core_check_running(r->core, node, &state, now_of(r), &f) == CORE_FACT && f.kind != FACT_NONE)
        (void)commit(r, &f);
}

static void report_ended(struct run *r, struct live *l)
{
    struct attempt_state state = {.id = l->id, .ended = true, .started_utc_us = SIM_BEGIN_UTC_US + l->started_us};
    struct fact f = {0};
    bool ended;
    state.record = (struct exit_record){.cause = cause_of(l), .started_utc_us = state.started_utc_us,
                                        .run_us = (uint64_t)(l->end_us - l->started_us)};
    state.record.exit_code = state.record.cause == END_EXIT && l->job->fails;
    state.record.usage.cpu_us = state.record.run_us * l->job->cpu_milli / 1000;
    const char *node = core_attempt_node(r->core, &state.id, &ended);
    int answer = core_check_ended(r->core, node, &state, now_of(r), &f);
    bool in = answer == CORE_FACT && f.kind != FACT_NONE && commit(r, &f);
    if (!in) { /* an end is never refused in this world */
        fprintf(stderr, "reeve-sim: an end was not taken\n");
        abort();
    }
}

/* Everything that the core wants at this instant. */
static void decide(struct run *r)
{
    static struct fact facts[BATCH];
    size_t count, in;
    r->owes_turn = false;
    do {
        uint64_t begin = clock_ns();
        in = 0;
        count = core_decide(r->core, now_of(r), facts, BATCH, &r->wake_boot_us);
        r->totals.decide_ns += clock_ns() - begin;
        r->totals.turns++;
        for (size_t i = 0; i < count; i++) {
            struct attempt_id id = facts[i].kind == FACT_ATTEMPT_PLACED ? facts[i].placed.id : (struct attempt_id){0};
            bool taken = commit(r, &facts[i]);
            in += taken;
            if (taken && id.job != 0)
                report_running(r, *live_slot(r, id));
        }
    } while (in > 0);
    r->owes_turn = false;
    if (count > 0) /* all of it was refused: the core waits before it proposes the same again */
        r->wake_boot_us = MIN(r->wake_boot_us, now_of(r).boot_us + (uint64_t)LOOK_AGAIN_US);
}

/* All jobs are over. What the core still has to do, like closing a month, is no part of the run. */
static bool is_done(const struct run *r)
{
    struct core_stats stats;
    core_stats(r->core, &stats);
    return stats.jobs == 0;
}

/* The next instant at which something happens; INT64_MAX: never. */
static int64_t next_event(const struct run *r)
{
    const struct live *first = heap_top(&r->ends);
    int64_t at = r->next < r->workload->count ? r->workload->jobs[r->next].submit_us : INT64_MAX;
    if (first != NULL)
        at = MIN(at, first->end_us);
    if (r->wake_boot_us != UINT64_MAX)
        at = MIN(at, MAX((int64_t)(r->wake_boot_us - MIN(r->wake_boot_us, BOOT_BEGIN_US)), r->now_us));
    bool over = first == NULL && r->next == r->workload->count && (at > r->latest_us || is_done(r));
    return over ? INT64_MAX : at;
}

static bool step(struct run *r)
{
    int64_t at = next_event(r);
    if (at == INT64_MAX)
        return false;
    r->now_us = MAX(r->now_us, at);
    for (struct live *l; (l = heap_top(&r->ends)) != NULL && l->end_us <= r->now_us;)
        report_ended(r, l);
    while (r->next < r->workload->count && r->workload->jobs[r->next].submit_us <= r->now_us)
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
        measure_end(&r->measure, r->now_us);
        r->totals.simulated_us = r->now_us;
    }
    return more;
}

/* ---- birth ---- */
static int join_nodes(struct run *r, const struct cluster *cluster, struct err *err)
{
    uint32_t number = 0;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct sim_nodes *n = &((const struct sim_nodes *)cluster->nodes.v)[i];
        for (uint32_t k = 0; k < n->count; k++) {
            char name[64];
            struct refusal refusal = {0};
            struct fact f = {0};
            snprintf(name, sizeof name, "%s-%05u", n->name != NULL ? n->name : "node", ++number);
            struct hello_call call = {.node = name, .boot_id = name, .capacity = n->capacity, .labels = n->labels};
            int answer = core_check_hello(r->core, &call, now_of(r), &f, &refusal);
            bool in = answer == CORE_FACT && (f.kind == FACT_NONE || commit(r, &f));
            if (!in)
                (void)err_set(err, -EINVAL, "nodes: %s", refusal.message != NULL ? refusal.message : "refused");
            fields_clear(&refusal_fields, &refusal);
            if (!in)
                return -EINVAL;
            core_node_seen(r->core, name, now_of(r));
            r->measure.cpu_milli += n->capacity.cpu_milli;
        }
    }
    return 0;
}

static int set_policy(struct run *r, struct policy_file *policy, struct err *err)
{
    struct apply_call call = {.policy = *policy};
    struct apply_reply reply = {0};
    struct refusal refusal = {0};
    struct fact f = {0};
    *policy = (struct policy_file){0};
    int answer = core_check_policy(r->core, &call, "root", 0, now_of(r), &f, &reply, &refusal);
    bool in = answer == CORE_FACT && (f.kind == FACT_NONE || commit(r, &f));
    if (!in)
        (void)err_set(err, -EINVAL, "policy: %s", refusal.message != NULL ? refusal.message : "refused");
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&refusal_fields, &refusal);
    fields_clear(&apply_call_fields, &call);
    return in ? 0 : -EINVAL;
}

static int name_tenants(struct run *r, struct err *err)
{
    for (size_t i = 0; i < r->measure.tenants_count; i++) {
        const char *path = r->workload->tenants.v[i];
        struct tenant_view view;
        r->measure.tenants[i].path = path;
        r->measure.tenants[i].weight = 1;
        if (!order_knows_tenants(r->order))
            continue;
        if (!ledger_tenant(core_ledger(r->core), path, now_of(r).utc_us, &view))
            return err_set(err, -ENOENT, "the workload has a tenant '%s' that the policy doesn't have", path);
        r->measure.tenants[i].weight = MAX(view.rule->weight, 1);
    }
    return 0;
}

int run_new(struct run **ret, const struct run_setup *setup, struct err *err)
{
    const struct workload *w = setup->workload;
    struct core_limits always = setup->limits;
    struct run *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    int64_t end_us = w->count > 0 ? w->jobs[w->count - 1].submit_us : 0;
    always.silent_ms = NEVER_SILENT_MS;
    always.jobs_max = MAX(always.jobs_max, w->count + 1);
    r->workload = w;
    r->order = setup->order;
    r->latest_us = end_us + LATEST_US;
    r->totals.hash = UINT64_C(0xcbf29ce484222325);
    r->wake_boot_us = UINT64_MAX;
    r->buckets_count = 65536;
    r->buckets = calloc(r->buckets_count, sizeof(struct live *));
    r->jobs = calloc(w->count + 1, sizeof r->jobs[0]);
    int rc = r->buckets == NULL || r->jobs == NULL || measure_init(&r->measure, w->tenants.count, end_us) < 0
                 ? err_set(err, -ENOMEM, "out of memory")
                 : order_apply(r->order, &always, setup->policy, err);
    if (rc == 0)
        rc = core_new(&r->core, &always, err);
    if (rc == 0)
        rc = set_policy(r, setup->policy, err);
    if (rc == 0)
        rc = join_nodes(r, setup->cluster, err);
    if (rc == 0)
        rc = name_tenants(r, err);
    if (rc < 0) {
        run_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void run_free(struct run *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; r->buckets != NULL && i < r->buckets_count; i++)
        for (struct live *l = r->buckets[i], *next; l != NULL; l = next) {
            next = l->next;
            free(l);
        }
    heap_fini(&r->ends);
    measure_fini(&r->measure);
    core_free(r->core);
    buf_fini(&r->bytes);
    free(r->buckets);
    free(r->jobs);
    free(r);
}

uint64_t run_progress_ppm(const struct run *r)
{
    return r->workload->count == 0 ? 1000000 : (uint64_t)r->next * 1000000 / r->workload->count;
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
