#include "tests/sim/fault_books.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/books_state.h"

void books_wrong(struct books *b, const char *format, ...)
{
    va_list args;
    if (b->wrong[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(b->wrong, sizeof b->wrong, format, args);
    va_end(args);
}

void *book_room(void *old, size_t count, size_t *size, size_t each)
{
    if (count < *size)
        return old;
    size_t before = *size;
    *size = MAX(*size * 2, 16);
    uint8_t *grown = realloc(old, *size * each);
    if (grown == NULL)
        abort();
    memset(grown + before * each, 0, (*size - before) * each);
    return grown;
}

struct books *books_new(const struct books_rules *rules)
{
    struct books *b = calloc(1, sizeof *b);
    if (b == NULL)
        abort();
    b->rules = *rules;
    return b;
}

void books_free(struct books *b)
{
    for (size_t i = 0; b != NULL && i < b->jobs_size; i++)
        free(b->jobs[i].tasks);
    if (b != NULL) {
        book_windows_free(b);
        keyset_fini(&b->keys);
        free(b->accounts_by_name.slots);
        free(b->tenants_by_name.slots);
        free(b->nodes_by_name.slots);
        free(b->jobs);
        free(b->accounts);
        free(b->tenants);
        free(b->nodes);
    }
    free(b);
}

/* ---- records ---- */
struct book_job *book_job_of(const struct books *b, uint64_t id)
{
    return id < b->jobs_size && b->jobs[id].there ? &b->jobs[id] : NULL;
}

static struct book_task *task_of(const struct books *b, struct attempt_id id)
{
    struct book_job *j = book_job_of(b, id.job);
    return j != NULL && id.task < j->count ? &j->tasks[id.task] : NULL;
}

struct book_task *book_live_task(struct books *b, struct attempt_id id)
{
    struct book_task *t = task_of(b, id);
    bool live = t != NULL && t->live && t->epoch == id.epoch;
    REQUIRE(b, id, live, "something is said of it, and it isn't live");
    return live ? t : NULL;
}

bool books_job_is_over(const struct books *b, uint64_t job)
{
    const struct book_job *j = book_job_of(b, job);
    return j != NULL && j->ended == j->count;
}

/* "acme/etl" -> "acme" -> "/" */
static size_t parent_of(struct books *b, const char *path)
{
    char up[32];
    const char *slash = strrchr(path, '/');
    if (strcmp(path, "/") == 0)
        return NOBODY;
    snprintf(up, sizeof up, "%.*s", slash == NULL ? 1 : (int)(slash - path), slash == NULL ? "/" : path);
    return (size_t)(book_tenant_of(b, up) - b->tenants);
}

struct book_tenant *book_tenant_of(struct books *b, const char *path)
{
    size_t at = nameset_find(&b->tenants_by_name, b->tenants, sizeof b->tenants[0], b->tenants_count, path);
    if (at < b->tenants_count)
        return &b->tenants[at];
    b->tenants = book_room(b->tenants, b->tenants_count, &b->tenants_size, sizeof b->tenants[0]);
    struct book_tenant *t = &b->tenants[b->tenants_count++];
    snprintf(t->path, sizeof t->path, "%s", path);
    t->budget = -1;
    size_t up = parent_of(b, path); /* it may move them all */
    b->tenants[at].up = up;
    return &b->tenants[at];
}

struct book_tenant *book_one_up(const struct books *b, const struct book_tenant *t) /* NULL: it is the root */
{
    return t->up == NOBODY ? NULL : &b->tenants[t->up];
}

struct book_node *book_node_of(struct books *b, const char *name)
{
    size_t at = nameset_find(&b->nodes_by_name, b->nodes, sizeof b->nodes[0], b->nodes_count, name);
    if (at < b->nodes_count)
        return &b->nodes[at];
    b->nodes = book_room(b->nodes, b->nodes_count, &b->nodes_size, sizeof b->nodes[0]);
    struct book_node *n = &b->nodes[b->nodes_count++];
    snprintf(n->name, sizeof n->name, "%s", name);
    return n;
}

/* ---- use ---- */
static void use(struct books *b, struct attempt_id id, const struct book_job *j, bool more)
{
    for (struct book_tenant *t = &b->tenants[j->tenant]; t != NULL; t = book_one_up(b, t)) {
        t->cpu += more ? j->cpu_milli : -j->cpu_milli;
        t->running += more ? 1 : (uint64_t)-1;
        REQUIRE(b, id,
                !more || ((t->cpu_max == 0 || t->cpu <= t->cpu_max) &&
                          (t->running_max == 0 || t->running <= t->running_max)),
                "is placed above its tenant's quota");
    }
}

static void queue(struct books *b, const struct book_job *j, uint64_t tasks, bool more)
{
    for (struct book_tenant *t = &b->tenants[j->tenant]; t != NULL; t = book_one_up(b, t))
        t->queued += more ? tasks : -tasks;
}

/* ---- facts ---- */
static void term_taken(struct books *b, const struct fact *f)
{
    require(b, f->term.term > b->term, "term %llu is taken after term %llu", (unsigned long long)f->term.term,
            (unsigned long long)b->term);
    b->term = f->term.term;
}

static void policy_set(struct books *b, const struct fact *f)
{
    const struct tenant_rule *rules = f->policy.tenants.v;
    for (size_t i = 0; i < f->policy.tenants.count; i++) {
        struct book_tenant *t = book_tenant_of(b, rules[i].path);
        t->cpu_max = rules[i].quota.max.cpu_milli;
        t->running_max = rules[i].quota.max_running;
        t->queued_max = rules[i].quota.max_queued;
        t->budget = rules[i].budget.present ? rules[i].budget.limit_micros : -1;
        t->ruled = true;
    }
    book_limits(b);
}

static uint64_t key_hash(const struct fact_submitted *s)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *texts[] = {s->tenant, s->key, NULL}, **t = texts; *t != NULL; t++)
        for (const char *c = *t;; c++) {
            hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
            if (*c == '\0')
                break;
        }
    return hash;
}

