/*
 * outcomes - which tasks of a job are over, and how: ranges, not rows. A job of a million tasks that all succeed costs
 * one range; a range more for each that ends otherwise, and for each gap in the order in which they end.
 *
 * Ownership: the holder; {0} is empty; outcomes_fini().
 * Purity:    pure.
 * Invariant: by index, without overlap; what follows without a gap has the other outcome.
 */
#ifndef REEVE_SCHEDULER_CORE_OUTCOMES_H
#define REEVE_SCHEDULER_CORE_OUTCOMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fact.h"

enum outcome_how {
    OUTCOME_SUCCESS,
    OUTCOME_FAILURE,  /* also cancelled */
    OUTCOME_LEFT_OUT, /* its gang began without it: neither */
};
struct outcome {
    uint32_t first, last, how;
};
struct outcomes {
    struct outcome *v;
    uint32_t count, size;
};

/* None of them was over. Aborts on lack of memory, as whatever applies facts. */
void outcomes_add(struct outcomes *o, uint32_t first, uint32_t last, uint32_t how);
/* A range as a fact has it, and back. */
struct fact_outcome outcome_fact(const struct outcome *o);
uint32_t outcome_of_fact(const struct fact_outcome *f);
void outcomes_copy(const struct outcomes *from, struct outcomes *to);
void outcomes_fini(struct outcomes *o);
/* The first range that ends at `index` or behind it; NULL: none. */
const struct outcome *outcomes_from(const struct outcomes *o, uint64_t index);
/* The range that a task lies in; NULL: it isn't over. */
const struct outcome *outcomes_at(const struct outcomes *o, uint64_t index);
/* Is any of these over? */
bool outcomes_touch(const struct outcomes *o, uint32_t first, uint32_t last);
/* The first task from `index` on that isn't over. */
uint64_t outcomes_beyond(const struct outcomes *o, uint64_t index);

#endif
