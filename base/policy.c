#include "base/policy.h"
#include "base/job_spec.h"
#include "base/mount_name.h"
#include "base/zone.h"

static const char *const kind_names[] = {
    [PERIOD_TOTAL] = "total",     [PERIOD_DAY] = "day",         [PERIOD_WEEK] = "week",
    [PERIOD_MONTH] = "month",     [PERIOD_QUARTER] = "quarter", [PERIOD_YEAR] = "year",
    [PERIOD_CUSTOM] = "custom",   [PERIOD_FIXED] = "fixed",
};
_Static_assert(COUNT_OF(kind_names) == PERIOD_KIND_COUNT, "a name for each kind of period");
const struct names period_kind_names = {kind_names, COUNT_OF(kind_names)};

static const char *const carry_names[] = {
    [CARRY_NONE] = "none", [CARRY_ALL] = "all", [CARRY_CAPPED] = "capped"};
const struct names carry_kind_names = {carry_names, COUNT_OF(carry_names)};
static const char *const of_names[] = {
    [THRESHOLD_SPENT] = "spent", [THRESHOLD_COMMITTED] = "committed", [THRESHOLD_FORECAST] = "forecast"};
const struct names threshold_of_names = {of_names, COUNT_OF(of_names)};
static const char *const end_names[] = {
    [PAID_END_STOP] = "stop", [PAID_END_PAUSE] = "pause", [PAID_END_CHECKPOINT] = "checkpoint"};
const struct names paid_end_names = {end_names, COUNT_OF(end_names)};
static const char *const by_names[] = {
    [PRICE_BY_REQUEST] = "request", [PRICE_BY_USE] = "use", [PRICE_BY_GREATER] = "greater"};
const struct names price_by_names = {by_names, COUNT_OF(by_names)};

static const char *const order_names[] = {[ORDER_BY_SHARE] = "share", [ORDER_BY_FAIR_TREE] = "fair_tree"};
const struct names order_by_names = {order_names, COUNT_OF(order_names)};
static const char *const reclaims[] = {
    [RECLAIM_PREEMPTIBLE] = "preemptible", [RECLAIM_NEVER] = "never", [RECLAIM_ANY] = "any"};
_Static_assert(COUNT_OF(reclaims) == RECLAIM_COUNT, "a name for each");
const struct names reclaim_names = {reclaims, COUNT_OF(reclaims)};

static const struct field threshold_rows[] = {
    FIELD_ROW(threshold_rule, 1, "percent", FIELD_U32, percent, .flags = FIELD_REQUIRED | FIELD_ALWAYS, .min = 1,
              .max = 1000, .help = "of the limit"),
    FIELD_ROW(threshold_rule, 2, "of", FIELD_ENUM, of, .flags = FIELD_ALWAYS, .of = &threshold_of_names,
              .help = "spent, committed (spent and held) or forecast"),
};
const struct fields threshold_rule_fields = FIELDS_TABLE("threshold", threshold_rule, threshold_rows);

/* What a tenant's `budget` and its further `budgets` have in common. */
#define BUDGET_ROWS                                                                                                  \
    FIELD_ROW(budget_rule, 2, "limit", FIELD_MONEY, limit_micros, .flags = FIELD_REQUIRED | FIELD_ALWAYS,            \
              .max = MONEY_MICROS_MAX, .help = "what may be spent in one period, by it and all below it"),           \
    FIELD_ROW(budget_rule, 3, "period", FIELD_ENUM, period, .flags = FIELD_ALWAYS, .of = &period_kind_names,         \
              .help = "day, week, month, quarter, year, custom, fixed or total"),                                    \
    FIELD_ROW(budget_rule, 6, "zone", FIELD_STR, zone, .max = 63,                                                    \
              .help = "IANA time zone whose midnights begin its periods; default UTC"),                              \
    FIELD_ROW(budget_rule, 7, "from", FIELD_TIME, from_utc_us, .help = "custom: its first day; fixed: the first day"), \
    FIELD_ROW(budget_rule, 8, "to", FIELD_TIME, to_utc_us, .help = "fixed: the day on which it ends"),               \
    FIELD_ROW(budget_rule, 9, "every_days", FIELD_U32, every_days, .max = 3660,                                      \
              .help = "custom: so many days make a period"),                                                         \
    FIELD_ROW(budget_rule, 10, "carry", FIELD_ENUM, carry, .of = &carry_kind_names,                                  \
              .help = "what was left over adds to the next period: none, all or capped"),                            \
    FIELD_ROW(budget_rule, 11, "carry_max", FIELD_MONEY, carry_max_micros, .max = MONEY_MICROS_MAX,                  \
              .help = "capped: at most so much"),                                                                    \
    FIELD_ROW(budget_rule, 12, "soft", FIELD_BOOL, soft, .help = "it only warns: nothing is refused because of it"), \
    FIELD_ROW(budget_rule, 13, "thresholds", FIELD_LIST, thresholds, .of = &threshold_rule_fields,                   \
              .max = THRESHOLDS_MAX, .help = "what is said when so much of it is reached")

