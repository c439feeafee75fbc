#include "scheduler/core/apply.h"
#include "scheduler/core/windows.h"

/* Every part is hashed by what it means, in an order that doesn't depend on how the state came about. */

uint64_t hash_fields(uint64_t hash, const struct fields *f, const void *object)
{
    struct buf bytes = {0};
    fields_encode(f, object, &bytes);
    hash = hash_bytes(hash_u64(hash, bytes.len), bytes.data, bytes.len);
    buf_fini(&bytes);
    return hash;
}

static uint64_t hash_strs(uint64_t hash, const struct strs *s)
{
    for (size_t i = 0; i < s->count; i++)
        hash = hash_text(hash, s->v[i]);
    return hash_u64(hash, s->count);
}

static bool add_account(const struct account_view *view, void *arg)
{
    uint64_t *sum = arg; /* accounts come in any order */
    uint64_t hash = hash_u64(hash_text(HASH_START, view->name), (uint64_t)view->limit_micros);
    hash = hash_u64(hash_u64(hash, (uint64_t)view->carried_micros), view->crossed);
    hash = hash_u64(hash_u64(hash, (uint64_t)view->from_utc_us), (uint64_t)view->to_utc_us);
    hash = hash_text(hash, view->resource);
    *sum += hash_u64(hash_u64(hash, (uint64_t)view->spent_micros), (uint64_t)view->held_micros);
    return true;
}

struct tenant_hash {
    const struct core *core;
    uint64_t hash;
};

static bool add_tenant(const struct tenant_rule *rule, void *arg)
{
    struct tenant_hash *h = arg;
    struct tenant_view view;
    h->hash = hash_fields(h->hash, &tenant_rule_fields, rule);
    h->hash = hash_u64(h->hash, tenant_find(h->core, rule->path)->own.faded);
    if (ledger_tenant(h->core->ledger, rule->path, 0, &view))
        h->hash = hash_u64(h->hash, view.id);
    for (int starts = 0; starts < 2; starts++) {
        struct rate_view r = ledger_rate(h->core->ledger, rule->path, starts != 0);
        h->hash = hash_u64(hash_u64(h->hash, (uint64_t)r.parts), (uint64_t)r.at_utc_us);
    }
    return true;
}

static bool add_since(const struct snapshot_budget *since, void *arg)
{
    uint64_t *hash = arg;
    *hash = hash_u64(hash_text(hash_text(*hash, since->tenant), since->budget), (uint64_t)since->since_utc_us);
    return true;
}

static bool add_zone(const struct zone_table *zone, void *arg)
{
    uint64_t *sum = arg; /* in any order */
    *sum += hash_fields(HASH_START, &zone_table_fields, zone);
    return true;
}

static bool add_adjusted(const struct snapshot_adjusted *a, void *arg)
{
    uint64_t *sum = arg; /* in any order */
    *sum += hash_u64(hash_u64(hash_text(HASH_START, a->key), a->hash), a->periods_closed);
    return true;
}

static uint64_t hash_policy(const struct core *c, uint64_t hash)
{
    const struct list *prices = price_book_versions(c->prices);
    uint64_t accounts = 0;
    hash = hash_strs(hash_text(hash_u64(hash, c->policy_version), c->currency), &c->admins);
    for (size_t i = 0; i < prices->count; i++)
        hash = hash_fields(hash, &price_version_fields, &((const struct price_version *)prices->v)[i]);
    hash = hash_fields(hash, &billing_rule_fields, &c->billing);
    hash = hash_u64(hash_fields(hash, &order_rule_fields, &c->order), (uint64_t)c->fade.epoch_utc_us);
    hash = hash_fields(hash, &preempt_rule_fields, &c->preempt);
    hash = hash_fields(hash, &zone_table_fields, &c->billing_zone);
    hash = hash_u64(hash_u64(hash, (uint64_t)c->billing_from_utc_us), ledger_periods_closed(c->ledger));
    struct tenant_hash tenants = {c, proposals_hash(c, hash_u64(hash, c->two_persons))};
    ledger_each_tenant(c->ledger, add_tenant, &tenants);
    hash = tenants.hash;
    ledger_each_account(c->ledger, add_account, &accounts);
    ledger_each_since(c->ledger, add_since, &hash);
    (void)ledger_each_zone(c->ledger, add_zone, &accounts);
    ledger_each_adjusted(c->ledger, add_adjusted, &accounts);
    hash = hash_u64(hash, ledger_next_tenant_id(c->ledger));
    return hash_u64(hash, accounts);
}

