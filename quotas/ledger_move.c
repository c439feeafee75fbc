/*
 * What waits and runs in a tenant goes along with it, and so do its accounts, which get new names. What is held stays
 * where it was held until it is settled: those above the old place pay for what they have promised, those above the new
 * one from the next renewal on. A move that would leave anybody beyond a limit is refused.
 */
#include <errno.h>
#include <string.h>

#include "quotas/ledger_state.h"

static bool is_above(const struct node *top, const struct node *n)
{
    while (n && n != top) {
        n = n->parent;
    }
    return n != NULL;
}

/* ---- check ------------------------------------------------------------------------------------------------- */

static bool refuse(struct blocker_sink *sink, enum ledger_verdict verdict, const char *where)
{
    (void)ledger_blocked(sink, (struct ledger_blocker){.verdict = verdict, .where = where});
    return true;
}

static bool is_path_of(const struct strs *path, const char *first, const struct node *n)
{
    size_t at = 0;
    if (first && (path->count == 0 || strcmp(path->v[at++], first) != 0)) {
        return false;
    }
    for (; n && at < path->count; n = n->parent) {
        if (strcmp(path->v[at++], n->rule.path) != 0) {
            return false;
        }
    }
    return !n && at == path->count;
}

/* Below n, itself included; l->sorted has them in a row from its place on. */
static size_t count_below(const struct ledger *l, const struct node *n)
{
    size_t first = ledger_sorted_place(l, n->rule.path), count = 0;
    while (first + count < l->nodes.count && tenant_path_is_below(l->sorted[first + count]->rule.path, n->rule.path)) {
        count++;
    }
    return count;
}

static bool fits_below(const struct ledger *l, const struct node *n, const char *to)
{
    size_t first = ledger_sorted_place(l, n->rule.path), count = count_below(l, n);
    size_t deeper = tenant_path_depth(to), longer = strlen(to);
    for (size_t i = 0; i < count; i++) {
        const char *path = l->sorted[first + i]->rule.path;
        if (tenant_path_depth(path) - tenant_path_depth(n->rule.path) + deeper > TENANT_DEPTH_MAX ||
            strlen(path) - strlen(n->rule.path) + longer >= LEDGER_TENANT_MAX) {
            return false;
        }
    }
    return true;
}

static bool place_refused(const struct ledger *l, const struct fact_tenant_moved *m, struct blocker_sink *sink)
{
    char buffer[LEDGER_TENANT_MAX];
    const struct node *n = ledger_node(l, m->from);
    if (!n) {
        return refuse(sink, LEDGER_NO_TENANT, m->from);
    }
    if (!n->parent) {
        return refuse(sink, LEDGER_BAD, m->from);
    }
    if (!m->to || m->to[0] == '\0' || strlen(m->to) >= LEDGER_TENANT_MAX || ledger_node(l, m->to)) {
        return refuse(sink, LEDGER_BAD, m->to);
    }
    const struct node *parent = ledger_node(l, ledger_parent_path(m->to, buffer));
    if (!parent) {
        return refuse(sink, LEDGER_NO_TENANT, m->to);
    }
    bool good = !is_above(n, parent) && is_path_of(&m->from_path, NULL, n) &&
                is_path_of(&m->to_path, m->to, parent);
    return good ? false : refuse(sink, LEDGER_BAD, m->to);
}

static bool tenants_are_all(const struct ledger *l, const struct fact_tenant_moved *m, const struct node *n)
{
    size_t first = ledger_sorted_place(l, n->rule.path);
    if (m->tenants.count != count_below(l, n)) {
        return false;
    }
    for (size_t i = 0; i < m->tenants.count; i++) {
        if (strcmp(m->tenants.v[i], l->sorted[first + i]->rule.path) != 0) {
            return false;
        }
    }
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct attempt_id *x = a, *y = b;
    if (x->job != y->job) {
        return x->job < y->job ? -1 : 1;
    }
    if (x->task != y->task) {
        return x->task < y->task ? -1 : 1;
    }
    return x->epoch < y->epoch ? -1 : x->epoch > y->epoch;
}

static bool runs_below(const struct hold *h, const struct node *n)
{
    return h && is_above(n, h->path[0]);
}

/* One that ran here before its own tenant went elsewhere holds money here until it is settled. */
static bool goes_along(const struct hold *h, const struct node *n)
{
    bool goes = runs_below(h, n);
    for (size_t i = 0; h && !goes && i < h->now.accounts_count; i++) {
        goes = ledger_account_is_below(h->now.accounts[i]->name, n->rule.path);
    }
    for (size_t i = 0; h && !goes && i < h->now.times_count; i++) {
        goes = ledger_account_is_below(h->now.times[i].account->name, n->rule.path);
    }
    return goes;
}

