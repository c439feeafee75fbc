/*
 * runway - how long something can be paid for, as budgets and prices stand.
 *
 * Of each hard budget on its path, in money or in a resource's time, and of its job's own: what is free there, and what
 * it holds there itself, at the book's prices and by request, the least of them all. As if nobody else drew on it, and
 * it moved no more bytes: with others beside it, or I/O that costs something, the end comes earlier, never later. Where
 * a period ends before its money does the next one goes on, with its whole limit; a window that is over pays for no
 * more than what was held by then.
 * Whatever brings money (a raise, a credit, what others give back, use below what was asked for, a lower price) makes
 * it longer. So it is an expectation, never a bound to build a promise on (forecast.h).
 * Purity: pure; internal to scheduler/core. A question: changes nothing.
 */
#ifndef REEVE_SCHEDULER_CORE_RUNWAY_H
#define REEVE_SCHEDULER_CORE_RUNWAY_H

#include "scheduler/core/state.h"

/* Run time, max_us at most and never less than what is paid, up to which a live attempt can be paid for. */
uint64_t runway_of(const struct core *c, const struct task *t, int64_t utc_us, uint64_t max_us);
/* The same of one of this shape that starts then on a node of that class; j: whose it would be, NULL: nobody's yet. */
uint64_t runway_of_start(const struct core *c, const struct shape *s, const struct job *j, const char *price_class,
                         int64_t utc_us, uint64_t max_us);

#endif
