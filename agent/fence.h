/*
 * fence - the highest term this node has obeyed; a scheduler with a lower one is refused, for ever.
 * Kept in node/term, fsynced before the first effect of a new term, because a scheduler brought back from an old copy
 * must not find a node that has forgotten. Beside it node/starts, how often an agent began here, fsynced before its
 * first hello: hellos are numbered, so that one that comes late is known as such.
 */
#ifndef REEVE_AGENT_FENCE_H
#define REEVE_AGENT_FENCE_H

#include <stdint.h>

#include "base/err.h"

struct fence {
    uint64_t seen;
    uint64_t starts;
};

/* Absent: no term, and starts counted from the seconds of the wall clock. A damaged file is a failure, not absent. */
int fence_load(struct fence *f, struct err *err) MUST_USE;
/* One start more, kept. Once, before the first hello. */
int fence_count_start(struct fence *f, struct err *err) MUST_USE;
/* 0: obey. -ESTALE: lower than what was seen. Another -errno: the new term could not be kept; don't obey. */
int fence_admit(struct fence *f, uint64_t term, struct err *err) MUST_USE;

#endif