static bool attempts_are_all(const struct ledger *l, const struct fact_tenant_moved *m, const struct node *n)
{
    const struct attempt_id *ids = m->attempts.v;
    size_t all = 0, at = 0;
    for (const struct hold *h; (h = map_each(&l->holds, &at)) != NULL;) {
        all += goes_along(h, n);
    }
    for (size_t i = 0; i < m->attempts.count; i++) {
        if (!goes_along(ledger_hold(l, ids[i]), n) || (i > 0 && by_id(&ids[i - 1], &ids[i]) >= 0)) {
            return false;
        }
    }
    return m->attempts.count == all;
}

static bool accounts_refused(const struct ledger *l, const struct fact_tenant_moved *m, struct blocker_sink *sink)
{
    size_t below = 0, at = 0;
    for (const struct account *a; (a = map_each(&l->accounts, &at)) != NULL;) {
        below += ledger_account_is_below(a->name, m->from);
    }
    for (size_t i = 0; i < m->accounts.count; i++) {
        const struct pair *p = &m->accounts.v[i];
        if (!ledger_account_find(l, p->key) || !ledger_account_is_below(p->key, m->from)) {
            return refuse(sink, LEDGER_BAD, p->key);
        }
        char *moved = ledger_moved_name(p->key, m->from, m->to);
        bool same = moved && strcmp(moved, p->value) == 0;
        free(moved);
        if (!same || ledger_account_find(l, p->value)) {
            return refuse(sink, LEDGER_BAD, p->value);
        }
    }
    return m->accounts.count == below ? false : refuse(sink, LEDGER_BAD, m->from);
}

static bool limit_blocked(struct blocker_sink *sink, enum ledger_verdict verdict, struct ledger_blocker b)
{
    b.verdict = verdict;
    return b.limit != 0 && b.need > 0 && b.used + b.need > b.limit && ledger_blocked(sink, b);
}

/* Above the new place, below where it meets the old path: use and queue of n come as a whole. */
static bool limits_blocked(const struct node *n, const struct node *up, struct blocker_sink *sink)
{
    uint64_t amount;
    const char *name;
    const struct quota_rule *q = &up->rule.quota;
    struct ledger_blocker b = {.where = up->rule.path};
    for (size_t i = 0; (name = ledger_resource(&n->used, i, &amount)) != NULL; i++) {
        b.resource = name;
        b.limit = (int64_t)MIN(ledger_resource_get(&q->max, i, name), (uint64_t)LEDGER_COUNT_MAX);
        b.used = (int64_t)ledger_resource_get(&up->used, i, name);
        b.need = (int64_t)amount;
        if (limit_blocked(sink, LEDGER_QUOTA, b)) {
            return true;
        }
    }
    b = (struct ledger_blocker){.where = up->rule.path, .resource = "running", .used = (int64_t)up->running,
                                .limit = (int64_t)MIN(q->max_running, (uint64_t)LEDGER_COUNT_MAX),
                                .need = (int64_t)n->running};
    if (limit_blocked(sink, LEDGER_QUOTA, b)) {
        return true;
    }
    b = (struct ledger_blocker){.where = up->rule.path, .resource = "queued", .used = (int64_t)up->queued,
                                .limit = (int64_t)MIN(q->max_queued, (uint64_t)LEDGER_COUNT_MAX),
                                .need = (int64_t)n->queued};
    return limit_blocked(sink, LEDGER_QUEUE_FULL, b);
}

void ledger_move_check(const struct ledger *l, const struct fact_tenant_moved *m, struct blocker_sink *sink)
{
    char buffer[LEDGER_TENANT_MAX];
    if (place_refused(l, m, sink)) {
        return;
    }
    struct node *n = ledger_node(l, m->from), *to = ledger_node(l, ledger_parent_path(m->to, buffer));
    if (!tenants_are_all(l, m, n) || !attempts_are_all(l, m, n)) {
        (void)refuse(sink, LEDGER_BAD, m->from);
        return;
    }
    if (!fits_below(l, n, m->to)) {
        (void)refuse(sink, LEDGER_BAD, m->to);
        return;
    }
    if (accounts_refused(l, m, sink)) {
        return;
    }
    for (struct node *up = to; !is_above(up, n); up = up->parent) {
        if (limits_blocked(n, up, sink)) {
            return;
        }
    }
    (void)quota_move_blockers(n, to, sink);
}

/* ---- what a fact has to list --------------------------------------------------------------------------------- */

static int add_account(struct fact_tenant_moved *m, const char *name)
{
    char *moved = ledger_moved_name(name, m->from, m->to);
    int rc = moved ? pairs_set(&m->accounts, name, moved) : -ENOMEM;
    free(moved);
    return rc;
}

static size_t listed(const struct fact_tenant_moved *m)
{
    return m->tenants.count + m->accounts.count + m->attempts.count + m->jobs.count;
}