/* The worlds write seconds. */
static int64_t instant_of(const char *text, int64_t submitted_utc_us)
{
    return text != NULL ? submitted_utc_us + strtoll(text, NULL, 10) * 1000000 : INT64_MAX;
}

static void submitted(struct books *b, const struct fact *f)
{
    const struct fact_submitted *s = &f->submitted;
    uint64_t key = key_hash(s);
    require(b, s->job > b->last_job, "job %llu is submitted after job %llu", (unsigned long long)s->job,
            (unsigned long long)b->last_job);
    require(b, keyset_add(&b->keys, key), "key %s of %s is two jobs", s->key, s->tenant);
    require(b, book_tenant_of(b, s->tenant)->ruled, "job %llu is of tenant %s, which isn't there",
            (unsigned long long)s->job, s->tenant);
    b->last_job = MAX(b->last_job, s->job);
    while (b->jobs_size <= s->job)
        b->jobs = book_room(b->jobs, b->jobs_size, &b->jobs_size, sizeof b->jobs[0]);
    struct book_job *j = &b->jobs[s->job];
    *j = (struct book_job){.there = true, .cpu_milli = s->spec.resources.cpu_milli,
                           .mem_bytes = s->spec.resources.mem_bytes, .limit_us = s->spec.time_limit_ms * 1000,
                           .budget = s->spec.budget_micros, .retries = s->spec.retries, .loss = s->spec.on_node_loss,
                           .picky = s->spec.retry.present, .count = 1};
    if (s->spec.array.present) {
        j->count = s->spec.array.last - s->spec.array.first + 1;
        j->cap = s->spec.array.max_running;
        j->gang = s->spec.gang;
        j->gang_min = s->spec.gang_min != 0 ? s->spec.gang_min : s->spec.gang;
        j->per_node = s->spec.per_node;
    }
    j->start_by_utc_us = instant_of(s->spec.start_by, f->at_utc_us);
    j->preemptible = s->spec.preemptible;
    j->finish_by_utc_us = instant_of(s->spec.finish_by, f->at_utc_us);
    if (s->spec.after.count > 0) {
        const struct job_after *a = s->spec.after.v;
        j->after = a->job;
        j->after_on = a->on;
        j->after_tasks = a->tasks;
        require(b, book_job_of(b, a->job) != NULL, "job %llu waits for one that isn't there",
                (unsigned long long)s->job);
    }
    j->tasks = calloc(j->count, sizeof j->tasks[0]);
    if (j->tasks == NULL)
        abort();
    j->tenant = (size_t)(book_tenant_of(b, s->tenant) - b->tenants);
    queue(b, j, j->count, true);
    book_open_job(b, s->job);
    const struct book_tenant *t = &b->tenants[j->tenant];
    require(b, t->queued_max == 0 || t->queued <= t->queued_max, "job %llu makes %s's queue longer than it may be",
            (unsigned long long)s->job, t->path);
}

