#include <string.h>

#include "policies/retry.h"
#include "scheduler/core/deadline.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/money.h"

/* ---- finding ---------------------------------------------------------------------------------------- */

static size_t slot_from(const struct core *c, uint64_t id)
{
    size_t low = 0, high = c->jobs_count;
    if (high == 0 || c->jobs[high - 1].id < id)
        return high; /* the usual new job */
    uint64_t behind = c->jobs[high - 1].id - id; /* ids rise: it is at most so far from the end, mostly just so far */
    low = behind < high ? high - 1 - (size_t)behind : 0;
    if (c->jobs[low].id == id)
        return low;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->jobs[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct job *job_find(const struct core *c, uint64_t id)
{
    size_t at = slot_from(c, id);
    return at < c->jobs_count && c->jobs[at].id == id ? c->jobs[at].job : NULL;
}

struct job_key {
    const char *tenant, *key;
};

static bool job_is(const void *object, const void *key)
{
    const struct job *j = object;
    const struct job_key *k = key;
    return strcmp(job_key(j), k->key) == 0 && strcmp(j->tenant, k->tenant) == 0;
}

static uint64_t hash_of_key(const char *tenant, const char *key)
{
    return key_text(key_text(KEY_START, tenant), key);
}

struct job *job_find_key(const struct core *c, const char *tenant, const char *key)
{
    struct job_key k = {tenant, key};
    return table_find(&c->keys, hash_of_key(tenant, key), &k);
}

const char *job_key(const struct job *j)
{
    return j->key;
}

void job_spec_of(const struct job *j, struct job_spec *ret)
{
    *ret = (struct job_spec){0};
    int rc = fields_decode(&job_spec_fields, j->ask->bytes, j->ask->len, ret, NULL);
    BUG(rc < 0);
}

uint32_t job_tasks(const struct job *j)
{
    return j->last - j->first + 1;
}

uint32_t job_failed(const struct job *j)
{
    const struct job_aside *a = j->aside;
    return a->ended_count - a->ended[0] - a->ended[TASK_LEFT_OUT - TASK_SUCCEEDED];
}

struct tenant *job_tenant(const struct job *j)
{
    return j->shape->tenant;
}

/* ---- tasks ------------------------------------------------------------------------------------------ */

uint32_t job_record_from(const struct job *j, uint32_t index)
{
    uint32_t low = 0, high = j->tasks_count;
    if (high == 0 || j->tasks[high - 1]->index < index)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (j->tasks[middle]->index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct task *task_find(const struct job *j, uint32_t index)
{
    uint32_t at = job_record_from(j, index);
    return at < j->tasks_count && j->tasks[at]->index == index ? j->tasks[at] : NULL;
}

struct task *task_of(const struct core *c, struct attempt_id id)
{
    const struct job *j = job_find(c, id.job);
    struct task *t = j != NULL ? task_find(j, id.task) : NULL;
    return t != NULL && t->epoch == id.epoch ? t : NULL;
}

struct attempt_id task_id(const struct task *t)
{
    return (struct attempt_id){t->job->id, t->index, t->epoch};
}

bool job_has_task(const struct job *j, uint32_t index)
{
    return index >= j->first && index <= j->last;
}

/* The first from there on that has no record. */
static uint64_t beyond_records(const struct job *j, uint64_t from)
{
    if (from > j->last || j->tasks_count == 0 || j->tasks[j->tasks_count - 1]->index < from)
        return from;
    for (uint32_t at = job_record_from(j, (uint32_t)from); at < j->tasks_count && j->tasks[at]->index == from; at++)
        from++;
    return from;
}

uint64_t job_fresh_from(const struct job *j, uint64_t from)
{
    for (uint64_t before = from + 1; from <= j->last && from != before;) {
        before = from;
        from = beyond_records(j, outcomes_beyond(&j->aside->over, from));
    }
    return from;
}

struct task *task_add(struct core *c, struct job *j, uint32_t index, uint32_t state)
{
    struct task *t = core_alloc(sizeof *t);
    t->job = j;
    t->index = index;
    t->entry = (struct entry){HEAP_NOWHERE, true};
    t->timer = (struct timer){.job = j, .task = t, .at = HEAP_NOWHERE};
    t->state = TASK_QUEUED;
    if (j->tasks_count == j->tasks_size) {
        j->tasks_size = j->tasks_size == 0 ? 1 : j->tasks_size * 2;
        j->tasks = core_grow(j->tasks, j->tasks_size * sizeof(struct task *));
    }
    uint32_t at = job_record_from(j, index);
    memmove(&j->tasks[at + 1], &j->tasks[at], (j->tasks_count - at) * sizeof(struct task *));
    j->tasks[at] = t;
    j->tasks_count++;
    c->count[TASK_QUEUED]++;
    task_set_state(c, t, state);
    return t;
}

static void task_free(struct core *c, struct task *t)
{
    timer_stop(c, &t->timer);
    core_clear_strs(&t->accounts);
    times_clear(&t->times);
    marks_clear(&t->marks);
    charges_clear(&t->charges);
    free(t->refused);
    free(t->suspended_by);
    free(t->staging);
    free(t->told);
    free(t);
}

void task_drop(struct core *c, struct task *t)
{
    struct job *j = t->job;
    queue_drop(c, &t->entry);
    c->count[t->state]--;
    j->held -= t->state == TASK_HELD;
    uint32_t at = job_record_from(j, t->index);
    memmove(&j->tasks[at], &j->tasks[at + 1], (j->tasks_count - at - 1) * sizeof(struct task *));
    j->tasks_count--;
    task_free(c, t);
}

void task_set_state(struct core *c, struct task *t, uint32_t state)
{
    c->count[t->state]--;
    c->count[state]++;
    if (t->state == TASK_HELD)
        t->job->held--;
    if (state == TASK_HELD)
        t->job->held++;
    t->state = state;
}

/* ---- jobs ------------------------------------------------------------------------------------------- */

/* ---- what was asked for, once for all who ask alike ---- */

static bool ask_is(const void *object, const void *key)
{
    const struct job_ask *a = object;
    const struct bytes *bytes = key;
    return a->len == bytes->len && (a->len == 0 || memcmp(a->bytes, bytes->data, a->len) == 0);
}

static struct job_ask *ask_find(struct core *c, uint64_t hash, struct bytes bytes)
{
    c->asks.is = ask_is;
    return table_find(&c->asks, hash, &bytes);
}

static struct job_ask *ask_new(struct core *c, const struct job_spec *spec, uint64_t hash, struct bytes bytes)
{
    struct job_ask *a = core_alloc(sizeof *a + bytes.len);
    a->hash = hash;
    a->len = (uint32_t)bytes.len;
    if (bytes.len > 0)
        memcpy(a->bytes, bytes.data, bytes.len);
    if (spec->retry.present) {
        a->retry = core_alloc(sizeof *a->retry);
        *a->retry = retry_rule_of(&spec->retry);
    }
    table_put(&c->asks, hash, a);
    return a;
}

/* What is known lies here as this version writes it. Bytes that say the same mean the same, and mostly they do; only
 * others are read and written anew. */
static struct job_ask *ask_get(struct core *c, const struct job_spec *spec, struct bytes from)
{
    uint64_t hash = key_bytes(KEY_START, from.data, from.len);
    struct job_ask *a = from.len > 0 ? ask_find(c, hash, from) : NULL;
    if (a == NULL) {
        buf_reset(&c->ask_bytes);
        fields_encode(&job_spec_fields, spec, &c->ask_bytes);
        BUG(c->ask_bytes.failed);
        struct bytes bytes = {(uint8_t *)c->ask_bytes.data, c->ask_bytes.len};
        hash = key_bytes(KEY_START, bytes.data, bytes.len);
        a = ask_find(c, hash, bytes);
        if (a == NULL)
            a = ask_new(c, spec, hash, bytes);
    }
    a->refs++;
    return a;
}

static void ask_put(struct core *c, struct job_ask *a)
{
    if (--a->refs > 0)
        return;
    table_remove(&c->asks, a->hash, a);
    free(a->retry);
    free(a);
}

const struct job_aside job_nothing_aside;

struct job_aside *job_aside(struct job *j)
{
    if (j->aside == &job_nothing_aside)
        j->aside = core_alloc(sizeof *j->aside);
    return (struct job_aside *)(uintptr_t)j->aside;
}

void job_set_refused(struct job *j, const char *code)
{
    struct job_aside *a = job_aside(j);
    free(a->refused);
    a->refused = core_text(code);
}

static void free_aside(struct job *j)
{
    if (j->aside == &job_nothing_aside)
        return;
    struct job_aside *a = job_aside(j);
    history_free(a->history);
    free(a->end_reason);
    outcomes_fini(&a->over);
    free(a->wait);
    free(a->spread);
    free(a->refused);
    free(a);
}

static void place_job(struct core *c, struct job *j)
{
    if (c->jobs_count == c->jobs_size) {
        c->jobs_size = c->jobs_size == 0 ? 64 : c->jobs_size + c->jobs_size / 2;
        c->jobs = core_grow(c->jobs, c->jobs_size * sizeof c->jobs[0]);
    }
    size_t at = slot_from(c, j->id);
    memmove(&c->jobs[at + 1], &c->jobs[at], (c->jobs_count - at) * sizeof c->jobs[0]);
    c->jobs[at] = (struct job_slot){j->id, j};
    c->jobs_count++;
}

void job_set_priority(const struct core *c, struct job *j, int32_t priority)
{
    uint64_t age_us = c->order.age_ms * 1000;
    /* what it lost stays lost */
    j->urgency += order_urgency(priority, 0, age_us) - order_urgency(j->priority, 0, age_us);
    j->priority = priority;
}

struct job *job_add(struct core *c, const struct fact_submitted *f, int64_t at_utc_us)
{
    const struct job_spec *spec = &f->spec;
    size_t key_len = strlen(f->key) + 1;
    struct tenant *t = tenant_find(c, f->tenant);
    struct job_key key = {t->name, f->key};
    uint64_t hash = hash_of_key(t->name, f->key);
    table_expect(&c->keys, hash);
    struct job *j = core_alloc(MAX(sizeof *j, offsetof(struct job, key) + key_len));
    memcpy(j->key, f->key, key_len);
    j->aside = &job_nothing_aside;
    j->id = f->job;
    j->tenant = t->name;
    j->user = core_intern(c, f->user);
    j->uid = f->uid;
    j->shape = shape_get(c, t, spec);
    heap_expect(&j->shape->ready);
    j->ask = ask_get(c, spec, f->spec_from);
    j->submitted_utc_us = at_utc_us;
    if (spec->budget_micros != 0)
        job_aside(j)->budget_micros = spec->budget_micros;
    j->on_hold = spec->hold;
    j->priority = spec->priority;
    age_begin(c, j, at_utc_us);
    j->first = spec->array.present ? spec->array.first : 0;
    j->last = j->first + job_spec_tasks(spec) - 1;
    j->next = j->first;
    j->max_running = spec->array.present ? spec->array.max_running : 0;
    j->gang = (uint16_t)job_spec_gang(spec);
    j->gang_min = (uint16_t)job_spec_gang_min(spec);
    j->retries = (uint8_t)MIN(spec->retries, JOB_RETRIES_MAX);
    j->lease = (uint8_t)spec->lease;
    j->on_node_loss = (uint8_t)spec->on_node_loss;
    j->fresh = (struct entry){HEAP_NOWHERE, false};
    place_job(c, j);
    c->keys.is = job_is;
    struct job *older = table_find(&c->keys, hash, &key);
    if (older != NULL) /* its key expired in the store: the new job owns it now */
        table_remove(&c->keys, hash, older);
    table_put(&c->keys, hash, j);
    depend_begin(c, j, f);
    deadline_begin(c, j, spec);
    c->unfinished++;
    c->next_job = MAX(c->next_job, j->id + 1);
    c->next_job_handed = MAX(c->next_job_handed, c->next_job);
    return j;
}

void job_rename_tenant(struct core *c, struct job *j, const char *tenant)
{
    struct job_key k = {j->tenant, job_key(j)};
    uint64_t hash = hash_of_key(j->tenant, job_key(j));
    bool owns = table_find(&c->keys, hash, &k) == j;
    if (owns)
        table_remove(&c->keys, hash, j);
    j->tenant = core_intern(c, tenant);
    j->change++;
    if (!owns)
        return;
    struct job *other = job_find_key(c, j->tenant, job_key(j)); /* of a tenant that was called so before */
    if (other != NULL)
        table_remove(&c->keys, hash_of_key(other->tenant, job_key(other)), other);
    table_put(&c->keys, hash_of_key(j->tenant, job_key(j)), j);
}

static void job_free(struct core *c, struct job *j)
{
    while (j->tasks_count > 0)
        task_drop(c, j->tasks[j->tasks_count - 1]);
    queue_drop(c, &j->fresh);
    if (j->aside->wait != NULL)
        timer_stop(c, j->aside->wait);
    if (j->shape != NULL)
        shape_put(c, j->shape);
    depend_fini(c, j);
    deadline_fini(c, j);
    free_aside(j);
    ask_put(c, j->ask);
    free(j->tasks);
    free(j);
}

static void compact(struct core *c)
{
    if (c->jobs_dropped < 64 || c->jobs_dropped < c->jobs_count / 2)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < c->jobs_count; i++)
        if (c->jobs[i].job != NULL)
            c->jobs[kept++] = c->jobs[i];
    c->jobs_count = kept;
    c->jobs_dropped = 0;
}

static void forget_oldest(struct core *c)
{
    struct job *j = c->finished_first;
    c->finished_first = j->aside->finished_next;
    if (c->finished_first == NULL)
        c->finished_last = NULL;
    c->finished--;
    struct job_key k = {j->tenant, job_key(j)};
    uint64_t hash = hash_of_key(j->tenant, job_key(j));
    if (table_find(&c->keys, hash, &k) == j)
        table_remove(&c->keys, hash, j);
    c->jobs[slot_from(c, j->id)].job = NULL;
    c->jobs_dropped++;
    job_free(c, j);
    compact(c);
}

void job_count_ended(struct core *c, struct job *j, uint32_t state, uint32_t first, uint32_t count)
{
    struct job_aside *a = job_aside(j);
    uint32_t how = state == TASK_SUCCEEDED  ? OUTCOME_SUCCESS
                   : state == TASK_LEFT_OUT ? OUTCOME_LEFT_OUT
                                            : OUTCOME_FAILURE;
    outcomes_add(&a->over, first, first + count - 1, how);
    if (j->gang != 0 && how == OUTCOME_FAILURE)
        gang_doom(c, j, first, first + count - 1);
    a->ended[state - TASK_SUCCEEDED] += count;
    a->ended_count += count;
    depend_on_ended(c, j, first, count, how);
}

uint64_t job_ready_task_from(const struct job *j, uint64_t from)
{
    for (uint64_t before = from + 1; from <= j->last && from != before;) {
        before = from;
        from = depend_next(j, job_fresh_from(j, from));
    }
    return from;
}

uint64_t job_ready_from(const struct job *j, uint64_t from)
{
    return j->gang != 0 ? gang_fresh_from(j, from) : job_ready_task_from(j, from);
}

void job_advance(struct job *j)
{
    j->next = (uint32_t)job_fresh_from(j, j->next);
}

void job_finish_if_done(struct core *c, struct job *j, int64_t at_utc_us)
{
    if (j->finished || j->aside->ended_count < job_tasks(j))
        return;
    BUG(j->live > 0 || j->held > 0);
    while (j->tasks_count > 0)
        task_drop(c, j->tasks[j->tasks_count - 1]);
    queue_drop(c, &j->fresh);
    if (j->aside->wait != NULL)
        timer_stop(c, j->aside->wait);
    j->finished = true;
    job_aside(j)->ended_utc_us = at_utc_us;
    depend_on_finished(c, j);
    depend_fini(c, j);
    deadline_fini(c, j);
    shape_put(c, j->shape);
    j->shape = NULL;
    free(j->tasks);
    j->tasks = NULL;
    j->tasks_size = 0;
    c->unfinished--;
    c->finished++;
    if (c->finished_last != NULL)
        job_aside(c->finished_last)->finished_next = j;
    else
        c->finished_first = j;
    c->finished_last = j;
    while (c->finished > c->limits.finished_max)
        forget_oldest(c);
}

void jobs_fini(struct core *c)
{
    for (size_t i = 0; i < c->jobs_count; i++)
        if (c->jobs[i].job != NULL)
            job_free(c, c->jobs[i].job);
    free(c->jobs);
}
