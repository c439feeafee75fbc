/* What an admin's change means for the tables: who may see what, the price book, the currency. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "quotas/ledger_names.h"
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
    for (size_t i = 0; i < p->per_gib.count && r >= 0; i++)
        r = book_run(b, SQL_PRICE_ADD, err, "itu", (int64_t)p->version, p->per_gib.v[i].name, p->per_gib.v[i].value);
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

static int tenant_rule_of(struct book *b, const char *path, struct tenant_rule *ret, struct err *err)
{
    sqlite3_stmt *s = b->sql[SQL_TENANT_RULE];
    int r = db_bind(s, "t", path);
    r = r < 0 ? r : db_step(s, err);
    if (r <= 0)
        return r < 0 ? r : err_set(err, -EPROTO, "tenant %s is not known", path);
    *ret = (struct tenant_rule){0};
    r = fields_decode(&tenant_rule_fields, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), ret, err);
    sqlite3_reset(s);
    return r;
}

static int move_tenant(struct book *b, const char *path, const struct fact_tenant_moved *m, struct err *err)
{
    struct tenant_rule rule;
    int r = tenant_rule_of(b, path, &rule, err);
    if (r < 0)
        return r;
    free(rule.path);
    rule.path = ledger_moved_name(path, m->from, m->to);
    r = rule.path == NULL ? err_set(err, -ENOMEM, "no memory") : remove_tenant(b, path, err);
    r = r < 0 ? r : set_tenant(b, &rule, err);
    fields_clear(&tenant_rule_fields, &rule);
    return r;
}

/* The accounts have other names from now on, as in the store. A job stays the tenant's to whom it was submitted: what a
 * period has charged to whom doesn't change afterwards. */
static int rename_account(struct book *b, const char *from, const char *to, struct err *err)
{
    int r = book_run(b, SQL_SETS_MOVE, err, "tt", from, to);
    return r < 0 ? r : book_run(b, SQL_MEMBERS_MOVE, err, "tt", from, to);
}

/* An account that was closed makes room for one that comes to bear its name: it is called by its end from now on. */
static int make_room(struct book *b, const char *account, struct err *err)
{
    char other[LEDGER_ACCOUNT_MAX + 24];
    sqlite3_stmt *s = b->sql[SQL_CLOSED_FIND];
    int r = db_bind(s, "t", account);
    if (r == 0)
        r = db_step(s, err);
    int64_t seq = r == 1 ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    if (r < 0 || seq == 0)
        return MIN(r, 0);
    snprintf(other, sizeof other, "%s~%" PRId64, account, seq);
    r = rename_account(b, account, other, err);
    return r < 0 ? r : book_run(b, SQL_CLOSED_MOVE, err, "tt", account, other);
}

int book_accounts_closed(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    const struct list *accounts = &fact->accounts_closed.accounts;
    const struct closed_account *v = accounts->v;
    int r = 0;
    for (size_t i = 0; i < accounts->count && r >= 0; i++) {
        if (v[i].account == NULL)
            return err_set(err, -EPROTO, "an account without a name");
        r = book_run(b, SQL_CLOSED_ADD, err, "tuti", v[i].account, seq, v[i].resource, v[i].spent_micros);
    }
    return MIN(r, 0);
}

int book_tenant_moved(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)seq;
    const struct fact_tenant_moved *m = &fact->tenant_moved;
    int r = 0;
    for (size_t i = 0; i < m->tenants.count && r >= 0; i++)
        r = move_tenant(b, m->tenants.v[i], m, err);
    for (size_t i = 0; i < m->accounts.count && r >= 0; i++) {
        const struct pair *p = &m->accounts.v[i];
        r = make_room(b, p->value, err);
        r = r < 0 ? r : rename_account(b, p->key, p->value, err);
    }
    return r;
}
