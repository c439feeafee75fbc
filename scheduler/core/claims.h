/*
 * claims - whose turn it is, and who takes part: claims.c, what of the past counts: past_use.c, for what there is room:
 * demands.c, what waits for a limit: blocked.c. Internal to scheduler/core; the records are state.h's.
 */
#ifndef REEVE_SCHEDULER_CORE_CLAIMS_H
#define REEVE_SCHEDULER_CORE_CLAIMS_H

#include "scheduler/core/state.h"

/* ---- claims.c ---------------------------------------------------------------------------------------------- */
void claims_use(const struct core *c, struct tenant *t, const struct capacity *need, bool more);
void claims_wake(const struct core *c, struct tenant *t); /* it has ready tasks */
void claims_rest(const struct core *c, struct tenant *t); /* it has none */
void claims_rebuild(struct core *c); /* the cell's total, its rule of order or tenants' rules changed */
/* What its best task needs may have changed. */
void claims_refresh(const struct core *c, struct tenant *t);
/* Which resources are spent now. */
void claims_look(struct core *c);
/* Nothing below t takes part until it goes on. */
void claims_stop(const struct core *c, struct tenant *t);
void claims_go_on(const struct core *c, struct tenant *t);
/* It will be removed, with its parent perhaps, in any order; it has no ready tasks. */
void claims_end(struct tenant *t);
/* Before t leaves its parent, and when its parent and its paths are the new ones: then all are ranked anew. */
void claims_leave(struct tenant *t);
void claims_enter(struct core *c, struct tenant *t);
/* The tenant whose turn it is, NULL when nothing is ready. */
struct tenant *claims_next(const struct core *c);
/* Would a task of this shape be asked before one of the other, another tenant's, as things are? Their turn comes when
 * whatever else goes first was asked: what counts is whether they are within what is guaranteed, not whether their
 * tenants' first ones are; who is behind another of his own tenant comes no sooner than that one. */
bool claims_before(const struct core *c, const struct shape *first, const struct shape *second);

/* ---- past_use.c -------------------------------------------------------------------------------------------- */
/* The task's tenant used so much of what it holds (run time); what is counted ahead is for so much from now on. */
void past_use(struct core *c, struct task *t, uint64_t used_us, uint64_t ahead_us, int64_t utc_us);
/* What so much run time of this shape counts at an instant, and counting it; the tenant's claims are not refreshed. */
uint64_t past_use_of(const struct core *c, const struct shape *s, uint64_t us, int64_t utc_us);
void past_use_count(struct tenant *t, uint64_t amount, bool more);
void past_use_rule(struct core *c, int64_t utc_us);   /* the half-life may have changed */
int past_use_verify(const struct core *c, struct err *err) MUST_USE;
void past_use_recount(struct core *c);                /* of all above from those who use */
void past_use_above(struct tenant *t, uint64_t amount, bool more); /* of t and all above it */

/* ---- demands.c --------------------------------------------------------------------------------------------- */
struct demand *demand_get(struct core *c, const struct capacity *need, struct pool *pool); /* one shape more */
void demand_put(struct core *c, struct demand *d);
/* A shape of it has ready tasks, or none any more. */
void demand_waits(struct core *c, struct shape *s, bool waits);
/* It has another hash. */
void demand_renamed(struct shape *s);
/* The policy is another: so may be for how long nodes must be open. */
void demands_policy(struct core *c);
/* No node has room for a task of this shape that starts then, or all that have some close too soon for it, as was seen
 * before and still holds. */
bool demand_is_full(const struct core *c, const struct shape *s, int64_t utc_us);
/* Has a node so much free, be it kept for somebody, and is open for long enough? */
bool demand_has_room(const struct core *c, const struct shape *s, int64_t utc_us);
/* Has any node room for anything that waits? Finds out and keeps what it finds. */
bool demands_fit(struct core *c, int64_t utc_us);
/* Resources, a bit each, of which nobody who waits can get any now: no node has so much free as the least of them
 * needs. */
uint32_t demands_spent(const struct core *c);
int demands_verify(const struct core *c, struct err *err) MUST_USE;

/* ---- blocked.c --------------------------------------------------------------------------------------------- */
/* Whose limit an answer of the ledger is about; the answer is borrowed from a ledger that may go back afterwards. */
struct block {
    struct tenant *where; /* NULL: nobody's who says when something is given back; it has to be asked again */
    bool all;             /* it keeps whatever is below `where` from starting */
    bool money;
};
struct block blocked_where(const struct core *c, const struct ledger_blocker *b);
/* The shape waits there until something is given back; block.where isn't NULL. */
void blocked_at(struct core *c, struct shape *s, struct block b, int64_t utc_us);
void blocked_forget(const struct core *c, struct shape *s);
/* Something was given back in t; everything may be another. */
void blocked_free(struct core *c, struct tenant *t);
void blocked_free_all(struct core *c);
/* The fact is about to take effect. */
void blocked_before(struct core *c, const struct fact *f);
/* A period or a price of what waits for money has ended: all ask again. When: core.blocked_until_utc_us. */
void blocked_look(struct core *c, const struct plan *p);

#endif
