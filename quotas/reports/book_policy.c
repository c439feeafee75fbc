/* What an admin's change means for the tables: who may see what, the price book, the currency. */
#include <errno.h>

#include "quotas/reports/book_rows.h"

static int save_change(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    const struct policy_change *c = &fact->policy;
    struct buf bytes = {0};
    fields_encode(&policy_change_fields, c, &bytes);
    int r = bytes.failed ? err_set(err, -ENOMEM, "no memory")
                         : book_run(b, SQL_POLICY_ADD, err, "uuitb", seq, c->version, fact->at_utc_us,
                                    c->who != NULL ? c->who : "", buf_text(&bytes), bytes.len);
    buf_fini(&bytes);
    return r;
}

static int set_users(struct book *b, const char *path, const struct strs *users, struct err *err)
{
    int r = book_run(b, SQL_USERS_CLEAR, err, "t", path);
    for (size_t i = 0; i < users->count && r >= 0; i++)
        r = book_run(b, SQL_USER_ADD, err, "tt", path, users->v[i]);
    return r;
}

static int set_tenant(struct book *b, const struct tenant_rule *rule, struct err *err)
{
    if (rule->path == NULL)
        return err_set(err, -EPROTO, "a tenant without a path");
    struct buf bytes = {0};
    fields_encode(&tenant_rule_fields, rule, &bytes);
    int r = bytes.failed ? err_set(err, -ENOMEM, "no memory")
                         : book_run(b, SQL_TENANT_SET, err, "tb", rule->path, buf_text(&bytes), bytes.len);
    buf_fini(&bytes);
    return r >= 0 ? set_users(b, rule->path, &rule->users, err) : r;
}

static int remove_tenant(struct book *b, const char *path, struct err *err)
{
    int r = book_run(b, SQL_TENANT_REMOVE, err, "t", path);
    return r >= 0 ? set_users(b, path, &(struct strs){0}, err) : r;
}

static int set_price(struct book *b, const struct price_version *p, struct err *err)
{
    int r = book_run(b, SQL_PRICE_VERSION, err, "ii", (int64_t)p->version, p->from_utc_us);
    if (r >= 0)
        r = book_run(b, SQL_PRICES_CLEAR, err, "i", (int64_t)p->version);
    for (size_t i = 0; i < p->per_hour.count && r >= 0; i++)
        r = book_run(b, SQL_PRICE_ADD, err, "itu", (int64_t)p->version, p->per_hour.v[i].name, p->per_hour.v[i].value);
    return r;
}

static int set_prices(struct book *b, const struct list *prices, struct err *err)
{
    int r = book_run(b, SQL_PRICES_WITHDRAW, err, "");
    for (size_t i = 0; i < prices->count && r >= 0; i++)
        r = set_price(b, &((const struct price_version *)prices->v)[i], err);
    return r;
}

static int set_admins(struct book *b, const struct strs *admins, struct err *err)
{
    int r = book_run(b, SQL_ADMINS_CLEAR, err, "");
    for (size_t i = 0; i < admins->count && r >= 0; i++)
        r = book_run(b, SQL_ADMIN_ADD, err, "t", admins->v[i]);
    return r;
}

int book_policy_set(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    const struct policy_change *c = &fact->policy;
    int r = save_change(b, seq, fact, err);
    for (size_t i = 0; i < c->tenants.count && r >= 0; i++)
        r = set_tenant(b, &((const struct tenant_rule *)c->tenants.v)[i], err);
    for (size_t i = 0; i < c->removed.count && r >= 0; i++)
        r = remove_tenant(b, c->removed.v[i], err);
    if (r >= 0 && c->set_prices)
        r = set_prices(b, &c->prices, err);
    if (r >= 0 && c->set_admins)
        r = set_admins(b, &c->admins, err);
    if (r >= 0)
        r = book_billing_policy(b, c, err);
    if (r >= 0 && c->currency != NULL)
        r = book_run(b, SQL_META_CURRENCY, err, "t", c->currency);
    return r;
}
