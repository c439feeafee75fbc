/*
 * ledger - what every tenant may use and spend, what it uses now, and what is held: the exact model of what the
 * commit function keeps in Redis. The scheduler's core decides on it; the tests hold the Lua code against it.
 *
 * Nodes:     the tenant tree, path-named, root "/" always there.
 * Accounts:  money. "acme/etl@2026-11" is a tenant's budget in one period, "job:812" a job's own budget.
 *            Money is held on: every tenant of the path that has a budget rule, in the period of that rule, leaf
 *            first; then always "/@total", so that all that was ever spent is in one place; then the job's own
 *            account, if it has one. A tenant without a rule has no account: nothing is asked of it.
 *            A tenant's account comes into being with the first hold on it and takes the limit of the rule of that
 *            moment; "/@total" has no limit (-1) unless the root's rule is of period "total". A change of policy
 *            rewrites the limit of the current period's account; the accounts of other periods stay as they are.
 *            A job's account lives from job.submitted (spec.budget > 0) to the fact that says job_done.
 * Holds:     one per live attempt: what was spent so far, what is held now, on which accounts. Renewing and settling
 *            post the growth of the cumulative cost to the accounts of the old hold.
 * Queued:    tasks that have no live attempt and are not final. Tasks held by a person count too (they can be
 *            cancelled from there, and keep their place), so task.held and task.released change nothing here.
 * Guarantees, rates: see quotas/ledger_quota.h.
 * Limits:    a quota of 0 is no limit. An amount that would grow beyond 2^53 - 1 is refused as "bad".
 * Ownership: the ledger owns everything; callers keep paths and attempt ids, never pointers.
 * Purity:    pure.
 * Invariant: at every account  limit = spent + held + free;  free < 0 only after a limit was lowered, and then
 *            nothing new is admitted. held of an account = sum of the live holds naming it. Use of a tenant =
 *            sum over live holds below it. ledger_verify() recounts.
 */
#ifndef REEVE_QUOTAS_LEDGER_H
#define REEVE_QUOTAS_LEDGER_H

#include "base/fact.h"

struct ledger;

/* Stable names on the wire and in Redis replies. */
enum ledger_verdict {
    LEDGER_FITS,
    LEDGER_NO_TENANT,     /* some path isn't there */
    LEDGER_QUOTA,         /* concurrent use of a resource, or max_running */
    LEDGER_QUEUE_FULL,    /* max_queued */
    LEDGER_BUDGET,        /* free money of an account */
    LEDGER_NO_HOLD,       /* renew or settle of an attempt that holds nothing (already settled) */
    LEDGER_DUPLICATE,     /* hold that is already there */
    LEDGER_OVERRUN,       /* settles more than was held */
    LEDGER_BAD,           /* negative or too large amounts, or a fact that contradicts the state */
    LEDGER_IN_USE,        /* a tenant can't be removed: it has live attempts, queued tasks, or children */
    LEDGER_BORROW,        /* beyond what a tenant may borrow, or what is guaranteed to all and lent */
    LEDGER_RATE,          /* submissions or starts of a minute */
    LEDGER_VERDICT_COUNT
};
extern const struct names ledger_verdict_names; /* "fits", "no_tenant", "quota", "queue_full", "budget", … */

/* What blocks, for why and for refusals: filled with the first blocker, leaf to root, when the verdict is not FITS. */
struct ledger_blocker {
    uint32_t verdict;
    const char *where;    /* tenant path or account name; borrowed from the ledger (until it changes) or the fact */
    const char *resource; /* "cpu", …, "running", "queued", or NULL for money */
    int64_t limit, used, held, need; /* money: limit, spent, held, need in micro-units; quota: limit, used, 0, need;
                                        borrow: as for quota, `limit` what it could use as things are; rate: limit of a
                                        minute, 0, 0, tasks */
    int64_t when_utc_us;             /* rate: from when on it would fit; INT64_MAX = never. Else 0 */
};

int ledger_new(struct ledger **ret, struct err *err) MUST_USE;
void ledger_free(struct ledger *l);

