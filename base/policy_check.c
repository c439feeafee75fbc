/* Whether a policy holds together: what no row of its tables can say alone. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/job_spec.h"
#include "base/mount_name.h"
#include "base/parse.h"
#include "base/policy.h"
#include "base/zone.h"

#define TENANT_PATH_ROOM 256

static int compare_tenants(const void *a, const void *b)
{
    const struct tenant_rule *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* The rule for a path in a sorted list; NULL: there is none. */
static const struct tenant_rule *find_tenant(const struct list *tenants, const char *path)
{
    const struct tenant_rule *rules = tenants->v;
    size_t low = 0, high = tenants->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(rules[mid].path, path);
        if (order == 0)
            return &rules[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* False: it is at the top. */
static bool parent_path(const char *path, char out[TENANT_PATH_ROOM])
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return false;
    snprintf(out, TENANT_PATH_ROOM, "%.*s", (int)(slash - path), path);
    return true;
}

static int check_generic(const struct counts *counts, const char *where, struct err *err)
{
    for (size_t i = 0; i < counts->count; i++) {
        struct err inner = {0};
        if (parse_name(counts->v[i].name, RESOURCE_NAME_MAX, &inner) < 0)
            return err_set(err, -EINVAL, "%s: %s", where, err_text(&inner));
    }
    return 0;
}

static int check_seccomp(const struct tenant_rule *rule, struct err *err)
{
    for (size_t i = 0; i < rule->seccomp.count; i++) {
        if (!seccomp_name_is_valid(rule->seccomp.v[i]))
            return err_set(err, -EINVAL, "tenants.%s.seccomp: '%.40s' is not a profile's name; a-z, 0-9 and '-'",
                           rule->path, rule->seccomp.v[i]);
    }
    return 0;
}

static int check_volumes(const struct tenant_rule *rule, struct err *err)
{
    for (size_t i = 0; i < rule->volumes.count; i++) {
        const struct pair *p = &rule->volumes.v[i];
        struct err inner = {0};
        if (mount_name_check(p->key, &inner) < 0)
            return err_set(err, -EINVAL, "tenants.%s.volumes.%s: %s", rule->path, p->key, err_text(&inner));
        if (strcmp(p->value, VOLUME_READ) != 0 && strcmp(p->value, VOLUME_WRITE) != 0)
            return err_set(err, -EINVAL, "tenants.%s.volumes.%s: '%s' is neither " VOLUME_READ " nor " VOLUME_WRITE,
                           rule->path, p->key, p->value);
    }
    return 0;
}

static int check_weights(const struct tenant_rule *rule, struct err *err)
{
    for (size_t i = 0; i < rule->weights.count; i++) {
        const struct count *w = &rule->weights.v[i];
        struct err inner = {0};
        if (parse_name(w->name, RESOURCE_NAME_MAX, &inner) < 0)
            return err_set(err, -EINVAL, "tenants.%s.weights: %s", rule->path, err_text(&inner));
        if (strcmp(w->name, "scratch") == 0)
            return err_set(err, -EINVAL, "tenants.%s.weights.scratch: scratch is memory; weigh memory", rule->path);
        if (w->value < 1 || w->value > WEIGHT_MAX)
            return err_set(err, -EINVAL, "tenants.%s.weights.%s: 1 to %d", rule->path, w->name, WEIGHT_MAX);
    }
    return 0;
}

static int check_order(const struct order_rule *o, struct err *err)
{
    if (o->half_life_ms != 0 && o->half_life_ms < 60000)
        return err_set(err, -EINVAL, "order.half_life: at least 1m");
    if (o->age_ms != 0 && o->age_ms < 1000)
        return err_set(err, -EINVAL, "order.age: at least 1s");
    return 0;
}

static int check_preempt(const struct preempt_rule *r, struct err *err)
{
    if (r->min_run_ms != 0 && r->min_run_ms < 1000)
        return err_set(err, -EINVAL, "preempt.min_run: at least 1s");
    return 0;
}

/* ---- budgets ---------------------------------------------------------------------------------------- */

static int bad(struct err *err, const char *where, const char *field, const char *why)
{
    return err_set(err, -EINVAL, "%s.%s: %s", where, field, why);
}

static bool is_day(int64_t utc_us)
{
    return utc_us != 0 && utc_us % (INT64_C(86400) * 1000000) == 0;
}

static int check_days(const struct budget_rule *b, const char *where, struct err *err)
{
    bool custom = b->period == PERIOD_CUSTOM, fixed = b->period == PERIOD_FIXED;
    if (!custom && !fixed && b->from_utc_us != 0)
        return bad(err, where, "from", "only with period: custom or fixed");
    if (!fixed && b->to_utc_us != 0)
        return bad(err, where, "to", "only with period: fixed");
    if (!custom && b->every_days != 0)
        return bad(err, where, "every_days", "only with period: custom");
    if ((custom || fixed) && !is_day(b->from_utc_us))
        return bad(err, where, "from", "write a day, like 2026-01-05; it begins at that midnight of its zone");
    if (fixed && (!is_day(b->to_utc_us) || b->to_utc_us <= b->from_utc_us))
        return bad(err, where, "to", "write a later day, like 2026-03-01; it ends at that midnight of its zone");
    if (custom && b->every_days == 0)
        return bad(err, where, "every_days", "how many days make a period? 1 to 3660");
    return 0;
}

static int check_carry(const struct budget_rule *b, const char *where, struct err *err)
{
    if (b->carry != CARRY_NONE && (b->period == PERIOD_TOTAL || b->period == PERIOD_FIXED))
        return bad(err, where, "carry", "there is no next period");
    if (b->carry == CARRY_CAPPED && b->carry_max_micros == 0)
        return bad(err, where, "carry_max", "carry: capped needs one");
    if (b->carry != CARRY_CAPPED && b->carry_max_micros != 0)
        return bad(err, where, "carry_max", "only with carry: capped");
    return 0;
}

static int check_thresholds(const struct budget_rule *b, const char *where, struct err *err)
{
    const struct threshold_rule *t = b->thresholds.v;
    for (size_t i = 0; i < b->thresholds.count; i++) {
        if (t[i].of == THRESHOLD_FORECAST && b->period == PERIOD_TOTAL)
            return bad(err, where, "thresholds", "a budget without an end has no forecast");
        for (size_t k = 0; k < i; k++)
            if (t[k].percent == t[i].percent && t[k].of == t[i].of)
                return bad(err, where, "thresholds", "one is there twice");
    }
    return 0;
}

static int check_budget(const struct budget_rule *b, const char *where, struct err *err)
{
    struct err inner = {0};
    if (b->resource != NULL && parse_name(b->resource, RESOURCE_NAME_MAX, &inner) < 0)
        return bad(err, where, "resource", err_text(&inner));
    if (b->resource != NULL && strcmp(b->resource, RESOURCE_IO) == 0)
        return bad(err, where, "resource", "nobody holds I/O for a time; price it as per_gib.io, and limit money");
    if (b->zone != NULL && zone_name_check(b->zone, &inner) < 0)
        return bad(err, where, "zone", err_text(&inner));
    if (b->zone != NULL && b->period == PERIOD_TOTAL)
        return bad(err, where, "zone", "a budget for ever has no midnights");
    int rc = check_days(b, where, err);
    rc = rc < 0 ? rc : check_carry(b, where, err);
    return rc < 0 ? rc : check_thresholds(b, where, err);
}

static int check_budgets(const struct tenant_rule *rule, struct err *err)
{
    char where[300];
    const struct budget_rule *v = rule->budgets.v;
    snprintf(where, sizeof where, "tenants.%.200s.budget", rule->path);
    int rc = rule->budget.present ? check_budget(&rule->budget, where, err) : 0;
    if (rc == 0 && (rule->budget.name != NULL || rule->budget.resource != NULL))
        return bad(err, where, "resource", "this one is money; write it under budgets, with a name");
    for (size_t i = 0; rc == 0 && i < rule->budgets.count; i++) {
        struct err inner = {0};
        snprintf(where, sizeof where, "tenants.%.200s.budgets.%.31s", rule->path, v[i].name != NULL ? v[i].name : "");
        if (v[i].name == NULL || parse_name(v[i].name, BUDGET_NAME_MAX, &inner) < 0)
            return err_set(err, -EINVAL, "%s: %s", where, err_text(&inner));
        for (size_t k = 0; k < i; k++)
            if (strcmp(v[k].name, v[i].name) == 0)
                return err_set(err, -EINVAL, "%s: is there twice", where);
        rc = check_budget(&v[i], where, err);
    }
    return rc;
}

static int add_zone(struct strs *to, const char *zone)
{
    for (size_t i = 0; zone != NULL && i < to->count; i++)
        if (strcmp(to->v[i], zone) == 0)
            return 0;
    return zone == NULL ? 0 : strs_add(to, zone);
}

int policy_zones(const struct policy_file *file, struct strs *ret)
{
    const struct tenant_rule *rules = file->tenants.v;
    int rc = file->billing.present ? add_zone(ret, file->billing.zone) : 0;
    for (size_t i = 0; rc == 0 && i < file->tenants.count; i++) {
        const struct budget_rule *further = rules[i].budgets.v;
        if (rules[i].budget.present)
            rc = add_zone(ret, rules[i].budget.zone);
        for (size_t k = 0; rc == 0 && k < rules[i].budgets.count; k++)
            rc = add_zone(ret, further[k].zone);
    }
    return rc;
}

/* ---- guarantees ---- */

#define FIXED 3
static const char *const fixed_names[FIXED] = {"cpu", "memory", "scratch"};

static uint64_t fixed_of(const struct resources *r, size_t i)
{
    const uint64_t amounts[FIXED] = {r->cpu_milli, r->mem_bytes, r->scratch_bytes};
    return amounts[i];
}

static int check_amounts(const struct counts *counts, const char *path, const char *where, struct err *err)
{
    char place[320];
    snprintf(place, sizeof place, "tenants.%s.quota.%s.generic", path, where);
    for (size_t i = 0; i < counts->count; i++)
        if (counts->v[i].value > GENERIC_MAX)
            return err_set(err, -EINVAL, "%s.%s: above %" PRIu64, place, counts->v[i].name, GENERIC_MAX);
    return check_generic(counts, place, err);
}

/* Nobody can be guaranteed more than they may ever use. */
static int check_below_max(const struct tenant_rule *rule, struct err *err)
{
    const struct quota_rule *q = &rule->quota;
    for (size_t i = 0; i < FIXED; i++)
        if (fixed_of(&q->max, i) != 0 && fixed_of(&q->guaranteed, i) > fixed_of(&q->max, i))
            return err_set(err, -EINVAL, "tenants.%s.quota.guaranteed.%s: is above its quota.%s", rule->path,
                           fixed_names[i], fixed_names[i]);
    for (size_t i = 0; i < q->guaranteed.generic.count; i++) {
        const struct count *c = &q->guaranteed.generic.v[i];
        uint64_t max = counts_get(&q->max.generic, c->name);
        if (max != 0 && c->value > max)
            return err_set(err, -EINVAL, "tenants.%s.quota.guaranteed.generic.%s: is above its quota.generic.%s",
                           rule->path, c->name, c->name);
    }
    return 0;
}

static bool bounds_are_empty(const struct resource_bounds *b)
{
    return !is_measured(b->cpu_milli) && !is_measured(b->mem_bytes) && !is_measured(b->scratch_bytes) &&
           b->generic.count == 0;
}

static int check_guarantee(const struct tenant_rule *rule, struct err *err)
{
    const struct quota_rule *q = &rule->quota;
    if (strcmp(rule->path, TENANT_ROOT) == 0 && !(bounds_are_empty(&q->borrow) && bounds_are_empty(&q->lend)))
        return err_set(err, -EINVAL, "tenants./.quota.%s: there is nobody above the cell to %s",
                       bounds_are_empty(&q->borrow) ? "lend" : "borrow",
                       bounds_are_empty(&q->borrow) ? "lend to" : "borrow from");
    int rc = check_amounts(&q->guaranteed.generic, rule->path, "guaranteed", err);
    rc = rc < 0 ? rc : check_amounts(&q->borrow.generic, rule->path, "borrow", err);
    rc = rc < 0 ? rc : check_amounts(&q->lend.generic, rule->path, "lend", err);
    return rc < 0 ? rc : check_below_max(rule, err);
}

/* Sums of guarantees are counters of the ledger: exact where doubles are. */
static int check_guaranteed_sum(const struct list *tenants, struct err *err)
{
    const struct tenant_rule *rules = tenants->v;
    for (size_t i = 0; i < FIXED; i++) {
        uint64_t sum = 0;
        for (size_t t = 0; t < tenants->count; t++) {
            sum += fixed_of(&rules[t].quota.guaranteed, i); /* below 2^50 each */
            if (sum > GUARANTEED_SUM_MAX)
                return err_set(err, -EINVAL, "tenants.%s.quota.guaranteed.%s: all of them together exceed 2^53",
                               rules[t].path, fixed_names[i]);
        }
    }
    return 0;
}

/* Of a disk, percent, by all together; what is reserved below a tenant is a part of its own. Parents come before their
 * children. `below`: a number for each. */
static uint32_t reserved_together(const struct list *tenants, size_t count, uint32_t *below)
{
    const struct tenant_rule *rules = tenants->v;
    uint32_t sum = 0;
    memset(below, 0, count * sizeof *below);
    for (size_t i = count; i-- > 0;) {
        char name[TENANT_PATH_ROOM];
        const struct tenant_rule *parent = parent_path(rules[i].path, name) ? find_tenant(tenants, name) : NULL;
        *(parent != NULL ? &below[parent - rules] : &sum) += MAX(rules[i].io.reserved_percent, below[i]);
    }
    return sum;
}

static int check_reserved(const struct list *tenants, struct err *err)
{
    const struct tenant_rule *rules = tenants->v;
    uint32_t *below = calloc(tenants->count + 1, sizeof *below);
    if (below == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    size_t i = tenants->count;
    uint32_t sum = reserved_together(tenants, i, below);
    if (sum > IO_RESERVED_MAX) /* which of them is it? */
        for (i = 0, sum = 0; sum <= IO_RESERVED_MAX;)
            sum = reserved_together(tenants, ++i, below);
    free(below);
    if (sum <= IO_RESERVED_MAX)
        return 0;
    return err_set(err, -EINVAL, "tenants.%s.io.reserved_percent: with it all have %u %% together; at most %u",
                   rules[i - 1].path, sum, IO_RESERVED_MAX);
}

static int check_io(const struct list *tenants, struct err *err)
{
    const struct tenant_rule *rules = tenants->v;
    for (size_t i = 0; i < tenants->count; i++)
        if (strcmp(rules[i].path, TENANT_ROOT) == 0 && !io_rule_is_empty(&rules[i].io))
            return err_set(err, -EINVAL, "tenants./.io: the cell has no siblings and no jobs of its own");
    return check_reserved(tenants, err);
}

static int check_tenants(struct list *tenants, struct err *err)
{
    struct tenant_rule *rules = tenants->v;
    if (tenants->count > 1)
        qsort(rules, tenants->count, sizeof *rules, compare_tenants);
    for (size_t i = 0; i < tenants->count; i++) {
        const char *path = rules[i].path;
        struct err inner = {0};
        if (i > 0 && strcmp(rules[i - 1].path, path) == 0)
            return err_set(err, -EINVAL, "tenants.%s: is there twice", path);
        if (strcmp(path, TENANT_ROOT) != 0 && parse_tenant_path(path, &inner) < 0)
            return err_set(err, -EINVAL, "tenants.%s: %s", path, err_text(&inner));
        if (check_generic(&rules[i].quota.max.generic, "tenants: quota.generic", err) < 0 ||
            check_volumes(&rules[i], err) < 0 || check_weights(&rules[i], err) < 0 ||
            check_guarantee(&rules[i], err) < 0)
            return -EINVAL;
        if (check_seccomp(&rules[i], err) < 0 || check_budgets(&rules[i], err) < 0)
            return -EINVAL;
        char parent[TENANT_PATH_ROOM];
        if (parent_path(path, parent) && find_tenant(tenants, parent) == NULL)
            return err_set(err, -EINVAL, "tenants.%s: its parent '%s' is not there; add it", path, parent);
    }
    int rc = check_io(tenants, err);
    return rc < 0 ? rc : check_guaranteed_sum(tenants, err);
}

static int check_per_hour(const struct counts *per_hour, size_t index, const char *in, struct err *err)
{
    if (check_generic(per_hour, "prices: per_hour", err) < 0)
        return -EINVAL;
    for (size_t k = 0; k < per_hour->count; k++) {
        if (strcmp(per_hour->v[k].name, RESOURCE_IO) == 0)
            return err_set(err, -EINVAL, "prices[%zu].%sper_hour.io: I/O is no matter of hours; write it as per_gib.io",
                           index, in);
        if (per_hour->v[k].value > (uint64_t)PRICE_MICROS_MAX)
            return err_set(err, -EINVAL, "prices[%zu].%sper_hour.%s: at most 10000 an hour", index, in,
                           per_hour->v[k].name);
    }
    return 0;
}

static int check_per_gib(const struct counts *per_gib, size_t index, const char *in, struct err *err)
{
    for (size_t k = 0; k < per_gib->count; k++) {
        if (strcmp(per_gib->v[k].name, RESOURCE_IO) != 0)
            return err_set(err, -EINVAL, "prices[%zu].%sper_gib.%.40s: only io is priced so", index, in,
                           per_gib->v[k].name);
        if (per_gib->v[k].value > (uint64_t)PRICE_MICROS_MAX)
            return err_set(err, -EINVAL, "prices[%zu].%sper_gib.io: at most 10000 a GiB", index, in);
    }
    return 0;
}

static int check_classes(const struct price_version *v, size_t index, struct err *err)
{
    const struct price_class *classes = v->classes.v;
    for (size_t i = 0; i < v->classes.count; i++) {
        char in[96];
        snprintf(in, sizeof in, "classes.%s.", classes[i].name != NULL ? classes[i].name : "");
        if (classes[i].name == NULL || classes[i].name[0] == '\0')
            return err_set(err, -EINVAL, "prices[%zu].classes: a class without a name", index);
        for (size_t k = 0; k < i; k++)
            if (strcmp(classes[k].name, classes[i].name) == 0)
                return err_set(err, -EINVAL, "prices[%zu].classes.%s: is there twice", index, classes[i].name);
        int rc = check_per_hour(&classes[i].per_hour, index, in, err);
        rc = rc < 0 ? rc : check_per_gib(&classes[i].per_gib, index, in, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_discounts(const struct price_version *v, size_t index, struct err *err)
{
    for (size_t i = 0; i < v->discounts.count; i++) {
        const struct count *d = &v->discounts.v[i];
        struct err inner = {0};
        if (strcmp(d->name, TENANT_ROOT) != 0 && parse_tenant_path(d->name, &inner) < 0)
            return err_set(err, -EINVAL, "prices[%zu].discounts.%.80s: %s", index, d->name, err_text(&inner));
        if (d->value > PRICE_DISCOUNT_MAX)
            return err_set(err, -EINVAL, "prices[%zu].discounts.%s: at most 100 percent", index, d->name);
    }
    return 0;
}

/* Only what every node counts can be charged by use. */
static int check_by(const struct price_version *v, size_t index, struct err *err)
{
    for (size_t i = 0; i < v->by.count; i++) {
        const struct pair *p = &v->by.v[i];
        if (strcmp(p->key, "cpu") != 0 && strcmp(p->key, "memory") != 0)
            return err_set(err, -EINVAL, "prices[%zu].by.%.40s: only the use of cpu and memory is measured", index,
                           p->key);
        if (names_find(&price_by_names, p->value) < 0)
            return err_set(err, -EINVAL, "prices[%zu].by.%s: '%.40s' is none of request, use, greater", index, p->key,
                           p->value);
    }
    return 0;
}

static int check_version(const struct price_version *v, size_t index, struct err *err)
{
    int rc = check_per_hour(&v->per_hour, index, "", err);
    rc = rc < 0 ? rc : check_per_gib(&v->per_gib, index, "", err);
    if (rc == 0 && v->io_allowance != 0 && v->io_allowance < IO_ALLOWANCE_MIN)
        rc = err_set(err, -EINVAL, "prices[%zu].io_allowance: at least 1Mi", index);
    rc = rc < 0 ? rc : check_classes(v, index, err);
    rc = rc < 0 ? rc : check_discounts(v, index, err);
    return rc < 0 ? rc : check_by(v, index, err);
}

static int check_prices(const struct list *prices, struct err *err)
{
    const struct price_version *versions = prices->v;
    for (size_t i = 0; i < prices->count; i++) {
        if (i > 0 && versions[i].from_utc_us <= versions[i - 1].from_utc_us)
            return err_set(err, -EINVAL, "prices[%zu].from: is not after the version before it", i);
        int rc = check_version(&versions[i], i, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool is_currency(const char *text)
{
    for (size_t i = 0; i < 3; i++)
        if (text[i] < 'A' || text[i] > 'Z')
            return false;
    return text[3] == '\0';
}

/* Root is one person, whoever else may act as root. */
static bool has_second_person(const struct strs *admins)
{
    for (size_t i = 0; i < admins->count; i++)
        if (strcmp(admins->v[i], "root") != 0 && strcmp(admins->v[i], "uid:0") != 0)
            return true;
    return false;
}

int policy_file_check(struct policy_file *file, struct err *err)
{
    if (file->two_persons && !has_second_person(&file->admins))
        return err_set(err, -EINVAL, "two_persons: nobody could approve; name an admin beside root");
    if (file->currency != NULL && !is_currency(file->currency))
        return err_set(err, -EINVAL, "currency: '%s' is not three capital letters, like EUR", file->currency);
    int r = check_order(&file->order, err);
    r = r < 0 ? r : check_preempt(&file->preempt, err);
    r = r < 0 ? r : check_prices(&file->prices, err);
    return r < 0 ? r : check_tenants(&file->tenants, err);
}