/* Is this the end that a job waits for? */
static bool is_wished(uint32_t on, bool succeeded)
{
    return on == AFTER_END || (on == AFTER_SUCCESS) == succeeded;
}

enum standing { OPEN, MET, LOST };

/* How what a task waits for stands, counted anew. */
static enum standing standing_of(const struct books *b, const struct book_job *j, uint32_t index)
{
    const struct book_job *of = j->after != 0 ? book_job_of(b, j->after) : NULL;
    uint32_t good = 0;
    if (of == NULL)
        return MET;
    if (j->after_tasks == AFTER_SAME) {
        const struct book_task *t = &of->tasks[index];
        bool wished = t->left_out ? j->after_on == AFTER_END : is_wished(j->after_on, t->succeeded);
        return !t->final ? OPEN : wished ? MET : LOST;
    }
    for (uint32_t i = 0; i < of->count; i++)
        good += of->tasks[i].final && (of->tasks[i].succeeded || of->tasks[i].left_out);
    if (j->after_on == AFTER_SUCCESS && good < of->ended)
        return LOST;
    return of->ended < of->count ? OPEN : is_wished(j->after_on, good == of->count) ? MET : LOST;
}

static void final(struct books *b, uint64_t job, struct book_task *t, bool job_done)
{
    struct book_job *j = book_job_of(b, job);
    t->final = true;
    j->ended++;
    require(b, !job_done || j->ended == j->count, "job %llu is called done, and it isn't", (unsigned long long)job);
}

static void close_job(struct books *b, uint64_t job, bool done)
{
    const struct book_job *j = book_job_of(b, job);
    require(b, done == (j->ended == j->count), "job %llu is done, and nobody says so", (unsigned long long)job);
    if (done)
        book_close_job(b, job);
}

static void cancelled(struct books *b, const struct fact *f)
{
    const struct fact_tasks *r = &f->cancelled;
    struct book_job *j = book_job_of(b, r->job);
    require(b, j != NULL && r->count > 0 && r->first + r->count <= j->count, "tasks are cancelled that aren't there");
    for (uint32_t i = r->first; b->wrong[0] == '\0' && i < r->first + r->count; i++) {
        struct book_task *t = &j->tasks[i];
        require(b, !t->live && !t->final, "task %llu.%u is cancelled as one that waits", (unsigned long long)r->job, i);
        require(b, strcmp(r->who, "deadline") != 0 || f->at_utc_us >= books_start_until(j, t),
                "task %llu.%u is cancelled for a deadline that lies ahead", (unsigned long long)r->job, i);
        require(b, strcmp(r->who, "dependency") != 0 || standing_of(b, j, i) == LOST,
                "task %llu.%u is cancelled as one that can't start any more, and it can", (unsigned long long)r->job,
                i);
        final(b, r->job, t, false);
    }
    if (b->wrong[0] != '\0')
        return;
    queue(b, j, r->count, false);
    close_job(b, r->job, r->job_done);
}

static void released(struct books *b, const struct fact *f)
{
    for (uint32_t i = f->released.first; i < f->released.first + f->released.count; i++) {
        struct book_task *t = task_of(b, (struct attempt_id){f->released.job, i, 0});
        require(b, t != NULL && t->held, "task %llu.%u is released, and wasn't held",
                (unsigned long long)f->released.job, i);
        if (t == NULL)
            return;
        t->held = false;
        t->faults = 0;
        t->not_before_utc_us = 0;
    }
}

static void changed(struct books *b, const struct fact *f)
{
    struct book_job *j = book_job_of(b, f->job_changed.job);
    require(b, j != NULL && j->ended < j->count, "job %llu is changed, and is over",
            (unsigned long long)f->job_changed.job);
    if (j != NULL && f->job_changed.set_hold)
        j->on_hold = f->job_changed.hold;
}

