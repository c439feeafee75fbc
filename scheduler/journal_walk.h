/*
 * journal_walk - reading journal segments: verify the chain through all of them, tell a torn tail from damage.
 */
#ifndef REEVE_SCHEDULER_JOURNAL_WALK_H
#define REEVE_SCHEDULER_JOURNAL_WALK_H

#include "scheduler/journal.h"

#define JOURNAL_PREFIX "journal"

struct journal_walk {
    int folder, archive;                 /* archive: where a segment is that is not in the folder; -1 = nowhere */
    const char *path, *cell;
    const uint64_t *segments; /* first seqs, rising */
    size_t count;
    uint64_t from_seq;                   /* fn sees what lies beyond */
    const struct journal_point *expect;  /* chain there; NULL = believe the headers */
    journal_fn fn;
    void *arg;
    /* where it ended */
    struct journal_point tail;
    uint64_t term;
    size_t good_bytes, torn_bytes; /* of the last segment */
};

int journal_walk(struct journal_walk *w, struct err *err) MUST_USE;

#endif
