/*
 * estimate - when something that waits could start, as far as can be known, in words for people.
 *
 * For what waits for room: an interval. Its end is what the nodes' profiles say (reserve.h): everything that runs ends
 * at its limit, grace and kill time included. Its begin takes it that what runs ends as early, for its limit, as
 * others have until now; while nothing has ended it is now. An estimate asks as many nodes as a search does, so a
 * question costs the same however large the cell is. For what waits for a quota, or a cap: the first end that is
 * known. Money and rates: none. Purity: pure; internal to scheduler/core. Texts are the caller's to free.
 */
#ifndef REEVE_SCHEDULER_CORE_ESTIMATE_H
#define REEVE_SCHEDULER_CORE_ESTIMATE_H

#include "scheduler/core/state.h"

/* "between 14:32 and 15:10, on n1, ...", as times are written; or why nothing is known: then *ret_known is false. */
char *estimate_room(const struct core *c, const struct shape *s, int64_t utc_us, bool *ret_known);
/* The first end of an attempt whose limit is known: of the job's own (j) or of any (NULL). NULL: of none. */
char *estimate_first_end(const struct core *c, const struct job *j, int64_t utc_us);

#endif
