#include <errno.h>
#include <string.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/money.h"
#include "scheduler/core/quarantine.h"
#include "scheduler/core/windows.h"

typedef int (*emit_fn)(void *arg, const struct fact *fact);

/* ---- writing ---------------------------------------------------------------------------------------- */

static bool add_rule(const struct tenant_rule *rule, void *arg)
{
    struct list *to = arg;
    struct tenant_rule *copy = list_add(to, sizeof *copy);
    return copy != NULL && fields_copy(&tenant_rule_fields, rule, copy) == 0;
}

static int emit(struct fact *f, emit_fn fn, void *arg)
{
    int rc = fn(arg, f);
    fact_clear(f);
    return rc;
}

/* A job's own account comes back with its job. */
static bool add_account(const struct account_view *view, void *arg)
{
    struct list *to = arg;
    if (strncmp(view->name, "job:", 4) == 0)
        return true;
    struct snapshot_account *a = list_add(to, sizeof *a);
    BUG(a == NULL);
    *a = (struct snapshot_account){.name = core_text(view->name),
                                   .limit_micros = view->limit_micros,
                                   .spent_micros = view->spent_micros,
                                   .carried_micros = view->carried_micros,
                                   .from_utc_us = view->from_utc_us,
                                   .to_utc_us = view->to_utc_us,
                                   .resource = core_text(view->resource),
                                   .crossed = view->crossed};
    return true;
}

static bool add_zone(const struct zone_table *zone, void *arg)
{
    struct list *to = arg;
    struct zone_table *copy = list_add(to, sizeof *copy);
    BUG(copy == NULL);
    int rc = fields_copy(&zone_table_fields, zone, copy);
    BUG(rc < 0);
    return true;
}

static bool add_since(const struct snapshot_budget *since, void *arg)
{
    struct list *to = arg;
    struct snapshot_budget *s = list_add(to, sizeof *s);
    BUG(s == NULL);
    *s = (struct snapshot_budget){core_text(since->tenant), core_text(since->budget), since->since_utc_us};
    return true;
}

