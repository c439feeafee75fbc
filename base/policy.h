/*
 * policy - what the platform admin sets: tenants with quotas and budgets, prices, who may do what.
 * The same table reads the admin's file, travels on the wire and lies in the journal. Documented in reeve-tenants(5).
 *
 *   currency: EUR
 *   admins: [root]
 *   prices:
 *     - {from: 2026-01-01, per_hour: {cpu: 0.04, memory: 0.005, scratch: 0.0001, gpu: 2.50}}
 *     - {from: 2026-12-01, per_hour: {cpu: 0.05, memory: 0.005}}
 *   tenants:
 *     acme:      {quota: {cpu: 16, memory: 64Gi, max_running: 100, max_queued: 10000, generic: {gpu: 8}},
 *                 budget: {limit: 500.00, period: month}, users: [alice], network_host: false}
 *     acme/etl:  {budget: {limit: 100, period: day}}
 *
 * Units: prices are micro-units per core-hour, per GiB-hour (memory, scratch), per unit-hour (generic).
 * Purity: pure.
 */
#ifndef REEVE_BASE_POLICY_H
#define REEVE_BASE_POLICY_H

#include "base/resources.h"

#define CURRENCY_DEFAULT "EUR" /* until a policy names another */
#define TENANTS_MAX 65536
#define TENANT_DEPTH_MAX 8
#define TENANT_ROOT "/" /* the cell itself; always there */
#define PRICE_MICROS_MAX INT64_C(10000000000)          /* 10,000 per hour: keeps products inside 128 bits */
#define MONEY_MICROS_MAX (INT64_C(1) << 52)            /* Lua compares exactly below 2^53; 4.5e9 whole units */
#define PRICE_VERSIONS_MAX 1000

enum period_kind {
    PERIOD_TOTAL,
    PERIOD_DAY,
    PERIOD_WEEK,
    PERIOD_MONTH,
    PERIOD_QUARTER,
    PERIOD_YEAR,
    PERIOD_KIND_COUNT
};
extern const struct names period_kind_names; /* "total", "day", … */

struct budget_rule {
    bool present;
    int64_t limit_micros;
    uint32_t period; /* enum period_kind; UTC */
};
struct quota_rule {
    struct resources max;    /* used at once; 0 = no limit of this resource (a generic one not named: no limit) */
    uint64_t max_running;    /* attempts at once; 0 = no limit */
    uint64_t max_queued;     /* tasks waiting; 0 = no limit */
};
struct tenant_rule {
    char *path;              /* "acme/etl" or TENANT_ROOT */
    struct quota_rule quota;
    struct budget_rule budget;
    struct strs users;       /* login names or "uid:1000"; they may use this tenant and everything below it */
    bool network_host;       /* may jobs ask for network: host */
    struct strs devices;     /* names its jobs may ask for in limits.devices */
    struct strs seccomp;     /* profiles its jobs may name, "trace", "inline"; none = what its parent says */
    struct pairs volumes;    /* name -> "ro" or "rw": which its jobs may ask for, and whether to write */
    bool network_private;    /* may jobs ask for network: private */
    uint32_t weight;         /* fair share among siblings; 0 = default 1 */
};
struct price_version {
    uint32_t version;        /* given by the scheduler, 1, 2, …; never reused */
    int64_t from_utc_us;
    struct counts per_hour;  /* "cpu", "memory", "scratch" or a generic one -> micro-units; absent = free */
};

/* The admin's file: the whole policy as it shall be. Also what admin.get gives back. */
struct policy_file {
    char *currency;                /* ISO 4217; fixed once money was spent */
    struct strs admins;            /* login names or "uid:0"; root always is one */
    struct list prices;            /* struct price_version, dates rising */
    struct list tenants;           /* struct tenant_rule, FIELD_KEYED by path, parents before children after sorting */
};
/* What a table row can't say: dates rise, paths valid, no duplicate, every parent there, names of resources. */
int policy_file_check(struct policy_file *file, struct err *err) MUST_USE;

/* What one admin change does; the body of FACT_POLICY_SET. Nothing in it = nothing changes. */
struct policy_change {
    uint64_t version;              /* the policy's version after it */
    char *who;
    char *currency;                /* NULL = unchanged */
    struct list tenants;           /* struct tenant_rule: added or replaced, whole rows */
    struct strs removed;           /* tenant paths */
    struct list prices;            /* struct price_version: the whole book, when set_prices */
    bool set_prices;
    struct strs admins;            /* when set_admins */
    bool set_admins;
};
#define VOLUME_READ "ro"
#define VOLUME_WRITE "rw"
extern const struct fields tenant_rule_fields, quota_rule_fields, budget_rule_fields;
extern const struct fields price_version_fields, policy_file_fields, policy_change_fields;

#endif
