/*
 * preempt - who has to go so that one task can start.
 *
 * Of attempts on one node, those whose end makes room there and lets the ledger admit the task, in this order:
 *
 *   reclaim       of another tenant: what it has borrowed, by who stays within its guarantee. Where their ways to the
 *                 root part, x towards the task and y towards the attempt, x has as much left as the task needs, and
 *                 of one resource that the task needs and the attempt uses everybody from y down to the attempt's
 *                 tenant has borrowed some (T(x) >= need, T < 0, quotas/ledger_quota.h): who is within its guarantee
 *                 at any level below there is no victim.
 *   priority      of the same tenant: preemptible and of lower priority.
 *
 * Borrowers go first, then who has the lowest priority, then the newest. Taken one by one until the task fits, and each
 * only while all these still borrow; then, in reverse, whoever need not go stays: without any one of those that are
 * left the task would not fit. Nobody goes before its minimum run time, and nobody for a task that would not start. A
 * tenant's own attempts and those of tenants below it never go for each other. (Kueue's preemption, compared below the
 * lowest common ancestor; https://kueue.sigs.k8s.io/docs/concepts/preemption.)
 *
 * No loops. Let B(k) be what all tenants at depth k have borrowed, of all resources together, and d the depth at which
 * the way of the task and that of the farthest of its victims part. A choice that takes something from another tenant
 *   - leaves each B(k), k <= d - 1, no larger: on those depths only the common way changes, and a choice after which
 *     somebody on it would borrow more than before is no choice (asked of the ledger: lend limits cut what is passed
 *     up, so it doesn't follow from the sums);
 *   - makes B(d) smaller: x stays at T(x) >= 0, so it borrows nothing before or after, and each y there borrows less:
 *     where T < 0 all of what is given back is passed up, until T is 0;
 * so the row B(1), B(2), ... falls in the order of the first difference. A choice among one tenant's own leaves that
 * row as it is, or makes it smaller, and puts a higher priority in the place of lower ones. All are whole numbers
 * bounded below, so where nothing else starts, preemption comes to rest. Where what was stopped starts again in what
 * is free, its tenant needs T >= its size to reclaim anything, and had T < 0 with it: it can't take back from who
 * stays within its own. tests/policies/test_preempt.c runs such worlds to their rest.
 *
 * Purity: pure. The ledger is thought upon and left as it was.
 */
#ifndef REEVE_POLICIES_PREEMPT_H
#define REEVE_POLICIES_PREEMPT_H

#include "base/policy.h"
#include "policies/capacity.h"
#include "quotas/ledger.h"

struct preempt_candidate {
    struct attempt_id id;              /* that the ledger holds */
    const struct strs *path;           /* of its tenant, leaf first */
    const struct resources *resources;
    struct capacity need;              /* what it gives back on its node */
    int32_t priority;
    bool preemptible;
    uint64_t run_us;                   /* so far */
    int64_t start_utc_us;
    bool chosen;                       /* the answer */
    /* of the choice */
    bool reclaimed;
    size_t common;                     /* tenants on both ways */
};
struct preempt_ask {
    const struct fact *placed;         /* the start, as ledger_check() takes it; its accounts are open */
    int32_t priority;
    const struct capacity *need, *free; /* on the node; free NULL: its room is elsewhere already */
    uint32_t reclaim;                  /* enum reclaim_kind */
    uint64_t min_run_us;
};
struct preempt_answer {
    size_t count;
    int32_t highest;                   /* priority of those */
    uint64_t again_us;                 /* when somebody more will have run long enough; UINT64_MAX: nobody */
};

/* Marks whom to stop; sorts v. false: it would not fit whoever went, and nobody is marked. true and count 0: it fits
 * as things are. */
bool preempt_choose(struct ledger *l, const struct preempt_ask *ask, struct preempt_candidate *v, size_t count,
                    struct preempt_answer *ret);

#endif
