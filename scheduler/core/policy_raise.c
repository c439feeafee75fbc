#include "scheduler/core/policy_raise.h"

#include <string.h>

#include "base/field.h"
#include "scheduler/core/state.h"

void raises_add(struct strs *to, const char *where, const char *what)
{
    struct buf line = {0};
    buf_addf(&line, "%s%s%s", where, where[0] != '\0' ? "  " : "", what);
    int rc = strs_add(to, buf_text(&line));
    BUG(rc < 0);
    buf_fini(&line);
}

/* ---- which way is less ------------------------------------------------------------------------------ */

typedef bool (*less_fn)(const void *before, const void *after);

/* 0 = no limit. */
static bool limit_less(const void *before, const void *after)
{
    uint64_t was = *(const uint64_t *)before, is = *(const uint64_t *)after;
    return is != 0 && (was == 0 || is < was);
}

static bool rate_less(const void *before, const void *after)
{
    uint64_t was = *(const uint32_t *)before, is = *(const uint32_t *)after;
    return limit_less(&was, &is);
}

/* 0 = none. */
static bool percent_less(const void *before, const void *after)
{
    return *(const uint32_t *)after < *(const uint32_t *)before;
}

/* A guarantee that is gone altogether may be the last of its resource, and with it the limit that it was for all. */
static bool amount_less(const void *before, const void *after)
{
    uint64_t was = *(const uint64_t *)before, is = *(const uint64_t *)after;
    return is != 0 && is < was;
}

static bool money_less(const void *before, const void *after)
{
    return *(const int64_t *)after < *(const int64_t *)before;
}

/* Not named = no limit. */
static bool measure_less(const void *before, const void *after)
{
    const struct measure *was = before, *is = after;
    return is_measured(*is) && (!is_measured(*was) || measured(*is) < measured(*was));
}

static bool no_longer(const void *before, const void *after)
{
    return *(const bool *)before && !*(const bool *)after;
}

static const struct count *count_of(const struct counts *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->v[i].name, name) == 0)
            return &c->v[i];
    return NULL;
}

/* Nothing that was named is gone, and nothing is more than it was. */
static bool all_at_most(const struct counts *was, const struct counts *is)
{
    for (size_t i = 0; i < was->count; i++) {
        const struct count *now = count_of(is, was->v[i].name);
        if (now == NULL || now->value > was->v[i].value)
            return false;
    }
    return true;
}

static bool limits_less(const void *before, const void *after)
{
    return all_at_most(before, after);
}

static bool amounts_less(const void *before, const void *after)
{
    const struct counts *was = before, *is = after;
    for (size_t i = 0; i < is->count; i++)
        if (count_of(was, is->v[i].name) == NULL)
            return false;
    return all_at_most(was, is);
}

static bool names_less(const void *before, const void *after)
{
    const struct strs *was = before, *is = after;
    for (size_t i = 0; i < is->count; i++) {
        bool known = false;
        for (size_t k = 0; k < was->count; k++)
            known |= strcmp(is->v[i], was->v[k]) == 0;
        if (!known)
            return false;
    }
    return true;
}

/* None of its own = what its parent says. */
static bool profiles_less(const void *before, const void *after)
{
    return ((const struct strs *)after)->count > 0 && names_less(before, after);
}

static bool volumes_less(const void *before, const void *after)
{
    const struct pairs *was = before, *is = after;
    for (size_t i = 0; i < is->count; i++) {
        const char *old = pairs_get(was, is->v[i].key);
        if (old == NULL || (strcmp(old, is->v[i].value) != 0 && strcmp(is->v[i].value, VOLUME_READ) != 0))
            return false;
    }
    return true;
}

static bool stops_again(const void *before, const void *after)
{
    (void)before;
    return *(const uint32_t *)after == PAID_END_STOP;
}

static bool carries_none(const void *before, const void *after)
{
    (void)before;
    return *(const uint32_t *)after == CARRY_NONE;
}

