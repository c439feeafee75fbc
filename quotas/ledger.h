/*
 * ledger - what every tenant may use and spend, what it uses now, and what is held: the exact model of what the
 * commit function keeps in Redis. The scheduler's core decides on it; the tests hold the Lua code against it.
 *
 * Nodes:     the tenant tree, path-named, root "/" always there.
 * Accounts:  "acme/etl@2026-11" is a tenant's budget in one period, "acme/etl#gpu@2026-11" that of its budget named
 *            gpu, "job:812" a job's own. Money is held on: every budget of money of every tenant of the path, in the
 *            present period of that budget, leaf first; then always "/@total", so that all that was ever spent is in
 *            one place; then the job's own account, if it has one. A tenant without a budget has no account: nothing
 *            is asked of it. Budgets of a resource's time hold that instead, each its own amount (micro-unit-hours).
 *            A tenant's account comes into being by budget.opened alone, which names its limit; nothing can be held
 *            on one that isn't there. "/@total" has no limit (-1) unless the root's money has a budget of period
 *            "total"; a soft budget has none either. A change of policy names the new limits of accounts.
 *            An account with a limit takes nothing new outside of its period (a fixed window, a custom one's begin).
 *            A job's account lives from job.submitted (spec.budget > 0) to the fact that says job_done.
 * Holds:     one per live attempt: what was spent so far, what is held now, on which accounts. Renewing and settling
 *            post the growth of the cumulative cost to the accounts of the old hold.
 *            A tenant's account whose period is over is closed by accounts.closed, once nothing can come to it any
 *            more: see ledger_closing().
 * Adjusted:  a credit or another adjustment posts to `spent` alone; under one key of a tenant only once. The tenant is
 *            known by its id, so a key goes along wherever it is moved. A key is remembered until LEDGER_KEYS_PERIODS
 *            billing periods were closed since it was used: at least two months.
 * Queued:    tasks that have no live attempt and are not final. Tasks held by a person count too (they can be
 *            cancelled from there, and keep their place), so task.held and task.released change nothing here.
 * Guarantees, rates: see quotas/ledger_quota.h.
 * Limits:    a quota of 0 is no limit. An amount that would grow beyond 2^53 - 1 is refused as "bad".
 * Ownership: the ledger owns everything; callers keep paths and attempt ids, and of pointers a tenant's place alone.
 * Purity:    pure.
 * Invariant: at every account  limit = spent + held + free;  free < 0 only after a limit was lowered or something
 *            was adjusted, and then nothing new is admitted; spent < 0 only by credits. held of an account = sum of
 *            the live holds naming it. Use of a tenant =
 *            sum over live holds below it. ledger_verify() recounts.
 */
#ifndef REEVE_QUOTAS_LEDGER_H
#define REEVE_QUOTAS_LEDGER_H

#include "base/fact.h"
#include "quotas/ledger_names.h"

struct ledger;

/* Stable names on the wire and in Redis replies. */
enum ledger_verdict {
    LEDGER_FITS,
    LEDGER_NO_TENANT,     /* some path isn't there */
    LEDGER_QUOTA,         /* concurrent use of a resource, or max_running */
    LEDGER_QUEUE_FULL,    /* max_queued */
    LEDGER_BUDGET,        /* free money of an account */
    LEDGER_NO_HOLD,       /* renew or settle of an attempt that holds nothing (already settled) */
    LEDGER_DUPLICATE,     /* hold, account or key of an adjustment that is already there */
    LEDGER_OVERRUN,       /* settles more than was held */
    LEDGER_BAD,           /* negative or too large amounts, or a fact that contradicts the state */
    LEDGER_IN_USE,        /* a tenant can't be removed: it has live attempts, queued tasks, or children */
    LEDGER_BORROW,        /* beyond what a tenant may borrow, or what is guaranteed to all and lent */
    LEDGER_RATE,          /* submissions or starts of a minute */
    LEDGER_NO_ACCOUNT,    /* some account isn't open */
    LEDGER_VERDICT_COUNT
};
extern const struct names ledger_verdict_names; /* "fits", "no_tenant", "quota", "queue_full", "budget", … */

/* What blocks, for why and for refusals: filled with the first blocker, leaf to root, when the verdict is not FITS. */
struct ledger_blocker {
    uint32_t verdict;
    const char *where;    /* tenant path or account name; borrowed from the ledger (until it changes) or the fact */
    const char *resource; /* "cpu", …, "running", "queued", or NULL for money; LEDGER_BUDGET: whose time, or NULL */
    int64_t limit, used, held, need; /* budget: limit, spent, held, need in micros; quota: limit, used, 0, need;
                                        borrow: as for quota, `limit` what it could use as things are; rate: limit of a
                                        minute, 0, 0, tasks */
    int64_t when_utc_us;             /* rate: from when on it would fit; INT64_MAX = never. Else 0 */
    bool closed;                     /* LEDGER_BUDGET: its period isn't now, whatever is free */
};

