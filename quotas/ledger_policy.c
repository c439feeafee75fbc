#include <string.h>

#include "quotas/ledger_state.h"

static const struct tenant_rule *rule_at(const struct policy_change *change, size_t index)
{
    return &((const struct tenant_rule *)change->tenants.v)[index];
}

/* ---- check ------------------------------------------------------------------------------------------------- */

/* The names in a change, for questions about each other: path -> itself. */
struct change_names {
    struct map set, removed;
};

static void names_init(struct change_names *names, const struct policy_change *change)
{
    *names = (struct change_names){0};
    for (size_t i = 0; i < change->tenants.count; i++) {
        char *path = rule_at(change, i)->path;
        if (path && !map_find(&names->set, path, strlen(path))) {
            map_put(&names->set, path, strlen(path), path);
        }
    }
    for (size_t i = 0; i < change->removed.count; i++) {
        char *path = change->removed.v[i];
        if (!map_find(&names->removed, path, strlen(path))) {
            map_put(&names->removed, path, strlen(path), path);
        }
    }
}

static void names_fini(struct change_names *names)
{
    map_fini(&names->set);
    map_fini(&names->removed);
}

static bool is_named(const struct map *m, const char *path)
{
    return map_find(m, path, strlen(path)) != NULL;
}

/* Children that stay. Scratch in the nodes: recount_queued counts the children that go. */
static enum ledger_verdict removal_verdict(const struct ledger *l, const struct change_names *names, const char *path)
{
    const struct node *n = ledger_node(l, path);
    if (strcmp(path, TENANT_ROOT) == 0 || is_named(&names->set, path)) {
        return LEDGER_BAD;
    }
    if (!n) {
        return LEDGER_NO_TENANT;
    }
    bool busy = n->running > 0 || n->queued > 0 || n->children > n->recount_queued;
    return busy ? LEDGER_IN_USE : LEDGER_FITS;
}

static void count_leaving(const struct ledger *l, const struct change_names *names)
{
    for (size_t i = 0; i < l->nodes.count; i++) {
        l->sorted[i]->recount_queued = 0;
    }
    size_t at = 0;
    for (const char *path; (path = map_each(&names->removed, &at)) != NULL;) {
        struct node *n = ledger_node(l, path);
        if (n && n->parent) {
            n->parent->recount_queued++;
        }
    }
}

static bool budgets_are_sound(const struct tenant_rule *rule)
{
    size_t at = 0;
    for (const struct budget_rule *b; (b = ledger_rule_budget(rule, &at)) != NULL;) {
        if (b->limit_micros < 0 || b->limit_micros > MONEY_MICROS_MAX || b->period >= PERIOD_KIND_COUNT ||
            b->carry >= CARRY_KIND_COUNT || b->carry_max_micros < 0 || (b != &rule->budget && !b->name) ||
            (b->name && strlen(b->name) >= LEDGER_BUDGET_MAX) || (b->period == PERIOD_CUSTOM && b->every_days == 0) ||
            (b->period == PERIOD_FIXED && b->to_utc_us <= b->from_utc_us)) {
            return false;
        }
    }
    return rule->budgets.count <= BUDGETS_MAX;
}

static enum ledger_verdict rule_verdict(const struct ledger *l, const struct change_names *names,
                                        const struct tenant_rule *rule)
{
    char buffer[LEDGER_TENANT_MAX];
    if (!rule->path || rule->path[0] == '\0' || tenant_path_depth(rule->path) > TENANT_DEPTH_MAX ||
        strlen(rule->path) >= LEDGER_TENANT_MAX || !budgets_are_sound(rule)) {
        return LEDGER_BAD;
    }
    const char *parent = ledger_parent_path(rule->path, buffer);
    if (!parent || ledger_node(l, rule->path)) {
        return LEDGER_FITS;
    }
    bool parent_stays = ledger_node(l, parent) && !is_named(&names->removed, parent);
    return parent_stays || is_named(&names->set, parent) ? LEDGER_FITS : LEDGER_NO_TENANT;
}

/* What is too deep, or has no path, counts as one level below the deepest. */
static size_t rule_depth(const struct tenant_rule *rule)
{
    size_t depth = rule->path ? tenant_path_depth(rule->path) : SIZE_MAX;
    return MIN(depth, (size_t)TENANT_DEPTH_MAX + 1);
}