/* Those that there were are all there still. */
static bool warns_as_before(const void *before, const void *after)
{
    const struct list *was = before, *is = after;
    const struct threshold_rule *old = was->v, *new = is->v;
    for (size_t i = 0; i < was->count; i++) {
        bool kept = false;
        for (size_t k = 0; k < is->count; k++)
            kept |= fields_equal(&threshold_rule_fields, &old[i], &new[k]);
        if (!kept)
            return false;
    }
    return true;
}

/* ---- the tables ------------------------------------------------------------------------------------- */

struct look {
    const char *where; /* tenant */
    struct strs *raises;
};
/* A row without `less` is looked into; a field without a row is a raise when it differs. */
struct direction {
    const char *field;
    less_fn less;
    void (*inside)(const struct look *l, const struct field *row, const void *before, const void *after);
};

static void inside_quantities(const struct look *l, const struct field *row, const void *before, const void *after);
static void inside_guarantee(const struct look *l, const struct field *row, const void *before, const void *after);
static void inside_bounds(const struct look *l, const struct field *row, const void *before, const void *after);
static void inside_io(const struct look *l, const struct field *row, const void *before, const void *after);
static void inside_budget(const struct look *l, const struct field *row, const void *before, const void *after);
static void inside_budgets(const struct look *l, const struct field *row, const void *before, const void *after);

static const struct direction tenant_directions[] = {
    {"quota", NULL, inside_quantities},
    {"budget", NULL, inside_budget},
    {"budgets", NULL, inside_budgets},
    {"users", names_less, NULL},
    {"network_host", no_longer, NULL},
    {"network_private", no_longer, NULL},
    {"devices", names_less, NULL},
    {"seccomp", profiles_less, NULL},
    {"volumes", volumes_less, NULL},
    {"at_paid_end", stops_again, NULL},
    {"io", NULL, inside_io},
};
static const struct direction quota_directions[] = {
    {"cpu", limit_less, NULL},
    {"memory", limit_less, NULL},
    {"scratch", limit_less, NULL},
    {"generic", limits_less, NULL},
    {"max_running", limit_less, NULL},
    {"max_queued", limit_less, NULL},
    {"guaranteed", NULL, inside_guarantee},
    {"borrow", NULL, inside_bounds},
    {"lend", NULL, inside_bounds},
    {"submits_per_minute", rate_less, NULL},
    {"starts_per_minute", rate_less, NULL},
};
static const struct direction guarantee_directions[] = {
    {"cpu", amount_less, NULL},
    {"memory", amount_less, NULL},
    {"scratch", amount_less, NULL},
    {"generic", amounts_less, NULL},
};
static const struct direction bounds_directions[] = {
    {"cpu", measure_less, NULL},
    {"memory", measure_less, NULL},
    {"scratch", measure_less, NULL},
    {"generic", limits_less, NULL},
};
static const struct direction io_directions[] = {
    {"reserved_percent", percent_less, NULL},
    {"limit_percent", rate_less, NULL},
    {"bytes_per_s", limit_less, NULL},
    {"ops_per_s", limit_less, NULL},
};
static const struct direction budget_directions[] = {
    {"limit", money_less, NULL},
    {"carry", carries_none, NULL},
    {"carry_max", money_less, NULL},
    {"soft", no_longer, NULL},
    {"thresholds", warns_as_before, NULL},
};

/* ---- walking ---------------------------------------------------------------------------------------- */

static const struct direction *direction_of(const struct direction *v, size_t count, const char *field)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(v[i].field, field) == 0)
            return &v[i];
    return NULL;
}

static void walk(const struct look *l, const char *prefix, const struct fields *f, const struct direction *directions,
                 size_t count, const void *before, const void *after)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        const struct fields one = {.what = f->what, .size = f->size, .rows = row, .count = 1};
        if (fields_equal(&one, before, after))
            continue;
        const struct direction *d = direction_of(directions, count, row->name);
        const void *was = field_at_const(row, before), *is = field_at_const(row, after);
        if (d != NULL && d->inside != NULL) {
            d->inside(l, row, was, is);
        } else if (d == NULL || !d->less(was, is)) {
            struct buf what = {0};
            buf_addf(&what, "%s%s", prefix, row->name);
            raises_add(l->raises, l->where, buf_text(&what));
            buf_fini(&what);
        }
    }
}

