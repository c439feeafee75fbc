/*
 * direct - what a job took of the disk by itself, past the fair queue: the kernel's count for its group, less what was
 * moved for it by grants, which the kernel has counted there, too. Read now and then, both cumulative.
 *
 * What was moved without touching the disk (a copy within a tmpfs) is in one count only; then less is taken for direct
 * than was, and never less than nothing.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_FAIRIO_DIRECT_H
#define REEVE_AGENT_FAIRIO_DIRECT_H

#include "agent/fairio/arbiter.h"

struct io_direct {
    bool known; /* the counts below were read once: what was before belongs to another life of the agent */
    struct io_meter kernel, moved;
};

/* What is direct of what was counted since the last call; the first one says nothing. A count that goes back (a group
 * or a mover made anew) begins again. */
struct io_meter direct_since(struct io_direct *d, const struct io_meter *kernel, const struct io_meter *moved,
                             struct io_books *books);

#endif
