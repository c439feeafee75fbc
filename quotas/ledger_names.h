/*
 * ledger_names - how the things of the ledger are called, and its bounds: for everybody who has to agree with it.
 * Purity: pure.
 */
#ifndef REEVE_QUOTAS_LEDGER_NAMES_H
#define REEVE_QUOTAS_LEDGER_NAMES_H

#include "base/policy.h"
#include "quotas/period.h"

/* Lua counts in doubles: every counter stays where they are exact. */
#define LEDGER_COUNT_MAX ((INT64_C(1) << 53) - 1)
#define LEDGER_PATH_MAX (TENANT_DEPTH_MAX + 1)    /* and the root */
#define LEDGER_ACCOUNTS_MAX (LEDGER_PATH_MAX + 2) /* and "/@total", and the job's own */
#define LEDGER_TENANT_MAX 256                     /* a tenant path and its NUL */
#define LEDGER_ACCOUNT_MAX (LEDGER_TENANT_MAX + 1 + PERIOD_NAME_MAX)
#define LEDGER_JOB_ACCOUNT_MAX 32
#define LEDGER_ROOT_TOTAL "/@total"

/* "job:812" */
const char *ledger_job_account(uint64_t job, char out[LEDGER_JOB_ACCOUNT_MAX]);
/* "acme/etl@2026-11". NULL when the path is longer than a tenant's may be. */
const char *ledger_tenant_account(const char *path, uint32_t period, int64_t utc_us, char out[LEDGER_ACCOUNT_MAX]);
/* "acme/etl@2026-11" -> "acme/etl"; NULL for a job's account. */
const char *ledger_account_tenant(const char *name, char out[LEDGER_TENANT_MAX]);
/* "acme/etl" -> "acme", "acme" -> "/"; NULL for the root. The text lies in `out` or is constant. */
const char *ledger_parent_path(const char *path, char out[LEDGER_TENANT_MAX]);
/* Is this tenant `top` itself or below it? So too for the account of a tenant there, whatever period or budget. */
bool ledger_is_below(const char *path, const char *top);
bool ledger_account_is_below(const char *account, const char *top);
/* The name of a tenant or an account below `from`, once `from` is `to`. The caller frees; NULL on lack of memory. */
char *ledger_moved_name(const char *name, const char *from, const char *to);
/* Path order: '/' before every other character, so that a tenant is followed by everything below it. */
int ledger_path_compare(const char *a, const char *b);
/* "acme/etl" -> 2; the root is no level of its own: 0. */
size_t ledger_path_depth(const char *path);
bool ledger_budget_is_total(const struct budget_rule *budget);

/* One resource by its place: 0 cpu, 1 memory, 2 scratch, then the generic ones. NULL after the last. */
#define LEDGER_FIXED_RESOURCES 3
const char *ledger_resource(const struct resources *r, size_t index, uint64_t *ret_amount);
/* The amount of the same resource (place and name) in another struct. */
uint64_t ledger_resource_get(const struct resources *r, size_t index, const char *name);
/* What a rule bounds of it; -1 = no limit. */
int64_t ledger_bound(const struct resource_bounds *b, size_t index, const char *name);

#endif
