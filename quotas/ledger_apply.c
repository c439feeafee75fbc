#include <string.h>

#include "base/zeroed.h"
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

static void *array_of(size_t count, size_t size)
{
    void *array = count > 0 ? zeroed(count, size) : NULL;
    if (count > 0 && !array) {
        abort();
    }
    return array;
}

static struct account *account_must(const struct ledger *l, const char *name)
{
    struct account *a = ledger_account_find(l, name);
    BUG(!a);
    return a;
}

static void post(struct ledger *l, struct account *a, int64_t spent, int64_t held)
{
    a->spent += spent;
    a->held += held;
    BUG(a->held < 0);
    ledger_touch(l, a);
}

/* The hold names its accounts, or does no longer: each stays while anybody does. */
static void money_name(const struct money_hold *m, bool named)
{
    for (size_t i = 0; i < m->accounts_count; i++) {
        BUG(!named && m->accounts[i]->holds == 0);
        m->accounts[i]->holds += named ? 1 : UINT32_MAX;
    }
    for (size_t i = 0; i < m->times_count; i++) {
        BUG(!named && m->times[i].account->holds == 0);
        m->times[i].account->holds += named ? 1 : UINT32_MAX;
    }
}

/* `m` holds nothing yet; its `spent` stays. */
static void money_take(struct ledger *l, struct money_hold *m, const struct strs *accounts, int64_t micros,
                       const struct list *times)
{
    BUG(accounts->count > LEDGER_ACCOUNTS_MAX || times->count > LEDGER_ACCOUNTS_MAX);
    const struct time_hold *time = times->v;
    m->held = micros;
    m->accounts_count = accounts->count;
    m->accounts = array_of(accounts->count, sizeof(struct account *));
    m->times_count = times->count;
    m->times = array_of(times->count, sizeof(struct time_part));
    for (size_t i = 0; i < accounts->count; i++) {
        m->accounts[i] = account_must(l, accounts->v[i]);
        post(l, m->accounts[i], 0, micros);
    }
    for (size_t i = 0; i < times->count; i++) {
        m->times[i] = (struct time_part){account_must(l, time[i].account), time[i].spent, time[i].hold};
        post(l, m->times[i].account, 0, time[i].hold);
    }
    money_name(m, true);
}

/* The growth of the cumulative cost goes to spent, what was held comes back. */
static void money_settle(struct ledger *l, const struct money_hold *m, int64_t spent_micros, const struct list *times)
{
    const struct time_hold *time = times->v;
    int64_t delta = spent_micros - m->spent;
    BUG(delta < 0 || delta > m->held || times->count != m->times_count);
    for (size_t i = 0; i < m->accounts_count; i++) {
        post(l, m->accounts[i], delta, -m->held);
    }
    for (size_t i = 0; i < m->times_count; i++) {
        const struct time_part *part = &m->times[i];
        BUG(time[i].spent < part->spent || time[i].spent - part->spent > part->held);
        post(l, part->account, time[i].spent - part->spent, -part->held);
    }
}

/* ---- holds ------------------------------------------------------------------------------------------------- */

/* So many tasks use so much together. */
static void use(struct node *const *path, size_t count, const struct resources *need, uint64_t tasks, bool more)
{
    quota_use(path, count, need, more);
    for (size_t i = 0; i < count; i++) {
        BUG(!more && path[i]->running < tasks);
        path[i]->running += more ? tasks : -tasks;
        (more ? ledger_use_add : ledger_use_take)(&path[i]->used, need);
    }
}

static size_t line_must(const struct ledger *l, const struct strs *path, struct node *ret[LEDGER_PATH_MAX])
{
    size_t count = ledger_line(l, path, ret);
    BUG(count == 0);
    return count;
}

void ledger_without(struct ledger *l, struct attempt_id id, bool gone)
{
    const struct hold *h = ledger_hold(l, id);
    BUG(!h);
    use(h->path, h->path_count, &h->need, 1, !gone);
}

