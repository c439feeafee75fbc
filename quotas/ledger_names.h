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
#define LEDGER_BUDGETS_MAX (BUDGETS_MAX + 1)      /* of one tenant */
/* Of one hold: every budget of the path, "/@total", the job's own. */
#define LEDGER_ACCOUNTS_MAX (LEDGER_PATH_MAX * LEDGER_BUDGETS_MAX + 2)
#define LEDGER_TENANT_MAX 256                     /* a tenant path and its NUL */
#define LEDGER_BUDGET_MAX (BUDGET_NAME_MAX + 1)
#define LEDGER_ACCOUNT_MAX (LEDGER_TENANT_MAX + LEDGER_BUDGET_MAX + 1 + PERIOD_NAME_MAX)
#define LEDGER_JOB_ACCOUNT_MAX 32
#define LEDGER_KEY_MAX (LEDGER_TENANT_MAX + 256)  /* "#<id>:<key>" of an adjustment; "<tenant>:<key>" of old ones */
#define LEDGER_ROOT_TOTAL "/@total"

/* "job:812" */
const char *ledger_job_account(uint64_t job, char out[LEDGER_JOB_ACCOUNT_MAX]);
/* "acme/etl@2026-11"; of a budget with a name: "acme/etl#gpu@2026-11". NULL when a part is longer than it may be. */
const char *ledger_budget_account(const char *path, const char *budget, const char *period,
                                  char out[LEDGER_ACCOUNT_MAX]);
/* "acme/etl#gpu@2026-11" -> "acme/etl"; NULL for a job's account. */
const char *ledger_account_tenant(const char *name, char out[LEDGER_TENANT_MAX]);
/* "acme/etl#gpu@2026-11" -> "gpu"; NULL for a tenant's `budget` and a job's account. */
const char *ledger_account_budget(const char *name, char out[LEDGER_BUDGET_MAX]);
/* "acme/etl#gpu@2026-11" -> "2026-11", inside of `name`; NULL for a job's account. */
const char *ledger_account_period(const char *name);
/* "acme/etl" -> "acme", "acme" -> "/"; NULL for the root. The text lies in `out` or is constant. */
const char *ledger_parent_path(const char *path, char out[LEDGER_TENANT_MAX]);
/* Is this the account of a tenant `top` or below it, whatever period or budget? */
bool ledger_account_is_below(const char *account, const char *top);
/* The name of a tenant or an account below `from`, once `from` is `to`. The caller frees; NULL on lack of memory. */
char *ledger_moved_name(const char *name, const char *from, const char *to);
/* The budgets of a rule: its `budget`, then the others as they stand. NULL after the last. *at begins as 0. */
const struct budget_rule *ledger_rule_budget(const struct tenant_rule *rule, size_t *at);
/* Is it the root's money for ever? Then it is "/@total" that has its limit. */
bool ledger_budget_is_total(const struct budget_rule *budget);

/* One resource by its place: 0 cpu, 1 memory, 2 scratch, then the generic ones. NULL after the last. */
#define LEDGER_FIXED_RESOURCES 3
const char *ledger_resource(const struct resources *r, size_t index, uint64_t *ret_amount);
/* The amount of the same resource (place and name) in another struct. */
uint64_t ledger_resource_get(const struct resources *r, size_t index, const char *name);
/* What a rule bounds of it; -1 = no limit. */
int64_t ledger_bound(const struct resource_bounds *b, size_t index, const char *name);

#endif
