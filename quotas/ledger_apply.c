#include <string.h>

#include "quotas/ledger_state.h"

/* ---- concurrent use ---------------------------------------------------------------------------------------- */

static void generic_use_set(struct counts *generic, const char *name, uint64_t value)
{
    if (value > 0) {
        if (counts_set(generic, name, value) < 0) {
            abort();
        }
        return;
    }
    /* What nobody uses any more leaves no trace: states compare equal however they were reached. */
    for (size_t i = 0; i < generic->count; i++) {
        if (strcmp(generic->v[i].name, name) == 0) {
            free(generic->v[i].name);
            memmove(&generic->v[i], &generic->v[i + 1], (generic->count - i - 1) * sizeof generic->v[0]);
            generic->count--;
            return;
        }
    }
}

void ledger_use_add(struct resources *used, const struct resources *need)
{
    used->cpu_milli += need->cpu_milli;
    used->mem_bytes += need->mem_bytes;
    used->scratch_bytes += need->scratch_bytes;
    for (size_t i = 0; i < need->generic.count; i++) {
        const struct count *c = &need->generic.v[i];
        generic_use_set(&used->generic, c->name, counts_get(&used->generic, c->name) + c->value);
    }
}

void ledger_use_take(struct resources *used, const struct resources *need)
{
    BUG(used->cpu_milli < need->cpu_milli || used->mem_bytes < need->mem_bytes ||
        used->scratch_bytes < need->scratch_bytes);
    used->cpu_milli -= need->cpu_milli;
    used->mem_bytes -= need->mem_bytes;
    used->scratch_bytes -= need->scratch_bytes;
    for (size_t i = 0; i < need->generic.count; i++) {
        const struct count *c = &need->generic.v[i];
        uint64_t before = counts_get(&used->generic, c->name);
        BUG(before < c->value);
        generic_use_set(&used->generic, c->name, before - c->value);
    }
}

/* ---- money ------------------------------------------------------------------------------------------------- */

static struct account *account_for_hold(struct ledger *l, const char *name)
{
    struct account *a = ledger_account_find(l, name);
    if (!a) {
        int64_t limit;
        enum ledger_verdict verdict = ledger_new_limit(l, name, &limit);
        BUG(verdict != LEDGER_FITS);
        a = ledger_account_add(l, name, limit);
    }
    a->taken++;
    return a;
}

static void money_take(struct ledger *l, struct money_hold *m, const struct strs *accounts, int64_t micros)
{
    BUG(accounts->count > LEDGER_ACCOUNTS_MAX);
    m->held = micros;
    m->accounts_count = accounts->count;
    for (size_t i = 0; i < accounts->count; i++) {
        m->accounts[i] = account_for_hold(l, accounts->v[i]);
        m->accounts[i]->held += micros;
    }
}

/* Back to before money_take(): an account that came with it goes with it. */
static void money_untake(struct ledger *l, const struct money_hold *m)
{
    for (size_t i = 0; i < m->accounts_count; i++) {
        struct account *a = m->accounts[i];
        a->held -= m->held;
        if (--a->taken == 0) {
            ledger_account_remove(l, a);
        }
    }
}

/* The growth of the cumulative cost goes to spent, what was held comes back. */
static void money_settle(struct money_hold *m, int64_t spent_micros)
{
    int64_t delta = spent_micros - m->spent;
    BUG(delta < 0 || delta > m->held);
    for (size_t i = 0; i < m->accounts_count; i++) {
        m->accounts[i]->spent += delta;
        m->accounts[i]->held -= m->held;
        BUG(m->accounts[i]->held < 0);
    }
    m->spent = spent_micros;
    m->held = 0;
}

/* ---- holds ------------------------------------------------------------------------------------------------- */

static struct hold *hold_add(struct ledger *l, struct attempt_id id, const struct strs *path,
                             const struct resources *need)
{
    struct hold *h = calloc(1, sizeof *h);
    if (!h || fields_copy(&resources_fields, need, &h->need) < 0) {
        abort();
    }
    BUG(path->count > LEDGER_PATH_MAX || ledger_hold(l, id));
    h->id = id;
    h->path_count = path->count;
    for (size_t i = 0; i < path->count; i++) {
        struct node *n = ledger_node(l, path->v[i]);
        BUG(!n);
        h->path[i] = n;
    }
    quota_use(h->path, h->path_count, need, true);
    for (size_t i = 0; i < path->count; i++) {
        h->path[i]->running++;
        ledger_use_add(&h->path[i]->used, need);
    }
    map_put(&l->holds, &h->id, sizeof h->id, h);
    return h;
}

