/*
 * estimate - when something that waits could start, as far as can be known.
 *
 * For what waits for room: an interval, in which ESTIMATE_WITHIN of 100 start, and more. Its end is what the nodes'
 * profiles say (reserve.h): everything that runs ends at its limit, grace and kill time included, or where its money
 * does (forecast.h); who starts later was behind somebody who came and goes first in the fair order, or whose money
 * lasted longer. Its begin takes it that what runs ends as early, for its limit, as one of 20 has until now; while
 * nothing has ended it is now.
 * It is about the next task, or gang, of a tenant. Whoever is behind others of its own tenant starts no sooner than
 * that, and nobody knows how much later.
 * For what waits for a quota, or a cap: the first end that is known. For a budget: the instant at which the next
 * periods of those that can't pay begin, if all of them pay then (explain_opening.c), and from now on
 * while others hold what may come back. Rates: none.
 *
 * A question costs as many nodes as a search asks, twice, however large the cell is; a list of jobs asks for
 * ESTIMATES_MAX of its rows at most, once for each tenant; of the answers to submissions ESTIMATES_NEW_MAX in a tenth
 * of a second have one, the others the reason alone: it is seven times what all else of a submission costs, and whoever
 * submits that many looks at lists. No decision changes by it: what a turn may ask is the turn's.
 * How often a start lay within: tests/scheduler/sim/test_estimate.c, docs/BENCHMARKS.md.
 * Purity: pure; internal to scheduler/core. Texts are the caller's to free.
 */
#ifndef REEVE_SCHEDULER_CORE_ESTIMATE_H
#define REEVE_SCHEDULER_CORE_ESTIMATE_H

#include "scheduler/core/state.h"

#define ESTIMATES_MAX 64   /* in one list of jobs */
#define ESTIMATES_NEW_MAX 16
#define ESTIMATE_WITHIN 75 /* of 100 */

struct estimate {
    int64_t from_utc_us, to_utc_us; /* INT64_MAX: never, as far as is known */
    const struct node *node;        /* where at the latest; NULL: nowhere */
    bool kept;                      /* it is promised that node */
    bool next;                      /* nobody of its own tenant goes first */
    bool far;                       /* so late that it says nothing */
};
/* When the next task of this shape could start, for want of room alone. */
struct estimate estimate_start(const struct core *c, const struct shape *s, int64_t utc_us);
/* May one more submission be answered with one now? Then it is counted. */
bool estimate_may_answer(struct core *c, int64_t utc_us);
/* Is the next of this job's tasks its tenant's next, too? Of what waits for limits, each that asks alike has one. */
bool estimate_is_next(const struct job *j);
bool estimate_is_known(const struct estimate *e);
/* "between 14:32 and 15:10, on n1, ...", as times are written; or why nothing is known. */
char *estimate_words(const struct estimate *e, const struct job *j);
/* The first end of an attempt whose limit is known: of the job's own (j) or of any (NULL). NULL: of none. */
char *estimate_first_end(const struct core *c, const struct job *j, int64_t utc_us);

#endif
