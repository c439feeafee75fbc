/*
 * fence - the highest term this node has obeyed; a scheduler with a lower one is refused, for ever.
 * Kept in node/term, fsynced before the first effect of a new term: the only thing here that must outlive a power cut,
 * because a scheduler brought back from an old copy must not find a node that has forgotten.
 */
#ifndef REEVE_AGENT_FENCE_H
#define REEVE_AGENT_FENCE_H

#include <stdint.h>

#include "base/err.h"

struct fence {
    uint64_t seen;
};

/* Absent = 0. A damaged file is a failure, not 0. */
int fence_load(struct fence *f, struct err *err) MUST_USE;
/* 0: obey. -ESTALE: lower than what was seen. Another -errno: the new term could not be kept; don't obey. */
int fence_admit(struct fence *f, uint64_t term, struct err *err) MUST_USE;

#endif
