/* Shares and rates as others see them, and their recount. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "quotas/ledger_state.h"

/* ---- views ------------------------------------------------------------------------------------------------- */

struct ledger_place ledger_place(const struct ledger *l, const char *path)
{
    return (struct ledger_place){ledger_node(l, path)};
}

struct share_view ledger_share_at(struct ledger_place at, size_t index, const char *resource)
{
    return at.node ? quota_share(at.node, index, resource) : quota_at_birth;
}

struct share_view ledger_share(const struct ledger *l, const char *path, size_t index, const char *resource)
{
    return ledger_share_at(ledger_place(l, path), index, resource);
}

int64_t ledger_left_at(struct ledger_place at, size_t index, const char *resource)
{
    return at.node ? quota_left(at.node, index, resource) : 0;
}

int64_t ledger_left(const struct ledger *l, const char *path, size_t index, const char *resource)
{
    return ledger_left_at(ledger_place(l, path), index, resource);
}

const char *ledger_share_name(const struct ledger *l, const char *path, size_t at)
{
    const struct node *n = ledger_node(l, path);
    return n && at < n->quota.generic_count ? n->quota.generic[at].name : NULL;
}

struct rate_view ledger_rate(const struct ledger *l, const char *path, bool starts)
{
    struct node *n = ledger_node(l, path);
    const struct rate *r = n ? quota_rate(n, starts) : NULL;
    return r ? (struct rate_view){r->per_minute, r->parts, r->at_utc_us} : (struct rate_view){0};
}

bool ledger_has_extra(const struct ledger *l, const char *path)
{
    const struct node *n = ledger_node(l, path);
    bool has = n && (n->quota.submits.per_minute != 0 || n->quota.starts.per_minute != 0);
    for (size_t i = 0; n && i < LEDGER_FIXED_RESOURCES; i++) {
        has = has || !quota_is_at_birth(&n->quota.fixed[i]);
    }
    return has;
}

void ledger_borrowed(const struct ledger *l, const char *path, struct resources *ret)
{
    const struct node *n = ledger_node(l, path);
    uint64_t *const fixed[LEDGER_FIXED_RESOURCES] = {&ret->cpu_milli, &ret->mem_bytes, &ret->scratch_bytes};
    uint64_t used;
    const char *name;
    *ret = (struct resources){0};
    for (size_t i = 0; n && (name = ledger_resource(&n->used, i, &used)) != NULL; i++) {
        int64_t left = quota_left(n, i, name);
        if (left >= 0 || quota_share(l->root, i, name).total == 0) {
            continue;
        }
        if (i < LEDGER_FIXED_RESOURCES) {
            *fixed[i] = (uint64_t)-left;
        } else if (counts_set(&ret->generic, name, (uint64_t)-left) < 0) {
            abort();
        }
    }
}

/* ---- recount ----------------------------------------------------------------------------------------------- */

/* From the definition alone: N, use, lend. Nodes in path order: a child after its parent. */
static int verify_one(struct node *const *sorted, size_t count, size_t index, const char *name, struct err *err)
{
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        const struct tenant_rule *rule = &sorted[i]->rule;
        int64_t nominal = quota_exact(ledger_resource_get(&rule->quota.guaranteed, index, name));
        sorted[i]->recount_left = nominal - quota_used(sorted[i], index, name);
        sorted[i]->recount_idle = nominal;
        total += nominal;
    }
    for (size_t i = count; i-- > 0;) {
        struct node *n = sorted[i], *up = n->parent;
        if (n->recount_left != quota_left(n, index, name)) {
            return err_set(err, -EUCLEAN, "tenant %s: %s left %" PRId64 ", counted %" PRId64, n->rule.path, name,
                           quota_left(n, index, name), n->recount_left);
        }
        if (n->recount_idle != quota_share(n, index, name).idle) {
            return err_set(err, -EUCLEAN, "tenant %s: %s when idle: %" PRId64 ", counted %" PRId64, n->rule.path, name,
                           quota_share(n, index, name).idle, n->recount_idle);
        }
        if (up) { /* D is what the children don't use */
            up->recount_left += quota_used(n, index, name) +
                                quota_gives(ledger_bound(&n->rule.quota.lend, index, name), n->recount_left);
            up->recount_idle += quota_gives(ledger_bound(&n->rule.quota.lend, index, name), n->recount_idle);
        } else if (quota_share(n, index, name).total != total) {
            return err_set(err, -EUCLEAN, "%s guaranteed: %" PRId64 " noted, %" PRId64 " counted", name,
                           quota_share(n, index, name).total, total);
        }
    }
    return 0;
}

int quota_verify(struct node *const *sorted, size_t count, struct err *err)
{
    static const char *const fixed[LEDGER_FIXED_RESOURCES] = {"cpu", "memory", "scratch"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < LEDGER_FIXED_RESOURCES; i++) {
        rc = verify_one(sorted, count, i, fixed[i], err);
    }
    /* A resource that nobody has a share of needs no recount: its have is 0 everywhere. */
    for (size_t i = 0; rc == 0 && i < count; i++) {
        for (size_t k = 0; rc == 0 && k < sorted[i]->quota.generic_count; k++) {
            rc = verify_one(sorted, count, LEDGER_FIXED_RESOURCES, sorted[i]->quota.generic[k].name, err);
        }
    }
    return rc;
}

static bool sum_is_exact(const struct ledger *l, const struct policy_change *change, size_t index)
{
    const struct tenant_rule *rules = change->tenants.v;
    int64_t sum = quota_share(l->root, index, "").total;
    for (size_t i = 0; i < change->tenants.count; i++) {
        const struct node *n = ledger_node(l, rules[i].path);
        int64_t nominal = quota_exact(ledger_resource_get(&rules[i].quota.guaranteed, index, ""));
        sum += nominal - (n ? quota_share(n, index, "").nominal : 0);
        if (sum > LEDGER_COUNT_MAX) {
            return false;
        }
    }
    return true;
}

bool quota_sum_is_exact(const struct ledger *l, const struct policy_change *change)
{
    bool is = true;
    for (size_t i = 0; i < LEDGER_FIXED_RESOURCES; i++) {
        is = is && sum_is_exact(l, change, i);
    }
    return is;
}
