/*
 * policy - what the platform admin sets: tenants with quotas and budgets, prices, who may do what.
 * The same table reads the admin's file, travels on the wire and lies in the journal. Documented in reeve-tenants(5).
 *
 *   currency: EUR
 *   admins: [root]
 *   prices:
 *     - {from: 2026-01-01, per_hour: {cpu: 0.04, memory: 0.005, scratch: 0.0001, gpu: 2.50}, per_gib: {io: 0.002}}
 *     - {from: 2026-12-01, per_hour: {cpu: 0.05, memory: 0.005}, classes: {big: {per_hour: {cpu: 0.08}}},
 *        discounts: {acme: 12.5}, preemptible_percent: 40, by: {cpu: use}}
 *   order: {by: share, half_life: 7d, age: 12h}
 *   preempt: {reclaim: preemptible, min_run: 5m, grace: 30s}
 *   tenants:
 *     acme:      {quota: {cpu: 16, memory: 64Gi, max_running: 100, max_queued: 10000, generic: {gpu: 8}},
 *                 budget: {limit: 500.00, period: month}, users: [alice], network_host: false}
 *     acme/etl:  {budget: {limit: 100, period: day}, io: {weight: 300, reserved_percent: 20}}
 *
 * Units: prices are micro-units per core-hour, per GiB-hour (memory, scratch), per unit-hour (generic), per GiB
 * moved (io).
 * Purity: pure.
 */
#ifndef REEVE_BASE_POLICY_H
#define REEVE_BASE_POLICY_H

#include "base/io_rule.h"
#include "base/resources.h"
#include "base/tenant_path.h"

#define CURRENCY_DEFAULT "EUR" /* until a policy names another */
#define TENANTS_MAX 65536
#define TENANT_DEPTH_MAX 8
#define BUDGETS_MAX 16    /* of one tenant, beside its first */
#define BUDGET_NAME_MAX 31
#define THRESHOLDS_MAX 16 /* of one budget */
#define RATE_MAX 10000000 /* tasks a minute */
#define GUARANTEED_SUM_MAX ((UINT64_C(1) << 53) - 1)
#define PROPOSALS_MAX 32  /* that wait for a second admin */
#define PROPOSAL_LINES_MAX (32 * TENANTS_MAX)
#define PRICE_MICROS_MAX INT64_C(10000000000)          /* 10,000 per hour: keeps products inside 128 bits */
#define MONEY_MICROS_MAX (INT64_C(1) << 52)            /* Lua compares exactly below 2^53; 4.5e9 whole units */
#define PRICE_VERSIONS_MAX 1000
#define PRICE_DISCOUNT_MAX UINT64_C(100000000)         /* all of it: millionths of a percent */

enum period_kind {
    PERIOD_TOTAL,
    PERIOD_DAY,
    PERIOD_WEEK,
    PERIOD_MONTH,
    PERIOD_QUARTER,
    PERIOD_YEAR,
    PERIOD_CUSTOM, /* every N days from a date on */
    PERIOD_FIXED,  /* one window; outside of it nothing can be held */
    PERIOD_KIND_COUNT
};
extern const struct names period_kind_names; /* "total", "day", … */

/* What becomes of what a period has left when the next one begins. */
enum carry_kind { CARRY_NONE, CARRY_ALL, CARRY_CAPPED, CARRY_KIND_COUNT };
extern const struct names carry_kind_names;
/* What a threshold looks at: spent; spent and held; spent by the end of the period if it goes on like this. */
enum threshold_of { THRESHOLD_SPENT, THRESHOLD_COMMITTED, THRESHOLD_FORECAST, THRESHOLD_OF_COUNT };
extern const struct names threshold_of_names; /* "spent", "committed", "forecast" */

struct threshold_rule {
    uint32_t percent; /* of the limit, 1 to 1000 */
    uint32_t of;      /* enum threshold_of */
};
/* Money, or the time of one resource: then limit and all amounts are micro-unit-hours (of a core, a GiB, a unit), which
 * is money at a price of 1 per hour. */