/* Would this fact's effect be admitted? Questions: change nothing. */
enum ledger_verdict ledger_check(const struct ledger *l, const struct fact *fact, struct ledger_blocker *ret_first);
/* All blockers, leaf to root, quota before money; returns how many there are (may exceed max). */
size_t ledger_blockers(const struct ledger *l, const struct fact *fact, struct ledger_blocker *ret, size_t max);
/* Applies the effect of a committed fact: policy.set, tenant.moved, job.submitted, tasks.cancelled, task.held/released,
 * attempt.placed, hold.renewed, attempt.ended, snapshot.*; all others are no-ops. Never fails (a fact is final);
 * lack of memory aborts. */
void ledger_apply(struct ledger *l, const struct fact *fact);
/* Undo of a tentative job.submitted, attempt.placed or hold.renewed applied last for this job or attempt, for
 * decide()'s own planning; of tentative steps of another instant none is left.
 * One step per attempt: after it the ledger is as it was before that fact, whatever other attempts did since. */
void ledger_revert(struct ledger *l, const struct fact *fact);

struct tenant_view {
    const struct tenant_rule *rule;
    struct resources used;         /* borrowed */
    uint64_t running, queued;
    uint32_t children;             /* tenants directly below */
    const char *account;           /* current period's account at utc_us; NULL before the first hold */
    int64_t limit_micros, spent_micros, held_micros; /* limit -1 = none */
};
bool ledger_tenant(const struct ledger *l, const char *path, int64_t utc_us, struct tenant_view *ret);
/* Of one resource; ledger_quota.h says what `have`, `total` and `idle` are. borrow, lend: -1 = no limit. */
struct share_view { int64_t nominal, borrow, lend, have, total, idle; };
/* index: as for ledger_resource(). A tenant or resource that isn't there: as at birth. */
struct share_view ledger_share(const struct ledger *l, const char *path, size_t index, const char *resource);
/* Names of generic resources that this tenant has a share of, NULL after the last. */
const char *ledger_share_name(const struct ledger *l, const char *path, size_t at);
/* Could the leaf of this path (leaf first) ever use so much at once, whoever else ends? Fills *ret when not: `limit`
 * what `where` could use at most, `need` what it would have to. */
bool ledger_ever_lends(const struct ledger *l, const struct strs *path, const struct resources *need,
                       struct ledger_blocker *ret);
/* Has it a share of cpu, memory or scratch that isn't as at birth, or a rate? */
bool ledger_has_extra(const struct ledger *l, const char *path);
/* What it and all below it use beyond what they have of their own: borrowed now. Caller clears. */
void ledger_borrowed(const struct ledger *l, const char *path, struct resources *ret);
struct rate_view { uint32_t per_minute; int64_t parts, at_utc_us; };
struct rate_view ledger_rate(const struct ledger *l, const char *path, bool starts);
/* What a fact tenant.moved has to list: tenants, accounts, attempts (in order of their ids); jobs are not the ledger's.
 * -E2BIG: more than MOVED_MAX. Nothing when `from` is no tenant. */
int ledger_fill_move(const struct ledger *l, struct fact_tenant_moved *move) MUST_USE;
/* Walks tenants in path order; false to stop. */
void ledger_each_tenant(const struct ledger *l, bool (*fn)(const struct tenant_rule *rule, void *arg), void *arg);
struct account_view { const char *name; int64_t limit_micros, spent_micros, held_micros; };
bool ledger_account(const struct ledger *l, const char *name, struct account_view *ret);
void ledger_each_account(const struct ledger *l, bool (*fn)(const struct account_view *view, void *arg), void *arg);
struct hold_view { struct attempt_id id; int64_t spent_micros, held_micros; };
bool ledger_hold_of(const struct ledger *l, struct attempt_id id, struct hold_view *ret);
size_t ledger_holds_count(const struct ledger *l);
/* Free money along the accounts: the smallest free, INT64_MAX when none has a limit. */
int64_t ledger_free_along(const struct ledger *l, const struct strs *accounts);
/* leaf, …, "/" into ret (caller owns). false: no such tenant. */
bool ledger_path(const struct ledger *l, const char *tenant, struct strs *ret);
/* The budget accounts along a path at an instant, leaf first. */
int ledger_accounts(const struct ledger *l, const struct strs *path, int64_t utc_us, struct strs *ret) MUST_USE;
/* Recounts every invariant; -EUCLEAN and the first difference in err. */
int ledger_verify(const struct ledger *l, struct err *err) MUST_USE;

#endif