void ledger_with(struct ledger *l, const struct strs *path, const struct resources *need, uint64_t tasks, bool there)
{
    struct node *nodes[LEDGER_PATH_MAX];
    size_t count = line_must(l, path, nodes);
    use(nodes, count, need, tasks, there);
}

static struct hold *hold_new(struct ledger *l)
{
    struct hold *h = l->spare;
    if (!h) {
        return array_of(1, sizeof *h);
    }
    l->spare = h->spare_next;
    l->spare_count--;
    return memset(h, 0, sizeof *h);
}

static void hold_free(struct ledger *l, struct hold *h)
{
    if (l->spare_count == HOLDS_SPARE_MAX) {
        free(h);
        return;
    }
    h->spare_next = l->spare;
    l->spare = h;
    l->spare_count++;
}

static struct hold *hold_add(struct ledger *l, struct attempt_id id, struct node *const *path, size_t count,
                             const struct resources *need)
{
    struct hold *h = hold_new(l);
    if (fields_copy(&resources_fields, need, &h->need) < 0) {
        abort();
    }
    h->id = id;
    h->path_count = count;
    memcpy(h->path, path, count * sizeof(struct node *));
    use(h->path, h->path_count, &h->need, 1, true);
    map_put(&l->holds, &h->id, sizeof h->id, h);
    return h;
}

static void hold_remove(struct ledger *l, struct hold *h)
{
    use(h->path, h->path_count, &h->need, 1, false);
    map_remove(&l->holds, &h->id, sizeof h->id);
    money_name(&h->now, false);
    fields_clear(&resources_fields, &h->need);
    ledger_money_free(&h->now);
    ledger_money_free(&h->before);
    hold_free(l, h);
}

static void queued_add(struct node *const *path, size_t count, uint64_t tasks)
{
    for (size_t i = 0; i < count; i++) {
        path[i]->queued += tasks;
    }
}

static void queued_take(struct node *const *path, size_t count, uint64_t tasks)
{
    for (size_t i = 0; i < count; i++) {
        BUG(path[i]->queued < tasks);
        path[i]->queued -= tasks;
    }
}