static bool add_adjusted(const struct snapshot_adjusted *adjusted, void *arg)
{
    struct list *to = arg;
    struct snapshot_adjusted *s = list_add(to, sizeof *s);
    BUG(s == NULL);
    *s = (struct snapshot_adjusted){core_text(adjusted->key), adjusted->hash, adjusted->periods_closed};
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct snapshot_adjusted *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static int emit_policy(const struct core *c, emit_fn fn, void *arg)
{
    struct fact f = {.kind = FACT_POLICY_SET, .at_utc_us = c->fact_utc_us};
    if (c->policy_version == 0)
        return 0;
    f.policy = (struct policy_change){.version = c->policy_version,
                                      .who = core_text("snapshot"),
                                      .currency = core_text(c->currency),
                                      .set_prices = true,
                                      .set_billing = true,
                                      .set_two_persons = true,
                                      .set_order = true,
                                      .order = c->order,
                                      .set_preempt = true,
                                      .preempt = c->preempt,
                                      .two_persons = c->two_persons,
                                      .set_admins = true};
    core_copy_strs(&c->admins, &f.policy.admins);
    (void)ledger_each_zone(c->ledger, add_zone, &f.policy.zones);
    ledger_each_tenant(c->ledger, add_rule, &f.policy.tenants);
    int copied = fields_copy(&billing_rule_fields, &c->billing, &f.policy.billing);
    BUG(copied < 0);
    const struct list *prices = price_book_versions(c->prices);
    for (size_t i = 0; i < prices->count; i++) {
        struct price_version *copy = list_add(&f.policy.prices, sizeof *copy);
        BUG(copy == NULL);
        int rc = fields_copy(&price_version_fields, &((const struct price_version *)prices->v)[i], copy);
        BUG(rc < 0);
    }
    return emit(&f, fn, arg);
}

static void add_rate(const struct ledger *l, const char *tenant, bool starts, struct list *to)
{
    struct rate_view r = ledger_rate(l, tenant, starts);
    if (r.per_minute == 0)
        return;
    struct snapshot_rate *s = list_add(to, sizeof *s);
    BUG(s == NULL);
    *s = (struct snapshot_rate){core_text(tenant), starts, r.parts, r.at_utc_us};
}

struct of_tenants {
    const struct ledger *ledger;
    struct list *to;
};

static bool add_tenant_id(const struct tenant_rule *rule, void *arg)
{
    struct of_tenants *r = arg;
    struct tenant_view view;
    struct snapshot_tenant_id *t = list_add(r->to, sizeof *t);
    bool there = ledger_tenant(r->ledger, rule->path, 0, &view);
    BUG(t == NULL || !there);
    *t = (struct snapshot_tenant_id){core_text(rule->path), view.id};
    return true;
}

static bool add_rates(const struct tenant_rule *rule, void *arg)
{
    struct of_tenants *r = arg;
    add_rate(r->ledger, rule->path, false, r->to);
    add_rate(r->ledger, rule->path, true, r->to);
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct snapshot_account *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void add_node(const struct node *n, struct list *to)
{
    struct snapshot_node *s = list_add(to, sizeof *s);
    BUG(s == NULL);
    s->node.node = core_text(n->name);
    s->node.boot_id = core_text(n->boot_id);
    s->node.version = core_text(n->version);
    core_copy_resources(&n->capacity, &s->node.capacity);
    s->node.max_attempts = n->max_attempts;
    core_copy_strs(&n->features, &s->node.features);
    for (size_t i = 0; i < n->labels.count; i++) {
        int rc = pairs_set(&s->node.labels, n->labels.v[i].key, n->labels.v[i].value);
        BUG(rc < 0);
    }
    s->drained = n->drained;
    s->lost = n->lost;
    s->drain_reason = core_text(n->drain_reason);
    if (n->quarantined)
        s->quarantine = (struct fact_quarantined){.quarantined = true,
                                                  .level = n->quarantine_level,
                                                  .until_utc_us = n->quarantine_until_utc_us,
                                                  .reason = core_text(n->quarantine_reason)};
}

static void add_faded(void *arg, struct tenant *t)
{
    if (t->own.faded == 0)
        return;
    struct snapshot_faded *s = list_add(arg, sizeof *s);
    BUG(s == NULL);
    *s = (struct snapshot_faded){core_text(t->path), t->own.faded};
}

static int emit_cell(const struct core *c, emit_fn fn, void *arg)
{
    struct fact f = {.kind = FACT_SNAPSHOT_CELL, .at_utc_us = c->fact_utc_us};
    f.snapshot_cell.seq = c->seq;
    f.snapshot_cell.term = c->term;
    f.snapshot_cell.next_job = c->next_job;
    f.snapshot_cell.billing_from_utc_us = c->billing_from_utc_us;
    f.snapshot_cell.periods_closed = ledger_periods_closed(c->ledger);
    f.snapshot_cell.next_tenant_id = ledger_next_tenant_id(c->ledger);
    f.snapshot_cell.next_proposal = c->next_proposal;
    for (size_t i = 0; i < c->nodes_count; i++)
        add_node(c->nodes[i], &f.snapshot_cell.nodes);
    windows_snapshot(c, &f.snapshot_cell);
    f.snapshot_cell.fade_epoch_utc_us = c->fade.epoch_utc_us;
    tenants_each(c, add_faded, &f.snapshot_cell.faded);
    struct of_tenants rates = {c->ledger, &f.snapshot_cell.rates};
    ledger_each_tenant(c->ledger, add_rates, &rates);
    struct of_tenants ids = {c->ledger, &f.snapshot_cell.tenant_ids};
    ledger_each_tenant(c->ledger, add_tenant_id, &ids);
    ledger_each_account(c->ledger, add_account, &f.snapshot_cell.accounts);
    if (f.snapshot_cell.accounts.count > 1)
        qsort(f.snapshot_cell.accounts.v, f.snapshot_cell.accounts.count, sizeof(struct snapshot_account),
              by_name);
    ledger_each_since(c->ledger, add_since, &f.snapshot_cell.budgets);
    struct list *adjusted = &f.snapshot_cell.adjusted;
    ledger_each_adjusted(c->ledger, add_adjusted, adjusted);
    if (adjusted->count > 1)
        qsort(adjusted->v, adjusted->count, sizeof(struct snapshot_adjusted), by_key);
    return emit(&f, fn, arg);
}

static void add_task(const struct task *t, struct list *to)
{
    struct snapshot_task *s = list_add(to, sizeof *s);
    BUG(s == NULL);
    *s = (struct snapshot_task){
        .task = t->index,
        .epoch = t->epoch,
        .state = t->state,
        .retries_used = t->retries_used,
        .node_faults = t->node_faults,
        .node = t->node != NULL ? core_text(t->node->name) : NULL,
        .placed_utc_us = t->placed_utc_us,
        .started_utc_us = t->started_utc_us,
        .eligible_utc_us = t->eligible_utc_us,
        .spent_micros = t->spent_micros,
        .hold_micros = t->hold_micros,
        .settled_us = t->settled_us,
        .paid_us = t->paid_us,
        .stopping = t->stopping,
        .final = t->final,
        .paused = t->paused,
        .paused_us = t->paused_us,
        .paused_utc_us = t->paused_utc_us,
        .price_version = t->price_version,
        .avoid = t->avoid != NULL ? core_text(t->avoid->name) : NULL,
        .ahead = t->ahead,
        .suspends = t->suspends,
        .rests = t->rests,
        .suspended_by = core_text(t->suspended_by),
        .suspended_utc_us = t->suspended_utc_us,
        .io_paid_bytes = t->io_paid,
        .io_final = t->io_final,
        .suspended_for_io = t->suspended_for_io,
    };
    core_copy_strs(&t->accounts, &s->accounts);
    times_copy(&t->times, &s->times);
    s->price_class = core_text(t->price_class);
    marks_set(&s->marks, &t->marks);
}

static void add_outcomes(const struct outcomes *o, struct list *to)
{
    for (uint32_t i = 0; i < o->count; i++) {
        struct fact_outcome *s = list_add(to, sizeof *s);
        BUG(s == NULL);
        *s = outcome_fact(&o->v[i]);
    }
}

static int emit_job(const struct core *c, const struct job *j, emit_fn fn, void *arg)
{
    struct fact f = {.kind = FACT_SNAPSHOT_JOB, .at_utc_us = c->fact_utc_us};
    struct fact_snapshot_job *s = &f.snapshot_job;
    s->submitted = (struct fact_submitted){.job = j->id,
                                           .tenant = core_text(j->tenant),
                                           .uid = j->uid,
                                           .user = core_text(j->user),
                                           .key = core_text(job_key(j))};
    job_spec_of(j, &s->submitted.spec);
    depend_list(j, &s->submitted.after);
    core_copy_strs(&job_tenant(j)->line, &s->submitted.path);
    s->submitted_utc_us = j->submitted_utc_us;
    s->next_task = j->next;
    s->spent_micros = j->aside->spent_micros;
    for (uint32_t i = 0; i < FINAL_STATES; i++)
        if (j->aside->ended[i] > 0) {
            int rc = counts_set(&s->ended, names_get(&task_state_names, TASK_SUCCEEDED + i), j->aside->ended[i]);
            BUG(rc < 0);
        }
    add_outcomes(&j->aside->over, &s->over);
    s->changed = (struct fact_job_changed){.job = j->id,
                                           .set_hold = j->on_hold != s->submitted.spec.hold,
                                           .hold = j->on_hold,
                                           .set_priority = j->priority != s->submitted.spec.priority,
                                           .priority = j->priority};
    for (uint32_t i = 0; i < j->tasks_count; i++)
        add_task(j->tasks[i], &s->tasks);
    return emit(&f, fn, arg);
}

int core_snapshot(const struct core *c, int (*fn)(void *arg, const struct fact *fact), void *arg)
{
    int rc = emit_policy(c, fn, arg);
    if (rc == 0)
        rc = emit_cell(c, fn, arg);
    if (rc == 0)
        rc = proposals_snapshot(c, fn, arg);
    for (size_t i = 0; rc == 0 && i < c->jobs_count; i++)
        if (c->jobs[i].job != NULL && !c->jobs[i].job->finished)
            rc = emit_job(c, c->jobs[i].job, fn, arg);
    return rc;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static int cell_check(const struct core *c, const struct fact *f, struct err *err)
{
    if (c->nodes_count > 0 || c->unfinished > 0 || c->seq > f->snapshot_cell.seq)
        return err_set(err, -EPROTO, "snapshot.cell: a snapshot is read into an empty core");
    for (size_t i = 0; i < f->snapshot_cell.nodes.count; i++) {
        const struct fact_node *n = &((const struct snapshot_node *)f->snapshot_cell.nodes.v)[i].node;
        if (n->node == NULL || n->boot_id == NULL)
            return err_set(err, -EPROTO, "snapshot.cell: a node without a name or a boot id");
    }
    return windows_check_snapshot(&f->snapshot_cell, err);
}

static void cell_apply(struct core *c, const struct fact *f)
{
    const struct fact_snapshot_cell *s = &f->snapshot_cell;
    ledger_apply(c->ledger, f);
    for (size_t i = 0; i < s->nodes.count; i++) {
        const struct snapshot_node *sn = &((const struct snapshot_node *)s->nodes.v)[i];
        struct node *n = node_join(c, &sn->node);
        n->drained = sn->drained;
        n->drain_reason = core_text(sn->drain_reason);
        if (sn->quarantine.quarantined)
            quarantine_set(c, n, &sn->quarantine);
        if (sn->lost)
            node_lose(c, n, NULL);
    }
    windows_restore(c, s);
    if (s->billing_from_utc_us != 0) /* else of an older version: it began with the policy */
        c->billing_from_utc_us = s->billing_from_utc_us;
    c->fade.epoch_utc_us = s->fade_epoch_utc_us;
    for (size_t i = 0; i < s->faded.count; i++) {
        const struct snapshot_faded *faded = &((const struct snapshot_faded *)s->faded.v)[i];
        struct tenant *t = tenant_find(c, faded->tenant);
        if (t != NULL)
            t->own.faded = faded->amount;
    }
    past_use_recount(c);
    claims_rebuild(c);
    c->seq = s->seq;
    c->term = s->term;
    c->next_job = MAX(c->next_job, s->next_job);
    c->next_proposal = MAX(c->next_proposal, s->next_proposal);
    c->next_job_handed = MAX(c->next_job_handed, c->next_job);
}
const struct fact_rule rule_snapshot_cell = {cell_check, cell_apply};

static int task_check(const struct core *c, const struct fact_snapshot_job *s, const struct snapshot_task *t,
                      struct err *err)
{
    bool live = task_state_is_live(t->state);
    if (t->state >= TASK_STATE_COUNT || (live && (t->node == NULL || node_find(c, t->node) == NULL)))
        return err_set(err, -EPROTO, "snapshot.job: task %llu.%u is nowhere",
                       (unsigned long long)s->submitted.job, t->task);
    return 0;
}

/* In order, within the job, and no record among them. */
static int outcomes_check(const struct fact_snapshot_job *s, struct err *err)
{
    const struct job_array *a = &s->submitted.spec.array;
    uint64_t from = a->present ? a->first : 0, end = from + job_spec_tasks(&s->submitted.spec);
    for (size_t i = 0, t = 0; i < s->over.count; i++) {
        const struct fact_outcome *o = &((const struct fact_outcome *)s->over.v)[i];
        const struct snapshot_task *tasks = s->tasks.v;
        while (t < s->tasks.count && tasks[t].task < o->first)
            t++;
        if (o->count == 0 || o->first < from || (uint64_t)o->first + o->count > end ||
            (t < s->tasks.count && tasks[t].task - o->first < o->count))
            return err_set(err, -EPROTO, "snapshot.job: job %llu: its outcomes contradict its tasks",
                           (unsigned long long)s->submitted.job);
        from = (uint64_t)o->first + o->count;
    }
    return 0;
}

static int job_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_snapshot_job *s = &f->snapshot_job;
    struct fact submitted = {.kind = FACT_JOB_SUBMITTED, .submitted = s->submitted}; /* borrowed */
    int rc = rule_submitted.check(c, &submitted, err);
    for (size_t i = 0; rc == 0 && i < s->tasks.count; i++)
        rc = task_check(c, s, &((const struct snapshot_task *)s->tasks.v)[i], err);
    if (rc == 0)
        rc = outcomes_check(s, err);
    for (size_t i = 0; rc == 0 && i < s->ended.count; i++) {
        int state = names_find(&task_state_names, s->ended.v[i].name);
        if (state < 0 || !task_state_is_final((uint32_t)state))
            rc = err_set(err, -EPROTO, "snapshot.job: '%s' is no final state", s->ended.v[i].name);
    }
    return rc;
}

/* Held before a period that has ended since: it is renewed at once. */
static void note_periods(struct core *c, struct task *t)
{
    const struct strs *now = tenant_accounts(c, t->job->shape->tenant, c->fact_utc_us);
    bool same = t->accounts.count >= now->count;
    for (size_t i = 0; i < now->count && same; i++)
        same = strcmp(now->v[i], t->accounts.v[i]) == 0;
    for (size_t i = 0; i < t->times.count && same; i++)
        same = tenant_has_time(t->job->shape->tenant, ((const struct time_hold *)t->times.v)[i].account);
    attempt_note_periods(c, t, c->fact_utc_us);
    if (!same)
        t->accounts_end_utc_us = c->fact_utc_us;
}

static void restore_task(struct core *c, struct job *j, const struct snapshot_task *s)
{
    struct task *t = task_add(c, j, s->task, s->state);
    t->epoch = s->epoch;
    t->retries_used = s->retries_used;
    t->node_faults = s->node_faults;
    t->placed_utc_us = s->placed_utc_us;
    t->started_utc_us = s->started_utc_us;
    t->eligible_utc_us = s->eligible_utc_us;
    t->spent_micros = s->spent_micros;
    t->hold_micros = s->hold_micros;
    t->settled_us = s->settled_us;
    t->paid_us = s->paid_us;
    t->stopping = s->stopping;
    t->final = s->final;
    attempt_set_paused(c, t, s->paused, s->paused_utc_us);
    t->paused_us = s->paused_us;
    t->suspends = s->suspends;
    t->rests = s->rests;
    t->suspended_by = core_text(s->suspended_by);
    t->suspended_utc_us = s->suspended_utc_us;
    t->io_paid = s->io_paid_bytes;
    t->io_final = s->io_final;
    t->suspended_for_io = s->suspended_for_io;
    c->suspended_live += attempt_is_suspended(t);
    t->price_version = s->price_version;
    t->avoid = node_find(c, s->avoid);
    t->ahead = s->ahead;
    core_copy_strs(&s->accounts, &t->accounts);
    times_copy(&s->times, &t->times);
    t->price_class = s->price_class != NULL ? core_intern(c, s->price_class) : NULL;
    marks_set(&t->marks, &s->marks);
    if (task_state_is_live(t->state)) {
        attempt_begin(c, t, node_find(c, s->node));
        note_periods(c, t);
        attempt_plan_renewal(c, t);
        if (t->stopping == END_NODE_LOST || t->state == TASK_UNREACHABLE)
            node_trouble(c, t->node);
    } else if (t->state == TASK_QUEUED && t->eligible_utc_us != 0) {
        timer_set(c, &t->timer, t->eligible_utc_us);
    }
    if (j->gang == 0)
        queue_sync_task(c, t);
}

static void restore_outcomes(struct job *j, const struct list *over)
{
    for (size_t i = 0; i < over->count; i++) {
        const struct fact_outcome *o = &((const struct fact_outcome *)over->v)[i];
        outcomes_add(&job_aside(j)->over, o->first, o->first + o->count - 1, outcome_of_fact(o));
    }
}

/* A snapshot of an older version doesn't say which tasks are over: those before `next` that have no record. */
static void guess_outcomes(struct job *j)
{
    uint32_t how = job_failed(j) > 0 ? OUTCOME_FAILURE : OUTCOME_SUCCESS;
    for (uint64_t i = j->first; i < j->next; i++)
        if (task_find(j, (uint32_t)i) == NULL && outcomes_at(&j->aside->over, i) == NULL)
            outcomes_add(&job_aside(j)->over, (uint32_t)i, (uint32_t)i, how);
}

static void job_apply(struct core *c, const struct fact *f)
{
    const struct fact_snapshot_job *s = &f->snapshot_job;
    ledger_apply(c->ledger, f);
    struct job *j = job_add(c, &s->submitted, s->submitted_utc_us);
    j->next = s->next_task;
    if (s->changed.set_priority)
        job_set_priority(c, j, s->changed.priority);
    j->on_hold = s->changed.set_hold ? s->changed.hold : j->on_hold;
    if (s->spent_micros != 0)
        job_aside(j)->spent_micros = s->spent_micros;
    for (size_t i = 0; i < s->ended.count; i++) {
        struct job_aside *a = job_aside(j);
        a->ended[names_find(&task_state_names, s->ended.v[i].name) - TASK_SUCCEEDED] = (uint32_t)s->ended.v[i].value;
        a->ended_count += (uint32_t)s->ended.v[i].value;
    }
    restore_outcomes(j, &s->over);
    for (size_t i = 0; i < s->tasks.count; i++) {
        const struct snapshot_task *t = &((const struct snapshot_task *)s->tasks.v)[i];
        if (!task_state_is_final(t->state)) /* an older snapshot has those ahead of next_task */
            restore_task(c, j, t);
        else if (s->over.count == 0)
            outcomes_add(&job_aside(j)->over, t->task, t->task, OUTCOME_FAILURE);
    }
    if (s->over.count == 0)
        guess_outcomes(j);
    for (uint32_t i = 0; j->gang != 0 && i < j->aside->over.count; i++)
        if (j->aside->over.v[i].how == OUTCOME_FAILURE)
            gang_doom(c, j, j->aside->over.v[i].first, j->aside->over.v[i].last);
    uint64_t met = UINT64_MAX;
    for (uint32_t i = 0; j->gang != 0 && i < j->tasks_count; i++)
        if (!gang_was_met(j, j->tasks[i]->index, &met))
            queue_sync_task(c, j->tasks[i]);
    queue_sync(c, j);
    job_finish_if_done(c, j, f->at_utc_us);
}
const struct fact_rule rule_snapshot_job = {job_check, job_apply};
