#include <errno.h>
#include <string.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/claims.h"

static int policy_check(const struct core *c, const struct fact *f, struct err *err)
{
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(c->ledger, f, &b);
    if (verdict != LEDGER_FITS)
        return err_set(err, -EPROTO, "policy.set: %s: %s", b.where != NULL ? b.where : "?",
                       names_get(&ledger_verdict_names, verdict));
    if (f->policy.version <= c->policy_version)
        return err_set(err, -EPROTO, "policy.set: version %llu is not above %llu",
                       (unsigned long long)f->policy.version, (unsigned long long)c->policy_version);
    int rc = proposals_policy_check(c, &f->policy, err);
    rc = rc < 0 ? rc : billing_policy_check(c, &f->policy, err);
    if (rc < 0)
        return rc;
    struct price_book *book;
    rc = f->policy.set_prices ? price_book_new(&book, err) : 0;
    if (f->policy.set_prices && rc == 0) {
        rc = price_book_set(book, &f->policy.prices, err) < 0 ? -EPROTO : 0;
        price_book_free(book);
    }
    return rc;
}

/* Parents first, whatever the order of the list. */
static struct tenant *ensure(struct core *c, const char *path)
{
    struct tenant *t = tenant_find(c, path);
    if (t != NULL)
        return t;
    char parent[256];
    const char *slash = strrchr(path, '/');
    if (slash != NULL && slash != path) {
        size_t len = (size_t)(slash - path);
        BUG(len >= sizeof parent);
        memcpy(parent, path, len);
        parent[len] = '\0';
        (void)ensure(c, parent);
    }
    return tenant_add(c, path);
}

static bool has_classes(const struct list *prices)
{
    bool has = false;
    for (size_t i = 0; i < prices->count; i++)
        has |= ((const struct price_version *)prices->v)[i].classes.count > 0;
    return has;
}

static bool note_guarantee(const struct tenant_rule *rule, void *arg)
{
    bool *some = arg;
    static const struct resources none;
    *some |= !fields_equal(&resources_fields, &rule->quota.guaranteed, &none);
    return !*some;
}

/* The order by tenants' rules and the cell's. */
static void set_order(struct core *c, const struct policy_change *change, int64_t at_utc_us)
{
    uint64_t age_ms = c->order.age_ms;
    if (change->set_order)
        c->order = change->order;
    past_use_rule(c, at_utc_us);
    if (c->order.age_ms != age_ms)
        queue_reorder(c);
    c->guarantees = false;
    ledger_each_tenant(c->ledger, note_guarantee, &c->guarantees);
    claims_rebuild(c);
}

static void policy_apply(struct core *c, const struct fact *f)
{
    const struct policy_change *change = &f->policy;
    ledger_apply(c->ledger, f);
    for (size_t i = 0; i < change->removed.count; i++)
        claims_end(tenant_find(c, change->removed.v[i]));
    for (size_t i = 0; i < change->removed.count; i++)
        tenant_remove(c, tenant_find(c, change->removed.v[i]));
    for (size_t i = 0; i < change->tenants.count; i++) {
        const struct tenant_rule *rule = &((const struct tenant_rule *)change->tenants.v)[i];
        tenant_set_rule(ensure(c, rule->path), rule);
    }
    if (change->set_prices) {
        int rc = price_book_set(c->prices, &change->prices, NULL);
        BUG(rc < 0);
        c->price_classes = has_classes(&change->prices);
    }
    if (change->set_admins) {
        core_clear_strs(&c->admins);
        core_copy_strs(&change->admins, &c->admins);
    }
    if (change->currency != NULL) {
        free(c->currency);
        c->currency = core_text(change->currency);
    }
    billing_policy_apply(c, change, f->at_utc_us);
    if (change->set_two_persons)
        c->two_persons = change->two_persons;
    if (change->set_preempt) {
        c->preempt = change->preempt;
        demands_policy(c);
    }
    set_order(c, change, f->at_utc_us);
    proposals_policy_apply(c, change);
    c->policy_version = change->version;
}
const struct fact_rule rule_policy = {policy_check, policy_apply};