void ledger_policy_check(const struct ledger *l, const struct policy_change *change, struct blocker_sink *sink)
{
    struct change_names names;
    names_init(&names, change);
    count_leaving(l, &names);
    bool stop = false;
    for (size_t i = 0; !stop && i < change->removed.count; i++) {
        const char *path = change->removed.v[i];
        enum ledger_verdict verdict = removal_verdict(l, &names, path);
        const struct node *n = verdict == LEDGER_IN_USE ? ledger_node(l, path) : NULL;
        if (names.removed.count != change->removed.count) {
            verdict = LEDGER_BAD; /* the same tenant twice */
        }
        stop = verdict != LEDGER_FITS &&
               ledger_blocked(sink, (struct ledger_blocker){.verdict = verdict,
                                                            .where = path,
                                                            .used = n ? (int64_t)(n->running + n->queued) : 0});
    }
    /* By depth, like the store. */
    for (size_t depth = 0; !stop && depth <= TENANT_DEPTH_MAX + 1; depth++) {
        for (size_t i = 0; !stop && i < change->tenants.count; i++) {
            const struct tenant_rule *rule = rule_at(change, i);
            if (rule_depth(rule) != depth) {
                continue;
            }
            enum ledger_verdict verdict = rule_verdict(l, &names, rule);
            stop = verdict != LEDGER_FITS &&
                   ledger_blocked(sink, (struct ledger_blocker){.verdict = verdict, .where = rule->path});
        }
    }
    if (!stop && !quota_sum_is_exact(l, change)) {
        (void)ledger_blocked(sink, (struct ledger_blocker){.verdict = LEDGER_BAD, .where = TENANT_ROOT});
    }
    names_fini(&names);
}

/* ---- apply ------------------------------------------------------------------------------------------------- */

size_t ledger_sorted_place(const struct ledger *l, const char *path)
{
    size_t low = 0, high = l->nodes.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tenant_path_compare(l->sorted[middle]->rule.path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct node *node_add(struct ledger *l, const char *path)
{
    char buffer[LEDGER_TENANT_MAX];
    struct node *n = calloc(1, sizeof *n);
    if (!n || str_set(&n->rule.path, path) < 0) {
        abort();
    }
    quota_init(n);
    n->id = l->next_id++;
    n->parent = ledger_node(l, ledger_parent_path(path, buffer));
    BUG(!n->parent);
    n->parent->children++;
    if (l->nodes.count == l->sorted_size) {
        l->sorted_size *= 2;
        l->sorted = realloc(l->sorted, l->sorted_size * sizeof(struct node *));
        if (!l->sorted) {
            abort();
        }
    }
    size_t place = ledger_sorted_place(l, path);
    memmove(&l->sorted[place + 1], &l->sorted[place], (l->nodes.count - place) * sizeof(struct node *));
    l->sorted[place] = n;
    map_put(&l->nodes, n->rule.path, strlen(n->rule.path), n);
    return n;
}

/* Leaves the map and the order; freed by the caller once no child looks at it any more. */
static struct node *node_detach(struct ledger *l, const char *path)
{
    struct node *n = ledger_node(l, path);
    BUG(!n || !n->parent || n->running || n->queued);
    size_t place = ledger_sorted_place(l, path);
    memmove(&l->sorted[place], &l->sorted[place + 1], (l->nodes.count - place - 1) * sizeof(struct node *));
    map_remove(&l->nodes, n->rule.path, strlen(n->rule.path));
    n->parent->children--;
    quota_set_rule(n, NULL, 0); /* a parent that has left before it carries on what it gives */
    return n;
}

static void rule_apply(struct ledger *l, const struct tenant_rule *rule, int64_t at_utc_us)
{
    struct node *n = ledger_node(l, rule->path);
    if (!n) {
        n = node_add(l, rule->path);
    }
    quota_set_rule(n, rule, at_utc_us);
    struct tenant_rule copy;
    if (fields_copy(&tenant_rule_fields, rule, &copy) < 0) {
        abort();
    }
    ledger_since_apply(n, &copy, at_utc_us);
    /* The path is the map's key: the old text stays. */
    free(copy.path);
    copy.path = TAKE_PTR(n->rule.path);
    struct tenant_rule old = n->rule;
    n->rule = copy;
    ledger_thresholds_apply(l, &old, &n->rule, at_utc_us);
    old.path = NULL;
    fields_clear(&tenant_rule_fields, &old);
}

static void limits_apply(struct ledger *l, const struct list *limits, int64_t at_utc_us)
{
    for (size_t i = 0; i < limits->count; i++) {
        const struct account_limit *to = &((const struct account_limit *)limits->v)[i];
        struct account *a = ledger_account_find(l, to->account);
        if (a) {
            a->limit = to->limit_micros;
            a->from_utc_us = to->from_utc_us;
            a->to_utc_us = to->to_utc_us;
            ledger_crossings_fall(l, a, at_utc_us);
        }
    }
}

void ledger_policy_apply(struct ledger *l, const struct policy_change *change, int64_t at_utc_us)
{
    /* Freed only when all have left: a child leaves its parent's count. */
    struct node **detached = calloc(change->removed.count + 1, sizeof(struct node *));
    if (!detached) {
        abort();
    }
    for (size_t i = 0; i < change->removed.count; i++) {
        detached[i] = node_detach(l, change->removed.v[i]);
    }
    for (size_t i = 0; i < change->removed.count; i++) {
        ledger_node_free(detached[i]);
    }
    free(detached);
    ledger_zones_apply(l, &change->zones);
    /* Parents before children, also when the change names them the other way round. */
    for (size_t depth = 0; depth <= TENANT_DEPTH_MAX; depth++) {
        for (size_t i = 0; i < change->tenants.count; i++) {
            const struct tenant_rule *rule = rule_at(change, i);
            if (tenant_path_depth(rule->path) == depth) {
                rule_apply(l, rule, at_utc_us);
            }
        }
    }
    limits_apply(l, &change->limits, at_utc_us);
}