/* Nobody runs on beside one of its gang that doesn't run. */
static void check_gang(struct books *b, struct attempt_id id)
{
    const struct book_job *j = book_job_of(b, id.job);
    uint32_t end, i = books_gang(j, id.task, &end);
    for (; j->gang != 0 && i < end; i++) {
        const struct book_task *t = &j->tasks[i];
        REQUIRE(b, id, !t->live || t->stopped || !(books_others(j, i, true) || books_others(j, i, false)),
                "leaves a part of its gang running");
    }
}

static void start(struct books *b, const struct fact *f);

static void placed(struct books *b, const struct fact *f)
{
    const struct book_job *j = book_job_of(b, f->placed.id.job);
    REQUIRE(b, f->placed.id, j == NULL || j->gang == 0, "is placed without its gang");
    start(b, f);
}

static void gang_placed(struct books *b, const struct fact *f)
{
    struct fact room;
    size_t count = fact_placements(f);
    for (size_t i = 0; b->wrong[0] == '\0' && i < count; i++)
        start(b, fact_placement(f, i, &room));
    struct attempt_id id = fact_placement(f, 0, &room)->placed.id;
    const struct book_job *j = book_job_of(b, id.job);
    uint32_t end = 0, i = j != NULL ? books_gang(j, id.task, &end) : 0, live = 0, left = 0;
    for (; b->wrong[0] == '\0' && i < end; i++) {
        struct book_task *t = &j->tasks[i];
        REQUIRE(b, id, left == 0 || !t->live, "is placed before one that is left out");
        live += t->live;
        if (t->live || t->final)
            continue;
        left++;
        t->left_out = true;
        final(b, id.job, t, false);
    }
    REQUIRE(b, id, b->wrong[0] != '\0' || live == count, "is placed with somebody who is of another gang");
    REQUIRE(b, id, left == f->gang_placed.left_out, "is placed, and not all of its gang is");
    REQUIRE(b, id, left == 0 || live >= j->gang_min, "is placed with fewer than it may begin with");
    if (left > 0 && b->wrong[0] == '\0')
        queue(b, j, left, false);
}

static void start(struct books *b, const struct fact *f)
{
    const struct fact_placed *p = &f->placed;
    struct book_job *j = book_job_of(b, p->id.job);
    struct book_task *t = task_of(b, p->id);
    REQUIRE(b, p->id, t != NULL, "there is no such task");
    if (t == NULL)
        return;
    REQUIRE(b, p->id, !t->live && !t->final && !t->held, "is placed while its task lives, is over or held");
    REQUIRE(b, p->id, p->id.epoch == t->epoch + 1, "isn't the next epoch");
    REQUIRE(b, p->id, f->at_utc_us >= t->not_before_utc_us, "is placed before its pause is over");
    REQUIRE(b, p->id, !j->on_hold, "is placed while its job is held");
    REQUIRE(b, p->id, f->at_utc_us < books_start_until(j, t), "is placed behind a deadline of its");
    REQUIRE(b, p->id, standing_of(b, j, p->id.task) == MET, "is placed before what it waits for");
    REQUIRE(b, p->id, p->resources.cpu_milli == j->cpu_milli, "gets something else than was asked for");
    REQUIRE(b, p->id,
            book_is_about(p->hold_micros, book_price(j, p->paid_us) + book_io_price(measured(p->io_paid_bytes))),
            "isn't held the price of what it is paid for");
    uint64_t most_us = j->limit_us == 0 ? b->rules.slice_us : MIN(b->rules.slice_us, j->limit_us + b->rules.grace_us);
    REQUIRE(b, p->id, p->paid_us > 0 && p->paid_us <= most_us, "is paid for longer than a slice and its limit");
    struct book_node *n = book_node_of(b, p->node);
    n->cpu += j->cpu_milli;
    n->mem += j->mem_bytes;
    n->live++;
    j->live++;
    REQUIRE(b, p->id, n->cpu <= b->rules.node_cpu_milli && n->mem <= b->rules.node_mem_bytes,
            "doesn't fit on its node");
    REQUIRE(b, p->id, n->max_attempts == 0 || n->live <= n->max_attempts || f->at_utc_us <= n->joined_utc_us,
            "is one more than its node takes");
    REQUIRE(b, p->id, j->cap == 0 || j->live <= j->cap, "is one more than its array may run at once");
    REQUIRE(b, p->id, !n->drained || f->at_utc_us <= n->drained_utc_us, "is placed on a drained node");
    REQUIRE(b, p->id, book_windows_allow(b, n->name, j, f->at_utc_us), "may still run when its node closes");
    book_try(b, p->id, n, f->at_utc_us);
    t->live = true;
    t->epoch = p->id.epoch;
    t->node = (size_t)(n - b->nodes);
    REQUIRE(b, p->id, j->per_node == 0 || books_tasks_on(j, t->node) <= j->per_node,
            "is one more than its job may have on a node");
    t->paid_us = p->paid_us;
    t->spent = 0;
    t->settled_us = t->io_charged = 0;
    t->io_paid = (struct measure){0};
    book_io_pay(b, p->id, t, p->io_paid_bytes, false);
    t->cancelled = t->stopped = t->requeued = t->along = t->suspended = t->paused = false;
    queue(b, j, 1, false);
    use(b, p->id, j, true);
    book_hold(b, p->id, t, &p->accounts, p->hold_micros);
}