static void hold_remove(struct ledger *l, struct hold *h)
{
    quota_use(h->path, h->path_count, &h->need, false);
    for (size_t i = 0; i < h->path_count; i++) {
        BUG(h->path[i]->running == 0);
        h->path[i]->running--;
        ledger_use_take(&h->path[i]->used, &h->need);
    }
    map_remove(&l->holds, &h->id, sizeof h->id);
    fields_clear(&resources_fields, &h->need);
    free(h);
}

static void queued_add(struct ledger *l, const struct strs *path, uint64_t tasks)
{
    for (size_t i = 0; i < path->count; i++) {
        struct node *n = ledger_node(l, path->v[i]);
        BUG(!n);
        n->queued += tasks;
    }
}

static void queued_take(struct ledger *l, const struct strs *path, uint64_t tasks)
{
    for (size_t i = 0; i < path->count; i++) {
        struct node *n = ledger_node(l, path->v[i]);
        BUG(!n || n->queued < tasks);
        n->queued -= tasks;
    }
}

static void job_account_open(struct ledger *l, uint64_t job, int64_t limit, int64_t spent)
{
    char name[LEDGER_JOB_ACCOUNT_MAX];
    if (limit > 0 && !ledger_account_find(l, ledger_job_account(job, name))) {
        struct account *a = ledger_account_add(l, name, limit);
        a->spent = spent;
        a->taken = 1;
    }
}

static void job_account_close(struct ledger *l, uint64_t job)
{
    char name[LEDGER_JOB_ACCOUNT_MAX];
    struct account *a = ledger_account_find(l, ledger_job_account(job, name));
    if (a) {
        ledger_account_remove(l, a);
    }
}

/* ---- facts ------------------------------------------------------------------------------------------------- */

static void placed_apply(struct ledger *l, const struct fact_placed *f, int64_t at_utc_us)
{
    queued_take(l, &f->path, 1);
    struct hold *h = hold_add(l, f->id, &f->path, &f->resources);
    quota_rate_take(h->path, h->path_count, true, 1, at_utc_us);
    money_take(l, &h->now, &f->accounts, f->hold_micros);
}

static void renewed_apply(struct ledger *l, const struct fact_renewed *f)
{
    struct hold *h = ledger_hold(l, f->id);
    BUG(!h);
    h->before = h->now;
    h->renewed = true;
    money_settle(&h->now, f->spent_micros);
    money_take(l, &h->now, &f->accounts, f->hold_micros);
}

static void ended_apply(struct ledger *l, const struct fact_ended *f)
{
    struct hold *h = ledger_hold(l, f->id);
    BUG(!h);
    money_settle(&h->now, f->spent_micros);
    for (size_t i = 0; f->next != NEXT_FINAL && i < h->path_count; i++) {
        h->path[i]->queued++;
    }
    hold_remove(l, h);
    if (f->job_done) {
        job_account_close(l, f->id.job);
    }
}

static void submitted_apply(struct ledger *l, const struct fact_submitted *f, int64_t at_utc_us)
{
    struct node *path[LEDGER_PATH_MAX];
    BUG(f->path.count > LEDGER_PATH_MAX);
    queued_add(l, &f->path, job_spec_tasks(&f->spec));
    for (size_t i = 0; i < f->path.count; i++) {
        path[i] = ledger_node(l, f->path.v[i]);
    }
    quota_rate_take(path, f->path.count, false, job_spec_tasks(&f->spec), at_utc_us);
    job_account_open(l, f->job, f->spec.budget_micros, 0);
}

static void cancelled_apply(struct ledger *l, const struct fact_tasks *f)
{
    queued_take(l, &f->path, f->count);
    if (f->job_done) {
        job_account_close(l, f->job);
    }
}

static void snapshot_account_apply(struct ledger *l, const struct snapshot_account *s)
{
    struct account *a = ledger_account_find(l, s->name);
    if (!a) {
        a = ledger_account_add(l, s->name, s->limit_micros);
    }
    a->limit = s->limit_micros;
    a->spent = s->spent_micros;
    a->taken = MAX(a->taken, 1);
}

