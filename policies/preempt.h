/*
 * preempt - who has to go so that one task, or all that start together, can start.
 *
 * Of attempts on some nodes, those whose end makes room there and lets the ledger admit the task, in this order:
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
 * A gang that goes is one candidate: all of its attempts or none, each on its node, as many as they are where fewest is
 * best. A gang that starts asks for all of its tasks at once, of the ledger and of the nodes. Where several nodes are
 * asked, room is made for one more task at a time, where that costs the fewest attempts for each task that then fits,
 * of those the least important: in the order above alone whoever is newest would go wherever it is, and what may be
 * taken back would be used up before any node is free. Then whoever the ledger wants gone besides, then the reverse.
 * Where all who may go may go beside each other (nobody's borrowing ends the right to another) some are found whenever
 * any set would do.
 *
 * No loops. Let B(k) be what all tenants at depth k have borrowed, of all resources together, and d the depth at which
 * the way of the task and that of the farthest of its victims part. A choice that takes something from another tenant
 *   - leaves each B(k), k <= d - 1, no larger: on those depths only the common way changes, and a choice after which
 *     somebody on it would borrow more than before is no choice (asked of the ledger: lend limits cut what is passed
 *     up, so it doesn't follow from the sums);
 *   - makes B(d) smaller: x stays at T(x) >= 0, so it borrows nothing before or after, and each y there borrows less:
 *     where T < 0 all of what is given back is passed up, until T is 0;
 * so the row B(1), B(2), ... falls in the order of the first difference. A choice among one tenant's own leaves that
 * row as it is, or makes it smaller, and puts a higher priority in the place of lower ones. A gang is in all this one
 * task of the size of all: what it needs is asked for at once, what it gives back comes at once. All are whole numbers
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

#define PREEMPT_ELSEWHERE SIZE_MAX

/* An attempt that the ledger holds. */
struct preempt_member {
    struct attempt_id id;
    size_t place;                      /* of those asked; PREEMPT_ELSEWHERE: none of them */
    struct capacity room;              /* that it gives back there */
};
/* One attempt, or all of a gang that live. */
struct preempt_candidate {
    size_t first, count;               /* of the row of members */
    const struct strs *path;           /* of its tenant, leaf first */
    const struct resources *resources; /* of each */
    int32_t priority;
    bool preemptible;
    uint64_t run_us;                   /* so far; of the one that ran least */
    int64_t start_utc_us;
    bool chosen;                       /* the answer */
    /* of the choice */
    struct attempt_id id;              /* of its first member */
    bool reclaimed;
    size_t common;                     /* tenants on both ways */
};
/* A node. */
struct preempt_place {
    struct capacity free;
    uint32_t most;                     /* tasks that may start there, as far as others than room allow */
    uint32_t tasks;                    /* the answer: so many start there */
};
struct preempt_ask {
    const struct fact *placed;         /* attempt.placed or gang.placed as ledger_check() takes it; accounts open */
    int32_t priority;
    struct capacity need;              /* of each task */
    struct preempt_place *places;      /* as they were, but for the answer */
    size_t places_count;               /* 0: there is room for all already, wherever that is */
    uint32_t reclaim;                  /* enum reclaim_kind */
    uint64_t min_run_us;
};
struct preempt_answer {
    size_t count;                      /* attempts */
    int32_t highest;                   /* priority of those */
    uint64_t again_us;                 /* when somebody more will have run long enough; UINT64_MAX: nobody */
};

/* Marks whom to stop; sorts v. false: it would not fit whoever went, and nobody is marked. true and count 0: it fits
 * as things are. */
bool preempt_choose(struct ledger *l, const struct preempt_ask *ask, const struct preempt_member *members,
                    struct preempt_candidate *v, size_t count, struct preempt_answer *ret);

#endif