static uint64_t hash_node(const struct node *n, uint64_t hash)
{
    hash = hash_text(hash_text(hash_text(hash, n->name), n->boot_id), n->version);
    hash = hash_fields(hash, &resources_fields, &n->capacity);
    for (size_t i = 0; i < n->labels.count; i++)
        hash = hash_text(hash_text(hash, n->labels.v[i].key), n->labels.v[i].value);
    hash = hash_strs(hash, &n->features);
    hash = hash_u64(hash_u64(hash, n->drained), n->lost);
    if (n->max_attempts != 0) /* else as before there were any */
        hash = hash_u64(hash, n->max_attempts);
    if (n->quarantined) /* else as before there was any of it */
        hash = hash_text(hash_u64(hash_u64(hash, n->quarantine_level), (uint64_t)n->quarantine_until_utc_us),
                         n->quarantine_reason);
    return hash_u64(hash_text(hash, n->drain_reason), n->live);
}

static uint64_t hash_task(const struct task *t, uint64_t hash)
{
    const uint64_t numbers[] = {
        t->index,
        t->epoch,
        t->state,
        t->stopping,
        t->retries_used,
        t->node_faults,
        t->final,
        t->paused,
        t->paused_us,
        (uint64_t)t->paused_utc_us,
        (uint64_t)t->placed_utc_us,
        (uint64_t)t->started_utc_us,
        (uint64_t)t->eligible_utc_us,
        (uint64_t)t->spent_micros,
        (uint64_t)t->hold_micros,
        t->settled_us,
        t->paid_us,
        t->price_version,
        t->ahead,
    };
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        hash = hash_u64(hash, numbers[i]);
    if (t->suspends > 0) /* else as before there was any of it */
        hash = hash_text(hash_u64(hash_u64(hash_u64(hash, t->suspends), t->rests), (uint64_t)t->suspended_utc_us),
                         t->suspended_by);
    if (is_measured(t->io_paid) || t->io_final || t->suspended_for_io)
        hash = hash_u64(hash_u64(hash_u64(hash, t->io_paid.plus_one), t->io_final), t->suspended_for_io);
    hash = hash_text(hash, t->node != NULL ? t->node->name : NULL);
    hash = hash_text(hash, t->avoid != NULL ? t->avoid->name : NULL);
    const struct time_hold *time = t->times.v;
    for (size_t i = 0; i < t->times.count; i++)
        hash = hash_u64(hash_u64(hash_text(hash, time[i].account), (uint64_t)time[i].spent), (uint64_t)time[i].hold);
    hash = hash_text(hash, t->price_class);
    for (size_t i = 0; i < t->marks.count; i++)
        hash = hash_fields(hash, &meter_mark_fields, &((const struct meter_mark *)t->marks.v)[i]);
    return hash_strs(hash, &t->accounts);
}

static uint64_t hash_job(const struct job *j, uint64_t hash)
{
    hash = hash_text(hash_text(hash_u64(hash, j->id), j->tenant), j->user);
    hash = hash_u64(hash_bytes(hash, j->ask->bytes, j->ask->len), j->ask->len);
    hash = hash_u64(hash_u64(hash_text(hash, job_key(j)), j->uid), (uint64_t)j->submitted_utc_us);
    hash = hash_u64(hash_u64(hash, j->next), (uint64_t)j->aside->spent_micros);
    hash = hash_u64(hash_u64(hash, (uint64_t)j->priority), j->on_hold);
    for (size_t i = 0; i < FINAL_STATES; i++)
        if (i != TASK_LEFT_OUT - TASK_SUCCEEDED || j->aside->ended[i] > 0) /* as if there were no such state */
            hash = hash_u64(hash, j->aside->ended[i]);
    hash = depend_hash(j, hash);
    const struct outcomes *over = &j->aside->over;
    for (uint32_t i = 0; i < over->count; i++)
        hash = hash_u64(hash_u64(hash_u64(hash, over->v[i].first), over->v[i].last), over->v[i].how);
    for (uint32_t i = 0; i < j->tasks_count; i++)
        hash = hash_task(j->tasks[i], hash);
    return hash;
}

uint64_t core_hash(const struct core *c)
{
    uint64_t hash = hash_u64(hash_u64(hash_u64(HASH_START, c->seq), c->term), c->next_job);
    hash = hash_policy(c, hash);
    for (size_t i = 0; i < c->nodes_count; i++)
        hash = hash_node(c->nodes[i], hash);
    hash = windows_hash(c, hash);
    for (size_t i = 0; i < c->jobs_count; i++)
        if (c->jobs[i].job != NULL && !c->jobs[i].job->finished)
            hash = hash_job(c->jobs[i].job, hash);
    return hash;
}