int ledger_new(struct ledger **ret, struct err *err) MUST_USE;
void ledger_free(struct ledger *l);

/* Would this fact's effect be admitted? Questions: change nothing. */
enum ledger_verdict ledger_check(const struct ledger *l, const struct fact *fact, struct ledger_blocker *ret_first);
/* It will soon be asked about a start of this attempt. */
void ledger_expect(const struct ledger *l, struct attempt_id id);
/* All blockers, leaf to root, quota before money; returns how many there are (may exceed max). */
size_t ledger_blockers(const struct ledger *l, const struct fact *fact, struct ledger_blocker *ret, size_t max);
/* Applies the effect of a committed fact: policy.set, tenant.moved, job.submitted, tasks.cancelled, task.held/released,
 * attempt.placed, gang.placed, hold.renewed, attempt.ended, budget.*, accounts.closed, ledger.adjusted, period.closed,
 * snapshot.*; all others are no-ops. Never fails (a fact is final); lack of memory aborts. */
void ledger_apply(struct ledger *l, const struct fact *fact);
/* Concurrent use as if this live attempt were gone, or there again: for thoughts, and only between other calls of the
 * thinker. Each that was taken away is put back before a fact is applied. */
void ledger_without(struct ledger *l, struct attempt_id id, bool gone);
/* The same for some that aren't there: as if so many more in this path (leaf first) used so much together. */
void ledger_with(struct ledger *l, const struct strs *path, const struct resources *need, uint64_t tasks, bool there);
/* Undo of a tentative job.submitted, attempt.placed, gang.placed or hold.renewed applied last for this job or attempt,
 * or of a budget.opened that nothing holds on, for decide()'s own planning; of tentative steps of another instant none
 * is left. One step per attempt: after it the ledger is as it was before that fact, whatever other attempts did since.
 */
void ledger_revert(struct ledger *l, const struct fact *fact);

/* ---- budgets ---- */
/* One budget at an instant, borrowed from the ledger. */
struct ledger_budget {
    const char *tenant;
    const struct budget_rule *rule;  /* NULL: "/@total", which needs none */
    struct period period;
    char account[LEDGER_ACCOUNT_MAX];
};
/* Every budget along a path, leaf first, "/@total" last; false to stop. -ENOENT: no such tenant. */
int ledger_each_budget(const struct ledger *l, const struct strs *path, int64_t utc_us,
                       bool (*fn)(const struct ledger_budget *budget, void *arg), void *arg) MUST_USE;
/* The fact that opens an account, with what it carries over. false: it is open, or no budget has it at this instant. */
bool ledger_opening(const struct ledger *l, const char *account, int64_t utc_us, struct fact *ret);
/* The same for the first account that an attempt.placed, gang.placed or hold.renewed names and that isn't open. */
bool ledger_opening_for(const struct ledger *l, const struct fact *hold, struct fact *ret);
/* The zone that a policy named, NULL when it isn't known: UTC. */
const struct zone_table *ledger_zone(const struct ledger *l, const char *name);
/* By tenant, then as its rule has them. */
void ledger_each_since(const struct ledger *l, bool (*fn)(const struct snapshot_budget *since, void *arg), void *arg);
/* In any order. */
bool ledger_each_zone(const struct ledger *l, bool (*fn)(const struct zone_table *zone, void *arg), void *arg);
/* Fills change->limits: the accounts that are open at this instant and stand otherwise than the policy after this
 * change says. Gives the account of one that would count something else from now on (NULL: there is none): a budget
 * can't turn from money into time in the middle of its period. */
const char *ledger_new_limits(const struct ledger *l, struct policy_change *change, int64_t utc_us);

/* Fills *ret with an accounts.closed that lists accounts which have no further effect; false: there is none now. A
 * period is over for two days (whatever zone says where it ends), nothing is held on its account, and what is left of
 * it is carried over no more: the period after it has its account, or is over too, or there is no such budget any more.
 * Late usage is posted where it was held, and keeps that account open until then. *ret_again_utc_us: when to ask again,
 * unless an account opens before; INT64_MAX = none waits. Looks at every account. */
bool ledger_closing(const struct ledger *l, int64_t utc_us, struct fact *ret, int64_t *ret_again_utc_us);

