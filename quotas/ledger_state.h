/*
 * ledger_state - what a ledger is made of. Internal to quotas/ledger*; everybody else sees quotas/ledger.h.
 *
 *   ledger.c         birth, lookup, which accounts money is held on
 *   ledger_check.c   questions about attempts and jobs: what blocks
 *   ledger_policy.c  tenants: questions about and effects of a change of policy
 *   ledger_quota.c   guarantees, borrowing, rates: questions, effects (ledger_quota_view.c: views, recount)
 *   ledger_move.c    a tenant and all below it goes to another place
 *   ledger_apply.c   effects of all other facts, and their undo
 *   ledger_view.c    views and the recount
 *
 * Lifetime: a node with live holds or queued tasks can't be removed and an account with holds can't be closed, so
 *           holds point at both directly.
 */
#ifndef REEVE_QUOTAS_LEDGER_STATE_H
#define REEVE_QUOTAS_LEDGER_STATE_H

#include "base/task_state.h"
#include "quotas/ledger.h"
#include "quotas/ledger_map.h"
#include "quotas/ledger_names.h"
#include "quotas/ledger_quota.h"

struct node {
    struct tenant_rule rule; /* rule.path is the key */
    struct node *parent;     /* NULL: the root */
    uint32_t children;
    struct resources used;
    uint64_t running, queued;
    struct node_quota quota;
    /* scratch of one call */
    struct resources recount;
    uint64_t recount_running, recount_queued;
    int64_t recount_left, recount_idle;
};

struct account {
    char *name;
    int64_t limit, spent, held; /* limit -1 = none */
    uint64_t taken;             /* holds ever taken on it and not reverted, +1 if it didn't come from a hold */
    int64_t recount;            /* scratch of one call */
};

struct money_hold {
    int64_t spent, held;
    struct account *accounts[LEDGER_ACCOUNTS_MAX];
    size_t accounts_count;
};

struct hold {
    struct attempt_id id; /* the key */
    struct node *path[LEDGER_PATH_MAX];
    size_t path_count;
    struct resources need;
    struct money_hold now, before; /* `before` the last renewal, for ledger_revert() */
    bool renewed;
};

struct ledger {
    struct map nodes, accounts, holds;
    struct node *root;
    struct node **sorted; /* path order, parents before children */
    size_t sorted_size;
};

/* ---- ledger.c ---- */
struct node *ledger_node(const struct ledger *l, const char *path);
struct account *ledger_account_find(const struct ledger *l, const char *name);
struct hold *ledger_hold(const struct ledger *l, struct attempt_id id);
/* The limit that an account which isn't there yet would get. LEDGER_NO_TENANT or LEDGER_BAD when it can't be. */
enum ledger_verdict ledger_new_limit(const struct ledger *l, const char *name, int64_t *ret_limit);
struct account *ledger_account_add(struct ledger *l, const char *name, int64_t limit);
void ledger_account_remove(struct ledger *l, struct account *a);
void ledger_node_free(struct node *n);

/* ---- ledger_policy.c ---- */
void ledger_policy_apply(struct ledger *l, const struct policy_change *change, int64_t at_utc_us);
/* Where a path stands in path order, or would. */
size_t ledger_sorted_place(const struct ledger *l, const char *path);

/* ---- ledger_apply.c ---- */
void ledger_use_add(struct resources *used, const struct resources *need);
void ledger_use_take(struct resources *used, const struct resources *need);

struct blocker_sink;
/* ---- ledger_move.c ---- */
void ledger_move_check(const struct ledger *l, const struct fact_tenant_moved *move, struct blocker_sink *sink);
void ledger_move_apply(struct ledger *l, const struct fact_tenant_moved *move);

/* ---- what blocks: filled by ledger_check.c and ledger_policy.c ---- */
struct blocker_sink {
    struct ledger_blocker *ret;
    size_t max, count;
    bool first_only;
};
/* Notes a blocker; true when the search may stop. */
bool ledger_blocked(struct blocker_sink *sink, struct ledger_blocker blocker);
void ledger_policy_check(const struct ledger *l, const struct policy_change *change, struct blocker_sink *sink);

#endif