static void inside_quantities(const struct look *l, const struct field *row, const void *before, const void *after)
{
    walk(l, "quota.", row->of, quota_directions, COUNT_OF(quota_directions), before, after);
}

static void inside_guarantee(const struct look *l, const struct field *row, const void *before, const void *after)
{
    walk(l, "quota.guaranteed.", row->of, guarantee_directions, COUNT_OF(guarantee_directions), before, after);
}

static void inside_bounds(const struct look *l, const struct field *row, const void *before, const void *after)
{
    struct buf prefix = {0};
    buf_addf(&prefix, "quota.%s.", row->name);
    walk(l, buf_text(&prefix), row->of, bounds_directions, COUNT_OF(bounds_directions), before, after);
    buf_fini(&prefix);
}

static void inside_io(const struct look *l, const struct field *row, const void *before, const void *after)
{
    walk(l, "io.", row->of, io_directions, COUNT_OF(io_directions), before, after);
}

static void budget(const struct look *l, const char *name, const struct budget_rule *before,
                   const struct budget_rule *after)
{
    struct buf prefix = {0};
    buf_addf(&prefix, name == NULL ? "budget" : "budgets.%s", name);
    if (after == NULL || !after->present) {
        raises_add(l->raises, l->where, buf_text(&prefix));
    } else {
        buf_add_str(&prefix, ".");
        walk(l, buf_text(&prefix), &budget_rule_fields, budget_directions, COUNT_OF(budget_directions), before, after);
    }
    buf_fini(&prefix);
}

static void inside_budget(const struct look *l, const struct field *row, const void *before, const void *after)
{
    (void)row;
    if (((const struct budget_rule *)before)->present) /* a new one can only refuse */
        budget(l, NULL, before, after);
}

static void inside_budgets(const struct look *l, const struct field *row, const void *before, const void *after)
{
    (void)row;
    const struct list *was = before, *is = after;
    const struct budget_rule *old = was->v, *new = is->v;
    for (size_t i = 0; i < was->count; i++) {
        const struct budget_rule *now = NULL;
        for (size_t k = 0; k < is->count; k++)
            if (strcmp(old[i].name, new[k].name) == 0)
                now = &new[k];
        struct budget_rule a = old[i], b = now != NULL ? *now : (struct budget_rule){0}; /* borrow */
        a.present = true; /* in a list they all are */
        b.present = now != NULL;
        if (now == NULL || !fields_equal(&budget_rule_fields, &a, &b))
            budget(l, old[i].name, &a, &b);
    }
}

/* ---- the question ----------------------------------------------------------------------------------- */

static void tenant(const struct core *c, const struct tenant_rule *rule, struct strs *ret)
{
    const struct look l = {rule->path, ret};
    struct tenant_view now;
    if (ledger_tenant(c->ledger, rule->path, c->fact_utc_us, &now))
        walk(&l, "", &tenant_rule_fields, tenant_directions, COUNT_OF(tenant_directions), now.rule, rule);
    else
        raises_add(ret, rule->path, "new tenant");
}

void policy_raises(const struct core *c, const struct policy_change *change, struct strs *ret)
{
    if (change->currency != NULL)
        raises_add(ret, "", "currency");
    if (change->set_admins && !names_less(&c->admins, &change->admins))
        raises_add(ret, "", "admins");
    if (change->set_billing)
        raises_add(ret, "", "billing");
    if (change->set_order)
        raises_add(ret, "", "order");
    if (change->set_preempt)
        raises_add(ret, "", "preempt");
    if (change->set_two_persons && !change->two_persons)
        raises_add(ret, "", "two_persons");
    if (change->set_prices)
        raises_prices(price_book_versions(c->prices), &change->prices, ret);
    for (size_t i = 0; i < change->tenants.count; i++)
        tenant(c, &((const struct tenant_rule *)change->tenants.v)[i], ret);
}