struct budget_rule {
    bool present;
    char *name;               /* of a further one; NULL = the tenant's `budget` */
    char *resource;           /* whose time; NULL = money */
    int64_t limit_micros;
    uint32_t period;          /* enum period_kind */
    char *zone;               /* IANA name, whose midnights begin its periods; NULL = UTC */
    int64_t from_utc_us;      /* custom: a first day; fixed: the window, half-open. As days: the UTC midnight that is */
    int64_t to_utc_us;        /* written here stands for the midnight of that day in `zone` */
    uint32_t every_days;      /* custom */
    uint32_t carry;           /* enum carry_kind */
    int64_t carry_max_micros; /* capped */
    bool soft;                /* never refuses: it only warns */
    struct list thresholds;   /* struct threshold_rule */
};
/* Amounts per resource where 0 is an amount: none at all. */
struct resource_bounds {
    struct measure cpu_milli, mem_bytes, scratch_bytes;
    struct counts generic;
};
struct quota_rule {
    struct resources max;    /* used at once; 0 = no limit of this resource (a generic one not named: no limit) */
    uint64_t max_running;    /* attempts at once; 0 = no limit */
    uint64_t max_queued;     /* tasks waiting; 0 = no limit */
    struct resources guaranteed;   /* its own, beside what those below it have; beyond it, it borrows */
    struct resource_bounds borrow; /* at most so much beyond its own; not named = no limit */
    struct resource_bounds lend;   /* at most so much of its own to others; not named = all of it */
    uint32_t submits_per_minute;   /* tasks; 0 = no limit. A minute's worth may come at once */
    uint32_t starts_per_minute;
};
/* At the end of the paid time, when no further slice can be held. */
enum paid_end { PAID_END_STOP, PAID_END_PAUSE, PAID_END_CHECKPOINT, PAID_END_COUNT };
extern const struct names paid_end_names; /* "stop", "pause", "checkpoint" */
/* Which tenant is next, policies/order.h. */
enum order_by { ORDER_BY_SHARE, ORDER_BY_FAIR_TREE, ORDER_BY_COUNT };
extern const struct names order_by_names; /* "share", "fair_tree" */
struct order_rule {
    bool present;
    uint32_t by;             /* enum order_by */
    uint64_t half_life_ms;   /* of past use, policies/fade.h; 0 = default, a week */
    uint64_t age_ms;         /* so long a wait is worth a point of priority; 0 = none is */
};
/* Whose attempts may be stopped so that others get what they are guaranteed, policies/preempt.h. */
enum reclaim_kind { RECLAIM_PREEMPTIBLE, RECLAIM_NEVER, RECLAIM_ANY, RECLAIM_COUNT };
extern const struct names reclaim_names; /* "preemptible", "never", "any" */
struct preempt_rule {
    bool present;
    uint32_t reclaim;        /* enum reclaim_kind */
    uint64_t min_run_ms;     /* nobody is stopped earlier; 0 = default, a minute */
    uint64_t grace_ms;       /* between SIGTERM and SIGKILL; 0 = as at any stop */
};
#define PREEMPT_MIN_RUN_DEFAULT_MS UINT64_C(60000)
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
    struct list budgets;     /* struct budget_rule: further ones, FIELD_KEYED by name */
    uint32_t paid_end;       /* enum paid_end; of the tenant itself, not of those below */
    struct counts weights;   /* resource -> its own weight there, where it isn't `weight` */
    struct io_rule io;       /* of each node's disk */
};
#define WEIGHT_MAX 10000
/* Another price list for nodes whose label "class" has this value. */
struct price_class {
    char *name;
    struct counts per_hour, per_gib;
};
#define PRICE_CLASS_LABEL "class"
/* What is charged: what was asked for, what was used, or whatever is more at each instant. */
enum price_by { PRICE_BY_REQUEST, PRICE_BY_USE, PRICE_BY_GREATER, PRICE_BY_COUNT };
extern const struct names price_by_names; /* "request", "use", "greater" */
struct price_version {
    uint32_t version;        /* given by the scheduler, 1, 2, …; never reused */
    int64_t from_utc_us;
    struct counts per_hour;  /* "cpu", "memory", "scratch" or a generic one -> micro-units; absent = free */
    struct list classes;     /* struct price_class, FIELD_KEYED: what a class doesn't name costs as elsewhere */
    struct counts discounts; /* tenant path -> millionths of a percent off, for it and all below; the nearest holds */
    uint32_t preemptible_percent; /* of the price, for jobs that may be preempted; 0 = 100 */
    struct pairs by;         /* resource -> a name of enum price_by; not named = request */
    struct counts per_gib;   /* RESOURCE_IO -> micro-units per 2^30 bytes, always by use; absent = free */
    uint64_t io_allowance;   /* bytes that a slice holds money for at most; 0 = IO_ALLOWANCE_DEFAULT */
};
#define IO_ALLOWANCE_DEFAULT (UINT64_C(1) << 30)
#define IO_ALLOWANCE_MIN (UINT64_C(1) << 20)
#define IO_ALLOWANCE_MAX (UINT64_C(1) << 50)
/* The offsets of a time zone, as they were known when the policy was set: replay doesn't depend on the machine's
 * tables. */
