#include "quotas/ledger.h"

#include <errno.h>
#include <string.h>

#include "quotas/ledger_state.h"

static const char *const verdict_names[LEDGER_VERDICT_COUNT] = {
    [LEDGER_FITS] = "fits",           [LEDGER_NO_TENANT] = "no_tenant", [LEDGER_QUOTA] = "quota",
    [LEDGER_QUEUE_FULL] = "queue_full", [LEDGER_BUDGET] = "budget",       [LEDGER_NO_HOLD] = "no_hold",
    [LEDGER_DUPLICATE] = "duplicate", [LEDGER_OVERRUN] = "overrun",     [LEDGER_BAD] = "bad",
    [LEDGER_IN_USE] = "in_use",       [LEDGER_BORROW] = "borrow",       [LEDGER_RATE] = "rate",
    [LEDGER_NO_ACCOUNT] = "no_account",
};
const struct names ledger_verdict_names = {verdict_names, LEDGER_VERDICT_COUNT};

_Static_assert(sizeof(struct attempt_id) == 16, "an attempt id is a map key: it has no padding");

int ledger_new(struct ledger **ret, struct err *err)
{
    struct ledger *l = calloc(1, sizeof *l);
    struct node *root = calloc(1, sizeof *root);
    struct node **sorted = calloc(1, sizeof(struct node *));
    if (!l || !root || !sorted || str_set(&root->rule.path, TENANT_ROOT) < 0) {
        free(l);
        free(root);
        free(sorted);
        return err_set(err, -ENOMEM, "ledger: out of memory");
    }
    sorted[0] = root;
    quota_init(root);
    l->next_id = 1;
    l->root = root;
    l->sorted = sorted;
    l->sorted_size = 1;
    map_put(&l->nodes, root->rule.path, strlen(root->rule.path), root);
    *ret = l;
    return 0;
}

void ledger_money_free(struct money_hold *m)
{
    free(m->accounts);
    free(m->times);
    *m = (struct money_hold){0};
}

void ledger_node_free(struct node *n)
{
    struct snapshot_budget *since = n->since.v;
    for (size_t i = 0; i < n->since.count; i++) {
        free(since[i].budget);
    }
    free(since);
    fields_clear(&tenant_rule_fields, &n->rule);
    fields_clear(&resources_fields, &n->used);
    fields_clear(&resources_fields, &n->recount);
    quota_fini(n);
    free(n);
}

void ledger_free(struct ledger *l)
{
    if (!l) {
        return;
    }
    size_t at = 0;
    for (struct hold *h; (h = map_each(&l->holds, &at)) != NULL;) {
        fields_clear(&resources_fields, &h->need);
        ledger_money_free(&h->now);
        ledger_money_free(&h->before);
        free(h);
    }
    for (struct hold *h; (h = l->spare) != NULL;) {
        l->spare = h->spare_next;
        free(h);
    }
    at = 0;
    for (struct account *a; (a = map_each(&l->accounts, &at)) != NULL;) {
        free(a->name);
        free(a->resource);
        free(a);
    }
    ledger_budgets_free(l);
    ledger_adjusted_free(l);
    at = 0;
    for (struct node *n; (n = map_each(&l->nodes, &at)) != NULL;) {
        ledger_node_free(n);
    }
    map_fini(&l->holds);
    map_fini(&l->accounts);
    map_fini(&l->nodes);
    free(l->sorted);
    free(l);
}

struct node *ledger_node(const struct ledger *l, const char *path)
{
    return path ? map_find(&l->nodes, path, strlen(path)) : NULL;
}

size_t ledger_line(const struct ledger *l, const struct strs *path, struct node *ret[LEDGER_PATH_MAX])
{
    struct node *n = path->count > 0 && path->count <= LEDGER_PATH_MAX ? ledger_node(l, path->v[0]) : NULL;
    size_t count = 0;
    for (; n && count < path->count && path->v[count] && strcmp(path->v[count], n->rule.path) == 0; n = n->parent) {
        ret[count++] = n;
    }
    return !n && count == path->count ? count : 0;
}

struct account *ledger_account_find(const struct ledger *l, const char *name)
{
    return name ? map_find(&l->accounts, name, strlen(name)) : NULL;
}

struct hold *ledger_hold(const struct ledger *l, struct attempt_id id)
{
    return map_find(&l->holds, &id, sizeof id);
}

void ledger_expect(const struct ledger *l, struct attempt_id id)
{
    map_expect(&l->holds, &id, sizeof id);
}

/* ---- accounts ---------------------------------------------------------------------------------------------- */

struct account *ledger_account_add(struct ledger *l, const char *name, int64_t limit)
{
    struct account *a = calloc(1, sizeof *a);
    if (!a || str_set(&a->name, name) < 0) {
        abort();
    }
    a->limit = limit;
    a->from_utc_us = INT64_MIN;
    a->to_utc_us = INT64_MAX;
    map_put(&l->accounts, a->name, strlen(a->name), a);
    return a;
}

void ledger_account_remove(struct ledger *l, struct account *a)
{
    BUG(a->held != 0 || a->holds != 0);
    ledger_untouch(l, a);
    map_remove(&l->accounts, a->name, strlen(a->name));
    free(a->name);
    free(a->resource);
    free(a);
}

bool ledger_path(const struct ledger *l, const char *tenant, struct strs *ret)
{
    const struct node *n = ledger_node(l, tenant);
    if (!n) {
        return false;
    }
    for (; n; n = n->parent) {
        if (strs_add(ret, n->rule.path) < 0) {
            abort();
        }
    }
    return true;
}
