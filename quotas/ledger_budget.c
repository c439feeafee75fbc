/* The budgets of tenants: which accounts there are at an instant, how they open, what a policy makes of them. */
#include <errno.h>
#include <string.h>

#include "quotas/ledger_state.h"

/* ---- zones ------------------------------------------------------------------------------------------------- */

const struct zone_table *ledger_zone(const struct ledger *l, const char *name)
{
    return name ? map_find(&l->zones, name, strlen(name)) : NULL;
}

bool ledger_each_zone(const struct ledger *l, bool (*fn)(const struct zone_table *zone, void *arg), void *arg)
{
    size_t at = 0;
    for (const struct zone_table *z; (z = map_each(&l->zones, &at)) != NULL;) {
        if (!fn(z, arg)) {
            return false;
        }
    }
    return true;
}

static void zone_free(struct zone_table *z)
{
    fields_clear(&zone_table_fields, z);
    free(z);
}

void ledger_zones_apply(struct ledger *l, const struct list *zones)
{
    for (size_t i = 0; i < zones->count; i++) {
        const struct zone_table *from = &((const struct zone_table *)zones->v)[i];
        struct zone_table *z = calloc(1, sizeof *z), *old;
        if (!z || !from->name || fields_copy(&zone_table_fields, from, z) < 0) {
            abort();
        }
        old = map_find(&l->zones, z->name, strlen(z->name));
        if (old) {
            map_remove(&l->zones, old->name, strlen(old->name));
            zone_free(old);
        }
        map_put(&l->zones, z->name, strlen(z->name), z);
    }
}

void ledger_budgets_free(struct ledger *l)
{
    size_t at = 0;
    for (struct zone_table *z; (z = map_each(&l->zones, &at)) != NULL;) {
        zone_free(z);
    }
    map_fini(&l->zones);
}

/* ---- which there are --------------------------------------------------------------------------------------- */