/* ---- adjustments ---- */
#define LEDGER_KEYS_PERIODS 3
/* "#<id of the tenant>:<key>", which is posted once; NULL: none, or too long. Returns out. */
const char *ledger_adjust_key(const struct fact_adjusted *f, char out[LEDGER_KEY_MAX]);
/* What tells one adjustment under a key from another. */
uint64_t ledger_adjust_hash(const struct fact_adjusted *f);
/* Was something posted under its key? Then the hash of that. */
bool ledger_adjusted(const struct ledger *l, const struct fact_adjusted *f, uint64_t *ret_hash);
uint64_t ledger_adjusted_count(const struct ledger *l);
/* In any order; borrowed. */
void ledger_each_adjusted(const struct ledger *l, bool (*fn)(const struct snapshot_adjusted *adjusted, void *arg),
                          void *arg);
/* How many billing periods were closed. */
uint32_t ledger_periods_closed(const struct ledger *l);
uint64_t ledger_next_tenant_id(const struct ledger *l);

/* ---- thresholds ---- */
/* What accounts that were touched have to say at this instant: budget.crossed facts, at most `max`; == max: perhaps
 * more. Each is proposed until it is applied: ask again only then, or after ledger_crossings_again() for one that was
 * refused. *ret_next_utc_us: when the next forecast can be asked for, INT64_MAX = none waits. */
size_t ledger_crossings(struct ledger *l, int64_t utc_us, struct fact *ret, size_t max, int64_t *ret_next_utc_us);
void ledger_crossings_again(struct ledger *l, const char *account);

struct tenant_view {
    const struct tenant_rule *rule;
    uint64_t id;                   /* the same for as long as there is this tenant, wherever it is moved */
    struct resources used;         /* borrowed */
    uint64_t running, queued;
    uint32_t children;             /* tenants directly below */
    const char *account;           /* current period's account at utc_us; NULL before the first hold */
    int64_t limit_micros, spent_micros, held_micros; /* limit -1 = none */
};
bool ledger_tenant(const struct ledger *l, const char *path, int64_t utc_us, struct tenant_view *ret);
/* Its rule alone, without looking for its account. Borrowed; NULL: no such tenant. */
const struct tenant_rule *ledger_rule(const struct ledger *l, const char *path);
/* Of one resource; ledger_quota.h says what `have`, `total` and `idle` are. borrow, lend: -1 = no limit. */
struct share_view { int64_t nominal, borrow, lend, have, total, idle; };
/* Where a tenant stands: for who asks often. Good until a policy removes it, wherever it is moved. */
struct ledger_place { const void *node; /* NULL: no such tenant */ };
struct ledger_place ledger_place(const struct ledger *l, const char *path);
/* index: as for ledger_resource(). A tenant or resource that isn't there: as at birth. */
struct share_view ledger_share(const struct ledger *l, const char *path, size_t index, const char *resource);
struct share_view ledger_share_at(struct ledger_place at, size_t index, const char *resource);
/* What it and all below it could still use of it without anybody's help; below zero: so much is borrowed. */
int64_t ledger_left(const struct ledger *l, const char *path, size_t index, const char *resource);
int64_t ledger_left_at(struct ledger_place at, size_t index, const char *resource);
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
struct account_view {
    const char *name, *resource;     /* whose time; NULL = money */
    int64_t limit_micros, spent_micros, held_micros, carried_micros;
    int64_t from_utc_us, to_utc_us;
    uint32_t crossed;
};
bool ledger_account(const struct ledger *l, const char *name, struct account_view *ret);
void ledger_each_account(const struct ledger *l, bool (*fn)(const struct account_view *view, void *arg), void *arg);
struct hold_view { struct attempt_id id; int64_t spent_micros, held_micros; };
bool ledger_hold_of(const struct ledger *l, struct attempt_id id, struct hold_view *ret);
/* What it has spent and holds as one account counts it: money, or a resource's time. false: it holds nothing there. */
bool ledger_hold_on(const struct ledger *l, struct attempt_id id, const char *account, struct hold_view *ret);
size_t ledger_holds_count(const struct ledger *l);
/* leaf, …, "/" into ret (caller owns). false: no such tenant. */
bool ledger_path(const struct ledger *l, const char *tenant, struct strs *ret);
/* The accounts along a path on which money is held at an instant, leaf first. */
int ledger_accounts(const struct ledger *l, const struct strs *path, int64_t utc_us, struct strs *ret) MUST_USE;
/* Recounts every invariant; -EUCLEAN and the first difference in err. */
int ledger_verify(const struct ledger *l, struct err *err) MUST_USE;

#endif
