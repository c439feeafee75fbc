/*
 * preempt_search - on which nodes whom to stop: puts what lives there to policies/preempt.h. Of preempt.c, nobody
 * else's.
 *
 * What is being stopped counts as gone, in the room of its node and in the ledger, with all of its gang. A gang that
 * lives is one candidate, if each of it may go.
 * Purity: pure.
 */
#ifndef REEVE_SCHEDULER_CORE_PREEMPT_SEARCH_H
#define REEVE_SCHEDULER_CORE_PREEMPT_SEARCH_H

#include "policies/preempt.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"

struct preempt_asking {
    struct core *c;
    struct plan *p;
    const struct entry *e;
    const struct fact *f; /* its start */
    uint32_t tasks;       /* that start together */
    bool has_room;        /* it lacks nothing but what others have borrowed */
    uint64_t again_us;    /* when somebody more will have run long enough; UINT64_MAX: nobody */
    struct task **away;   /* of whom the ledger is thought without */
    size_t away_count, away_size;
};
/* What some nodes would have to give. */
struct preempt_offer {
    bool found;
    struct preempt_answer answer;
    struct attempt_id *stops;     /* one for each attempt alone, one for each gang */
    size_t stops_count;
    struct node **victims;        /* on which somebody goes, or is going for it already; each once */
    size_t victims_count;
    struct kept *places;          /* where so many start, by name; of one that has room: none */
    size_t places_count;
};

void preempt_offer_free(struct preempt_offer *o);
/* The best there is: stops fewest, of those the least important. */
void preempt_search(struct preempt_asking *a, struct preempt_offer *best);
/* Is what goes already enough, where it has a promise? */
bool preempt_goes_on(struct preempt_asking *a);
/* The same nodes again. */
void preempt_search_again(struct preempt_asking *a, struct preempt_offer *best);
/* The ledger is thought without what is being stopped on a node, until as many are away as were before. */
void preempt_think_away(struct preempt_asking *a, struct node *n);
void preempt_think_back(struct preempt_asking *a, size_t count);

#endif