int ledger_fill_move(const struct ledger *l, struct fact_tenant_moved *m)
{
    const struct node *n = ledger_node(l, m->from);
    size_t first = n ? ledger_sorted_place(l, m->from) : 0, count = n ? count_below(l, n) : 0, at = 0;
    int rc = n && n->running + count > MOVED_MAX ? -E2BIG : 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = strs_add(&m->tenants, l->sorted[first + i]->rule.path);
    }
    for (const struct account *a; n && rc == 0 && (a = map_each(&l->accounts, &at)) != NULL;) {
        rc = !ledger_account_is_below(a->name, m->from) ? 0 : listed(m) > MOVED_MAX ? -E2BIG : add_account(m, a->name);
    }
    at = 0;
    for (const struct hold *h; n && rc == 0 && (h = map_each(&l->holds, &at)) != NULL;) {
        bool goes = goes_along(h, n);
        struct attempt_id *id = goes ? list_add(&m->attempts, sizeof *id) : NULL;
        rc = id || !goes ? 0 : -ENOMEM;
        if (id) {
            *id = h->id;
        }
    }
    if (m->attempts.count > 1) {
        qsort(m->attempts.v, m->attempts.count, sizeof(struct attempt_id), by_id);
    }
    return rc < 0 ? rc : listed(m) > MOVED_MAX ? -E2BIG : 0;
}

/* ---- apply ------------------------------------------------------------------------------------------------- */

static void leave_parent(struct node *n)
{
    quota_leave(n);
    n->parent->children--;
    for (struct node *up = n->parent; up; up = up->parent) {
        ledger_use_take(&up->used, &n->used);
        up->running -= n->running;
        up->queued -= n->queued;
    }
}

static void join_parent(struct node *n, struct node *parent)
{
    n->parent = parent;
    quota_join(n);
    n->parent->children++;
    for (struct node *up = n->parent; up; up = up->parent) {
        ledger_use_add(&up->used, &n->used);
        up->running += n->running;
        up->queued += n->queued;
    }
}

/* They stand in a row, and their order among themselves stays. */
static void rename_nodes(struct ledger *l, const struct fact_tenant_moved *m)
{
    size_t count = m->tenants.count, first = ledger_sorted_place(l, m->from);
    struct node **row = calloc(count, sizeof(struct node *));
    if (!row) {
        abort();
    }
    memcpy(row, &l->sorted[first], count * sizeof(struct node *));
    memmove(&l->sorted[first], &l->sorted[first + count],
            (l->nodes.count - first - count) * sizeof(struct node *));
    for (size_t i = 0; i < count; i++) {
        struct node *n = row[i];
        map_remove(&l->nodes, n->rule.path, strlen(n->rule.path));
        char *moved = ledger_moved_name(n->rule.path, m->from, m->to);
        if (!moved) {
            abort();
        }
        free(n->rule.path);
        n->rule.path = moved;
    }
    first = ledger_sorted_place(l, m->to);
    memmove(&l->sorted[first + count], &l->sorted[first], (l->nodes.count - first) * sizeof(struct node *));
    memcpy(&l->sorted[first], row, count * sizeof(struct node *));
    for (size_t i = 0; i < count; i++) {
        map_put(&l->nodes, row[i]->rule.path, strlen(row[i]->rule.path), row[i]);
    }
    free(row);
}

static void rename_account(struct ledger *l, const struct pair *p)
{
    struct account *a = ledger_account_find(l, p->key);
    BUG(!a);
    map_remove(&l->accounts, a->name, strlen(a->name));
    if (str_set(&a->name, p->value) < 0) {
        abort();
    }
    map_put(&l->accounts, a->name, strlen(a->name), a);
}

static void lead_hold(struct hold *h)
{
    h->path_count = 0;
    for (struct node *up = h->path[0]; up; up = up->parent) {
        BUG(h->path_count == LEDGER_PATH_MAX);
        h->path[h->path_count++] = up;
    }
}

void ledger_move_apply(struct ledger *l, const struct fact_tenant_moved *m)
{
    char buffer[LEDGER_TENANT_MAX];
    struct node *n = ledger_node(l, m->from), *parent = ledger_node(l, ledger_parent_path(m->to, buffer));
    BUG(!n || !n->parent || !parent || ledger_node(l, m->to));
    leave_parent(n);
    join_parent(n, parent);
    rename_nodes(l, m);
    for (size_t i = 0; i < m->accounts.count; i++) {
        rename_account(l, &m->accounts.v[i]);
    }
    const struct attempt_id *ids = m->attempts.v;
    for (size_t i = 0; i < m->attempts.count; i++) {
        struct hold *h = ledger_hold(l, ids[i]);
        BUG(!h);
        lead_hold(h);
    }
}
