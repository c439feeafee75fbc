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

struct outcome {
    uint32_t first, last;
    bool failed; /* anything but success: also cancelled */
};
struct outcomes {
    struct outcome *v;
    uint32_t count, size;
};

/* None of them was over. Aborts on lack of memory, as whatever applies facts. */
void outcomes_add(struct outcomes *o, uint32_t first, uint32_t last, bool failed);
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