static void job_account_open(struct ledger *l, uint64_t job, int64_t limit, int64_t spent)
{
    char name[LEDGER_JOB_ACCOUNT_MAX];
    if (limit > 0 && !ledger_account_find(l, ledger_job_account(job, name))) {
        struct account *a = ledger_account_add(l, name, limit);
        a->spent = spent;
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

static void start_apply(struct ledger *l, const struct fact_placed *f, int64_t at_utc_us)
{
    struct node *path[LEDGER_PATH_MAX];
    size_t count = line_must(l, &f->path, path);
    queued_take(path, count, 1);
    struct hold *h = hold_add(l, f->id, path, count, &f->resources);
    quota_rate_take(h->path, h->path_count, true, 1, at_utc_us);
    money_take(l, &h->now, &f->accounts, f->hold_micros, &f->times);
}

static void placed_apply(struct ledger *l, const struct fact *fact)
{
    struct fact room;
    for (size_t i = 0; i < fact_placements(fact); i++) {
        start_apply(l, &fact_placement(fact, i, &room)->placed, fact->at_utc_us);
    }
    if (fact->kind == FACT_GANG_PLACED) {
        struct node *path[LEDGER_PATH_MAX];
        size_t count = line_must(l, &fact->gang_placed.path, path);
        queued_take(path, count, fact->gang_placed.left_out);
    }
}

static void renewed_apply(struct ledger *l, const struct fact_renewed *f)
{
    struct hold *h = ledger_hold(l, f->id);
    BUG(!h);
    ledger_money_free(&h->before);
    h->before = h->now;
    h->renewed = true;
    h->now = (struct money_hold){.spent = f->spent_micros};
    money_settle(l, &h->before, f->spent_micros, &f->times_settled);
    money_name(&h->before, false);
    money_take(l, &h->now, &f->accounts, f->hold_micros, &f->times);
}

static void ended_apply(struct ledger *l, const struct fact_ended *f)
{
    struct hold *h = ledger_hold(l, f->id);
    BUG(!h);
    money_settle(l, &h->now, f->spent_micros, &f->times_settled);
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
    size_t count = line_must(l, &f->path, path);
    queued_add(path, count, job_spec_tasks(&f->spec));
    quota_rate_take(path, count, false, job_spec_tasks(&f->spec), at_utc_us);
    job_account_open(l, f->job, f->spec.budget_micros, 0);
}

static void cancelled_apply(struct ledger *l, const struct fact_tasks *f)
{
    struct node *path[LEDGER_PATH_MAX];
    size_t count = line_must(l, &f->path, path);
    queued_take(path, count, f->count);
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
    if (str_set(&a->resource, s->resource) < 0) {
        abort();
    }
    a->limit = s->limit_micros;
    a->spent = s->spent_micros;
    a->carried = s->carried_micros;
    a->from_utc_us = s->from_utc_us;
    a->to_utc_us = s->to_utc_us;
    a->crossed = s->crossed;
    ledger_touch(l, a);
}

/* Every task is finished (in `ended`), live (a hold), or queued: so the queue is what is left of the total. */
static void snapshot_job_apply(struct ledger *l, const struct fact_snapshot_job *f)
{
    uint64_t waiting = job_spec_tasks(&f->submitted.spec);
    struct node *path[LEDGER_PATH_MAX];
    size_t count = line_must(l, &f->submitted.path, path);
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
        struct hold *h = hold_add(l, id, path, count, &f->submitted.spec.resources);
        h->now.spent = t->spent_micros;
        money_take(l, &h->now, &t->accounts, t->hold_micros, &t->times);
    }
    queued_add(path, count, waiting);
}

static void snapshot_cell_apply(struct ledger *l, const struct fact_snapshot_cell *f)
{
    for (size_t i = 0; i < f->rates.count; i++) {
        quota_rate_restore(l, &((const struct snapshot_rate *)f->rates.v)[i]);
    }
    for (size_t i = 0; i < f->accounts.count; i++) {
        snapshot_account_apply(l, &((const struct snapshot_account *)f->accounts.v)[i]);
    }
    for (size_t i = 0; i < f->budgets.count; i++) {
        ledger_since_restore(l, &((const struct snapshot_budget *)f->budgets.v)[i]);
    }
    for (size_t i = 0; i < f->adjusted.count; i++) {
        ledger_adjusted_add(l, &((const struct snapshot_adjusted *)f->adjusted.v)[i]);
    }
    for (size_t i = 0; i < f->tenant_ids.count; i++) {
        const struct snapshot_tenant_id *t = &((const struct snapshot_tenant_id *)f->tenant_ids.v)[i];
        struct node *n = ledger_node(l, t->tenant);
        if (n) {
            n->id = t->id;
        }
    }
    l->next_id = MAX(l->next_id, f->next_tenant_id);
    l->periods_closed = f->periods_closed;
}

void ledger_apply(struct ledger *l, const struct fact *fact)
{
    switch (fact->kind) {
    case FACT_POLICY_SET: ledger_policy_apply(l, &fact->policy, fact->at_utc_us); break;
    case FACT_TENANT_MOVED: ledger_move_apply(l, &fact->tenant_moved); break;
    case FACT_JOB_SUBMITTED: submitted_apply(l, &fact->submitted, fact->at_utc_us); break;
    case FACT_TASKS_CANCELLED: cancelled_apply(l, &fact->cancelled); break;
    case FACT_ATTEMPT_PLACED:
    case FACT_GANG_PLACED: placed_apply(l, fact); break;
    case FACT_HOLD_RENEWED: renewed_apply(l, &fact->renewed); break;
    case FACT_ATTEMPT_ENDED: ended_apply(l, &fact->ended); break;
    case FACT_SNAPSHOT_JOB: snapshot_job_apply(l, &fact->snapshot_job); break;
    case FACT_BUDGET_OPENED: ledger_opened_apply(l, &fact->budget_opened); break;
    case FACT_ACCOUNTS_CLOSED: ledger_closed_apply(l, &fact->accounts_closed); break;
    case FACT_PERIOD_CLOSED: ledger_adjusted_age(l); break;
    case FACT_BUDGET_CROSSED: ledger_crossed_apply(l, &fact->budget_crossed); break;
    case FACT_LEDGER_ADJUSTED: ledger_adjust_apply(l, &fact->adjusted, fact->at_utc_us); break;
    case FACT_SNAPSHOT_CELL: snapshot_cell_apply(l, &fact->snapshot_cell); break;
    default: break;
    }
}

/* ---- undo -------------------------------------------------------------------------------------------------- */

/* Back to before money_take(). */
static void money_untake(struct ledger *l, const struct money_hold *m)
{
    for (size_t i = 0; i < m->accounts_count; i++) {
        post(l, m->accounts[i], 0, -m->held);
    }
    for (size_t i = 0; i < m->times_count; i++) {
        post(l, m->times[i].account, 0, -m->times[i].held);
    }
}

/* Back to before money_settle(). */
static void money_unsettle(struct ledger *l, const struct money_hold *m, int64_t spent_micros,
                           const struct list *times)
{
    const struct time_hold *time = times->v;
    for (size_t i = 0; i < m->accounts_count; i++) {
        post(l, m->accounts[i], m->spent - spent_micros, m->held);
    }
    for (size_t i = 0; i < m->times_count; i++) {
        post(l, m->times[i].account, m->times[i].spent - time[i].spent, m->times[i].held);
    }
}

static void renewed_revert(struct ledger *l, struct hold *h, const struct fact_renewed *f)
{
    BUG(!h->renewed);
    money_untake(l, &h->now);
    money_name(&h->now, false);
    money_name(&h->before, true);
    money_unsettle(l, &h->before, f->spent_micros, &f->times_settled);
    ledger_money_free(&h->now);
    h->now = h->before;
    h->before = (struct money_hold){0};
    h->renewed = false;
}

static void submitted_revert(struct ledger *l, const struct fact_submitted *f)
{
    uint64_t tasks = job_spec_tasks(&f->spec);
    struct node *path[LEDGER_PATH_MAX];
    size_t count = line_must(l, &f->path, path);
    queued_take(path, count, tasks);
    for (size_t i = 0; i < count; i++) {
        rate_give_back(&path[i]->quota.submits, tasks);
    }
    job_account_close(l, f->job);
}

static void placed_revert(struct ledger *l, const struct fact_placed *f)
{
    struct hold *h = ledger_hold(l, f->id);
    BUG(!h || h->renewed);
    money_untake(l, &h->now);
    quota_rate_give_back(h->path, h->path_count);
    queued_add(h->path, h->path_count, 1);
    hold_remove(l, h);
}

void ledger_revert(struct ledger *l, const struct fact *fact)
{
    struct fact room;
    for (size_t i = fact_placements(fact); i-- > 0;) {
        placed_revert(l, &fact_placement(fact, i, &room)->placed);
    }
    if (fact->kind == FACT_GANG_PLACED) {
        struct node *path[LEDGER_PATH_MAX];
        size_t count = line_must(l, &fact->gang_placed.path, path);
        queued_add(path, count, fact->gang_placed.left_out);
    }
    if (fact->kind == FACT_JOB_SUBMITTED) {
        submitted_revert(l, &fact->submitted);
    } else if (fact->kind == FACT_HOLD_RENEWED) {
        struct hold *h = ledger_hold(l, fact->renewed.id);
        BUG(!h);
        renewed_revert(l, h, &fact->renewed);
    } else if (fact->kind == FACT_BUDGET_OPENED) {
        ledger_account_remove(l, account_must(l, fact->budget_opened.account));
    }
}