static bool text_is(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool ledger_budget_at(const struct ledger *l, const struct tenant_rule *tenant, const struct budget_rule *rule,
                      int64_t utc_us, struct ledger_budget *ret)
{
    ret->tenant = tenant->path;
    ret->rule = rule;
    period_of(rule, ledger_zone(l, rule->zone), utc_us, &ret->period);
    return ledger_budget_account(tenant->path, rule->name, ret->period.name, ret->account) != NULL;
}

static bool root_has_total(const struct tenant_rule *root)
{
    return ledger_budget_is_total(&root->budget);
}

static void fill_total(struct ledger_budget *ret)
{
    const struct budget_rule for_ever = {.period = PERIOD_TOTAL};
    *ret = (struct ledger_budget){.tenant = TENANT_ROOT};
    period_of(&for_ever, NULL, 0, &ret->period);
    memcpy(ret->account, LEDGER_ROOT_TOTAL, sizeof LEDGER_ROOT_TOTAL);
}

int ledger_each_budget(const struct ledger *l, const struct strs *path, int64_t utc_us,
                       bool (*fn)(const struct ledger_budget *budget, void *arg), void *arg)
{
    struct ledger_budget b;
    for (size_t i = 0; i < path->count; i++) {
        const struct node *n = ledger_node(l, path->v[i]);
        if (!n) {
            return -ENOENT;
        }
        size_t at = 0;
        for (const struct budget_rule *rule; (rule = ledger_rule_budget(&n->rule, &at)) != NULL;) {
            if (ledger_budget_at(l, &n->rule, rule, utc_us, &b) && !fn(&b, arg)) {
                return 0;
            }
        }
    }
    if (!root_has_total(&l->root->rule)) {
        fill_total(&b);
        (void)fn(&b, arg);
    }
    return 0;
}

struct names_wanted {
    struct strs *ret;
    int rc;
};

static bool add_money(const struct ledger_budget *b, void *arg)
{
    struct names_wanted *w = arg;
    if (!b->rule || !b->rule->resource) {
        w->rc = strs_add(w->ret, b->account);
    }
    return w->rc == 0;
}

int ledger_accounts(const struct ledger *l, const struct strs *path, int64_t utc_us, struct strs *ret)
{
    struct names_wanted w = {ret, 0};
    int rc = ledger_each_budget(l, path, utc_us, add_money, &w);
    return rc < 0 ? rc : w.rc;
}

/* ---- opening ----------------------------------------------------------------------------------------------- */

static const struct snapshot_budget *since_find(const struct node *n, const char *budget)
{
    const struct snapshot_budget *v = n->since.v;
    for (size_t i = 0; i < n->since.count; i++) {
        if (text_is(v[i].budget, budget)) {
            return &v[i];
        }
    }
    return NULL;
}

/* What a period without holds would have had: all of it, if there was such a budget. */
static int64_t left_unopened(const struct node *n, const struct budget_rule *rule, const struct period *p)
{
    const struct snapshot_budget *s = since_find(n, rule->name);
    return s && s->since_utc_us < p->to_utc_us ? rule->limit_micros : 0;
}

/* What the period before has left at this moment. */
static int64_t carried(const struct ledger *l, const struct node *n, const struct ledger_budget *b)
{
    struct period before;
    char name[LEDGER_ACCOUNT_MAX];
    const struct budget_rule *rule = b->rule;
    if (rule->carry == CARRY_NONE || !period_before(rule, ledger_zone(l, rule->zone), &b->period, &before) ||
        !ledger_budget_account(b->tenant, rule->name, before.name, name)) {
        return 0;
    }
    const struct account *a = ledger_account_find(l, name);
    int64_t left = 0;
    if (!a) {
        left = left_unopened(n, rule, &before);
    } else if (text_is(a->resource, rule->resource)) {
        left = (a->limit >= 0 ? a->limit : rule->limit_micros + a->carried) - a->spent - a->held;
    }
    left = rule->carry == CARRY_CAPPED ? MIN(left, rule->carry_max_micros) : left;
    return MIN(MAX(left, 0), LEDGER_COUNT_MAX - rule->limit_micros);
}

/* Which budget has this account at this instant. */
static const struct node *budget_of(const struct ledger *l, const char *account, int64_t utc_us,
                                    struct ledger_budget *ret)
{
    char tenant[LEDGER_TENANT_MAX];
    const struct node *n = ledger_node(l, ledger_account_tenant(account, tenant));
    size_t at = 0;
    if (!n) {
        return NULL;
    }
    for (const struct budget_rule *rule; (rule = ledger_rule_budget(&n->rule, &at)) != NULL;) {
        if (ledger_budget_at(l, &n->rule, rule, utc_us, ret) && strcmp(ret->account, account) == 0) {
            return n;
        }
    }
    if (strcmp(account, LEDGER_ROOT_TOTAL) == 0) {
        fill_total(ret);
        return n;
    }
    return NULL;
}

static int64_t admission_limit(const struct budget_rule *rule, int64_t carried_micros)
{
    return !rule || rule->soft ? -1 : rule->limit_micros + carried_micros;
}

bool ledger_opening(const struct ledger *l, const char *account, int64_t utc_us, struct fact *ret)
{
    struct ledger_budget b;
    const struct node *n = ledger_account_find(l, account) ? NULL : budget_of(l, account, utc_us, &b);
    if (!n) {
        return false;
    }
    int64_t more = b.rule ? carried(l, n, &b) : 0;
    *ret = (struct fact){.kind = FACT_BUDGET_OPENED, .at_utc_us = utc_us};
    struct fact_budget_opened *f = &ret->budget_opened;
    f->limit_micros = admission_limit(b.rule, more);
    f->carried_micros = more;
    f->from_utc_us = b.period.from_utc_us;
    f->to_utc_us = b.period.to_utc_us;
    if (str_set(&f->account, account) < 0 || str_set(&f->tenant, b.tenant) < 0 ||
        str_set(&f->budget, b.rule ? b.rule->name : NULL) < 0 ||
        str_set(&f->resource, b.rule ? b.rule->resource : NULL) < 0) {
        abort();
    }
    return true;
}

bool ledger_opening_for(const struct ledger *l, const struct fact *hold, struct fact *ret)
{
    bool renewed = hold->kind == FACT_HOLD_RENEWED;
    struct fact room;
    const struct fact_placed *placed = renewed ? NULL : &fact_placement(hold, 0, &room)->placed;
    const struct strs *accounts = renewed ? &hold->renewed.accounts : &placed->accounts;
    const struct list *times = renewed ? &hold->renewed.times : &placed->times;
    for (size_t i = 0; i < accounts->count; i++) {
        if (ledger_opening(l, accounts->v[i], hold->at_utc_us, ret)) {
            return true;
        }
    }
    for (size_t i = 0; i < times->count; i++) {
        if (ledger_opening(l, ((const struct time_hold *)times->v)[i].account, hold->at_utc_us, ret)) {
            return true;
        }
    }
    return false;
}

enum ledger_verdict ledger_opened_verdict(const struct ledger *l, const struct fact_budget_opened *f)
{
    char tenant[LEDGER_TENANT_MAX];
    if (!f->account || strlen(f->account) >= LEDGER_ACCOUNT_MAX || f->limit_micros < -1 ||
        f->limit_micros > LEDGER_COUNT_MAX || f->carried_micros < 0 || !ledger_account_tenant(f->account, tenant)) {
        return LEDGER_BAD;
    }
    if (!ledger_node(l, tenant)) {
        return LEDGER_NO_TENANT;
    }
    return ledger_account_find(l, f->account) ? LEDGER_DUPLICATE : LEDGER_FITS;
}

void ledger_opened_apply(struct ledger *l, const struct fact_budget_opened *f)
{
    struct account *a = ledger_account_add(l, f->account, f->limit_micros);
    if (str_set(&a->resource, f->resource) < 0) {
        abort();
    }
    a->carried = f->carried_micros;
    a->from_utc_us = f->from_utc_us;
    a->to_utc_us = f->to_utc_us;
    ledger_touch(l, a);
}

/* ---- since when -------------------------------------------------------------------------------------------- */

/* Another length, zone or resource makes another budget of it. */
static bool same_budget(const struct budget_rule *a, const struct budget_rule *b)
{
    return text_is(a->name, b->name) && text_is(a->resource, b->resource) && text_is(a->zone, b->zone) &&
           a->period == b->period && a->from_utc_us == b->from_utc_us && a->every_days == b->every_days;
}

static int64_t since_of(const struct node *n, const struct budget_rule *rule, int64_t at_utc_us)
{
    size_t at = 0;
    for (const struct budget_rule *old; (old = ledger_rule_budget(&n->rule, &at)) != NULL;) {
        const struct snapshot_budget *s = same_budget(old, rule) ? since_find(n, rule->name) : NULL;
        if (s) {
            return s->since_utc_us;
        }
    }
    return at_utc_us;
}

void ledger_since_apply(struct node *n, const struct tenant_rule *rule, int64_t at_utc_us)
{
    struct list since = {0};
    size_t at = 0;
    for (const struct budget_rule *b; (b = ledger_rule_budget(rule, &at)) != NULL;) {
        struct snapshot_budget *s = list_add(&since, sizeof *s);
        if (!s || str_set(&s->budget, b->name) < 0) {
            abort();
        }
        s->since_utc_us = since_of(n, b, at_utc_us);
    }
    struct snapshot_budget *old = n->since.v;
    for (size_t i = 0; i < n->since.count; i++) {
        free(old[i].budget);
    }
    free(old);
    n->since = since;
}

void ledger_each_since(const struct ledger *l, bool (*fn)(const struct snapshot_budget *since, void *arg), void *arg)
{
    for (size_t i = 0; i < l->nodes.count; i++) {
        const struct node *n = l->sorted[i];
        const struct snapshot_budget *v = n->since.v;
        for (size_t k = 0; k < n->since.count; k++) {
            struct snapshot_budget since = {n->rule.path, v[k].budget, v[k].since_utc_us};
            if (!fn(&since, arg)) {
                return;
            }
        }
    }
}

void ledger_since_restore(struct ledger *l, const struct snapshot_budget *s)
{
    struct node *n = ledger_node(l, s->tenant);
    struct snapshot_budget *mine = n ? (struct snapshot_budget *)(uintptr_t)since_find(n, s->budget) : NULL;
    if (mine) {
        mine->since_utc_us = s->since_utc_us;
    }
}

/* ---- a change of policy ------------------------------------------------------------------------------------ */

/* The policy as it will be: the ledger's, with the change over it. */
struct coming {
    const struct ledger *l;
    struct policy_change *change;
    int64_t utc_us;
    const char *turned; /* an account that would count something else */
};

static const struct zone_table *coming_zone(const struct coming *c, const char *name)
{
    const struct zone_table *v = c->change->zones.v;
    for (size_t i = 0; name && i < c->change->zones.count; i++) {
        if (text_is(v[i].name, name)) {
            return &v[i];
        }
    }
    return ledger_zone(c->l, name);
}

static void limit_add(const struct coming *c, const struct account *a, int64_t limit, const struct period *p)
{
    if (a->limit == limit && a->from_utc_us == p->from_utc_us && a->to_utc_us == p->to_utc_us) {
        return;
    }
    struct account_limit *to = list_add(&c->change->limits, sizeof *to);
    if (!to || str_set(&to->account, a->name) < 0) {
        abort();
    }
    to->limit_micros = limit;
    to->from_utc_us = p->from_utc_us;
    to->to_utc_us = p->to_utc_us;
}

static void coming_limits(struct coming *c, const struct tenant_rule *rule)
{
    size_t at = 0;
    char name[LEDGER_ACCOUNT_MAX];
    for (const struct budget_rule *b; (b = ledger_rule_budget(rule, &at)) != NULL;) {
        struct period p;
        period_of(b, coming_zone(c, b->zone), c->utc_us, &p);
        const char *account = ledger_budget_account(rule->path, b->name, p.name, name);
        const struct account *a = account ? ledger_account_find(c->l, account) : NULL;
        if (a && !text_is(a->resource, b->resource)) {
            c->turned = a->name;
        } else if (a) {
            limit_add(c, a, admission_limit(b, MIN(a->carried, LEDGER_COUNT_MAX - b->limit_micros)), &p);
        }
    }
    const struct account *total = ledger_account_find(c->l, LEDGER_ROOT_TOTAL);
    if (total && strcmp(rule->path, TENANT_ROOT) == 0 && !root_has_total(rule)) {
        struct ledger_budget bare;
        fill_total(&bare);
        limit_add(c, total, -1, &bare.period);
    }
}

static bool is_replaced(const struct map *replaced, const char *path)
{
    return map_find(replaced, path, strlen(path)) != NULL;
}

const char *ledger_new_limits(const struct ledger *l, struct policy_change *change, int64_t utc_us)
{
    struct coming c = {l, change, utc_us, NULL};
    struct map replaced = {0};
    struct tenant_rule *rules = change->tenants.v;
    for (size_t i = 0; i < change->tenants.count; i++) {
        coming_limits(&c, &rules[i]);
        if (!is_replaced(&replaced, rules[i].path)) {
            map_put(&replaced, rules[i].path, strlen(rules[i].path), &rules[i]);
        }
    }
    /* Other offsets move the bounds of everybody's periods. */
    for (size_t i = 0; change->zones.count > 0 && i < l->nodes.count; i++) {
        if (!is_replaced(&replaced, l->sorted[i]->rule.path)) {
            coming_limits(&c, &l->sorted[i]->rule);
        }
    }
    map_fini(&replaced);
    return c.turned;
}
