/*
 * preempt - stops attempts so that a task, or a gang, which goes first can start; whom: policies/preempt.h, where:
 * preempt_search.h. Internal to scheduler/core.
 *
 * Asked for is it by what waits for room that doesn't come as soon as a stop would make some, and by what others have
 * borrowed of its guarantee. The victims of a task are on one node, those of a gang on as many as it needs; nobody goes
 * unless all of it fits then. A gang that goes is stopped whole, by one fact. From then on
 *   - it has a promise (reserve.h), there or wherever there is room already, so that nobody takes what they leave;
 *   - it stands in the ledger for the rest of each turn as if it had started, so that nobody else borrows it;
 *   - it is asked before all others: who is first in the fair order may be a borrower.
 * What is being stopped counts as gone: nobody asks for more while that is enough, also after a recovery, which forgets
 * promises. When the task is cancelled its promise goes with it, and when the node is lost it asks elsewhere.
 * Who can't all be stopped in one turn (turns have a length) go in several, the same nodes first.
 * Bounds: NODES_MAX nodes in a search (GANG_NODES_MAX for a gang), SEARCHES_MAX searches in a turn, and one search a
 * second for each shape.
 * Purity: pure.
 */
#ifndef REEVE_SCHEDULER_CORE_PREEMPT_H
#define REEVE_SCHEDULER_CORE_PREEMPT_H

#include "scheduler/core/state.h"

/* May anybody be stopped for anything? For a task of this shape? */
bool preempt_is_used(const struct core *c);
bool preempt_is_on(const struct core *c, const struct shape *s);
/* For the start `f` of e's next attempt; has_room: some node has room for it now. true: some are being stopped for it,
 * or may be soon: it has to be asked again each turn. When they are, it has a promise. */
bool preempt_for(struct core *c, struct plan *p, const struct entry *e, struct fact *f, bool has_room);
/* The same for a question: what a turn will have kept in the ledger for others when it asks a task of this shape.
 * false: nothing. */
bool preempt_keep_others(const struct core *c, const struct shape *s, bool there);
/* Ends what the turn kept in the ledger for whom somebody goes. */
void preempt_undo(struct core *c, struct plan *p);
/* Stops that this shape waits for, on how many nodes, and the first of them. 0: none. */
uint32_t preempt_waits(const struct core *c, const struct shape *s, const struct node **ret_node, size_t *ret_nodes);
/* Before it has run so long nobody is stopped. */
uint64_t preempt_min_run_us(const struct core *c);
/* Is its end the platform's to pay: nothing is charged beyond what was settled? */
bool preempt_is_refunded(const struct task *t, uint32_t cause);

#endif
