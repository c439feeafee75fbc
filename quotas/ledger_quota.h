/*
 * ledger_quota - what tenants are guaranteed, borrow and lend, and how fast they may submit and start. Internal to
 * quotas/ledger*.
 *
 * For each resource, at tenant x:
 *     N(x)  guaranteed to x itself            D(x)  use by attempts that run directly in x
 *     W(x)  = D(x) + sum over children W(c)   (the ledger's `used`)
 *     T(x)  = N(x) - D(x) + sum over children c of G(c),   G(c) = min(lend(c), T(c))
 * T(x) is what x and all below it could still use without anybody's help; G(c) is what c leaves to its siblings, or,
 * below zero, what it has borrowed from them. An attempt is admissible iff, with it, T(x) >= -borrow(x) at every tenant
 * of its path; the root's borrow is 0. A resource that is guaranteed to nobody in the tree isn't asked about.
 *
 * Kept: have(x) = T(x) + W(x), which changes seldom:
 *     use by u in x     T(x) -= u; G(x) changes by some g, -u <= g <= 0; for the parent T += g, W += u, have += u + g.
 *                       Where no lend limit cuts anything off, g = -u: no have changes.
 *     N(x) by n         have(x) += n, T(x) += n; upward: have += g, T += g, until g = 0.
 *     lend(x)           G(x) changes by g; upward likewise.
 *     borrow(x)         nothing.
 *     x moves           its old parent loses G(x) and W(x), its new one wins both: have by G(x) + W(x); upward.
 * So each costs the depth of the tree, whatever lies beside the path. x without guarantees, children or use has have 0.
 *
 * idle(x) is T(x) as it would be if nobody used anything: what can never be had, whatever ends. It changes with rules.
 * `total`, at the root alone: the sum of N over the tree; 0 = nobody is guaranteed any.
 * Invariant: have(x) >= 0. T(x) < -borrow(x) only after a rule was lowered or a tenant moved; then nothing that uses
 *            this resource starts below x until enough has ended.
 * Purity:    pure.
 */
#ifndef REEVE_QUOTAS_LEDGER_QUOTA_H
#define REEVE_QUOTAS_LEDGER_QUOTA_H

#include "quotas/ledger.h"
#include "quotas/ledger_names.h"
#include "quotas/rate.h"

struct node;
struct blocker_sink;

struct named_share {
    char *name;
    struct share_view share;
};
struct node_quota {
    struct share_view fixed[LEDGER_FIXED_RESOURCES];
    struct named_share *generic; /* what is not here is as at birth */
    size_t generic_count;
    struct rate submits, starts;
};

void quota_init(struct node *n);
void quota_fini(struct node *n);
/* Before n->rule becomes `rule`; NULL = the tenant leaves. Its use stays. */
void quota_set_rule(struct node *n, const struct tenant_rule *rule, int64_t at_utc_us);
/* Before the use of the path (leaf first, root last) grows by `need`, or falls. */
void quota_use(struct node *const *path, size_t count, const struct resources *need, bool more);
/* Before n leaves its parent, and when n->parent is the new one: use and guarantees of all below it go along. */
void quota_leave(struct node *n);
void quota_join(struct node *n);
/* Of one resource by place and name: its share, W, T; and G of a T. */
struct share_view quota_share(const struct node *n, size_t index, const char *name);
int64_t quota_used(const struct node *n, size_t index, const char *name);
int64_t quota_left(const struct node *n, size_t index, const char *name);
int64_t quota_gives(int64_t lend, int64_t left);
extern const struct share_view quota_at_birth;
bool quota_is_at_birth(const struct share_view *s);
int64_t quota_exact(uint64_t amount); /* what is beyond all counters is cut there */
struct rate *quota_rate(struct node *n, bool starts);

/* Tenants that can't borrow so much, or from whom it can't be borrowed, leaf first. true: the search may stop. */
bool quota_borrow_blockers(struct node *const *path, size_t count, const struct resources *need,
                           struct blocker_sink *sink);
bool quota_rate_blockers(struct node *const *path, size_t count, bool starts, uint64_t tasks, int64_t at_utc_us,
                         struct blocker_sink *sink);
void quota_rate_take(struct node *const *path, size_t count, bool starts, uint64_t tasks, int64_t at_utc_us);
/* Undo of a start at the same instant. */
void quota_rate_give_back(struct node *const *path, size_t count);
/* As a snapshot says; of a tenant or limit that isn't there: nothing. */
void quota_rate_restore(struct ledger *l, const struct snapshot_rate *s);

/* Would somebody be left with less than -borrow that has less after n went below `to`? The old path is asked first,
 * then the new one below where they meet. true: the search may stop. */
bool quota_move_blockers(struct node *n, struct node *to, struct blocker_sink *sink);

/* Recount of `have` and `total` of the whole tree, nodes in path order. -EUCLEAN. */
int quota_verify(struct node *const *sorted, size_t count, struct err *err) MUST_USE;
/* Would the sum of all guarantees stay exact after this change? */
bool quota_sum_is_exact(const struct ledger *l, const struct policy_change *change);

#endif