static void renewed(struct books *b, const struct fact *f)
{
    const struct fact_renewed *r = &f->renewed;
    struct book_task *t = book_live_task(b, r->id);
    if (t == NULL)
        return;
    const struct book_job *j = book_job_of(b, r->id.job);
    book_settle(b, r->id, t, r->spent_micros);
    book_io_charge(b, r->id, t, &r->charges);
    book_io_pay(b, r->id, t, r->io_paid_bytes, r->paused);
    REQUIRE(b, r->id, book_is_about(t->spent, book_price(j, r->settled_us) + book_io_price(t->io_charged)),
            "what is settled isn't the price of what ran and was moved");
    REQUIRE(b, r->id,
            book_is_about(r->hold_micros, book_price(j, r->paid_us) - book_price(j, r->settled_us) +
                                              book_io_price(measured(t->io_paid)) - book_io_price(t->io_charged)),
            "isn't held the price of its next slice");
    REQUIRE(b, r->id, (r->paid_us >= t->paid_us || (r->paused && t->suspended)) && r->settled_us >= t->settled_us,
            "loses time that was paid for");
    REQUIRE(b, r->id, j->limit_us == 0 || r->paid_us <= j->limit_us + b->rules.grace_us,
            "is paid for beyond its limit");
    book_rest(b, r->id, t, r->paused);
    t->paid_us = r->paid_us;
    t->settled_us = r->settled_us;
    book_hold(b, r->id, t, &r->accounts, r->hold_micros);
}

static void stopping(struct books *b, const struct fact *f)
{
    struct book_task *t = book_live_task(b, f->stopping.id);
    const struct book_job *j = book_job_of(b, f->stopping.id.job);
    bool may = f->stopping.cause != END_TIME_LIMIT || (j != NULL && f->at_utc_us >= j->finish_by_utc_us);
    REQUIRE(b, f->stopping.id, may, "is stopped for a deadline that lies ahead");
    if (t == NULL)
        return;
    bool closes = f->stopping.cause != END_MAINTENANCE ||
                  book_windows_stop(b, b->nodes[t->node].name, j, f->at_utc_us);
    REQUIRE(b, f->stopping.id, closes, "is stopped for a window that there isn't");
    if (f->stopping.cause == END_PREEMPTED)
        book_preempted(b, f);
    uint32_t end, i = books_gang(j, f->stopping.id.task, &end);
    for (; i < end; i++) { /* who stops one stops its gang */
        t = &j->tasks[i];
        if (!t->live)
            continue;
        t->cancelled |= f->stopping.cause == END_CANCELLED;
        t->stopped = true;
        t->requeued = f->stopping.cause == END_REQUEUED;
    }
}

static void take_along(struct book_job *j, uint32_t task)
{
    uint32_t end, i = books_gang(j, task, &end);
    for (; j->gang != 0 && i < end; i++)
        if (j->tasks[i].live)
            j->tasks[i].stopped = j->tasks[i].along = true;
}

