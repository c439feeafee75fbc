#include "base/policy.h"

#include <errno.h>
#include <string.h>

#include "base/job_spec.h"
#include "base/mount_name.h"
#include "base/parse.h"

static const char *const kind_names[] = {
    [PERIOD_TOTAL] = "total",     [PERIOD_DAY] = "day",         [PERIOD_WEEK] = "week",
    [PERIOD_MONTH] = "month",     [PERIOD_QUARTER] = "quarter", [PERIOD_YEAR] = "year",
};
_Static_assert(COUNT_OF(kind_names) == PERIOD_KIND_COUNT, "a name for each kind of period");
const struct names period_kind_names = {kind_names, COUNT_OF(kind_names)};

static const struct field budget_rows[] = {
    FIELD_ROW(budget_rule, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(budget_rule, 2, "limit", FIELD_MONEY, limit_micros, .flags = FIELD_REQUIRED | FIELD_ALWAYS,
              .max = MONEY_MICROS_MAX, .help = "what may be spent in one period, by it and all below it"),
    FIELD_ROW(budget_rule, 3, "period", FIELD_ENUM, period, .flags = FIELD_ALWAYS, .of = &period_kind_names,
              .help = "day, week, month, quarter, year (UTC) or total"),
};
const struct fields budget_rule_fields = FIELDS_TABLE("budget", budget_rule, budget_rows);

static const struct field quota_rows[] = {
    FIELD_ROW(quota_rule, 1, "cpu", FIELD_CPU, max.cpu_milli, .max = CPU_MILLI_MAX,
              .help = "cores in use at once; absent = no limit"),
    FIELD_ROW(quota_rule, 2, "memory", FIELD_SIZE, max.mem_bytes, .max = MEM_BYTES_MAX,
              .help = "memory in use at once"),
    FIELD_ROW(quota_rule, 3, "scratch", FIELD_SIZE, max.scratch_bytes, .max = MEM_BYTES_MAX,
              .help = "scratch in use at once"),
    FIELD_ROW(quota_rule, 4, "generic", FIELD_COUNTS, max.generic, .max = RESOURCE_GENERIC_MAX,
              .help = "units in use at once: {gpu: 8}"),
    FIELD_ROW(quota_rule, 5, "max_running", FIELD_U64, max_running, .help = "tasks running at once"),
    FIELD_ROW(quota_rule, 6, "max_queued", FIELD_U64, max_queued, .help = "tasks waiting"),
};
const struct fields quota_rule_fields = FIELDS_TABLE("quota", quota_rule, quota_rows);

static const struct field tenant_rows[] = {
    FIELD_ROW(tenant_rule, 1, "path", FIELD_STR, path, .flags = FIELD_REQUIRED, .max = 255,
              .help = "acme/etl: a tenant below acme; / is the cell itself"),
    FIELD_ROW(tenant_rule, 2, "quota", FIELD_STRUCT, quota, .of = &quota_rule_fields,
              .help = "what it and all below it may use at once"),
    FIELD_ROW(tenant_rule, 3, "budget", FIELD_STRUCT, budget, .of = &budget_rule_fields,
              .help = "what it and all below it may spend"),
    FIELD_ROW(tenant_rule, 4, "users", FIELD_STRS, users, .max = 4096,
              .help = "login names or uid:N that may submit here and below"),
    FIELD_ROW(tenant_rule, 5, "network_host", FIELD_BOOL, network_host,
              .help = "may its jobs ask for network: host"),
    FIELD_ROW(tenant_rule, 6, "weight", FIELD_U32, weight, .max = 10000,
              .help = "share among siblings, 1 to 10000; default 1"),
    FIELD_ROW(tenant_rule, 20, "devices", FIELD_STRS, devices, .max = 64,
              .help = "devices of nodes that its jobs may ask for: [fuse]"),
    FIELD_ROW(tenant_rule, 30, "seccomp", FIELD_STRS, seccomp, .max = 64,
              .help = "system call profiles its jobs may name; trace, inline; default: only default"),
    FIELD_ROW(tenant_rule, 40, "volumes", FIELD_PAIRS, volumes, .max = 64,
              .help = "volumes of nodes that its jobs may ask for: {reference: ro, results: rw}"),
    FIELD_ROW(tenant_rule, 41, "network_private", FIELD_BOOL, network_private,
              .help = "may its jobs ask for network: private"),
};
const struct fields tenant_rule_fields = FIELDS_TABLE("tenant", tenant_rule, tenant_rows);

static const struct field price_rows[] = {
    FIELD_ROW(price_version, 1, "from", FIELD_TIME, from_utc_us, .flags = FIELD_REQUIRED | FIELD_ALWAYS,
              .help = "in force from this instant on: 2026-11-01 or 2026-11-01T00:00:00Z"),
    FIELD_ROW(price_version, 2, "per_hour", FIELD_MONEYS, per_hour, .flags = FIELD_ALWAYS,
              .max = RESOURCE_GENERIC_MAX + 3,
              .help = "{cpu: 0.04, memory: 0.005, gpu: 2.50}: per core, GiB or unit and hour"),
    FIELD_ROW(price_version, 3, "version", FIELD_U32, version, .flags = FIELD_OUTPUT,
              .help = "given by the scheduler"),
};
const struct fields price_version_fields = FIELDS_TABLE("price version", price_version, price_rows);

static const struct field file_rows[] = {
    FIELD_ROW(policy_file, 1, "currency", FIELD_STR, currency, .min = 3, .max = 3,
              .help = "ISO 4217; fixed once something was spent; default EUR"),
    FIELD_ROW(policy_file, 2, "admins", FIELD_STRS, admins, .max = 1024,
              .help = "login names or uid:N; root always is one"),
    FIELD_ROW(policy_file, 3, "prices", FIELD_LIST, prices, .of = &price_version_fields,
              .max = PRICE_VERSIONS_MAX, .help = "dated versions of the price book, dates rising"),
    FIELD_ROW(policy_file, 4, "tenants", FIELD_LIST, tenants, .of = &tenant_rule_fields, .flags = FIELD_KEYED,
              .max = TENANTS_MAX, .help = "by path; a parent must be there"),
};
const struct fields policy_file_fields = FIELDS_TABLE("policy", policy_file, file_rows);

static const struct field change_rows[] = {
    FIELD_ROW(policy_change, 1, "version", FIELD_U64, version),
    FIELD_ROW(policy_change, 2, "who", FIELD_STR, who),
    FIELD_ROW(policy_change, 3, "currency", FIELD_STR, currency, .max = 3),
    FIELD_ROW(policy_change, 4, "tenants", FIELD_LIST, tenants, .of = &tenant_rule_fields, .max = TENANTS_MAX),
    FIELD_ROW(policy_change, 5, "removed", FIELD_STRS, removed, .max = TENANTS_MAX),
    FIELD_ROW(policy_change, 6, "prices", FIELD_LIST, prices, .of = &price_version_fields,
              .max = PRICE_VERSIONS_MAX),
    FIELD_ROW(policy_change, 7, "set_prices", FIELD_BOOL, set_prices),
    FIELD_ROW(policy_change, 8, "admins", FIELD_STRS, admins, .max = 1024),
    FIELD_ROW(policy_change, 9, "set_admins", FIELD_BOOL, set_admins),
};
const struct fields policy_change_fields = FIELDS_TABLE("policy change", policy_change, change_rows);

static int compare_tenants(const void *a, const void *b)
{
    const struct tenant_rule *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* The rule for a path in a sorted list. */
static bool has_tenant(const struct list *tenants, const char *path)
{
    const struct tenant_rule *rules = tenants->v;
    size_t low = 0, high = tenants->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(rules[mid].path, path);
        if (order == 0)
            return true;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
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
            check_volumes(&rules[i], err) < 0)
            return -EINVAL;
        if (check_seccomp(&rules[i], err) < 0)
            return -EINVAL;
        const char *slash = strrchr(path, '/');
        if (slash == NULL || slash == path)
            continue;
        char parent[256];
        size_t n = (size_t)(slash - path);
        memcpy(parent, path, n);
        parent[n] = '\0';
        if (!has_tenant(tenants, parent))
            return err_set(err, -EINVAL, "tenants.%s: its parent '%s' is not there; add it", path, parent);
    }
    return 0;
}

static int check_prices(const struct list *prices, struct err *err)
{
    const struct price_version *versions = prices->v;
    for (size_t i = 0; i < prices->count; i++) {
        if (i > 0 && versions[i].from_utc_us <= versions[i - 1].from_utc_us)
            return err_set(err, -EINVAL, "prices[%zu].from: is not after the version before it", i);
        if (check_generic(&versions[i].per_hour, "prices: per_hour", err) < 0)
            return -EINVAL;
        for (size_t k = 0; k < versions[i].per_hour.count; k++)
            if (versions[i].per_hour.v[k].value > (uint64_t)PRICE_MICROS_MAX)
                return err_set(err, -EINVAL, "prices[%zu].per_hour.%s: at most 10000 an hour", i,
                               versions[i].per_hour.v[k].name);
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

int policy_file_check(struct policy_file *file, struct err *err)
{
    if (file->currency != NULL && !is_currency(file->currency))
        return err_set(err, -EINVAL, "currency: '%s' is not three capital letters, like EUR", file->currency);
    int r = check_prices(&file->prices, err);
    return r < 0 ? r : check_tenants(&file->tenants, err);
}