static const struct field budget_rows[] = {
    FIELD_ROW(budget_rule, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(budget_rule, 4, "name", FIELD_STR, name, .flags = FIELD_HIDDEN, .max = BUDGET_NAME_MAX),
    FIELD_ROW(budget_rule, 5, "resource", FIELD_STR, resource, .flags = FIELD_HIDDEN, .max = RESOURCE_NAME_MAX),
    BUDGET_ROWS,
};
const struct fields budget_rule_fields = FIELDS_TABLE("budget", budget_rule, budget_rows);

static const struct field named_rows[] = {
    FIELD_ROW(budget_rule, 4, "name", FIELD_STR, name, .flags = FIELD_REQUIRED, .max = BUDGET_NAME_MAX,
              .help = "what it is called: acme#NAME"),
    FIELD_ROW(budget_rule, 5, "resource", FIELD_STR, resource, .max = RESOURCE_NAME_MAX,
              .help = "whose time it counts, in hours of a core, GiB or unit; default: money"),
    BUDGET_ROWS,
};
static const struct fields named_budget_fields = FIELDS_TABLE("budget", budget_rule, named_rows);

static const struct field bound_cpu = {.name = "cpu", .id = 1, .kind = FIELD_CPU, .max = CPU_MILLI_MAX};
static const struct field bound_size = {.name = "size", .id = 1, .kind = FIELD_SIZE, .max = MEM_BYTES_MAX};
static const struct field bounds_rows[] = {
    FIELD_ROW(resource_bounds, 1, "cpu", FIELD_MEASURE, cpu_milli, .of = &bound_cpu,
              .help = "cores; 0 = none at all, absent = no limit"),
    FIELD_ROW(resource_bounds, 2, "memory", FIELD_MEASURE, mem_bytes, .of = &bound_size),
    FIELD_ROW(resource_bounds, 3, "scratch", FIELD_MEASURE, scratch_bytes, .of = &bound_size),
    FIELD_ROW(resource_bounds, 4, "generic", FIELD_COUNTS, generic, .max = RESOURCE_GENERIC_MAX,
              .help = "units: {gpu: 1}"),
};
const struct fields resource_bounds_fields = FIELDS_TABLE("bounds", resource_bounds, bounds_rows);

/* A quota of 0 would be none: who writes it means another thing. */
#define GIVEN .flags = FIELD_MAYBE, .min = 1
static const struct field quota_rows[] = {
    FIELD_ROW(quota_rule, 1, "cpu", FIELD_CPU, max.cpu_milli, GIVEN, .max = CPU_MILLI_MAX,
              .help = "cores in use at once; absent = no limit"),
    FIELD_ROW(quota_rule, 2, "memory", FIELD_SIZE, max.mem_bytes, GIVEN, .max = MEM_BYTES_MAX,
              .help = "memory in use at once"),
    FIELD_ROW(quota_rule, 3, "scratch", FIELD_SIZE, max.scratch_bytes, GIVEN, .max = MEM_BYTES_MAX,
              .help = "scratch in use at once"),
    FIELD_ROW(quota_rule, 4, "generic", FIELD_COUNTS, max.generic, .flags = FIELD_MAYBE, .max = RESOURCE_GENERIC_MAX,
              .help = "units in use at once: {gpu: 8}"),
    FIELD_ROW(quota_rule, 5, "max_running", FIELD_U64, max_running, GIVEN, .help = "tasks running at once"),
    FIELD_ROW(quota_rule, 6, "max_queued", FIELD_U64, max_queued, GIVEN, .help = "tasks waiting"),
    FIELD_ROW(quota_rule, 7, "guaranteed", FIELD_STRUCT, guaranteed, .of = &resources_fields,
              .help = "its own, beside what those below it have; beyond it, it borrows"),
    FIELD_ROW(quota_rule, 8, "borrow", FIELD_STRUCT, borrow, .of = &resource_bounds_fields,
              .help = "the most it and all below it may borrow; absent = no limit"),
    FIELD_ROW(quota_rule, 9, "lend", FIELD_STRUCT, lend, .of = &resource_bounds_fields,
              .help = "the most it and all below it lend to others; absent = all that is free"),
    FIELD_ROW(quota_rule, 10, "submits_per_minute", FIELD_U32, submits_per_minute, GIVEN, .max = RATE_MAX,
              .help = "tasks submitted; a minute's worth may come at once"),
    FIELD_ROW(quota_rule, 11, "starts_per_minute", FIELD_U32, starts_per_minute, GIVEN, .max = RATE_MAX,
              .help = "tasks started; a minute's worth may start at once"),
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
    FIELD_ROW(tenant_rule, 6, "weight", FIELD_U32, weight, GIVEN, .max = WEIGHT_MAX,
              .help = "share among siblings, 1 to 10000; default 1"),
    FIELD_ROW(tenant_rule, 7, "weights", FIELD_COUNTS, weights, .flags = FIELD_MAYBE, .max = RESOURCE_GENERIC_MAX + 2,
              .help = "of a resource, where it isn't the weight: {gpu: 3}; cpu, memory or a generic one"),
    FIELD_ROW(tenant_rule, 8, "io", FIELD_STRUCT, io, .of = &io_rule_fields,
              .help = "what it has of each node's disk"),
    FIELD_ROW(tenant_rule, 20, "devices", FIELD_STRS, devices, .max = 64,
              .help = "devices of nodes that its jobs may ask for: [fuse]"),
    FIELD_ROW(tenant_rule, 30, "seccomp", FIELD_STRS, seccomp, .max = 64,
              .help = "system call profiles its jobs may name; trace, inline; default: only default"),
    FIELD_ROW(tenant_rule, 40, "volumes", FIELD_PAIRS, volumes, .max = 64,
              .help = "volumes of nodes that its jobs may ask for: {reference: ro, results: rw}"),
    FIELD_ROW(tenant_rule, 41, "network_private", FIELD_BOOL, network_private,
              .help = "may its jobs ask for network: private"),
    FIELD_ROW(tenant_rule, 50, "budgets", FIELD_LIST, budgets, .of = &named_budget_fields, .flags = FIELD_KEYED,
              .max = BUDGETS_MAX, .help = "further ones, of money or of a resource's time, by name"),
    FIELD_ROW(tenant_rule, 51, "at_paid_end", FIELD_ENUM, paid_end, .of = &paid_end_names,
              .help = "what becomes of its jobs when nothing more can be held: stop, pause or checkpoint"),
};
const struct fields tenant_rule_fields = FIELDS_TABLE("tenant", tenant_rule, tenant_rows);

static const struct field class_rows[] = {
    FIELD_ROW(price_class, 1, "name", FIELD_STR, name, .flags = FIELD_REQUIRED, .max = 63,
              .help = "value of the label class of nodes"),
    FIELD_ROW(price_class, 2, "per_hour", FIELD_MONEYS, per_hour, .flags = FIELD_ALWAYS,
              .max = RESOURCE_GENERIC_MAX + 3, .help = "what costs something else there"),
    FIELD_ROW(price_class, 3, "per_gib", FIELD_MONEYS, per_gib, .max = 1, .help = "io, where it costs something else"),
};
static const struct fields price_class_fields = FIELDS_TABLE("price class", price_class, class_rows);

static const struct field price_rows[] = {
    FIELD_ROW(price_version, 1, "from", FIELD_TIME, from_utc_us, .flags = FIELD_REQUIRED | FIELD_ALWAYS,
              .help = "in force from this instant on: 2026-11-01 or 2026-11-01T00:00:00Z"),
    FIELD_ROW(price_version, 2, "per_hour", FIELD_MONEYS, per_hour, .flags = FIELD_ALWAYS,
              .max = RESOURCE_GENERIC_MAX + 3,
              .help = "{cpu: 0.04, memory: 0.005, gpu: 2.50}: per core, GiB or unit and hour"),
    FIELD_ROW(price_version, 3, "version", FIELD_U32, version, .flags = FIELD_OUTPUT,
              .help = "given by the scheduler"),
    FIELD_ROW(price_version, 4, "classes", FIELD_LIST, classes, .of = &price_class_fields, .flags = FIELD_KEYED,
              .max = 64, .help = "other prices on nodes whose label class says so: {big: {per_hour: {cpu: 0.08}}}"),
    FIELD_ROW(price_version, 5, "discounts", FIELD_MONEYS, discounts, .max = 4096,
              .help = "percent off for a tenant and all below it, the nearest holds: {acme: 12.5}"),
    FIELD_ROW(price_version, 6, "preemptible_percent", FIELD_U32, preemptible_percent, .max = 100,
              .help = "of the price, for jobs that may be preempted, 1 to 100; default 100"),
    FIELD_ROW(price_version, 7, "by", FIELD_PAIRS, by, .max = 2,
              .help = "{cpu: use, memory: greater}: what is charged; default request"),
    FIELD_ROW(price_version, 8, "per_gib", FIELD_MONEYS, per_gib, .max = 1,
              .help = "{io: 0.002}: per GiB read or written, where nodes count it"),
    FIELD_ROW(price_version, 9, "io_allowance", FIELD_SIZE, io_allowance, .max = IO_ALLOWANCE_MAX,
              .help = "bytes of I/O that money is held for at a time, 1Mi to 1Pi; default 1Gi"),
};
const struct fields price_version_fields = FIELDS_TABLE("price version", price_version, price_rows);

static const struct field billing_rows[] = {
    FIELD_ROW(billing_rule, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(billing_rule, 2, "zone", FIELD_STR, zone, .max = 63, .help = "whose months; default UTC"),
    FIELD_ROW(billing_rule, 3, "grace", FIELD_DURATION, grace_ms, .max = UINT64_C(31) * 86400000,
              .help = "how long a month takes late usage before it is closed; default 24h"),
    FIELD_ROW(billing_rule, 4, "issuer", FIELD_STR, issuer, .max = 255,
              .help = "who sends the bill, as finance knows it; default: Reeve and the cell's name"),
};
const struct fields billing_rule_fields = FIELDS_TABLE("billing", billing_rule, billing_rows);

static const struct field order_rows[] = {
    FIELD_ROW(order_rule, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(order_rule, 2, "by", FIELD_ENUM, by, .of = &order_by_names,
              .help = "share: the least of the cell now goes first; fair_tree: the least past use does"),
    FIELD_ROW(order_rule, 3, "half_life", FIELD_DURATION, half_life_ms, .max = UINT64_C(366) * 86400000,
              .help = "after which past use counts half; default 7d"),
    FIELD_ROW(order_rule, 4, "age", FIELD_DURATION, age_ms, .max = UINT64_C(366) * 86400000,
              .help = "so long a wait is worth a point of priority; default: none is"),
};
const struct fields order_rule_fields = FIELDS_TABLE("order", order_rule, order_rows);

static const struct field preempt_rows[] = {
    FIELD_ROW(preempt_rule, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(preempt_rule, 2, "reclaim", FIELD_ENUM, reclaim, .of = &reclaim_names,
              .help = "who may be stopped for what others are guaranteed: preemptible jobs, nobody, anybody"),
    FIELD_ROW(preempt_rule, 3, "min_run", FIELD_DURATION, min_run_ms, .max = UINT64_C(366) * 86400000,
              .help = "nobody is stopped before it has run so long; default 1m"),
    FIELD_ROW(preempt_rule, 4, "grace", FIELD_DURATION, grace_ms, .max = 3600000,
              .help = "between SIGTERM and SIGKILL; default as at any stop"),
};
const struct fields preempt_rule_fields = FIELDS_TABLE("preempt", preempt_rule, preempt_rows);

static const struct field shift_rows[] = {
    FIELD_ROW(zone_shift, 1, "from", FIELD_I64, from_utc_us),
    FIELD_ROW(zone_shift, 2, "offset_s", FIELD_I32, offset_s),
};
static const struct fields zone_shift_fields = FIELDS_TABLE("zone shift", zone_shift, shift_rows);
static const struct field zone_rows[] = {
    FIELD_ROW(zone_table, 1, "name", FIELD_STR, name, .max = 63),
    FIELD_ROW(zone_table, 2, "shifts", FIELD_LIST, shifts, .of = &zone_shift_fields, .max = ZONE_SHIFTS_MAX),
};
const struct fields zone_table_fields = FIELDS_TABLE("zone", zone_table, zone_rows);
static const struct field limit_rows[] = {
    FIELD_ROW(account_limit, 1, "account", FIELD_STR, account),
    FIELD_ROW(account_limit, 2, "limit", FIELD_MONEY, limit_micros, .flags = FIELD_UNBOUNDED),
    FIELD_ROW(account_limit, 3, "from_utc_us", FIELD_I64, from_utc_us),
    FIELD_ROW(account_limit, 4, "to_utc_us", FIELD_I64, to_utc_us),
};
const struct fields account_limit_fields = FIELDS_TABLE("account limit", account_limit, limit_rows);

static const struct field file_rows[] = {
    FIELD_ROW(policy_file, 1, "currency", FIELD_STR, currency, .min = 3, .max = 3,
              .help = "ISO 4217; fixed once something was spent; default EUR"),
    FIELD_ROW(policy_file, 2, "admins", FIELD_STRS, admins, .max = 1024,
              .help = "login names or uid:N; root always is one"),
    FIELD_ROW(policy_file, 3, "prices", FIELD_LIST, prices, .of = &price_version_fields,
              .max = PRICE_VERSIONS_MAX, .help = "dated versions of the price book, dates rising"),
    FIELD_ROW(policy_file, 4, "tenants", FIELD_LIST, tenants, .of = &tenant_rule_fields, .flags = FIELD_KEYED,
              .max = TENANTS_MAX, .help = "by path; a parent must be there"),
    FIELD_ROW(policy_file, 5, "billing", FIELD_STRUCT, billing, .of = &billing_rule_fields,
              .help = "the months that costs are closed by"),
    FIELD_ROW(policy_file, 6, "two_persons", FIELD_BOOL, two_persons,
              .help = "what gives somebody more is in force only when a second admin has approved it"),
    FIELD_ROW(policy_file, 7, "order", FIELD_STRUCT, order, .of = &order_rule_fields,
              .help = "which tenant, and which of its jobs, is next"),
    FIELD_ROW(policy_file, 8, "preempt", FIELD_STRUCT, preempt, .of = &preempt_rule_fields,
              .help = "who may be stopped when others need their place"),
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
    FIELD_ROW(policy_change, 10, "billing", FIELD_STRUCT, billing, .of = &billing_rule_fields),
    FIELD_ROW(policy_change, 11, "set_billing", FIELD_BOOL, set_billing),
    FIELD_ROW(policy_change, 12, "two_persons", FIELD_BOOL, two_persons),
    FIELD_ROW(policy_change, 13, "set_two_persons", FIELD_BOOL, set_two_persons),
    FIELD_ROW(policy_change, 14, "zones", FIELD_LIST, zones, .of = &zone_table_fields, .max = ZONES_MAX),
    FIELD_ROW(policy_change, 15, "limits", FIELD_LIST, limits, .of = &account_limit_fields, .max = 10000000),
    FIELD_ROW(policy_change, 16, "approved_by", FIELD_STR, approved_by),
    FIELD_ROW(policy_change, 17, "proposal", FIELD_U64, proposal),
    FIELD_ROW(policy_change, 18, "order", FIELD_STRUCT, order, .of = &order_rule_fields),
    FIELD_ROW(policy_change, 19, "set_order", FIELD_BOOL, set_order),
    FIELD_ROW(policy_change, 20, "preempt", FIELD_STRUCT, preempt, .of = &preempt_rule_fields),
    FIELD_ROW(policy_change, 21, "set_preempt", FIELD_BOOL, set_preempt),
};
const struct fields policy_change_fields = FIELDS_TABLE("policy change", policy_change, change_rows);