struct zone_shift {
    int64_t from_utc_us;     /* in force from here on; the first row holds before it, too */
    int32_t offset_s;        /* east of Greenwich */
};
struct zone_table {
    char *name;              /* "Europe/Berlin" */
    struct list shifts;      /* struct zone_shift, rising */
};
#define ZONES_MAX 64
#define ZONE_SHIFTS_MAX 1024
/* Invoices: by calendar month in one zone. */
struct billing_rule {
    bool present;
    char *zone;              /* NULL = UTC */
    uint64_t grace_ms;       /* how long after its end a period takes late usage before it is closed; default a day */
    char *issuer;            /* who sends the bill: a name for finance; NULL = "Reeve (<cell>)" */
};
#define BILLING_GRACE_DEFAULT_MS UINT64_C(86400000)

/* The admin's file: the whole policy as it shall be. Also what admin.get gives back. */
struct policy_file {
    char *currency;                /* ISO 4217; fixed once money was spent */
    struct strs admins;            /* login names or "uid:0"; root always is one */
    struct list prices;            /* struct price_version, dates rising */
    struct list tenants;           /* struct tenant_rule, FIELD_KEYED by path, parents before children after sorting */
    struct billing_rule billing;
    struct order_rule order;
    struct preempt_rule preempt;
    bool two_persons;              /* a raise (core/policy_raise.h) takes effect when a second admin approves it */
};
/* What a table row can't say: dates rise, paths valid, no duplicate, every parent there, names of resources. */
int policy_file_check(struct policy_file *file, struct err *err) MUST_USE;
/* The time zones it names, each once. -ENOMEM. */
int policy_zones(const struct policy_file *file, struct strs *ret) MUST_USE;

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
    struct billing_rule billing;   /* when set_billing */
    bool set_billing;
    struct order_rule order;       /* when set_order */
    bool set_order;
    struct preempt_rule preempt;   /* when set_preempt */
    bool set_preempt;
    bool two_persons, set_two_persons;
    struct list zones;             /* struct zone_table: new ones, and those whose offsets have changed */
    struct list limits;            /* struct account_limit: accounts of running periods whose limit changes with it */
    char *approved_by;             /* the second person, NULL = none was needed */
    uint64_t proposal;             /* the one it puts in force, 0 = none */
};
struct account_limit {
    char *account;
    int64_t limit_micros;          /* -1 = none */
    int64_t from_utc_us, to_utc_us; /* its period, which another zone begins elsewhere; see fact_budget_opened */
};
#define VOLUME_READ "ro"
#define VOLUME_WRITE "rw"
extern const struct fields tenant_rule_fields, quota_rule_fields, budget_rule_fields, resource_bounds_fields;
extern const struct fields order_rule_fields, preempt_rule_fields;
extern const struct fields threshold_rule_fields, billing_rule_fields, zone_table_fields, account_limit_fields;
extern const struct fields price_version_fields, policy_file_fields, policy_change_fields;

#endif
