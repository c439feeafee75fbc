/*
 * ledger_state - what a ledger is made of. Internal to quotas/ledger*; everybody else sees quotas/ledger.h.
 *
 *   ledger.c         birth, lookup
 *   ledger_budget.c  which accounts there are at an instant, how they open, what a change of policy makes of them
 *   ledger_adjust.c  credits and other adjustments, and for how long their keys are known
 *   ledger_closing.c accounts that have no further effect
 *   ledger_crossing.c  thresholds: what was passed, what fell back
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
    uint64_t id;             /* given once; 0: the root */
    uint32_t children;
    struct resources used;
    uint64_t running, queued;
    struct node_quota quota;
    struct list since;       /* struct snapshot_budget without its tenant: when each of its budgets came */
    /* scratch of one call */
    struct resources recount;
    uint64_t recount_running, recount_queued;
    int64_t recount_left, recount_idle;
};

struct account {
    char *name, *resource;          /* resource NULL = money */
    int64_t limit, spent, held;     /* limit -1 = none */
    int64_t carried, from_utc_us, to_utc_us;
    uint32_t crossed;               /* snapshot_account.crossed */
    struct account *touched_next, *touched_prev; /* while is_touched: its thresholds are to be looked at */
    bool is_touched;
    uint32_t holds;                 /* that name it, also those that hold nothing on it */
    int64_t recount;                /* scratch of one call */
    uint32_t recount_holds;
};

struct adjusted {
    struct snapshot_adjusted posted; /* posted.key is the key */
};

/* The time of a resource on one account. */
struct time_part {
    struct account *account;
    int64_t spent, held;
};
struct money_hold {
    int64_t spent, held;
    struct account **accounts;
    struct time_part *times;
    size_t accounts_count, times_count;
};

struct hold {
    struct attempt_id id; /* the key */
    struct node *path[LEDGER_PATH_MAX];
    size_t path_count;
    struct resources need;
    struct money_hold now, before; /* `before` the last renewal, for ledger_revert() */
    bool renewed;
    struct hold *spare_next;
};
#define HOLDS_SPARE_MAX 256 /* as many as a turn thinks of, rather than taken from the allocator each time */

struct ledger {
    struct map nodes, accounts, holds, zones, adjusted;
    struct account *touched;
    struct hold *spare;      /* that nobody has */
    uint32_t spare_count;
    struct node *root;
    struct node **sorted; /* path order, parents before children */
    size_t sorted_size;
    uint64_t next_id;        /* of the next new tenant */
    uint32_t periods_closed;
};

/* ---- ledger.c ---- */
struct node *ledger_node(const struct ledger *l, const char *path);
/* The nodes of a path, leaf first, and how many; 0: it isn't one from a tenant up to the root. */
size_t ledger_line(const struct ledger *l, const struct strs *path, struct node *ret[LEDGER_PATH_MAX]);
struct account *ledger_account_find(const struct ledger *l, const char *name);
struct hold *ledger_hold(const struct ledger *l, struct attempt_id id);
struct account *ledger_account_add(struct ledger *l, const char *name, int64_t limit);
void ledger_account_remove(struct ledger *l, struct account *a);
void ledger_node_free(struct node *n);
void ledger_money_free(struct money_hold *m);

/* ---- ledger_budget.c ---- */
enum ledger_verdict ledger_opened_verdict(const struct ledger *l, const struct fact_budget_opened *f);
void ledger_opened_apply(struct ledger *l, const struct fact_budget_opened *f);
void ledger_zones_apply(struct ledger *l, const struct list *zones);
/* The rule is about to take the place of the node's: which of its budgets are new. */
void ledger_since_apply(struct node *n, const struct tenant_rule *rule, int64_t at_utc_us);
void ledger_since_restore(struct ledger *l, const struct snapshot_budget *s);
void ledger_budgets_free(struct ledger *l);
/* One budget of a tenant at an instant. false: its account can't be named (a path that is too long). */
bool ledger_budget_at(const struct ledger *l, const struct tenant_rule *tenant, const struct budget_rule *rule,
                      int64_t utc_us, struct ledger_budget *ret);

/* ---- ledger_adjust.c ---- */
enum ledger_verdict ledger_adjust_verdict(const struct ledger *l, const struct fact_adjusted *f,
                                          const char **ret_where);
void ledger_adjust_apply(struct ledger *l, const struct fact_adjusted *f, int64_t at_utc_us);
void ledger_adjusted_add(struct ledger *l, const struct snapshot_adjusted *adjusted);
/* A billing period was closed: keys that are old enough are forgotten. */
void ledger_adjusted_age(struct ledger *l);
void ledger_adjusted_free(struct ledger *l);

/* ---- ledger_closing.c ---- */
enum ledger_verdict ledger_closed_verdict(const struct ledger *l, const struct fact_accounts_closed *f,
                                          int64_t at_utc_us, const char **ret_where);
void ledger_closed_apply(struct ledger *l, const struct fact_accounts_closed *f);

/* ---- ledger_crossing.c ---- */
void ledger_touch(struct ledger *l, struct account *a);
void ledger_untouch(struct ledger *l, struct account *a);
/* Its limit was changed, or something posted back: what was passed may be no longer. */
void ledger_crossings_fall(struct ledger *l, struct account *a, int64_t utc_us);
/* The node has this rule in place of the old one. */
void ledger_thresholds_apply(struct ledger *l, const struct tenant_rule *old, const struct tenant_rule *new,
                             int64_t utc_us);
void ledger_crossed_apply(struct ledger *l, const struct fact_budget_crossed *f);

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
