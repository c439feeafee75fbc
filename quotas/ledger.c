#include "quotas/ledger.h"

#include <errno.h>
#include <string.h>

#include "quotas/ledger_state.h"

static const char *const verdict_names[LEDGER_VERDICT_COUNT] = {
    [LEDGER_FITS] = "fits",           [LEDGER_NO_TENANT] = "no_tenant", [LEDGER_QUOTA] = "quota",
    [LEDGER_QUEUE_FULL] = "queue_full", [LEDGER_BUDGET] = "budget",       [LEDGER_NO_HOLD] = "no_hold",
    [LEDGER_DUPLICATE] = "duplicate", [LEDGER_OVERRUN] = "overrun",     [LEDGER_BAD] = "bad",
    [LEDGER_IN_USE] = "in_use",       [LEDGER_BORROW] = "borrow",       [LEDGER_RATE] = "rate",
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
    l->root = root;
    l->sorted = sorted;
    l->sorted_size = 1;
    map_put(&l->nodes, root->rule.path, strlen(root->rule.path), root);
    *ret = l;
    return 0;
}

void ledger_node_free(struct node *n)
{
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
        free(h);
    }
    at = 0;
    for (struct account *a; (a = map_each(&l->accounts, &at)) != NULL;) {
        free(a->name);
        free(a);
    }
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

struct account *ledger_account_find(const struct ledger *l, const char *name)
{
    return name ? map_find(&l->accounts, name, strlen(name)) : NULL;
}

struct hold *ledger_hold(const struct ledger *l, struct attempt_id id)
{
    return map_find(&l->holds, &id, sizeof id);
}

/* ---- accounts ---------------------------------------------------------------------------------------------- */

enum ledger_verdict ledger_new_limit(const struct ledger *l, const char *name, int64_t *ret_limit)
{
    char buffer[LEDGER_TENANT_MAX];
    const char *tenant = ledger_account_tenant(name, buffer);
    if (!tenant) {
        return LEDGER_BAD; /* a job's account is never made by a hold */
    }
    const struct node *n = ledger_node(l, tenant);
    if (!n) {
        return LEDGER_NO_TENANT;
    }
    /* "/@total" is held on always; it has a limit only when the rule speaks of it. For every other name the rule's
     * limit counts, whatever the period: a name that doesn't fit the rule must not open a way around it. */
    bool bare_total = strcmp(name, LEDGER_ROOT_TOTAL) == 0 && !ledger_budget_is_total(&n->rule.budget);
    *ret_limit = n->rule.budget.present && !bare_total ? n->rule.budget.limit_micros : -1;
    return LEDGER_FITS;
}

struct account *ledger_account_add(struct ledger *l, const char *name, int64_t limit)
{
    struct account *a = calloc(1, sizeof *a);
    if (!a || str_set(&a->name, name) < 0) {
        abort();
    }
    a->limit = limit;
    map_put(&l->accounts, a->name, strlen(a->name), a);
    return a;
}

void ledger_account_remove(struct ledger *l, struct account *a)
{
    BUG(a->held != 0);
    map_remove(&l->accounts, a->name, strlen(a->name));
    free(a->name);
    free(a);
}

int ledger_accounts(const struct ledger *l, const struct strs *path, int64_t utc_us, struct strs *ret)
{
    for (size_t i = 0; i < path->count; i++) {
        const struct node *n = ledger_node(l, path->v[i]);
        if (!n) {
            return -ENOENT;
        }
        char name[LEDGER_ACCOUNT_MAX];
        if (n->rule.budget.present && ledger_tenant_account(n->rule.path, n->rule.budget.period, utc_us, name) &&
            strs_add(ret, name) < 0) {
            return -ENOMEM;
        }
    }
    return ledger_budget_is_total(&l->root->rule.budget) ? 0 : strs_add(ret, LEDGER_ROOT_TOTAL);
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