/* Every task is finished (in `ended`), live (a hold), or queued: so the queue is what is left of the total. */
static void snapshot_job_apply(struct ledger *l, const struct fact_snapshot_job *f)
{
    uint64_t waiting = job_spec_tasks(&f->submitted.spec);
    for (size_t i = 0; i < f->ended.count; i++) {
        BUG(f->ended.v[i].value > waiting);
        waiting -= f->ended.v[i].value;
    }
    if (waiting > 0) {
        job_account_open(l, f->submitted.job, f->submitted.spec.budget_micros, f->spent_micros);
    }
    for (size_t i = 0; i < f->tasks.count; i++) {
        const struct snapshot_task *t = &((const struct snapshot_task *)f->tasks.v)[i];
        if (!task_state_is_live(t->state)) {
            continue;
        }
        BUG(waiting == 0);
        waiting--;
        struct attempt_id id = {f->submitted.job, t->task, t->epoch};
        struct hold *h = hold_add(l, id, &f->submitted.path, &f->submitted.spec.resources);
        money_take(l, &h->now, &t->accounts, t->hold_micros);
        h->now.spent = t->spent_micros;
    }
    queued_add(l, &f->submitted.path, waiting);
}

void ledger_apply(struct ledger *l, const struct fact *fact)
{
    switch (fact->kind) {
    case FACT_POLICY_SET: ledger_policy_apply(l, &fact->policy, fact->at_utc_us); break;
    case FACT_TENANT_MOVED: ledger_move_apply(l, &fact->tenant_moved); break;
    case FACT_JOB_SUBMITTED: submitted_apply(l, &fact->submitted, fact->at_utc_us); break;
    case FACT_TASKS_CANCELLED: cancelled_apply(l, &fact->cancelled); break;
    case FACT_ATTEMPT_PLACED: placed_apply(l, &fact->placed, fact->at_utc_us); break;
    case FACT_HOLD_RENEWED: renewed_apply(l, &fact->renewed); break;
    case FACT_ATTEMPT_ENDED: ended_apply(l, &fact->ended); break;
    case FACT_SNAPSHOT_JOB: snapshot_job_apply(l, &fact->snapshot_job); break;
    case FACT_SNAPSHOT_CELL:
        for (size_t i = 0; i < fact->snapshot_cell.rates.count; i++) {
            quota_rate_restore(l, &((const struct snapshot_rate *)fact->snapshot_cell.rates.v)[i]);
        }
        for (size_t i = 0; i < fact->snapshot_cell.accounts.count; i++) {
            snapshot_account_apply(l, &((const struct snapshot_account *)fact->snapshot_cell.accounts.v)[i]);
        }
        break;
    default: break;
    }
}

/* ---- undo -------------------------------------------------------------------------------------------------- */

static void renewed_revert(struct ledger *l, struct hold *h)
{
    BUG(!h->renewed);
    int64_t delta = h->now.spent - h->before.spent;
    for (size_t i = 0; i < h->before.accounts_count; i++) {
        h->before.accounts[i]->spent -= delta;
        h->before.accounts[i]->held += h->before.held;
    }
    money_untake(l, &h->now);
    h->now = h->before;
    h->renewed = false;
}

static void submitted_revert(struct ledger *l, const struct fact_submitted *f)
{
    uint64_t tasks = job_spec_tasks(&f->spec);
    queued_take(l, &f->path, tasks);
    for (size_t i = 0; i < f->path.count; i++) {
        rate_give_back(&ledger_node(l, f->path.v[i])->quota.submits, tasks);
    }
    job_account_close(l, f->job);
}

void ledger_revert(struct ledger *l, const struct fact *fact)
{
    if (fact->kind == FACT_JOB_SUBMITTED) {
        submitted_revert(l, &fact->submitted);
    } else if (fact->kind == FACT_ATTEMPT_PLACED) {
        struct hold *h = ledger_hold(l, fact->placed.id);
        BUG(!h || h->renewed);
        money_untake(l, &h->now);
        quota_rate_give_back(h->path, h->path_count);
        hold_remove(l, h);
        queued_add(l, &fact->placed.path, 1);
    } else if (fact->kind == FACT_HOLD_RENEWED) {
        struct hold *h = ledger_hold(l, fact->renewed.id);
        BUG(!h);
        renewed_revert(l, h);
    }
}