static void ended(struct books *b, const struct fact *f)
{
    const struct fact_ended *e = &f->ended;
    struct book_task *t = book_live_task(b, e->id);
    if (t == NULL)
        return;
    struct book_job *j = book_job_of(b, e->id.job);
    struct follows follows = books_follows(j, t, &e->record, f->at_utc_us);
    if (t->suspended && follows.next == NEXT_QUEUED)
        follows.next = NEXT_HELD; /* whoever suspended it decides */
    REQUIRE(b, e->id, strcmp(e->node, b->nodes[t->node].name) == 0, "ends on another node than where it is");
    REQUIRE(b, e->id, e->next == follows.next && e->user_retry == follows.retry,
            "something else must follow from its end");
    REQUIRE(b, e->id, e->next != NEXT_FINAL || e->state == follows.state, "its end means another state");
    REQUIRE(b, e->id, e->record.cause != END_KEEPER_LOST || e->record.started_utc_us != 0 || t->stopped,
            "is ended as lost and had never begun");
    REQUIRE(b, e->id, (e->record.cause != END_GANG && e->record.cause != END_GANG_LOST) || t->along,
            "ends for its gang, of which nobody ended");
    book_io_charge(b, e->id, t, &e->charges);
    book_check_cost(b, j, t, e);
    book_settle(b, e->id, t, e->spent_micros);
    use(b, e->id, j, false);
    b->nodes[t->node].cpu -= t->paused ? 0 : j->cpu_milli;
    b->nodes[t->node].mem -= j->mem_bytes;
    b->nodes[t->node].live--;
    j->live--;
    t->live = false;
    t->succeeded = e->next == NEXT_FINAL && e->state == TASK_SUCCEEDED;
    if (!t->succeeded)
        take_along(j, e->id.task);
    if (e->next == NEXT_FINAL) {
        final(b, e->id.job, t, e->job_done);
        close_job(b, e->id.job, e->job_done);
        check_gang(b, e->id);
        return;
    }
    check_gang(b, e->id);
    queue(b, j, 1, true);
    uint32_t end, i = books_gang(j, e->id.task, &end);
    for (; i < end; i++)
        j->tasks[i].failures += e->user_retry; /* all of a gang have used it */
    t->faults += books_node_fault(e->record.cause);
    t->held = e->next == NEXT_HELD;
    t->not_before_utc_us = f->at_utc_us + books_pause_us(books_node_fault(e->record.cause) ? t->faults : t->failures,
                                                         j->picky && follows.retry != 0);
}

static void (*const rules[FACT_KIND_COUNT])(struct books *b, const struct fact *f) = {
    [FACT_TERM_TAKEN] = term_taken,   [FACT_POLICY_SET] = policy_set,     [FACT_BUDGET_OPENED] = book_opened,
    [FACT_JOB_SUBMITTED] = submitted, [FACT_TASKS_CANCELLED] = cancelled, [FACT_TASK_RELEASED] = released,
    [FACT_ATTEMPT_PLACED] = placed,   [FACT_HOLD_RENEWED] = renewed,      [FACT_ATTEMPT_STOPPING] = stopping,
    [FACT_JOB_CHANGED] = changed,     [FACT_WINDOW_SET] = book_window_set, [FACT_ATTEMPT_SUSPENDED] = book_suspended,
    [FACT_WINDOW_DROPPED] = book_window_dropped,
    [FACT_ATTEMPT_ENDED] = ended,     [FACT_NODE_JOINED] = book_joined,
    [FACT_NODE_DRAINED] = book_drained, [FACT_NODE_LOST] = book_lost,
    [FACT_ACCOUNTS_CLOSED] = book_accounts_closed, [FACT_NODE_QUARANTINED] = book_quarantined,
    [FACT_GANG_PLACED] = gang_placed,
};

const char *books_enter(struct books *b, const struct fact *f)
{
    require(b, f->at_utc_us >= b->last_utc_us, "time falls from one fact to the next");
    b->last_utc_us = f->at_utc_us;
    if (rules[f->kind] != NULL)
        rules[f->kind](b, f);
    return b->wrong;
}

/* ---- the same, as a ledger has it ---- */
const char *books_compare(struct books *b, const struct ledger *l)
{
    book_compare_accounts(b, l);
    for (size_t i = 0; i < b->tenants_count; i++) {
        struct tenant_view view;
        const struct book_tenant *t = &b->tenants[i];
        bool there = ledger_tenant(l, t->path, b->last_utc_us, &view);
        require(b, there && view.used.cpu_milli == t->cpu && view.running == t->running && view.queued == t->queued,
                "tenant %s: %llu milli-cores, %llu run, %llu wait by the books, and not by the ledger", t->path,
                (unsigned long long)t->cpu, (unsigned long long)t->running, (unsigned long long)t->queued);
    }
    return b->wrong;
}
